"""What the connection page says about requests that did not verify: what differs, what to change, one click to do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Max, QuerySet, Sum

from signals_app.webhooks.constants import (
    ADDRESS_DIFFERENCES,
    DAYS_FAILURES_KEPT,
    Mismatch,
    RejectionReason,
    Remedy,
    SignatureForm,
)
from signals_app.webhooks.models import HourlyCount, SignatureFailure, WebhookDelivery, WebhookSource

DAYS = 7
FAILURES_FOR_WARNING = 3
FINDINGS_SHOWN = 6

SENTENCES = {
    Mismatch.BODY_ONLY: "Only the body was signed, without the address. Such a signature would be right at every other "
    "address too, so it is not accepted. Insightarc signs both: is it a script or a relay of your own that posts here?",
    Mismatch.URL_ONLY: "Only the address was signed, without the body. Such a signature would be right for any body, so "
    "it is not accepted. Insightarc signs both: is it a script or a relay of your own that posts here?",
    Mismatch.LOW_BYTE: "Only the lower half of each character was signed (programmers call it “binary”), so every body "
    "with letters such as é or – is refused. Accepting this form has a price: who copies a request could exchange "
    "letters that have the same lower half, such as a for š, and so change what it says.",
    Mismatch.STRINGIFIED: "Not the bytes that came were signed, but the same content as JavaScript prints it: without "
    "spaces, numbers in their shortest form. Perhaps a proxy or a relay prints the body anew. Accepting this form has "
    "a price: who copies a request could change its spaces, and so send it twice, but none of its values.",
    Mismatch.PREVIOUS_SECRET: "Insightarc still signs with the previous secret, whose time here is over. Keep it for 14 "
    "more days, and until then let Insightarc use the new one.",
    Mismatch.OTHER_CONNECTION: "It is signed with the secret of another connection of this store. Paste the secret that "
    "this project shows at Insightarc (Settings, Webhook tab), or let that project post to the other connection.",
    Mismatch.SHA256: "It is signed with SHA-256; Insightarc signs with SHA-1. Is it a script or a relay of your own?",
    Mismatch.SHA512: "It is signed with SHA-512; Insightarc signs with SHA-1. Is it a script or a relay of your own?",
    Mismatch.HEX: "The signature is written in hex; Insightarc writes base64. Is it a script or a relay of your own?",
    Mismatch.BASE64URL: "The signature is written in base64url (with - and _, or without the last =); Insightarc writes "
    "plain base64. Is it a script or a relay of your own?",
    Mismatch.SPELLING: "There is something around the signature, such as “sha1=” or quotes, which Insightarc does not "
    "write. Does a proxy or a relay of your own add it?",
    Mismatch.SEVERAL: "The signature came more than once. Does a proxy double the header x-insightarc-signature?",
    Mismatch.VERIFIES_NOW: "It came before something was changed here; such a request is accepted now.",
    Mismatch.NO_SIGNATURE: "It came without anything that could be a signature. Either it is not from Insightarc, or a "
    "proxy in front takes the header x-insightarc-signature away.",
    Mismatch.NO_MATCH: "We tried http and https, slashes, ports, other spellings of the address and of the body, and the "
    "previous secrets: nothing matches. Most likely the secret is another project's: copy it once more from Insightarc "
    "(Settings, Webhook tab) and paste it below. If signals come in as usual, it is somebody else who posts here, and "
    "there is nothing to do.",
}
ACCEPTABLE_FORMS = (Mismatch.LOW_BYTE, Mismatch.STRINGIFIED)


@dataclass(frozen=True, slots=True)
class Finding:
    """Requests put aside that differ in the same way from ones that verify."""

    failure_id: int
    """The newest of them."""
    count: int
    last_at: datetime
    title: str
    sentences: Sequence[str]
    signed_url: str = ""
    """The address that was signed, if it is another one; `known_url` is what was entered here."""
    known_url: str = ""
    url_differences: str = ""
    remedies: Sequence[Remedy] = ()
    """What has to be done, all of it; empty if nothing can be done here."""
    is_mended: bool = False


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """`failures` counts 7 days; `put_aside` are the samples, of which `waiting` are not diagnosed yet."""

    failures: int = 0
    recent_failures: int = 0
    put_aside: int = 0
    waiting: int = 0
    last_at: datetime | None = None
    has_successes: bool = False
    findings: Sequence[Finding] = field(default_factory=tuple)

    @property
    def is_worth_showing(self) -> bool:
        return bool(self.failures or self.findings)

    @property
    def tone(self) -> str:
        """Return how bad it is: failures without successes are, a few beside successes are not."""
        if self.recent_failures and not self.has_successes:
            return "bad"
        is_explained = any(finding.remedies and not finding.is_mended for finding in self.findings)
        return "warn" if self.recent_failures >= FAILURES_FOR_WARNING or is_explained else "info"

    @property
    def headline(self) -> str:
        return {
            "bad": "Requests come in, but none of them verifies.",
            "warn": "Some requests do not verify.",
            "info": "A request did not verify." if self.failures == 1 else "A few requests did not verify.",
        }[self.tone]


def signature_report(source: WebhookSource, *, now: datetime) -> SignatureReport:
    """Return what a person should know about the requests of a source that did not verify."""
    counts = HourlyCount.objects.filter(source=source, outcome=RejectionReason.BAD_SIGNATURE)
    failures = _total(counts.filter(hour__gte=now - timedelta(days=DAYS)))
    kept = SignatureFailure.objects.filter(source=source, received_at__gte=now - timedelta(days=DAYS_FAILURES_KEPT))
    if not source.secrets.exists():
        return SignatureReport()
    rows = list(kept.defer("body").order_by("-received_at", "-pk"))
    if not failures and not rows:
        return SignatureReport()
    day_ago = now - timedelta(days=1)
    newest = WebhookDelivery.objects.filter(source=source).aggregate(at=Max("received_at"))["at"]
    diagnosed = [row for row in rows if row.diagnosis]
    return SignatureReport(
        failures=max(failures, len(rows)),
        recent_failures=_total(counts.filter(hour__gte=day_ago)) or sum(row.received_at >= day_ago for row in rows),
        put_aside=len(rows),
        waiting=len(rows) - len(diagnosed),
        last_at=rows[0].received_at if rows else None,
        has_successes=newest is not None and newest >= day_ago,
        findings=_findings(source, diagnosed, now=now),
    )


def _total(counts: QuerySet[HourlyCount]) -> int:
    return counts.aggregate(total=Sum("count"))["total"] or 0


def _findings(source: WebhookSource, rows: Sequence[SignatureFailure], *, now: datetime) -> list[Finding]:
    """Group failures by what differs, those that can be mended first, then by the newest."""
    groups: dict[tuple[str, ...], list[SignatureFailure]] = {}
    for row in rows:
        groups.setdefault((*row.differences, row.signed_url), []).append(row)
    has_previous = any(row.expires_at and row.expires_at <= now for row in source.secrets.defer("secret"))
    found = [_finding(source, group, has_previous=has_previous) for group in groups.values()]
    found.sort(key=lambda finding: finding.last_at, reverse=True)
    found.sort(key=lambda finding: not (finding.remedies and not finding.is_mended))
    return found[:FINDINGS_SHOWN]


def _finding(source: WebhookSource, rows: Sequence[SignatureFailure], *, has_previous: bool) -> Finding:
    newest = rows[0]
    differences = [Mismatch(name) for name in newest.differences]
    of_address = [each for each in differences if each in ADDRESS_DIFFERENCES]
    others = [each for each in differences if each not in ADDRESS_DIFFERENCES]
    remedies = _remedies(differences)
    open_remedies = [each for each in remedies if not _is_done(each, source, newest, has_previous=has_previous)]
    return Finding(
        failure_id=newest.pk,
        count=len(rows),
        last_at=newest.received_at,
        title=_title(of_address, others),
        sentences=[SENTENCES[each] for each in others],
        signed_url=newest.signed_url if of_address else "",
        known_url=newest.known_url if of_address else "",
        url_differences=", ".join(Mismatch(each).label for each in of_address).lower(),
        remedies=open_remedies or remedies,
        is_mended=bool(remedies) and not open_remedies,
    )


def _title(of_address: Sequence[Mismatch], others: Sequence[Mismatch]) -> str:
    labels = ["Insightarc signs another address than the one entered here"] if of_address else []
    return "; ".join([*labels, *(each.label for each in others)])


def _remedies(differences: Sequence[Mismatch]) -> list[Remedy]:
    """Return all that has to be done, or nothing if one of the differences cannot be accepted."""
    remedies = [Remedy.REGISTER_ADDRESS] if any(each in ADDRESS_DIFFERENCES for each in differences) else []
    forms = [each for each in differences if each in ACCEPTABLE_FORMS]
    remedies += [Remedy.ACCEPT_FORM] if len(forms) == 1 else []
    remedies += [Remedy.KEEP_SECRET] if Mismatch.PREVIOUS_SECRET in differences else []
    acceptable = {*ADDRESS_DIFFERENCES, *forms[:1], Mismatch.PREVIOUS_SECRET}
    return remedies if set(differences) <= acceptable else []


def _is_done(remedy: Remedy, source: WebhookSource, row: SignatureFailure, *, has_previous: bool) -> bool:
    if remedy == Remedy.REGISTER_ADDRESS:
        return row.signed_url in source.registered_urls
    if remedy == Remedy.ACCEPT_FORM:
        return source.signature_form != SignatureForm.AS_SENT and source.signature_form in row.differences
    return not has_previous
