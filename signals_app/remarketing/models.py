from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from signals_app.core.clock import Now
from signals_app.core.models import ClaimedModel, PublicIdModel, TimestampedModel
from signals_app.customers.models import Identifier, Order
from signals_app.emails.models import EmailMessage, EmailTemplate
from signals_app.projects.models import Project
from signals_app.remarketing.constants import (
    Arm,
    CalibrationState,
    EntryEvent,
    MatchState,
    Reason,
    RuleAction,
    RuleStatus,
)
from signals_app.shopper_signals.models import ShopperSignal

hour_validators = [MaxValueValidator(23)]


class SendPolicy(TimestampedModel):
    """What holds across all automations of a store: frequency limits and quiet hours."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="send_policy")
    max_per_day = models.PositiveSmallIntegerField(
        "mails in 24 hours, at most", default=1, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    max_per_week = models.PositiveSmallIntegerField(
        "mails in 7 days, at most", default=3, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    quiet_from_hour = models.PositiveSmallIntegerField(
        "quiet from (hour)",
        null=True,
        blank=True,
        default=21,
        validators=hour_validators,
        help_text="In the shopper's time zone, else the store's. Empty: no quiet hours.",
    )
    quiet_until_hour = models.PositiveSmallIntegerField(
        "quiet until (hour)", null=True, blank=True, default=8, validators=hour_validators
    )

    class Meta:
        verbose_name = "frequency limits and quiet hours"
        verbose_name_plural = "frequency limits and quiet hours"

    def __str__(self) -> str:
        return f"{self.max_per_day} a day, {self.max_per_week} a week"


class RemarketingRule(PublicIdModel, TimestampedModel):
    """
    An automation: who should get what, how long after what.

    `trigger` is a condition tree over the signal (or order) that starts it, `audience` one over the profile.
    `version` rises whenever something that a decision depends on changes.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="remarketing_rules")
    name = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=RuleStatus.choices, default=RuleStatus.DRAFT)
    version = models.PositiveIntegerField(default=1, editable=False)
    priority = models.PositiveSmallIntegerField(
        default=50, help_text="When two automations compete for one shopper, the smaller number wins."
    )
    entry_event = models.CharField("starts on", max_length=10, choices=EntryEvent.choices, default=EntryEvent.SIGNAL)
    trigger = models.JSONField(default=dict, blank=True)
    audience = models.JSONField("profile filters", default=dict, blank=True)
    wait_minutes = models.PositiveIntegerField(
        default=45, help_text="Counted from the last signal: a new one starts the wait again."
    )
    next_day_hour = models.PositiveSmallIntegerField(
        "not before the next day at (hour)",
        null=True,
        blank=True,
        validators=hour_validators,
        help_text="Also waits for this hour of the day after the last signal. Empty: only the wait counts.",
    )
    send_from_hour = models.PositiveSmallIntegerField(
        "send only from (hour)", null=True, blank=True, validators=hour_validators
    )
    send_until_hour = models.PositiveSmallIntegerField(
        "send only until (hour)", null=True, blank=True, validators=[MaxValueValidator(24)]
    )
    max_age_minutes = models.PositiveIntegerField(
        "too late after (minutes)", default=24 * 60, validators=[MinValueValidator(1)]
    )
    reentry_days = models.PositiveSmallIntegerField(
        "re-entry after (days)", default=14, help_text="0: each order, or each signal, may start it again."
    )
    skip_if_ordered_days = models.PositiveSmallIntegerField(
        "skip if ordered within (days)", null=True, blank=True, default=7
    )
    holdout_percent = models.PositiveSmallIntegerField(
        "control group (%)",
        default=10,
        validators=[MaxValueValidator(50)],
        help_text="This share gets no mail, so that you can see what the mail changed.",
    )
    action = models.CharField(max_length=20, choices=RuleAction.choices, default=RuleAction.SEND_EMAIL)
    respects_quiet_hours = models.BooleanField("keep quiet hours", default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "automation"
        ordering = ("priority", "name")
        constraints = (
            models.UniqueConstraint(fields=("project", "name"), name="rule_name_once_per_project"),
            models.CheckConstraint(condition=models.Q(status__in=RuleStatus.values), name="rule_status_known"),
            models.CheckConstraint(
                condition=models.Q(entry_event__in=EntryEvent.values), name="rule_entry_event_known"
            ),
            models.CheckConstraint(condition=models.Q(action__in=RuleAction.values), name="rule_action_known"),
            models.CheckConstraint(condition=models.Q(holdout_percent__lte=50), name="rule_holdout_at_most_half"),
        )

    def __str__(self) -> str:
        return self.name


class RuleVariant(models.Model):
    """One of the mails that a rule may send; `weight` is its share among the rule's variants."""

    rule = models.ForeignKey(RemarketingRule, on_delete=models.CASCADE, related_name="variants")
    name = models.CharField(max_length=60, default="A")
    template = models.ForeignKey(EmailTemplate, on_delete=models.PROTECT, related_name="variants")
    weight = models.PositiveSmallIntegerField("share", default=1, validators=[MinValueValidator(1)])

    class Meta:
        verbose_name = "variation"
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("rule", "name"), name="rule_variant_name_once"),)

    def __str__(self) -> str:
        return self.name


