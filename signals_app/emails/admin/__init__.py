"""The pages for mails: templates, what was sent and why not, the local mailbox, suppressions, the sender."""

from signals_app.emails.admin.mailbox import MailboxMailAdmin
from signals_app.emails.admin.messages import EmailMessageAdmin
from signals_app.emails.admin.sender import SenderIdentityAdmin, SuppressionAdmin
from signals_app.emails.admin.templates import EmailTemplateAdmin

__all__ = [
    "EmailMessageAdmin",
    "EmailTemplateAdmin",
    "MailboxMailAdmin",
    "SenderIdentityAdmin",
    "SuppressionAdmin",
]
