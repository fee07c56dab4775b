"""From due matches to queued mails: everything is decided again, shopper by shopper, under their lock."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from signals_app.core.claims import claim
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.emails import services as email_services
from signals_app.emails.constants import MessagePurpose
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project
from signals_app.remarketing import arms, schedule
from signals_app.remarketing.constants import MatchState, Reason
from signals_app.remarketing.decision import Decision, Gate, Moment, Outcome, decide
from signals_app.remarketing.models import RuleMatch, RuleVariant, SendPolicy
from signals_app.remarketing.services import rules as rule_services
from signals_app.remarketing.services.counters import CounterKey, Counts, add_counts
from signals_app.remarketing.services.situations import match_situation, roots_of

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
MAX_ATTEMPTS = 5
"""After so many tries that ended in an error a match is given up, so that it does not keep others waiting."""

_STATES = {Outcome.SEND: MatchState.QUEUED, Outcome.SKIP: MatchState.SKIPPED, Outcome.EXPIRE: MatchState.EXPIRED}


@dataclass
class DueReport:
    """What became of the due matches: how many of each state, and how many for each reason."""

    claimed: int = 0
    """0: nothing was due that no other worker has in hand."""
    queued: int = 0
    skipped: int = 0
    expired: int = 0
    postponed: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def decided(self) -> int:
        return self.queued + self.skipped + self.expired + self.postponed

    def add(self, decision: Decision) -> None:
        match decision.outcome:
            case Outcome.SEND:
                self.queued += 1
            case Outcome.SKIP:
                self.skipped += 1
            case Outcome.EXPIRE:
                self.expired += 1
            case _:
                self.postponed += 1
        self.reasons[decision.reason.value] += 1


def queue_due_matches(*, now: datetime, limit: int = 200) -> DueReport:
    """
    Decide the matches that are due, up to `limit`, and queue a mail for those that may go.

    The claim commits first. Each shopper is then handled in a transaction of their own, under their lock; of several
    due matches of one shopper the rule with the smallest priority number goes first, and the frequency limit holds the
    others. Quiet hours move a match on, anything else ends it. Safe to run at the same time in many workers.
    """
    due = RuleMatch.objects.filter(state=MatchState.PLANNED, due_at__lte=now).order_by("due_at")
    claimed = claim(due, now=now, lease=LEASE, limit=limit)
    report = DueReport(claimed=len(claimed.pks))
    rows = RuleMatch.objects.filter(pk__in=claimed.pks).values_list("identifier__customer", flat=True)
    for customer_id in sorted(set(rows)):
        try:
            for decision in _decide_for_customer(customer_id, now):
                report.add(decision)
        except Exception:
            # One shopper's trouble must not keep the others waiting; the lease runs out and it is tried again.
            logger.exception("Deciding the due matches of a customer failed", extra={"customer_id": str(customer_id)})
            report.failed += 1
    return report


def _decide_for_customer(customer_id: UUID, now: datetime) -> list[Decision]:
    with transaction.atomic():
        customer = customer_services.lock_customers([customer_id]).get(customer_id)
        if customer is None:
            return []
        # All that is due, whoever claimed it: under the lock nobody else decides for this shopper.
        due = RuleMatch.objects.filter(
            identifier__customer=customer_id, state=MatchState.PLANNED, due_at__lte=now
        ).select_related("rule", "project", "order", "identifier")
        counts = Counts()
        decided = [
            (match, _decide_match(match, customer, now)) for match in due.order_by("rule__priority", "due_at", "pk")
        ]
        for match, decision in decided:
            counts[CounterKey(match.rule_id, match.rule.version, decision.reason)] += 1
        ended = [match for match, decision in decided if decision.outcome is not Outcome.POSTPONE]
        if ended:
            project = ended[0].project
            fact_services.record(project=project, kind=FactKind.MATCH_DECIDED, subject_ids=[str(m.pk) for m in ended])
        add_counts(counts, now=now)
    return [decision for _, decision in decided]


def _decide_match(match: RuleMatch, customer: Customer, now: datetime) -> Decision:
    if match.attempts > MAX_ATTEMPTS:
        detail = f"could not be decided in {MAX_ATTEMPTS} tries; the error is in the log"
        decision = Decision(Outcome.EXPIRE, Reason.SKIPPED_TOO_LATE, [Gate("in_time", False, detail)], now)
    else:
        decision = decide_due(match, customer, now)
    apply_decision(match, decision, now=now)
    if decision.outcome is Outcome.SEND:
        _queue_mail(match, customer, now)
    return decision


def decide_due(match: RuleMatch, customer: Customer, now: datetime) -> Decision:
    """Return the decision about a match as if it were due now; nothing is changed."""
    policy: SendPolicy = rule_services.policy_of(match.project)
    zone = schedule.zone_of(match.project.time_zone)
    spec = rule_services.spec_of(match.rule, policy, zone=zone, has_variants=match.rule.variants.exists())
    situation = match_situation(match=match, customer=customer, spec=spec, policy=policy, moment=Moment.DUE, now=now)
    return decide(spec, situation, now)


def apply_decision(match: RuleMatch, decision: Decision, *, now: datetime) -> None:
    """Write what was decided onto a match that waits; a postponed one goes on waiting."""
    match.gates = [gate.as_json() for gate in decision.gates]
    match.reason = decision.reason
    match.lease_token, match.lease_until = None, None
    if decision.outcome is Outcome.POSTPONE:
        match.due_at, match.attempts = decision.due_at, 0
    else:
        match.state, match.decided_at = _STATES[decision.outcome], now
    match.save(
        update_fields=["gates", "reason", "lease_token", "lease_until", "due_at", "attempts", "state", "decided_at"]
    )


def _queue_mail(match: RuleMatch, customer: Customer, now: datetime) -> None:
    match.variant = _choose_variant(match, match.project, customer)
    match.message = email_services.queue_message(
        project=match.project,
        identifier=match.identifier,
        template=match.variant.template,
        purpose=MessagePurpose.REMARKETING,
        send_key=f"rule:{match.rule_id}:{match.entry_key}",
        context=_mail_context(match),
        due_at=now,
        now=now,
    )
    match.save(update_fields=["variant", "message"])


def _choose_variant(match: RuleMatch, project: Project, customer: Customer) -> RuleVariant:
    variants = list(match.rule.variants.select_related("template").order_by("pk"))
    index = arms.choose_by_weight(
        salt=str(project.pk),
        root=roots_of([customer.pk])[customer.pk],
        rule_id=match.rule_id,
        weights=[variant.weight for variant in variants],
    )
    return variants[index]


def _mail_context(match: RuleMatch) -> dict[str, Any]:
    context: dict[str, Any] = {"product_keys": match.values.get("viewed_product_keys") or []}
    if match.order is not None:
        context["order_id"] = match.order.order_id
    return context
