"""The page “Identity kit”: who may call, what came of it, and what the shop's developer copies."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from signals_app.core.admin import ProjectSingletonAdmin, display, post_action
from signals_app.core.display import badge, lines
from signals_app.core.turns import wake
from signals_app.customers import services as customers
from signals_app.customers import tasks as customer_tasks
from signals_app.customers.constants import Evidence
from signals_app.customers.models import IdentityEdge
from signals_app.storefront import services
from signals_app.storefront.constants import ConsentMode, Outcome
from signals_app.storefront.forms import StorefrontForm
from signals_app.storefront.models import Storefront
from signals_app.storefront.proofs import proof_of
from signals_app.storefront.snippets import identify_url, snippets, theme_snippet

DAYS = 7
EXAMPLE = "shopper@example.com"
EXPLANATIONS: dict[Outcome, tuple[str, str]] = {
    Outcome.PROVEN: ("good", "The shop proved who was there; the browser and its history belong to the profile now."),
    Outcome.TIED: ("info", "The page knew both the browser and the visit."),
    Outcome.CLICKED: ("good", "Somebody came by a session link and looked at the page."),
    Outcome.CLAIMED: ("neutral", "Noted beside the visitor. Nothing is sent to it, and it ties nobody to anybody."),
    Outcome.NOTHING: ("neutral", "The page knew only one ID, or somebody who was erased."),
    Outcome.WRONG_PROOF: ("bad", "Is the secret in the theme the one of this page, and the address in lower case?"),
    Outcome.INVALID: ("bad", "The answer to the call says which field cannot be used; see the browser's network tab."),
}


@admin.register(Storefront)
class StorefrontAdmin(ProjectSingletonAdmin[Storefront]):
    """One kit a store: its settings, with all there is to copy above them."""

    form = StorefrontForm
    change_form_template = "admin/storefront/identity_kit.html"
    list_display = ("state", "addresses")
    actions_detail = ("new_secret", "undo_session_links")
    fieldsets = (
        ("Who may call", {"fields": ("is_enabled", "allowed_origins", "accepts_pixel")}),
        ("When the shopper agrees", {"fields": ("consent_mode", ("consent_check", "consent_event"))}),
        (
            "Which ID the visitor has",
            {
                "fields": ("visitor_global", ("visitor_cookie", "visitor_storage")),
                "description": "Where your pages keep the ID that Insightarc sends as anonymous_id. All empty: the script "
                "makes an ID of its own after consent, and insightarcIdentity.visitor() hands it to other scripts.",
            },
        ),
        ("Clicks in mails", {"fields": ("has_session_links",)}),
    )

    @display(description="State")
    def state(self, obj: Storefront) -> str:
        return badge("Switched on", "good") if obj.is_enabled else badge("Switched off", "neutral")

    @display(description="Addresses of the shop")
    def addresses(self, obj: Storefront) -> str:
        return lines(list(obj.allowed_origins))

    def _may_edit(self, request: HttpRequest, obj: Storefront | None) -> bool:
        return self.has_change_permission(request, obj) or (obj is None and self.has_add_permission(request))

    def get_fieldsets(self, request: HttpRequest, obj: Storefront | None = None) -> Any:
        may_edit = self._may_edit(request, obj)
        return self.fieldsets if may_edit else ((None, {"fields": ("state", "addresses")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Storefront | None = None) -> Any:
        return () if self._may_edit(request, obj) else ("state", "addresses")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        project = getattr(request, "project", None)
        return {"allowed_origins": services.suggested_origins(project)} if project else {}

    def get_urls(self) -> list[URLPattern]:
        own: list[URLPattern] = [
            path(
                "<uuid:pk>/secret/",
                self.admin_site.admin_view(self.show_secret),
                name="storefront_storefront_secret",
            )
        ]
        return own + super().get_urls()

    def offers(self, request: HttpRequest, button: str, object_id: Any) -> bool:
        if not button.endswith("undo_session_links"):
            return super().offers(request, button, object_id)
        project = getattr(request, "project", None)
        return IdentityEdge.objects.filter(project=project, evidence=Evidence.CLICK).exists()

    def page_context(self, request: HttpRequest, storefront: Storefront) -> dict[str, Any]:
        now = timezone.now()
        counts = services.calls_by_outcome(storefront=storefront, since=now - timedelta(days=DAYS), now=now)
        waits = storefront.consent_mode == ConsentMode.BANNER and not storefront.consent_check
        return {
            "storefront": storefront,
            "days": DAYS,
            "calls": [
                {
                    "label": outcome.label,
                    "count": count,
                    "tone": EXPLANATIONS[outcome][0],
                    "why": EXPLANATIONS[outcome][1],
                }
                for outcome, count in counts.items()
                if count
            ],
            "snippets": snippets(storefront),
            "address": identify_url(storefront),
            "must_tell_consent": waits,
            "may_show_secret": self.may(request, "storefront.show_secret"),
            "old_secret_until": storefront.previous_secret_until
            if len(storefront.valid_secrets(now=now)) > 1
            else None,
        }

    def show_secret(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Show the proof secret on the answer itself: in a message, it would be written into the session."""
        storefront = self.get_object(request, str(pk))
        if storefront is None:
            raise Http404("There is no identity kit in this store.")
        if request.method != "POST" or not self.may(request, "storefront.show_secret"):
            raise PermissionDenied
        secret = storefront.proof_secret
        context = {
            **self.admin_site.each_context(request),
            "title": "Proof secret",
            "opts": self.opts,
            "secret": secret,
            "snippet": theme_snippet(storefront, secret=secret),
            "example": EXAMPLE,
            "example_proof": proof_of(secret, EXAMPLE),
            "back": reverse("admin:storefront_storefront_change", args=[storefront.pk]),
        }
        response = TemplateResponse(request, "admin/storefront/secret.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @post_action(
        description="New proof secret",
        question="The shop's server and theme need the new secret. Proofs made with the old one count for seven days more.",
        permission="storefront.show_secret",
        icon="lock_reset",
    )
    def new_secret(self, request: HttpRequest, obj: Storefront) -> None:
        services.renew_secret(storefront=obj, now=timezone.now())
        messages.success(
            request, "There is a new proof secret. Put it into the shop's server or theme within seven days."
        )

    @post_action(
        description="Take back session links",
        question="Every tie that a click in a mail has made so far is undone: whom only such a tie holds together is "
        "parted, and each gets back what is their own. Ties that something else shows stay. Later clicks tie again, "
        "unless session links are switched off.",
        permission="customers.undo_link",
        icon="link_off",
    )
    def undo_session_links(self, request: HttpRequest, obj: Storefront) -> None:
        customers.undo_links_of_kind(
            project=obj.project, evidence=Evidence.CLICK, by=request.user.get_username(), now=timezone.now()
        )
        wake(customer_tasks.continue_removals)
        messages.success(request, "The ties are being taken back. Profiles that they held together part as it goes on.")
