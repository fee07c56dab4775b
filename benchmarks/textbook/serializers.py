from __future__ import annotations

from typing import Any

from rest_framework import serializers

from benchmarks.textbook.models import Customer, Signal


class EventSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=2_000)


class SignalSerializer(serializers.Serializer[Signal]):
    drop_proba = serializers.FloatField(min_value=0, max_value=1, required=False, allow_null=True)
    perfomance = serializers.FloatField(source="performance", min_value=0, required=False, allow_null=True)
    num_events = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    num_loops = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    num_broken_buttons = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    avg_loops = serializers.FloatField(min_value=0, required=False, allow_null=True)
    avg_broken_buttons = serializers.FloatField(min_value=0, required=False, allow_null=True)
    relevant_events = EventSerializer(many=True, required=False)
    user_id = serializers.CharField(max_length=200)
    email = serializers.EmailField(required=False, allow_blank=True)

    def create(self, validated_data: dict[str, Any]) -> Signal:
        customer, _ = Customer.objects.get_or_create(
            external_id=validated_data.pop("user_id"), defaults={"email": validated_data.pop("email", "")}
        )
        validated_data.pop("email", None)
        return Signal.objects.create(customer=customer, payload=self.initial_data, **validated_data)
