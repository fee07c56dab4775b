"""Captured mails: the local mailbox, read as the shopper would read it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from signals_app.core.admin import DateTimeRangeFilter, ProjectScopedAdmin, ReadOnlyAdmin, display
from signals_app.core.display import ago, page_link
from signals_app.customers import services as customer_services
from signals_app.emails.admin.frames import FOLLOW_LINKS, STYLES, frames
from signals_app.emails.models import MailboxMail

VIEWS = (("mail", "Mail"), ("text", "Text part"), ("headers", "Headers"))
SNIPPET_LENGTH = 110


@admin.register(MailboxMail)
class MailboxMailAdmin(ReadOnlyAdmin, ProjectScopedAdmin[MailboxMail]):
    list_display = ("to", "mail", "received")
    list_display_links = ("to", "mail")
    list_filter = (("received_at", DateTimeRangeFilter),)
    search_fields = ("to_email", "subject")
    search_help_text = "Address or subject"
    ordering = ("-id",)

    class Media:
        css = {"all": ["emails/mails.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[MailboxMail]:
        shown = super().get_queryset(request).annotate(address=Lower("to_email"))
        project = getattr(request, "project", None)
        erased = customer_services.addresses_being_erased(project=project) if project else []
        return shown.exclude(message__identifier__customer__erased_at__isnull=False).exclude(address__in=erased)

    @display(description="To", ordering="to_email")
    def to(self, mail: MailboxMail) -> str:
        return mail.to_email

    @display(description="Mail")
    def mail(self, mail: MailboxMail) -> SafeString:
        snippet = " ".join(mail.text.split())[:SNIPPET_LENGTH]
        return format_html(
            '<span class="inbox-mail"><b>{}</b><span class="crm-quiet">{}</span></span>', mail.subject, snippet
        )

    @display(description="Received", ordering="received_at")
    def received(self, mail: MailboxMail) -> SafeString | str:
        return ago(mail.received_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        mail = self.get_object(request, object_id)
        if mail is None:
            raise Http404(f"There is no captured mail {object_id!r} in this store.")
        if not self.has_view_permission(request, mail):
            raise PermissionDenied
        shown = request.GET.get("view", "")
        context = {
            **self.admin_site.each_context(request),
            "title": mail.subject,
            "opts": self.opts,
            "original": mail,
            "media": STYLES,
            "mail": mail,
            "received": ago(mail.received_at),
            "message_link": page_link(mail.message, "How it came to be sent") if mail.message else "",
            "views": VIEWS,
            "shown": shown if shown in dict(VIEWS) else "mail",
            "headers": sorted(mail.headers.items()),
            "frames": frames(mail, sandbox=FOLLOW_LINKS),
        }
        return TemplateResponse(request, "admin/emails/captured_mail.html", context)
