"""What other rooms may ask of mails: queue, send, count, suppress, preview."""

from signals_app.emails.services.outbox import count_mails, queue_message
from signals_app.emails.services.suppression import (
    is_suppressed,
    suppress,
    undo_unsubscribe,
    unsubscribe,
    unsubscribe_token,
    unsubscribe_url,
)
from signals_app.emails.services.templates import save_template, template_problems

__all__ = [
    "count_mails",
    "is_suppressed",
    "queue_message",
    "save_template",
    "suppress",
    "template_problems",
    "undo_unsubscribe",
    "unsubscribe",
    "unsubscribe_token",
    "unsubscribe_url",
]
