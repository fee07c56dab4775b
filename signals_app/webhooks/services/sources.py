"""Setting up a connection: addresses, mapping, secrets, pausing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from signals_app.projects.models import Project
from signals_app.webhooks import inbox, mapping, payload, signature
from signals_app.webhooks.constants import DeliveryVerdict, Mismatch, SignatureForm
from signals_app.webhooks.exceptions import MalformedDelivery
from signals_app.webhooks.models import SignatureFailure, WebhookSecret, WebhookSource
from signals_app.webhooks.services.replaying import release_parked
from signals_app.webhooks.validation import check_secret, check_urls

SOURCE_ID = "{source_id}"
EXPIRED_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class SecretReport:
    """Of the requests that came before the secret, how many were checked now and how many of them verify."""

    checked: int
    verified: int

    def __str__(self) -> str:
        return f"{self.verified} of {self.checked} verify"


def webhook_path(source_id: UUID) -> str:
    return f"/webhooks/insightarc/{source_id}/"


def public_url(source: WebhookSource) -> str:
    """Return the address under which this installation believes to be reached for a source."""
    return f"{settings.PUBLIC_URL}{webhook_path(source.id)}"


@transaction.atomic
def create_source(*, project: Project, name: str = "Insightarc", urls: Sequence[str] = ()) -> WebhookSource:
    """
    Create a connection, with the addresses under which Insightarc will know it.

    They are stored as given, except that `{source_id}` in one becomes the id; without any, it is our own address.

    :raises InvalidConfiguration: if one of them is not an address.
    """
    source = WebhookSource(project=project, name=name)
    given = [url.replace(SOURCE_ID, str(source.id)) for url in urls]
    source.registered_urls = check_urls(given or [public_url(source)])
    source.save(force_insert=True)
    return source


@transaction.atomic
def configure_source(
    *,
    source: WebhookSource,
    urls: Sequence[str] | None = None,
    identity_mapping: dict[str, Any] | None = None,
    duplicate_window_seconds: int | None = None,
    signature_form: SignatureForm | None = None,
) -> WebhookSource:
    """
    Change what is given of a connection; what is None stays.

    :raises InvalidConfiguration: naming the field that cannot be used; nothing is changed then.
    """
    changed = ["updated_at"]
    if urls is not None:
        source.registered_urls = check_urls([url.replace(SOURCE_ID, str(source.id)) for url in urls])
        changed.append("registered_urls")
    if identity_mapping is not None:
        mapping.compile_mapping(identity_mapping)
        source.identity_mapping = identity_mapping
        changed.append("identity_mapping")
    if duplicate_window_seconds is not None:
        source.duplicate_window_seconds = duplicate_window_seconds
        changed.append("duplicate_window_seconds")
    if signature_form is not None:
        source.signature_form = signature_form
        changed.append("signature_form")
    source.save(update_fields=changed)
    return source


def paste_secret(
    *,
    source: WebhookSource,
    secret: str,
    expires_at: datetime | None = None,
    others_expire_at: datetime | None = None,
    now: datetime,
) -> SecretReport:
    """
    Make `secret` valid for a source, beside those that are, and check what came before it.

    A source without a secret refuses every request but keeps the newest 50, and samples of what it refuses later.
    Those that verify under this secret are the shop's own signals, which came early: they are accepted with the time
    at which they came, and processed like any other. The rest stays, in case the secret was the wrong one. Pasting a
    secret again adds nothing, but changes when it expires, and checks again. With `others_expire_at` the others are
    valid until then and no longer, so that what is still signed with them is taken while Insightarc changes over.

    :raises InvalidConfiguration: if the secret is empty.
    """
    text = check_secret(secret)
    with transaction.atomic():
        WebhookSource.objects.select_for_update(no_key=True).get(pk=source.pk)  # of two pastes one is first
        known = next((row for row in source.secrets.all() if row.secret == text), None)
        if known is None:
            known = WebhookSecret.objects.create(source=source, secret=text, expires_at=expires_at)
        elif known.expires_at != expires_at:
            known.expires_at = expires_at
            known.save(update_fields=["expires_at"])
        if others_expire_at is not None:
            others = WebhookSecret.objects.filter(source=source).exclude(pk=known.pk)
            others.filter(Q(expires_at=None) | Q(expires_at__gt=others_expire_at)).update(expires_at=others_expire_at)
    report = check_unchecked(source=source, now=now)
    # What nothing explained may be explained by this secret.
    SignatureFailure.objects.filter(source=source, diagnosis=Mismatch.NO_MATCH).update(diagnosis="", diagnosed_at=None)
    return report


def keep_secret(*, source: WebhookSource, secret_id: int) -> None:
    """Make a secret valid without end, again if need be."""
    WebhookSecret.objects.filter(source=source, pk=secret_id).update(expires_at=None)


def remove_secret(*, source: WebhookSource, secret_id: int) -> None:
    """Take a secret away: what is signed with it is refused from now on (at most a second later)."""
    WebhookSecret.objects.filter(source=source, pk=secret_id).delete()


def forget_expired_secrets(*, now: datetime) -> int:
    """Delete the secrets that expired long ago, and return how many; until then they help to explain a refusal."""
    return WebhookSecret.objects.filter(expires_at__lt=now - EXPIRED_KEPT).delete()[0]


def check_unchecked(*, source: WebhookSource, now: datetime) -> SecretReport:
    """
    Check what was put aside against the secrets, addresses and form of now, and accept what verifies.

    That is: what came before there was a secret, and the samples of what was refused since then.
    """
    secrets = [row.secret for row in source.secrets.valid(now=now)]
    rows = list(SignatureFailure.objects.filter(source=source).order_by("received_at", "pk"))
    verified = sum(accept_if_it_verifies(source, row, secrets) for row in rows)
    return SecretReport(checked=len(rows), verified=verified)


def accept_if_it_verifies(source: WebhookSource, row: SignatureFailure, secrets: Sequence[str]) -> bool:
    """Tell whether a request put aside is right under these secrets and the settings of now; if so, it is accepted."""
    form = SignatureForm(source.signature_form)
    if not signature.verifies(secrets, bytes(row.body), source.registered_urls, row.signature, form):
        return False
    _accept(source, row)
    return True


@transaction.atomic
def _accept(source: WebhookSource, row: SignatureFailure) -> None:
    """Turn a request put aside into a delivery; both or neither, so that it can be neither lost nor taken twice."""
    if not SignatureFailure.objects.filter(pk=row.pk).delete()[0]:
        return
    body, verdict, error = bytes(row.body), DeliveryVerdict.ACCEPTED, ""
    try:
        payload.parse(body)
    except MalformedDelivery as malformed:
        verdict, error = DeliveryVerdict.MALFORMED, str(malformed)
    else:
        verdict = DeliveryVerdict.PARKED if source.is_paused else DeliveryVerdict.ACCEPTED
    inbox.keep(
        [
            inbox.Arrival(
                source_id=source.id,
                body=body,
                verdict=verdict,
                duplicate_window_seconds=source.duplicate_window_seconds,
                error=error,
                received_at=row.received_at,
            )
        ]
    )


def pause(*, source: WebhookSource, now: datetime) -> None:
    """Keep what comes from now on without processing it."""
    _set_paused(source, is_paused=True, now=now)


def unpause(*, source: WebhookSource, now: datetime) -> int:
    """Process again, first what came meanwhile, and return how many deliveries that are."""
    _set_paused(source, is_paused=False, now=now)
    return release_parked(now=now)


def _set_paused(source: WebhookSource, *, is_paused: bool, now: datetime) -> None:
    WebhookSource.objects.filter(pk=source.pk).update(is_paused=is_paused, updated_at=now)
    source.is_paused = is_paused
