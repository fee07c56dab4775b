"""The WSGI application that the web server runs."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.wsgi import get_wsgi_application

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insightarc_crm.settings")


class ChunkedBodies:
    """
    Give Django the bodies that come in chunks, without a Content-Length.

    Django reads as many bytes as Content-Length says, so it sees an empty body, and the signature of a sender that
    streams would never fit. Such a body is read here first, up to one byte more than Django takes: a longer one is
    then refused for its length, as it would be with a Content-Length.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower() and not environ.get("CONTENT_LENGTH"):
            body = environ["wsgi.input"].read((settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) + 1)
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return self._application(environ, start_response)


application = ChunkedBodies(get_wsgi_application())
