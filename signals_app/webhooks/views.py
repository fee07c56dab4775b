"""
What a webhook is answered: the first of these that applies.

| case | answer | kept |
| --- | --- | --- |
| unknown source | 404, constant | nothing |
| HEAD | 200, empty, paused or secretless too | nothing |
| OPTIONS; other methods | 200; 405 | nothing |
| over 256 KiB | 413 | nothing |
| a content encoding | 415 | nothing |
| source without a secret yet | 401, constant | a count, the newest 50 bodies |
| signature missing or wrong, or several | 401, constant | a count, one body in 10 s, 200 at most |
| not committed | 503 with Retry-After | perhaps |
| signed, not a JSON object | 400 with `code`, `detail`, `id` | the bytes, quarantined |
| the same bytes inside the window | 200 `duplicate` | a count on the first |
| source paused | 200 `parked` | the delivery |
| signed, a JSON object | 200 `accepted` | the delivery; `id` is the signal's |

Never 3xx (the sender's probe would fail) and never 410 (senders of this descent then delete the webhook). The only
5xx is 503. Headers do not change how a body is read: it is UTF-8 JSON whatever Content-Type says.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseFailure
from django.http import HttpRequest
from django.http.request import UnreadablePostError
from django.utils import timezone
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from signals_app.webhooks import inbox, known_sources, payload, rejections, shared_commit, signature, wakeup
from signals_app.webhooks.constants import MAX_BODY_BYTES, DeliveryVerdict
from signals_app.webhooks.exceptions import MalformedDelivery
from signals_app.webhooks.known_sources import KnownSource
from signals_app.webhooks.models import WebhookSource

logger = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
RETRY_AFTER_SECONDS = "5"


class BodyTooLarge(Exception):
    """The body is larger than is accepted; the rest of it was not read."""


class _AlwaysJson(BaseContentNegotiation):
    """The sender is answered in JSON whatever it accepts: a 406 would lose a signal."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


def answer(status: int, code: str, detail: str, **headers: str) -> Response:
    return Response({"code": code, "detail": detail}, status=status, headers=headers)


def _not_verified() -> Response:
    return answer(
        401,
        "not_verified",
        "The request is not signed with the secret of this webhook.",
        **{"WWW-Authenticate": "x-insightarc-signature"},
    )


