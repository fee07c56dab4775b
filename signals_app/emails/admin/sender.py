"""Who a store's mails come from, and who gets none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from signals_app.core.admin import ChoicesFilter, ProjectScopedAdmin, ProjectSingletonAdmin, TextInput, display
from signals_app.core.display import ago, badge
from signals_app.emails import services
from signals_app.emails.constants import ERASED_PREFIX, SuppressionReason
from signals_app.emails.models import SenderIdentity, Suppression

if TYPE_CHECKING:
    SuppressionModelForm = forms.ModelForm[Suppression]
else:
    SuppressionModelForm = forms.ModelForm  # generic for the type checker only

REASON_TONES = {
    SuppressionReason.UNSUBSCRIBED: "neutral",
    SuppressionReason.BOUNCED: "warn",
    SuppressionReason.COMPLAINED: "bad",
    SuppressionReason.MANUAL: "info",
}


@admin.register(SenderIdentity)
class SenderIdentityAdmin(ProjectSingletonAdmin[SenderIdentity]):
    names_are_public = True
    fields = ("from_name", "from_email", "reply_to", "postal_address")
    change_form_outer_before_template = "admin/emails/sender_notice.html"

    def save_model(self, request: HttpRequest, obj: SenderIdentity, form: Any, change: bool) -> None:
        obj.is_placeholder = False  # a person has looked at it
        super().save_model(request, obj, form, change)


class SuppressionForm(SuppressionModelForm):
    email = forms.EmailField(max_length=255, label="E-mail", widget=TextInput())
    source = forms.CharField(
        max_length=100, required=False, label="Note", widget=TextInput(), help_text="Why, or who asked for it."
    )

    class Meta:
        model = Suppression
        fields = ("email", "source")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


@admin.register(Suppression)
class SuppressionAdmin(ProjectScopedAdmin[Suppression]):
    when_empty = "Addresses that get no mail: unsubscribed, bounced, complained, or added by you."
    form = SuppressionForm
    list_display = ("address", "reason_badge", "source", "since")
    list_filter = (("reason", ChoicesFilter),)
    search_fields = ("email",)
    search_help_text = "Address"
    ordering = ("-created_at",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        """Find an address also where an erased person has left only its fingerprint."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        project = getattr(request, "project", None)
        if project is not None and "@" in search_term:
            found = found | queryset.filter(email__in=services.address_hashes(project=project, email=search_term))
        return found, may_repeat

    def get_fields(self, request: HttpRequest, obj: Suppression | None = None) -> Any:
        return ("email", "source") if obj is None else ("address", "reason_badge", "source", "since")

    def get_readonly_fields(self, request: HttpRequest, obj: Suppression | None = None) -> Any:
        return () if obj is None else ("address", "reason_badge", "source", "since")

    def has_change_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        saved = services.suppress(
            project=obj.project,
            email=obj.email,
            reason=SuppressionReason.MANUAL,
            source=obj.source or f"added by {request.user}",
            now=timezone.now(),
        )
        obj.pk, obj._state.adding = saved.pk, False

    @display(description="Address", ordering="email")
    def address(self, suppression: Suppression) -> str:
        is_erased = suppression.email.startswith(ERASED_PREFIX)
        return "An erased person (only a fingerprint is kept)" if is_erased else suppression.email

    @display(description="Why", ordering="reason")
    def reason_badge(self, suppression: Suppression) -> SafeString:
        reason = SuppressionReason(suppression.reason)
        return badge(reason.label, REASON_TONES[reason])

    @display(description="Since", ordering="created_at")
    def since(self, suppression: Suppression) -> SafeString | str:
        return ago(suppression.created_at)
