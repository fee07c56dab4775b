"""The sidebar: groups, labels and icons, in the words of a marketer; and the addresses of the admin's pages."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import admin
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import InboxItem


class Item(NamedTuple):
    title: str
    model: str
    icon: str


GROUPS: tuple[tuple[str, tuple[Item, ...]], ...] = (
    (
        "Shoppers",
        (
            Item("Profiles", "customers.customer", "group"),
            Item("Segments", "segments.segment", "donut_small"),
            Item("Possible duplicates", "customers.identityconflict", "join"),
            Item("Imports", "transfers.importrun", "upload_file"),
            Item("Exports", "transfers.exportfile", "download"),
        ),
    ),
    (
        "Automations",
        (
            Item("Automations", "remarketing.remarketingrule", "bolt"),
            Item("Recipient activity", "remarketing.rulematch", "checklist"),
            Item("Frequency limits", "remarketing.sendpolicy", "speed"),
        ),
    ),
    (
        "E-mails",
        (
            Item("Templates", "emails.emailtemplate", "draft"),
            Item("E-mails", "emails.emailmessage", "outgoing_mail"),
            Item("Captured mails", "emails.mailboxmail", "inbox"),
            Item("Suppressions", "emails.suppression", "block"),
            Item("Sender", "emails.senderidentity", "badge"),
        ),
    ),
    (
        "Shop",
        (
            Item("Products", "catalog.product", "inventory_2"),
            Item("Feeds", "catalog.productfeed", "rss_feed"),
            Item("URL patterns", "catalog.urlpatterns", "link"),
            Item("Coupons", "catalog.coupon", "redeem"),
            Item("Orders", "customers.order", "shopping_bag"),
            Item("Shop connection", "shops.shopconnection", "storefront"),
            Item("Privacy requests", "shops.privacyrequest", "policy"),
        ),
    ),
    (
        "Insightarc",
        (
            Item("Connection", "webhooks.webhooksource", "cable"),
            Item("Identity kit", "storefront.storefront", "fingerprint"),
            Item("Incoming log", "webhooks.webhookdelivery", "receipt_long"),
            Item("Needs fixing", "webhooks.inboxitem", "build"),
            Item("Signals", "shopper_signals.shoppersignal", "sensors"),
        ),
    ),
    (
        "Advanced",
        (
            Item("Calibration", "remarketing.calibration", "target"),
            Item("Recomputations", "shopper_signals.recomputerun", "autorenew"),
        ),
    ),
    (
        "Settings",
        (
            Item("Store", "projects.project", "storefront"),
            Item("Team", "projects.membership", "shield_person"),
            Item("API keys", "projects.apikey", "key"),
            Item("Audit log", "audit.auditentry", "history"),
            Item("Erasures", "customers.erasurereport", "person_off"),
            Item("Data retention", "retention", "auto_delete"),
        ),
    ),
)


def page(model: str, view: str = "changelist", *arguments: object) -> str:
    """Return the address of an admin page, or of the home page while the page does not exist."""
    try:
        return reverse(f"admin:{model}_{view}", args=arguments)
    except NoReverseMatch:
        return reverse("admin:index")


PAGES = {"retention": "audit.see_retention"}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the theme's navigation: only pages that exist and that the person may open."""
    home_path = reverse("admin:index")
    home = {"title": "Home", "icon": "home", "link": home_path, "active": request.path == home_path}
    groups: list[dict[str, Any]] = [{"title": "", "items": [home | {"has_permission": True}]}]
    for title, items in GROUPS:
        links = [link for item in items if (link := _link(item, request)) is not None]
        if links:
            groups.append({"title": title, "separator": False, "items": links})
    return groups


def _page_link(item: Item, request: HttpRequest) -> dict[str, Any] | None:
    """Return the link to a page that belongs to no model; its permission stands in `PAGES`."""
    if not request.user.has_perm(PAGES[item.model]):
        return None
    path = reverse(f"admin:{item.model}")
    return {
        "title": item.title, "icon": item.icon, "link": path, "has_permission": True, "active": request.path == path
    }  # fmt: skip


def _link(item: Item, request: HttpRequest) -> dict[str, Any] | None:
    if item.model in PAGES:
        return _page_link(item, request)
    registered = {model._meta.label_lower: model_admin for model, model_admin in admin.site._registry.items()}
    model_admin = registered.get(item.model)
    if model_admin is None or not model_admin.has_view_or_change_permission(request):
        return None
    path = reverse(f"admin:{item.model.replace('.', '_')}_changelist")
    link: dict[str, Any] = {"title": item.title, "icon": item.icon, "link": path, "has_permission": True}
    link["active"] = request.path.startswith(path)
    if item.model == "webhooks.inboxitem" and (waiting := count_needs_fixing(request)):
        link |= {"badge": str(waiting), "badge_variant": "warning"}
    return link


def count_needs_fixing(request: HttpRequest, *, at_most: int = 99) -> int:
    """Return how many deliveries of the current store need a person, counted no further than `at_most`."""
    project = getattr(request, "project", None)
    if project is None:
        return 0
    waiting = InboxItem.objects.filter(source__project=project, state=InboxState.QUARANTINED)
    return waiting.order_by()[:at_most].count()
