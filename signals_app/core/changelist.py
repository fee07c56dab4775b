"""The lists behind list pages."""

from __future__ import annotations

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest

from signals_app.core.pagination import KnownPages
from signals_app.core.planning import planned_with


class QuickChangeList(ChangeList):
    """A list that says “show all” only when something is filtered; it never counts the whole table to find out."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count


class UncountedChangeList(ChangeList):
    """
    A list that counts nothing: it reads a page and one row more, which says whether there is another page.

    For tables whose filters look into other tables for every row: counting what matches would read them for
    thousands of rows that nobody looks at.
    """

    most_pages = 200

    def get_results(self, request: HttpRequest) -> None:
        if not 1 <= self.page_num <= self.most_pages:
            raise IncorrectLookupParameters
        start, size = (self.page_num - 1) * self.list_per_page, self.list_per_page
        # Of a walk along an index that ends when a page is full, further processes only read what nobody waits for.
        with planned_with(max_parallel_workers_per_gather="0"):
            rows = list(self.queryset[start : start + size + 1])
        if start and not rows:
            raise IncorrectLookupParameters
        is_last = self.page_num == self.most_pages
        self.result_count = start + (min(len(rows), size) if is_last else len(rows))
        self.result_list = rows[:size]
        self.full_result_count = None if self.query or self.has_active_filters else self.result_count
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = self.result_count > size
        self.paginator = KnownPages(self.result_count, size, is_more=len(rows) > size)
