"""Bodies that come in chunks reach Django whole."""

from __future__ import annotations

import io

import pytest
from django.core.handlers.wsgi import WSGIRequest

from insightarc_crm.wsgi import ChunkedBodies


def body_seen_by_django(**environ):
    seen = []

    def application(environ, start_response):
        request = WSGIRequest(environ)
        seen.append((request.META.get("CONTENT_LENGTH"), request.body))
        return []

    ChunkedBodies(application)(
        {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.url_scheme": "http", **environ}, lambda *args: None
    )
    return seen[0]


@pytest.mark.parametrize("encoding", ["chunked", "Chunked", "gzip, chunked"])
def test_a_chunked_body_arrives_with_its_length(encoding):
    stream = io.BytesIO(b"signed bytes")

    assert body_seen_by_django(**{"HTTP_TRANSFER_ENCODING": encoding, "wsgi.input": stream}) == ("12", b"signed bytes")


def test_a_body_with_a_length_is_left_alone():
    stream = io.BytesIO(b"signed bytes and the next request")

    assert body_seen_by_django(**{"CONTENT_LENGTH": "12", "wsgi.input": stream}) == ("12", b"signed bytes")


def test_an_endless_body_is_read_only_as_far_as_django_takes_it(settings):
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size=-1):
            self.taken += size
            return b"x" * size

    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    stream = Endless()
    lengths = []

    def application(environ, start_response):
        lengths.append(environ["CONTENT_LENGTH"])
        return []

    ChunkedBodies(application)({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": stream}, lambda *args: None)

    assert lengths == ["1001"]
    assert stream.taken == 1001
