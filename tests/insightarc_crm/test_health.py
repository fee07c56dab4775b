"""What load balancers and containers ask."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from signals_app.webhooks.constants import AlertKind
from signals_app.webhooks.models import ConnectionAlert, InboxItem, WebhookDelivery


@pytest.mark.django_db
class TestReadyz:
    def test_says_ok_when_the_database_has_all_migrations(self, client):
        response = client.get("/readyz")

        assert response.status_code == 200
        assert response.json() == {
            "status": "ok",
            "checks": {"database": "ok", "migrations": "ok"},
            "connections": {"alerts": {}, "waiting_seconds": 0},
        }

    def test_stays_ready_and_counts_what_is_wrong_with_connections(self, client, source):
        now = timezone.now()
        ConnectionAlert.objects.create(source=source, kind=AlertKind.SILENT, detail="No signal.", opened_at=now)
        delivery = WebhookDelivery.objects.create(source=source, verdict="ACCEPTED", body=b"{}", body_sha256=b"x")
        InboxItem.objects.create(delivery=delivery, source=source, due_at=now - timedelta(minutes=10))

        response = client.get("/readyz")

        assert response.status_code == 200
        found = response.json()["connections"]
        assert found["alerts"] == {"SILENT": 1}
        assert 600 <= found["waiting_seconds"] < 660
        assert source.name not in response.content.decode()

    def test_names_the_migrations_that_are_missing(self, client, db):
        recorder = MigrationRecorder(connection)
        newest = recorder.migration_qs.filter(app="webhooks").latest("name").name
        recorder.record_unapplied("webhooks", newest)

        response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["migrations"] == f"missing: webhooks.{newest}"

    def test_says_unavailable_when_the_database_does_not_answer(self, client, db):
        def unreachable(*_):
            raise DatabaseError("connection refused")

        with connection.execute_wrapper(unreachable):
            response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["database"] == "unreachable"


def test_livez_needs_no_database(client):
    assert client.get("/livez").json() == {"status": "ok"}
