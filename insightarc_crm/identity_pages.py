"""Pages of a profile about who is one person: joining two profiles, how we know, and taking a link back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from insightarc_crm.navigation import page
from signals_app.core.admin import ProjectScopedAdmin
from signals_app.core.display import page_link
from signals_app.customers import services
from signals_app.customers.constants import ConflictState, Evidence, IdentifierKind
from signals_app.customers.display import profile_link
from signals_app.customers.exceptions import LinkIsGone, ProfileIsGone, SameProfile
from signals_app.customers.facets import Trait
from signals_app.customers.models import STRENGTH, Customer, Identifier, IdentityConflict, IdentityEdge
from signals_app.customers.traits import KNOWN_IDS
from signals_app.shopper_signals import services as signal_services

SHOWN = 200
"""Known IDs, and links, on one page; visits of years are more."""
FOUND = 20
BROWSERS = 50
SECONDS_FOLDING = 1.0
NOTHING = frozenset({"–", "None", "0"})
IMPORTED_ROW = re.compile(r"import:(?P<run>[0-9a-f-]{36}):(?P<number>\d+)")
"""What showed a link that a list brought, as `transfers` names it."""


def urls(profiles: ProjectScopedAdmin[Customer]) -> list[URLPattern]:
    """Return the pages about identity that belong to a profile, for the admin of profiles."""

    def at(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        def run(request: HttpRequest, **arguments: Any) -> HttpResponse:
            return view(profiles, request, **arguments)

        return path(f"<uuid:object_id>/{route}", profiles.admin_site.admin_view(run), name=f"customers_customer_{name}")

    return [
        at("merge/", merge_page, "merge"),
        at("links/", links_page, "links"),
        at("links/<int:edge_id>/undo/", undo_page, "undo_link"),
    ]


def links_to(request: HttpRequest, customer: Customer) -> list[dict[str, str]]:
    """Return the buttons of a profile that lead to these pages: {"title", "link"}."""
    buttons = [{"title": "How we know", "link": reverse("admin:customers_customer_links", args=[customer.pk])}]
    if request.user.has_perm("customers.merge_profiles"):
        link = reverse("admin:customers_customer_merge", args=[customer.pk])
        buttons.append({"title": "Merge with another profile", "link": link})
    return buttons


def shared_ids(customer: Customer) -> list[Identifier]:
    """Return the browsers of a profile that many shoppers share, for a notice on its page."""
    browsers = list(customer.identifiers.filter(kind=IdentifierKind.ANONYMOUS_ID).order_by("-pk")[:BROWSERS])
    shared = services.shared_among([one.pk for one in browsers])
    return [one for one in browsers if one.pk in shared]


def merge_page(profiles: ProjectScopedAdmin[Customer], request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Find another profile by any ID it is known by, look at what both would be together, and join them."""
    customer = _own(profiles, request, object_id)
    if not request.user.has_perm("customers.merge_profiles"):
        raise PermissionDenied
    asked = request.POST if request.method == "POST" else request.GET
    other = _own(profiles, request, asked["with"]) if asked.get("with") else None
    if request.method == "POST" and other is not None:
        return _merge(request, customer, other)
    term = request.GET.get("q", "").strip()
    context = {
        "title": f"Merge {customer}",
        "customer": customer,
        "term": term,
        "found": _find(customer, term) if other is None else [],
        **(preview_of(request, customer, other) if other else {}),
    }
    return answer(request, profiles, customer, "admin/customers/identity_merge.html", context)


def _merge(request: HttpRequest, customer: Customer, other: Customer) -> HttpResponse:
    try:
        kept = services.merge(customer=customer, other=other, by=request.user.get_username(), now=timezone.now())
    except (ProfileIsGone, SameProfile) as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(_address(customer))
    undo = reverse("admin:customers_customer_links", args=[kept.pk])
    messages.success(
        request, format_html("They are one profile now. <a class='crm-link' href='{}'>How we know, and undo</a>", undo)
    )
    return HttpResponseRedirect(_address(kept))


