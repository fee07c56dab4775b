"""Every row of the answer table, through the address that Insightarc posts to, with really signed bodies."""

import gc
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from django.utils import timezone

from signals_app.core.models import new_id
from signals_app.webhooks import inbox, rejections, signature
from signals_app.webhooks.constants import DeliveryVerdict, InboxState, RejectionReason
from signals_app.webhooks.models import (
    HourlyCount,
    InboxItem,
    SeenBody,
    SignatureFailure,
    WebhookDelivery,
    WebhookSecret,
    WebhookSource,
)

pytestmark = pytest.mark.django_db

Post = Callable[..., Any]


def path_of(source: WebhookSource) -> str:
    return f"/webhooks/insightarc/{source.id}/"


def kept() -> int:
    return WebhookDelivery.objects.count() + InboxItem.objects.count() + SignatureFailure.objects.count()


class TestAnUnknownSource:
    @pytest.mark.parametrize("method", ["get", "post", "head", "options", "put", "delete", "patch"])
    @pytest.mark.parametrize("name", ["0192f4a0-0000-7000-8000-000000000000", "demo", "1", "%00", "🦊", ""])
    def test_is_404_by_any_method(self, client: Client, method: str, name: str) -> None:
        response = getattr(client, method)(f"/webhooks/insightarc/{name}/")

        assert response.status_code == 404
        if method != "head":
            assert response.json() == {"code": "not_found", "detail": "There is no webhook at this address."}

    def test_has_one_spelling(self, client: Client, source: WebhookSource) -> None:
        assert client.head(f"/webhooks/insightarc/{source.id.hex}/").status_code == 404
        assert client.head(f"/webhooks/insightarc/{{{source.id}}}/").status_code == 404


class TestTheProbe:
    @pytest.mark.parametrize("slash", ["/", ""])
    def test_is_200_and_empty_and_keeps_nothing(self, client: Client, source: WebhookSource, slash: str) -> None:
        response = client.head(f"/webhooks/insightarc/{source.id}{slash}", headers={"accept": "*/*"})

        assert (response.status_code, response.content) == (200, b"")
        assert kept() == 0

    def test_is_200_while_paused_and_without_a_secret(self, client: Client, source: WebhookSource) -> None:
        source.secrets.all().delete()
        WebhookSource.objects.update(is_paused=True)

        assert client.head(path_of(source)).status_code == 200

    def test_is_200_whatever_it_accepts(self, client: Client, source: WebhookSource) -> None:
        assert client.head(path_of(source) + "?format=xml", headers={"accept": "text/plain"}).status_code == 200


class TestOtherMethods:
    def test_options_is_200(self, client: Client, source: WebhookSource) -> None:
        response = client.options(path_of(source))

        assert (response.status_code, response["Allow"]) == (200, "POST, HEAD, OPTIONS")

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
    def test_others_are_405_with_what_is_allowed(self, client: Client, source: WebhookSource, method: str) -> None:
        response = client.generic(method, path_of(source))

        assert (response.status_code, response["Allow"]) == (405, "POST, HEAD, OPTIONS")


class TestTheSize:
    LIMIT = 256 * 1024

    def test_256_kib_are_accepted(self, post_signal: Post) -> None:
        body = b'{"x":"' + b"x" * (self.LIMIT - 8) + b'"}'

        assert len(body) == self.LIMIT
        assert post_signal(body).status_code == 200

    def test_more_is_413_and_not_kept(self, post_signal: Post) -> None:
        response = post_signal(b'{"x":"' + b"x" * (self.LIMIT - 7) + b'"}')

        assert response.status_code == 413
        assert kept() == 0

    def test_a_declared_gigabyte_is_413_before_it_is_read(self, client: Client, source: WebhookSource) -> None:
        class Unread(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                raise AssertionError("The body was read.")

        environ = {"CONTENT_LENGTH": str(10**9), "wsgi.input": Unread()}
        response = client.generic("POST", path_of(source), **environ)  # type: ignore[arg-type]

        assert response.status_code == 413


class TestAChunkedBody:
    """The server takes the chunks apart; what is left has no Content-Length and ends with the stream."""

    @staticmethod
    def post(client: Client, source: WebhookSource, body: bytes, stream: io.BytesIO | None = None) -> Any:
        signed = signature.sign("whsec_test", body, source.registered_urls[0])
        environ: Any = {
            "wsgi.input": stream or io.BytesIO(body),
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
            "HTTP_X_INSIGHTARC_SIGNATURE": signed,
        }
        return client.generic("POST", path_of(source), **environ)

    def test_is_accepted(self, client: Client, source: WebhookSource) -> None:
        response = self.post(client, source, b'{"drop_proba":0.5}')

        assert response.json()["status"] == "accepted"
        assert bytes(WebhookDelivery.objects.get().body) == b'{"drop_proba":0.5}'

    def test_that_is_cut_off_is_an_answer_to_nobody(self, client: Client, source: WebhookSource) -> None:
        class CutOff(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                raise ConnectionResetError(104, "Connection reset by peer")

        response = self.post(client, source, b"{}", CutOff())

        assert (response.status_code, response.json()["code"]) == (400, "incomplete")
        assert kept() == 0

    def test_is_counted_while_it_is_read(self, client: Client, source: WebhookSource) -> None:
        assert self.post(client, source, b"x" * 300_000).status_code == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "nonsense"])
