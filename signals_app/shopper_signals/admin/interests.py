"""From which signals an interest is known."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from signals_app.catalog import services as catalog_services
from signals_app.core.admin import ProjectScopedAdmin, ReadOnlyAdmin
from signals_app.core.display import ago, outside_link
from signals_app.customers.display import profile_link
from signals_app.shopper_signals import decay, services
from signals_app.shopper_signals.admin.signals import page_address
from signals_app.shopper_signals.constants import InterestKind
from signals_app.shopper_signals.models import Interest

EVIDENCE_SHOWN = 20
PAGES_SHOWN = 3
VERBS = {InterestKind.SEARCH.value: "Searched for", InterestKind.CONTENT.value: "Read"}


@admin.register(Interest)
class InterestAdmin(ReadOnlyAdmin, ProjectScopedAdmin[Interest]):
    """One interest of one shopper with the signals that show it; the profile lists them."""

    project_path = "customer__project"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # Interests stand on the pages of their profiles.
        return HttpResponseRedirect(reverse("admin:customers_customer_changelist"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        interest = self.get_object(request, object_id)
        if interest is None:
            raise Http404("There is no such interest in this store.")
        if not self.has_view_permission(request, interest):
            raise PermissionDenied
        label = name_of(interest)
        found = services.interest_evidence(interest=interest, limit=EVIDENCE_SHOWN)
        half_life = services.half_life_of(interest.customer)
        shop_url = interest.customer.project.shop_url
        context = {
            **self.admin_site.each_context(request),
            "title": label,
            "opts": self.opts,
            "interest": interest,
            "label": label,
            "profile": profile_link(interest.customer),
            "sentence": sentence_of(interest),
            "last_seen": ago(interest.last_seen_at),
            "weight": weight_of(interest, half_life),
            "half_life": half_life,
            "is_all": found.is_all,
            "evidence": [
                {
                    "at": ago(each.received_at),
                    "link": reverse("admin:shopper_signals_shoppersignal_change", args=[each.signal_id]),
                    "weight": each.weight,
                    "pages": [outside_link(page_address(name, shop_url), name) for name in each.pages[:PAGES_SHOWN]],
                }
                for each in found.signals
            ],
        }
        return TemplateResponse(request, "admin/shopper_signals/interest.html", context)


def name_of(interest: Interest) -> str:
    """Return what a person calls an interest: a product's title where the catalogue knows it."""
    if interest.kind == InterestKind.PRODUCT:
        products = catalog_services.products_by_key(project=interest.customer.project, keys=[interest.name])
        if interest.name in products:
            return products[interest.name].title
    return services.label_of(interest)


def sentence_of(interest: Interest) -> str:
    """Return how the interest is known: "Viewed 4 times, last on 12 May 2026"."""
    verb = VERBS.get(interest.kind, "Viewed")
    count = interest.evidence_count
    times = {1: "once", 2: "twice"}.get(count, f"{count:,} times")
    at = timezone.localtime(interest.last_seen_at)
    return f"{verb} {times}, last on {at.day} {at:%B %Y}"


def weight_of(interest: Interest, half_life_hours: int) -> float:
    """Return what the interest weighs now, in views."""
    return decay.value(interest.weight_log2, decay.hours(timezone.now()) / half_life_hours)
