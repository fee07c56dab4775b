"""The raw requests of a person, for export and erasure; the timeline shows the signals that they became."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import chain, islice
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from signals_app.customers.facets import ErasePart, ExportTable, Facet, Step, Subject
from signals_app.customers.mentions import Mentions
from signals_app.customers.models import Customer, Identifier, IdentityConflict
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import inbox, mapping, payload
from signals_app.webhooks.exceptions import MalformedDelivery
from signals_app.webhooks.models import (
    InboxItem,
    ReplayRun,
    ShopDelivery,
    SignatureFailure,
    WebhookDelivery,
    WebhookSource,
)

A_TIME = 100
BODIES_AT_ONCE = 40
"""Up to 256 KiB each are read to look into them."""


def _deliveries(customer: Customer) -> Iterator[dict[str, Any]]:
    # A signal has the id of the delivery that brought it.
    signals = ShopperSignal.objects.filter(identifier__customer=customer).order_by("received_at", "pk")
    from_shops = ShopDelivery.objects.filter(identifier__customer=customer).order_by("pk")
    ids = chain(
        signals.values_list("pk", flat=True).iterator(chunk_size=1_000),
        from_shops.values_list("pk", flat=True).iterator(chunk_size=1_000),
    )
    while chunk := list(islice(ids, A_TIME)):
        found = WebhookDelivery.objects.in_bulk(chunk)
        for delivery in (found[pk] for pk in chunk if pk in found):
            yield {
                "id": str(delivery.pk),
                "received_at": delivery.received_at.isoformat(),
                "body": bytes(delivery.body).decode("utf-8", "replace"),
            }


def _of_signals(subject: Subject, place: str, limit: int) -> Step:
    """Delete the raw requests behind the person's signals, before the room below deletes the signals."""
    ids, following = _next_signals(Identifier.objects.filter(customer=subject.customer), place, limit)
    return Step(_delete(ids), following)


def _of_shop(subject: Subject, place: str, limit: int) -> Step:
    """Delete what the shop posted about the person."""
    found = ShopDelivery.objects.filter(identifier__customer=subject.customer)
    ids = list(found.values_list("pk", flat=True)[:limit])
    return Step(_delete(ids), "further" if len(ids) == limit else None)


def _waiting(subject: Subject, place: str, limit: int) -> Step:
    """Delete requests that wait, or need fixing, and name the person."""
    size = min(limit, BODIES_AT_ONCE)
    ids = _next_ids(InboxItem.objects.filter(source__project=subject.customer.project), place, size)
    found = _naming(subject, ids)
    return Step(_delete(found), str(ids[-1]) if len(ids) == size else None)


def _of_lookalikes(subject: Subject, place: str, limit: int) -> Step:
    """
    Delete the requests of other shoppers that name the person too, and what their signals say of the person.

    They are found by the conflicts: a request that names two known shoppers has made one.
    """
    mine = Q(left__customer=subject.customer) | Q(right__customer=subject.customer)
    pairs = IdentityConflict.objects.filter(mine).values_list("left_id", "right_id")
    others = Identifier.objects.filter(pk__in={pk for pair in pairs for pk in pair})
    others = others.exclude(customer=subject.customer)
    ids, following = _next_signals(others, place, min(limit, BODIES_AT_ONCE))
    wanted, found = Mentions(subject.known_ids), _naming(subject, ids)
    for signal in ShopperSignal.objects.filter(pk__in=ids):
        events = [one for one in signal.relevant_events if not wanted.found_in(str(one))]
        is_named = signal.pk in found or wanted.found_in(str(signal.extra))
        if is_named or events != signal.relevant_events:
            ShopperSignal.objects.filter(pk=signal.pk).update(
                extra={} if is_named else signal.extra, relevant_events=events, issues=[]
            )
    return Step(_delete(found), following)


def _refused(subject: Subject, place: str, limit: int) -> Step:
    """Delete requests that did not verify, put aside for diagnosis, and name the person."""
    size = min(limit, BODIES_AT_ONCE)
    rows = SignatureFailure.objects.filter(source__project=subject.customer.project, pk__gt=int(place or 0))
    failures, wanted = list(rows.order_by("pk")[:size]), Mentions(subject.known_ids)
    found = [
        row.pk
        for row in failures
        if _names(wanted, bytes(row.body), None) or wanted.found_in(f"{row.requested_url} {row.signed_url}")
    ]
    SignatureFailure.objects.filter(pk__in=found).delete()
    return Step(len(found), str(failures[-1].pk) if len(failures) == size else None)