class ReceiveWebhook(APIView):
    """Where Insightarc posts; the signature is the authentication."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = ()  # the signature covers bytes, and `payload` reads them
    renderer_classes: tuple[type[BaseRenderer], ...] = (JSONRenderer,)
    content_negotiation_class = _AlwaysJson
    schema = None

    source: KnownSource

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.source = _find_source(kwargs["source_id"])

    def perform_authentication(self, request: Request) -> None:
        """Do nothing: nobody logs in here."""

    # Note [No rings]
    # DRF lets the view, its request and its response refer to one another. Python frees such a ring not when the request
    # ends but when it next looks for garbage: of a thousand requests at a time, while every other one waits. The
    # renderer and the parsers (of which there are none) have no need of it.

    def get_parser_context(self, http_request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_renderer_context(self) -> dict[str, Any]:
        return {}

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        final: Response = super().finalize_response(request, response, *args, **kwargs)
        final.add_post_render_callback(_forget_context)
        request.parser_context.clear()
        return final

    def handle_exception(self, exc: Exception) -> Response:
        """Answer what went wrong; what the database refuses, at whichever step, is 503: the sender may try again."""
        if isinstance(exc, WebhookSource.DoesNotExist):
            return answer(404, "not_found", "There is no webhook at this address.")
        if isinstance(exc, UnreadablePostError):  # the sender went away; nobody reads this answer
            return answer(400, "incomplete", "The body ended early.")
        if isinstance(exc, DatabaseFailure | ImproperlyConfigured):
            logger.error("A webhook request could not be stored.", exc_info=exc)
            return answer(503, "unavailable", "Not stored; try again.", **{"Retry-After": RETRY_AFTER_SECONDS})
        raise exc

    def head(self, request: Request, source_id: str) -> Response:
        """Answer the probe by which Insightarc decides whether the webhook may be created."""
        return Response()

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        return Response()

    def http_method_not_allowed(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        return answer(405, "method_not_allowed", "Send a signed POST.")

    def post(self, request: Request, source_id: str) -> Response:
        meta = request._request.META
        try:
            body = read_body(request._request)
        except BodyTooLarge:
            return answer(413, "too_large", f"At most {MAX_BODY_BYTES} bytes are accepted.")
        if meta.get("HTTP_CONTENT_ENCODING", "").strip().lower() not in {"", "identity"}:
            return answer(415, "unsupported_encoding", "Send the body without a Content-Encoding.")
        if not self._is_signed(body, request._request):
            return _not_verified()
        return self._accept(body, meta.get("CONTENT_TYPE", ""))

    def _is_signed(self, body: bytes, request: HttpRequest) -> bool:
        given = request.META.get("HTTP_X_INSIGHTARC_SIGNATURE", "")
        if self._verifies(body, given):
            return True
        self.source = known_sources.read_again(self.source)
        if self._verifies(body, given):
            return True
        note = rejections.note_bad_signature if self.source.secrets else rejections.keep_unchecked
        try:
            note(self.source.id, body, given, _requested_url(request))
        except DatabaseFailure:
            logger.warning("A request that did not verify could not be counted.", exc_info=True)
        return False

    def _verifies(self, body: bytes, given: str) -> bool:
        source = self.source
        secrets = source.valid_secrets(timezone.now())
        return signature.verifies(secrets, body, source.registered_urls, given, source.signature_form)

    def _accept(self, body: bytes, content_type: str) -> Response:
        verdict, error = DeliveryVerdict.PARKED if self.source.is_paused else DeliveryVerdict.ACCEPTED, ""
        try:
            payload.check(body)
        except MalformedDelivery as malformed:
            verdict, error = DeliveryVerdict.MALFORMED, str(malformed)
        receipt = shared_commit.keep(
            inbox.Arrival(
                source_id=self.source.id,
                body=body,
                verdict=verdict,
                duplicate_window_seconds=self.source.duplicate_window_seconds,
                content_type=content_type,
                error=error,
            )
        )
        if verdict == DeliveryVerdict.MALFORMED:
            return Response({"code": "malformed", "detail": error, "id": receipt.delivery_id}, status=400)
        if receipt.is_duplicate:
            return Response({"id": receipt.delivery_id, "status": "duplicate"})
        if verdict == DeliveryVerdict.PARKED:
            return Response({"id": receipt.delivery_id, "status": "parked"})
        wakeup.wake_workers()
        return Response({"id": receipt.delivery_id, "status": "accepted"})


def _forget_context(response: Any) -> None:
    """Let go of what rendering has noted: the response itself. Note [No rings]."""
    response.renderer_context.clear()


def _find_source(source_id: str) -> KnownSource:
    """Return the source that a path names; :raises WebhookSource.DoesNotExist: if none."""
    return known_sources.find(_read_id(source_id))


@lru_cache(maxsize=256)
def _read_id(source_id: str) -> UUID:
    """Return the id of a source, spelled as it was given out; :raises WebhookSource.DoesNotExist: if it is not."""
    try:
        key = UUID(source_id)
    except ValueError as error:
        raise WebhookSource.DoesNotExist from error
    if source_id.lower() != str(key):
        raise WebhookSource.DoesNotExist
    return key


def _requested_url(request: HttpRequest) -> str:
    """Return the address as the request names it: a hint for diagnosis, never what is verified."""
    return f"{request.scheme}://{request.META.get('HTTP_HOST', '')}{request.get_full_path()}"


def read_body(request: HttpRequest, limit: int = MAX_BODY_BYTES) -> bytes:
    """
    Read the raw bytes of the body, in pieces, so that nothing larger than is accepted is ever held.

    A chunked body has no Content-Length, and Django under WSGI then sees an empty one; where the server says that the
    stream ends with the body (`wsgi.input_terminated`), it is read from the stream itself.

    :raises BodyTooLarge: by what Content-Length says, before anything is read, or else while reading.
    :raises UnreadablePostError: if the sender went away.
    """
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared.isascii() and declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        raise BodyTooLarge
    is_chunked = not declared and request.META.get("wsgi.input_terminated")
    stream = request.META["wsgi.input"] if is_chunked else request
    pieces, size = [], 0
    try:
        while piece := stream.read(READ_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise BodyTooLarge
    except OSError as error:
        raise UnreadablePostError(*error.args) from error
    return b"".join(pieces)