class RuleMatch(PublicIdModel, ClaimedModel):
    """
    A rule's trigger held for a shopper: `planned -> queued | skipped | expired`.

    While it waits, a new signal that holds moves `due_at`. What was found at each decision stays in `gates`.
    """

    # Note [No second index], in `core.models`.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rule_matches", db_index=False)
    rule = models.ForeignKey(RemarketingRule, on_delete=models.CASCADE, related_name="matches", db_index=False)
    rule_version = models.PositiveIntegerField()
    identifier = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="rule_matches", db_index=False)
    signal = models.ForeignKey(ShopperSignal, on_delete=models.SET_NULL, null=True, related_name="+")
    """The latest signal that held."""
    order = models.ForeignKey(Order, on_delete=models.CASCADE, null=True, related_name="rule_matches")
    entry_key = models.CharField(max_length=120)
    """Names the occasion: a rule has one match per occasion, and its mail's send key is made of both."""
    state = models.CharField(max_length=10, choices=MatchState.choices, default=MatchState.PLANNED)
    reason = models.CharField(max_length=40, choices=Reason.choices, blank=True)
    arm = models.CharField(max_length=10, choices=Arm.choices, default=Arm.TREATMENT)
    variant = models.ForeignKey(RuleVariant, on_delete=models.SET_NULL, null=True, related_name="matches")
    message = models.OneToOneField(EmailMessage, on_delete=models.SET_NULL, null=True, related_name="rule_match")
    triggered_at = models.DateTimeField()
    """When the shopper's latest signal (or the order) came; `max_age_minutes` counts from here."""
    due_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    values = models.JSONField(default=dict)
    """The values that the trigger was tested with: {"drop_proba": 0.97, ...}."""
    gates = models.JSONField(default=list)
    """[{"gate": "consent", "passed": true, "detail": "granted 2026-11-02"}, ...]."""

    class Meta:
        verbose_name = "recipient activity"
        verbose_name_plural = "recipient activity"
        constraints = (
            models.UniqueConstraint(fields=("rule", "entry_key"), name="rule_match_once_per_entry"),
            models.CheckConstraint(condition=models.Q(state__in=MatchState.values), name="rule_match_state_known"),
            models.CheckConstraint(condition=models.Q(arm__in=Arm.values), name="rule_match_arm_known"),
        )
        indexes = (
            models.Index(fields=("due_at",), name="rule_match_due", condition=models.Q(state="planned")),
            models.Index(fields=("identifier", "rule", "-triggered_at"), name="rule_match_by_identifier"),
            models.Index(fields=("rule", "-created_at"), name="rule_match_by_rule"),
            models.Index(fields=("project", "-created_at"), name="rule_match_by_created"),
        )

    def __str__(self) -> str:
        return f"{self.rule} for {self.identifier}"


class RuleCounter(models.Model):
    """How often a rule's decisions ended for a reason in an hour; near misses live only here."""

    # Note [No second index], in `core.models`.
    rule = models.ForeignKey(RemarketingRule, on_delete=models.CASCADE, related_name="counters", db_index=False)
    rule_version = models.PositiveIntegerField()
    reason = models.CharField(max_length=40, choices=Reason.choices)
    hour = models.DateTimeField()
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("rule", "rule_version", "reason", "hour"), name="rule_counter_once_per_hour"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_reason_display()}: {self.count}"


class ErasedResult(models.Model):
    """
    What people who were erased add to a rule's results: numbers of one day and arm, and of nobody.

    Without them an erasure would change what an automation is said to have done.
    """

    # Note [No second index], in `core.models`.
    rule = models.ForeignKey(RemarketingRule, on_delete=models.CASCADE, related_name="erased_results", db_index=False)
    day = models.DateField()
    """UTC: of the match; for shoppers, that of their latest."""
    arm = models.CharField(max_length=10, choices=Arm.choices)
    sent = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    shoppers = models.PositiveIntegerField(default=0)
    ordered = models.PositiveIntegerField(default=0)
    """Of those, how many ordered within the time that counts."""

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("rule", "day", "arm"), name="erased_result_once_per_day"),
            models.CheckConstraint(condition=models.Q(arm__in=Arm.values), name="erased_result_arm_known"),
        )

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}: {self.shoppers} shoppers"


class Calibration(ClaimedModel):
    """
    What was predicted for the shoppers of one week, and what they did within some days of it.

    Counts only: no shopper can be found in it. `services.calibrating` says who is counted and why.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="calibrations")
    week = models.DateField()
    """Its Monday, UTC."""
    window_days = models.PositiveSmallIntegerField()
    """Days within which an order counts."""
    state = models.CharField(max_length=10, choices=CalibrationState.choices, default=CalibrationState.GATHERING)
    one_in = models.PositiveIntegerField(default=1)
    """One in how many shoppers is looked at."""
    last_customer_id = models.UUIDField(null=True)
    """The place it has come to: every shopper up to here is looked at."""
    shopper_count = models.PositiveIntegerField(default=0)
    left_out_mailed = models.PositiveIntegerField(default=0)
    left_out_ordered = models.PositiveIntegerField(default=0)
    exit_bins = models.JSONField(default=list)
    """`Reliability.as_rows` of drop_proba against "did not order"."""
    intent_bins = models.JSONField(default=list)
    """The same of the intent score (of 100) against "ordered"."""
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "calibration"
        verbose_name_plural = "calibration"
        constraints = (
            models.UniqueConstraint(fields=("project", "week", "window_days"), name="calibration_once_a_week"),
            models.CheckConstraint(
                condition=models.Q(state__in=CalibrationState.values), name="calibration_state_known"
            ),
            models.CheckConstraint(condition=models.Q(one_in__gte=1), name="calibration_one_in_positive"),
        )
        indexes = (
            models.Index(fields=("-week",), name="calibration_gathering", condition=models.Q(state="GATHERING")),
        )

    def __str__(self) -> str:
        return f"{self.week:%Y-%m-%d}"
