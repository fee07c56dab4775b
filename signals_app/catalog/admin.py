"""Products, the feeds they come from, and coupons."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join

from signals_app.catalog import services
from signals_app.catalog.constants import FeedState
from signals_app.catalog.models import Coupon, PageAlias, Product, ProductFeed
from signals_app.core.admin import (
    BooleanFilter,
    ChoicesFilter,
    FileInput,
    ProjectScopedAdmin,
    Textarea,
    action,
    display,
    post_action,
)
from signals_app.core.display import ago, badge, inside_link, money, outside_link, page_link, picture
from signals_app.core.forms import LinesField, ModelForm

KEPT_BY_HAND = ("title", "price", "sale_price", "image_url", "is_active")


class ProductForm(ModelForm[Product]):
    """What a person may put right; an import leaves it alone from then on."""

    class Meta:
        model = Product
        fields = KEPT_BY_HAND
        labels = {"is_active": "Shown in mails", "image_url": "Picture's address"}
        help_texts = {
            "title": "What you change here stays, whatever the feed or the shop says later.",
            "sale_price": "What it costs now, if that is less than the price.",
            "is_active": "Switched off, it stands in no mail and is no interest.",
        }

    def clean(self) -> dict[str, Any] | None:
        data = super().clean() or {}
        for name in ("price", "sale_price"):
            if data.get(name) is not None and data[name] < 0:
                self.add_error(name, "Must not be negative.")
        price, sale = data.get("price"), data.get("sale_price")
        if sale is not None and price is not None and sale > price:
            self.add_error("sale_price", "A sale price is not higher than the price.")
        return data


@admin.register(Product)
class ProductAdmin(ProjectScopedAdmin[Product]):
    """The catalogue as feed and shop describe it, with what a person put right."""

    names_are_public = True
    form = ProductForm
    when_empty = "Products come from a product feed or from the connected shop."
    list_display = ("picture", "title", "price_now", "stock", "category", "brand", "first_seen")
    list_display_links = ("picture", "title")
    list_filter = (("availability", ChoicesFilter), ("is_active", BooleanFilter), "feed")
    search_fields = ("title", "sku__exact", "group_sku__exact", "brand")
    search_help_text = "Title, brand or exact item ID"
    ordering = ("title", "pk")
    actions_list = ("unmatched",)
    actions_detail = ("follow_feed",)

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> Any:
        may_edit = self.has_change_permission(request, obj)
        price = ("price", "sale_price", "image_url", "is_active") if may_edit else ("price_now",)
        return (
            (None, {"fields": ("large_picture", "title", "address", "sku", "group_sku")}),
            ("Price and picture", {"fields": (*price, "stock")}),
            ("In the shop", {"fields": ("brand", "category", "description")}),
            ("Where it comes from", {"fields": ("feed", "kept", "first_seen_at", "updated_at")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> Any:
        editable = KEPT_BY_HAND if self.has_change_permission(request, obj) else ()
        fields = [field for _, options in self.get_fieldsets(request, obj) for field in options["fields"]]
        return [field for field in fields if field not in editable]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        services.keep_by_hand(product=obj, fields=[name for name in form.changed_data if name in KEPT_BY_HAND])

    @display(description="Set by hand")
    def kept(self, obj: Product) -> str:
        names = [
            name.removesuffix("_url").replace("is_active", "shown in mails").replace("_", " ")
            for name in obj.kept_fields
        ]
        return ", ".join(names).capitalize() if names else "Nothing: all is as the feed or the shop says"

    @action(description="Pages without a product", icon="link_off")
    def unmatched(self, request: HttpRequest) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:unmatched_pages"))

    @post_action(
        description="Follow the feed again",
        question="What was set by hand goes, and the next import fills every field anew.",
        permission="change",
        icon="undo",
    )
    def follow_feed(self, request: HttpRequest, obj: Product) -> None:
        services.follow_feed_again(product=obj)
        messages.success(request, "The next import fills every field again.")

    def offers(self, request: HttpRequest, button: str, object_id: Any) -> bool:
        row = self.get_object(request, str(object_id))
        return row is not None and (not button.endswith("follow_feed") or bool(row.kept_fields))

    @display(description="Picture")
    def picture(self, obj: Product) -> str:
        return picture(obj.image_url)

    @display(description="Picture")
    def large_picture(self, obj: Product) -> str:
        return picture(obj.image_url, obj.title)

    @display(description="Page")
    def address(self, obj: Product) -> str:
        return outside_link(obj.url)

    @display(description="Price", ordering="price")
    def price_now(self, obj: Product) -> str:
        if obj.sale_price is not None and obj.price is not None and obj.sale_price < obj.price:
            return f"{money(obj.sale_price, obj.currency)} (was {money(obj.price, obj.currency)})"
        return money(obj.price, obj.currency)

    @display(description="Stock", ordering="availability")
    def stock(self, obj: Product) -> str:
        if not obj.is_active:
            return badge("No longer in the feed", "warn")
        return badge(obj.get_availability_display(), "good" if obj.availability == "in_stock" else "neutral")

    @display(description="Since", ordering="first_seen_at")
    def first_seen(self, obj: Product) -> str:
        return ago(obj.first_seen_at)


class StoredFile(NamedTuple):
    """What a form shows of a stored file: its name, and the page that hands it out."""

    name: str
    url: str

    @classmethod
    def of(cls, feed: ProductFeed) -> StoredFile:
        name = PurePosixPath(feed.upload.name).name
        return cls(name, reverse("admin:catalog_productfeed_file", args=[feed.pk]))


def _where(problem: dict[str, Any]) -> str:
    """Return how a problem of a feed is introduced; one of the feed as a whole needs no introduction."""
    row, field = problem.get("row"), problem.get("field")
    return ", ".join(part for part in (f"Row {row}" if row else "", field) if part) + (": " if row or field else "")


class FeedFileInput(FileInput):  # type: ignore[misc]
    """Leads to the page that hands the file out, since the file itself stands at no address."""

    def format_value(self, value: Any) -> StoredFile | None:
        return StoredFile.of(value.instance) if super().format_value(value) else None


class ProductFeedForm(ModelForm[ProductFeed]):
    class Meta:
        model = ProductFeed
        fields = ("name", "url", "upload", "format", "refresh_hours")
        widgets = {"upload": FeedFileInput}

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if url and not url.startswith(("http://", "https://")):
            raise forms.ValidationError("A feed is read over http or https.")
        return url

    def clean(self) -> dict[str, Any] | None:
        data = super().clean() or {}
        if not self.errors and bool(data.get("url")) == bool(data.get("upload")):
            self.add_error("url", "Give the address of a feed, or upload a file: one of the two.")
        return data


@admin.register(ProductFeed)
class ProductFeedAdmin(ProjectScopedAdmin[ProductFeed]):
    """Google Merchant feeds: a file, or an address that is read again every few hours."""

    names_are_public = True
    form = ProductFeedForm
    when_empty = "A Google Merchant feed, as a file or at an address, fills the catalogue."
    list_display = ("name", "origin", "state_badge", "product_count", "imported", "problems")
    search_fields = ("name", "url")
    ordering = ("name", "pk")
    readonly_fields = ("stored_file", "state_badge", "product_count", "imported", "problem_list")
    actions_detail = ("read_now",)

    def get_urls(self) -> list[URLPattern]:
        file: URLPattern = path(
            "<uuid:object_id>/file/", self.admin_site.admin_view(self.file), name="catalog_productfeed_file"
        )
        return [file, *super().get_urls()]

    def file(self, request: HttpRequest, object_id: Any) -> Any:
        """Return the file that was uploaded; to whoever may see the feed."""
        feed = self.get_object(request, str(object_id))
        if feed is None or not feed.upload or not feed.upload.storage.exists(feed.upload.name):
            raise Http404("There is no such file in this store.")
        if not self.has_view_permission(request, feed):
            raise PermissionDenied
        return FileResponse(feed.upload.open("rb"), as_attachment=True, filename=StoredFile.of(feed).name)

    def get_fieldsets(self, request: HttpRequest, obj: ProductFeed | None = None) -> Any:
        may_edit = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        upload = "upload" if may_edit else "stored_file"
        where: Any = (None, {"fields": ("name", "url", upload, "format", "refresh_hours")})
        if obj is None:
            return (where,)
        return (where, ("Last import", {"fields": ("state_badge", "product_count", "imported", "problem_list")}))

    def save_model(self, request: HttpRequest, obj: ProductFeed, form: Any, change: bool) -> None:
        # The other columns are a worker's, who may be writing them at this moment.
        obj.save(update_fields=[*form.changed_data, "updated_at"] if change else None)
        if not change or {"url", "upload", "format"} & set(form.changed_data):
            services.request_import(feed=obj, now=timezone.now())
            messages.info(request, "The feed is read within a minute.")

    @display(description="Feed file")
    def stored_file(self, obj: ProductFeed) -> str:
        if not obj.upload:
            return "–"
        stored = StoredFile.of(obj)
        return inside_link(stored.url, stored.name)

    @display(description="From")
    def origin(self, obj: ProductFeed) -> str:
        return outside_link(obj.url) if obj.url else "Uploaded file"

    @display(description="State", ordering="state")
    def state_badge(self, obj: ProductFeed) -> str:
        tones = {FeedState.IMPORTED.value: "good", FeedState.FAILED.value: "bad"}
        return badge(obj.get_state_display(), tones.get(obj.state, "info"))

    @display(description="Read", ordering="imported_at")
    def imported(self, obj: ProductFeed) -> str:
        return ago(obj.imported_at)

    @display(description="Problems")
    def problems(self, obj: ProductFeed) -> str:
        count = len(obj.row_errors)
        return badge(count, "warn") if count else "–"

    @display(description="Problems")
    def problem_list(self, obj: ProductFeed) -> str:
        rows = ((_where(each), each.get("error", "")) for each in obj.row_errors)
        return format_html_join("", "<div>{}{}</div>", rows) or "None"

    @post_action(
        description="Read now",
        question="The feed is read again within a minute; prices and stock follow it.",
        permission="change",
        icon="refresh",
    )
    def read_now(self, request: HttpRequest, obj: ProductFeed) -> None:
        services.request_import(feed=obj, now=timezone.now())
        messages.success(request, "The feed is read within a minute.")


class CouponForm(ModelForm[Coupon]):
    codes = LinesField(
        label="Codes",
        help_text="One a line, exactly as your shop knows them. Each shopper gets one of their own.",
        widget=Textarea(attrs={"rows": 8}),
        max_length=60,
    )

    class Meta:
        model = Coupon
        fields = ("pool", "expires_at")

    def clean_codes(self) -> list[str]:
        codes = list(dict.fromkeys(self.cleaned_data["codes"]))
        if len(codes) > 10_000:
            raise forms.ValidationError("At most 10,000 codes at a time.")
        known = set(
            Coupon.objects.filter(project=self.instance.project_id, code__in=codes).values_list("code", flat=True)
        )
        if codes and known.issuperset(codes):
            raise forms.ValidationError("All of these codes are there already.")
        self.known_count = len(known)
        return [code for code in codes if code not in known]


class ClaimedFilter(admin.SimpleListFilter):
    title = "use"
    parameter_name = "claimed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Free"), ("yes", "Given to a shopper")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Coupon]) -> QuerySet[Coupon]:
        if self.value() in ("yes", "no"):
            return queryset.filter(claimed_at__isnull=self.value() == "no")
        return queryset


@admin.register(Coupon)
class CouponAdmin(ProjectScopedAdmin[Coupon]):
    """Codes that mails give away, each to one shopper."""

    names_are_public = True
    when_empty = "Codes that mails give away: each to one shopper, once."
    list_display = ("code", "pool", "use", "expires_at")
    list_filter = (ClaimedFilter,)
    search_fields = ("code__exact", "pool")
    search_help_text = "Exact code, or pool"
    ordering = ("pool", "pk")
    form = CouponForm

    def get_fieldsets(self, request: HttpRequest, obj: Coupon | None = None) -> Any:
        return ((None, {"fields": ("code", "pool", "use", "expires_at") if obj else ("pool", "codes", "expires_at")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Coupon | None = None) -> Any:
        return ("code", "pool", "use", "expires_at") if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Coupon | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Coupon | None = None) -> bool:
        # A code that a shopper has been given stays, so that a mail sent again shows the same one.
        return super().has_delete_permission(request, obj) and (obj is None or obj.claimed_at is None)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Coupon]) -> None:
        queryset.filter(claimed_at__isnull=True).delete()

    def save_model(self, request: HttpRequest, obj: Coupon, form: Any, change: bool) -> None:
        codes = form.cleaned_data["codes"]
        added = services.add_coupons(project=obj.project, pool=obj.pool, codes=codes, expires_at=obj.expires_at)
        made = Coupon.objects.get(project=obj.project, code=codes[0])
        obj.pk, obj.code, obj._state.adding = made.pk, made.code, False
        skipped = f" {form.known_count:,} were there already." if form.known_count else ""
        messages.info(request, f"{added:,} codes added to pool {obj.pool}.{skipped}")

    @display(description="Use", ordering="claimed_at")
    def use(self, obj: Coupon) -> str:
        return badge("Given to a shopper", "info") if obj.claimed_at else badge("Free", "good")


@admin.register(PageAlias)
class PageAliasAdmin(ProjectScopedAdmin[PageAlias]):
    """What a person said of pages that match no product; taking a row away takes it back."""

    when_empty = "What you say of pages without a product is kept here."
    list_display = ("pattern", "shows", "said_by", "created_at")
    list_select_related = ("product",)
    search_fields = ("pattern",)
    ordering = ("pattern", "pk")
    fields = ("pattern", "shows", "said_by", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: PageAlias | None = None) -> Any:
        return self.fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # said on the page of pages without a product

    def has_change_permission(self, request: HttpRequest, obj: PageAlias | None = None) -> bool:
        return False

    @display(description="Shows", ordering="product")
    def shows(self, obj: PageAlias) -> str:
        return page_link(obj.product) if obj.product else badge("No product: ignored")
