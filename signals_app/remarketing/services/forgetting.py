"""
Taking a person out of automations that name them, when the person is erased.

Three parts, in this order: the automations, whose conditions lose the name in a new version; what was noted of other
shoppers when they were asked the old conditions; the old versions, by which the second part knows what to look for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any
from uuid import UUID

from signals_app.customers.constants import ERASED_PERSON
from signals_app.customers.facets import Step, Subject
from signals_app.customers.forgetting import take_out_of_fields
from signals_app.customers.mentions import Mentions
from signals_app.emails.models import EmailMessage
from signals_app.remarketing.constants import Reason
from signals_app.remarketing.decision import GATE_NAMES
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from signals_app.remarketing.services import rules as rule_services
from signals_app.segments import conditions, fields
from signals_app.segments.fields import Scope

CHANGED_BECAUSE = "A person whom it named was erased"
ASKING_GATES = frozenset({GATE_NAMES[Reason.SKIPPED_TRIGGER], GATE_NAMES[Reason.SKIPPED_PROFILE_FILTER]})
"""The gates that quote the conditions, and so what was typed into them."""


def take_out_of_rules(subject: Subject, place: str, limit: int) -> Step:
    """Take the person out of the automations of the store, which become a new version; a store has a few dozen."""
    wanted, count = Mentions(subject.known_ids), 0
    for rule in RemarketingRule.objects.select_for_update().filter(project=subject.customer.project).order_by("pk"):
        typed, named = _take_out(rule, wanted), take_out_of_fields(rule, wanted, ("name",))
        if typed or named:
            rule.version += bool(typed)  # no decision depends on a name
            rule._change_reason = CHANGED_BECAUSE  # type: ignore[attr-defined]  # read by the history
            rule.save(update_fields=["name", "trigger", "audience", "version", "updated_at"])
            count += 1
    if count:
        rule_services.forget_compiled()
    return Step(count)


def take_out_of_activity(subject: Subject, place: str, limit: int) -> Step:
    """Take the person out of what matches of other shoppers, and their mails, quote of the conditions."""
    typed = _typed_into(subject)
    matches = RuleMatch.objects.filter(rule__in=typed).select_related("message").order_by("pk")
    chosen = list(matches.filter(pk__gt=UUID(place))[:limit] if place else matches[:limit])
    count = 0
    for match in chosen:
        quoted = _quoting(typed[match.rule_id])
        gates = [_without(gate, quoted) for gate in match.gates]
        if gates != match.gates:
            count += RuleMatch.objects.filter(pk=match.pk).update(gates=gates)
        if match.message is not None and quoted.search(match.message.detail):
            detail = quoted.sub(ERASED_PERSON, match.message.detail)[:500]
            EmailMessage.objects.filter(pk=match.message.pk).update(detail=detail)
    return Step(count, str(chosen[-1].pk) if len(chosen) == limit else None)


def take_out_of_versions(subject: Subject, place: str, limit: int) -> Step:
    """Take the person out of the versions that automations had, also of automations that were deleted."""
    wanted, count = Mentions(subject.known_ids), 0
    versions = RemarketingRule.history.filter(project_id=subject.customer.project_id, history_id__gt=int(place or 0))
    chosen = list(versions.order_by("history_id")[:limit])
    for version in chosen:
        typed, named = _take_out(version, wanted), take_out_of_fields(version, wanted, ("name",))
        if typed or named:
            version.save(update_fields=["name", "trigger", "audience"])
            count += 1
    return Step(count, str(chosen[-1].history_id) if len(chosen) == limit else None)


def _take_out(rule: Any, wanted: Mentions) -> frozenset[str]:
    """Take the person out of both trees of an automation, or of a version of one; return what was taken out."""
    scope = rule_services.trigger_scope(rule.entry_event)
    rule.trigger, of_trigger = conditions.without_person(rule.trigger, wanted, fields.fields(scope))
    rule.audience, of_audience = conditions.without_person(rule.audience, wanted, fields.fields(Scope.PROFILE))
    return of_trigger | of_audience


def _typed_into(subject: Subject) -> dict[UUID, frozenset[str]]:
    """Return what was typed of the person into versions of automations, by automation."""
    wanted, found = Mentions(subject.known_ids), defaultdict[UUID, frozenset[str]](frozenset)
    for version in RemarketingRule.history.filter(project_id=subject.customer.project_id).iterator(chunk_size=200):
        if typed := _take_out(version, wanted):
            found[version.id] |= typed
    return dict(found)


def _quoting(typed: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(typed, key=len, reverse=True)
    return re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in longest_first))


def _without(gate: dict[str, Any], quoted: re.Pattern[str]) -> dict[str, Any]:
    if gate["gate"] not in ASKING_GATES:
        return gate
    return gate | {"detail": quoted.sub(ERASED_PERSON, gate["detail"])}
