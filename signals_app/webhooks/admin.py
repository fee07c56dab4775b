"""The connection to Insightarc: its page, the incoming log and what needs fixing."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from signals_app.core.admin import (
    ChoicesFilter,
    DateTimeRangeFilter,
    ProjectScopedAdmin,
    ReadOnlyAdmin,
    action,
    display,
    note_form_errors,
    post_action,
)
from signals_app.core.changelist import QuickChangeList
from signals_app.core.display import ago, badge, inside_link, lines, page_link
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import bodies, connection, services
from signals_app.webhooks.constants import MAPPED, DeliveryVerdict, InboxState
from signals_app.webhooks.forms import SecretForm, SourceForm
from signals_app.webhooks.models import InboxItem, SeenBody, WebhookDelivery, WebhookSecret, WebhookSource
from signals_app.webhooks.wakeup import wake_workers

COVERAGE_DAYS = 7


@admin.register(WebhookSource)
class WebhookSourceAdmin(ProjectScopedAdmin[WebhookSource]):
    """One page a connection: the address, the secret, the probe, what comes in and whom it names."""

    form = SourceForm
    change_form_template = "admin/webhooks/connection.html"
    list_display = ("name", "state", "address", "last_signal")
    ordering = ("created_at", "pk")
    search_fields = ("name",)

    def get_fieldsets(self, request: HttpRequest, obj: WebhookSource | None = None) -> Any:
        may_edit = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        if not may_edit:
            return ((None, {"fields": ("name", "address")}),)
        settings = ("Settings", {"fields": ("name", "registered_urls", "duplicate_window_seconds")})
        identity = [
            row for name in MAPPED for row in (f"{name}_paths", (f"{name}_jmespath", f"{name}_query_parameter"))
        ]
        return (settings, ("Where the identity stands", {"fields": identity, "classes": ("collapse",)}))

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookSource | None = None) -> Any:
        return () if self.has_change_permission(request, obj) else ("address",)

    def has_delete_permission(self, request: HttpRequest, obj: WebhookSource | None = None) -> bool:
        # Deleting one would delete every signal that it brought; pausing does what is usually meant.
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not request.GET and len(found := list(self.get_queryset(request)[:2])) == 1:
            return HttpResponseRedirect(_page(found[0]))
        return super().changelist_view(request, extra_context)

    def save_model(self, request: HttpRequest, obj: WebhookSource, form: Any, change: bool) -> None:
        urls = form.cleaned_data["registered_urls"]
        if not change:
            made = services.create_source(project=obj.project, name=obj.name, urls=urls)
            obj.pk, obj._state.adding = made.pk, False
            obj.registered_urls = urls = made.registered_urls
        else:
            super().save_model(request, obj, form, change)
        services.configure_source(
            source=obj,
            urls=urls or [services.public_url(obj)],
            identity_mapping=form.identity_mapping,
            duplicate_window_seconds=form.cleaned_data["duplicate_window_seconds"],
        )

    @display(description="State")
    def state(self, obj: WebhookSource) -> str:
        found = connection.state(obj, now=timezone.now())
        return badge(found.word, found.tone)

    @display(description="Addresses")
    def address(self, obj: WebhookSource) -> str:
        return lines(list(obj.registered_urls))

    @display(description="Last signal")
    def last_signal(self, obj: WebhookSource) -> str:
        latest = connection.newest(obj)
        return ago(latest.received_at if latest else None)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own: list[URLPattern] = [
            path("<uuid:pk>/secret/", wrap(self.paste_secret), name="webhooks_webhooksource_secret"),
            path(
                "<uuid:pk>/secret/<int:secret>/remove/",
                wrap(self.remove_secret),
                name="webhooks_webhooksource_remove_secret",
            ),
            path("<uuid:pk>/probe/", wrap(self.probe), name="webhooks_webhooksource_probe"),
            path("<uuid:pk>/pause/", wrap(self.pause), name="webhooks_webhooksource_pause"),
        ]
        return own + super().get_urls()

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: WebhookSource | None = None,
    ) -> HttpResponse:
        if change and obj is not None:
            context |= self._page_context(request, obj)
        return super().render_change_form(request, context, add=add, change=change, form_url=form_url, obj=obj)

    def _page_context(self, request: HttpRequest, source: WebhookSource) -> dict[str, Any]:
        now = timezone.now()
        return {
            "source": source,
            "state": connection.state(source, now=now),
            "first": connection.first_signed(source),
            "own_address": services.public_url(source),
            "secrets": source.secrets.order_by("created_at", "pk").defer("secret"),
            "secret_form": SecretForm(),
            "coverage": services.coverage(source=source, days=COVERAGE_DAYS, now=now),
            "coverage_labels": MAPPED,
            "identity_request": services.identity_request(source),
            "latest": connection.latest_deliveries(source),
            "rejections": connection.rejections(source, now=now),
            "backlog": connection.backlog(source),
            "may_paste": self.may(request, "webhooks.paste_secret"),
            "may_probe": self.may(request, "webhooks.probe"),
            "may_pause": self.has_change_permission(request, source),
        }

    def _post_only(self, request: HttpRequest, pk: uuid.UUID, permission: str) -> WebhookSource:
        source = self.get_object(request, str(pk))
        if source is None:
            raise Http404("There is no such connection in this store.")
        if request.method != "POST" or not self.may(request, permission):
            raise PermissionDenied
        return source

    def paste_secret(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        source = self._post_only(request, pk, "webhooks.paste_secret")
        form = SecretForm(request.POST)
        if not form.is_valid():
            note_form_errors(request, form)
            return HttpResponseRedirect(_page(source))
        report = form.save(source=source, now=timezone.now())
        wake_workers()
        if not report.checked:
            messages.success(request, "The secret is kept. No request has come yet that it could be tried on.")
        elif report.verified:
            messages.success(request, f"The secret is right: {report} of the requests that came before it.")
        else:
            messages.warning(
                request,
                f"{report}: the secret is kept, but it is not the one that these requests were signed with, or the "
                "registered address differs from the one at Insightarc.",
            )
        return HttpResponseRedirect(_page(source))

    def remove_secret(self, request: HttpRequest, pk: uuid.UUID, secret: int) -> HttpResponse:
        source = self._post_only(request, pk, "webhooks.paste_secret")
        WebhookSecret.objects.filter(source=source, pk=secret).delete()
        messages.success(request, "The secret is removed: what is signed with it is refused from now on.")
        return HttpResponseRedirect(_page(source))

    def probe(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        source = self._post_only(request, pk, "webhooks.probe")
        report = services.probe(source=source, now=timezone.now())
        if report.is_ok:
            messages.success(request, f"{report.url} answers as Insightarc wants: HEAD gets 200.")
        else:
            messages.error(request, f"{report.url} {report.problem}".strip())
        return HttpResponseRedirect(_page(source))

    def pause(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        source = self._post_only(request, pk, "change")
        now = timezone.now()
        if request.POST.get("paused") == "1":
            services.pause(source=source, now=now)
            messages.success(request, "Paused: signals are kept, not processed.")
        else:
            count = services.unpause(source=source, now=now)
            wake_workers()
            messages.success(request, f"Going on: {count:,} signals that came meanwhile are being processed.")
        return HttpResponseRedirect(_page(source))


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
    list_display = ("received", "outcome", "size", "repeats", "shown_id")
    list_display_links = ("received",)
    list_filter = (("verdict", ChoicesFilter), ("received_at", DateTimeRangeFilter), "source")
    list_select_related = ("inbox_item",)
    search_fields = ("id",)
    search_help_text = "ID of a signal, as the API and the answer to Insightarc give it"
    ordering = ("-received_at", "-id")
    fieldsets = (
        (None, {"fields": ("received_at", "outcome", "reason", "signal", "source", "shown_id")}),
        ("As it came", {"fields": ("size_exact", "content_type", "raw")}),
    )
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

    @display(description="Outcome", ordering="verdict")
    def outcome(self, obj: WebhookDelivery) -> str:
        item: InboxItem | None = getattr(obj, "inbox_item", None)
        if item is None:
            return (
                badge("Processed", "good") if obj.verdict != DeliveryVerdict.MALFORMED else badge("Not readable", "bad")
            )
        tones = {InboxState.QUARANTINED.value: "bad", InboxState.PARKED.value: "warn"}
        return badge(item.get_state_display(), tones.get(item.state, "info"))

    @display(description="Size", ordering="body_size")
    def size(self, obj: WebhookDelivery) -> str:
        return f"{obj.body_size:,} bytes"  # type: ignore[attr-defined]

    @display(description="Size")
    def size_exact(self, obj: WebhookDelivery) -> str:
        return f"{len(bytes(obj.body)):,} bytes"

    @display(description="Repeats")
    def repeats(self, obj: WebhookDelivery) -> str:
        count = getattr(obj, "duplicates", 0)
        return badge(f"{count:,} more", "info") if count else "–"

    @display(description="ID")
    def shown_id(self, obj: WebhookDelivery) -> str:
        return str(obj.pk)

    @display(description="What is wrong")
    def reason(self, obj: WebhookDelivery) -> str:
        item: InboxItem | None = getattr(obj, "inbox_item", None)
        signal = ShopperSignal.objects.filter(pk=obj.pk).only("issues").first()
        found = [item.error] if item and item.error else []
        found += (
            [f"{issue.get('field') or 'body'}: {issue.get('problem', '')}" for issue in signal.issues] if signal else []
        )
        return lines(found) if found else "Nothing"

    @display(description="Signal")
    def signal(self, obj: WebhookDelivery) -> str:
        signal = ShopperSignal.objects.filter(pk=obj.pk).select_related("identifier__customer").first()
        if signal is None:
            return "–"
        shopper = page_link(signal.identifier.customer) if signal.identifier else "unknown shopper"
        return format_html("{} of {}", page_link(signal), shopper)

    @display(description="Body")
    def raw(self, obj: WebhookDelivery) -> str:
        return raw_body(bytes(obj.body))

    @post_action(
        description="Replay",
        question="It is processed again. What it brought before is not brought twice.",
        permission="webhooks.replay",
        icon="replay",
    )
    def replay(self, request: HttpRequest, obj: WebhookDelivery) -> None:
        replay_with_message(request, [obj])


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


def replay_with_message(request: HttpRequest, deliveries: list[WebhookDelivery]) -> None:
    count = services.replay(deliveries=deliveries, now=timezone.now())
    wake_workers()
    if count:
        messages.success(request, f"{count:,} being processed again. What still cannot be read comes back here.")
    else:
        messages.info(request, "Nothing to do now: the connection is paused, or they are being processed already.")


def raw_body(body: bytes) -> str:
    shown = bodies.show(body)
    notes = []
    if shown.is_cut:
        notes.append(f"Cut: the first {bodies.SHOWN_BYTES:,} bytes of {len(body):,}.")
    if not shown.is_text:
        notes.append("Some bytes are not UTF-8 and are shown as �.")
    if shown.is_json:
        notes.append("Indented for reading; the signature covers the bytes as they came.")
    return format_html('{}<pre class="crm-raw">{}</pre>', lines(notes) if notes else "", shown.text)


def _page(source: WebhookSource) -> str:
    return reverse("admin:webhooks_webhooksource_change", args=[source.pk])
