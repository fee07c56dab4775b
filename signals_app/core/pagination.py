"""Pages of tables that are too large to count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator  # generic for the type checker only


class BoundedPaginator(AnyPaginator):
    """
    Count only as far as a person would page: 10,000 rows.

    A COUNT over millions of rows takes seconds on every click. What lies beyond is found with a filter or the search.
    """

    limit = 10_000
    template_name = "admin/bounded_pagination.html"

    @cached_property
    def _counted(self) -> int:
        if not isinstance(self.object_list, QuerySet):
            return len(self.object_list)
        return self.object_list.order_by()[: self.limit + 1].count()

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.limit)

    @property
    def is_more(self) -> bool:
        """Say whether there are rows beyond the last page."""
        return self._counted > self.limit


class KnownPages(AnyPaginator):
    """The pages of a list as far as it was read: those before, the current one, and the next if there is one."""

    template_name = "admin/bounded_pagination.html"

    def __init__(self, count: int, per_page: int, *, is_more: bool) -> None:
        super().__init__(range(count), per_page)
        self.is_more = is_more
        self.limit = count - 1 if is_more else count
