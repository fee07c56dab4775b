"""The page of visited pages that match no product: what they look like, and what a person says of them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from signals_app.catalog import services as catalog
from signals_app.catalog.exceptions import InvalidAlias
from signals_app.catalog.models import Product
from signals_app.projects.models import Project
from signals_app.shopper_signals import services as signals

SHOWN = 50
MAX_TYPED = 2_000


def view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """List the pages; a POST says of one that it shows a product, or of some that they are none."""
    project = getattr(request, "project", None)
    if project is None or not request.user.has_perm("catalog.view_pagealias"):
        raise PermissionDenied
    if request.method == "POST":
        if not request.user.has_perm("catalog.match_pages"):
            raise PermissionDenied
        _say(request, project)
        return HttpResponseRedirect(reverse("admin:unmatched_pages"))
    found = signals.unmatched_pages(project=project, now=timezone.now(), limit=SHOWN)
    context |= {
        "title": "Pages without a product",
        "found": found,
        "may_say": request.user.has_perm("catalog.match_pages"),
        "products_link": reverse("admin:catalog_product_changelist"),
        "said_link": reverse("admin:catalog_pagealias_changelist"),
    }
    return TemplateResponse(request, "admin/catalog/unmatched_pages.html", context)


def _say(request: HttpRequest, project: Project) -> None:
    page, by = request.POST.get("page", "")[:MAX_TYPED], request.user.get_username()
    try:
        if "product" not in request.POST:
            alias = catalog.ignore_pages(project=project, pattern=page, by=by)
            messages.success(request, f"{alias.pattern} is not listed any more.")
            return
        product = _product(project, request.POST["product"].strip()[:MAX_TYPED])
        if product is None:
            messages.error(
                request, "No product has this title, item ID or address. Copy one from the list of products."
            )
            return
        catalog.say_page_shows(project=project, page=page, product=product, by=by)
        messages.success(request, f"{page} counts as “{product.title}” from the next signal on.")
    except InvalidAlias as error:
        messages.error(request, str(error))


def _product(project: Project, said: str) -> Product | None:
    """Return the product that a person means: by item ID, page or title."""
    if not said:
        return None
    products = Product.objects.filter(project=project, is_active=True).order_by("sku")
    key = catalog.page_reader(project_id=project.pk).catalogue_key(said) if "/" in said else ""
    by_page = catalog.products_by_key(project=project, keys=[key]).values() if key else ()
    return products.filter(sku=said).first() or next(iter(by_page), None) or products.filter(title__iexact=said).first()