def test_a_content_encoding_is_415(post_signal: Post, encoding: str) -> None:
    assert post_signal(b"{}", headers={"content-encoding": encoding}).status_code == 415
    assert kept() == 0


class TestASourceWithoutASecret:
    @pytest.fixture
    def secretless(self, source: WebhookSource) -> WebhookSource:
        source.secrets.all().delete()
        return source

    def test_is_401_and_the_newest_50_bodies_are_put_aside(self, post_signal: Post, secretless: WebhookSource) -> None:
        for number in range(52):
            assert post_signal({"num_events": number}).status_code == 401

        bodies = [bytes(row.body) for row in SignatureFailure.objects.order_by("pk")]
        assert bodies == [b'{"num_events":%d}' % number for number in range(2, 52)]
        assert {row.reason for row in SignatureFailure.objects.all()} == {RejectionReason.NO_SECRET}
        counted = HourlyCount.objects.filter(outcome=RejectionReason.NO_SECRET)
        assert sum(counted.values_list("count", flat=True)) == 52
        assert WebhookDelivery.objects.count() == 0

    def test_says_the_same_as_a_wrong_signature(self, post_signal: Post, secretless: WebhookSource) -> None:
        without = post_signal(b"{}")
        WebhookSecret.objects.create(source=secretless, secret="right")

        wrong = post_signal(b"{}")

        assert (without.content, without.status_code) == (wrong.content, 401)


class TestAWrongSignature:
    @pytest.mark.parametrize(
        "given",
        ["", "x", "é", "a" * 100_000, "UQc4l99dMumEP+YBXXjR6JS0bp4=", "\ud800", "=" * 28],
        ids=lambda text: ascii(text)[:12],
    )
    def test_is_401_with_nothing_read(self, post_signal: Post, given: str) -> None:
        response = post_signal(b'{"drop_proba": 0.9}', headers={signature.HEADER: given})

        assert response.status_code == 401
        assert response.json()["code"] == "not_verified"
        assert WebhookDelivery.objects.count() == 0

    def test_may_be_missing(self, client: Client, source: WebhookSource) -> None:
        assert client.post(path_of(source), b"{}", content_type="application/json").status_code == 401

    def test_may_stand_there_twice(self, post_signal: Post, source: WebhookSource) -> None:
        right = signature.sign("whsec_test", b"{}", source.registered_urls[0])

        assert post_signal(b"{}", headers={signature.HEADER: f"{right},{right}"}).status_code == 401

    def test_is_counted_and_one_body_in_10_seconds_is_put_aside(self, post_signal: Post) -> None:
        for number in range(3):
            post_signal({"num_events": number}, secret="wrong")

        assert HourlyCount.objects.get(outcome=RejectionReason.BAD_SIGNATURE).count == 3
        assert bytes(SignatureFailure.objects.get().body) == b'{"num_events":0}'

    def test_is_counted_but_not_written_each_time_in_a_flood(self) -> None:
        gate, source_id = rejections.FloodGate(), new_id()

        first = [gate.pass_one(source_id, clock=7.0) for _ in range(1_000)]
        later = [gate.pass_one(source_id, clock=8.0) for _ in range(2)]

        assert sum(1 for written in first if written) == rejections.WRITES_A_SECOND
        assert sum(first) + sum(later) == 1_002

    def test_is_not_put_aside_above_32_kib(self, post_signal: Post) -> None:
        post_signal(b"x" * (32 * 1024 + 1), secret="wrong")

        assert HourlyCount.objects.get().count == 1
        assert not SignatureFailure.objects.exists()

    def test_can_be_right_for_another_source_with_the_same_secret(
        self, client: Client, source: WebhookSource, post_signal: Post
    ) -> None:
        other = WebhookSource.objects.create(project=source.project, registered_urls=["https://crm.example.com/other/"])
        WebhookSecret.objects.create(source=other, secret="whsec_test")
        signed = signature.sign("whsec_test", b"{}", source.registered_urls[0])

        response = client.post(
            path_of(other), b"{}", content_type="application/json", headers={signature.HEADER: signed}
        )

        assert response.status_code == 401
        assert post_signal(b"{}", source=other).status_code == 200

    def test_can_have_been_right_until_the_secret_expired(self, source: WebhookSource, post_signal: Post) -> None:
        WebhookSecret.objects.create(source=source, secret="old", expires_at=timezone.now() + timedelta(minutes=1))
        assert post_signal({"num_events": 1}, secret="old").status_code == 200

        WebhookSecret.objects.filter(expires_at__isnull=False).update(expires_at=timezone.now() - timedelta(seconds=1))

        assert post_signal({"num_events": 2}, secret="old").status_code == 401
        assert post_signal({"num_events": 3}).status_code == 200


