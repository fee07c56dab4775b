"""Rules as people make them: what is wrong with one, saving it, switching it on and off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, QuerySet

from signals_app.core.exceptions import PermanentError
from signals_app.projects.models import Project
from signals_app.remarketing import schedule
from signals_app.remarketing.constants import ORDER_EVENTS, EntryEvent, RuleAction, RuleStatus
from signals_app.remarketing.decision import RuleSpec
from signals_app.remarketing.models import RemarketingRule, SendPolicy
from signals_app.segments import conditions, fields
from signals_app.segments.conditions import InvalidCondition, Node
from signals_app.segments.fields import Scope
from signals_app.segments.profile_fields import INTENT

DECISION_FIELDS = (
    "priority",
    "entry_event",
    "trigger",
    "audience",
    "wait_minutes",
    "next_day_hour",
    "send_from_hour",
    "send_until_hour",
    "max_age_minutes",
    "reentry_days",
    "skip_if_ordered_days",
    "holdout_percent",
    "action",
    "respects_quiet_hours",
)
"""What a decision depends on: a change of any of these makes a new version of the rule."""


BEHAVIOUR_FIELDS = frozenset({"last_seen_at"})
"""Profile fields that tell what the shopper did in the shop, beside those of buying intent."""


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of a rule; `field` is empty if it is about the whole."""

    field: str
    message: str


