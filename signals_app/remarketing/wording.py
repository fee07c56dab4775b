"""An automation in plain words: the sentence at the top of its page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from signals_app.core.numbers import percent
from signals_app.emails.constants import reason_in_words as email_reason_in_words
from signals_app.remarketing import services
from signals_app.remarketing.constants import EntryEvent, Reason, RuleAction
from signals_app.remarketing.models import RemarketingRule, RuleVariant
from signals_app.segments import conditions, fields
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.fields import Scope

STARTS: dict[str, str] = {EntryEvent.ORDER: "the order", EntryEvent.FULFILMENT: "the shipment"}
OCCASIONS: dict[str, str] = {EntryEvent.ORDER: "order", EntryEvent.FULFILMENT: "shipment"}


def tree_in_words(tree: Any, scope: Scope) -> str:
    """Return the tree in words, empty for a tree that always holds; dates are on the clock of the page, the store's."""
    if tree == {}:
        return ""
    try:
        node = conditions.parse(tree, fields.fields(scope), zone=timezone.get_current_timezone())
        return conditions.sentence(node)
    except InvalidCondition as error:
        return f"(not readable: {error})"


def reason_in_words(reason: str) -> str:
    """Return why a match came to nothing, or its mail, as people read it."""
    return str(dict(Reason.choices).get(reason) or email_reason_in_words(reason))


def trigger_in_words(rule: RemarketingRule) -> str:
    """Return what starts the automation: "When Exit likelihood is at least 80 % and …"."""
    said = tree_in_words(rule.trigger, services.trigger_scope(rule.entry_event))
    if rule.entry_event == EntryEvent.FULFILMENT:
        return f"After a shipment of an order with {said}" if said else "After every shipment"
    if rule.entry_event == EntryEvent.ORDER:
        return f"After an order with {said}" if said else "After every order"
    return f"When {said}" if said else "On every signal"


def minutes_in_words(minutes: int) -> str:
    """Return a duration in the largest unit that fits it whole."""
    for size, unit in ((24 * 60, "day"), (60, "hour")):
        if minutes and minutes % size == 0:
            return _count(minutes // size, unit)
    return _count(minutes, "minute")


def rule_in_words(rule: RemarketingRule, variants: Sequence[RuleVariant]) -> str:
    """
    Return the whole automation as one passage.

    "When … and the shopper's …, wait 45 minutes after the last signal, then send “Leaving with interest”, unless
    they ordered within 7 days. …"
    """
    start = trigger_in_words(rule)
    if audience := tree_in_words(rule.audience, Scope.PROFILE):
        start = f"{start}, for shoppers whose profile says: {audience}"
    then = _action_in_words(rule, variants)
    return " ".join([f"{start}, {_wait_in_words(rule)}{then}{_unless_in_words(rule)}.", *_limits_in_words(rule)])


def _wait_in_words(rule: RemarketingRule) -> str:
    after = STARTS.get(rule.entry_event, "the last signal")
    until = "" if rule.next_day_hour is None else f"until {rule.next_day_hour}:00 of the next day"
    if not rule.wait_minutes:
        return f"wait {until}, then " if until else "at once "
    wait = f"wait {minutes_in_words(rule.wait_minutes)} after {after}"
    return f"{wait}, and {until}, then " if until else f"{wait}, then "


def _action_in_words(rule: RemarketingRule, variants: Sequence[RuleVariant]) -> str:
    if rule.action == RuleAction.MEASURE_ONLY:
        return "only note that it would have sent a mail"
    if not variants:
        return "send a mail (no template chosen yet)"
    if len(variants) == 1:
        return f"send “{variants[0].template}”"
    total = sum(variant.weight for variant in variants) or 1
    shares = [f"“{variant.template}” ({percent(variant.weight / total)})" for variant in variants]
    return f"send {', '.join(shares[:-1])} or {shares[-1]}"


def _unless_in_words(rule: RemarketingRule) -> str:
    if rule.skip_if_ordered_days is None:
        return ""
    if rule.skip_if_ordered_days == 0:
        return ", unless they have ordered meanwhile"
    return f", unless they ordered within {_count(rule.skip_if_ordered_days, 'day')}"


def _limits_in_words(rule: RemarketingRule) -> list[str]:
    limits = [_window_in_words(rule), f"Nothing is sent later than {minutes_in_words(rule.max_age_minutes)} after."]
    occasion = OCCASIONS.get(rule.entry_event, "occasion")
    if rule.reentry_days:
        limits.append(f"The same shopper enters again after {_count(rule.reentry_days, 'day')} at the earliest.")
    else:
        limits.append(f"The same shopper may enter again on every {occasion}.")
    if rule.holdout_percent:
        limits.append(f"{rule.holdout_percent} % of shoppers get no mail, as the control group.")
    return [limit for limit in limits if limit]


def _window_in_words(rule: RemarketingRule) -> str:
    start, end = rule.send_from_hour, rule.send_until_hour
    quiet = " outside the quiet hours" if rule.respects_quiet_hours else ""
    if start is None and end is None:
        return f"Mails leave only{quiet}." if quiet else "Mails leave at any hour."
    hours = f"from {start or 0}:00 to {24 if end is None else end}:00"
    return f"Mails leave only {hours}{f', and{quiet}' if quiet else ''}."


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
