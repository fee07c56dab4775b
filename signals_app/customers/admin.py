"""Orders; the pages of a profile and of possible duplicates are composed of several rooms, above them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from signals_app.core.admin import (
    ChoicesFilter,
    DateTimeRangeFilter,
    ProjectScopedAdmin,
    ReadOnlyAdmin,
    display,
)
from signals_app.core.display import ago, badge, lines, money
from signals_app.customers.constants import OrderState
from signals_app.customers.display import profile_link
from signals_app.customers.models import Order

ORDER_TONES = {
    OrderState.PLACED.value: "good",
    OrderState.CANCELLED.value: "neutral",
    OrderState.REFUNDED.value: "warn",
}


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin, ProjectScopedAdmin[Order]):
    """What the shop said was bought."""

    when_empty = "Orders come from the connected shop, through the API or by an import."
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
        return profile_link(obj.identifier.customer)

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
