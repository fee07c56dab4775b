"""The page of a connection: the address, the secret, the probe, what comes in and whom it names."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from signals_app.core.admin import ProjectScopedAdmin, display, note_form_errors
from signals_app.core.display import ago, badge, lines
from signals_app.webhooks import connection, services
from signals_app.webhooks.admin.coverage import LINES, coverage_page
from signals_app.webhooks.constants import MAPPED, Remedy
from signals_app.webhooks.exceptions import InvalidConfiguration
from signals_app.webhooks.forms import SecretForm, SourceForm
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.signature_report import signature_report
from signals_app.webhooks.wakeup import wake_workers

COVERAGE_DAYS = 7
MENDED = {
    Remedy.REGISTER_ADDRESS: "The address is registered beside the others: what is signed for it is accepted from now on.",
    Remedy.ACCEPT_FORM: "This form of signature is accepted from now on, beside the documented one.",
    Remedy.KEEP_SECRET: "The previous secret is valid again for 14 days. Let Insightarc use the new one until then.",
}


@admin.register(WebhookSource)
class WebhookSourceAdmin(ProjectScopedAdmin[WebhookSource]):
    """One page a connection: the address, the secret, the probe, what comes in and whom it names."""

    names_are_public = True
    form = SourceForm
    change_form_template = "admin/webhooks/connection.html"
    list_display = ("name", "state", "address", "last_signal")
    ordering = ("created_at", "pk")
    search_fields = ("name",)

    def get_fieldsets(self, request: HttpRequest, obj: WebhookSource | None = None) -> Any:
        may_edit = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        if not may_edit:
            return ((None, {"fields": ("name", "address")}),)
        settings = ("Settings", {"fields": ("name", "registered_urls", "signature_form", "duplicate_window_seconds")})
        identity = [
            row for name in MAPPED for row in (f"{name}_paths", (f"{name}_jmespath", f"{name}_query_parameter"))
        ]
        return (settings, ("Where the identity stands", {"fields": identity, "classes": ("collapse",)}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookSource]:
        return super().get_queryset(request).filter(shop=None)  # shops have a page of their own

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
            # Not the whole row: somebody else may have paused the connection meanwhile.
            obj.save(update_fields=["name", "updated_at"])
        services.configure_source(
            source=obj,
            urls=urls or [services.public_url(obj)],
            identity_mapping=form.identity_mapping,
            duplicate_window_seconds=form.cleaned_data["duplicate_window_seconds"],
            signature_form=form.cleaned_data["signature_form"],
        )
        if change:
            self._note_accepted(request, services.check_unchecked(source=obj, now=timezone.now()))

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
            path(
                "<uuid:pk>/secret/<int:secret>/keep/",
                wrap(self.keep_secret),
                name="webhooks_webhooksource_keep_secret",
            ),
            path("<uuid:pk>/probe/", wrap(self.probe), name="webhooks_webhooksource_probe"),
            path(
                "<uuid:pk>/failures/<int:failure>/<str:remedy>/",
                wrap(self.mend),
                name="webhooks_webhooksource_mend",
            ),
            path("<uuid:pk>/pause/", wrap(self.pause), name="webhooks_webhooksource_pause"),
            path("<uuid:pk>/coverage/", wrap(self.coverage), name="webhooks_webhooksource_coverage"),
        ]
        return own + super().get_urls()

    def page_context(self, request: HttpRequest, source: WebhookSource) -> dict[str, Any]:
        now = timezone.now()
        state = connection.state(source, now=now)
        return {
            "source": source,
            "state": state,
            "first": connection.first_signed(source),
            "own_address": services.public_url(source),
            **self._watch_context(source, state, now),
            **self._secret_context(source, now),
            **self._coverage_context(source, now),
            "latest": connection.latest_deliveries(source),
            "signatures": signature_report(source, now=now),
            "may_mend": self.may(request, "webhooks.paste_secret"),
            "rejections": connection.rejections(source, now=now),
            "backlog": connection.backlog(source),
            "may_paste": self.may(request, "webhooks.paste_secret"),
            "may_probe": self.may(request, "webhooks.probe"),
            "may_change": self.has_change_permission(request, source),
            "pause_link": reverse("admin:webhooks_webhooksource_pause", args=[source.pk]),
        }

    def _coverage_context(self, source: WebhookSource, now: datetime) -> dict[str, Any]:
        report = services.coverage(source=source, days=COVERAGE_DAYS, now=now)
        return {"coverage": report, "coverage_shares": [(label, report.share(name)) for name, label, _ in LINES]}

    def _watch_context(self, source: WebhookSource, state: connection.State, now: datetime) -> dict[str, Any]:
        # What the state says already is not said again.
        open_rows = connection.open_alerts(source).exclude(detail=state.sentence).order_by("-is_urgent", "opened_at")
        return {
            "alerts": open_rows,
            "past_alerts": connection.past_alerts(source, now=now),
            "probes": connection.probes(source, now=now),
        }

    def _secret_context(self, source: WebhookSource, now: datetime) -> dict[str, Any]:
        rows = list(source.secrets.order_by("created_at", "pk").defer("secret"))
        return {
            "secrets": [{"row": row, "is_valid": row.is_valid(now=now)} for row in rows],
            "secret_form": SecretForm(has_others=any(row.is_valid(now=now) for row in rows)),
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
        services.remove_secret(source=source, secret_id=secret)
        messages.success(request, "The secret is removed: what is signed with it is refused from now on.")
        return HttpResponseRedirect(_page(source))

    def keep_secret(self, request: HttpRequest, pk: uuid.UUID, secret: int) -> HttpResponse:
        source = self._post_only(request, pk, "webhooks.paste_secret")
        services.keep_secret(source=source, secret_id=secret)
        messages.success(request, "The secret stays valid until you remove it.")
        return HttpResponseRedirect(_page(source))

    def mend(self, request: HttpRequest, pk: uuid.UUID, failure: int, remedy: str) -> HttpResponse:
        source = self._post_only(request, pk, "webhooks.paste_secret")
        if remedy not in Remedy.values:
            raise Http404("There is no such remedy.")
        try:
            report = services.mend(source=source, failure_id=failure, remedy=Remedy(remedy), now=timezone.now())
        except (services.NothingToMend, InvalidConfiguration) as error:
            messages.error(request, getattr(error, "message", str(error)))
        else:
            messages.success(request, MENDED[Remedy(remedy)])
            self._note_accepted(request, report)
        return HttpResponseRedirect(_page(source))

    def _note_accepted(self, request: HttpRequest, report: services.SecretReport) -> None:
        if report.verified:
            wake_workers()
            count = f"{report.verified:,} of the {report.checked:,} requests put aside verify now"
            messages.success(request, f"{count} and were accepted: nothing of them is lost.")

    def probe(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        source = self._post_only(request, pk, "webhooks.probe")
        report = services.probe(source=source, now=timezone.now())
        if report.is_ok:
            messages.success(request, f"{report.url} answers as Insightarc wants: HEAD gets 200.")
        else:
            messages.error(request, f"{report.url} {report.problem}".strip())
        return HttpResponseRedirect(_page(source))

    def coverage(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        source = self.get_object(request, str(pk))
        if source is None:
            raise Http404("There is no such connection in this store.")
        if not self.has_view_permission(request, source):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return coverage_page(request, source=source, context=context | {"back": _page(source)})

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


def _page(source: WebhookSource) -> str:
    return reverse("admin:webhooks_webhooksource_change", args=[source.pk])
