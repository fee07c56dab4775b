"""Mails shown as a shopper would see them, in frames that can do nothing."""

from __future__ import annotations

from typing import NamedTuple

from django import forms

from signals_app.emails import services
from signals_app.emails.models import MailboxMail
from signals_app.emails.rendering import Rendered

FOLLOW_LINKS = "allow-popups allow-popups-to-escape-sandbox"
STYLES = forms.Media(css={"all": ["emails/mails.css"]})
"""For pages of our own: Django's scripts for forms have nothing to do there."""


class Frame(NamedTuple):
    """One frame: its name, its width in pixels, the document that it shows and what it may do."""

    label: str
    width: int
    document: str
    sandbox: str


def frames(mail: MailboxMail | Rendered, *, sandbox: str = "") -> list[Frame]:
    """
    Return the phone's and the desktop's frame of a mail.

    The frames are sandboxed: no scripts, no forms, no origin of the admin's. With `FOLLOW_LINKS` a link opens in a new
    tab, as in a mail program.
    """
    document = services.mail_preview_html(mail)
    return [Frame("Phone", 390, document, sandbox), Frame("Desktop", 700, document, sandbox)]
