"""The page of a shop at Shopify: connecting it, what arrived, reading it anew, and what the law asks."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from signals_app.core.admin import ProjectScopedAdmin, display, note_form_errors
from signals_app.core.display import ago, badge
from signals_app.core.exceptions import TransientError
from signals_app.shops import services as shops
from signals_app.shops.constants import SyncKind, SyncState
from signals_app.shops.exceptions import InvalidConnection, ShopRefused
from signals_app.shops.models import ShopConnection, ShopSync
from signals_app.webhooks import connection, services, shop_page
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.shop_forms import AccessForm, ShopForm, ShopSecretForm
from signals_app.webhooks.wakeup import wake_workers

PASTE = "webhooks.paste_secret"
HIDDEN_BUTTONS = dict.fromkeys(
    ("show_save", "show_save_and_continue", "show_save_and_add_another", "show_close"), False
)


@admin.register(ShopConnection)
class ShopConnectionAdmin(ProjectScopedAdmin[ShopConnection]):
    form = ShopForm
    change_form_template = "admin/shops/connection.html"
    list_display = ("domain", "state", "last_webhook")
    ordering = ("created_at", "pk")
    search_fields = ("domain",)

    def get_fieldsets(self, request: HttpRequest, obj: ShopConnection | None = None) -> Any:
        if obj is not None:
            return ()  # its page says it all, and its forms are small ones
        access = {"fields": ("client_id", "access_token")}
        return (
            ("A shop at Shopify", {"fields": ("domain", "secret")}),
            ("To read what it has already, and to compare every night", access),
        )

    def has_delete_permission(self, request: HttpRequest, obj: ShopConnection | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        found = list(self.get_queryset(request)[:2])
        if not request.GET and len(found) == 1:
            return HttpResponseRedirect(_page(found[0]))
        if not found and self.has_add_permission(request):
            return HttpResponseRedirect(reverse("admin:shops_shopconnection_add"))
        return super().changelist_view(request, extra_context)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        context = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, context | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: ShopConnection, form: Any, change: bool) -> None:
        if change:
            return
        made = form.connect(now=timezone.now())
        obj.pk, obj.domain, obj._state.adding = made.pk, made.domain, False

    def response_add(self, request: HttpRequest, obj: ShopConnection, post_url_continue: Any = None) -> HttpResponse:
        messages.success(request, "The shop is there. What is left to do stands on its page.")
        return HttpResponseRedirect(_page(obj))

    @display(description="State")
    def state(self, obj: ShopConnection) -> str:
        found = shop_page.state(obj, obj.webhook_source, now=timezone.now())
        return badge(found.word, found.tone)

    @display(description="Last webhook")
    def last_webhook(self, obj: ShopConnection) -> str:
        latest = connection.newest(obj.webhook_source)
        return ago(latest.received_at if latest else None)

    # --- the page -----------------------------------------------------------------------------------------------------

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: ShopConnection | None = None,
    ) -> HttpResponse:
        project = getattr(request, "project", None)
        context["examples"] = shop_page.rest_examples(project) if project else []
        return super().render_change_form(request, context, add=add, change=change, form_url=form_url, obj=obj)

    def page_context(self, request: HttpRequest, shop: ShopConnection) -> dict[str, Any]:
        now, source = timezone.now(), shop.webhook_source
        secrets = list(source.secrets.order_by("created_at", "pk").defer("secret"))
        backfill = shop_page.latest_sync(shop, SyncKind.BACKFILL)
        erasure = shop_page.latest_sync(shop, SyncKind.ERASURE)
        walks = [each for each in (backfill, erasure) if each]
        return {
            "shop": shop,
            "source": source,
            "state": shop_page.state(shop, source, now=now),
            "address": shops.webhook_url(shop),
            "scopes": shop_page.SCOPES,
            "privacy_topics": shop_page.privacy_topics(),
            "secrets": [{"row": row, "is_valid": row.is_valid(now=now)} for row in secrets],
            "secret_form": ShopSecretForm(has_others=any(row.is_valid(now=now) for row in secrets)),
            "access_form": AccessForm(initial={"client_id": shop.client_id}),
            "topics": shop_page.topics(shop, source),
            "missing_topics": shop_page.missing_topics(shop),
            "refusals": shop_page.refusals(source, now=now),
            "backlog": connection.backlog(source),
            "backfill": backfill,
            "erasure": erasure,
            "comparison": shop_page.latest_sync(shop, SyncKind.RECONCILIATION),
            "differences": shop_page.differences(shop),
            "open_requests": shop_page.open_requests(shop),
            "is_moving": any(each.sync.state == SyncState.RUNNING for each in walks),
            "may_paste": self.may(request, PASTE),
            "may_change": self.has_change_permission(request, shop),
            "pause_link": reverse("admin:shops_shopconnection_pause", args=[shop.pk]),
            **HIDDEN_BUTTONS,
        }

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, Callable[..., HttpResponse]] = {
            "secret/": self.paste_secret,
            "secret/<int:secret>/remove/": self.remove_secret,
            "access/": self.give_access,
            "ask/": self.ask_now,
            "subscribe/": self.subscribe,
            "backfill/": self.start_backfill,
            "stop/": self.stop,
            "pause/": self.pause,
        }
        return [
            path(f"<uuid:pk>/{route}", self.admin_site.admin_view(view), name=f"shops_shopconnection_{view.__name__}")
            for route, view in views.items()
        ] + super().get_urls()

    def _post_only(self, request: HttpRequest, pk: uuid.UUID, permission: str) -> ShopConnection:
        shop = self.get_object(request, str(pk))
        if shop is None:
            raise Http404("There is no such shop in this store.")
        if request.method != "POST" or not self.may(request, permission):
            raise PermissionDenied
        return shop

    def paste_secret(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        shop = self._post_only(request, pk, PASTE)
        form = ShopSecretForm(request.POST)
        if form.is_valid():
            form.save(source=shop.webhook_source, now=timezone.now())
            messages.success(request, "The secret is kept: what is signed with it is accepted from now on.")
        else:
            note_form_errors(request, form)
        return HttpResponseRedirect(_page(shop))

    def remove_secret(self, request: HttpRequest, pk: uuid.UUID, secret: int) -> HttpResponse:
        shop = self._post_only(request, pk, PASTE)
        services.remove_secret(source=shop.webhook_source, secret_id=secret)
        messages.success(request, "The secret is removed: what is signed with it is refused from now on.")
        return HttpResponseRedirect(_page(shop))

    def give_access(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        shop = self._post_only(request, pk, PASTE)
        form = AccessForm(request.POST)
        if not form.is_valid():
            note_form_errors(request, form)
            return HttpResponseRedirect(_page(shop))
        try:
            form.save(shop=shop, now=timezone.now())
        except InvalidConnection as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(_page(shop))
        return self._check(request, shop)

    def ask_now(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return self._check(request, self._post_only(request, pk, PASTE))

    def _check(self, request: HttpRequest, shop: ShopConnection) -> HttpResponse:
        now = timezone.now()
        try:
            messages.success(
                request, shops.check_access(shop=shop, client_secret=_secret(shop.webhook_source), now=now)
            )
        except (ShopRefused, TransientError) as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(_page(shop))

    def subscribe(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        shop = self._post_only(request, pk, PASTE)
        try:
            refused = shops.subscribe(shop=shop, client_secret=_secret(shop.webhook_source), now=timezone.now())
        except (ShopRefused, TransientError) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(_page(shop))
        messages.success(request, f"Shopify posts {len(shop.subscribed_topics)} topics to us.")
        for topic, reason in refused.items():
            messages.warning(request, f"{topic}: {reason}")
        return HttpResponseRedirect(_page(shop))

    def start_backfill(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        shop = self._post_only(request, pk, "change")
        if not shop.may_ask:
            messages.error(request, "First say how to ask the shop: paste a client ID or an access token.")
        elif shops.start_sync(
            shop=shop, kind=SyncKind.BACKFILL, started_by=request.user.get_username(), now=timezone.now()
        ):
            messages.success(request, "Started: it is read page by page, and goes on if you leave this page.")
        else:
            messages.info(request, "It is running already.")
        return HttpResponseRedirect(_page(shop))

    def stop(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        shop = self._post_only(request, pk, "change")
        running = ShopSync.objects.filter(shop=shop, kind=SyncKind.BACKFILL, state=SyncState.RUNNING).first()
        is_stopped = running is not None and shops.stop_sync(sync=running, now=timezone.now())
        messages.success(request, "Stopped; what was read stays." if is_stopped else "It had ended already.")
        return HttpResponseRedirect(_page(shop))

    def pause(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        shop = self._post_only(request, pk, "change")
        if request.POST.get("paused") == "1":
            services.pause(source=shop.webhook_source, now=timezone.now())
            messages.success(request, "Paused: what comes is kept, not processed.")
        else:
            count = services.unpause(source=shop.webhook_source, now=timezone.now())
            wake_workers()
            messages.success(request, f"Going on: {count:,} webhooks that came meanwhile are being processed.")
        return HttpResponseRedirect(_page(shop))


def _secret(source: WebhookSource) -> str:
    return services.newest_secret(source=source, now=timezone.now())


def _page(shop: ShopConnection) -> str:
    return reverse("admin:shops_shopconnection_change", args=[shop.pk])
