"""What the nights' comparisons found, and what customers ask for by law."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone

from signals_app.core.admin import (
    ChoicesFilter,
    DateTimeRangeFilter,
    ProjectScopedAdmin,
    ReadOnlyAdmin,
    display,
    post_action,
)
from signals_app.core.display import ago, badge
from signals_app.customers.display import profile_link
from signals_app.shops import services
from signals_app.shops.constants import PrivacyKind, SyncKind
from signals_app.shops.models import PrivacyRequest, ShopDifference


@admin.register(ShopDifference)
class ShopDifferenceAdmin(ReadOnlyAdmin, ProjectScopedAdmin[ShopDifference]):
    """Orders that were not what the shop says; each was made the same when it was found."""

    project_path = "shop__project"
    list_display = ("found", "what", "order_id", "shop")
    list_display_links = ("found",)
    list_filter = (("found_at", DateTimeRangeFilter),)
    list_select_related = ("shop",)
    search_fields = ("order_id__exact",)
    search_help_text = "Exact order number"
    ordering = ("-found_at", "-pk")
    fieldsets = ((None, {"fields": ("found_at", "what", "order_id", "shop")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: ShopDifference | None = None) -> Any:
        return ("found_at", "what", "order_id", "shop")

    @display(description="Found", ordering="found_at")
    def found(self, obj: ShopDifference) -> str:
        return ago(obj.found_at)


@admin.register(PrivacyRequest)
class PrivacyRequestAdmin(ReadOnlyAdmin, ProjectScopedAdmin[PrivacyRequest]):
    """Requests for data and erasure that Shopify passed on, and when they were answered."""

    when_empty = (
        "What the shop asks in the name of a shopper, to hand out or to erase their data, comes here by itself."
    )
    project_path = "shop__project"
    list_display = ("received", "asked", "state", "due", "shopper", "note")
    list_display_links = ("received",)
    list_filter = (("kind", ChoicesFilter),)
    list_select_related = ("shop", "identifier__customer")
    search_fields = ("reference__exact", "identifier__value__exact")
    search_help_text = "Exact number of the request, customer ID or e-mail"
    ordering = ("-received_at", "-pk")
    fieldsets = (
        (None, {"fields": ("asked", "state", "shopper", "what_to_do", "note")}),
        ("When", {"fields": ("received_at", "due_at", "done_at", "done_by")}),
        ("Where from", {"fields": ("shop", "reference")}),
    )
    actions_detail = ("mark_done", "erase_customers")

    def get_readonly_fields(self, request: HttpRequest, obj: PrivacyRequest | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    def offers(self, request: HttpRequest, button: str, object_id: Any) -> bool:
        row = self.get_object(request, str(object_id))
        if row is None or row.done_at is not None:
            return False
        return (row.kind == PrivacyKind.SHOP_ERASURE) == button.endswith("erase_customers")

    @display(description="Received", ordering="received_at")
    def received(self, obj: PrivacyRequest) -> str:
        return ago(obj.received_at)

    @display(description="Request", ordering="kind")
    def asked(self, obj: PrivacyRequest) -> str:
        return obj.get_kind_display()

    @display(description="State", ordering="done_at")
    def state(self, obj: PrivacyRequest) -> str:
        if obj.done_at is not None:
            return badge("Done", "good")
        return badge("Overdue", "bad") if obj.due_at < timezone.now() else badge("To do", "warn")

    @display(description="Due", ordering="due_at")
    def due(self, obj: PrivacyRequest) -> str:
        return "–" if obj.done_at else ago(obj.due_at)

    @display(description="Profile")
    def shopper(self, obj: PrivacyRequest) -> str:
        return profile_link(obj.identifier.customer) if obj.identifier else "–"

    @display(description="What to do")
    def what_to_do(self, obj: PrivacyRequest) -> str:
        if obj.done_at is not None:
            return "Nothing"
        if obj.kind == PrivacyKind.DATA_REQUEST:
            return "Open the profile, download everything about the person, give it to the shop's owner, then mark this as done."
        return "Erase the shop's customers with the button above. Nothing brings them back."

    @post_action(
        description="Mark as done",
        question="The data was given to the shop's owner, or to the customer.",
        permission="shops.answer_privacy_request",
        icon="task_alt",
    )
    def mark_done(self, request: HttpRequest, obj: PrivacyRequest) -> None:
        if obj.kind == PrivacyKind.SHOP_ERASURE:
            messages.error(request, "It is done when the shop's customers are erased.")
            return
        done = services.finish_request(request=obj, by=request.user.get_username(), now=timezone.now())
        messages.success(request, "Done." if done else "It was done already.")

    @post_action(
        description="Erase the shop's customers",
        question="Every profile that came from this shop, or ordered in it, is deleted in all rooms, with orders, signals "
        "and mails. Nothing brings them back.",
        permission="shops.erase_shop",
        icon="delete_forever",
        variant="danger",
    )
    def erase_customers(self, request: HttpRequest, obj: PrivacyRequest) -> None:
        if obj.kind != PrivacyKind.SHOP_ERASURE or obj.done_at is not None:
            messages.error(request, "Nobody asks here for the erasure of a whole shop.")
            return
        started = services.start_sync(
            shop=obj.shop, kind=SyncKind.ERASURE, started_by=request.user.get_username(), now=timezone.now()
        )
        messages.success(
            request, "Started; the page of the shop connection shows how far it is." if started else "It runs."
        )