class TestWhenTheDatabaseFails:
    @pytest.fixture
    def no_writing(self) -> Any:
        """Make the database refuse every insert of a delivery, as a full disk would."""

        def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if "INSERT INTO" in sql and "webhooks_webhookdelivery" in sql.replace('"', ""):
                raise OperationalError("database or disk is full")
            return execute(sql, params, many, context)

        return connection.execute_wrapper(refuse)

    def test_it_is_503_with_nothing_kept_and_the_next_try_is_accepted(self, post_signal: Post, no_writing: Any) -> None:
        with no_writing:
            refused = post_signal({"num_events": 1})

        assert (refused.status_code, refused["Retry-After"]) == (503, "5")
        assert kept() == 0
        assert post_signal({"num_events": 1}).json()["status"] == "accepted"

    def test_a_source_that_cannot_be_looked_up_is_503_too(self, client: Client, source: WebhookSource) -> None:
        def refuse(*args: Any) -> Any:
            raise OperationalError("server closed the connection")

        with connection.execute_wrapper(refuse):
            response = client.head(path_of(source))

        assert response.status_code == 503

    def test_a_secret_that_cannot_be_decrypted_is_503(self, post_signal: Post, settings: Any) -> None:
        settings.FIELD_ENCRYPTION_KEYS = ["another key"]

        assert post_signal(b"{}").status_code == 503


class TestABodyThatIsNoJsonObject:
    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff\xfe", b'{"a":' * 40_000], ids=lambda b: repr(b[:8]))
    def test_is_400_with_the_bytes_kept_for_a_person(self, post_signal: Post, body: bytes) -> None:
        response = post_signal(body)

        delivery = WebhookDelivery.objects.get()
        assert response.status_code == 400
        assert response.json()["code"] == "malformed"
        assert response.json()["detail"]
        assert response.json()["id"] == str(delivery.id)
        assert (bytes(delivery.body), delivery.verdict) == (body, DeliveryVerdict.MALFORMED)
        assert InboxItem.objects.get().state == InboxState.QUARANTINED
        assert InboxItem.objects.get().error == response.json()["detail"]

    def test_is_kept_once_when_it_is_repeated(self, post_signal: Post) -> None:
        first, second = post_signal(b"[]"), post_signal(b"[]")

        assert (second.status_code, second.json()) == (400, first.json())
        assert WebhookDelivery.objects.count() == 1


class TestTheSameBytesAgain:
    def test_are_a_duplicate_counted_on_the_first(self, post_signal: Post) -> None:
        first = post_signal({"num_events": 1}).json()

        for _ in range(3):
            again = post_signal({"num_events": 1})

            assert (again.status_code, again.json()) == (200, {"id": first["id"], "status": "duplicate"})
        assert WebhookDelivery.objects.count() == 1
        assert SeenBody.objects.get().duplicate_count == 3
        assert HourlyCount.objects.get(outcome=inbox.DUPLICATE).count == 3

    def test_are_new_after_the_window_which_starts_with_the_accepted_copy(self, post_signal: Post) -> None:
        start = timezone.now()
        statuses = [
            post_signal({"num_events": 1}, at=start + timedelta(seconds=seconds)).json()["status"]
            for seconds in (0, 590, 610, 620, 1_205, 1_215)
        ]

        assert statuses == ["accepted", "duplicate", "accepted", "duplicate", "duplicate", "accepted"]
        assert WebhookDelivery.objects.count() == 3

    def test_are_always_new_when_the_window_is_0(self, post_signal: Post) -> None:
        WebhookSource.objects.update(duplicate_window_seconds=0)

        assert [post_signal({}).json()["status"] for _ in range(3)] == ["accepted"] * 3
        assert WebhookDelivery.objects.count() == 3

    def test_are_new_at_another_source(self, source: WebhookSource, post_signal: Post) -> None:
        other = WebhookSource.objects.create(project=source.project, registered_urls=["https://crm.example.com/other/"])
        WebhookSecret.objects.create(source=other, secret="whsec_test")

        assert post_signal({}).json()["status"] == "accepted"
        assert post_signal({}, source=other).json()["status"] == "accepted"

    def test_are_recognised_inside_one_commit(self, source: WebhookSource) -> None:
        first, again, other = (
            inbox.Arrival(source.id, body, DeliveryVerdict.ACCEPTED, source.duplicate_window_seconds)
            for body in (b"{}", b"{}", b'{"a":1}')
        )

        receipts = inbox.keep([first, again, other])

        assert [receipt.is_duplicate for receipt in receipts] == [False, True, False]
        assert receipts[0].delivery_id == receipts[1].delivery_id


