"""Profiles as the API shows them, and what their lists can be asked."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from signals_app.api.serializers.base import FiniteFloatField, QuerySerializer, StrictSerializer
from signals_app.customers.constants import IdentifierKind
from signals_app.customers.models import Customer, Identifier
from signals_app.shopper_signals.constants import Stage


class CustomerQuery(QuerySerializer):
    ordering = serializers.ChoiceField(
        choices=[
            sign + name for name in ("created_at", "updated_at", "last_seen_at", "intent_score") for sign in ("", "-")
        ],
        required=False,
    )
    email = serializers.CharField(required=False, max_length=255)
    external_id = serializers.CharField(required=False, max_length=255)
    anonymous_id = serializers.CharField(required=False, max_length=255)
    stage = serializers.ChoiceField(choices=Stage.choices, required=False)
    intent_score__gte = FiniteFloatField(min_value=0, max_value=100, required=False)
    segment = serializers.UUIDField(required=False, help_text="Id of a segment.")


class LookupQuery(StrictSerializer):
    external_id = serializers.CharField(required=False, max_length=255)
    email = serializers.CharField(required=False, max_length=255)
    anonymous_id = serializers.CharField(required=False, max_length=255)
    session_id = serializers.CharField(required=False, max_length=255)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError(f"Give exactly one of: {', '.join(self.fields)}.")
        return attrs


class TimelineQuery(StrictSerializer):
    page_size = serializers.IntegerField(min_value=1, max_value=500, required=False)
    cursor = serializers.CharField(required=False, max_length=200, help_text="From `next` of the last answer.")
    kind = serializers.CharField(required=False, max_length=40, help_text="Only entries of this kind, such as `order`.")


class IdentifierSerializer(serializers.ModelSerializer[Identifier]):
    kind = serializers.ChoiceField(choices=IdentifierKind.choices, read_only=True)

    class Meta:
        model = Identifier
        fields = ("kind", "value", "created_at")


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    identifiers = serializers.SerializerMethodField(help_text="The strongest and newest first, at most 50.")
    stage = serializers.SerializerMethodField(help_text="Null until a signal came.")
    intent_score = serializers.SerializerMethodField(help_text="0 to 100; null until a signal came.")
    consent = serializers.SerializerMethodField(help_text="By channel and topic; what was never asked is not there.")

    class Meta:
        model = Customer
        fields = (
            "id",
            "email",
            "external_id",
            "name",
            "identifiers",
            "attributes",
            "time_zone",
            "stage",
            "intent_score",
            "consent",
            "last_seen_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields
        extra_kwargs = {"attributes": {"help_text": "What `identify` said."}}

    @extend_schema_field(IdentifierSerializer(many=True))
    def get_identifiers(self, customer: Customer) -> list[dict[str, Any]]:
        shown = getattr(customer, "shown_identifiers", [])
        return [dict(one) for one in IdentifierSerializer(shown, many=True).data]

    @extend_schema_field(serializers.ChoiceField(choices=Stage.choices, allow_null=True))
    def get_stage(self, customer: Customer) -> str | None:
        profile = getattr(customer, "intent_profile", None)
        return profile.stage if profile else None

    def get_intent_score(self, customer: Customer) -> float | None:
        profile = getattr(customer, "intent_profile", None)
        return profile.intent_score if profile else None

    def get_consent(self, customer: Customer) -> dict[str, dict[str, bool]]:
        """Return {"email": {"marketing": true}}."""
        said: dict[str, dict[str, bool]] = {}
        for purpose, is_granted in self.context["consents"].get(customer.pk, {}).items():
            channel, _, topic = purpose.partition(".")
            said.setdefault(channel, {})[topic] = is_granted
        return said


class ContributionSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    points = serializers.FloatField(help_text="Added to the score; may be negative.")
    detail = serializers.CharField(allow_blank=True, help_text="A sentence that says it.")


class InterestSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="A product's URL key, or the name of a category, brand, search or article.")
    kind = serializers.CharField()
    weight = serializers.FloatField(help_text="Fades with the store's half-life.")
    label = serializers.CharField(  # type: ignore[assignment]  # a field is no attribute once the class is made
        allow_blank=True, help_text="For people."
    )
    evidence_count = serializers.IntegerField(help_text="Signals that showed it.")
    last_seen_at = serializers.DateTimeField()
    last_signal_id = serializers.UUIDField(allow_null=True, help_text="The last of these signals.")


class IntentSerializer(serializers.Serializer[Any]):
    customer = serializers.UUIDField()
    intent_score = serializers.FloatField(allow_null=True)
    stage = serializers.ChoiceField(choices=Stage.choices, allow_null=True)
    contributions = ContributionSerializer(many=True, help_text="The points add up to the score.")
    interests = InterestSerializer(many=True, help_text="The strongest first, at most 50.")
    drop_proba = serializers.FloatField(allow_null=True, help_text="0 to 1, of the last signal that had one.")
    loops_ratio = serializers.FloatField(allow_null=True, help_text="Back-and-forth; 1 is as usual.")
    dead_clicks_over_usual = serializers.FloatField(allow_null=True, help_text="Dead clicks a signal; 0 is as usual.")
    performance_percentile = serializers.FloatField(
        allow_null=True, help_text="0 to 100: the longest recent time spent, among the store's signals."
    )
    signal_count = serializers.IntegerField()
    first_signal_at = serializers.DateTimeField(allow_null=True)
    last_signal_at = serializers.DateTimeField(allow_null=True)
    scored_at = serializers.DateTimeField(allow_null=True, help_text="When score and stage were last computed.")


class TimelineEntrySerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)
    tone = serializers.ChoiceField(choices=["info", "good", "warn", "bad"])
    reference = serializers.CharField(allow_blank=True, help_text="Id of the row it tells of.")
