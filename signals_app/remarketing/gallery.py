"""The five ready-made automations, and putting them into a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from signals_app.customers.constants import OrderState
from signals_app.emails.models import EmailTemplate
from signals_app.projects.models import Project
from signals_app.remarketing import services
from signals_app.remarketing.constants import EntryEvent, RuleStatus
from signals_app.remarketing.models import RemarketingRule, RuleVariant

HOUR, DAY = 60, 24 * 60
"""Minutes."""


@dataclass(frozen=True)
class GalleryRule:
    """
    One ready-made automation.

    `trigger` is [(field, operator, value), ...], all of which must hold; `variants` is {name: key of the template};
    `settings` are fields of `RemarketingRule`.
    """

    name: str
    trigger: tuple[tuple[str, str, Any], ...]
    variants: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trigger_tree(self) -> dict[str, Any]:
        """Return the trigger in the condition language."""
        return {
            "all": [
                {"field": name, "op": op} if value is None else {"field": name, "op": op, "value": value}
                for name, op, value in self.trigger
            ]
        }


RULES = (
    GalleryRule(
        name="Leaving with interest",
        trigger=(
            ("drop_proba", "gte", 0.8),
            ("num_events", "gte", 6),
            ("intent_score", "gte", 60),
            ("dead_clicks_over_usual", "lte", 0),
            ("loops_ratio", "lt", 1.5),
            ("products_viewed", "gte", 1),
        ),
        variants={"Viewed products": "leaving_with_interest", "Plain": "leaving_with_interest_plain"},
        settings={"priority": 20, "wait_minutes": 45, "max_age_minutes": DAY, "reentry_days": 14},
    ),
    GalleryRule(
        name="Dead click",
        trigger=(
            ("num_broken_buttons", "gte", 1),
            ("dead_clicks_over_usual", "gt", 0),
            ("drop_proba", "gte", 0.5),
            ("num_events", "gte", 3),
        ),
        variants={"Apology": "dead_click"},
        settings={"priority": 10, "wait_minutes": 60, "max_age_minutes": 2 * DAY, "reentry_days": 30},
    ),
    GalleryRule(
        name="Hesitating",
        trigger=(
            ("num_loops", "gte", 3),
            ("loops_ratio", "gte", 1.5),
            ("dead_clicks_over_usual", "lte", 0),
            ("drop_proba", "gte", 0.5),
            ("most_views_of_one_product", "gte", 2),
        ),
        variants={"Comparison": "hesitating", "Coupon": "hesitating_coupon"},
        settings={
            "priority": 30,
            "wait_minutes": 4 * HOUR,
            "send_from_hour": 9,
            "send_until_hour": 20,
            "max_age_minutes": 2 * DAY,
            "reentry_days": 30,
        },
    ),
    GalleryRule(
        name="Back after silence",
        trigger=(
            ("days_since_previous_signal", "gte", 30),
            ("num_events", "gte", 5),
            ("has_interest", "is_true", None),
        ),
        variants={"New arrivals": "back_after_silence"},
        settings={
            "priority": 40,
            "wait_minutes": 0,
            "next_day_hour": 10,
            "max_age_minutes": 36 * HOUR,
            "reentry_days": 60,
        },
    ),
    GalleryRule(
        name="Thank-you",
        trigger=(("order_state", "eq", OrderState.PLACED.value),),
        variants={"Thanks": "thank_you"},
        settings={
            "priority": 60,
            "entry_event": EntryEvent.ORDER,
            "wait_minutes": 3 * DAY,
            "max_age_minutes": 7 * DAY,
            "reentry_days": 0,
            "skip_if_ordered_days": None,
        },
    ),
)


@transaction.atomic
def install(
    *,
    project: Project,
    templates: Mapping[str, EmailTemplate],
    wait_minutes: int | None = None,
    holdout: int | None = None,
    activate: bool = True,
) -> list[RemarketingRule]:
    """
    Return the store's automations of the gallery, making those that it does not have yet.

    `templates` are those of `emails.gallery`, by key. `wait_minutes` and `holdout` (percent), where given, take the
    place of the gallery's own, also in automations that are there already; otherwise these stay as a marketer left
    them. A given wait counts alone, without "next day at"; a wait of 0 also leaves out send windows and quiet hours.
    """
    return [_install_rule(project, ready, templates, wait_minutes, holdout, activate) for ready in RULES]


def _install_rule(
    project: Project,
    ready: GalleryRule,
    templates: Mapping[str, EmailTemplate],
    wait_minutes: int | None,
    holdout: int | None,
    activate: bool,
) -> RemarketingRule:
    rule = RemarketingRule.objects.filter(project=project, name=ready.name).first()
    is_new = rule is None
    if rule is None:
        rule = RemarketingRule(project=project, name=ready.name, trigger=ready.trigger_tree, **ready.settings)
    if wait_minutes is not None:
        _change_wait(rule, wait_minutes)
    if holdout is not None:
        rule.holdout_percent = holdout
    if is_new or wait_minutes is not None or holdout is not None:
        services.save_rule(rule=rule)
    if is_new:
        RuleVariant.objects.bulk_create(
            RuleVariant(rule=rule, name=name, template=templates[key]) for name, key in ready.variants.items()
        )
    if activate and rule.status == RuleStatus.DRAFT:
        services.activate(rule=rule)
    return rule


def _change_wait(rule: RemarketingRule, wait_minutes: int) -> None:
    rule.wait_minutes = wait_minutes
    rule.next_day_hour = None
    rule.max_age_minutes = max(rule.max_age_minutes, 2 * wait_minutes)
    if wait_minutes == 0:
        rule.send_from_hour = rule.send_until_hour = None
        rule.respects_quiet_hours = False
