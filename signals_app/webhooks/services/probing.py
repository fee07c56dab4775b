"""Asking our own address as Insightarc does when a webhook is created."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from signals_app.core import http
from signals_app.webhooks.models import WebhookSource

TIMEOUT_SECONDS = 10.0
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What one registered address answered; `problem` is for a person and empty if all is well."""

    url: str
    status_code: int | None
    problem: str

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
    reports = [_probe(url) for url in source.registered_urls]
    if not reports:
        return ProbeReport("", None, "No address is entered yet.")
    if all(report.is_ok for report in reports):
        WebhookSource.objects.filter(pk=source.pk).update(probed_at=now)
        source.probed_at = now
    return next((report for report in reports if not report.is_ok), reports[0])


def _probe(url: str) -> ProbeReport:
    # Our own public address is the one private place that a probe may reach: on one machine it is the loopback.
    is_ours = url.startswith(settings.PUBLIC_URL + "/")
    allowed = [*settings.OUTGOING_ALLOW_PRIVATE, *(LOOPBACK if is_ours else ())]
    try:
        response = http.request("HEAD", url, timeout=TIMEOUT_SECONDS, allow_private=allowed)
    except http.BlockedAddress as error:
        return ProbeReport(url, None, f"Insightarc could not reach it: {error}")
    except http.RequestFailed as error:
        return ProbeReport(url, None, f"No answer: {error}")
    if response.status_code == 200:
        return ProbeReport(url, 200, "")
    if 300 <= response.status_code < 400:
        target = response.headers.get("Location", "")
        return ProbeReport(url, response.status_code, f"It redirects to {target[:200]}: register that address instead.")
    return ProbeReport(url, response.status_code, f"It answers {response.status_code}, but has to answer 200.")
