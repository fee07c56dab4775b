"""
Walking through what a shop's API lists: a backfill of everything, and the nightly comparison of the last days.

Nothing here waits. When the API asks for patience the row says until when (`due_at`), and a sweeper goes on then. A page
is asked for outside of any transaction, each of its objects is stored in a short one of its own, and then the row moves
on, if the lease is still ours: who is killed in between repeats one page, which changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.utils import timezone

from signals_app.core import claims
from signals_app.core.exceptions import PermanentError
from signals_app.customers.exceptions import ErasedIdentifier
from signals_app.shops import nodes
from signals_app.shops.constants import Resource, SyncKind, SyncState
from signals_app.shops.exceptions import NothingToDo, ShopRefused, ShopThrottled, ShopUnavailable
from signals_app.shops.models import ShopConnection, ShopSync
from signals_app.shops.services import comparing, connections, erasing, orders, people, products
from signals_app.shops.shop_api import Page, ShopApi

logger = logging.getLogger(__name__)

ApiOf = Callable[[ShopConnection, datetime], ShopApi]
"""Gives the API of a shop: the caller knows the secrets."""

LEASE = timedelta(seconds=180)
PROBLEMS_KEPT = 50
RETRY_SECONDS = (30, 120, 600, 1_800, 3_600)
MAX_ATTEMPTS = 12
"""Tries without a page in between, some eight hours in all; then a person has to start it again."""
COMPARED_DAYS = 7
COMPARE_AT_HOUR = 3
"""On the store's clock, when little else happens."""
RESOURCES = {
    SyncKind.BACKFILL: tuple(Resource),
    SyncKind.RECONCILIATION: (Resource.ORDERS,),
}


def start_sync(
    *, shop: ShopConnection, kind: SyncKind, since: datetime | None = None, started_by: str = "", now: datetime
) -> ShopSync | None:
    """Start a walk, unless one of this kind is running for the shop."""
    first = RESOURCES.get(kind, ("",))[0]
    sync = ShopSync(
        shop=shop, kind=kind, resource=first, since=since, due_at=now, started_by=started_by[:150], started_at=now
    )
    try:
        with transaction.atomic():
            sync.save(force_insert=True)
    except IntegrityError:
        return None
    return sync


def stop_sync(*, sync: ShopSync, now: datetime) -> bool:
    """End a walk before its end; what it has stored stays."""
    running = ShopSync.objects.filter(pk=sync.pk, state=SyncState.RUNNING)
    return running.update(state=SyncState.STOPPED, finished_at=now, lease_token=None, lease_until=None) > 0


def start_nightly_comparisons(*, now: datetime) -> int:
    """
    Start the comparison of the last days for every shop at three in its night, and return how many.

    A night that nobody was up for is made good at the next opportunity.
    """
    started = 0
    for shop in ShopConnection.objects.select_related("project"):
        if not shop.may_ask:
            continue
        compared = ShopSync.objects.filter(shop=shop, kind=SyncKind.RECONCILIATION).order_by("-started_at")
        last_at = compared.values_list("started_at", flat=True).first()
        is_night = timezone.localtime(now, ZoneInfo(shop.project.time_zone)).hour == COMPARE_AT_HOUR
        earliest = now - (timedelta(hours=20) if is_night else timedelta(hours=30))
        if (last_at is None and is_night) or (last_at is not None and last_at < earliest):
            since = now - timedelta(days=COMPARED_DAYS)
            started += start_sync(shop=shop, kind=SyncKind.RECONCILIATION, since=since, now=now) is not None
    return started


def continue_syncs(*, api_of: ApiOf, now: datetime, limit: int = 5) -> int:
    """Take the next page of the walks that are due, and return how many were taken further."""
    due = ShopSync.objects.filter(state=SyncState.RUNNING, due_at__lte=now).order_by("due_at")
    claim = claims.claim(due, now=now, lease=LEASE, limit=limit)
    rows = ShopSync.objects.filter(pk__in=claim.pks, lease_token=claim.token).select_related("shop__project")
    for sync in rows.order_by("due_at", "pk"):
        _take_further(sync, claim.token, api_of, now)
    return len(claim.pks)


def _take_further(sync: ShopSync, token: UUID, api_of: ApiOf, now: datetime) -> None:
    try:
        if sync.attempts > MAX_ATTEMPTS:
            raise ShopRefused(sync.problem or "It was broken off again and again.")
        if sync.kind == SyncKind.ERASURE:
            changes = _erase_some(sync, now)
        else:
            changes = _take_page(sync, api_of(sync.shop, now), now)
    except ShopThrottled as error:
        # Being asked for patience is no failure: it may go on like this all night.
        _leave(sync, token, seconds=error.seconds, problem="", now=now, attempts=max(sync.attempts - 1, 0))
    except ShopUnavailable as error:
        seconds = RETRY_SECONDS[min(sync.attempts, len(RETRY_SECONDS)) - 1]
        _leave(sync, token, seconds=seconds, problem=str(error), now=now, attempts=sync.attempts)
    except ShopRefused as error:
        connections.note_answer(shop=sync.shop, problem=str(error), now=now)
        _move(sync, token, {"state": SyncState.FAILED, "finished_at": now, "problem": str(error)[:500]})
    else:
        _move(sync, token, {"attempts": 0, "problem": "", **changes})


