"""Security headers that differ by part of the site, and whose address a login comes from."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.conf import settings
from django.http import HttpRequest, HttpResponse

ADMIN_POLICY: dict[str, list[Any]] = {
    # The admin's theme evaluates the expressions in its own markup and sets widths inline. Scripts still come from
    # files of ours only: markup that a shopper smuggles in cannot bring its own.
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
    # Product pictures come from wherever the shop keeps them.
    "img-src": [SELF, "data:", "https:", "http:"],
}


class AdminContentPolicyMiddleware:
    """Relax the content policy for the admin, and for nothing else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/admin/"):
            own = getattr(response, "_csp_replace", None) or {}
            response._csp_replace = ADMIN_POLICY | own  # type: ignore[attr-defined]
        return response


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