def _find(customer: Customer, term: str) -> list[Customer]:
    if not term or "\x00" in term:
        return []
    known = Identifier.objects.filter(project=customer.project_id, value__in={term, term.lower()})
    ids = set(known.values_list("customer_id", flat=True)[:FOUND]) - {customer.pk}
    return list(Customer.objects.filter(pk__in=ids).order_by("-last_seen_at", "pk"))


def preview_of(request: HttpRequest, left: Customer, right: Customer) -> dict[str, Any]:
    """Return what a page needs that shows two profiles and what they would be together."""
    if not request.user.has_perm("customers.merge_profiles"):
        return {"left": left, "right": right, "may_merge": False}
    try:
        preview = services.preview_merge(customer=left, other=right, now=timezone.now())
    except (ProfileIsGone, SameProfile) as error:
        return {"problem": str(error)}
    traits = [trait for trait in preview.traits if _says_something(trait.left, trait.right, trait.together)]
    return {"left": left, "right": right, "preview": preview, "traits": traits, "may_merge": True}


def _says_something(*traits: Trait | None) -> bool:
    return any(trait.items or trait.value not in NOTHING for trait in traits if trait is not None)


@dataclass(frozen=True)
class LinkRow:
    """One link on the page that says how we know."""

    edge: IdentityEdge
    how: str
    reference: str
    undo: str