def _leave(sync: ShopSync, token: UUID, *, seconds: float, problem: str, now: datetime, attempts: int) -> None:
    later = now + timedelta(seconds=seconds)
    _move(sync, token, {"due_at": later, "problem": problem[:500], "attempts": attempts})


def _move(sync: ShopSync, token: UUID, changes: dict[str, Any]) -> None:
    held = ShopSync.objects.filter(pk=sync.pk, lease_token=token, state=SyncState.RUNNING)
    held.update(**changes, lease_token=None, lease_until=None)


def _take_page(sync: ShopSync, api: ShopApi, now: datetime) -> dict[str, Any]:
    """Read and store one page; return where that has brought the walk."""
    resource = Resource(sync.resource)
    counts = {name: dict(each) for name, each in sync.counts.items()}
    counted = counts.setdefault(resource.value, {"read": 0, "changed": 0, "left_out": 0})
    if "expected" not in counted:
        counted["expected"] = api.count(resource, since=sync.since)
    page = api.page(resource, since=sync.since, cursor=sync.cursor)
    connections.note_answer(shop=sync.shop, problem="", now=now)
    problems = list(sync.problems)
    _store_page(sync, resource, page, counted, problems, now)
    changes: dict[str, Any] = {
        "counts": counts,
        "problems": problems[:PROBLEMS_KEPT],
        "cursor": page.cursor,
        "due_at": now + timedelta(seconds=page.wait_seconds),
    }
    if not page.cursor:
        changes |= _next_resource(sync, resource, now)
    return changes


def _next_resource(sync: ShopSync, resource: Resource, now: datetime) -> dict[str, Any]:
    following = RESOURCES[SyncKind(sync.kind)]
    place = following.index(resource) + 1
    if place < len(following):
        return {"resource": following[place].value}
    return {"state": SyncState.DONE, "finished_at": now}


def _store_page(
    sync: ShopSync,
    resource: Resource,
    page: Page,
    counted: dict[str, Any],
    problems: list[dict[str, str]],
    now: datetime,
) -> None:
    for node in page.nodes:
        counted["read"] += 1
        try:
            with transaction.atomic():
                counted["changed"] += _store(sync, resource, node, now)
        except ErasedIdentifier:
            continue  # somebody who was erased stays so, and is not named again here
        except NothingToDo as nothing:
            logger.debug("An object of the shop was passed over.", extra={"reason": str(nothing)})
        except PermanentError as error:
            counted["left_out"] += 1
            what = f"{resource.label[:-1]} {str(node.get('name') or node.get('id') or '')[:80]}".strip()
            problems.append({"what": what, "why": str(error)[:300]})


def _store(sync: ShopSync, resource: Resource, node: dict[str, Any], now: datetime) -> bool:
    shop = sync.shop
    if resource is Resource.ORDERS:
        said = nodes.order(node)
        if sync.kind == SyncKind.RECONCILIATION:
            return comparing.compare_and_put(shop=shop, said=said, started_at=sync.started_at, now=now)
        return orders.put_order(shop=shop, said=said, now=now).is_changed
    if resource is Resource.CUSTOMERS:
        return people.put_customer(shop=shop, said=nodes.customer(node), now=now).is_changed
    return products.put_product(shop=shop, said=nodes.product(node), now=now).is_changed


def _erase_some(sync: ShopSync, now: datetime) -> dict[str, Any]:
    """Erase the next few customers of the shop; return where that has brought the walk."""
    counts = {name: dict(each) for name, each in sync.counts.items()}
    counted = counts.setdefault(Resource.CUSTOMERS.value, {"read": 0, "changed": 0, "left_out": 0})
    if "expected" not in counted:
        counted["expected"] = erasing.count_customers(sync.shop)
    looked_at, erased = erasing.erase_slice(shop=sync.shop, now=now)
    counted["read"] += looked_at
    counted["changed"] += erased
    changes: dict[str, Any] = {"counts": counts, "due_at": now}
    if not looked_at:
        erasing.finish(shop=sync.shop, by=sync.started_by, erased=counted["changed"], now=now)
        changes |= {"state": SyncState.DONE, "finished_at": now}
    return changes


def progress(sync: ShopSync) -> float | None:
    """Return how much of a walk is done, 0 to 1, or None where the shop could not say how much there is."""
    if sync.state == SyncState.DONE:
        return 1.0
    expected = [each.get("expected") for each in sync.counts.values()]
    resources = RESOURCES.get(SyncKind(sync.kind), (Resource.CUSTOMERS,))
    if not expected or None in expected:
        return None
    shares: list[float] = [min(each["read"] / max(each["expected"], 1), 1.0) for each in sync.counts.values()]
    return min(sum(shares) / len(resources), 0.99)
