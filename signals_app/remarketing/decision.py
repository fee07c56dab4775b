"""
Whether a rule acts for a shopper: one pure function, asked at the trigger, when due, at the sending and to explain.

Every gate is asked, whatever the ones before it said, in the order of `Reason`; the first that stays shut gives the
reason. At the trigger only the gates up to "too late" decide: the others are about the sending, and are asked when it
comes to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from signals_app.remarketing import schedule
from signals_app.remarketing.constants import ORDER_EVENTS, Arm, Reason, RuleAction, RuleStatus
from signals_app.segments import conditions
from signals_app.segments.conditions import Node


class Moment(StrEnum):
    TRIGGER = "trigger"
    DUE = "due"
    SEND = "send"


class Outcome(StrEnum):
    PLAN = "plan"
    SEND = "send"
    SKIP = "skip"
    EXPIRE = "expire"
    POSTPONE = "postpone"


@dataclass(frozen=True)
class RuleSpec:
    """A rule as far as decisions depend on it; `hours` are the local hours in which its mail may go."""

    id: UUID
    name: str
    version: int
    status: str
    entry_event: str
    trigger: Node
    audience: Node
    wait: timedelta
    next_day_hour: int | None
    max_age: timedelta
    reentry: timedelta
    skip_if_ordered: timedelta | None
    holdout_percent: int
    action: str
    hours: frozenset[int]
    uses_behaviour: bool = True
    """Its trigger or profile filters ask what the shopper did in the shop, which the shopper may refuse."""
    problem: str = ""
    """Why the rule cannot act although it is active, in words; empty if it can."""


@dataclass(frozen=True)
class SendFacts:
    """What only the sending depends on. Mails are counted across all rules, without the one in question."""

    email: str
    has_consent: bool
    consent_detail: str
    is_suppressed: bool
    is_sending_paused: bool
    mails_in_day: int
    mails_in_week: int
    max_per_day: int
    max_per_week: int
    went_first: str = ""
    """The rule whose mail takes the place, if its name is known."""


@dataclass(frozen=True)
class Situation:
    """What is known of a shopper at one moment; `profile` and `send` may be missing where nothing asks for them."""

    moment: Moment
    values: Mapping[str, Any]
    zone: ZoneInfo
    triggered_at: datetime
    is_known: bool = True
    may_personalise: bool = True
    personalisation_detail: str = ""
    """Why the shopper's behaviour may or may not be used."""
    profile: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None
    last_entry_at: datetime | None = None
    last_ordered_at: datetime | None = None
    is_order_void: bool = False
    arm: Arm = Arm.TREATMENT
    send: SendFacts | None = None


@dataclass(frozen=True)
class Gate:
    """One question and its answer; `detail` says what was found."""

    gate: str
    passed: bool
    detail: str

    def as_json(self) -> dict[str, Any]:
        return {"gate": self.gate, "passed": self.passed, "detail": self.detail}


@dataclass(frozen=True)
class Decision:
    """`due_at` is when the mail may go: after the wait when planned, after the quiet hours when postponed."""

    outcome: Outcome
    reason: Reason
    gates: list[Gate]
    due_at: datetime

    @property
    def detail(self) -> str:
        """What the gate that decided found; empty if all were open."""
        return next((gate.detail for gate in self.gates if gate.gate == GATE_NAMES.get(self.reason)), "")


@dataclass(frozen=True)
class _Case:
    rule: RuleSpec
    situation: Situation
    now: datetime
    due_at: datetime

    def day(self, moment: datetime) -> str:
        return moment.astimezone(self.situation.zone).strftime("%-d %b %Y, %H:%M")


Answer = tuple[bool, str]


def decide(rule: RuleSpec, situation: Situation, now: datetime) -> Decision:
    """Return what the rule does for the shopper now, with every gate that was asked."""
    case = _Case(rule, situation, now, _due_at(rule, situation, now))
    is_planning = situation.moment is Moment.TRIGGER
    gates: list[Gate] = []
    refusal: Reason | None = None
    for reason, name, passed, detail in _answers(case):
        gates.append(Gate(name, passed, detail))
        if not passed and refusal is None and not (is_planning and reason in SEND_REASONS):
            refusal = reason
    if refusal is None:
        return Decision(Outcome.PLAN if is_planning else Outcome.SEND, Reason.MATCHED, gates, case.due_at)
    outcome = {
        Reason.SKIPPED_TOO_LATE: Outcome.EXPIRE,
        Reason.POSTPONED_QUIET_HOURS: Outcome.POSTPONE,
    }.get(refusal, Outcome.SKIP)
    return Decision(outcome, refusal, gates, case.due_at)


