"""Asking our own addresses as Insightarc does when a webhook is created: now and then, and when a person asks."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import F, QuerySet

from signals_app.core import addresses, claims, http
from signals_app.webhooks.constants import ProbeOutcome
from signals_app.webhooks.models import AddressProbe, WebhookSource

TIMEOUT_SECONDS = 10.0
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
EVERY = timedelta(minutes=15)
AGAIN_AFTER_FIRST_FAILURE = timedelta(minutes=1)
AGAIN_WHILE_FAILING = timedelta(minutes=5)
AT_ONCE = 5
LEASE = timedelta(seconds=AT_ONCE * TIMEOUT_SECONDS + 60)


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What one registered address answered; `problem` is for a person and empty if all is well."""

    url: str
    status_code: int | None
    problem: str
    outcome: ProbeOutcome = ProbeOutcome.OK
    certificate_expires_at: datetime | None = None

    @property
    def is_ok(self) -> bool:
        return not self.problem


def probe(*, source: WebhookSource, now: datetime) -> ProbeReport:
    """
    Send HEAD to each registered address and report the first that Insightarc would refuse, else the first.

    "We run a quick HTTP HEAD request on the URL, and if a 200 status code is not returned in the response, the webhook
    will not be created. Additionally, if your URL contains an invalid SSL certificate, the webhook cannot be created."
    Source: https://www.insightarc.com/blog/automation-tools/how-to-subscribe-to-real-time-signals/
    """
    reports = [_ask(url) for url in source.registered_urls]
    if not reports:
        return ProbeReport("", None, "No address is entered yet.", ProbeOutcome.NO_ANSWER)
    _plan(source, now)
    for report in reports:
        _note(AddressProbe.objects.filter(source=source, url_sha256=_sha256(report.url)), report, now)
    if all(report.is_ok for report in reports):
        WebhookSource.objects.filter(pk=source.pk).update(probed_at=now)
        source.probed_at = now
    return next((report for report in reports if not report.is_ok), reports[0])


def probe_due(*, now: datetime) -> int:
    """
    Probe the registered addresses whose turn it is, at most five, and return how many were asked.

    Every 15 minutes; after a failure again in a minute, so that one lost packet is no alarm, then every five.
    An address that only this machine or network can reach is left alone: Insightarc could not reach it anyway.
    """
    for source in WebhookSource.objects.of_insightarc():
        _plan(source, now)
    due = AddressProbe.objects.filter(due_at__lte=now).order_by("due_at", "pk")
    claim = claims.claim(due, now=now, lease=LEASE, limit=AT_ONCE)
    for row in AddressProbe.objects.filter(pk__in=claim.pks, lease_token=claim.token):
        _note(AddressProbe.objects.filter(pk=row.pk, lease_token=claim.token), _ask(row.url), now)
    return len(claim.pks)


def _plan(source: WebhookSource, now: datetime) -> None:
    """Give each registered address that can be public its row, and take away the rows of others."""
    wanted = {_sha256(url): url for url in source.registered_urls if not is_development(url)}
    kept = {
        bytes(sha256): pk for sha256, pk in AddressProbe.objects.filter(source=source).values_list("url_sha256", "pk")
    }
    AddressProbe.objects.bulk_create(
        [
            AddressProbe(source=source, url=url, url_sha256=sha256, due_at=now)
            for sha256, url in wanted.items()
            if sha256 not in kept
        ],
        ignore_conflicts=True,
    )
    if gone := [pk for sha256, pk in kept.items() if sha256 not in wanted]:
        AddressProbe.objects.filter(pk__in=gone).delete()


def _note(row: QuerySet[AddressProbe], report: ProbeReport, now: datetime) -> None:
    """Write down what an address answered, and when to ask again."""
    changes: dict[str, Any] = {
        "asked_at": now,
        "outcome": report.outcome,
        "problem": report.problem[:500],
        "attempts": 0,
        "lease_token": None,
        "lease_until": None,
    }
    if report.certificate_expires_at is not None:
        changes["certificate_expires_at"] = report.certificate_expires_at
    if report.is_ok:
        row.update(**changes, answered_at=now, failing_since=None, failure_count=0, due_at=now + EVERY)
        return
    # The first failure begins the count, so it has to be tried first.
    if not row.filter(failure_count=0).update(
        **changes, failing_since=now, failure_count=1, due_at=now + AGAIN_AFTER_FIRST_FAILURE
    ):
        row.update(**changes, failure_count=F("failure_count") + 1, due_at=now + AGAIN_WHILE_FAILING)


def is_development(url: str) -> bool:
    """Say whether an address can only mean this machine or network."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return True
    try:
        return not addresses.is_public(addresses.parse(host))
    except ValueError:
        return host == "localhost" or host.endswith(".localhost") or "." not in host


def _sha256(url: str) -> bytes:
    return hashlib.sha256(url.encode()).digest()


def _ask(url: str) -> ProbeReport:
    # Our own public address is the one private place that a probe may reach: on one machine it is the loopback.
    is_ours = url.startswith(settings.PUBLIC_URL + "/")
    allowed = [*settings.OUTGOING_ALLOW_PRIVATE, *(LOOPBACK if is_ours else ())]
    try:
        response = http.request("HEAD", url, timeout=TIMEOUT_SECONDS, allow_private=allowed)
    except http.BlockedAddress as error:
        return ProbeReport(url, None, f"Insightarc could not reach it: {error}", ProbeOutcome.NO_ANSWER)
    except http.BadCertificate as error:
        return ProbeReport(url, None, error.reason, ProbeOutcome.BAD_CERTIFICATE)
    except http.RequestFailed as error:
        return ProbeReport(url, None, f"No answer. {error.reason}", ProbeOutcome.NO_ANSWER)
    return _judge(url, response)


def _judge(url: str, response: http.Response) -> ProbeReport:
    status = response.status_code
    problem = ""
    if 300 <= status < 400:
        target = response.headers.get("Location", "")
        problem = f"It redirects to {target[:200]}: register that address instead."
    elif status != 200:
        problem = f"It answers {status}, but has to answer 200."
    outcome = ProbeOutcome.WRONG_ANSWER if problem else ProbeOutcome.OK
    return ProbeReport(url, status, problem, outcome, response.certificate_expires_at)
