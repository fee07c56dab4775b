"""The audit log: who saw, exported and changed what in this store. Nobody edits it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from signals_app.audit.constants import COMMAND, KEY_PREFIX, AuditAction
from signals_app.audit.models import AuditEntry
from signals_app.core.admin import ChoicesFilter, DateTimeRangeFilter, ProjectScopedAdmin, ReadOnlyAdmin, display
from signals_app.core.changelist import QuickChangeList
from signals_app.core.display import ago, badge, page_link
from signals_app.projects.models import ApiKey, Membership

TONES = {
    AuditAction.DELETED: "bad",
    AuditAction.ERASED: "bad",
    AuditAction.EXPORTED: "warn",
    AuditAction.MERGED: "warn",
    AuditAction.CHANGED: "info",
    AuditAction.ADDED: "info",
    AuditAction.DID: "info",
    AuditAction.WROTE: "info",
}


class ActorFilter(admin.SimpleListFilter):
    """The team, the store's programs and the command line."""

    title = "who"
    parameter_name = "actor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        project = getattr(request, "project", None)
        team = Membership.objects.filter(project=project).order_by("user__username")
        names = list(team.values_list("user__username", flat=True)[:100])
        keys = ApiKey.objects.filter(project=project).order_by("name")[:100]
        own = request.user.get_username()
        return [
            *((name, name) for name in ([own] if own not in names else []) + names),
            *((f"{KEY_PREFIX}{key.prefix}", f"API key {key.name}") for key in keys),
            (COMMAND, "Command line"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(actor=self.value()) if self.value() else queryset


class ThingFilter(admin.SimpleListFilter):
    """Everything that the admin has pages of, in its words."""

    title = "what"
    parameter_name = "thing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        named = [(model._meta.label_lower, words(model._meta.label_lower)) for model in admin.site._registry]
        return sorted(named, key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(model=self.value()) if self.value() else queryset


class AuditChangeList(QuickChangeList):
    """The page's entries with the rows that they are about."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        entries: list[Any] = list(self.result_list)
        rows = rows_of(entries)
        for entry in entries:
            entry.rows = rows
        self.result_list = entries


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin, ProjectScopedAdmin[AuditEntry]):
    list_display = ("when", "actor", "deed", "thing", "detail")
    list_display_links = ("when",)
    list_filter = (("action", ChoicesFilter), ActorFilter, ThingFilter, ("at", DateTimeRangeFilter))
    search_fields = ("object_id__exact",)
    search_help_text = "The id of a profile, automation or anything else, as in the address of its page"
    ordering = ("-at", "-id")
    fieldsets = ((None, {"fields": ("exactly", "actor", "deed", "thing", "detail")}),)
    names_are_public = True

    def get_readonly_fields(self, request: HttpRequest, obj: AuditEntry | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[QuickChangeList]:
        return AuditChangeList

    @display(description="When", ordering="at")
    def when(self, obj: AuditEntry) -> str:
        return ago(obj.at)

    @display(description="When")
    def exactly(self, obj: AuditEntry) -> str:
        return f"{timezone.localtime(obj.at):%-d %B %Y, %H:%M:%S}"

    @display(description="Did", ordering="action")
    def deed(self, obj: AuditEntry) -> str:
        return badge(obj.get_action_display(), TONES.get(AuditAction(obj.action), "neutral"))

    @display(description="What")
    def thing(self, obj: AuditEntry) -> str:
        if not obj.model:
            return "–"
        rows = obj.rows if hasattr(obj, "rows") else rows_of([obj])
        kind, row = words(obj.model), rows.get(obj.pk)
        name = obj.object_name or (f"…{obj.object_id[-6:]}" if obj.object_id else "")
        shown = page_link(row, name) if row is not None else name
        return format_html('{} <span class="crm-quiet">{}</span>', kind, shown)


def words(label: str) -> str:
    """Return what people call a kind of row."""
    try:
        name = str(apps.get_model(label)._meta.verbose_name)
    except LookupError:  # of a room that is no more
        name = label
    return name[:1].upper() + name[1:]


def rows_of(entries: Iterable[AuditEntry]) -> dict[int, Model]:
    """Return {entry's id: the row it is about} of rows that are there and have a page, in one query a kind of row."""
    keys: dict[type[Model], dict[int, Any]] = {}
    for entry in entries:
        if entry.object_id and entry.action not in (AuditAction.DELETED, AuditAction.ERASED):
            with suppress(LookupError, ValidationError, ValueError):  # of a room or a form of ids that is no more
                model = apps.get_model(entry.model)
                keys.setdefault(model, {})[entry.pk] = model._meta.pk.to_python(entry.object_id)
    rows: dict[int, Model] = {}
    for model, key_of in keys.items():
        if admin.site.is_registered(model):
            there = model._default_manager.only("pk").in_bulk(set(key_of.values()))
            rows |= {pk: there[key] for pk, key in key_of.items() if key in there}
    return rows