class RuleNotReady(PermanentError):
    """A rule cannot be switched on as it is; `errors` says why, field by field."""

    def __init__(self, rule: RemarketingRule, errors: list[FieldError]) -> None:
        super().__init__(f"“{rule.name}”: " + "; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


def trigger_scope(entry_event: str) -> Scope:
    """Return the scope of the fields that a rule's trigger may ask for."""
    return Scope.ORDER if entry_event in ORDER_EVENTS else Scope.SIGNAL


@lru_cache(maxsize=4096)
def _compile(tree_json: str, scope: Scope, zone: ZoneInfo) -> Node:
    return conditions.parse(json.loads(tree_json), fields.fields(scope), zone=zone)


def compile_tree(tree: Any, scope: Scope, zone: ZoneInfo) -> Node:
    """
    Parse a rule's tree, remembering it by its content, so that a busy store parses each version once.

    `zone` is the store's: dates in the tree are on its clock.

    :raises InvalidCondition: if the tree is not one of the grammar.
    """
    try:
        return _compile(json.dumps(tree, sort_keys=True), scope, zone)
    except RecursionError:
        raise InvalidCondition("", "groups stand too deep") from None


def forget_compiled() -> None:
    """Drop what this process remembers of trees, which may hold what was typed into them."""
    _compile.cache_clear()
    _specs.clear()


def policy_of(project: Project) -> SendPolicy:
    """Return the store's limits and quiet hours; the defaults, unsaved, if it never set any."""
    return SendPolicy.objects.filter(project=project).first() or SendPolicy(project=project)


def spec_of(rule: RemarketingRule, policy: SendPolicy, *, zone: ZoneInfo, has_variants: bool = True) -> RuleSpec:
    """
    Return a rule as decisions see it; a rule that cannot be read or has nothing to send says so in `problem`.

    `zone` is the store's, on whose clock the dates in its conditions are.
    """
    nothing, problem = conditions.All(()), ""
    trigger: Node = nothing
    audience: Node = nothing
    try:
        trigger = compile_tree(rule.trigger, trigger_scope(rule.entry_event), zone)
        audience = compile_tree(rule.audience, Scope.PROFILE, zone)
    except InvalidCondition as error:
        problem = f"its conditions cannot be read: {error.message}"
    if not problem and not has_variants and rule.action == RuleAction.SEND_EMAIL:
        problem = "it has no variation to send"
    return RuleSpec(
        id=rule.pk,
        name=rule.name,
        version=rule.version,
        status=rule.status,
        entry_event=rule.entry_event,
        trigger=trigger,
        audience=audience,
        wait=timedelta(minutes=rule.wait_minutes),
        next_day_hour=rule.next_day_hour,
        max_age=timedelta(minutes=rule.max_age_minutes),
        reentry=timedelta(days=rule.reentry_days),
        skip_if_ordered=None if rule.skip_if_ordered_days is None else timedelta(days=rule.skip_if_ordered_days),
        holdout_percent=rule.holdout_percent,
        action=rule.action,
        hours=_hours(rule, policy),
        uses_behaviour=rule.entry_event == EntryEvent.SIGNAL or _asks_for_behaviour(audience),
        problem=problem,
    )


def _asks_for_behaviour(audience: Node) -> bool:
    return any(
        leaf.field.group == INTENT or leaf.field.name in BEHAVIOUR_FIELDS for leaf in conditions.leaves(audience)
    )


def _hours(rule: RemarketingRule, policy: SendPolicy) -> frozenset[int]:
    return schedule.allowed_hours(
        send_from=rule.send_from_hour,
        send_until=rule.send_until_hour,
        quiet_from=policy.quiet_from_hour if rule.respects_quiet_hours else None,
        quiet_until=policy.quiet_until_hour if rule.respects_quiet_hours else None,
    )


def active_specs(*, project: Project, entry_event: EntryEvent) -> list[RuleSpec]:
    """Return the active rules of a store that start on `entry_event`, most important first."""
    active = RemarketingRule.objects.filter(project=project, status=RuleStatus.ACTIVE, entry_event=entry_event)
    return current_specs(project=project, rules=active.order_by("priority", "pk"))


_specs: dict[tuple[Any, ...], RuleSpec] = {}
_SPECS_KEPT = 4_096


def current_specs(*, project: Project, rules: QuerySet[RemarketingRule]) -> list[RuleSpec]:
    """
    Return rules of a store as decisions see them, in the order of the queryset.

    A version of a rule never changes, so what was made of it is kept. Asked each time is only what may change without
    a new version: which rules there are, their names and states, and the store's quiet hours and clock.
    """
    keys = list(rules.values_list("pk", "version", "name", "status"))
    if not keys:
        return []
    policy = policy_of(project)
    zone = schedule.zone_of(project.time_zone)
    of_store = (policy.quiet_from_hour, policy.quiet_until_hour, zone)
    unknown = [key[0] for key in keys if (*key, *of_store) not in _specs]
    read = RemarketingRule.objects.in_bulk(unknown)
    if len(_specs) + len(read) > _SPECS_KEPT:
        _specs.clear()
    found = []
    for key in keys:
        spec = _specs.get((*key, *of_store))
        if spec is None and (rule := read.get(key[0])) is not None:
            # A rule changed since its key was read is kept under what it is now.
            spec = spec_of(rule, policy, zone=zone)
            _specs[rule.pk, rule.version, rule.name, rule.status, *of_store] = spec
        if spec is not None:
            found.append(spec)
    return found


def check_rule(rule: RemarketingRule, *, activating: bool = False) -> list[FieldError]:
    """
    Return what keeps a rule from being saved, or from being active if it is or is about to be; empty if nothing does.

    Ranges of single fields are the model's own validators' business.
    """
    errors = [*_tree_errors(rule), *_time_errors(rule)]
    if activating or rule.status == RuleStatus.ACTIVE:
        errors += _activation_errors(rule)
    return errors


def _activation_errors(rule: RemarketingRule) -> list[FieldError]:
    errors = []
    if rule.entry_event == EntryEvent.SIGNAL and rule.trigger == {}:
        errors.append(FieldError("trigger", "Add at least one condition: without any, every signal would start it."))
    if rule.action == RuleAction.SEND_EMAIL and (rule._state.adding or not rule.variants.exists()):
        errors.append(FieldError("variants", "Add at least one variation: the mail that is sent."))
    return errors


def _tree_errors(rule: RemarketingRule) -> list[FieldError]:
    errors, zone = [], schedule.zone_of(rule.project.time_zone)
    for name, scope in (("trigger", trigger_scope(rule.entry_event)), ("audience", Scope.PROFILE)):
        try:
            compile_tree(getattr(rule, name), scope, zone)
        except InvalidCondition as error:
            errors.append(FieldError(name, str(error)))
    return errors


def _time_errors(rule: RemarketingRule) -> list[FieldError]:
    errors = []
    start, end = rule.send_from_hour, rule.send_until_hour
    longest_wait = rule.wait_minutes if rule.next_day_hour is None else max(rule.wait_minutes, 24 * 60)
    if rule.max_age_minutes <= longest_wait:
        errors.append(FieldError("max_age_minutes", "Must be longer than the wait, or every mail would be too late."))
    if (start is None) != (end is None):
        missing = "send_from_hour" if start is None else "send_until_hour"
        errors.append(FieldError(missing, "Give both hours of the send window, or none."))
    elif start is not None and start == end:
        errors.append(FieldError("send_until_hour", "The send window has no hour in it."))
    elif not _hours(rule, policy_of(rule.project)):
        errors.append(FieldError("send_from_hour", "The send window lies wholly within the quiet hours."))
    return errors


def save_rule(*, rule: RemarketingRule) -> RemarketingRule:
    """
    Save a rule; whenever something that a decision depends on has changed, it becomes a new version.

    The state of one that exists stays as it is by now: somebody may have paused it while another was changing it.

    :raises RuleNotReady: if `check_rule` finds something.
    """
    errors = check_rule(rule)
    if errors:
        raise RuleNotReady(rule, errors)
    with transaction.atomic():
        before = RemarketingRule.objects.select_for_update().filter(pk=rule.pk).first()
        if before is not None:
            is_changed = any(getattr(before, name) != getattr(rule, name) for name in DECISION_FIELDS)
            rule.version, rule.status = before.version + is_changed, before.status
        rule.save()
    return rule


def note_variants_changed(*, rule: RemarketingRule) -> None:
    """Make a new version of a rule because its variations changed."""
    RemarketingRule.objects.filter(pk=rule.pk).update(version=F("version") + 1)
    rule.refresh_from_db(fields=["version"])


def activate(*, rule: RemarketingRule) -> bool:
    """
    Switch a rule on; return whether it was off.

    :raises RuleNotReady: if it cannot be active as it is.
    """
    errors = check_rule(rule, activating=True)
    if errors:
        raise RuleNotReady(rule, errors)
    return _switch(rule, RuleStatus.ACTIVE)


def pause(*, rule: RemarketingRule) -> bool:
    """Switch a rule off; return whether it was on. Its waiting matches are skipped when they are due."""
    return rule.status == RuleStatus.ACTIVE and _switch(rule, RuleStatus.PAUSED)


def archive(*, rule: RemarketingRule) -> bool:
    """Put a rule away for good; return whether it was not so already."""
    return _switch(rule, RuleStatus.ARCHIVED)


def _switch(rule: RemarketingRule, status: RuleStatus) -> bool:
    if rule.status == status:
        return False
    rule.status = status
    rule.save(update_fields=["status", "updated_at"])
    return True
