"""The filters of the admin's lists, as the theme has them; rooms import them from `core.admin`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import DateField, TimeField
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters import admin as filters

from signals_app.core.scoping import ScopedFieldChoices

# Filters for `list_filter`: ("field", ChoicesFilter).
BooleanFilter: Any = filters.BooleanRadioFilter
ChoicesFilter: Any = filters.MultipleChoicesDropdownFilter
DropdownFilter: Any = filters.DropdownFilter
NumberRangeFilter: Any = filters.RangeNumericFilter
TextFilter: Any = filters.TextFilter

RelatedFilter: Any = filters.RelatedDropdownFilter


class DateTimeRangeFilter(filters.RangeDateTimeFilter):  # type: ignore[misc]
    """Between two moments on the store's clock; the theme's own filter would read them on the server's."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        start, end = chosen_times(self.used_parameters, self.parameter_name)
        if start is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": start})
        return queryset if end is None else queryset.filter(**{f"{self.parameter_name}__lt": end})


def chosen_times(query: Mapping[str, Any], name: str) -> tuple[datetime | None, datetime | None]:
    """
    Return from when, and until before when, the inputs of a filter reach on the clock of the page; None for no bound.

    A last day is in it whole if no time of day goes with it, else up to that very moment.
    """
    return _moment(query, f"{name}_from"), _moment(query, f"{name}_to", is_end=True)


def _moment(query: Mapping[str, Any], name: str, *, is_end: bool = False) -> datetime | None:
    try:
        day = DateField(required=False).clean(query.get(f"{name}_0", ""))
        of_day = TimeField(required=False).clean(query.get(f"{name}_1", ""))
        if day is None:
            return None
        if is_end and of_day is None:
            day += timedelta(days=1)
        moment = datetime.combine(day, of_day or time(), timezone.get_current_timezone()).astimezone(UTC)
        return moment + timedelta(microseconds=1) if is_end and of_day is not None else moment
    except (ValidationError, OverflowError):  # the first day of all days began before it in UTC
        return None


class ScopedRelatedFilter(ScopedFieldChoices, RelatedFilter):  # type: ignore[misc]
    """A filter by a related row of the current store."""
