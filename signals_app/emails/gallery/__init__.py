"""The ready-made mails of the five example automations, and putting them into a store."""

from signals_app.emails.gallery.installation import install
from signals_app.emails.gallery.mails import MAILS, GalleryMail

__all__ = ["MAILS", "GalleryMail", "install"]