def _due_at(rule: RuleSpec, situation: Situation, now: datetime) -> datetime:
    planned = situation.due_at or schedule.due_at(
        last=situation.triggered_at,
        wait=rule.wait,
        next_day_hour=rule.next_day_hour,
        zone=situation.zone,
        hours=rule.hours,
    )
    from_now = max(planned, now)
    return schedule.next_allowed(from_now, zone=situation.zone, hours=rule.hours) if rule.hours else from_now


def _answers(case: _Case) -> Iterator[tuple[Reason, str, bool, str]]:
    for reason, (name, ask) in _GATES.items():
        yield reason, name, *ask(case)
    if case.situation.send is not None:
        for reason, (name, ask_send) in _SEND_GATES.items():
            yield reason, name, *ask_send(case, case.situation.send)


# --- The gates, in the order of Reason ------------------------------------------------------------------------------


def _is_active(case: _Case) -> Answer:
    if case.rule.problem:
        return False, case.rule.problem
    return case.rule.status == RuleStatus.ACTIVE, f"it is {RuleStatus(case.rule.status).label.lower()}"


def _trigger_holds(case: _Case) -> Answer:
    return _tree_holds(case.rule.trigger, case.situation.values, case.now)


def _audience_holds(case: _Case) -> Answer:
    return _tree_holds(case.rule.audience, case.situation.profile, case.now)


def _tree_holds(node: Node, values: Mapping[str, Any], now: datetime) -> Answer:
    if conditions.holds(node, values, now=now):
        return True, conditions.sentence(node)
    labels = {leaf.field.name: leaf.field for leaf in conditions.leaves(node)}
    failed = [
        f"{result.sentence} (found: {conditions.amount_text(labels[result.field], result.actual)})"
        for result in conditions.evaluate(node, values, now=now)
        if not result.holds
    ]
    return False, "does not hold: " + "; ".join(failed)


def _is_known(case: _Case) -> Answer:
    known = case.situation.is_known
    return known, "the shopper has a known ID" if known else "the signal carried no ID of the shopper"


def _may_use_behaviour(case: _Case) -> Answer:
    if not case.rule.uses_behaviour:
        return True, "does not ask what the shopper did"
    return case.situation.may_personalise, case.situation.personalisation_detail


def _may_enter_again(case: _Case) -> Answer:
    last = case.situation.last_entry_at
    if last is None:
        return True, "was not in this automation before"
    again_at = last + case.rule.reentry
    return case.situation.triggered_at >= again_at, f"entered {case.day(last)}, may again from {case.day(again_at)}"


def _has_not_ordered(case: _Case) -> Answer:
    window, last = case.rule.skip_if_ordered, case.situation.last_ordered_at
    if window is None:
        return True, "an order does not matter to this automation"
    if last is None:
        return True, "has not ordered"
    triggered_at = case.situation.triggered_at
    if case.rule.entry_event in ORDER_EVENTS:
        # The order that began it is no reason against it, a later one is.
        return last <= triggered_at, f"last ordered {case.day(last)}; skipped after a further order"
    since = min(case.now - window, triggered_at)
    return last < since, f"ordered {case.day(last)}; skipped within {_days(window)} of an order"


def _is_order_valid(case: _Case) -> Answer:
    if case.rule.entry_event not in ORDER_EVENTS:
        return True, "did not start with an order"
    void = case.situation.is_order_void
    return not void, "the order was cancelled or refunded" if void else "the order stands"


def _is_in_time(case: _Case) -> Answer:
    if not case.rule.hours:
        return False, "send window and quiet hours leave no hour to send in"
    deadline = case.situation.triggered_at + case.rule.max_age
    passed = case.due_at <= deadline
    return passed, f"would go {case.day(case.due_at)}, {'in time' if passed else 'too late'} until {case.day(deadline)}"


