from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signals_app.customers import services as customer_services
from signals_app.customers.models import Identifier
from signals_app.customers.services import Sighting
from signals_app.projects.models import Project
from signals_app.shopper_signals.services import NewSignal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

EXAMPLE = {
    "drop_proba": 0.97,
    "performance": 1.4,
    "num_loops": 1,
    "num_broken_buttons": 0,
    "avg_loops": 1.0,
    "avg_broken_buttons": 0.1,
    "relevant_events": [
        {"name": "https://shop.example.com/products/merino-base-layer"},
        {"name": "https://shop.example.com/products/ridge-tent-2"},
        {"name": "https://shop.example.com/cart"},
    ],
}
"""The body that must fire the first example automation, without `num_events`."""


def make_signal(at: datetime = NOW, identifier: Identifier | None = None, **values: Any) -> NewSignal:
    return NewSignal(id=values.pop("id", None) or uuid.uuid4(), received_at=at, identifier=identifier, **values)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@pytest.fixture
def shopper(project: Project) -> Callable[..., Identifier]:
    """Return the identifier of a shopper with this e-mail address."""

    def shopper(email: str = "anna@example.com", **other: str) -> Identifier:
        sighting = Sighting("x", {"email": email, **other} if email else dict(other))
        return customer_services.resolve(project=project, sightings=[sighting], now=NOW)["x"]

    return shopper
