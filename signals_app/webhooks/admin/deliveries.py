"""The incoming log: every signed request, byte for byte as it came."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html

from signals_app.core.admin import (
    ChoicesFilter,
    DateTimeRangeFilter,
    ProjectScopedAdmin,
    ReadOnlyAdmin,
    action,
    display,
    post_action,
)
from signals_app.core.changelist import QuickChangeList
from signals_app.core.display import ago, badge, lines, page_link
from signals_app.customers.display import profile_link
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.shops.constants import TOPICS
from signals_app.webhooks import problems, services
from signals_app.webhooks.admin.replaying import number_in_words, raw_body, replay_with_message, start_replays
from signals_app.webhooks.constants import DeliveryVerdict, InboxState
from signals_app.webhooks.forms import ReplayBetweenForm
from signals_app.webhooks.models import InboxItem, SeenBody, ShopDelivery, WebhookDelivery


class DeliveryChangeList(QuickChangeList):
    """The page's deliveries with the number of their repeats, in one query for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        deliveries = list(self.result_list)
        digests = {bytes(delivery.body_sha256) for delivery in deliveries}
        seen = SeenBody.objects.filter(source__project=getattr(request, "project", None), body_sha256__in=digests)
        counts = dict(seen.values_list("delivery_id", "duplicate_count"))
        for delivery in deliveries:
            delivery.duplicates = counts.get(delivery.pk, 0)
        self.result_list = deliveries


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin, ProjectScopedAdmin[WebhookDelivery]):
    """Every signed request, byte for byte as it came."""

    project_path = "source__project"
    list_display = ("received", "what", "outcome", "size", "repeats", "shown_id")
    list_display_links = ("received",)
    list_filter = (("verdict", ChoicesFilter), ("received_at", DateTimeRangeFilter), "source")
    list_select_related = ("inbox_item", "shop_delivery")
    search_fields = ("id",)
    search_help_text = "ID of a signal, as the API and the answer to Insightarc give it"
    ordering = ("-received_at", "-id")
    fieldsets = (
        (None, {"fields": ("received_at", "what", "outcome", "reason", "signal", "source", "shown_id")}),
        ("As it came", {"fields": ("size_exact", "content_type", "raw")}),
    )
    actions_list = ("replay_between_times",)
    actions_detail = ("replay",)

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookDelivery | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[QuickChangeList]:
        return DeliveryChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        # A list needs no bodies, only their length.
        return super().get_queryset(request).annotate(body_size=Length("body")).defer("body")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[WebhookDelivery], search_term: str
    ) -> tuple[QuerySet[WebhookDelivery], bool]:
        if not search_term.strip():
            return queryset, False
        try:
            return queryset.filter(pk=uuid.UUID(search_term.strip())), False
        except ValueError:
            return queryset.none(), False

    @display(description="Received", ordering="received_at")
    def received(self, obj: WebhookDelivery) -> str:
        return ago(obj.received_at)

    @display(description="What")
    def what(self, obj: WebhookDelivery) -> str:
        headers: ShopDelivery | None = getattr(obj, "shop_delivery", None)
        return "Signal" if headers is None else f"Shop: {TOPICS.get(headers.topic, headers.topic or 'no topic')}"

    @display(description="Outcome", ordering="verdict")
    def outcome(self, obj: WebhookDelivery) -> str:
        item: InboxItem | None = getattr(obj, "inbox_item", None)
        if item is None:
            return (
                badge("Processed", "good") if obj.verdict != DeliveryVerdict.MALFORMED else badge("Not readable", "bad")
            )
        tones = {
            InboxState.QUARANTINED.value: "bad",
            InboxState.PARKED.value: "warn",
            InboxState.SET_ASIDE.value: "neutral",
        }
        return badge(item.get_state_display(), tones.get(item.state, "info"))

    @display(description="Size", ordering="body_size")
    def size(self, obj: WebhookDelivery) -> str:
        return f"{obj.body_size:,} bytes"  # type: ignore[attr-defined]

    @display(description="Size")
    def size_exact(self, obj: WebhookDelivery) -> str:
        return f"{len(bytes(obj.body)):,} bytes"

    @display(description="Repeats")
    def repeats(self, obj: WebhookDelivery) -> str:
        headers: ShopDelivery | None = getattr(obj, "shop_delivery", None)
        count = headers.duplicate_count if headers else getattr(obj, "duplicates", 0)
        return badge(f"{count:,} more", "info") if count else "–"

    @display(description="ID")
    def shown_id(self, obj: WebhookDelivery) -> str:
        return str(obj.pk)

    @display(description="What is wrong")
    def reason(self, obj: WebhookDelivery) -> str:
        item: InboxItem | None = getattr(obj, "inbox_item", None)
        signal = ShopperSignal.objects.filter(pk=obj.pk).only("issues").first()
        found = [problems.in_words(item.error)] if item and item.error else []
        if item and item.state == InboxState.SET_ASIDE:
            when = timezone.localtime(item.set_aside_at or item.due_at).strftime("%Y-%m-%d %H:%M")
            found.append(f"Set aside by {item.set_aside_by or 'somebody'} on {when}")
        found += (
            [f"{issue.get('field') or 'body'}: {issue.get('problem', '')}" for issue in signal.issues] if signal else []
        )
        return lines(found) if found else "Nothing"

    @display(description="Became")
    def signal(self, obj: WebhookDelivery) -> str:
        headers: ShopDelivery | None = getattr(obj, "shop_delivery", None)
        if headers is not None:
            return profile_link(headers.identifier.customer) if headers.identifier else "–"
        signal = ShopperSignal.objects.filter(pk=obj.pk).select_related("identifier__customer").first()
        if signal is None:
            return "–"
        shopper = profile_link(signal.identifier.customer) if signal.identifier else "unknown shopper"
        return format_html("{} of {}", page_link(signal), shopper)

    @display(description="Body")
    def raw(self, obj: WebhookDelivery) -> str:
        is_erased = {"pk": obj.pk, "identifier__customer__erased_at__isnull": False}
        if any(model.objects.filter(**is_erased).exists() for model in (ShopperSignal, ShopDelivery)):
            return "Erased person"  # it goes in a moment
        return raw_body(bytes(obj.body))

    @post_action(
        description="Replay",
        question="It is processed again. What it brought before is not brought twice.",
        permission="webhooks.replay",
        icon="replay",
    )
    def replay(self, request: HttpRequest, obj: WebhookDelivery) -> None:
        replay_with_message(request, [obj])

    @action(description="Replay what came between …", permissions=["replay"], icon="replay")
    def replay_between_times(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:webhooks_webhookdelivery_replay_between"))

    def has_replay_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.may(request, "webhooks.replay")

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = path("replay-between/", wrap(self.replay_between), name="webhooks_webhookdelivery_replay_between")
        return [own, *super().get_urls()]

    def replay_between(self, request: HttpRequest) -> HttpResponse:
        """Ask between which times, say how many came, and start the replay of them."""
        project = getattr(request, "project", None)
        if project is None or not self.has_replay_permission(request):
            raise PermissionDenied
        now = timezone.now()
        form = ReplayBetweenForm(request.GET or None, project=project, now=now)
        count = None
        if form.is_valid():
            selection, source = form.selection(), form.cleaned_data["source"]
            if request.method == "POST":
                return start_replays(request, selection, str(source.pk) if source else "")
            sources = [source] if source else project.webhook_sources.all()
            count = sum(services.count_selected(source=each, selection=selection) for each in sources)
        context = {
            **self.admin_site.each_context(request),
            "title": "Replay what came between two times",
            "form": form,
            "media": self.media + form.media,
            "count": count,
            "count_in_words": number_in_words(count or 0),
            "opts": self.opts,
            "back": reverse("admin:webhooks_webhookdelivery_changelist"),
        }
        return TemplateResponse(request, "admin/webhooks/replay_between.html", context)
