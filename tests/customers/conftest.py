from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from signals_app.customers import services
from signals_app.customers.models import Order
from signals_app.projects import services as project_services
from signals_app.projects.models import Project

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def shop(db: None) -> Project:
    return project_services.create_project(slug="scarf-shop", name="Scarf Shop", shop_url="https://scarves.example/")


@pytest.fixture
def order(shop: Project) -> Callable[..., tuple[Order, bool]]:
    """Record an order of a@example.com, placed an hour ago; keyword arguments say what is different."""

    def record(**changes: Any) -> tuple[Order, bool]:
        said: dict[str, Any] = {
            "identifiers": {"email": "a@example.com"},
            "order_id": "R-1001",
            "total": Decimal("59.90"),
            "currency": "EUR",
            "placed_at": NOW - timedelta(hours=1),
            "now": NOW,
        }
        return services.record_order(project=shop, **said | changes)

    return record
