"""Finding out why requests did not verify, a few at a time, and mending it when a person says so."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import transaction

from signals_app.webhooks import forensics
from signals_app.webhooks.constants import (
    ADDRESS_DIFFERENCES,
    DAYS_FAILURES_KEPT,
    Mismatch,
    Remedy,
    SignatureForm,
)
from signals_app.webhooks.models import SignatureFailure, WebhookSecret, WebhookSource
from signals_app.webhooks.services.sources import (
    SecretReport,
    accept_if_it_verifies,
    check_unchecked,
    configure_source,
    public_url,
)

SOURCES_AT_A_TIME = 20
FAILURES_AT_A_TIME = 10
"""Of one source, in one run; one arrives every 10 seconds at most."""
SECONDS_AT_A_TIME = 2.0
FORGOTTEN_AT_A_TIME = 500
KEPT_LONGER = timedelta(days=14)
OWN_KEYS, OTHER_ADDRESSES = 4, 3


class NothingToMend(Exception):
    """The failure is gone, or what is asked for would not have made it verify."""


def diagnose_failures(*, now: datetime) -> int:
    """
    Diagnose what was put aside and not looked at yet, newest first; return how many.

    Each is taken once, before the work begins, so that one which ends the worker is not tried again and again. A source
    without a secret is left until it has one. What was refused while somebody changed the settings, and is right under
    those of now, is accepted: whoever changed them checked a moment before it was put aside.
    """
    stop_at, count = time.monotonic() + SECONDS_AT_A_TIME, 0
    waiting = SignatureFailure.objects.filter(diagnosed_at__isnull=True, source__secrets__isnull=False)
    for source in WebhookSource.objects.filter(pk__in=waiting.values("source")).order_by("pk")[:SOURCES_AT_A_TIME]:
        keys, addresses = _keys(source, now=now), _other_addresses(source)
        secrets = [row.secret for row in source.secrets.valid(now=now)]
        undiagnosed = SignatureFailure.objects.filter(source=source, diagnosed_at__isnull=True)
        for row in undiagnosed.order_by("-received_at", "-pk")[:FAILURES_AT_A_TIME]:
            if time.monotonic() > stop_at:
                return count
            if undiagnosed.filter(pk=row.pk).update(diagnosed_at=now):
                if not accept_if_it_verifies(source, row, secrets):
                    _note(row, _diagnose(row, source, list(keys), addresses))
                count += 1
    return count


def forget_failures(*, now: datetime) -> int:
    """Delete what was put aside more than 14 days ago, a bounded number at a time."""
    old = SignatureFailure.objects.filter(received_at__lt=now - timedelta(days=DAYS_FAILURES_KEPT))
    pks = list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_A_TIME])
    return SignatureFailure.objects.filter(pk__in=pks).delete()[0] if pks else 0


def mend(*, source: WebhookSource, failure_id: int, remedy: Remedy, now: datetime) -> SecretReport:
    """
    Do what makes requests like this one verify, and accept those put aside that verify then.

    :raises NothingToMend: if it would not.
    :raises InvalidConfiguration: if the address cannot be registered.
    """
    with transaction.atomic():
        source = WebhookSource.objects.select_for_update(no_key=True).get(pk=source.pk)
        row = SignatureFailure.objects.filter(source=source, pk=failure_id).first()
        if row is None:
            raise NothingToMend("This request is not kept any more.")
        {
            Remedy.REGISTER_ADDRESS: _register_address,
            Remedy.ACCEPT_FORM: _accept_form,
            Remedy.KEEP_SECRET: _keep_secret,
        }[remedy](source, row, now)
    return check_unchecked(source=source, now=now)


def _register_address(source: WebhookSource, row: SignatureFailure, now: datetime) -> None:
    if not row.signed_url or not set(row.differences) & set(ADDRESS_DIFFERENCES):
        raise NothingToMend("This request was not signed for another address.")
    if row.signed_url not in source.registered_urls:
        configure_source(source=source, urls=[*source.registered_urls, row.signed_url])


def _accept_form(source: WebhookSource, row: SignatureFailure, now: datetime) -> None:
    forms = [form for form in SignatureForm if form.value in row.differences]
    if len(forms) != 1:
        raise NothingToMend("This request was not signed in a form that can be accepted.")
    configure_source(source=source, signature_form=forms[0])


def _keep_secret(source: WebhookSource, row: SignatureFailure, now: datetime) -> None:
    keys = _keys(source, now=now)
    found = _diagnose(row, source, list(keys), _other_addresses(source))
    if found.key is None or found.key.difference != Mismatch.PREVIOUS_SECRET:
        raise NothingToMend("This request was not signed with a secret that has expired.")
    WebhookSecret.objects.filter(pk=keys[found.key]).update(expires_at=now + KEPT_LONGER)


def _diagnose(
    row: SignatureFailure, source: WebhookSource, keys: list[forensics.Key], addresses: list[str]
) -> forensics.Diagnosis:
    asked = [row.requested_url] if row.requested_url else []
    return forensics.diagnose(
        keys=keys,
        body=bytes(row.body),
        registered=source.registered_urls,
        header=row.signature,
        known=[public_url(source), *asked, *addresses],
    )


def _note(row: SignatureFailure, found: forensics.Diagnosis) -> None:
    SignatureFailure.objects.filter(pk=row.pk).update(
        diagnosis=found.differences[0],
        differences=[difference.value for difference in found.differences],
        signed_url=found.signed_url,
        known_url=found.known_url,
    )


def _keys(source: WebhookSource, *, now: datetime) -> dict[forensics.Key, int]:
    """Return the secrets to try, the likeliest first, with their ids: valid, expired, other connections' of the store."""
    own = sorted(source.secrets.order_by("-created_at", "-pk"), key=lambda row: _has_expired(row, now))
    others = WebhookSecret.objects.filter(source__project=source.project_id).exclude(source=source)
    keys: dict[forensics.Key, int] = {}
    for row in own[:OWN_KEYS]:
        keys.setdefault(forensics.Key(row.secret, Mismatch.PREVIOUS_SECRET if _has_expired(row, now) else None), row.pk)
    for row in others.order_by("-created_at", "-pk")[: forensics.MAX_KEYS - len(keys)]:
        keys.setdefault(forensics.Key(row.secret, Mismatch.OTHER_CONNECTION), row.pk)
    return keys


def _has_expired(row: WebhookSecret, now: datetime) -> bool:
    return row.expires_at is not None and row.expires_at <= now


def _other_addresses(source: WebhookSource) -> list[str]:
    others = (
        WebhookSource.objects.of_insightarc()
        .filter(project=source.project_id)
        .exclude(pk=source.pk)
        .order_by("-created_at")
    )
    return [url for other in others[:OTHER_ADDRESSES] for url in other.registered_urls[:1]]
