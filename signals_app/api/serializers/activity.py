"""Signals, automations' decisions and mails as the API shows them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from signals_app.api.serializers.base import QuerySerializer
from signals_app.emails.constants import MessageState
from signals_app.emails.models import EmailMessage
from signals_app.remarketing.constants import MatchState, Reason
from signals_app.remarketing.models import RuleMatch
from signals_app.shopper_signals.models import ShopperSignal


class SignalQuery(QuerySerializer):
    ordering = serializers.ChoiceField(
        choices=["received_at", "-received_at", "recorded_at", "-recorded_at"], required=False
    )
    customer = serializers.UUIDField(required=False)
    received_since = serializers.DateTimeField(required=False)


class MessageQuery(QuerySerializer):
    ordering = serializers.ChoiceField(
        choices=["created_at", "-created_at", "updated_at", "-updated_at"], required=False
    )
    customer = serializers.UUIDField(required=False)
    rule = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(choices=MessageState.choices, required=False)


class MatchQuery(QuerySerializer):
    ordering = serializers.ChoiceField(choices=["created_at", "-created_at", "due_at", "-due_at"], required=False)
    customer = serializers.UUIDField(required=False)
    rule = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(choices=MatchState.choices, required=False)


class EventSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(allow_blank=True, help_text="An action, or the address of a visited page.")


class SignalSerializer(serializers.ModelSerializer[ShopperSignal]):
    customer = serializers.UUIDField(source="identifier.customer_id", default=None, allow_null=True, read_only=True)
    relevant_events = serializers.SerializerMethodField()
    extra = serializers.DictField(read_only=True, help_text="What the documentation of the webhook does not name.")
    issues = serializers.ListField(
        child=serializers.DictField(), read_only=True, help_text="Fields that were there but could not be used."
    )

    class Meta:
        model = ShopperSignal
        fields = (
            "id",
            "customer",
            "received_at",
            "occurred_at",
            "recorded_at",
            "drop_proba",
            "performance",
            "num_events",
            "num_loops",
            "num_broken_buttons",
            "avg_loops",
            "avg_broken_buttons",
            "relevant_events",
            "extra",
            "issues",
        )
        read_only_fields = fields

    @extend_schema_field(EventSerializer(many=True))
    def get_relevant_events(self, signal: ShopperSignal) -> list[Any]:
        return list(signal.relevant_events)


class MessageSerializer(serializers.ModelSerializer[EmailMessage]):
    customer = serializers.UUIDField(source="identifier.customer_id", read_only=True)
    rule = serializers.UUIDField(source="rule_match.rule_id", default=None, allow_null=True, read_only=True)
    match = serializers.UUIDField(source="rule_match.id", default=None, allow_null=True, read_only=True)
    state = serializers.ChoiceField(choices=MessageState.choices, read_only=True)
    to_email = serializers.CharField(read_only=True, help_text="Empty until it was sent.")

    class Meta:
        model = EmailMessage
        fields = (
            "id",
            "customer",
            "rule",
            "match",
            "template",
            "purpose",
            "state",
            "reason",
            "detail",
            "to_email",
            "subject",
            "created_at",
            "updated_at",
            "due_at",
            "sending_at",
            "finished_at",
        )
        read_only_fields = fields


class GateSerializer(serializers.Serializer[Any]):
    gate = serializers.CharField()
    passed = serializers.BooleanField(allow_null=True)
    detail = serializers.CharField(allow_blank=True)


class MatchSerializer(serializers.ModelSerializer[RuleMatch]):
    customer = serializers.UUIDField(source="identifier.customer_id", read_only=True)
    state = serializers.ChoiceField(choices=MatchState.choices, read_only=True)
    reason = serializers.ChoiceField(
        choices=Reason.choices, allow_blank=True, read_only=True, help_text="Empty until it was decided."
    )
    gates = serializers.SerializerMethodField(help_text="What was asked at the last decision.")

    class Meta:
        model = RuleMatch
        fields = (
            "id",
            "customer",
            "rule",
            "rule_version",
            "state",
            "reason",
            "arm",
            "signal",
            "order",
            "message",
            "triggered_at",
            "due_at",
            "decided_at",
            "created_at",
            "gates",
        )
        read_only_fields = fields

    @extend_schema_field(GateSerializer(many=True))
    def get_gates(self, match: RuleMatch) -> list[Any]:
        return list(match.gates)