def _is_treated(case: _Case) -> Answer:
    held_out = case.situation.arm == Arm.HOLDOUT
    return not held_out, f"in the control group of {case.rule.holdout_percent} %" if held_out else "gets the mail"


def _sends_mail(case: _Case) -> Answer:
    sends = case.rule.action == RuleAction.SEND_EMAIL
    return sends, "sends an e-mail" if sends else "this automation only measures"


def _has_address(case: _Case, send: SendFacts) -> Answer:
    return bool(send.email), "has an e-mail address" if send.email else "no e-mail address is known"


def _has_consent(case: _Case, send: SendFacts) -> Answer:
    return send.has_consent, send.consent_detail


def _is_mailable(case: _Case, send: SendFacts) -> Answer:
    return not send.is_suppressed, "the address is on the suppression list" if send.is_suppressed else "not suppressed"


def _is_below_limit(case: _Case, send: SendFacts) -> Answer:
    passed = send.mails_in_day < send.max_per_day and send.mails_in_week < send.max_per_week
    found = (
        f"{send.mails_in_day} of {send.max_per_day} in 24 hours, {send.mails_in_week} of {send.max_per_week} in 7 days"
    )
    return passed, f"{found}; “{send.went_first}” goes first" if not passed and send.went_first else found


def _is_sending_on(case: _Case, send: SendFacts) -> Answer:
    return not send.is_sending_paused, "all sending is paused" if send.is_sending_paused else "sending is on"


def _is_awake(case: _Case, send: SendFacts) -> Answer:
    clock = f"it is {case.now.astimezone(case.situation.zone):%H:%M} in {case.situation.zone.key}"
    if schedule.is_allowed(case.now, zone=case.situation.zone, hours=case.rule.hours):
        return True, clock
    return False, f"{clock}; may go {case.day(case.due_at)}"


def _days(window: timedelta) -> str:
    return f"{window.days} {'day' if window.days == 1 else 'days'}"


_GATES: Mapping[Reason, tuple[str, Callable[[_Case], Answer]]] = {
    Reason.SKIPPED_RULE_INACTIVE: ("active", _is_active),
    Reason.SKIPPED_TRIGGER: ("trigger", _trigger_holds),
    Reason.SKIPPED_PROFILE_FILTER: ("profile_filter", _audience_holds),
    Reason.SKIPPED_UNKNOWN_SHOPPER: ("known_shopper", _is_known),
    Reason.SKIPPED_NO_PERSONALISATION: ("personalisation", _may_use_behaviour),
    Reason.SKIPPED_REENTRY: ("reentry", _may_enter_again),
    Reason.SKIPPED_ORDERED: ("not_ordered", _has_not_ordered),
    Reason.SKIPPED_REFUNDED: ("order_stands", _is_order_valid),
    Reason.SKIPPED_TOO_LATE: ("in_time", _is_in_time),
    Reason.SKIPPED_HOLDOUT: ("not_control_group", _is_treated),
    Reason.SKIPPED_MEASURE_ONLY: ("sends", _sends_mail),
}
_SEND_GATES: Mapping[Reason, tuple[str, Callable[[_Case, SendFacts], Answer]]] = {
    Reason.SKIPPED_NO_ADDRESS: ("address", _has_address),
    Reason.SKIPPED_NO_CONSENT: ("consent", _has_consent),
    Reason.SKIPPED_SUPPRESSED: ("not_suppressed", _is_mailable),
    Reason.SKIPPED_FREQUENCY_LIMIT: ("frequency_limit", _is_below_limit),
    Reason.SKIPPED_SENDING_PAUSED: ("sending_on", _is_sending_on),
    Reason.POSTPONED_QUIET_HOURS: ("quiet_hours", _is_awake),
}
SEND_REASONS = frozenset({*_SEND_GATES, Reason.SKIPPED_HOLDOUT, Reason.SKIPPED_MEASURE_ONLY})
"""Reasons that do not keep a match from being planned: they are asked when it is due."""

GATE_NAMES: Mapping[Reason, str] = {reason: name for reason, (name, _) in (*_GATES.items(), *_SEND_GATES.items())}
