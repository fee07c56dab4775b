"""Small pieces of HTML for lists and pages; what they are given is always escaped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

TONES = ("neutral", "info", "good", "warn", "bad")


def badge(text: object, tone: str = "neutral") -> SafeString:
    """Return a small coloured label; `tone` is one of `TONES`."""
    return format_html('<span class="crm-badge crm-{}">{}</span>', tone if tone in TONES else "neutral", text)


def bar(share: float, tone: str = "") -> SafeString:
    """Return a bar filled to `share` (0 to 1); drawn, because a content policy may refuse inline widths."""
    return format_html(
        '<svg class="crm-bar{}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="crm-bar-track" width="100" height="6"></rect><rect class="crm-bar-fill" width="{}" height="6"></rect></svg>',
        f" crm-{tone}" if tone in TONES else "",
        f"{max(0.0, min(1.0, share)) * 100:.0f}",
    )


def meter(value: float, *, maximum: float = 100, tone: str = "", text: str = "") -> SafeString:
    """Return a number with a small bar beside it."""
    return format_html(
        '<span class="crm-meter"><span class="crm-meter-value">{}</span>{}</span>',
        text or f"{value:.0f}",
        bar(value / maximum if maximum else 0.0, tone),
    )


def ago(moment: datetime | None, *, now: datetime | None = None) -> SafeString | str:
    """Return how long ago a moment was, with the exact time on hover."""
    if moment is None:
        return "–"
    exact = timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")
    words = ago_in_words(moment, now=now or timezone.now())
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, words)


def ago_in_words(moment: datetime, *, now: datetime) -> str:
    """Return how long ago a moment was, or how soon it will be."""
    if moment > now:
        return f"in {timesince(now, moment, depth=1)}"
    if (now - moment).total_seconds() < 60:
        return "just now"
    return f"{timesince(moment, now, depth=1)} ago"


def is_web_address(address: str) -> bool:
    """Say whether a browser may be sent to an address: http or https with a host, nothing else."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def outside_link(address: str, text: object = "") -> SafeString:
    """Return a link to an address that a shopper's browser reported, or the plain text when it is not a web address."""
    if not is_web_address(address):
        return format_html("{}", text or address)
    return format_html(
        '<a class="crm-link" href="{}" target="_blank" rel="noopener noreferrer nofollow">{}</a>',
        address,
        text or address,
    )


def inside_link(address: str, text: object) -> SafeString:
    """Return a link to another page of the admin."""
    return format_html('<a class="crm-link" href="{}">{}</a>', address, text)


def page_link(row: Model, text: object = "") -> SafeString:
    """Return a link to the admin's page of a row, or plain text for a model that has no page."""
    label = text or row
    if not admin.site.is_registered(type(row)):
        return format_html("{}", label)
    return inside_link(reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]), label)


def lines(parts: Sequence[object]) -> SafeString | str:
    """Return the parts one below the other."""
    return format_html_join("", "<div>{}</div>", ((part,) for part in parts)) or "–"


def picture(address: str, title: str = "") -> SafeString:
    """Return a small picture of a product, or an empty frame when its address is not a web address."""
    if not is_web_address(address):
        return format_html('<span class="{}"></span>', "crm-picture")
    return format_html(
        '<img class="crm-picture" src="{}" alt="{}" loading="lazy" referrerpolicy="no-referrer">', address, title
    )


def money(amount: Decimal | None, currency: str = "") -> str:
    """Return an amount as a person reads it: 1,299.90 EUR."""
    return f"{amount:,.2f} {currency}".strip() if amount is not None else "–"
