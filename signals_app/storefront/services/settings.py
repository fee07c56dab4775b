"""Storefronts: setting one up, finding one by its key, and changing its proof secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from signals_app.projects.models import Project
from signals_app.storefront.constants import SECRET_OVERLAP
from signals_app.storefront.exceptions import InvalidOrigin
from signals_app.storefront.models import Storefront, new_proof_secret
from signals_app.storefront.origins import OPAQUE, origin_of

_KEY = re.compile(r"pk_[0-9a-f]{24}")


def find_storefront(public_key: str) -> Storefront | None:
    """Return the storefront that a key names, if it is switched on."""
    if not _KEY.fullmatch(public_key):
        return None  # no query for what is no key
    return Storefront.objects.select_related("project").filter(public_key=public_key, is_enabled=True).first()


def origin_is_allowed(*, storefront: Storefront, origin: str) -> bool:
    """Say whether a call may come from an origin; "" and "null" name none, which Shopify's customer events do."""
    if origin in ("", OPAQUE):
        return storefront.accepts_pixel
    return origin in storefront.allowed_origins


def set_up(*, project: Project, origins: Iterable[str] = ()) -> Storefront:
    """
    Return the storefront of a store, made now if there was none, with the shop's own addresses.

    :raises InvalidOrigin: if one of `origins` is none; nothing is made then.
    """
    found = Storefront.objects.filter(project=project).first()
    if found is None:
        allowed = list(dict.fromkeys([*suggested_origins(project), *map(origin_of, origins)]))
        found, _ = Storefront.objects.get_or_create(project=project, defaults={"allowed_origins": allowed})
    return found


def suggested_origins(project: Project) -> list[str]:
    """Return the origins that a store's shop address and link domains make likely, each once."""
    found: list[str] = []
    for address in (project.shop_url, *(f"https://{domain}" for domain in project.shop_domains)):
        try:
            found.append(origin_of(address))
        except InvalidOrigin:
            continue
    return list(dict.fromkeys(found))


@transaction.atomic
def renew_secret(*, storefront: Storefront, now: datetime) -> Storefront:
    """Give a storefront a new proof secret; the one before proves for seven days more, until the theme has the new one."""
    locked = Storefront.objects.select_for_update(no_key=True).get(pk=storefront.pk)
    locked.previous_secret, locked.previous_secret_until = locked.proof_secret, now + SECRET_OVERLAP
    locked.proof_secret = new_proof_secret()
    locked.save(update_fields=["proof_secret", "previous_secret", "previous_secret_until", "updated_at"])
    return locked
