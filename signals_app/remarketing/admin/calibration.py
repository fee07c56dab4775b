"""How far the exit likelihood and the intent score can be trusted, compared with what shoppers did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from signals_app.core.admin import ProjectScopedAdmin, ReadOnlyAdmin
from signals_app.core.display import badge
from signals_app.core.numbers import percent
from signals_app.remarketing.constants import CalibrationState
from signals_app.remarketing.models import Calibration
from signals_app.remarketing.services.calibrating import WEEKS
from signals_app.shopper_signals.calibration import Bin, Reliability, Verdict, drift

LEFT, TOP, SIZE = 40, 12, 300
"""The chart's square, in its own units."""
SMALLEST_POINT, LARGEST_POINT = 3.0, 9.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One of the two things that are compared with what shoppers did."""

    name: str
    predicted: str
    """What the column of predictions is called."""
    observed: str
    more: str
    less: str
    bins: str


EXIT = Measure(
    name="Exit likelihood",
    predicted="Exit likelihood",
    observed="Did not order",
    more="Leave more often than said",
    less="Leave less often than said",
    bins="exit_bins",
)
INTENT = Measure(
    name="Intent score",
    predicted="Intent score",
    observed="Ordered",
    more="Order more often than score/100",
    less="Order less often than score/100",
    bins="intent_bins",
)


@admin.register(Calibration)
class CalibrationAdmin(ReadOnlyAdmin, ProjectScopedAdmin[Calibration]):
    """One page a store; everything on it was counted before."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        project = getattr(request, "project", None)
        if project is None or not self.has_view_permission(request):
            raise PermissionDenied
        window = settings.CALIBRATION_WINDOW_DAYS
        rows = list(Calibration.objects.filter(project=project, window_days=window).order_by("-week")[:WEEKS])
        rows.reverse()
        done = [row for row in rows if row.state == CalibrationState.DONE]
        context = {
            **self.admin_site.each_context(request),
            "title": "Calibration",
            "opts": self.opts,
            "window": window,
            "rows": done,
            "gathering": len(rows) - len(done),
            "shoppers": sum(row.shopper_count for row in done),
            "mailed": sum(row.left_out_mailed for row in done),
            "ordered": sum(row.left_out_ordered for row in done),
            "one_in": max((row.one_in for row in done), default=1),
            "measures": [measure_context(measure, done) for measure in (EXIT, INTENT)],
        }
        return TemplateResponse(request, "admin/remarketing/calibration.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.get_object(request, object_id) is None:
            raise Http404("There is no such calibration in this store.")
        return HttpResponseRedirect(reverse("admin:remarketing_calibration_changelist"))


def measure_context(measure: Measure, rows: Sequence[Calibration]) -> dict[str, Any]:
    """Return the figures, chart and tables of one measure."""
    weeks = [Reliability.from_rows(getattr(row, measure.bins)) for row in rows]
    total = Reliability()
    for week in weeks:
        total.add(week)
    return {
        "measure": measure,
        "total": total,
        "sentence": sentence_of(total),
        "drift": drift_sentence(weeks),
        "bins": [bin_row(measure, number, each) for number, each in enumerate(total.bins)],
        "points": chart_points(total),
        "weeks": [
            {"week": row.week, "found": week, "interval": interval_of(week)}
            for row, week in zip(rows, weeks, strict=True)
            if week.count
        ],
    }


def sentence_of(total: Reliability) -> str:
    """Return what the figures say, in one or two sentences."""
    if total.brier is None or total.reference is None or not total.is_enough:
        return ""
    gain = 1 - total.brier / total.reference if total.reference else 0.0
    if gain > 0.02:
        worth = f"It is worth something: its error is {percent(gain)} smaller than that of always saying the average."
    elif gain > -0.02:
        worth = "It is worth no more than always saying the average."
    else:
        worth = f"As a probability it is worse than always saying the average, by {percent(-gain)}."
    if total.ranking is None:
        return worth
    return (
        f"{worth} Of two shoppers of whom one ordered and one did not, it put them in the right order in "
        f"{percent(total.ranking)} of cases (50 % is chance)."
    )


def drift_sentence(weeks: Sequence[Reliability]) -> str:
    found = drift([week for week in weeks if week.count])
    if found is None:
        return ""
    if not found.is_real:
        return "No drift: the newer half of the weeks does not differ from the older one more than chance would."
    way = "up" if found.change > 0 else "down"
    return (
        f"It drifts: what happens, compared with what is predicted, has gone {way} by {abs(found.change) * 100:.1f} "
        "percentage points from the older half of the weeks to the newer."
    )


def bin_row(measure: Measure, number: int, found: Bin) -> dict[str, Any]:
    low, high = found.interval()
    is_share = measure is EXIT
    span = f"{number * 10}–{number * 10 + 10}{' %' if is_share else ''}"
    if not found.count:
        return {"span": span, "count": 0}
    return {
        "span": span,
        "count": found.count,
        "predicted": found.predicted,
        "observed": found.observed,
        "low": low,
        "high": high,
        "badge": verdict_badge(measure, found.verdict()),
    }


def verdict_badge(measure: Measure, verdict: Verdict) -> SafeString:
    if verdict is Verdict.TOO_FEW:
        return badge("Too few to say")
    if verdict is Verdict.AS_PREDICTED:
        return badge("As predicted", "good")
    return badge(measure.more if verdict is Verdict.MORE else measure.less, "warn")


def chart_points(total: Reliability) -> list[dict[str, Any]]:
    """Return the points of the reliability chart with their intervals, in the chart's units."""
    most = max((each.count for each in total.bins), default=0)
    points = []
    for each in total.bins:
        if not each.count:
            continue
        low, high = each.interval()
        points.append(
            {
                "x": round(LEFT + SIZE * each.predicted, 1),
                "y": round(TOP + SIZE * (1 - each.observed), 1),
                "low": round(TOP + SIZE * (1 - low), 1),
                "high": round(TOP + SIZE * (1 - high), 1),
                "r": round(SMALLEST_POINT + (LARGEST_POINT - SMALLEST_POINT) * (each.count / most) ** 0.5, 1),
                "few": each.verdict() is Verdict.TOO_FEW,
                "title": f"predicted {percent(each.predicted)}, observed {percent(each.observed)}, {each.count:,} samples",
            }
        )
    return points


def interval_of(found: Reliability) -> tuple[float, float]:
    return Bin(found.count, found.happened).interval()
