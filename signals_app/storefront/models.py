from __future__ import annotations

import secrets
from datetime import datetime

from django.core.validators import RegexValidator
from django.db import models

from signals_app.core.fields import EncryptedTextField
from signals_app.core.models import TimestampedModel
from signals_app.customers.constants import MAX_IDENTIFIER_LENGTH
from signals_app.customers.models import Identifier
from signals_app.projects.models import Project
from signals_app.storefront.constants import ConsentMode, Outcome
from signals_app.storefront.origins import validate_origins

validate_dotted_name = RegexValidator(
    r"^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$",
    "Enter a name as JavaScript has it, such as Cookiebot.consent.marketing.",
)
validate_event_name = RegexValidator(r"^[\w:.-]+$", "Enter the name of an event, such as CookiebotOnConsentReady.")
validate_cookie_name = RegexValidator(r"^[\w!#$%&'*+.^`|~-]+$", "Enter the name of a cookie, such as _visitor.")
validate_storage_key = RegexValidator(r"^[\w:./-]+$", "Enter the key of an entry, such as visitor_id.")


def new_public_key() -> str:
    """Return a key that may stand in every page of a shop: it names the store and opens nothing."""
    return f"pk_{secrets.token_hex(12)}"


def new_proof_secret() -> str:
    return secrets.token_hex(32)


class Storefront(TimestampedModel):
    """The pages of a store's shop: from which origins they may speak to us, and how they say who is there."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="storefront")
    public_key = models.CharField(max_length=40, unique=True, default=new_public_key, editable=False)
    is_enabled = models.BooleanField(
        "switched on", default=True, help_text="Off: the shop's pages are answered as if there were no such address."
    )
    allowed_origins = models.JSONField("addresses of the shop", default=list, blank=True, validators=[validate_origins])
    """["https://www.shop.example", ...], each as a browser spells it in its `Origin` header."""
    accepts_pixel = models.BooleanField(
        "Shopify customer events",
        default=False,
        help_text="Also accept calls that name no address: Shopify runs customer events in a frame without one.",
    )
    consent_mode = models.CharField(
        "cookie consent", max_length=20, choices=ConsentMode.choices, default=ConsentMode.BANNER
    )
    consent_check = models.CharField(
        "where the banner keeps the answer",
        max_length=200,
        blank=True,
        validators=[validate_dotted_name],
        help_text="A value or function of the page that is true after consent, such as Cookiebot.consent.marketing. "
        "Left empty, the page has to tell the script.",
    )
    consent_event = models.CharField(
        "event of the banner",
        max_length=200,
        blank=True,
        validators=[validate_event_name],
        help_text="What the page announces when the answer changes, such as CookiebotOnConsentReady.",
    )
    visitor_global = models.CharField(
        "value on the page",
        max_length=200,
        blank=True,
        validators=[validate_dotted_name],
        help_text="A value or function that holds Insightarc's ID of the visitor, if your pages have one.",
    )
    visitor_cookie = models.CharField("cookie", max_length=100, blank=True, validators=[validate_cookie_name])
    visitor_storage = models.CharField(
        "local storage key", max_length=100, blank=True, validators=[validate_storage_key]
    )
    has_session_links = models.BooleanField(
        "session links",
        default=False,
        help_text="Links in mails tell the shop's page which mail they stand in, so that a click ties the browser to the "
        "profile. Only for shoppers who allowed tracking; every such tie can be taken back.",
    )
    proof_secret = EncryptedTextField(default=new_proof_secret, editable=False)
    previous_secret = EncryptedTextField(default="", blank=True, editable=False)
    previous_secret_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "identity kit"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(consent_mode__in=ConsentMode.values), name="storefront_consent_mode_known"
            ),
        )

    def __str__(self) -> str:
        return f"Identity kit of {self.project}"

    def valid_secrets(self, *, now: datetime) -> list[str]:
        """Return the secrets whose proofs count, the newest first."""
        is_old_valid = self.previous_secret and self.previous_secret_until and self.previous_secret_until > now
        return [self.proof_secret, *([self.previous_secret] if is_old_valid else [])]


class EmailClaim(models.Model):
    """
    An e-mail address that a visitor gave and nobody proved.

    It makes nobody known, is never written to, and ends when the visitor proves who they are, or after 90 days.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    identifier = models.OneToOneField(Identifier, on_delete=models.CASCADE, related_name="email_claim")
    email = models.CharField(max_length=MAX_IDENTIFIER_LENGTH)
    claimed_at = models.DateTimeField()

    class Meta:
        verbose_name = "unproven e-mail"
        indexes = (
            models.Index(fields=("project", "email"), name="email_claim_by_email"),
            models.Index(fields=("claimed_at",), name="email_claim_by_claimed"),
        )

    def __str__(self) -> str:
        return self.email


class CallWindow(models.Model):
    """How many calls came in one minute from the addresses of one slot; written over in the next minute."""

    storefront = models.ForeignKey(Storefront, on_delete=models.CASCADE, related_name="+", db_index=False)
    slot = models.SmallIntegerField()
    """-1 counts all of a storefront's calls."""
    minute = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("storefront", "slot"), name="call_window_once_per_slot"),)

    def __str__(self) -> str:
        return f"{self.slot}: {self.count}"


class HourlyCalls(models.Model):
    """How many calls of an hour came to what."""

    storefront = models.ForeignKey(Storefront, on_delete=models.CASCADE, related_name="hourly_calls", db_index=False)
    hour = models.DateTimeField()
    outcome = models.CharField(max_length=20, choices=Outcome.choices)
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("storefront", "hour", "outcome"), name="hourly_calls_once"),
            models.CheckConstraint(condition=models.Q(outcome__in=Outcome.values), name="hourly_calls_outcome_known"),
        )

    def __str__(self) -> str:
        return f"{self.get_outcome_display()}: {self.count}"
