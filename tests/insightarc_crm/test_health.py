"""What load balancers and containers ask."""

from __future__ import annotations

import pytest
from django.db import DatabaseError

from insightarc_crm import health


@pytest.mark.django_db
class TestReadyz:
    def test_says_ok_when_the_database_has_all_migrations(self, client):
        response = client.get("/readyz")

        assert response.status_code == 200
        assert response.json() == {"status": "ok", "checks": {"database": "ok", "migrations": "ok"}}

    def test_names_the_migrations_that_are_missing(self, client, monkeypatch):
        monkeypatch.setattr(health, "unapplied_migrations", lambda: ["webhooks.0002_more"])

        response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["migrations"] == "missing: webhooks.0002_more"

    def test_says_unavailable_when_the_database_does_not_answer(self, client, monkeypatch):
        def unreachable():
            raise DatabaseError("connection refused")

        monkeypatch.setattr(health, "unapplied_migrations", unreachable)

        response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["database"] == "unreachable"


def test_livez_needs_no_database(client):
    assert client.get("/livez").json() == {"status": "ok"}
