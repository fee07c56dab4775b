"""
What a call from a shop's page is answered: the first of these that applies.

| case | answer | kept |
| --- | --- | --- |
| unknown key, or the kit is switched off | 404, constant | nothing |
| an origin that is not the shop's (a preflight too) | 403, without CORS headers | nothing |
| preflight | 204 | nothing |
| other methods | 405 | nothing |
| over 4 KiB | 413 | nothing |
| too many in this minute, of the address or of the storefront | 429 with Retry-After | two counts |
| not JSON, a field that cannot be used, a wrong proof | 400 with `code`, `detail`, `field` | a count |
| not committed | 503 with Retry-After | perhaps |
| all else | 204, constant: it tells nothing about whether anybody exists | what was said |

No cookie is read or set. A page sends `text/plain`, which needs no preflight, so the origin is checked here and not only
by browsers. Whoever is no browser can send any origin: it keeps other pages out, and proofs keep everybody else out.
"""

from __future__ import annotations

import logging
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from signals_app.core.exceptions import TransientError
from signals_app.core.visitors import address_of
from signals_app.storefront import measures, services
from signals_app.storefront.constants import MAX_BODY_BYTES, Outcome, Refusal
from signals_app.storefront.exceptions import InvalidCall, WrongProof
from signals_app.storefront.models import Storefront
from signals_app.storefront.payload import read_call

logger = logging.getLogger(__name__)

PREFLIGHT_SECONDS = "600"
"""For how long a browser may remember that the origin is allowed."""


class _Refused(Exception):
    def __init__(self, refusal: Refusal, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.refusal, self.status, self.detail, self.headers = refusal, status, detail, headers


@csrf_exempt  # no cookie counts here: the origin, and what the shop proved, do
@never_cache
def identify(request: HttpRequest, public_key: str) -> HttpResponse:
    """Take what a page of a shop says about its visitor."""
    began = time.perf_counter()
    origin, storefront = request.headers.get("Origin", ""), None
    try:
        storefront = _storefront(public_key, origin)
        outcome, response = _answer(request, storefront)
    except _Refused as refused:
        outcome, response = refused.refusal.value, _error(refused.status, refused.refusal.value, refused.detail)
        for name, value in refused.headers.items():
            response[name] = value
    if storefront is not None:
        # Also to an error, or the page could not read what is wrong. Without an origin nobody reads it.
        response["Access-Control-Allow-Origin"] = origin or "null"
    response["Vary"] = "Origin"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    measures.note_call(outcome, seconds=time.perf_counter() - began)
    return response


def _storefront(public_key: str, origin: str) -> Storefront:
    storefront = services.find_storefront(public_key)
    if storefront is None:
        raise _Refused(Refusal.UNKNOWN_KEY, 404, "There is no identity kit at this address.")
    if not services.origin_is_allowed(storefront=storefront, origin=origin):
        raise _Refused(
            Refusal.FOREIGN_ORIGIN,
            403,
            "Pages at this address may not call. Add it to the addresses of the shop on the page “Identity kit”, exactly "
            "as the browser shows it, with or without “www.”.",
        )
    return storefront


def _answer(request: HttpRequest, storefront: Storefront) -> tuple[str, HttpResponse]:
    if request.method == "OPTIONS":
        return "preflight", HttpResponse(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": "Content-Type",
                "Access-Control-Max-Age": PREFLIGHT_SECONDS,
            },
        )
    if request.method != "POST":
        raise _Refused(Refusal.METHOD, 405, "Send a POST.", Allow="POST, OPTIONS")
    now = timezone.now()
    body = _read_body(request)
    try:
        if services.is_throttled(storefront=storefront, address=_address(request), now=now):
            wait = str(60 - now.second)
            raise _Refused(Refusal.THROTTLED, 429, "Too many calls; try again in a minute.", **{"Retry-After": wait})
        outcome, response = _take(storefront, body)
        services.count_call(storefront=storefront, outcome=outcome, now=now)
    except (DatabaseFailure, TransientError):
        logger.exception("A call from a shop's page could not be kept")
        raise _Refused(Refusal.UNAVAILABLE, 503, "Not kept; try again.", **{"Retry-After": "5"}) from None
    return outcome.value, response


def _take(storefront: Storefront, body: bytes) -> tuple[Outcome, HttpResponse]:
    try:
        outcome = services.take_call(storefront=storefront, call=read_call(body), now=timezone.now())
    except InvalidCall as error:
        outcome = Outcome.WRONG_PROOF if isinstance(error, WrongProof) else Outcome.INVALID
        return outcome, _error(400, error.code, error.message, error.field)
    return outcome, HttpResponse(status=204)


def _read_body(request: HttpRequest) -> bytes:
    declared = request.META.get("CONTENT_LENGTH") or ""
    is_too_large = declared.isascii() and declared.isdigit() and (len(declared) > 9 or int(declared) > MAX_BODY_BYTES)
    try:
        body = b"" if is_too_large else request.read(MAX_BODY_BYTES + 1)
    except UnreadablePostError:
        body = b""  # the page has gone; nobody reads the answer
    if is_too_large or len(body) > MAX_BODY_BYTES:
        raise _Refused(Refusal.TOO_LARGE, 413, f"At most {MAX_BODY_BYTES:,} bytes are accepted.")
    return bytes(body)


def _address(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    known = address_of(request)
    if known is not None:
        return known
    # Headers of a proxy that we were not told of: count by whoever really connects.
    try:
        return ip_address(str(request.META.get("REMOTE_ADDR", "")))
    except ValueError:
        return None


def _error(status: int, code: str, detail: str, field: str = "") -> HttpResponse:
    said = {"code": code, "detail": detail} | ({"field": field} if field else {})
    return JsonResponse(said, status=status)
