"""Signals as they came: read, never changed."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from signals_app.core.admin import DateTimeRangeFilter, NumberRangeFilter, ProjectScopedAdmin, ReadOnlyAdmin, display
from signals_app.core.display import ago, badge, inside_link, lines, outside_link
from signals_app.core.numbers import percent
from signals_app.customers.display import profile_link
from signals_app.customers.models import Identifier
from signals_app.shopper_signals.models import ShopperSignal

PAGES_IN_LIST = 2


def page_address(name: str, shop_url: str) -> str:
    """Return the web address of a viewed page: a path is of the shop, anything else stands for itself."""
    return urljoin(shop_url, name) if name.startswith("/") and not name.startswith("//") else name


@admin.register(ShopperSignal)
class ShopperSignalAdmin(ReadOnlyAdmin, ProjectScopedAdmin[ShopperSignal]):
    list_display = (
        "received",
        "shopper",
        "exit_likelihood",
        "num_events",
        "back_and_forth",
        "dead_clicks",
        "pages",
        "clean",
    )
    list_filter = (("received_at", DateTimeRangeFilter), ("drop_proba", NumberRangeFilter))
    list_select_related = ("identifier__customer",)
    search_fields = ("identifier__value__exact",)
    search_help_text = "Exact e-mail, customer ID, visitor ID or signal ID"
    ordering = ("-received_at", "-id")
    fieldsets = (
        (None, {"fields": ("shopper", "known_by", "received_at", "occurred_at", "raw")}),
        (
            "What Insightarc measured",
            {"fields": ("exit_likelihood", "time_spent", "num_events", "back_and_forth", "dead_clicks")},
        ),
        ("Viewed pages and actions", {"fields": ("all_pages",)}),
        ("Beyond the documentation", {"fields": ("extra_shown", "issues_shown")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: ShopperSignal | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ShopperSignal], search_term: str
    ) -> tuple[QuerySet[ShopperSignal], bool]:
        # Exact IDs only: a search inside a text would read every signal there is.
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Identifier.objects.filter(project=getattr(request, "project", None), value__in={term, term.lower()})
        wanted = Q(identifier__in=list(found.values_list("pk", flat=True)))
        with suppress(ValueError):  # not the form of a signal's ID: then it can only be a shopper's
            wanted |= Q(pk=uuid.UUID(term))
        return queryset.filter(wanted), False

    @display(description="Received", ordering="received_at")
    def received(self, obj: ShopperSignal) -> str:
        return ago(obj.received_at)

    @display(description="Profile")
    def shopper(self, obj: ShopperSignal) -> str:
        return profile_link(obj.identifier.customer) if obj.identifier else "Unknown shopper"

    @display(description="Known by")
    def known_by(self, obj: ShopperSignal) -> str:
        if obj.identifier is None:
            return "This signal carried no ID."
        return f"{obj.identifier.get_kind_display()}: {obj.identifier.value}"

    @display(description="Raw")
    def raw(self, obj: ShopperSignal) -> str:
        return inside_link(reverse("admin:webhooks_webhookdelivery_change", args=[obj.pk]), "As it came")

    @display(description="Exit likelihood", ordering="drop_proba")
    def exit_likelihood(self, obj: ShopperSignal) -> str:
        if obj.drop_proba is None:
            return "–"
        tone = "bad" if obj.drop_proba >= 0.8 else "warn" if obj.drop_proba >= 0.5 else "neutral"
        return badge(percent(obj.drop_proba), tone)

    @display(description="Time spent (index)", ordering="performance")
    def time_spent(self, obj: ShopperSignal) -> str:
        return "–" if obj.performance is None else f"{obj.performance:.2f}"

    @display(description="Back-and-forth", ordering="num_loops")
    def back_and_forth(self, obj: ShopperSignal) -> str:
        return _with_usual(obj.num_loops, obj.avg_loops)

    @display(description="Dead clicks", ordering="num_broken_buttons")
    def dead_clicks(self, obj: ShopperSignal) -> str:
        return _with_usual(obj.num_broken_buttons, obj.avg_broken_buttons)

    @display(description="Viewed pages")
    def pages(self, obj: ShopperSignal) -> str:
        names = _names(obj)
        more = len(names) - PAGES_IN_LIST
        shown = [format_html('<span class="crm-clip crm-block">{}</span>', name) for name in names[:PAGES_IN_LIST]]
        return lines([*shown, *([f"and {more} more"] if more > 0 else [])])

    @display(description="Viewed pages and actions")
    def all_pages(self, obj: ShopperSignal) -> str:
        return lines([outside_link(page_address(name, obj.project.shop_url), name) for name in _names(obj)])

    @display(description="Clean")
    def clean(self, obj: ShopperSignal) -> str:
        return badge(f"{len(obj.issues)} to check", "warn") if obj.issues else badge("Clean", "good")

    @display(description="Other values")
    def extra_shown(self, obj: ShopperSignal) -> str:
        if not obj.extra or _is_of_erased(obj):
            return "None"
        return format_html('<pre class="crm-raw">{}</pre>', json.dumps(obj.extra, indent=2, ensure_ascii=False))

    @display(description="Left out")
    def issues_shown(self, obj: ShopperSignal) -> str:
        return lines([f"{issue.get('field', '')}: {issue.get('problem', '')}" for issue in obj.issues])


def _is_of_erased(signal: ShopperSignal) -> bool:
    """Say whether its shopper is being erased: until it goes as well, no page says what it says of them."""
    return signal.identifier is not None and signal.identifier.customer.erased_at is not None


def _names(signal: ShopperSignal) -> list[str]:
    if _is_of_erased(signal):
        return []
    return [str(event.get("name", "")) for event in signal.relevant_events if isinstance(event, dict)]


def _with_usual(value: int | None, usual: float | None) -> str:
    if value is None:
        return "–"
    if usual is None:
        return str(value)
    return format_html('{}<span class="crm-quiet crm-block">usually {}</span>', value, f"{usual:.1f}")
