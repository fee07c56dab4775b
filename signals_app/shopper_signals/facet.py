"""What this room knows about a person: signals, buying intent, interests."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max, QuerySet

from signals_app.catalog import matching
from signals_app.catalog import services as catalog_services
from signals_app.catalog.matching import Page, PageKind
from signals_app.catalog.models import Product
from signals_app.core.numbers import percent
from signals_app.customers import newest
from signals_app.customers.facet import rows
from signals_app.customers.facets import (
    ErasePart,
    Excerpt,
    ExportTable,
    Facet,
    Kept,
    TimelineEntry,
    Tone,
    Trait,
    deleting,
)
from signals_app.customers.models import Customer
from signals_app.shopper_signals import interests, services
from signals_app.shopper_signals.constants import InterestKind, Stage
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal
from signals_app.shopper_signals.scoring import LEAVING_DROP

PAGES_NAMED = 3
LONGEST_NAME = 60
INTERESTS_COMPARED = 5


def timeline(customer: Customer, excerpt: Excerpt) -> list[TimelineEntry]:
    signals = ShopperSignal.objects.defer("extra")
    shown = newest.of_customer(signals, excerpt, customer=customer, kind="signal", at="received_at")
    reader = catalog_services.page_reader(project_id=customer.project_id)
    pages = {signal.pk: interests.pages_of(signal.relevant_events, reader.page) for signal in shown}
    keys = {key for found in pages.values() for key in interests.product_candidates(found)}
    products = catalog_services.products_by_key(project=customer.project, keys=keys)
    return [_entry(signal, pages[signal.pk], products) for signal in shown]


def merge(keep: Customer, gone: list[Customer], now: datetime) -> None:
    services.merge_profiles(keep=keep, gone=gone, now=now)


def split(parts: list[Customer], now: datetime) -> None:
    services.split_profiles(parts=parts, now=now)


def last_seen(customer_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    signals = ShopperSignal.objects.filter(identifier__customer__in=customer_ids).order_by()
    return dict(signals.values_list("identifier__customer").annotate(Max("received_at")))


def describe(customer: Customer, now: datetime) -> list[Trait]:
    profile = IntentProfile.objects.filter(customer=customer).first()
    if profile is None:
        return [Trait("Intent score", "–"), Trait("Stage", "–"), Trait("Signals", "None"), Trait("Interests", "None")]
    if profile.refold_before is not None:
        later = "Being calculated: a long history"
        return [Trait("Intent score", later), Trait("Stage", later), Trait("Signals", later), Trait("Interests", later)]
    found = services.top_interests(customer=customer, now=now, limit=INTERESTS_COMPARED)
    return [
        Trait("Intent score", f"{profile.intent_score:.0f} of 100"),
        Trait("Stage", profile.get_stage_display()),
        Trait("Signals", f"{profile.signal_count:,}"),
        Trait("Interests", "" if found else "None", tuple(interest.label for interest in found)),
    ]


TABLES = (
    ExportTable(
        "signals",
        "What your visits looked like",
        lambda customer: rows(_signals(customer).order_by("received_at", "id").values().iterator(chunk_size=500)),
        {"received_at": "When", "relevant_events": "Pages viewed", "drop_proba": "Exit likelihood",
         "performance": "Time spent (index)", "num_events": "Events", "num_loops": "Back-and-forth",
         "num_broken_buttons": "Dead clicks"},
    ),
    ExportTable(
        "buying_intent",
        "What we made of them",
        lambda customer: rows(_with_contributions(IntentProfile.objects.filter(customer=customer))),
        {"stage": "Stage", "intent_score": "Score (0 to 100)", "signal_count": "Signals",
         "first_signal_at": "First signal", "last_signal_at": "Last signal", "contributions": "How the score came about"},
        dict(Stage.choices),
    ),
    ExportTable(
        "interests",
        "What seems to interest you",
        lambda customer: rows(Interest.objects.filter(customer=customer).order_by("-weight_log2").values().iterator()),
        {"kind": "Kind", "name": "What", "evidence_count": "Seen", "last_seen_at": "Last"},
        dict(InterestKind.choices),
    ),
)  # fmt: skip

PARTS = (
    ErasePart("Signals", deleting(lambda subject: _signals(subject.customer))),
    ErasePart("Interests", deleting(lambda subject: Interest.objects.filter(customer=subject.customer))),
    ErasePart("Buying intent", deleting(lambda subject: IntentProfile.objects.filter(customer=subject.customer))),
)

FACET = Facet(
    name="shopper_signals",
    label="Buying intent",
    models=(ShopperSignal, IntentProfile, Interest),
    timeline=timeline,
    tables=TABLES,
    parts=PARTS,
    merge=merge,
    kinds={"signal": "Signals"},
    split=split,
    last_seen=last_seen,
    describe=describe,
    kept=(Kept("Daily counts and averages of the store", "they are sums over all shoppers and name nobody"),),
)


def _with_contributions(profiles: QuerySet[IntentProfile]) -> Iterator[dict[str, Any]]:
    for profile, values in zip(profiles, profiles.values(), strict=True):
        yield values | {"contributions": [part._asdict() for part in services.contributions_of(profile)]}


def _signals(customer: Customer) -> QuerySet[ShopperSignal]:
    return ShopperSignal.objects.filter(identifier__customer=customer)


def _entry(signal: ShopperSignal, pages: Sequence[Page], products: dict[str, Product]) -> TimelineEntry:
    names = list(dict.fromkeys(name for page in pages if (name := _name(page, products))))
    title = "Signal"
    if names:
        more = f" and {len(names) - PAGES_NAMED} more" if len(names) > PAGES_NAMED else ""
        title = f"Viewed {', '.join(names[:PAGES_NAMED])}{more}"
    if signal.drop_proba is not None:
        title += f" – exit likelihood {percent(signal.drop_proba)}"
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


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _numbers(signal: ShopperSignal) -> list[str]:
    said = []
    if signal.num_events is not None:
        said.append(_count(signal.num_events, "event"))
    if signal.performance is not None:
        said.append(f"time spent {signal.performance:.2g}")
    if signal.num_loops:
        said.append(f"{signal.num_loops} back-and-forth")
    if signal.num_broken_buttons:
        said.append(_count(signal.num_broken_buttons, "dead click"))
    if signal.issues:
        fields = dict.fromkeys(str(issue.get("field")) for issue in signal.issues if isinstance(issue, dict))
        said.append(f"not read: {', '.join(fields)}")
    return said
