"""Needs fixing: signed requests that could not be processed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from signals_app.core.admin import ProjectScopedAdmin, ReadOnlyAdmin, action, display, post_action
from signals_app.core.display import ago, inside_link
from signals_app.webhooks.admin.replaying import raw_body, replay_with_message
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import InboxItem, WebhookDelivery


@admin.register(InboxItem)
class NeedsFixingAdmin(ReadOnlyAdmin, ProjectScopedAdmin[InboxItem]):
    """Signed requests that could not be processed: nothing is lost, each can be replayed after the fix."""

    project_path = "source__project"
    list_display = ("received", "error", "attempts", "shown_id")
    list_display_links = ("received",)
    list_filter = ("source",)
    list_select_related = ("delivery",)
    search_fields = ("error",)
    ordering = ("-delivery__received_at", "-pk")
    fieldsets = (
        (None, {"fields": ("received_at", "error", "attempts", "state", "source", "in_log")}),
        ("As it came", {"fields": ("raw",)}),
    )
    actions = ("replay_selected",)
    actions_detail = ("replay",)

    def get_readonly_fields(self, request: HttpRequest, obj: InboxItem | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxItem]:
        return super().get_queryset(request).filter(state=InboxState.QUARANTINED).defer("delivery__body")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "webhooks.replay")

    @display(description="Received", ordering="delivery__received_at")
    def received(self, obj: InboxItem) -> str:
        return ago(obj.delivery.received_at)

    @display(description="Received")
    def received_at(self, obj: InboxItem) -> str:
        return ago(obj.delivery.received_at)

    @display(description="ID")
    def shown_id(self, obj: InboxItem) -> str:
        return str(obj.pk)

    @display(description="Incoming log")
    def in_log(self, obj: InboxItem) -> str:
        return inside_link(reverse("admin:webhooks_webhookdelivery_change", args=[obj.pk]), "Entry")

    @display(description="Body")
    def raw(self, obj: InboxItem) -> str:
        return raw_body(bytes(obj.delivery.body))

    @action(description="Replay", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[InboxItem]) -> None:
        pks = list(queryset.values_list("pk", flat=True))
        replay_with_message(request, list(WebhookDelivery.objects.filter(pk__in=pks).defer("body")))

    @post_action(
        description="Replay",
        question="It is processed again, with the settings of now.",
        permission="webhooks.replay",
        icon="replay",
    )
    def replay(self, request: HttpRequest, obj: InboxItem) -> HttpResponse:
        replay_with_message(request, [obj.delivery])
        return HttpResponseRedirect(reverse("admin:webhooks_inboxitem_changelist"))
