from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from signals_app.core.clock import Now
from signals_app.core.fields import EncryptedTextField
from signals_app.core.models import ClaimedModel, PublicIdModel, TimestampedModel
from signals_app.customers.models import Identifier
from signals_app.projects.models import Project
from signals_app.shops.constants import ObjectKind, PrivacyKind, Resource, SyncKind, SyncState

shop_domain_validator = RegexValidator(
    r"^[a-z0-9][a-z0-9-]*\.myshopify\.com$", "Enter the shop's own domain at Shopify, such as my-shop.myshopify.com."
)


class ShopConnection(PublicIdModel, TimestampedModel):
    """A shop at Shopify whose app posts to us, and whose API we may ask."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="shop_connections")
    domain = models.CharField("shop domain", max_length=255, validators=[shop_domain_validator])
    client_id = models.CharField("client ID", max_length=100, blank=True)
    """Of the app: with it and the secret, access tokens of a day are fetched as needed."""
    access_token = EncryptedTextField(blank=True)
    token_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    """None: a token that does not expire, or none."""
    token_given_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When a person last entered how to ask; an older word that the app was removed no longer counts."""
    problem = models.CharField(max_length=500, blank=True, editable=False)
    """What the API last refused, in words; empty when it last answered."""
    answered_at = models.DateTimeField(null=True, blank=True, editable=False)
    subscribed_topics = models.JSONField(default=list, blank=True, editable=False)
    """Topics that Shopify posts to us, as it last said."""
    uninstalled_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "shop connection"
        constraints = (models.UniqueConstraint(fields=("project", "domain"), name="shop_connection_once_per_project"),)

    def __str__(self) -> str:
        return self.domain

    @property
    def may_ask(self) -> bool:
        """Whether we have something to prove to the API who we are."""
        return bool(self.access_token or self.client_id) and self.uninstalled_at is None


class ShopTopic(models.Model):
    """How many webhooks of a topic were processed, and what became of them."""

    shop = models.ForeignKey(ShopConnection, on_delete=models.CASCADE, related_name="topics", db_index=False)
    topic = models.CharField(max_length=100)
    processed = models.PositiveBigIntegerField(default=0)
    passed_over = models.PositiveBigIntegerField(default=0)
    """Of those: fine, but nothing for us to do."""
    last_at = models.DateTimeField()
    """When the newest of them came."""
    last_reason = models.CharField(max_length=200, blank=True)
    """Why the last one was passed over."""

    class Meta:
        constraints = (models.UniqueConstraint(fields=("shop", "topic"), name="shop_topic_once"),)

    def __str__(self) -> str:
        return self.topic


class ShopObject(models.Model):
    """
    How new is what we know of one object of a shop: something older never overwrites it.

    It outlives the object, so that a late change does not bring back what was deleted.
    """

    shop = models.ForeignKey(ShopConnection, on_delete=models.CASCADE, related_name="objects_seen", db_index=False)
    kind = models.CharField(max_length=10, choices=ObjectKind.choices)
    object_id = models.CharField(max_length=100)
    changed_at = models.DateTimeField()
    """By the shop's clock."""

    class Meta:
        constraints = (models.UniqueConstraint(fields=("shop", "kind", "object_id"), name="shop_object_once"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"


class RefundSeen(models.Model):
    """Money that was given back, by the shop's number of the refund: partial refunds add up, each once."""

    shop = models.ForeignKey(ShopConnection, on_delete=models.CASCADE, related_name="refunds", db_index=False)
    order_id = models.CharField(max_length=100)
    refund_id = models.CharField(max_length=100)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3, blank=True)
    refunded_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("shop", "order_id", "refund_id"), name="refund_seen_once"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="refund_amount_not_negative"),
        )

    def __str__(self) -> str:
        return self.refund_id


class ShopSync(PublicIdModel, ClaimedModel):
    """
    One walk through what the API lists, page by page: `running -> done | stopped | failed`.

    The row is the whole state. The place it has come to moves after a page is stored, so a worker that is killed
    repeats one page, which changes nothing.
    """

    shop = models.ForeignKey(ShopConnection, on_delete=models.CASCADE, related_name="syncs", db_index=False)
    kind = models.CharField(max_length=20, choices=SyncKind.choices)
    state = models.CharField(max_length=10, choices=SyncState.choices, default=SyncState.RUNNING)
    resource = models.CharField(max_length=20, choices=Resource.choices, blank=True)
    """What is being read now."""
    cursor = models.CharField(max_length=1_000, blank=True)
    """Where the next page begins; empty: at the beginning."""
    since = models.DateTimeField(null=True, blank=True)
    """Only what changed from then on."""
    counts = models.JSONField(default=dict, blank=True)
    """{"orders": {"expected": 120, "read": 100, "changed": 7, "left_out": 1}, ...}."""
    problems = models.JSONField(default=list, blank=True)
    """[{"what": "Order #1001", "why": "..."}], the first 50 of what was left out."""
    problem = models.CharField(max_length=500, blank=True)
    """Why it waits or failed, in words."""
    due_at = models.DateTimeField(db_default=Now())
    started_by = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "shop sync"
        constraints = (
            models.UniqueConstraint(
                fields=("shop", "kind"), condition=models.Q(state="RUNNING"), name="shop_sync_running_once"
            ),
            models.CheckConstraint(condition=models.Q(kind__in=SyncKind.values), name="shop_sync_kind_known"),
            models.CheckConstraint(condition=models.Q(state__in=SyncState.values), name="shop_sync_state_known"),
        )
        indexes = (
            models.Index(fields=("due_at",), name="shop_sync_due", condition=models.Q(state="RUNNING")),
            models.Index(fields=("shop", "-started_at"), name="shop_sync_by_started"),
        )

    def __str__(self) -> str:
        return self.get_kind_display()


class ShopDifference(models.Model):
    """An order that was not what the shop says when it was compared: a webhook that never came, and its mending."""

    shop = models.ForeignKey(ShopConnection, on_delete=models.CASCADE, related_name="differences", db_index=False)
    order_id = models.CharField("order", max_length=100)
    what = models.CharField("what differed", max_length=500)
    found_at = models.DateTimeField()

    class Meta:
        verbose_name = "difference"
        indexes = (models.Index(fields=("shop", "-found_at"), name="shop_difference_by_found"),)

    def __str__(self) -> str:
        return self.what


class PrivacyRequest(PublicIdModel):
    """What a customer, or the shop, asks for by law, passed on by Shopify; and when and by whom it was done."""

    shop = models.ForeignKey(ShopConnection, on_delete=models.CASCADE, related_name="privacy_requests", db_index=False)
    kind = models.CharField("request", max_length=20, choices=PrivacyKind.choices)
    reference = models.CharField(max_length=100, blank=True)
    """Shopify's number of the request, else of the delivery."""
    identifier = models.ForeignKey(
        Identifier, on_delete=models.SET_NULL, null=True, blank=True, related_name="privacy_requests"
    )
    """Whom it is about; None of the erased, and of whom we know nothing."""
    received_at = models.DateTimeField()
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.CharField(max_length=150, blank=True)
    """Empty when the program did it by itself."""
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = "privacy request"
        constraints = (
            models.UniqueConstraint(fields=("shop", "kind", "reference"), name="privacy_request_once"),
            models.CheckConstraint(condition=models.Q(kind__in=PrivacyKind.values), name="privacy_request_kind_known"),
        )
        indexes = (models.Index(fields=("shop", "-received_at"), name="privacy_request_by_received"),)

    def __str__(self) -> str:
        return self.get_kind_display()
