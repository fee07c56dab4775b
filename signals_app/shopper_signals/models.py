from __future__ import annotations

import uuid

from django.db import models

from signals_app.core.clock import Now
from signals_app.core.models import ClaimedModel, PublicIdModel
from signals_app.customers.models import Customer, Identifier
from signals_app.projects.models import Project
from signals_app.shopper_signals.constants import InterestKind, RecomputePhase, RecomputeState, Stage


class ShopperSignal(models.Model):
    """
    One change of a shopper's buying intent, as Insightarc reported it; appended, never changed.

    Its id is the id of the delivery that brought it. A field that was missing or not clean is null and, if it was
    there, named in `issues`; the sender's documentation gives the meaning of each (contract of the webhook).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Note [No second index], in `core.models`.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="shopper_signals", db_index=False)
    identifier = models.ForeignKey(
        Identifier, on_delete=models.SET_NULL, null=True, related_name="shopper_signals", db_index=False
    )
    received_at = models.DateTimeField()
    occurred_at = models.DateTimeField(null=True)
    """What the sender says of the time, for display only: `received_at` is the order of things."""
    recorded_at = models.DateTimeField(db_default=Now())
    drop_proba = models.FloatField("exit likelihood", null=True)
    performance = models.FloatField("time spent (index)", null=True)
    num_events = models.BigIntegerField("events", null=True)
    num_loops = models.BigIntegerField("back-and-forth", null=True)
    num_broken_buttons = models.BigIntegerField("dead clicks", null=True)
    avg_loops = models.FloatField("back-and-forth, usual level", null=True)
    avg_broken_buttons = models.FloatField("dead clicks, usual level", null=True)
    relevant_events = models.JSONField("viewed pages", default=list)
    """[{"name": str}, ...]: the name of an action, or the address of a page."""
    extra = models.JSONField(default=dict)
    """Keys of the body that the documentation does not name, cleaned."""
    issues = models.JSONField(default=list)
    """[{"field": "drop_proba", "problem": "not a number"}, ...]."""

    class Meta:
        verbose_name = "intent signal"
        indexes = (
            models.Index(fields=("identifier", "-received_at", "-id"), name="signal_by_identifier"),
            models.Index(fields=("project", "-received_at", "-id"), name="signal_by_received"),
            models.Index(fields=("project", "recorded_at", "id"), name="signal_by_recorded"),
        )

    def __str__(self) -> str:
        return f"Signal {str(self.id)[-6:]}"


class IntentProfile(models.Model):
    """
    What a shopper's signals add up to, folded signal by signal with exponential decay.

    Columns named `_log2` hold fading quantities as `decay.py` describes: L, or null for "nothing yet"; `folding.py`
    says what each adds up, `scoring.py` what follows from them.
    """

    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, primary_key=True, related_name="intent_profile")
    # Note [No second index], in `core.models`.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)

    # The folded state.
    half_life_hours = models.PositiveSmallIntegerField(default=72)
    """The half-life this profile was folded with; the sweeper folds it anew after the store chose another."""
    signal_count = models.PositiveBigIntegerField(default=0)
    first_signal_at = models.DateTimeField(null=True)
    last_signal_at = models.DateTimeField(null=True)
    last_signal_id = models.UUIDField(null=True)
    last_drop_proba = models.FloatField("exit likelihood", null=True)
    last_drop_at = models.DateTimeField(null=True)
    last_drop_id = models.UUIDField(null=True)
    """The signal that `last_drop_proba` is of: the last one may carry none."""
    last_leaving_at = models.DateTimeField(null=True)
    """The latest signal that said the shopper was about to leave."""
    visit_started_at = models.DateTimeField(null=True)
    previous_signal_at = models.DateTimeField("previous visit", null=True)
    """The last signal of the visit before the last: a pause of 30 minutes ends a visit."""
    recent_slots = models.JSONField(default=dict)
    """{"<half hours since 1970>": [first, last]}, microseconds since 1970, of the day before the last signal."""
    before_slots_at = models.DateTimeField(null=True)
    """The last signal before those of `recent_slots`."""
    day_counts = models.JSONField(default=dict)
    """{"2026-11-24": 7}: signals a day (UTC), of the 31 days up to the last signal's."""

    signals_log2 = models.FloatField(null=True)
    events_log2 = models.FloatField(null=True)
    performance_log2 = models.FloatField(null=True)
    products_log2 = models.FloatField(null=True)
    product_views_log2 = models.FloatField(null=True)
    cart_log2 = models.FloatField(null=True)
    drop_proba_log2 = models.FloatField(null=True)
    drop_proba_count_log2 = models.FloatField(null=True)
    loops_log2 = models.FloatField(null=True)
    loops_usual_log2 = models.FloatField(null=True)
    loops_bare_log2 = models.FloatField(null=True)
    broken_buttons_log2 = models.FloatField(null=True)
    broken_buttons_usual_log2 = models.FloatField(null=True)
    broken_buttons_bare_log2 = models.FloatField(null=True)
    broken_buttons_count_log2 = models.FloatField(null=True)

    # Where folding anew stands (Note [Folding little by little], in `services.refolding`); null: all is folded.
    refold_before = models.DateTimeField(null=True)
    """Signals stored up to then are still to be folded, from the place below on; later ones are folded as they come."""
    refold_after_at = models.DateTimeField(null=True)
    refold_after_id = models.UUIDField(null=True)

    # What follows from it, materialised for filters; valid until `review_at`.
    intent_score = models.FloatField("intent score", default=0)
    stage = models.CharField(max_length=30, choices=Stage.choices, default=Stage.BROWSING)
    usual_loops = models.FloatField(null=True)
    """What was usual in the shop when it was scored, see `scoring.Usual`: with it the score can be explained again."""
    usual_broken_buttons = models.FloatField(null=True)
    usual_performance = models.FloatField(null=True)
    loops_ratio = models.FloatField("back-and-forth compared with usual", null=True)
    """1 is as usual. This and the next two: see `scoring.Assessment`."""
    dead_clicks_over_usual = models.FloatField("dead clicks above usual", null=True)
    performance_percentile = models.FloatField("time spent (percentile)", null=True)
    last_ordered_at = models.DateTimeField(null=True)
    scored_at = models.DateTimeField(null=True)
    review_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "buying intent"
        constraints = (
            models.CheckConstraint(condition=models.Q(stage__in=Stage.values), name="intent_profile_stage_known"),
            models.CheckConstraint(
                condition=models.Q(intent_score__gte=0, intent_score__lte=100), name="intent_profile_score_in_range"
            ),
        )
        indexes = (
            models.Index(fields=("review_at",), name="intent_profile_due", condition=models.Q(review_at__isnull=False)),
            models.Index(
                fields=("customer",), name="intent_profile_refolding", condition=models.Q(refold_before__isnull=False)
            ),
            models.Index(fields=("project", "stage", "-intent_score"), name="intent_profile_by_stage"),
            models.Index(fields=("project", "-intent_score"), name="intent_profile_by_score"),
            models.Index(fields=("project", "half_life_hours"), name="intent_profile_by_half_life"),
        )

    def __str__(self) -> str:
        return f"{self.get_stage_display()}, {self.intent_score:.0f}"


