"""How the API describes itself (OpenAPI 3)."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from signals_app.api.serializers.base import ErrorSerializer

IDEMPOTENCY_KEY = OpenApiParameter(
    name="Idempotency-Key",
    type=OpenApiTypes.STR,
    location=OpenApiParameter.HEADER,
    description="Any text of your own, 1 to 255 characters. Repeated within 24 hours with the same body, the write is "
    "answered as the first time and not done again; with another body, the answer is 409.",
)

REFUSALS = ("400", "401", "403", "406", "429", "503")
REFUSALS_OF_A_BODY = ("409", "413", "415")


@cache
def page_of(serializer: type[serializers.BaseSerializer[Any]], *, is_streamed: bool = True) -> dict[Any, Any]:
    """Return the responses of a list: a page of JSON, or all rows as lines of JSON."""
    page = inline_serializer(
        name=f"PageOf{serializer.__name__.removesuffix('Serializer')}",
        fields={
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "as_of": serializers.DateTimeField(help_text="What the next `updated_since` should say."),
            "results": serializer(many=True),
        },
    )
    responses: dict[Any, Any] = {(200, "application/json"): page}
    if is_streamed:
        responses[200, "application/x-ndjson"] = OpenApiTypes.STR
    return responses


class Schema(AutoSchema):
    """Adds to each operation how it can be refused."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False  # `page_of` says what a list looks like

    def get_operation_id(self) -> str:
        name = super().get_operation_id()
        return (
            name.replace("_retrieve", "_list") if self.method == "GET" and hasattr(self.view, "query_class") else name
        )

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        responses: dict[str, Any] = super()._get_response_bodies(direction)
        refusals = [*REFUSALS, *(["404"] if "{" in self.path else [])]
        if self.path.endswith("/lookup/"):
            refusals.append("404")
        if self.method == "POST":
            refusals += REFUSALS_OF_A_BODY
        for status in sorted(refusals):
            refusal = self._get_response_for_code(  # type: ignore[no-untyped-call]
                ErrorSerializer, status, media_types=["application/json"]
            )
            responses.setdefault(status, refusal)
        return responses


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "signals_app.api.authentication.ApiKeyAuthentication"
    name = "API key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key of the store, made in the admin."}
