"""
Whether the promises were kept: I1 to I7, from the rows and from what the mail service and the sender noted.

I1 every signal that was acknowledged is stored once and came to an end; I2 one mail per send key; I3 no mail later than
a second after consent was withdrawn; I4 frequency limits and control groups hold; I5 nothing is left lying; I6 a request
is answered 2xx or 503; I7 what was planned, queued and sent adds up, and nothing was folded twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, Sum

from chaos.ledger import Ledger, Posting
from chaos.mail_service import TAKEN, Attempt, Ending
from chaos.store import MAILS_A_DAY
from signals_app.customers.models import Customer
from signals_app.emails.constants import DUE_STATES, MessageState
from signals_app.emails.models import EmailMessage
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact
from signals_app.remarketing.constants import Arm, MatchState
from signals_app.remarketing.models import RuleMatch
from signals_app.shopper_signals import services as shopper_signals
from signals_app.shopper_signals.folding import STATE_FIELDS
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopBaseline, ShopperSignal
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import InboxItem, SeenBody, WebhookDelivery

NAMES = ("I1", "I2", "I3", "I4", "I5", "I6", "I7")
WITHDRAWAL_SECONDS = 1.0
REFOLDED = 200
TOLERANCE = 1e-6
"""Absolute: what is stored are logarithms, of which the difference is what counts."""
SENDING_BEFORE_KILL_SECONDS = 1.0
"""A mail that a kill caught on its way began at most this long before, beside what the mail service waited."""


@dataclass
class Findings:
    """How much was checked, by (invariant, fault); what did not hold goes to the ledger."""

    ledger: Ledger
    attempts: list[Attempt]
    checked: Counter[tuple[str, str]] = field(default_factory=Counter)
    totals: dict[str, int] = field(default_factory=dict)

    def check(self, invariant: str, holds: bool, evidence: str, *, at: float) -> None:
        self.checked[invariant, self.ledger.fault_at(at)] += 1
        if not holds:
            self.ledger.violate(invariant, evidence, at=at)


def leftovers(*, overdue: timedelta = timedelta(0)) -> dict[str, int]:
    """Return how many rows of each kind are due for longer than that and have not come to an end."""
    until = datetime.now(UTC) - overdue
    return {
        "deliveries in the inbox": InboxItem.objects.filter(state=InboxState.PENDING, due_at__lte=until).count(),
        "matches": RuleMatch.objects.filter(state=MatchState.PLANNED, due_at__lte=until).count(),
        "mails": EmailMessage.objects.filter(state__in=DUE_STATES, due_at__lte=until).count(),
        "mails being sent": EmailMessage.objects.filter(state=MessageState.SENDING).count(),
    }


def check_all(ledger: Ledger, attempts: list[Attempt], *, lag_limit: timedelta) -> Findings:
    """Check every invariant and return what was looked at."""
    findings = Findings(ledger, attempts)
    _check_acknowledged(findings)
    _check_lags(findings, lag_limit)
    _check_send_keys(findings)
    _check_consent(findings)
    _check_limits(findings)
    _check_unknown(findings)
    _check_answers(findings)
    _check_sums(findings)
    _check_profiles(findings)
    return findings


# --- I1, I5, I6: signals --------------------------------------------------------------------------------------------


def _check_acknowledged(findings: Findings) -> None:
    deliveries: dict[bytes, list[str]] = defaultdict(list)
    for id_, sha256 in WebhookDelivery.objects.values_list("pk", "body_sha256").iterator():
        deliveries[bytes(sha256)].append(str(id_))
    signals = {str(pk) for pk in ShopperSignal.objects.values_list("pk", flat=True).iterator()}
    quarantined = {str(item.pk): item.error for item in InboxItem.objects.filter(state=InboxState.QUARANTINED)}
    repeats = {bytes(sha): count for sha, count in SeenBody.objects.values_list("body_sha256", "duplicate_count")}
    for posting in findings.ledger.postings:
        problem = _problem_of(posting, deliveries.pop(posting.sha256, []), signals, quarantined, repeats)
        findings.check("I1", not problem, f"{posting.token}: {problem}", at=posting.began_at)
    for ids in deliveries.values():
        findings.check("I1", False, f"deliveries that nobody sent: {ids}", at=0)
    findings.totals |= {
        "signals posted": len(findings.ledger.postings),
        "acknowledged": sum(bool(posting.acked_ids) for posting in findings.ledger.postings),
        "stored": len(signals),
        "attempts without an answer": sum(posting.broken for posting in findings.ledger.postings),
        "answers 503": sum(status == 503 for p in findings.ledger.postings for status, _, _ in p.answers),
        "repeats recognised": sum(posting.duplicate_count for posting in findings.ledger.postings),
        "committed although no answer came": sum(
            posting.duplicate_count > 0 and not posting.accepted_count for posting in findings.ledger.postings
        ),
        "quarantined": len(quarantined),
    }


def _problem_of(
    posting: Posting, stored: list[str], signals: set[str], quarantined: dict[str, str], repeats: dict[bytes, int]
) -> str:
    """Return what is wrong with what became of a posting; empty if nothing is."""
    if len(stored) > 1:
        return f"stored {len(stored)} times: {stored}"
    if not posting.acked_ids:
        return "" if not stored or stored[0] in signals | quarantined.keys() else f"{stored[0]} came to no end"
    if posting.acked_ids != set(stored):
        return f"acknowledged as {sorted(posting.acked_ids)}, stored as {stored}"
    if stored[0] in quarantined:
        return f"{stored[0]} is good and needs fixing nevertheless: {quarantined[stored[0]]}"
    if stored[0] not in signals:
        return f"{stored[0]} was acknowledged and is no signal"
    if repeats.get(posting.sha256, 0) < posting.duplicate_count:
        return f"{posting.duplicate_count} repeats were answered, {repeats.get(posting.sha256, 0)} counted"
    return "" if posting.accepted_count <= 1 else f"{posting.accepted_count} copies were accepted"


def _check_lags(findings: Findings, limit: timedelta) -> None:
    """I5: from arrival to the profile in time; while a fault was at work, its time is added."""
    slowest: dict[str, timedelta] = defaultdict(timedelta)
    rows = ShopperSignal.objects.values_list("pk", "received_at", "recorded_at")
    for pk, received_at, recorded_at in rows.iterator():
        at, lag = received_at.timestamp(), recorded_at - received_at
        fault = findings.ledger.fault_at(at)
        slowest[fault] = max(slowest[fault], lag)
        findings.check("I5", lag <= limit + _outage(findings.ledger, at), f"signal {pk} took {lag}", at=at)
    for fault, lag in slowest.items():
        findings.ledger.note(fault, f"slowest signal: {lag.total_seconds():.1f} s from arrival to profile")


def _outage(ledger: Ledger, at: float) -> timedelta:
    """Return how long the faults lasted that were at work at a time or began within the minute after."""
    near = [period for period in ledger.periods if period.began_at - 60 <= at <= period.ended_at]
    return timedelta(seconds=sum(period.ended_at - period.began_at for period in near))


def _check_answers(findings: Findings) -> None:
    for posting in findings.ledger.postings:
        for status, _, _ in posting.answers:
            findings.check("I6", status in {200, 503}, f"{posting.token} was answered {status}", at=posting.ended_at)


# --- I2, I3, I4: mails ----------------------------------------------------------------------------------------------


def _check_send_keys(findings: Findings) -> None:
    taken = Counter(attempt.send_key for attempt in findings.attempts if attempt.ending in TAKEN)
    states = dict(EmailMessage.objects.values_list("send_key", "state"))
    when = {attempt.send_key: attempt.began_at for attempt in findings.attempts}
    for key, count in taken.items():
        may_be_taken = states.get(key) in {MessageState.SENT, MessageState.UNKNOWN}
        evidence = f"send key {key}: taken {count} times, state {states.get(key)}"
        findings.check("I2", count == 1 and may_be_taken, evidence, at=when[key])
    for key, state in states.items():
        if state == MessageState.SENT and not taken[key]:
            findings.check("I2", False, f"send key {key} is sent and was never taken", at=when.get(key, 0))
    findings.totals["mails taken by the mail service"] = taken.total()


def _check_consent(findings: Findings) -> None:
    for attempt in findings.attempts:
        withdrawn_at = findings.ledger.withdrawn.get(attempt.to_email)
        if withdrawn_at is None:
            continue
        late = attempt.began_at - withdrawn_at
        evidence = f"{attempt.to_email}: a mail began {late:.2f} s after consent was withdrawn ({attempt.send_key})"
        findings.check("I3", late <= WITHDRAWAL_SECONDS, evidence, at=attempt.began_at)
    for email, at in findings.ledger.withdrawn.items():
        findings.check("I3", True, email, at=at)
    findings.totals["consents withdrawn"] = len(findings.ledger.withdrawn)


def _check_limits(findings: Findings) -> None:
    """I4: the run lasts less than a day, so the limit of a day holds for all of it."""
    taken: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in findings.attempts:
        if attempt.ending in TAKEN:
            taken[attempt.to_email].append(attempt)
    for email, mails in taken.items():
        evidence = f"{email} got {len(mails)} mails: {[mail.send_key for mail in mails]}"
        findings.check("I4", len(mails) <= MAILS_A_DAY, evidence, at=mails[-1].began_at)
    for match in RuleMatch.objects.filter(arm=Arm.HOLDOUT).only("pk", "message_id", "created_at").iterator():
        evidence = f"match {match.pk} is in the control group and has a mail"
        findings.check("I4", match.message_id is None, evidence, at=match.created_at.timestamp())


def _check_unknown(findings: Findings) -> None:
    """I5: a mail is unconfirmed only where a kill or an end of the database, or the mail service, cut off the answer."""
    unsaid = {attempt.send_key for attempt in findings.attempts if attempt.ending is Ending.ACCEPTED_UNSAID}
    unknown = EmailMessage.objects.filter(state=MessageState.UNKNOWN).exclude(send_key__in=unsaid)
    ended = {attempt.send_key: attempt.ended_at for attempt in findings.attempts}
    caught: Counter[float] = Counter()
    for message in unknown.only("pk", "send_key", "sending_at"):
        assert message.sending_at is not None
        began = message.sending_at.timestamp()
        until = max(began, ended.get(message.send_key, began)) + SENDING_BEFORE_KILL_SECONDS
        cause = [at for at, _, _ in findings.ledger.interruptions if began - SENDING_BEFORE_KILL_SECONDS <= at <= until]
        evidence = f"mail {message.pk} is unconfirmed and nothing was broken when it was sent ({message.send_key})"
        findings.check("I5", bool(cause), evidence, at=began)
        caught[cause[-1] if cause else 0.0] += 1
    at_most = sum(count for _, _, count in findings.ledger.interruptions)
    evidence = f"{caught.total()} mails are unconfirmed, {at_most} could have been on their way"
    findings.check("I5", caught.total() <= at_most, evidence, at=0)
    findings.totals |= {"unconfirmed by a kill": caught.total(), "unconfirmed, could have been": at_most}
    findings.totals["unconfirmed by the mail service"] = len(unsaid)


# --- I7: sums and profiles ------------------------------------------------------------------------------------------


def _check_sums(findings: Findings) -> None:
    """I7: no match without an end, no mail without a match, every fact once."""
    matches = Counter(RuleMatch.objects.values_list("state", flat=True).iterator())
    messages = Counter(EmailMessage.objects.values_list("state", flat=True).iterator())
    orphans = EmailMessage.objects.filter(rule_match__isnull=True).count()
    bare = RuleMatch.objects.filter(state=MatchState.QUEUED, message__isnull=True).count()
    ended = Q(state__in=[MessageState.SENT, MessageState.FAILED, MessageState.SUPPRESSED, MessageState.UNKNOWN])
    due_later = EmailMessage.objects.filter(state__in=DUE_STATES).count()
    done = EmailMessage.objects.filter(ended).count()
    for holds, evidence in (
        (not orphans, f"{orphans} mails belong to no match"),
        (not bare, f"{bare} matches are sent on and have no mail"),
        (matches["queued"] == messages.total(), f"matches {dict(matches)}, mails {dict(messages)}"),
        (done + due_later == messages.total(), f"mails {dict(messages)}"),
    ):
        findings.check("I7", holds, evidence, at=0)
    _check_facts(findings, FactKind.SIGNAL_RECORDED, ShopperSignal.objects.values_list("pk", flat=True))
    sent = EmailMessage.objects.filter(state=MessageState.SENT)
    _check_facts(findings, FactKind.MESSAGE_SENT, sent.values_list("pk", flat=True))
    findings.totals |= {f"matches {state}": count for state, count in sorted(matches.items())}
    findings.totals |= {f"mails {state}": count for state, count in sorted(messages.items())}


def _check_facts(findings: Findings, kind: FactKind, subjects: Iterable[Any]) -> None:
    noted: Counter[str] = Counter()
    for ids in Fact.objects.filter(kind=kind).values_list("subject_ids", flat=True).iterator():
        noted.update(ids)
    for subject in map(str, subjects):
        findings.check("I7", noted[subject] == 1, f"{kind}: {subject} is noted {noted[subject]} times", at=0)


def _check_profiles(findings: Findings) -> None:
    """I7: what was folded as the signals came is what folding them all again gives."""
    counted = ShopperSignal.objects.values("identifier__customer").annotate(count=Count("pk"))
    expected = dict(counted.values_list("identifier__customer", "count"))
    for customer_id, count in IntentProfile.objects.values_list("pk", "signal_count").iterator():
        evidence = f"customer {customer_id}: {count} signals folded, {expected.get(customer_id)} stored"
        findings.check("I7", count == expected.get(customer_id), evidence, at=0)
    in_baseline = ShopBaseline.objects.aggregate(total=Sum("signal_count"))["total"] or 0
    stored = ShopperSignal.objects.count()
    findings.check("I7", in_baseline == stored, f"{in_baseline} signals in what is usual, {stored} stored", at=0)
    for customer in Customer.objects.filter(intent_profile__isnull=False).order_by("?")[:REFOLDED]:
        difference = _difference_after_refolding(customer)
        findings.check("I7", not difference, f"customer {customer.pk} refolded: {difference}", at=0)


def _difference_after_refolding(customer: Customer) -> str:
    """Return what folding all signals of a customer again would change; nothing is changed."""
    with transaction.atomic():
        before = _folded(customer)
        shopper_signals.refold(customer=customer, now=datetime.now(UTC))
        after = _folded(customer)
        transaction.set_rollback(True)
    names = sorted(before.keys() | after.keys())
    return ", ".join(
        f"{name}: {before.get(name)} -> {after.get(name)}"
        for name in names
        if not _is_same(before.get(name), after.get(name))
    )


def _folded(customer: Customer) -> dict[str, Any]:
    profile = IntentProfile.objects.get(customer=customer)
    interests = Interest.objects.filter(customer=customer).values_list("kind", "name", "weight_log2")
    return {name: getattr(profile, name) for name in STATE_FIELDS} | {
        f"{kind} {name}": weight for kind, name, weight in interests
    }


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= TOLERANCE
    return bool(one == other)