class Interest(models.Model):
    """
    How much a shopper cares for one product, category, brand or search; the weight decays like a profile's.

    Each signal changes several. No index holds what changes, so that PostgreSQL writes the new version of a row beside
    the old one and no index at all; a shopper's few rows are sorted by weight when they are read.
    """

    # Note [No second index], in `core.models`.
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="interests", db_index=False)
    kind = models.CharField(max_length=20, choices=InterestKind.choices)
    name = models.CharField(max_length=300)
    """A product's URL key, or the name of a category, brand or search."""
    weight_log2 = models.FloatField()
    """L of `decay.py`, with the half-life of the profile: ordering by it is ordering by the weight at any one time."""
    evidence_count = models.PositiveIntegerField(default=0)
    """Signals that showed it."""
    last_seen_at = models.DateTimeField()
    last_signal_id = models.UUIDField(null=True)
    """The last of them; the others are found among the shopper's signals when somebody asks."""

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("customer", "kind", "name"), name="interest_once_per_customer"),
            models.CheckConstraint(condition=models.Q(kind__in=InterestKind.values), name="interest_kind_known"),
        )

    def __str__(self) -> str:
        return self.name


class ShopBaseline(models.Model):
    """
    What one day's signals of a shop looked like: counts and sums only, so that any order of adding gives the same.

    A day has several rows (`shard`), so that workers that add at once do not wait for one another; readers add them up.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    """UTC, of `received_at`."""
    shard = models.PositiveSmallIntegerField(default=0)
    signal_count = models.PositiveBigIntegerField(default=0)
    loops_sum = models.PositiveBigIntegerField(default=0)
    loops_count = models.PositiveBigIntegerField(default=0)
    """Signals that carried `num_loops`."""
    broken_buttons_sum = models.PositiveBigIntegerField(default=0)
    broken_buttons_count = models.PositiveBigIntegerField(default=0)
    performance_counts = models.JSONField(default=dict)
    """{"<bucket>": signals}, buckets of `baseline.bucket`."""

    class Meta:
        verbose_name = "usual level"
        constraints = (
            models.UniqueConstraint(fields=("project", "day", "shard"), name="shop_baseline_once_per_day_and_shard"),
        )

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}: {self.signal_count} signals"


class RecomputeRun(PublicIdModel, ClaimedModel):
    """The folding anew of every profile of a store from its stored signals, carried out by the workers in slices."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="recompute_runs")
    state = models.CharField(max_length=10, choices=RecomputeState.choices, default=RecomputeState.RUNNING)
    phase = models.CharField(max_length=10, choices=RecomputePhase.choices, default=RecomputePhase.PRODUCTS)
    expected = models.PositiveBigIntegerField(default=0)
    """Profiles at the start."""
    profiles_done = models.PositiveBigIntegerField(default=0)
    signals_read = models.PositiveBigIntegerField(default=0)
    products_changed = models.PositiveBigIntegerField(default=0)
    last_id = models.UUIDField(null=True, blank=True)
    """The last product or customer of the phase that is done: a run that was broken off goes on behind it."""
    started_by = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    """A little after the start: by then no process reads addresses with the patterns of before."""
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "recomputation of profiles"
        verbose_name_plural = "recomputations of profiles"
        constraints = (
            models.UniqueConstraint(
                fields=("project",), condition=models.Q(state="RUNNING"), name="recompute_run_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=RecomputeState.values), name="recompute_run_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(phase__in=RecomputePhase.values), name="recompute_run_phase_known"
            ),
        )
        indexes = (models.Index(fields=("due_at",), name="recompute_run_running", condition=models.Q(state="RUNNING")),)

    def __str__(self) -> str:
        return "Recomputation of profiles"
