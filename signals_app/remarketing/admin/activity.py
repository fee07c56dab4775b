"""Recipient activity: every shopper an automation decided about, and why; and the same question asked now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString

from signals_app.core.admin import (
    ChoicesFilter,
    DateTimeRangeFilter,
    ProjectScopedAdmin,
    ReadOnlyAdmin,
    ScopedRelatedFilter,
    action,
    display,
)
from signals_app.core.display import ago, badge, page_link
from signals_app.customers.display import profile_link
from signals_app.emails.constants import MessageState
from signals_app.remarketing import services
from signals_app.remarketing.constants import Arm, MatchState
from signals_app.remarketing.forms import ExplainForm
from signals_app.remarketing.models import RuleMatch
from signals_app.remarketing.wording import reason_in_words
from signals_app.segments import conditions, fields
from signals_app.segments.conditions import ConditionResult
from signals_app.segments.fields import Scope

MATCH_BADGES = {
    MatchState.PLANNED: ("Waiting", "info"),
    MatchState.QUEUED: ("Sent on", "info"),
    MatchState.SKIPPED: ("Skipped", "neutral"),
    MatchState.EXPIRED: ("Too late", "warn"),
}
MAIL_BADGES = {
    MessageState.QUEUED: ("On its way", "info"),
    MessageState.SENDING: ("Sending", "info"),
    MessageState.SENT: ("Sent", "good"),
    MessageState.RETRY: ("Trying again", "warn"),
    MessageState.FAILED: ("Failed", "bad"),
    MessageState.SUPPRESSED: ("Skipped", "neutral"),
    MessageState.UNKNOWN: ("Unconfirmed", "warn"),
}
GATE_LABELS = {
    "active": "The automation is active",
    "trigger": "The trigger holds",
    "profile_filter": "The profile filters hold",
    "known_shopper": "The shopper is known",
    "personalisation": "Their behaviour may be used",
    "reentry": "May enter (again)",
    "not_ordered": "Has not ordered meanwhile",
    "order_stands": "The order stands",
    "in_time": "In time",
    "not_control_group": "Not in the control group",
    "sends": "The automation sends mails",
    "address": "Has an e-mail address",
    "consent": "Has given consent",
    "not_suppressed": "Not unsubscribed or bounced",
    "frequency_limit": "Below the frequency limit",
    "sending_on": "Sending is on",
    "quiet_hours": "Outside the quiet hours",
}

STYLES = forms.Media(css={"all": ["remarketing/automations.css"]})
"""For pages of our own: Django's scripts for forms have nothing to do there."""


@admin.register(RuleMatch)
class RuleMatchAdmin(ReadOnlyAdmin, ProjectScopedAdmin[RuleMatch]):
    list_display = ("shopper", "automation", "state_badge", "why", "due", "decided")
    list_filter = (
        ("state", ChoicesFilter),
        ("reason", ChoicesFilter),
        ("arm", ChoicesFilter),
        ("rule", ScopedRelatedFilter),
        ("created_at", DateTimeRangeFilter),
    )
    search_fields = ("identifier__value", "identifier__customer__email", "rule__name")
    search_help_text = "E-mail, known ID or automation"
    ordering = ("-created_at",)
    actions_list = ("explain_now",)

    class Media:
        css = {"all": ["remarketing/automations.css"]}

    def get_urls(self) -> list[URLPattern]:
        explain = path("explain/", self.admin_site.admin_view(self.explain_view), name="remarketing_rulematch_explain")
        return [explain, *super().get_urls()]

    # --- the list ---------------------------------------------------------------------------------------------------

    @display(description="Shopper")
    def shopper(self, match: RuleMatch) -> str:
        # The list links its first column to the match; the match's page links to the profile.
        return str(match.identifier.customer)

    @display(description="Automation", ordering="rule__name")
    def automation(self, match: RuleMatch) -> str:
        return match.rule.name

    @display(description="State", ordering="state")
    def state_badge(self, match: RuleMatch) -> SafeString:
        return state_of(match)

    @display(description="Why")
    def why(self, match: RuleMatch) -> str:
        return reason_of(match)

    @display(description="Due", ordering="due_at")
    def due(self, match: RuleMatch) -> SafeString | str:
        return ago(match.due_at)

    @display(description="Decided", ordering="decided_at")
    def decided(self, match: RuleMatch) -> SafeString | str:
        return ago(match.decided_at)

    # --- one match --------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[RuleMatch]:
        return super().get_queryset(request).select_related("rule", "identifier__customer", "message", "variant")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        match = self.get_object(request, object_id)
        if match is None:
            raise Http404(f"There is no recipient activity {object_id!r} in this store.")
        if not self.has_view_permission(request, match):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": f"{match.identifier.customer}: {match.rule}",
            "opts": self.opts,
            "original": match,
            "media": STYLES,
            "match": match,
            "state": state_of(match),
            "reason": reason_of(match),
            "facts": facts_of(match),
            "gates": gates_in_words(match.gates),
            "values": values_in_words(match.values, services.trigger_scope(match.rule.entry_event)),
        }
        return TemplateResponse(request, "admin/remarketing/match.html", context)

    # --- asking now -------------------------------------------------------------------------------------------------

    @action(description="Explain now", icon="help", url_path="ask", permissions=["view"])
    def explain_now(self, request: HttpRequest) -> HttpResponse:
        return self.explain_view(request)

    def explain_view(self, request: HttpRequest) -> HttpResponse:
        """Ask, for any profile and automation of the store, what would happen now and why."""
        project = getattr(request, "project", None)
        if project is None or not request.user.has_perm("remarketing.explain_match"):
            raise PermissionDenied
        form = ExplainForm(request.GET if "profile" in request.GET else None, project=project)
        answer = {}
        if form.is_valid():
            now = timezone.now()
            found = services.explain(customer=form.cleaned_data["profile"], rule=form.cleaned_data["rule"], now=now)
            answer = explanation_in_words(found, now)
        context = {
            **self.admin_site.each_context(request),
            "title": "Explain now",
            "opts": self.opts,
            "media": STYLES,
            "form": form,
            **answer,
        }
        return TemplateResponse(request, "admin/remarketing/explain.html", context)


