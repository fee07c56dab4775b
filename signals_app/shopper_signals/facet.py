"""What this room knows about a person: signals, buying intent, interests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from signals_app.catalog import matching
from signals_app.catalog import services as catalog_services
from signals_app.catalog.matching import Page, PageKind
from signals_app.catalog.models import Product
from signals_app.customers.facet import rows
from signals_app.customers.facets import Facet, TimelineEntry, Tone
from signals_app.customers.models import Customer
from signals_app.shopper_signals import interests, services
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal
from signals_app.shopper_signals.scoring import LEAVING_DROP

PAGES_NAMED = 3
LONGEST_NAME = 60


def timeline(customer: Customer, before: datetime | None, limit: int) -> list[TimelineEntry]:
    signals = ShopperSignal.objects.filter(identifier__customer=customer).order_by("-received_at", "-id")
    if before is not None:
        signals = signals.filter(received_at__lt=before)
    shown = list(signals[:limit])
    reader = catalog_services.page_reader(project_id=customer.project_id)
    pages = {signal.pk: interests.pages_of(signal.relevant_events, reader.page) for signal in shown}
    keys = {key for found in pages.values() for key in interests.product_candidates(found)}
    products = catalog_services.products_by_key(project=customer.project, keys=keys)
    return [_entry(signal, pages[signal.pk], products) for signal in shown]


def export(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    signals = ShopperSignal.objects.filter(identifier__customer=customer).order_by("received_at", "id")
    about: dict[str, Any] = {
        "signals": signals,
        "buying_intent": IntentProfile.objects.filter(customer=customer),
        "interests": Interest.objects.filter(customer=customer).order_by("-weight_log2"),
    }
    return {name: rows(found.values()) for name, found in about.items()}


def erase(customer: Customer) -> int:
    """Delete the signals and what was made of them; the shop's daily counts name nobody and stay."""
    count = ShopperSignal.objects.filter(identifier__customer=customer).delete()[0]
    count += Interest.objects.filter(customer=customer).delete()[0]
    return count + IntentProfile.objects.filter(customer=customer).delete()[0]


def merge(keep: Customer, gone: list[Customer], now: datetime) -> None:
    services.merge_profiles(keep=keep, gone=gone, now=now)


FACET = Facet(
    name="shopper_signals",
    label="Buying intent",
    models=(ShopperSignal, IntentProfile, Interest),
    timeline=timeline,
    export=export,
    erase=erase,
    merge=merge,
)


def _entry(signal: ShopperSignal, pages: Sequence[Page], products: dict[str, Product]) -> TimelineEntry:
    names = list(dict.fromkeys(name for page in pages if (name := _name(page, products))))
    title = "Signal"
    if names:
        more = f" and {len(names) - PAGES_NAMED} more" if len(names) > PAGES_NAMED else ""
        title = f"Viewed {', '.join(names[:PAGES_NAMED])}{more}"
    if signal.drop_proba is not None:
        title += f" – exit likelihood {signal.drop_proba * 100:.0f} %"
    tone: Tone = "warn" if signal.drop_proba is not None and signal.drop_proba >= LEAVING_DROP else "info"
    return TimelineEntry(
        at=signal.received_at,
        kind="signal",
        title=title,
        detail=", ".join(_numbers(signal)),
        tone=tone,
        reference=str(signal.pk),
    )


def _name(page: Page, products: dict[str, Product]) -> str:
    """Return what a marketer calls a page; nothing for an action or a page of no interest."""
    if page.key in products:
        return products[page.key].title
    if page.kind in (PageKind.PRODUCT, PageKind.CATEGORY, PageKind.CONTENT):
        return matching.words_of(page.key)[:LONGEST_NAME]
    if page.kind is PageKind.SEARCH:
        return f"search for “{page.key[:LONGEST_NAME]}”"
    if page.kind is PageKind.CART:
        return "Cart"
    if page.kind is PageKind.CHECKOUT:
        return "Checkout"
    return ""


def _numbers(signal: ShopperSignal) -> list[str]:
    said = []
    if signal.num_events is not None:
        said.append(f"{signal.num_events} events")
    if signal.performance is not None:
        said.append(f"time spent {signal.performance:.2g}")
    if signal.num_loops:
        said.append(f"{signal.num_loops} back-and-forth")
    if signal.num_broken_buttons:
        said.append(f"{signal.num_broken_buttons} dead clicks")
    if signal.issues:
        fields = dict.fromkeys(str(issue.get("field")) for issue in signal.issues if isinstance(issue, dict))
        said.append(f"not read: {', '.join(fields)}")
    return said
