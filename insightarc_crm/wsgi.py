"""The WSGI application that the web server runs."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from insightarc_crm import logs
from insightarc_crm.garbage import FOR_REQUESTS, collect_only_what_is_new

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insightarc_crm.settings")

READ_BYTES = 64 * 1024
WEBHOOKS = "/webhooks/"
"""Below it, views read the stream themselves, and stop earlier than is done here."""
SPOKEN_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class ChunkedBodies:
    """
    Give Django the bodies that come in chunks, without a Content-Length.

    Django reads as many bytes as Content-Length says, so it sees an empty body, and the signature of a sender that
    streams would never fit. Such a body is read here first, in pieces, until it is longer than Django takes: it is
    then refused for its length, as it would be with a Content-Length.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if (
            "HTTP_TRANSFER_ENCODING" in environ
            and "chunked" in environ["HTTP_TRANSFER_ENCODING"].lower()
            and not environ.get("CONTENT_LENGTH")
            and not environ.get("PATH_INFO", "").startswith(WEBHOOKS)
        ):
            body = _read(environ["wsgi.input"], at_most=(settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) + 1)
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return self._application(environ, start_response)


class RequestIds:
    """
    Name each request, in its log lines and in its answer.

    Behind a proxy of ours, the name that it gave (X-Request-ID) is kept, so that its log and ours can be read together.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given = environ.get("HTTP_X_REQUEST_ID", "") if settings.BEHIND_TLS_PROXY else ""
        name = given if SPOKEN_ID.fullmatch(given) else os.urandom(8).hex()
        logs.REQUEST.set(name)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
            return start_response(status, [*headers, ("X-Request-ID", name)], *more)

        return self._application(environ, start)


def _read(stream: Any, *, at_most: int) -> bytes:
    body = bytearray()
    while len(body) < at_most and (piece := stream.read(min(READ_BYTES, at_most - len(body)))):
        body += piece
    return bytes(body)


application = RequestIds(ChunkedBodies(get_wsgi_application()))
get_resolver().url_patterns  # noqa: B018 - loads every view now instead of during the first request
collect_only_what_is_new(FOR_REQUESTS)
