"""The timeline of a profile's page: what is asked for in its address, and what stands on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.text import slugify

from insightarc_crm.navigation import page
from signals_app.customers import services as customer_services
from signals_app.customers.facets import Place, TimelineEntry
from signals_app.customers.models import Customer

ENTRIES_A_PAGE = 50
ORDER_OF_CHIPS = ("Signals", "Automations", "E-mails", "Orders", "Consent", "Known IDs")
LINKS = {
    "signal": "shopper_signals_shoppersignal",
    "automation": "remarketing_rulematch",
    "email": "emails_emailmessage",
    "order": "customers_order",
    "conflict": "customers_identityconflict",
}
ICONS = {
    "signal": "sensors",
    "automation": "bolt",
    "email": "mail",
    "order": "shopping_bag",
    "consent": "how_to_reg",
    "conflict": "join",
    "identifier": "fingerprint",
}


@dataclass(frozen=True)
class Chip:
    """A heading that the timeline can be filtered by; `query` is where a click leads."""

    label: str
    query: str
    is_chosen: bool


def build(*, customer: Customer, asked: QueryDict, now: datetime) -> dict[str, Any]:
    """Return the timeline's part of the page's context. What the address asks for in vain is ignored."""
    headings = customer_services.timeline_headings()
    labels = sorted(headings, key=_place_of_chip)
    chosen = [label for label in labels if slugify(label) in asked.getlist("show")]
    kinds = [kind for label in chosen for kind in headings[label]]
    after = _place(asked.get("after", ""))
    # One more than is shown says whether there is more.
    entries = customer_services.timeline(
        customer=customer, after=after, kinds=kinds if chosen else None, limit=ENTRIES_A_PAGE + 1
    )
    shown = entries[:ENTRIES_A_PAGE]
    return {
        "timeline": [_row(entry, now) for entry in shown],
        "after": after,
        "older": _query(chosen, after=Place.of(shown[-1])) if len(entries) > len(shown) else "",
        "newest": _query(chosen),
        "chips": [
            Chip("Everything", _query([]), not chosen),
            *(Chip(label, _query(_toggled(chosen, label)), label in chosen) for label in labels),
        ],
        "is_filtered": bool(chosen),
    }


def _place_of_chip(label: str) -> tuple[int, str]:
    return (ORDER_OF_CHIPS.index(label) if label in ORDER_OF_CHIPS else len(ORDER_OF_CHIPS), label)


def _toggled(chosen: list[str], label: str) -> list[str]:
    return [each for each in chosen if each != label] if label in chosen else [*chosen, label]


def _query(chosen: list[str], after: Place | None = None) -> str:
    query = QueryDict(mutable=True)
    query.setlist("show", [slugify(label) for label in chosen])
    if after is not None:
        query["after"] = str(after)
    return f"?{query.urlencode()}"


def _place(text: str) -> Place | None:
    try:
        return Place.read(text)
    except (ValueError, OverflowError):
        return None


def _row(entry: TimelineEntry, now: datetime) -> dict[str, Any]:
    """Add where an entry leads and what its day is called: rooms know their rows, only the admin knows its pages."""
    link = entry.link if entry.link.startswith("/") and not entry.link.startswith("//") else ""
    if not link and entry.reference and entry.kind in LINKS:
        link = page(LINKS[entry.kind], "change", entry.reference)
    return {"entry": entry, "link": link, "icon": ICONS.get(entry.kind, "circle"), "day": name_of_day(entry.at, now)}


def name_of_day(moment: datetime, now: datetime) -> str:
    """Return what a person calls the day of a moment, on the store's clock."""
    day, today = timezone.localtime(moment).date(), timezone.localtime(now).date()
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%A, %-d %B}" if day.year == today.year else f"{day:%A, %-d %B %Y}"
