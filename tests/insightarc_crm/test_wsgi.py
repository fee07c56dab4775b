"""Bodies that come in chunks reach Django whole; requests have names."""

from __future__ import annotations

import contextvars
import io

import pytest
from django.core.handlers.wsgi import WSGIRequest

from insightarc_crm import logs
from insightarc_crm.wsgi import READ_BYTES, ChunkedBodies, RequestIds


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
            assert 0 < size <= READ_BYTES
            self.taken += size
            return b"x" * size

    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 200_000
    stream = Endless()
    lengths = []

    def application(environ, start_response):
        lengths.append(environ["CONTENT_LENGTH"])
        return []

    ChunkedBodies(application)({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": stream}, lambda *args: None)

    assert lengths == ["200001"]
    assert stream.taken == 200_001


def test_a_webhook_reads_its_stream_itself():
    class Untouched(io.RawIOBase):
        def read(self, size=-1):
            raise AssertionError("read before the view asked")

    seen = []
    environ = {"PATH_INFO": "/webhooks/insightarc/x/", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": Untouched()}

    ChunkedBodies(lambda environ, start_response: seen.append(environ) or [])(environ, lambda *args: None)

    assert "CONTENT_LENGTH" not in seen[0]
    assert isinstance(seen[0]["wsgi.input"], Untouched)


class TestRequestIds:
    def name_of(self, **environ):
        headers, bound = {}, []

        def application(environ, start_response):
            bound.append(logs.REQUEST.get())
            start_response("200 OK", [("Content-Type", "text/plain")])
            return []

        answer = RequestIds(application)
        contextvars.copy_context().run(answer, environ, lambda status, given, *more: headers.update(given))
        assert bound == [headers["X-Request-ID"]]
        return headers["X-Request-ID"]

    def test_each_request_has_a_name_in_log_and_answer(self):
        assert self.name_of() != self.name_of()

    def test_our_proxy_may_name_it(self, settings):
        settings.BEHIND_TLS_PROXY = True

        assert self.name_of(HTTP_X_REQUEST_ID="a1b2c3d4-e5f6") == "a1b2c3d4-e5f6"

    @pytest.mark.parametrize("given", ["short", "x" * 65, "with space", "line\nbreak1", "ada@example.com", ""])
    def test_nobody_plants_a_text(self, settings, given):
        settings.BEHIND_TLS_PROXY = True

        assert self.name_of(HTTP_X_REQUEST_ID=given) != given

    def test_a_stranger_may_not_name_it(self):
        assert self.name_of(HTTP_X_REQUEST_ID="a1b2c3d4-e5f6") != "a1b2c3d4-e5f6"
