"""Making and changing automations: what may be activated, and when a change makes a new version."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction

from signals_app.emails.models import SenderIdentity
from signals_app.remarketing.constants import RuleAction, RuleStatus
from signals_app.remarketing.models import RemarketingRule, RuleVariant
from signals_app.remarketing.wording import entry_scope
from signals_app.segments import conditions, fields
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.fields import Scope

DECISIVE_FIELDS = frozenset(
    {
        "entry_event",
        "trigger",
        "audience",
        "wait_minutes",
        "send_from_hour",
        "send_until_hour",
        "respects_quiet_hours",
        "max_age_minutes",
        "reentry_days",
        "skip_if_ordered_days",
        "holdout_percent",
        "action",
    }
)
"""What a decision depends on; a change makes a new version, so that results of the old and the new stay apart."""


class NotReady(Exception):
    """An automation that cannot be activated; `problems` says what is missing, in a marketer's words."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


def save_rule(*, rule: RemarketingRule, changed: Collection[str]) -> RemarketingRule:
    """Save an automation whose named fields were changed; a decisive change raises its version."""
    with transaction.atomic():
        if not rule._state.adding and DECISIVE_FIELDS.intersection(changed):
            rule.version = _locked_version(rule) + 1
        rule.save()
    return rule


def note_changed_variants(*, rule: RemarketingRule, changed: Collection[str]) -> None:
    """Raise the version for changed variations, unless the same save has raised it for one of the `changed` fields."""
    if DECISIVE_FIELDS.intersection(changed):
        return
    with transaction.atomic():
        rule.version = _locked_version(rule) + 1
        rule.save(update_fields=["version", "updated_at"])


def problems_of(rule: RemarketingRule) -> list[str]:
    """Return what keeps the automation from being activated; empty when nothing does."""
    problems = []
    for label, tree, scope in (
        ("Trigger", rule.trigger, entry_scope(rule)),
        ("Profile filters", rule.audience, Scope.PROFILE),
    ):
        try:
            conditions.parse(tree, fields.fields(scope))
        except InvalidCondition as error:
            problems.append(f"{label}: {error}")
    if rule.max_age_minutes <= rule.wait_minutes:
        problems.append("Too late after: must be longer than the wait, or no mail would ever be sent.")
    if rule.action == RuleAction.SEND_EMAIL:
        problems.extend(_mail_problems(rule))
    return problems


def _mail_problems(rule: RemarketingRule) -> list[str]:
    problems = []
    variants = list(RuleVariant.objects.filter(rule=rule).select_related("template"))
    if not variants:
        problems.append("Variations: choose a template, or set the action to “Measure only”.")
    problems.extend(
        f"Variations: the template “{variant.template}” has no content yet."
        for variant in variants
        if not variant.template.compiled_html
    )
    if not SenderIdentity.objects.filter(project=rule.project_id).exists():
        problems.append("Sender: say first who the store's mails come from.")
    return problems


def activate_rule(*, rule: RemarketingRule, now: datetime) -> RemarketingRule:
    """
    Let the automation act on what comes from now on.

    :raises NotReady: if something is missing; permanent until a person changes it.
    """
    if problems := problems_of(rule):
        raise NotReady(problems)
    return _set_status(rule, RuleStatus.ACTIVE)


def pause_rule(*, rule: RemarketingRule, now: datetime) -> RemarketingRule:
    """Stop the automation; matches that wait are skipped when they come due."""
    return _set_status(rule, RuleStatus.PAUSED)


def archive_rule(*, rule: RemarketingRule, now: datetime) -> RemarketingRule:
    """Put the automation away; its results stay."""
    return _set_status(rule, RuleStatus.ARCHIVED)


def _set_status(rule: RemarketingRule, status: RuleStatus) -> RemarketingRule:
    with transaction.atomic():
        rule.status = status
        rule.save(update_fields=["status", "updated_at"])
    return rule


def _locked_version(rule: RemarketingRule) -> int:
    # Two people saving at once must not make the same version of two different automations.
    return RemarketingRule.objects.select_for_update(no_key=True).values_list("version", flat=True).get(pk=rule.pk)
