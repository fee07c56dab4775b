from __future__ import annotations

import zoneinfo
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from signals_app.core.countries import COUNTRIES
from signals_app.core.currencies import ISO_4217
from signals_app.core.models import PublicIdModel, TimestampedModel
from signals_app.projects.constants import Role, Scope

domain_validator = RegexValidator(r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", "Enter a domain such as shop.example.com.")


time_zones = cache(zoneinfo.available_timezones)
"""Return the names of all time zones, remembered: the system's folder is read for them, which takes 20 ms."""


def validate_time_zone(value: str) -> None:
    if value not in time_zones():
        raise ValidationError(
            "“%(value)s” is not a time zone; choose one such as Europe/Berlin.", params={"value": value}
        )


def validate_domains(value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(domain, str) for domain in value):
        raise ValidationError("Enter a list of domains.")
    for domain in value:
        domain_validator(domain)


def validate_countries(value: Any) -> None:
    if not isinstance(value, list):
        raise ValidationError("Enter a list of countries.")
    for code in value:
        if not isinstance(code, str) or code not in COUNTRIES:
            raise ValidationError("“%(code)s” is not a country's code of two letters.", params={"code": str(code)[:40]})


class Project(PublicIdModel, TimestampedModel):
    """One shop: every other row in the database belongs to exactly one."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Quiet hours and send times follow this clock unless a profile has its own time zone.",
    )
    currency = models.CharField(max_length=3, default="EUR", validators=[RegexValidator(r"^[A-Z]{3}$")])
    shop_url = models.URLField("shop address", help_text="Where a link goes when nothing better is known.")
    shop_domains = models.JSONField(
        "link domains",
        default=list,
        blank=True,
        validators=[validate_domains],
        help_text="Mails link only to these domains and to the shop address.",
    )
    intent_half_life_hours = models.PositiveSmallIntegerField(
        "interest half-life (hours)",
        default=72,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 90)],
        help_text="After this time without a new signal, an interest counts half.",
    )
    soft_opt_in_countries = models.JSONField(
        "soft opt-in in",
        default=list,
        blank=True,
        validators=[validate_countries],
        help_text="Countries in which an order allows you to mail people who never said no.",
    )
    personalises_unless_refused = models.BooleanField(
        "personalise unless refused",
        default=True,
        help_text="Off: automations use what a shopper does in the shop only after the shopper has agreed to that.",
    )
    is_sending_paused = models.BooleanField("all sending paused", default=False)
    is_demo = models.BooleanField("demo data", default=False, editable=False)

    class Meta:
        verbose_name = "store"
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(intent_half_life_hours__gte=1), name="project_half_life_positive"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a currency that there is not."""
        if self.currency not in ISO_4217:
            raise ValidationError({"currency": "Not a currency; write three letters, such as EUR."})


class Membership(TimestampedModel):
    """A person's role in a store."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.MARKETER)

    class Meta:
        verbose_name = "team member"
        constraints = (
            models.UniqueConstraint(fields=("project", "user"), name="membership_once_per_project"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        )

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


def validate_scopes(value: Any) -> None:
    if not isinstance(value, list) or not value or not set(value) <= set(Scope.values):
        raise ValidationError("Choose at least one of: %(scopes)s.", params={"scopes": ", ".join(Scope.values)})


class ApiKey(PublicIdModel):
    """
    A key of one program for one store.

    The key itself is shown once, at creation; only its public prefix and the SHA-256 of the whole are kept.
    A plain SHA-256 is enough because the key holds 256 random bits: there is nothing to guess.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    key_sha256 = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list, validators=[validate_scopes])
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class SavedView(TimestampedModel):
    """A list with the search, filters and order that a person gave a name; theirs alone, or the whole store's."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="saved_views"
    )
    """Who saved it; what is shared outlives them."""
    list_name = models.CharField(max_length=100)
    """The model that is listed, such as "customers.customer"."""
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2_000)
    """What stands behind the question mark of the list's address, without the page."""
    is_shared = models.BooleanField("for the whole store", default=False)

    class Meta:
        verbose_name = "saved view"
        ordering = ("name", "pk")
        constraints = (
            models.UniqueConstraint(fields=("project", "list_name", "owner", "name"), name="saved_view_once_per_owner"),
        )

    def __str__(self) -> str:
        return self.name
