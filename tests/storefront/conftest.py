from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from signals_app.customers.models import Customer, Identifier
from signals_app.projects.models import Project
from signals_app.storefront import services
from signals_app.storefront.models import Storefront
from signals_app.storefront.proofs import proof_of

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
ORIGIN = "https://shop.example.com"
Call = Callable[..., Any]


@pytest.fixture
def storefront(project: Project) -> Storefront:
    return services.set_up(project=project)


@pytest.fixture
def call(client: Client, storefront: Storefront) -> Call:
    """Post what a page of the shop says, as its browser does; `origin=None` sends none."""

    def call(
        body: dict[str, Any] | bytes, *, key: str | None = None, origin: str | None = ORIGIN, **request: Any
    ) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = ({"origin": origin} if origin is not None else {}) | request.pop("headers", {})
        return client.generic(
            request.pop("method", "POST"),
            f"/t/{key or storefront.public_key}/identify",
            data=raw,
            content_type=request.pop("content_type", "text/plain;charset=UTF-8"),
            headers=headers,
            **request,
        )

    return call


@pytest.fixture
def prove(storefront: Storefront) -> Callable[[str], str]:
    """Compute a proof as the shop's server does."""
    return lambda value: proof_of(storefront.proof_secret, value)


def people() -> list[list[tuple[str, str]]]:
    """Return who is known by what: a list of each customer's identifiers."""
    return sorted(
        sorted(Identifier.objects.filter(customer=customer).values_list("kind", "value"))
        for customer in Customer.objects.all()
    )
