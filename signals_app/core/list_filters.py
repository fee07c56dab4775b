"""The filters of the admin's lists, as the theme has them; rooms import them from `core.admin`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import DateTimeField
from django.http import HttpRequest
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
        start = chosen_moment(self.used_parameters, f"{self.parameter_name}_from")
        end = chosen_moment(self.used_parameters, f"{self.parameter_name}_to")
        if start is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": start})
        return queryset if end is None else queryset.filter(**{f"{self.parameter_name}__lte": end})


def chosen_moment(query: Mapping[str, Any], name: str) -> datetime | None:
    """Return the moment that the two inputs of a time in a filter give, or None if they give none."""
    text = f"{query.get(f'{name}_0', '')} {query.get(f'{name}_1', '')}".strip()
    try:
        moment: datetime | None = DateTimeField(required=False).clean(text)
        return moment and moment.astimezone(UTC)
    except (ValidationError, OverflowError):  # the first day of all days began before it in UTC
        return None


class ScopedRelatedFilter(ScopedFieldChoices, RelatedFilter):  # type: ignore[misc]
    """A filter by a related row of the current store."""
