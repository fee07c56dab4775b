"""Automations, segments and suppressions as the API shows them."""

from __future__ import annotations

from rest_framework import serializers

from signals_app.api.serializers.base import QuerySerializer, StrictSerializer, TextField
from signals_app.emails.constants import SuppressionReason
from signals_app.emails.models import Suppression
from signals_app.remarketing.constants import RuleStatus
from signals_app.remarketing.models import RemarketingRule
from signals_app.segments.models import Segment

CHANGE_ORDERINGS = ["created_at", "-created_at", "updated_at", "-updated_at"]


class RuleQuery(QuerySerializer):
    ordering = serializers.ChoiceField(choices=CHANGE_ORDERINGS, required=False)
    status = serializers.ChoiceField(choices=RuleStatus.choices, required=False)


class SegmentQuery(QuerySerializer):
    ordering = serializers.ChoiceField(choices=CHANGE_ORDERINGS, required=False)


class SuppressionQuery(QuerySerializer):
    ordering = serializers.ChoiceField(choices=["created_at", "-created_at"], required=False)
    email = serializers.CharField(required=False, max_length=255)
    reason = serializers.ChoiceField(choices=SuppressionReason.choices, required=False)


class RuleSerializer(serializers.ModelSerializer[RemarketingRule]):
    status = serializers.ChoiceField(choices=RuleStatus.choices, read_only=True)
    trigger = serializers.DictField(read_only=True, help_text="Conditions on the signal or order that starts it.")
    audience = serializers.DictField(read_only=True, help_text="Conditions on the profile.")

    class Meta:
        model = RemarketingRule
        fields = (
            "id",
            "name",
            "status",
            "version",
            "priority",
            "entry_event",
            "trigger",
            "audience",
            "wait_minutes",
            "max_age_minutes",
            "reentry_days",
            "skip_if_ordered_days",
            "holdout_percent",
            "action",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    conditions = serializers.DictField(read_only=True)

    class Meta:
        model = Segment
        fields = ("id", "name", "description", "conditions", "created_at", "updated_at")
        read_only_fields = fields


class SuppressionSerializer(serializers.ModelSerializer[Suppression]):
    reason = serializers.ChoiceField(choices=SuppressionReason.choices, read_only=True)

    class Meta:
        model = Suppression
        fields = ("id", "email", "reason", "source", "created_at")
        read_only_fields = fields


class NewSuppression(StrictSerializer):
    email = TextField(max_length=255)
    reason = serializers.ChoiceField(choices=SuppressionReason.choices, default=SuppressionReason.MANUAL)
