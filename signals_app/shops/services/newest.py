"""Which of two things that a shop said of one object is the newer, whatever order they came in."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from signals_app.shops.constants import ObjectKind
from signals_app.shops.models import ShopConnection, ShopObject
from signals_app.shops.values import MAX_ID

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def is_newest(*, shop: ShopConnection, kind: ObjectKind, object_id: str, changed_at: datetime) -> bool:
    """
    Say whether nothing newer is known of an object, and remember this as the newest.

    In the caller's transaction, which holds the object's row from then on: of two that came at the same moment one
    waits for the other. What is as old as the newest counts as new, so that doing it again repairs what it can.
    """
    _insert(shop, kind, object_id, changed_at)
    known = ShopObject.objects.filter(shop=shop, kind=kind, object_id=object_id)
    return known.filter(changed_at__lte=changed_at).update(changed_at=changed_at) > 0


def hold(*, shop: ShopConnection, kind: ObjectKind, object_id: str) -> None:
    """Hold an object's row until the transaction ends, without saying anything new of it."""
    _insert(shop, kind, object_id, LONG_AGO)
    known = ShopObject.objects.select_for_update(no_key=True).filter(shop=shop, kind=kind, object_id=object_id)
    list(known.values_list("pk", flat=True))


def object_id_of(*parts: str) -> str:
    """Return one number made of several parts, short enough to be kept."""
    joined = ":".join(parts)
    return joined if len(joined) <= MAX_ID else hashlib.sha256(joined.encode()).hexdigest()


def _insert(shop: ShopConnection, kind: ObjectKind, object_id: str, changed_at: datetime) -> None:
    row = ShopObject(shop=shop, kind=kind, object_id=object_id, changed_at=changed_at)
    ShopObject.objects.bulk_create([row], ignore_conflicts=True)