def _searched_for(subject: Subject, place: str, limit: int) -> Step:
    """Take the person's address out of what replays were narrowed to."""
    wanted, runs = Mentions(subject.known_ids), ReplayRun.objects.filter(source__project=subject.customer.project)
    typed = runs.exclude(error_text="").values_list("pk", "error_text").order_by("-started_at")
    found = [pk for pk, text in typed[:1_000] if wanted.found_in(text)]
    return Step(ReplayRun.objects.filter(pk__in=found).update(error_text=""))


def _next_signals(identifiers: QuerySet[Identifier], place: str, limit: int) -> tuple[list[UUID], str | None]:
    """
    Return the next signals of identifiers, and the place after them; None when these were the last.

    One identifier after the other along its index: sorting all of a long history for each slice would take longer than
    the slice. A place is "<identifier> <time> <signal>".
    """
    said = place.split(" ")
    number = int(said[0] or 0)
    after = (datetime.fromisoformat(said[1]), UUID(said[2])) if len(said) == 3 else None
    found: list[UUID] = []
    while True:
        signals = ShopperSignal.objects.filter(identifier=number).order_by("-received_at", "-id")
        if after is not None:
            at, pk = after
            signals = signals.filter(received_at__lte=at).filter(Q(received_at__lt=at) | Q(pk__lt=pk))
        rows = list(signals.values_list("pk", "received_at")[: limit - len(found)])
        found += [pk for pk, _ in rows]
        if len(found) == limit:
            last, at = rows[-1]
            return found, f"{number} {at.isoformat()} {last}"
        further = identifiers.filter(pk__gt=number).order_by("pk").values_list("pk", flat=True).first()
        if further is None:
            return found, None
        number, after = further, None


def _next_ids(rows: QuerySet[Any], place: str, limit: int) -> list[UUID]:
    following = rows.filter(pk__gt=UUID(place)) if place else rows
    return list(following.order_by("pk").values_list("pk", flat=True)[:limit])


def _delete(ids: Collection[UUID]) -> int:
    if not ids:
        return 0
    inbox.forget_bodies(delivery_ids=ids)
    return WebhookDelivery.objects.filter(pk__in=ids).delete()[1].get("webhooks.WebhookDelivery", 0)


Reader = Callable[[bytes], dict[str, str]]


def _readers(subject: Subject) -> dict[UUID, Reader]:
    """Return, for each connection of the store, what says whom a body is about."""
    return {source.pk: _reader(source) for source in WebhookSource.objects.filter(project=subject.customer.project)}


def _reader(source: WebhookSource) -> Reader:
    mapped, _ = mapping.compile_or_default(source.identity_mapping)

    def read(body: bytes) -> dict[str, str]:
        parsed = payload.parse(body)
        return mapping.extract(mapped, parsed.extra, parsed.relevant_events).identifiers

    return read


def _naming(subject: Subject, ids: Collection[UUID]) -> list[UUID]:
    """Return which of these requests name the person."""
    wanted, readers = Mentions(subject.known_ids), _readers(subject)
    return [
        delivery.pk
        for delivery in WebhookDelivery.objects.filter(pk__in=ids)
        if _names(wanted, bytes(delivery.body), readers.get(delivery.source_id))
    ]


def _names(wanted: Mentions, body: bytes, reader: Reader | None) -> bool:
    # One that cannot be read needs fixing; what it says can be searched all the same.
    with suppress(MalformedDelivery):
        if reader is not None and wanted.names(reader(body)):
            return True
    return wanted.found_in(body.decode("utf-8", "replace"))


FACET = Facet(
    name="webhooks",
    label="Incoming log",
    models=(WebhookDelivery, ShopDelivery),
    tables=(
        ExportTable(
            "deliveries",
            "What your visits and the shop sent us, word for word",
            _deliveries,
            {"received_at": "When", "body": "What it said"},
        ),
    ),
    parts=(
        ErasePart("Raw requests behind their signals", _of_signals),
        ErasePart("Raw requests of the shop about them", _of_shop),
        ErasePart("Requests that wait or need fixing", _waiting, is_search=True),
        ErasePart("Requests of profiles that were seen with theirs", _of_lookalikes, is_search=True),
        ErasePart("Refused requests put aside for diagnosis", _refused, is_search=True),
        ErasePart("Searches of replays", _searched_for, outcome="made anonymous", is_search=True),
    ),
)
