"""The chart of a shopper's score and exit likelihood, and the same as a table for who has no scripts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from signals_app.core.numbers import percent
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.services import IntentPoint

LEAST_POINTS = 2
"""One point is no course of anything."""
MARKERS = 60
MARKED = {"order": "Order", "email": "E-mail"}
LONGEST_LABEL = 90


@dataclass(frozen=True)
class Chart:
    data: dict[str, Any]
    """{"zone", "score": [[ms, points], ...], "leaving": [[ms, percent], ...], "marks": [{"kind", "x", "y", "label"}]}"""
    table: SafeString
    signal_count: int

    @property
    def json(self) -> str:
        return json.dumps(self.data, separators=(",", ":"))


def build(customer: Customer) -> Chart | None:
    """Return the chart of the latest signals, with orders and mails marked; None where there is nothing to draw."""
    points = signal_services.intent_history(customer=customer)
    if len(points) < LEAST_POINTS:
        return None
    data = {
        "zone": timezone.get_current_timezone_name(),
        "score": [[_milliseconds(point.at), round(point.score, 1)] for point in points],
        # Nobody knows how likely it was between two visits: there the line is broken.
        "leaving": [
            [_milliseconds(point.at), None if point.drop_proba is None else round(100 * point.drop_proba, 1)]
            for point in points
            if point.drop_proba is not None or not point.is_signal
        ],
        "marks": _marks(customer, points),
    }
    return Chart(data, _table(points), sum(point.is_signal for point in points))


def _marks(customer: Customer, points: list[IntentPoint]) -> list[dict[str, Any]]:
    entries = customer_services.timeline(customer=customer, kinds=MARKED, limit=MARKERS)
    return [
        {
            "kind": entry.kind,
            "x": _milliseconds(entry.at),
            "y": round(_score_at(entry.at, points), 1),
            "label": f"{entry.title} {entry.detail if entry.kind == 'order' else ''}".strip()[:LONGEST_LABEL],
        }
        for entry in entries
        # A mail that was skipped did not reach the shopper.
        if entry.at >= points[0].at and not (entry.kind == "email" and entry.tone == "info")
    ]


def _score_at(moment: datetime, points: list[IntentPoint]) -> float:
    """Return the height of the drawn line at a moment."""
    for left, right in pairwise(points):
        if left.at <= moment < right.at:
            share = (moment - left.at) / (right.at - left.at)
            return left.score + share * (right.score - left.score)
    return points[-1].score


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)


def _table(points: list[IntentPoint]) -> SafeString:
    rows = [
        (
            timezone.localtime(point.at).strftime("%-d %b %Y, %H:%M"),
            f"{point.score:.0f}",
            "" if point.drop_proba is None else percent(point.drop_proba),
        )
        for point in reversed(points)
        if point.is_signal
    ]
    return format_html("{}", format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", rows))
