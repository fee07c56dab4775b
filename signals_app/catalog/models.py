from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, URLValidator
from django.db import models

from signals_app.catalog.constants import MAX_FEED_BYTES, Availability, FeedFormat, FeedState
from signals_app.core.clock import Now
from signals_app.core.models import ClaimedModel, PublicIdModel, TimestampedModel
from signals_app.projects.models import Project


class ProductFeed(PublicIdModel, ClaimedModel, TimestampedModel):
    """A Google Merchant product feed: an uploaded file, or an address that is read again every few hours."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="product_feeds")
    name = models.CharField(max_length=100, default="Product feed")
    url = models.URLField(
        "feed address", blank=True, max_length=2000, validators=[URLValidator(schemes=["http", "https"])]
    )
    upload = models.FileField("feed file", upload_to="feeds/", blank=True)
    format = models.CharField(max_length=10, choices=FeedFormat.choices, default=FeedFormat.AUTO)
    refresh_hours = models.PositiveSmallIntegerField(
        "read again every (hours)", default=6, validators=[MinValueValidator(1), MaxValueValidator(24 * 30)]
    )
    state = models.CharField(max_length=10, choices=FeedState.choices, default=FeedState.WAITING, editable=False)
    due_at = models.DateTimeField(null=True, blank=True, editable=False)
    imported_at = models.DateTimeField(null=True, blank=True, editable=False)
    product_count = models.PositiveIntegerField(default=0, editable=False)
    row_errors = models.JSONField(default=list, blank=True, editable=False)
    """[{"row": 3, "field": "price", "error": "..."}], the first 100 of the last import; row 0: the feed as a whole."""

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a feed that could never be read."""
        if bool(self.url) == bool(self.upload):
            raise ValidationError({"url": "Give either an address or a file."})
        if self.upload and not self.upload._committed and self.upload.size > MAX_FEED_BYTES:
            raise ValidationError({"upload": f"The file is larger than {MAX_FEED_BYTES // 1024 // 1024} MB."})


class UrlPatterns(PublicIdModel, TimestampedModel):
    """
    Which addresses of a shop are products, categories, cart, checkout or content, and which say nothing.

    A shop without a row has no patterns: its addresses are read by the words that shops use.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="url_patterns")
    patterns = models.JSONField(default=list, blank=True)
    """[{"kind": "product", "pattern": "/products/{slug}"}, ...]; the first that fits counts (`catalog.url_patterns`)."""
    version = models.PositiveIntegerField(default=0, editable=False)
    """One more with each change, so that what was compiled of an older one is known to be old."""
    saved_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        verbose_name = "URL patterns"
        verbose_name_plural = "URL patterns"

    def __str__(self) -> str:
        return "URL patterns"


class Product(PublicIdModel, TimestampedModel):
    """One item of the shop, as its feed describes it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="products")
    feed = models.ForeignKey(ProductFeed, on_delete=models.SET_NULL, null=True, blank=True, related_name="products")
    sku = models.CharField("item ID", max_length=100)
    group_sku = models.CharField("item group", max_length=100, blank=True)
    title = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    url = models.URLField(max_length=2000, validators=[URLValidator(schemes=["http", "https"])])
    url_key = models.CharField(max_length=300, editable=False)
    """What the shop's `PageReader.catalogue_key` makes of `url`: the path without locale, collection and variant."""
    image_url = models.URLField(max_length=2000, blank=True, validators=[URLValidator(schemes=["http", "https"])])
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    sale_price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, validators=[RegexValidator(r"^[A-Z]{3}$")])
    availability = models.CharField(max_length=20, choices=Availability.choices, default=Availability.IN_STOCK)
    brand = models.CharField(max_length=150, blank=True)
    category = models.CharField(max_length=300, blank=True)
    """The feed's product_type, e.g. "Shoes > Running"."""
    category_handle = models.CharField(max_length=300, editable=False, db_default="")
    """What `matching.handle_of` makes of `category`: how the shop's addresses name it."""
    first_seen_at = models.DateTimeField()
    is_active = models.BooleanField(default=True)
    """False once the feed no longer lists it."""
    kept_fields = models.JSONField(
        default=list, blank=True, db_default=models.Value([], models.JSONField()), editable=False
    )
    """Names of the fields that a person set: an import leaves them as they are. "is_active": they took it out."""

    class Meta:
        ordering = ("title",)
        constraints = (
            models.UniqueConstraint(fields=("project", "sku"), name="product_sku_once_per_project"),
            models.CheckConstraint(
                condition=models.Q(availability__in=Availability.values), name="product_availability_known"
            ),
            models.CheckConstraint(
                condition=models.Q(price__gte=0) | models.Q(price__isnull=True), name="product_price_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(sale_price__gte=0) | models.Q(sale_price__isnull=True),
                name="product_sale_price_not_negative",
            ),
        )
        indexes = (
            models.Index(fields=("project", "url_key"), name="product_by_url_key"),
            models.Index(fields=("project", "category", "-first_seen_at"), name="product_by_category"),
            models.Index(fields=("project", "brand"), name="product_by_brand"),
            models.Index(
                fields=("project", "category_handle", "category"),
                name="product_by_category_handle",
                condition=models.Q(is_active=True),
            ),
        )

    def __str__(self) -> str:
        return self.title


class PageAlias(PublicIdModel):
    """What a person said of visited pages that match no product: this one shows that product, or these show none."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="page_aliases", db_index=False)
    pattern = models.CharField("page", max_length=300)
    """A key as `matching.page_kind` makes it; with a star at its end, every key that begins so."""
    product = models.ForeignKey(Product, on_delete=models.CASCADE, null=True, blank=True, related_name="page_aliases")
    """None: not a product, and not to be listed any more."""
    said_by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "page"
        verbose_name_plural = "pages matched by hand"
        ordering = ("pattern",)
        constraints = (models.UniqueConstraint(fields=("project", "pattern"), name="page_alias_once_per_project"),)

    def __str__(self) -> str:
        return self.pattern


class Coupon(PublicIdModel):
    """A code that one shopper may use once; a mail claims the next free one of its pool."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="coupons")
    pool = models.CharField(max_length=60)
    code = models.CharField(max_length=60)
    expires_at = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    claim_key = models.CharField(max_length=120, null=True, blank=True, editable=False)  # noqa: DJ001 - null: unclaimed, not unique
    """The send key of the mail that claimed it: asked again, the same mail gets the same code."""

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "code"), name="coupon_code_once_per_project"),
            models.UniqueConstraint(fields=("project", "claim_key"), name="coupon_once_per_claim"),
        )
        indexes = (
            models.Index(
                fields=("project", "pool", "id"), name="coupon_free", condition=models.Q(claimed_at__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return self.code
