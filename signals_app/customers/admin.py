"""Orders and possible duplicates; the profile's own page is composed of several rooms, above them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from signals_app.core.admin import (
    ChoicesFilter,
    DateTimeRangeFilter,
    ProjectScopedAdmin,
    ReadOnlyAdmin,
    display,
    post_action,
)
from signals_app.core.display import ago, badge, lines, money, page_link
from signals_app.customers.constants import ConflictState, OrderState
from signals_app.customers.models import Identifier, IdentityConflict, Order

ORDER_TONES = {
    OrderState.PLACED.value: "good",
    OrderState.CANCELLED.value: "neutral",
    OrderState.REFUNDED.value: "warn",
}


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin, ProjectScopedAdmin[Order]):
    """What the shop said was bought."""

    list_display = ("order_id", "shopper", "amount", "state_badge", "placed")
    list_filter = (("state", ChoicesFilter), ("placed_at", DateTimeRangeFilter))
    list_select_related = ("identifier__customer",)
    search_fields = ("order_id__exact", "identifier__value__exact")
    search_help_text = "Exact order number, e-mail or customer ID"
    ordering = ("-placed_at", "-id")
    fieldsets = (
        (None, {"fields": ("order_id", "shopper", "known_by", "state_badge", "placed_at")}),
        ("Amount", {"fields": ("amount", "refunded", "goods")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Order | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    @display(description="Profile")
    def shopper(self, obj: Order) -> str:
        return page_link(obj.identifier.customer)

    @display(description="Known by")
    def known_by(self, obj: Order) -> str:
        return f"{obj.identifier.get_kind_display()}: {obj.identifier.value}"

    @display(description="Total", ordering="total")
    def amount(self, obj: Order) -> str:
        return money(obj.total, obj.currency)

    @display(description="Refunded")
    def refunded(self, obj: Order) -> str:
        return money(obj.refunded_total, obj.currency) if obj.refunded_total else "–"

    @display(description="State", ordering="state")
    def state_badge(self, obj: Order) -> str:
        return badge(obj.get_state_display(), ORDER_TONES.get(obj.state, "neutral"))

    @display(description="Placed", ordering="placed_at")
    def placed(self, obj: Order) -> str:
        return ago(obj.placed_at)

    @display(description="Items")
    def goods(self, obj: Order) -> str:
        items = [item for item in obj.items if isinstance(item, dict)]
        return lines(
            [
                f"{item.get('quantity', 1)} × {item.get('title') or item.get('sku') or 'item'} {item.get('price', '')}"
                for item in items
            ]
        )


@admin.register(IdentityConflict)
class IdentityConflictAdmin(ProjectScopedAdmin[IdentityConflict]):
    """Two known shoppers seen as one. A machine never joins them; a person says whether they are."""

    list_display = ("seen", "one", "other", "evidence", "state_badge")
    list_display_links = ("seen",)
    list_filter = (("state", ChoicesFilter),)
    list_select_related = ("left__customer", "right__customer")
    search_fields = ("left__value__exact", "right__value__exact")
    search_help_text = "Exact e-mail, customer ID or visitor ID"
    ordering = ("-created_at", "-id")
    fieldsets = ((None, {"fields": ("one", "other", "evidence", "reference", "state_badge", "created_at")}),)
    actions_detail = ("keep_apart",)

    def get_readonly_fields(self, request: HttpRequest, obj: IdentityConflict | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: IdentityConflict | None = None) -> bool:
        return False

    @display(description="Seen", ordering="created_at")
    def seen(self, obj: IdentityConflict) -> str:
        return ago(obj.created_at)

    @display(description="One")
    def one(self, obj: IdentityConflict) -> str:
        return _side(obj.left)

    @display(description="Other")
    def other(self, obj: IdentityConflict) -> str:
        return _side(obj.right)

    @display(description="State", ordering="state")
    def state_badge(self, obj: IdentityConflict) -> str:
        return badge(obj.get_state_display(), "warn" if obj.state == ConflictState.OPEN else "neutral")

    @post_action(
        description="Keep apart",
        question="They stay two profiles, and this pair is not shown again.",
        permission="change",
        icon="call_split",
    )
    def keep_apart(self, request: HttpRequest, obj: IdentityConflict) -> None:
        open_ones: QuerySet[IdentityConflict] = IdentityConflict.objects.filter(pk=obj.pk, state=ConflictState.OPEN)
        if open_ones.update(state=ConflictState.KEPT_APART):
            messages.success(request, "They stay two profiles.")
        else:
            messages.info(request, "Somebody has decided this already.")


def _side(identifier: Identifier) -> str:
    return format_html(
        "{} <span class='crm-quiet'>{}: {}</span>",
        page_link(identifier.customer),
        identifier.get_kind_display(),
        identifier.value,
    )