def state_of(match: RuleMatch) -> SafeString:
    if match.state == MatchState.QUEUED and match.message is not None:
        return badge(*MAIL_BADGES[MessageState(match.message.state)])
    return badge(*MATCH_BADGES[MatchState(match.state)])


def reason_of(match: RuleMatch) -> str:
    """Return why the match came to nothing, or where it stands."""
    if match.message is not None and match.message.reason:
        return reason_in_words(match.message.reason)
    if match.reason:
        return reason_in_words(match.reason)
    return "Waits until it is due" if match.state == MatchState.PLANNED else ""


def facts_of(match: RuleMatch) -> list[tuple[str, Any]]:
    """Return what stands at the top of a match's page, as (label, value)."""
    facts: list[tuple[str, Any]] = [
        ("Profile", profile_link(match.identifier.customer)),
        ("Automation", page_link(match.rule)),
        ("Version of the automation", match.rule_version),
        ("Group", Arm(match.arm).label),
        ("Last signal or order", ago(match.triggered_at)),
        ("Due", ago(match.due_at)),
        ("Decided", ago(match.decided_at)),
    ]
    if match.variant is not None:
        facts.append(("Variation", match.variant))
    if match.message is not None:
        facts.append(("Mail", page_link(match.message)))
        if match.message.detail:
            facts.append(("What the mail ran into", match.message.detail))
    return facts


def gates_in_words(gates: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "passed": bool(gate.get("passed")),
            "label": GATE_LABELS.get(str(gate.get("gate")), str(gate.get("gate"))),
            "detail": gate.get("detail", ""),
        }
        for gate in gates
    ]


def values_in_words(values: Mapping[str, Any], scope: Scope) -> list[tuple[str, str]]:
    """Return the tested values as (label, text), in the order of the catalogue; unknown names as they are."""
    catalogue = fields.fields(scope)
    known = [
        (field.label, with_unit(conditions.value_text(field, values[name]), field.unit, values[name]))
        for name, field in catalogue.items()
        if name in values
    ]
    return known + [(name, str(value)) for name, value in values.items() if name not in catalogue]


def with_unit(text: str, unit: str, value: Any) -> str:
    return f"{text} {unit}" if unit and value is not None else text


def explanation_in_words(found: services.Explanation, now: datetime) -> dict[str, Any]:
    """Return the explanation as its page shows it."""
    decision, miss, scope = found.decision, found.nearest_miss, services.trigger_scope(found.rule.entry_event)
    return {
        "explanation": found,
        "profile_link": profile_link(found.customer),
        "rule_link": page_link(found.rule),
        "match_link": page_link(found.match, "the latest activity") if found.match else "",
        "verdict": decision.reason.label if decision else "Nothing has happened yet that could start it",
        "is_sent": decision is not None and decision.outcome in ("send", "plan"),
        "due": ago(decision.due_at, now=now) if decision else "",
        "gates": gates_in_words([gate.as_json() for gate in decision.gates]) if decision else [],
        "conditions": [condition_in_words(result, scope) for result in found.conditions],
        "occasion_at": ago(found.occasion.at, now=now) if found.occasion else "",
        "miss_at": ago(miss.occasion.at, now=now) if miss else "",
        "missing": [condition_in_words(result, scope) for result in miss.failed] if miss else [],
    }


def condition_in_words(result: ConditionResult, scope: Scope) -> dict[str, Any]:
    field = fields.fields(scope).get(result.field)
    actual = str(result.actual) if field is None else conditions.value_text(field, result.actual)
    unit = "" if field is None else field.unit
    return {
        "passed": result.holds,
        "label": result.sentence,
        "detail": f"found: {with_unit(actual, unit, result.actual)}",
    }
