"""What pages may load and run: everywhere, and what the admin is allowed beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse

SITE_POLICY: dict[str, list[Any]] = {
    "default-src": [SELF],
    "img-src": [SELF, "data:", "https:"],
    "style-src": [SELF, NONCE],
    "script-src": [SELF, NONCE],
    "object-src": [NONE],
    "base-uri": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
}
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
