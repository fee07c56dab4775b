"""Whose address a request comes from."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest

FORWARDED = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
)


def address_of(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """
    Return where a request came from, or None if that cannot be known.

    A request that a proxy passed on comes from the proxy's address, often this machine's own. Whoever trusts that
    address must not trust the visitors behind it, so theirs counts, if a proxy of ours (BEHIND_TLS_PROXY) names it.
    """
    address = str(request.META.get("REMOTE_ADDR", ""))
    if any(name in request.META for name in FORWARDED):
        is_named = settings.BEHIND_TLS_PROXY and "HTTP_X_FORWARDED_FOR" in request.META
        address = address_behind_proxy(request) if is_named else ""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def address_behind_proxy(request: HttpRequest) -> str:
    """
    Return the visitor's address as our own proxy saw it: the last entry of X-Forwarded-For.

    Everything before the last entry is what the visitor claims.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return forwarded.rpartition(",")[2].strip() or str(request.META["REMOTE_ADDR"])
