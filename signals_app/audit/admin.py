"""The audit log: who saw, exported and changed what in this store. Nobody edits it."""

from __future__ import annotations

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
        kind, row = words(obj.model), _row(obj)
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


def _row(entry: AuditEntry) -> Model | None:
    """Return the row that an entry is about, if it is there and has a page."""
    try:
        model = apps.get_model(entry.model)
        page = admin.site._registry.get(model)
        if page is None or not entry.object_id or entry.action in (AuditAction.DELETED, AuditAction.ERASED):
            return None
        found: Model | None = model._default_manager.only("pk").filter(pk=entry.object_id).first()
    except (LookupError, ValidationError, ValueError):
        return None
    return found