def links_page(profiles: ProjectScopedAdmin[Customer], request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Show what a profile is known by, which evidence ties it together, and who is kept apart from it."""
    customer = _own(profiles, request, object_id)
    shown = list(customer.identifiers.order_by(STRENGTH, "pk")[:SHOWN])
    may_undo = request.user.has_perm("customers.undo_link")
    context = {
        "title": f"How we know {customer}",
        "customer": customer,
        "identifiers": shown,
        "shared": services.shared_among([one.pk for one in shown]),
        "links": [_link_row(customer, edge, may_undo) for edge in services.links_of(customer, limit=SHOWN)],
        "more": max(0, customer.identifiers.count() - SHOWN),
        "apart": _kept_apart(customer),
        "buttons": [button for button in links_to(request, customer) if button["title"] != "How we know"],
    }
    return answer(request, profiles, customer, "admin/customers/identity_links.html", context)


def _link_row(customer: Customer, edge: IdentityEdge, may_undo: bool) -> LinkRow:
    undo = reverse("admin:customers_customer_undo_link", args=[customer.pk, edge.pk]) if may_undo else ""
    return LinkRow(edge, edge.get_evidence_display(), reference_link(edge.evidence, edge.reference), undo)


def reference_link(evidence: str, reference: str) -> str:
    """Return what showed a link, in words and where there is one with a link to it."""
    if not reference:
        return ""
    if evidence == Evidence.PERSON:
        return format_html(" – {}", reference)
    if evidence == Evidence.ORDER:
        return format_html(" – order {}", reference)
    if evidence == Evidence.IMPORT and (row := IMPORTED_ROW.fullmatch(reference)):
        address = page("transfers_importrun", "change", row["run"])
        return format_html(" – <a class='crm-link' href='{}'>row {} of the list</a>", address, row["number"])
    try:
        signal = UUID(reference)
    except ValueError:
        return format_html(" – {}", reference)
    address = page("shopper_signals_shoppersignal", "change", signal)
    return format_html(" – <a class='crm-link' href='{}'>the signal</a>", address)


def _kept_apart(customer: Customer) -> list[dict[str, Any]]:
    mine = Q(left__customer=customer) | Q(right__customer=customer)
    decided = IdentityConflict.objects.filter(mine, state=ConflictState.KEPT_APART)
    rows = decided.exclude(left__customer=F("right__customer")).select_related("left__customer", "right__customer")
    found = []
    for row in rows.order_by("-decided_at", "-pk")[:SHOWN]:
        own, other = (row.left, row.right) if row.left.customer_id == customer.pk else (row.right, row.left)
        found.append({"row": row, "own": own, "other": other, "profile": profile_link(other.customer)})
    return found


def undo_page(
    profiles: ProjectScopedAdmin[Customer], request: HttpRequest, object_id: UUID, edge_id: int
) -> HttpResponse:
    """Show who would be parted without a link, and take it back."""
    customer = _own(profiles, request, object_id)
    if not request.user.has_perm("customers.undo_link"):
        raise PermissionDenied
    edges = IdentityEdge.objects.filter(project=customer.project_id, left__customer=customer)
    edge = edges.select_related("left", "right").filter(pk=edge_id).first()
    if edge is None:
        raise Http404("There is no such link in this profile.")
    try:
        if request.method == "POST":
            return _undo(request, edge)
        preview = services.preview_undo(edge=edge, now=timezone.now())
    except LinkIsGone as error:
        messages.info(request, str(error))
        return HttpResponseRedirect(reverse("admin:customers_customer_links", args=[customer.pk]))
    context = {
        "title": "Undo a link",
        "customer": customer,
        "row": _link_row(customer, edge, may_undo=True),
        "parts": preview.parts,
        "traits": _beside(preview),
    }
    return answer(request, profiles, customer, "admin/customers/identity_undo.html", context)


def _beside(preview: services.UndoPreview) -> list[dict[str, Any]]:
    """Return the traits row by row: as they are, and of each part."""
    columns = [{trait.label: trait for trait in part.traits} for part in preview.parts]
    rows = [(trait, [column.get(trait.label) for column in columns]) for trait in preview.traits]
    return [
        {"now": now, "parts": parts}
        for now, parts in rows
        if now.label != KNOWN_IDS and _says_something(now, *parts)  # the IDs themselves stand above
    ]


def _undo(request: HttpRequest, edge: IdentityEdge) -> HttpResponse:
    parting = services.undo_link(edge=edge, by=request.user.get_username(), now=timezone.now())
    _fold_for_a_moment()
    if parting.split:
        others = format_html_join(" and ", "{}", ((page_link(one),) for one in parting.split))
        messages.success(request, format_html("The link is undone: {} is a profile of its own.", others))
    else:
        messages.info(request, "The link is undone. Other links still tie both sides together.")
    return HttpResponseRedirect(reverse("admin:customers_customer_links", args=[parting.kept.pk]))


def _fold_for_a_moment() -> None:
    """Fold a history that is too long for one transaction, so that the person finds it done; beat does what is left."""
    until = time.monotonic() + SECONDS_FOLDING
    while time.monotonic() < until and signal_services.continue_folding(now=timezone.now()):
        pass


# --- What the pages share -------------------------------------------------------------------------------------------


def _own(profiles: ProjectScopedAdmin[Customer], request: HttpRequest, object_id: Any) -> Customer:
    """Return a profile of the current store; the id of one that was joined to another leads to that one."""
    customer = profiles.get_object(request, str(object_id))
    if customer is None:
        now = current_id(request, str(object_id))
        customer = profiles.get_object(request, str(now)) if now else None
    if customer is None:
        raise Http404("There is no such profile in this store.")
    if not profiles.has_view_permission(request, customer):
        raise PermissionDenied
    return customer


def current_id(request: HttpRequest, former_id: str) -> UUID | None:
    """Return the profile that one was joined to, in the current store; None if the id never was one of a profile."""
    project = getattr(request, "project", None)
    try:
        wanted = UUID(former_id)
    except ValueError:
        return None
    return services.current_customer_id(project=project, former_id=wanted) if project else None


def answer(
    request: HttpRequest, model_admin: ProjectScopedAdmin[Any], row: Any, template: str, context: dict[str, Any]
) -> HttpResponse:
    shared = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "object": row,
        "original": row,
    }
    return TemplateResponse(request, template, shared | context)


def _address(customer: Customer) -> str:
    return reverse("admin:customers_customer_change", args=[customer.pk])
