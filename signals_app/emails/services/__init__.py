"""What other rooms may ask of mails: queue, send, suppress, preview."""

from signals_app.emails.services.outbox import queue_message
from signals_app.emails.services.previews import mail_preview_html, preview, send_test
from signals_app.emails.services.recovery import recover_interrupted
from signals_app.emails.services.sending import SendReport, send_due, send_message
from signals_app.emails.services.suppression import (
    Subscription,
    address_hashes,
    addresses_of,
    anonymise_suppressions,
    is_suppressed,
    lift_suppression,
    subscription_of,
    suppress,
    suppress_many,
    suppressions_of,
    undo_token,
    undo_unsubscribe,
    unsubscribe,
    unsubscribe_token,
    unsubscribe_url,
)
from signals_app.emails.services.templates import save_template, template_problems

__all__ = [
    "SendReport",
    "Subscription",
    "address_hashes",
    "addresses_of",
    "anonymise_suppressions",
    "is_suppressed",
    "lift_suppression",
    "mail_preview_html",
    "preview",
    "queue_message",
    "recover_interrupted",
    "save_template",
    "send_due",
    "send_message",
    "send_test",
    "subscription_of",
    "suppress",
    "suppress_many",
    "suppressions_of",
    "template_problems",
    "undo_token",
    "undo_unsubscribe",
    "unsubscribe",
    "unsubscribe_token",
    "unsubscribe_url",
]
