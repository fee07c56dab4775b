"""What the API says of itself is true: calls made from its own description."""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from insightarc_crm.wsgi import application
from signals_app.api.throttling import KeyThrottle
from signals_app.customers.models import Customer
from signals_app.emails.models import EmailMessage
from signals_app.projects import services as project_services
from signals_app.projects.models import Project
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from signals_app.segments.models import Segment
from signals_app.shopper_signals.models import ShopperSignal

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return dict(SchemaGenerator().get_schema(request=None, public=True))  # type: ignore[no-untyped-call]


class TestTheDescription:
    def test_is_served_to_everyone(self, client: Client, db: None) -> None:
        answer = client.get("/api/v1/schema/", headers={"accept": "application/vnd.oai.openapi+json"})

        assert answer.status_code == 200
        assert answer.json()["openapi"].startswith("3.")

    def test_names_every_operation_once_and_its_key(self, description: dict[str, Any]) -> None:
        operations = [operation for path in description["paths"].values() for operation in path.values()]

        names = [operation["operationId"] for operation in operations]
        assert len(names) == len(set(names)) == 21
        assert all(operation["security"] == [{"API key": []}] for operation in operations)
        assert all(operation.get("description") for operation in operations)

    @pytest.mark.slow
    @pytest.mark.django_db(transaction=True)  # each call through WSGI ends with closing its connection
    def test_holds_for_calls_made_from_it(
        self,
        transactional_db: None,
        description: dict[str, Any],
        fill_store: Callable[[Project], Project],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        project = fill_store(
            project_services.create_project(slug="shop", name="Shop", shop_url="https://shop.example/")
        )
        _, api_key = project_services.create_api_key(project=project, name="k", scopes=["read", "write"])
        monkeypatch.setattr(KeyThrottle, "THROTTLE_RATES", {"api": "100000/min"})
        schema = schemathesis.openapi.from_dict(description)
        schema.app = application
        headers = {"Authorization": f"Bearer {api_key}"}
        rows = {
            "customers": Customer,
            "signals": ShopperSignal,
            "matches": RuleMatch,
            "messages": EmailMessage,
            "rules": RemarketingRule,
            "segments": Segment,
        }
        for found in schema.get_all_operations():
            operation = found.ok()
            if "{id}" in operation.path:
                row = rows[operation.path.split("/")[3]].objects.filter(project=project).first()
                case = operation.Case(path_parameters={"id": str(row.pk)})
                assert case.call_and_validate(headers=headers, checks=CHECKS).status_code == 200

            @settings(
                max_examples=8,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def call(case: Any) -> None:
                case.call_and_validate(headers=headers, checks=CHECKS)

            call()
