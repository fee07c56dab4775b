"""The list behind a list page."""

from __future__ import annotations

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest


class QuickChangeList(ChangeList):
    """A list that says “show all” only when something is filtered; it never counts the whole table to find out."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count
