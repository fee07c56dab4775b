"""Possible duplicates: two known shoppers seen as one, who wait for a person to say whether they are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html

from insightarc_crm.identity_pages import answer, preview_of, reference_link
from signals_app.core.admin import ChoicesFilter, ProjectScopedAdmin, display, post_action
from signals_app.core.changelist import QuickChangeList
from signals_app.core.display import ago, badge
from signals_app.customers import services
from signals_app.customers.constants import ConflictState
from signals_app.customers.display import profile_link
from signals_app.customers.models import Identifier, IdentityConflict
from signals_app.shopper_signals.models import IntentProfile

STATE_TONES = {ConflictState.OPEN.value: "warn", ConflictState.KEPT_APART.value: "info"}


class DuplicatesChangeList(QuickChangeList):
    """The page's rows with the score of both sides, in one query for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        conflicts: list[Any] = list(self.result_list)
        ids = {side.customer_id for each in conflicts for side in (each.left, each.right)}
        scores = dict(IntentProfile.objects.filter(customer__in=ids).values_list("customer_id", "intent_score"))
        for each in conflicts:
            each.scores = scores
        self.result_list = conflicts


@admin.register(IdentityConflict)
class IdentityConflictAdmin(ProjectScopedAdmin[IdentityConflict]):
    """Two known shoppers seen as one. A machine never joins them; a person says whether they are."""

    when_empty = (
        "When two known shoppers seem to be one person, the pair waits here for you to decide. Nothing is joined "
        "without you."
    )

    list_display = ("seen", "one", "other", "how", "state_badge")
    list_display_links = ("seen",)
    list_filter = (("state", ChoicesFilter), ("evidence", ChoicesFilter))
    list_select_related = ("left__customer", "right__customer")
    search_fields = ("left__value__exact", "right__value__exact")
    search_help_text = "Exact e-mail, customer ID or visitor ID"
    ordering = ("-state", "-created_at", "-id")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[QuickChangeList]:
        return DuplicatesChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[IdentityConflict]:
        # Joined by other evidence since: there is nothing to decide any more.
        settled = Q(state=ConflictState.OPEN, left__customer=F("right__customer"))
        return super().get_queryset(request).exclude(settled)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: IdentityConflict | None = None) -> bool:
        return False

    @display(description="Seen", ordering="created_at")
    def seen(self, obj: IdentityConflict) -> str:
        return ago(obj.created_at)

    @display(description="One")
    def one(self, obj: IdentityConflict) -> str:
        return _side(obj.left, getattr(obj, "scores", {}))

    @display(description="Other")
    def other(self, obj: IdentityConflict) -> str:
        return _side(obj.right, getattr(obj, "scores", {}))

    @display(description="How", ordering="evidence")
    def how(self, obj: IdentityConflict) -> str:
        return obj.get_evidence_display()

    @display(description="State", ordering="state")
    def state_badge(self, obj: IdentityConflict) -> str:
        return badge(obj.get_state_display(), STATE_TONES.get(obj.state, "neutral"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        conflict = self.get_object(request, object_id)
        if conflict is None:
            raise Http404("There is no such possible duplicate in this store.")
        if not self.has_view_permission(request, conflict):
            raise PermissionDenied
        left, right = conflict.left.customer, conflict.right.customer
        context = {
            "title": f"{left} / {right}",
            "conflict": conflict,
            "how": format_html(
                "{}{}", conflict.get_evidence_display().lower(), reference_link(conflict.evidence, conflict.reference)
            ),
            "is_open": conflict.state == ConflictState.OPEN,
            "state": self.state_badge(conflict),
            **preview_of(request, left, right),
        }
        return answer(request, self, conflict, "admin/customers/identity_conflict.html", context)

    @post_action(
        description="Keep apart",
        question="They stay two profiles. This pair is not shown again, and nothing that is seen later joins them.",
        permission="change",
        icon="call_split",
    )
    def keep_apart(self, request: HttpRequest, obj: IdentityConflict) -> HttpResponse | None:
        if services.keep_apart(conflict=obj, by=request.user.get_username(), now=timezone.now()):
            messages.success(request, "They stay two profiles.")
        else:
            messages.info(request, "Somebody has decided this already.")
        return None

    actions_detail = ("keep_apart",)


def _side(identifier: Identifier, scores: dict[UUID, float]) -> str:
    score = scores.get(identifier.customer_id)
    return format_html(
        "<div>{} <span class='crm-quiet crm-block crm-wrap'>{}: {}</span>"
        "<span class='crm-quiet crm-block'>{}seen {}</span></div>",
        profile_link(identifier.customer),
        identifier.get_kind_display(),
        identifier.value,
        "" if score is None else f"intent {score:.0f} · ",
        ago(identifier.customer.last_seen_at),
    )
