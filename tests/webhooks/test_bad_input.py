"""Whatever is signed is answered 200 or 400 with its bytes kept, and afterwards every list still opens."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.renderers import JSONRenderer

from signals_app.projects.constants import Role
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import pipeline
from signals_app.webhooks.models import InboxItem, WebhookDelivery, WebhookSource

pytestmark = pytest.mark.django_db

Post = Callable[..., Any]

SCALARS = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e308", "5e-324", "-0", "-0.0", "0", "1", "-1", "0.5"),
    *("2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "9" * 400, "9" * 5_000),
    *("true", "false", "null", '""', '"0.95"', '"1_0"', '"NaN"', "[]", "{}", "[1]", '{"value":1}', "1.5", "3.0"),
    *('"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"' + "x" * 10_000 + '"', "\"=cmd|' /C calc'!A0\""),
]
FIELDS = ["drop_proba", "perfomance", "num_events", "avg_loops", "relevant_events", "user_id", "email", "occurred_at"]
BODIES = [
    *(("{" + ",".join(f'"{field}":{scalar}' for field in FIELDS) + "}").encode() for scalar in SCALARS),
    *(f'{{"{key}":1}}'.encode() for key in ("\\u0000", "\\ud800", "", "x" * 9_000, "__proto__", "a.b", "$where", "id")),
    *(
        json.dumps({"relevant_events": [{"name": name}]}).encode()
        for name in (
            "<script>alert(1)</script>",
            "javascript:alert(1)",
            '"><img src=x onerror=alert(1)>',
            "{{ 7*7 }}{% load log %}",
            "a\r\nBcc: x@example.com",
            "https://shop.example.com@evil.example/products/a",
            "//evil.example/products/a",
            "https://[::1/products/a",
            "http://xn--a/products/%ff%00",
            "/products/" + "a/" * 2_000,
            "/products/a?" + "&".join(f"k{n}=v" for n in range(200)),
            "\u202e/products/gpj",
            "data:text/html,<script>alert(1)</script>",
        )
    ),
    json.dumps({"relevant_events": [{"name": f"/products/p{n}"} for n in range(5_000)]}).encode(),
    json.dumps({f"k{n}": n for n in range(14_000)}).encode(),
    json.dumps({"list": list(range(30_000))}).encode(),
    b'{"a":' * 100 + b"1" + b"}" * 100,
    b'{"a":' * 900 + b"1" + b"}" * 900,
    b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"a":1,"a":2,"drop_proba":0.1,"drop_proba":0.2}',
    '{"drop_proba":0.9}'.encode("utf-16"),
    b"\xef\xbb\xbf" + b'{"drop_proba":0.9}',
    b"\xef\xbb\xbf",
    b'{"city":"K\xf6ln"}',
    b"{}",
    b"",
    b"\x00" * 1_000,
    b"[" * 250_000,
    b"1e999999999",
    b"drop_proba=0.9&user_id=1",
    b"<xml/>",
    b'{"user":{"id":"u1","id":"u2"},"email":["a@example.com"]}',
]


def answer_every(post_signal: Post, bodies: list[bytes]) -> None:
    for body in bodies:
        response = post_signal(body)
        assert response.status_code in {200, 400}, body[:200]
        assert bytes(WebhookDelivery.objects.get(pk=response.json()["id"]).body) == body


def everything_opens(browser: Client) -> None:
    models: list[type[Model]] = [WebhookDelivery, InboxItem, ShopperSignal]
    for model in models:
        page = browser.get(reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist"))
        assert page.status_code == 200
        assert b"<script>alert" not in page.content
    JSONRenderer().render(list(ShopperSignal.objects.values()))


def test_the_catalogue_of_bad_input_breaks_nothing(
    post_signal: Post, source: WebhookSource, sign_in: Callable[..., Client]
) -> None:
    answer_every(post_signal, BODIES)

    while InboxItem.objects.filter(state="PENDING", due_at__lte=timezone.now(), lease_until=None).exists():
        report = pipeline.process_batch(now=timezone.now())
        assert (report.failed, report.quarantined) == (0, 0)

    everything_opens(sign_in(Role.OWNER))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from(FIELDS) | st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
            max_leaves=8,
        ),
        max_size=6,
    ).map(lambda body: json.dumps(body).encode())
)
def test_any_signed_bytes_are_kept_and_processed(post_signal: Post, source: WebhookSource, body: bytes) -> None:
    answer_every(post_signal, [body])

    report = pipeline.process_batch(now=timezone.now())

    assert (report.failed, report.quarantined) == (0, 0)
    JSONRenderer().render(list(ShopperSignal.objects.values()))
