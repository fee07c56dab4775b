"""Erasures in the admin: what was taken away of each person, what stayed and why; and asking for one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from signals_app.core.admin import ChoicesFilter, DateTimeRangeFilter, ProjectScopedAdmin, ReadOnlyAdmin, display
from signals_app.core.display import ago, badge
from signals_app.core.turns import wake
from signals_app.customers import facets, tasks
from signals_app.customers import services as customer_services
from signals_app.customers.constants import ErasureState
from signals_app.customers.models import Customer, ErasureReport

SECONDS_IN_THE_REQUEST = 2.0
OUTCOME_TONES = {"deleted": "bad", "made anonymous": "warn", "kept": "neutral"}


def erase_and_report(request: HttpRequest, customer: Customer) -> HttpResponse:
    """
    Erase a shopper and show the report; a long history is left to the workers after two seconds.

    From the first moment the shopper is out of reach: not found, not mailed, not recognised.
    """
    now = timezone.now()
    report = customer_services.begin_erasure(customer=customer, by=request.user.get_username(), now=now)
    if report is None:
        messages.info(request, "There is no such profile any more.")
        return HttpResponseRedirect(reverse("admin:customers_customer_changelist"))
    if customer_services.continue_erasures(now=now, seconds=SECONDS_IN_THE_REQUEST, only=report.pk):
        messages.success(request, "The shopper is erased. Here is what was deleted and what was kept.")
    else:
        wake(tasks.continue_erasures)
        messages.success(
            request, "The shopper is out of reach: not found, not mailed. The long history is being deleted; reload."
        )
    return HttpResponseRedirect(reverse("admin:customers_erasurereport_change", args=[report.pk]))


@admin.register(ErasureReport)
class ErasureReportAdmin(ReadOnlyAdmin, ProjectScopedAdmin[ErasureReport]):
    when_empty = "An erasure begins on the page of a profile; what was deleted, and what stays and why, is proven here."
    list_display = ("begun", "requested_by", "state_badge", "deleted")
    list_filter = (("state", ChoicesFilter), ("begun_at", DateTimeRangeFilter))
    search_fields = ("profile_id__exact",)
    search_help_text = "The id that the profile had"
    ordering = ("-begun_at", "-id")
    fieldsets = (
        (None, {"fields": ("profile_id", "requested_by", "state_badge", "begun_exactly", "finished_exactly")}),
        ("What was done, and what stays", {"fields": ("outcomes",)}),
    )
    names_are_public = True  # they say nothing

    def get_readonly_fields(self, request: HttpRequest, obj: ErasureReport | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> ErasureReport | None:
        found: Model | None = super().get_object(request, object_id, from_field)
        return found if isinstance(found, ErasureReport) else None

    @display(description="Asked for", ordering="begun_at")
    def begun(self, obj: ErasureReport) -> str:
        return ago(obj.begun_at)

    @display(description="Asked for")
    def begun_exactly(self, obj: ErasureReport) -> str:
        return f"{timezone.localtime(obj.begun_at):%-d %B %Y, %H:%M:%S}"

    @display(description="Done")
    def finished_exactly(self, obj: ErasureReport) -> str:
        return f"{timezone.localtime(obj.finished_at):%-d %B %Y, %H:%M:%S}" if obj.finished_at else "not yet"

    @display(description="State", ordering="state")
    def state_badge(self, obj: ErasureReport) -> str:
        return badge(obj.get_state_display(), "good" if obj.state == ErasureState.DONE else "warn")

    @display(description="Rows")
    def deleted(self, obj: ErasureReport) -> str:
        return f"{sum(customer_services.counts_by_facet(obj).values()):,}"

    @display(description="Outcome")
    def outcomes(self, obj: ErasureReport) -> str:
        rows = obj.results if obj.state == ErasureState.DONE else _so_far(obj)
        if not rows:
            return "Nothing yet."
        body = format_html_join(
            "",
            '<tr><td>{}<span class="crm-quiet crm-block">{}</span></td><td>{}</td><td class="crm-quiet">{}</td></tr>',
            ((row["what"], row["room"], _outcome(row), row["why"]) for row in rows),
        )
        return format_html(
            '<table class="crm-table crm-stacked"><thead><tr><th scope="col">What</th><th scope="col">Outcome</th>'
            '<th scope="col">Why</th></tr></thead><tbody>{}</tbody></table>',
            body,
        )


def _outcome(row: dict[str, Any]) -> str:
    count = "" if row["count"] is None else f"{row['count']:,} "
    return badge(f"{count}{row['outcome']}", OUTCOME_TONES.get(row["outcome"], "neutral"))


def _so_far(report: ErasureReport) -> list[dict[str, Any]]:
    labels = {facet.name: facet.label for facet in facets.all()}
    return [
        {
            "room": labels.get(name.partition(": ")[0], ""),
            "what": name.partition(": ")[2],
            "outcome": "deleted" if done["is_done"] else "running",
            "count": done["count"],
            "why": "",
        }
        for name, done in sorted(report.progress.items())
        if done["count"]
    ]
