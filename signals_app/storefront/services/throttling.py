"""
How often pages may call, counted in the database, so that it holds for all processes of all hosts.

An address is counted in one of 4,096 slots, chosen by a keyed hash: nobody can aim at a shopper's slot, no address is
written down, and the table does not grow. Once a slot is full, its process refuses for the rest of the minute without
asking the database again: a flood must not keep SQLite's one writer busy.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from django.db import connection
from django.utils.crypto import salted_hmac

from signals_app.storefront.constants import ADDRESS_SLOTS, CALLS_PER_ADDRESS, CALLS_PER_STOREFRONT
from signals_app.storefront.models import CallWindow, Storefront

ALL = -1
IPV6_PREFIX = 64
"""What one household or machine is given; within it, addresses cost nothing."""
_full: set[tuple[object, int, datetime]] = set()
"""Slots found full in a minute. A count only rises within its minute, so what stands here stays true until it is over."""
MAX_REMEMBERED = 10_000


def is_throttled(*, storefront: Storefront, address: IPv4Address | IPv6Address | None, now: datetime) -> bool:
    """Count a call and say whether it is one too many, of its address or of the storefront."""
    minute = now.replace(second=0, microsecond=0)
    slot = slot_of(address)
    if any((storefront.pk, each, minute) in _full for each in (slot, ALL)):
        return True
    counts = _count(storefront, slot, minute)
    is_one_too_many = False
    for each, limit in ((slot, CALLS_PER_ADDRESS), (ALL, CALLS_PER_STOREFRONT)):
        if counts[each] > limit:
            is_one_too_many = True
            _remember_full((storefront.pk, each, minute))
    return is_one_too_many


def slot_of(address: IPv4Address | IPv6Address | None) -> int:
    """Return the slot that the calls of an address are counted in, of IPv6 those of its whole /64."""
    text = str(address or "")
    if isinstance(address, IPv6Address):
        text = str(ip_network((address, IPV6_PREFIX), strict=False))
    digest = salted_hmac("signals_app.storefront.throttling", text, algorithm="sha256").digest()
    return int.from_bytes(digest[:4], "big") % ADDRESS_SLOTS


def _remember_full(entry: tuple[object, int, datetime]) -> None:
    if len(_full) >= MAX_REMEMBERED:
        _full.clear()
    _full.add(entry)


def _count(storefront: Storefront, slot: int, minute: datetime) -> dict[int, int]:
    """
    Add one to the counts of a slot and of the storefront, and return both.

    One statement and so one commit; the storefront's row always comes first, so that no two calls wait in a circle.
    """
    fields: list[Any] = [CallWindow._meta.get_field(name) for name in ("storefront", "slot", "minute")]
    quote, table = connection.ops.quote_name, connection.ops.quote_name(CallWindow._meta.db_table)
    key, slot_column, minute_column = (quote(field.column) for field in fields)
    statement = (
        f"INSERT INTO {table} ({key}, {slot_column}, {minute_column}, count) "  # noqa: S608 - names of our own columns
        "VALUES (%s, %s, %s, 1), (%s, %s, %s, 1) "
        f"ON CONFLICT ({key}, {slot_column}) DO UPDATE SET count = CASE WHEN {table}.{minute_column} = "
        f"EXCLUDED.{minute_column} THEN {table}.count + 1 ELSE 1 END, {minute_column} = EXCLUDED.{minute_column} "
        f"RETURNING {slot_column}, count"
    )
    rows = [
        fields[position].get_db_prep_value(value, connection)
        for each in (ALL, slot)
        for position, value in enumerate((storefront.pk, each, minute))
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, rows)
        return {int(found): int(count) for found, count in cursor.fetchall()}
