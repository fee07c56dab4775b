"""Webhook requests pass none of the middleware; everything else passes all of it."""

from typing import Any

import pytest
from django.test import Client

from signals_app.webhooks.models import WebhookSource

pytestmark = pytest.mark.django_db


def test_a_webhook_answer_carries_nothing_that_is_for_browsers(client: Client, source: WebhookSource) -> None:
    response = client.head(f"/webhooks/insightarc/{source.id}/")

    assert response.status_code == 200
    assert not response.cookies
    assert "Content-Security-Policy" not in response


@pytest.mark.parametrize("method", ["head", "post"])
def test_a_webhook_answer_says_how_long_it_is(client: Client, source: WebhookSource, method: str) -> None:
    response = getattr(client, method)(f"/webhooks/insightarc/{source.id}/")

    assert response["Content-Length"] == str(len(response.content))


def test_a_webhook_is_answered_whatever_its_host_is_called(client: Client, source: WebhookSource) -> None:
    assert client.head(f"/webhooks/insightarc/{source.id}/", HTTP_HOST="203.0.113.9").status_code == 200


@pytest.mark.parametrize("path", ["/webhooks/", "/webhooks/other/", "/webhooks/insightarc/a/b/"])
def test_another_path_is_not_found_like_any_other(client: Client, path: str) -> None:
    response = client.post(path)

    assert response.status_code == 404
    assert "Content-Security-Policy" in response


def test_an_unforeseen_error_is_500_and_reported(
    client: Client, source: WebhookSource, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(source_id: Any) -> Any:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("signals_app.webhooks.known_sources.find", fail)
    client.raise_request_exception = False

    assert client.head(f"/webhooks/insightarc/{source.id}/").status_code == 500
    assert "Internal Server Error" in caplog.text
