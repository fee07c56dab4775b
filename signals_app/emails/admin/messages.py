"""E-mails: every mail that was asked for, where it stands, and why it was not sent."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from signals_app.core.admin import (
    ChoicesFilter,
    DateTimeRangeFilter,
    ProjectScopedAdmin,
    ReadOnlyAdmin,
    ScopedRelatedFilter,
    display,
)
from signals_app.core.display import ago, badge, page_link
from signals_app.customers.display import profile_link
from signals_app.emails.admin.frames import STYLES, frames
from signals_app.emails.constants import MessageState, reason_in_words
from signals_app.emails.models import EmailMessage
from signals_app.emails.rendering import Rendered

STATE_TONES = {
    MessageState.QUEUED: "info",
    MessageState.SENDING: "info",
    MessageState.SENT: "good",
    MessageState.RETRY: "warn",
    MessageState.FAILED: "bad",
    MessageState.SUPPRESSED: "neutral",
    MessageState.UNKNOWN: "warn",
}


@admin.register(EmailMessage)
class EmailMessageAdmin(ReadOnlyAdmin, ProjectScopedAdmin[EmailMessage]):
    list_display = ("recipient", "about", "state_and_reason", "template", "asked_for", "sent")
    list_filter = (
        ("state", ChoicesFilter),
        ("purpose", ChoicesFilter),
        ("template", ScopedRelatedFilter),
        ("created_at", DateTimeRangeFilter),
    )
    list_select_related = ("identifier__customer", "template")
    search_fields = ("to_email", "identifier__value", "subject")
    search_help_text = "Address, known ID or subject"
    ordering = ("-created_at",)

    class Media:
        css = {"all": ["emails/mails.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailMessage]:
        return super().get_queryset(request).defer("html", "text")

    @display(description="To")
    def recipient(self, message: EmailMessage) -> str:
        return ("" if message.is_of_erased else message.to_email) or str(message.identifier.customer)

    @display(description="Mail")
    def about(self, message: EmailMessage) -> str:
        return str(message)

    @display(description="State", ordering="state")
    def state_and_reason(self, message: EmailMessage) -> SafeString:
        return format_html("{} {}", state_of(message), reason_in_words(message.reason))

    @display(description="Asked for", ordering="created_at")
    def asked_for(self, message: EmailMessage) -> SafeString | str:
        return ago(message.created_at)

    @display(description="Sent", ordering="sending_at")
    def sent(self, message: EmailMessage) -> SafeString | str:
        return ago(message.sending_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        message = self.get_object(request, object_id)
        if message is None:
            raise Http404(f"There is no e-mail {object_id!r} in this store.")
        if not self.has_view_permission(request, message):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": str(message),
            "opts": self.opts,
            "original": message,
            "media": STYLES,
            "message": message,
            "state": state_of(message),
            "reason": reason_in_words(message.reason),
            "facts": facts_of(message),
            "frames": frames(Rendered(message.subject, message.html, message.text))
            if message.html and not message.is_of_erased
            else [],
        }
        return TemplateResponse(request, "admin/emails/message.html", context)


def state_of(message: EmailMessage) -> SafeString:
    state = MessageState(message.state)
    return badge(state.label, STATE_TONES[state])


def facts_of(message: EmailMessage) -> list[tuple[str, Any]]:
    """Return what stands at the top of a mail's page, as (label, value)."""
    facts: list[tuple[str, Any]] = [
        ("Profile", profile_link(message.identifier.customer)),
        ("Address", ("" if message.is_of_erased else message.to_email) or "–"),
        ("Why it is sent", message.get_purpose_display()),
        ("Template", page_link(message.template)),
        ("Asked for", ago(message.created_at)),
        ("Due", ago(message.due_at)),
        ("Sending began", ago(message.sending_at)),
        ("Done", ago(message.finished_at)),
        ("Tries", message.attempts),
    ]
    if message.is_of_erased:
        return facts
    if message.detail:
        facts.insert(0, ("What was found", message.detail))
    if captured := message.mailbox_mails.first():
        facts.append(("Captured mail", page_link(captured)))
    return facts
