"""A segment as a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from signals_app.customers.exports import as_json, by_id, counted
from signals_app.projects.models import Project
from signals_app.segments import fields, services
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.fields import Scope
from signals_app.segments.models import Segment
from signals_app.transfers.exceptions import ParametersRefused
from signals_app.transfers.kinds import ExportContext, ExportKind, Page

COLUMNS = (
    "email",
    "external_id",
    "name",
    "stage",
    "intent_score",
    "consent_marketing",
    "order_count",
    "order_total",
    "last_ordered_at",
    "last_seen_at",
)


def _segment(project: Project, parameters: Mapping[str, Any]) -> Segment:
    try:
        pk = UUID(str(parameters.get("segment", "")))
    except ValueError:
        raise ParametersRefused("Name a segment.") from None
    segment = Segment.objects.select_related("project").filter(project=project, pk=pk).first()
    if segment is None:
        raise ParametersRefused("There is no such segment in this store.")
    return segment


def _check(project: Project, parameters: Mapping[str, Any]) -> dict[str, Any]:
    segment = _segment(project, parameters)
    try:
        services.matching_customers(project=project, tree=segment.conditions, now=segment.updated_at)
    except InvalidCondition as error:
        raise ParametersRefused(f"The segment's conditions cannot be read: {error}.") from error
    return {"segment": str(segment.pk)}


def _customers(context: ExportContext) -> Any:
    return services.segment_customers(segment=_segment(context.project, context.parameters), now=context.now)


def _columns(context: ExportContext) -> list[str]:
    catalogue = fields.fields(Scope.PROFILE)
    return ["Profile", *(catalogue[name].label for name in COLUMNS)]


def _page(context: ExportContext, after: Any, limit: int) -> Page:
    found, following = by_id(_customers(context), after, limit)
    values = services.profile_values(customer_ids=[customer.pk for customer in found], names=COLUMNS, now=context.now)
    rows = [[str(pk), *(said[name] for name in COLUMNS)] for pk, said in sorted(values.items())]
    return Page(rows, as_json(following))


def _words(project: Project, parameters: Mapping[str, Any]) -> str:
    try:
        return f"Segment “{_segment(project, parameters).name}”"
    except ParametersRefused:
        return "A segment that was deleted"


SEGMENT_EXPORT = ExportKind(
    name="segment",
    label="Segment",
    explanation="The profiles that are in a segment when the export is asked for.",
    columns=_columns,
    page=_page,
    count=lambda context: counted(_customers(context)),
    check=_check,
    words=_words,
    is_offered=False,
)