def test_a_paused_source_parks(post_signal: Post) -> None:
    WebhookSource.objects.update(is_paused=True)

    response = post_signal({"num_events": 1})

    delivery = WebhookDelivery.objects.get()
    assert (response.status_code, response.json()) == (200, {"id": str(delivery.id), "status": "parked"})
    assert delivery.verdict == DeliveryVerdict.PARKED
    assert InboxItem.objects.get().state == InboxState.PARKED


class TestASignedJsonObject:
    @pytest.mark.parametrize("slash", ["/", ""])
    def test_is_accepted_and_kept_byte_for_byte(self, client: Client, source: WebhookSource, slash: str) -> None:
        body = ' {"drop_proba" : 0.95,"ü":"\\u00fc"}\n'.encode()
        signed = signature.sign("whsec_test", body, source.registered_urls[0])

        response = client.post(
            f"/webhooks/insightarc/{source.id}{slash}",
            body,
            content_type="application/json",
            headers={signature.HEADER: signed},
        )

        delivery = WebhookDelivery.objects.get()
        assert (response.status_code, response.json()) == (200, {"id": str(delivery.id), "status": "accepted"})
        assert bytes(delivery.body) == body
        assert InboxItem.objects.get().state == InboxState.PENDING
        assert abs(delivery.received_at - timezone.now()) < timedelta(seconds=5)

    @pytest.mark.parametrize(
        "content_type",
        [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=utf-16",
            "application/json; charset=idna",
            "nonsense" * 50,
        ],
    )
    def test_is_read_the_same_whatever_its_headers_say(self, post_signal: Post, content_type: str) -> None:
        response = post_signal(
            json.dumps({"drop_proba": 0.5}).encode(), content_type=content_type, headers={"accept": "text/html"}
        )

        assert response.json()["status"] == "accepted"

    def test_is_verified_by_the_registered_text_and_not_by_the_request(
        self, source: WebhookSource, post_signal: Post
    ) -> None:
        source.registered_urls = ["HTTPS://CRM.example.com:443/anything?shop=1#frag", "https://crm.example.com/ü"]
        source.save()

        assert post_signal({"num_events": 1}).status_code == 200
        source.registered_urls.reverse()
        assert post_signal({"num_events": 2}).status_code == 200

    def test_asks_the_database_a_bounded_number_of_times(
        self, post_signal: Post, source: WebhookSource, django_assert_max_num_queries: Any, client: Client
    ) -> None:
        signed = signature.sign("whsec_test", b"{}", source.registered_urls[0])

        with django_assert_max_num_queries(9):  # source, secrets, and seven of the transaction
            client.post(path_of(source), b"{}", content_type="application/json", headers={signature.HEADER: signed})


@pytest.mark.django_db(transaction=True)
def test_an_answer_leaves_nothing_for_the_garbage_collector(source: WebhookSource, settings: Any) -> None:
    """What waits to be collected is collected while every other request waits (Note [No rings], in `views`)."""
    settings.WEBHOOK_SOURCE_CACHE_SECONDS = 600  # reading it anew is no part of an answer
    answer = WSGIHandler()
    statuses: list[str] = []

    def post(number: int) -> None:
        body = json.dumps({"num_events": number}).encode()
        signed = signature.sign("whsec_test", body, source.registered_urls[0])
        request = RequestFactory().post(
            path_of(source), body, content_type="application/json", headers={signature.HEADER: signed}
        )
        environ = request.environ
        del request
        response = answer(environ, lambda status, headers: statuses.append(status))
        b"".join(response)
        response.close()

    post(0)  # loads what is loaded once
    gc.collect()
    gc.disable()
    try:
        for number in range(1, 4):
            post(number)
        left = gc.collect()
    finally:
        gc.enable()

    assert statuses == ["200 OK"] * 4
    assert left == 0
