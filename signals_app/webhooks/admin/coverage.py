"""The coverage page of a connection: how far its signals get, day by day, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from signals_app.core.numbers import percent
from signals_app.webhooks import coverage_words, services
from signals_app.webhooks.constants import MAPPED
from signals_app.webhooks.mapping import IDENTITY_FIELDS
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.services import CoverageReport

DAYS = 30
WIDTH, HEIGHT, LEFT, TOP = 900, 200, 44, 14
LABELS_EVERY = 5
LINES = (
    ("identified", "Some ID", "info"),
    ("with_email", "E-mail known", "warn"),
    ("with_consent", "May be mailed", "good"),
)
REMEDY_LINKS = {
    "kit": ("admin:storefront_storefront_changelist", "Identity kit"),
    "consents": ("admin:transfers_importrun_changelist", "Import them"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the chart: `points` for SVG, and `dots` with what they stand for."""

    label: str
    tone: str
    points: str
    dots: list[dict[str, Any]]


def coverage_page(request: HttpRequest, *, source: WebhookSource, context: dict[str, Any]) -> HttpResponse:
    """Return the page, read from some hundred hourly counts however many signals there are."""
    now = timezone.now()
    report = services.coverage(source=source, days=DAYS, now=now)
    context |= {
        "title": f"Coverage of {source}",
        "source": source,
        "original": source,
        "days": DAYS,
        "report": report,
        "lines": lines_of(report),
        "labels": labels_of(report),
        "grid": [{"y": _y(share), "text": percent(share)} for share in (0, 0.25, 0.5, 0.75, 1)],
        "size": {"width": WIDTH, "height": HEIGHT + TOP + 24, "left": LEFT, "right": WIDTH},
        "carried": [(MAPPED[kind], report.carried[kind]) for kind in IDENTITY_FIELDS],
        "reach": [(label, report.share(name)) for name, label, _ in LINES],
        "kinds": [MAPPED[kind] for kind in IDENTITY_FIELDS],
        "rows": [(day, [round(day.carried[kind]) for kind in IDENTITY_FIELDS]) for day in reversed(report.days)],
        "steps": [(step, *_link(step.remedy)) for step in coverage_words.advice(report)],
        "identity_request": coverage_words.identity_request(source, report),
        "is_behind": report.counted_until is not None and now - report.counted_until > timedelta(hours=2),
    }
    return TemplateResponse(request, "admin/webhooks/coverage.html", context)


def _link(remedy: str) -> tuple[str, str]:
    if remedy == "request":
        return "#request", "The request"
    name, text = REMEDY_LINKS.get(remedy, ("", ""))
    try:
        return (reverse(name), text) if name else ("", "")
    except NoReverseMatch:
        return "", ""


def lines_of(report: CoverageReport) -> list[Line]:
    """Return the chart's lines; a day without signals has no share and breaks nothing."""
    lines = []
    for name, label, tone in LINES:
        dots = [
            {
                "x": _x((day.day - report.first_day).days),
                "y": _y(getattr(day, name) / day.signals),
                "text": f"{day.day:%-d %B}: {percent(getattr(day, name) / day.signals)} {label.lower()}",
            }
            for day in report.days
        ]
        lines.append(Line(label, tone, " ".join(f"{dot['x']},{dot['y']}" for dot in dots), dots))
    return lines


def labels_of(report: CoverageReport) -> list[dict[str, Any]]:
    days = (report.last_day - report.first_day).days
    return [
        {"x": _x(days - back), "text": f"{report.last_day - timedelta(days=back):%-d %b}"}
        for back in range(0, days, LABELS_EVERY)
    ]


def _x(day: int) -> int:
    return LEFT + 12 + round(day * (WIDTH - LEFT - 36) / (DAYS - 1))


def _y(share: float) -> int:
    return TOP + round(HEIGHT * (1 - share))
