"""What the API takes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from signals_app.api.serializers.base import StrictSerializer, TextField, check_json
from signals_app.customers.constants import KINDS_BY_STRENGTH, Channel, OrderState, Topic

MAX_ATTRIBUTES = 100
MAX_ITEMS = 200


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "integer"}], "nullable": True})
class IdentifierField(serializers.Field[Any, Any, Any, Any]):
    """Text or a whole number; the room of customers says whether it can be used."""

    def to_internal_value(self, data: Any) -> Any:
        return data


def identifier_field(help_text: str) -> IdentifierField:
    return IdentifierField(required=False, allow_null=True, help_text=help_text)


class IdentifiedSerializer(StrictSerializer):
    """Says whom it is about with at least one identifier."""

    external_id = identifier_field("The shop's own customer number.")
    email = identifier_field("E-mail address.")
    anonymous_id = identifier_field("ID of a browser, as the shop's script made it.")
    session_id = identifier_field("ID of one visit.")

    def identifiers(self) -> dict[str, Any]:
        return {kind: self.validated_data[kind] for kind in KINDS_BY_STRENGTH if kind in self.validated_data}


class IdentifyRequest(IdentifiedSerializer):
    attributes = serializers.DictField(
        required=False, allow_null=True, help_text="What to remember of the person; null takes a key away."
    )
    timezone = TextField(required=False, allow_null=True, allow_blank=True, max_length=64, help_text="Europe/Berlin")

    def validate_attributes(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value and len(value) > MAX_ATTRIBUTES:
            raise serializers.ValidationError(f"More than {MAX_ATTRIBUTES} attributes.")
        return check_json(value) if value else value


class IdentifyAnswer(serializers.Serializer[Any]):
    customer = serializers.UUIDField()
    status = serializers.ChoiceField(
        choices=["created", "linked", "conflict"],
        help_text="conflict: the identifiers belong to two known shoppers; a person decides, nothing was joined.",
    )


class ConsentRequest(IdentifiedSerializer):
    channel = serializers.ChoiceField(choices=Channel.choices)
    topic = serializers.ChoiceField(choices=Topic.choices, default=Topic.MARKETING)
    granted = serializers.BooleanField()
    source = TextField(  # type: ignore[assignment]  # a field is no attribute once the class is made
        max_length=100, help_text="Where it was said, such as “newsletter form”."
    )
    wording = TextField(required=False, default="", allow_blank=True, max_length=5_000, help_text="What was agreed to.")
    occurred_at = serializers.DateTimeField(required=False, allow_null=True)


class ConsentAnswer(serializers.Serializer[Any]):
    customer = serializers.UUIDField()
    channel = serializers.CharField()
    topic = serializers.CharField()
    granted = serializers.BooleanField(help_text="What holds now; something later may have been said already.")


class OrderItem(StrictSerializer):
    sku = TextField(required=False, allow_blank=True, max_length=100)
    title = TextField(required=False, allow_blank=True, max_length=300)
    quantity = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)
    price = serializers.DecimalField(required=False, max_digits=14, decimal_places=2, min_value=0)
    url = TextField(required=False, allow_blank=True, max_length=2_000)


class OrderRequest(IdentifiedSerializer):
    """An order, told of for the first time or again; what is left out of one that is known stays as it is."""

    order_id = serializers.CharField(max_length=100)
    total = serializers.DecimalField(max_digits=14, decimal_places=2, min_value=0)
    currency = TextField(max_length=3, help_text="Three letters, such as EUR.")
    placed_at = serializers.DateTimeField()
    items = OrderItem(many=True, required=False)
    state = serializers.ChoiceField(
        required=False, choices=OrderState.choices, help_text="A new order is placed unless said otherwise."
    )
    refunded_total = serializers.DecimalField(
        required=False, allow_null=True, max_digits=14, decimal_places=2, min_value=0
    )

    country = TextField(required=False, max_length=2, help_text="Two letters, such as DE: where it was bought for.")

    def validate_items(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(value) > MAX_ITEMS:
            raise serializers.ValidationError(f"More than {MAX_ITEMS} items.")
        return [{name: str(one) if name == "price" else one for name, one in item.items()} for item in value]


class OrderAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    order_id = serializers.CharField()
    customer = serializers.UUIDField(source="identifier.customer_id")
    state = serializers.ChoiceField(choices=OrderState.choices)
    total = serializers.DecimalField(max_digits=14, decimal_places=2)
    refunded_total = serializers.DecimalField(max_digits=14, decimal_places=2)
    currency = serializers.CharField()
    placed_at = serializers.DateTimeField()
