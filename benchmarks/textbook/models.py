from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from signals_app.shopper_signals.folding import IntentState

MOMENTS = (
    *("first_signal_at", "last_signal_at", "last_drop_at", "last_leaving_at"),
    *("visit_started_at", "previous_signal_at", "before_slots_at"),
)
IDS = ("last_signal_id", "last_drop_id")


class Customer(models.Model):
    external_id = models.CharField(max_length=200, unique=True)
    email = models.CharField(max_length=254, blank=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[Customer]] = models.Manager()


class Signal(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="signals")
    received_at = models.DateTimeField(auto_now_add=True)
    processed_at = models.DateTimeField(null=True)
    drop_proba = models.FloatField(null=True)
    performance = models.FloatField(null=True)
    num_events = models.BigIntegerField(null=True)
    num_loops = models.BigIntegerField(null=True)
    num_broken_buttons = models.BigIntegerField(null=True)
    avg_loops = models.FloatField(null=True)
    avg_broken_buttons = models.FloatField(null=True)
    relevant_events = models.JSONField(default=list)
    payload = models.JSONField(default=dict)

    objects: ClassVar[models.Manager[Signal]] = models.Manager()

    class Meta:
        indexes = (
            models.Index(fields=("customer", "-received_at"), name="textbook_by_customer"),
            models.Index(fields=("-received_at",), name="textbook_by_received"),
        )


class Profile(models.Model):
    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, primary_key=True, related_name="profile")
    state = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    intent_score = models.FloatField(default=0, db_index=True)
    stage = models.CharField(max_length=30, default="browsing")
    review_at = models.DateTimeField(null=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager[Profile]] = models.Manager()

    def read_state(self, half_life_hours: int) -> IntentState:
        if not self.state:
            return IntentState(half_life_hours)
        values: dict[str, Any] = dict(self.state)
        for name in MOMENTS:
            values[name] = datetime.fromisoformat(values[name]) if values[name] else None
        for name in IDS:
            values[name] = UUID(values[name]) if values[name] else None
        return IntentState(**values)

    def keep_state(self, state: IntentState) -> None:
        self.state = {one.name: getattr(state, one.name) for one in dataclasses.fields(state)}
        for name in MOMENTS:  # the encoder would cut microseconds off
            self.state[name] = self.state[name].isoformat() if self.state[name] else None


class Interest(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="interests")
    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=300)
    weight_log2 = models.FloatField()
    evidence_count = models.PositiveIntegerField(default=0)
    last_seen_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Interest]] = models.Manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("customer", "kind", "name"), name="textbook_interest_once"),)


class DayTotals(models.Model):
    day = models.DateField(unique=True)
    signals = models.PositiveBigIntegerField(default=0)
    loops = models.PositiveBigIntegerField(default=0)
    broken_buttons = models.PositiveBigIntegerField(default=0)

    objects: ClassVar[models.Manager[DayTotals]] = models.Manager()


class Rule(models.Model):
    name = models.CharField(max_length=100, unique=True)
    version = models.PositiveIntegerField(default=1)
    is_active = models.BooleanField(default=True, db_index=True)
    trigger = models.JSONField(default=dict)
    wait_minutes = models.PositiveIntegerField(default=45)
    reentry_days = models.PositiveSmallIntegerField(default=14)

    objects: ClassVar[models.Manager[Rule]] = models.Manager()


class Match(models.Model):
    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="matches")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="matches")
    signal = models.ForeignKey(Signal, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=10, default="planned")
    triggered_at = models.DateTimeField()
    due_at = models.DateTimeField()
    values = models.JSONField(default=dict)

    objects: ClassVar[models.Manager[Match]] = models.Manager()

    class Meta:
        indexes = (
            models.Index(fields=("customer", "rule", "-triggered_at"), name="textbook_match_by_customer"),
            models.Index(fields=("due_at",), name="textbook_match_due", condition=models.Q(state="planned")),
        )


class RuleCounter(models.Model):
    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="counters")
    outcome = models.CharField(max_length=40)
    hour = models.DateTimeField()
    count = models.PositiveBigIntegerField(default=0)

    objects: ClassVar[models.Manager[RuleCounter]] = models.Manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("hour", "outcome", "rule"), name="textbook_counter_once"),)
