"""What this room itself knows about a person: known IDs, consent, orders."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from django.db.models import Max, Model, Q

from signals_app.catalog.models import PageAlias
from signals_app.customers import newest
from signals_app.customers.constants import ConflictState, Evidence, FulfilmentState, IdentifierKind, OrderState, Topic
from signals_app.customers.facets import (
    ErasePart,
    Excerpt,
    ExportTable,
    Facet,
    Kept,
    Step,
    Subject,
    TimelineEntry,
    Tone,
    deleting,
)
from signals_app.customers.forgetting import rewriting, take_out_of_log
from signals_app.customers.mentions import Mentions
from signals_app.customers.models import (
    Checkout,
    Consent,
    ConsentChange,
    Customer,
    Fulfilment,
    Identifier,
    IdentityConflict,
    IdentityEdge,
    MergedCustomer,
    Order,
)
from signals_app.customers.traits import describe
from signals_app.projects.models import SavedView
from signals_app.transfers import services as transfers
from signals_app.transfers.models import ImportRun


def rows(found: Iterable[Mapping[str, object]]) -> Iterator[dict[str, Any]]:
    """Yield the rows with every value as JSON can say it."""
    for row in found:
        yield {
            name: value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
            for name, value in row.items()
        }


KINDS = {
    "order": "Orders",
    "shipment": "Orders",
    "checkout": "Orders",
    "consent": "Consent",
    "conflict": "Known IDs",
    "identifier": "Known IDs",
}


def timeline(customer: Customer, excerpt: Excerpt) -> list[TimelineEntry]:
    found: list[TimelineEntry] = []
    if excerpt.wants("order"):
        orders = Order.objects.filter(identifier__customer=customer)
        found += [_order_entry(order) for order in newest.ordered(orders, excerpt, kind="order", at="placed_at")]
    if excerpt.wants("checkout"):
        visits = Checkout.objects.filter(identifier__customer=customer)
        found += [_checkout_entry(one) for one in newest.ordered(visits, excerpt, kind="checkout", at="active_at")]
    if excerpt.wants("shipment"):
        shipped = _shipments(customer).select_related("order")
        found += [_shipment_entry(one) for one in newest.ordered(shipped, excerpt, kind="shipment", at="shipped_at")]
    if excerpt.wants("consent"):
        changes = ConsentChange.objects.filter(identifier__customer=customer)
        found += [_consent_entry(one) for one in newest.ordered(changes, excerpt, kind="consent", at="recorded_at")]
    if excerpt.wants("conflict"):
        conflicts = _conflicts(customer).select_related("left", "right")
        found += [_conflict_entry(one) for one in newest.ordered(conflicts, excerpt, kind="conflict", at="created_at")]
    if excerpt.wants("identifier"):
        # A session ID comes with every visit and says nothing that the visit's signals do not.
        lasting = Identifier.objects.filter(customer=customer).exclude(kind=IdentifierKind.SESSION_ID)
        found += [_known_entry(one) for one in newest.ordered(lasting, excerpt, kind="identifier", at="created_at")]
    return found


TABLES = (
    ExportTable(
        "customer",
        "Your profile",
        lambda customer: rows(Customer.everyone.filter(pk=customer.pk).values()),
        {"name": "Name", "email": "E-mail", "external_id": "Customer ID", "time_zone": "Time zone",
         "last_seen_at": "Last seen", "attributes": "What the shop told us"},
    ),
    ExportTable(
        "identifiers",
        "IDs we know you by",
        lambda customer: rows(_rows_of(Identifier, customer=customer)),
        {"kind": "Kind", "value": "ID", "created_at": "Known since", "attributes": "What the shop told us"},
        dict(IdentifierKind.choices),
    ),
    ExportTable(
        "links",
        "How we know that these IDs are yours",
        lambda customer: rows(_rows_of(IdentityEdge, left__customer=customer)),
        {"evidence": "Seen in", "reference": "Where", "created_at": "When"},
        dict(Evidence.choices),
    ),
    ExportTable(
        "conflicts",
        "Profiles that may be yours too",
        lambda customer: rows(_conflicts(customer).order_by("pk").values().iterator()),
        {"evidence": "Seen in", "state": "Decision", "created_at": "When"},
        dict(Evidence.choices) | dict(ConflictState.choices),
    ),
    ExportTable(
        "former_profiles",
        "Profiles that were found to be yours",
        lambda customer: rows(_rows_of(MergedCustomer, identifier__customer=customer)),
        {"merged_at": "When"},
    ),
    ExportTable(
        "consents",
        "What you allow now",
        lambda customer: rows(_rows_of(Consent, identifier__customer=customer)),
        {"topic": "For", "is_granted": "Allowed", "source": "Said where", "wording": "Words", "occurred_at": "When"},
        dict(Topic.choices),
    ),
    ExportTable(
        "consent_changes",
        "What you allowed and refused over time",
        lambda customer: rows(_rows_of(ConsentChange, identifier__customer=customer)),
        {"topic": "For", "is_granted": "Allowed", "source": "Said where", "wording": "Words", "occurred_at": "When"},
        dict(Topic.choices),
    ),
    ExportTable(
        "orders",
        "Your orders",
        lambda customer: rows(_rows_of(Order, identifier__customer=customer)),
        {"order_id": "Order", "state": "State", "total": "Total", "currency": "Currency", "items": "Items",
         "placed_at": "Placed"},
        dict(OrderState.choices),
    ),
    ExportTable(
        "checkouts",
        "Your visits to the checkout",
        lambda customer: rows(_rows_of(Checkout, identifier__customer=customer)),
        {"total": "Total", "currency": "Currency", "active_at": "When"},
    ),
    ExportTable(
        "shipments",
        "What was sent to you",
        lambda customer: rows(_shipments(customer).order_by("pk").values().iterator()),
        {"state": "State", "shipped_at": "When"},
        dict(FulfilmentState.choices),
    ),
)  # fmt: skip


def _forget_searches(subject: Subject, place: str, limit: int) -> Step:
    """Delete the saved views that search for the person, or bear their name; of each list a member has a few only."""
    wanted, own = Mentions(subject.known_ids), {key.value.casefold() for key in subject.known_ids}
    views = SavedView.objects.filter(project=subject.customer.project)
    found = []
    for pk, name, query in views.values_list("pk", "name", "query"):
        parts = parse_qsl(query)
        is_search = any(key == "q" and value.strip().casefold() in own for key, value in parts)
        if is_search or wanted.found_in(" ".join((name, *(value for _, value in parts)))):
            found.append(pk)
    return Step(SavedView.objects.filter(pk__in=found).delete()[0])


PARTS = (
    ErasePart(
        "Visits to the checkout",
        deleting(lambda subject: Checkout.objects.filter(identifier__customer=subject.customer)),
    ),
    ErasePart("Shipments", deleting(lambda subject: _shipments(subject.customer))),
    ErasePart("Orders", deleting(lambda subject: Order.objects.filter(identifier__customer=subject.customer))),
    ErasePart("Consents", deleting(lambda subject: Consent.objects.filter(identifier__customer=subject.customer))),
    ErasePart(
        "History of consents",
        deleting(
            lambda subject: ConsentChange.objects.filter(identifier__customer=subject.customer),
            lambda chosen: ConsentChange.objects.filter(pk__in=chosen).erase()[0],
        ),
    ),
    ErasePart(
        "Exported and imported files",
        lambda subject, place, limit: Step(
            transfers.delete_personal_files(project=subject.customer.project, before=subject.begun_at)
        ),
        why="a file may name the person; asked for again, it comes without",
        is_search=True,
    ),
    ErasePart("Saved views that search for them", _forget_searches, is_search=True),
    ErasePart(
        "Names of imported files that name them",
        rewriting(lambda subject: ImportRun.objects.filter(project=subject.customer.project), "file_name"),
        outcome="made anonymous",
        is_search=True,
    ),
    ErasePart(
        "Visited pages told by hand that name them",
        rewriting(lambda subject: PageAlias.objects.filter(project=subject.customer.project), "pattern"),
        outcome="made anonymous",
        is_search=True,
    ),
    ErasePart(
        "Names in the audit log that name them",
        take_out_of_log,
        outcome="made anonymous",
        why="what was done, by whom and when, stays as it was",
        is_search=True,
    ),
    ErasePart("Possible duplicates", deleting(lambda subject: _conflicts(subject.customer))),
    ErasePart(
        "Links between known IDs",
        deleting(
            lambda subject: IdentityEdge.objects.filter(
                Q(left__customer=subject.customer) | Q(right__customer=subject.customer)
            )
        ),
    ),
    ErasePart(
        "Former profiles",
        deleting(lambda subject: MergedCustomer.objects.filter(identifier__customer=subject.customer)),
    ),
    ErasePart("Known IDs", deleting(lambda subject: Identifier.objects.filter(customer=subject.customer))),
)


def last_seen(customer_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    # What an import proves was said elsewhere, and long ago.
    said = ConsentChange.objects.filter(identifier__customer__in=customer_ids, evidence="").order_by()
    return dict(said.values_list("identifier__customer").annotate(Max("recorded_at")))


FACET = Facet(
    name="customers",
    label="Profile",
    models=(
        *(Customer, Identifier, IdentityEdge, IdentityConflict, MergedCustomer),
        *(Consent, ConsentChange, Order, Checkout, Fulfilment),
    ),
    timeline=timeline,
    kinds=KINDS,
    tables=TABLES,
    parts=PARTS,
    kept=(
        Kept(
            "Fingerprints of the known IDs",
            "so that replays, imports and the shop's programs do not bring the person back; nobody can read them",
        ),
        Kept("Audit log and the list of what happened", "they call the profile by its random id only"),
    ),
    last_seen=last_seen,
    describe=describe,
)


def _rows_of(model: type[Model], **about: Any) -> Iterator[dict[str, Any]]:
    return model._default_manager.filter(**about).order_by("pk").values().iterator()


def _conflicts(customer: Customer) -> Any:
    return IdentityConflict.objects.filter(Q(left__customer=customer) | Q(right__customer=customer))


def _shipments(customer: Customer) -> Any:
    return Fulfilment.objects.filter(order__identifier__customer=customer)


def _checkout_entry(checkout: Checkout) -> TimelineEntry:
    amount = "" if checkout.total is None else f"{checkout.total} {checkout.currency}".strip()
    title = "Checkout completed" if checkout.completed_at else "At the checkout"
    return TimelineEntry(checkout.active_at, "checkout", title, amount, reference=str(checkout.pk))


def _shipment_entry(shipment: Fulfilment) -> TimelineEntry:
    is_off = shipment.state == FulfilmentState.CANCELLED
    title, tone = ("Shipment cancelled", "warn") if is_off else ("Shipped", "info")
    detail = f"Order {shipment.order}"
    return TimelineEntry(shipment.shipped_at, "shipment", title, detail, tone, reference=str(shipment.pk))  # type: ignore[arg-type]


def _order_entry(order: Order) -> TimelineEntry:
    amount = f"{order.total} {order.currency}"
    titles: dict[str, tuple[str, Tone]] = {
        OrderState.PLACED: ("Ordered", "good"),
        OrderState.CANCELLED: ("Ordered, then cancelled", "warn"),
        OrderState.REFUNDED: ("Ordered, then refunded", "warn"),
    }
    title, tone = titles[order.state]
    return TimelineEntry(order.placed_at, "order", title, f"{order}: {amount}", tone, reference=str(order.pk))


def _consent_entry(change: ConsentChange) -> TimelineEntry:
    word = "allowed" if change.is_granted else "refused"
    tone: Tone = "good" if change.is_granted else "bad"
    title = f"{change.get_topic_display()} {word}"
    return TimelineEntry(change.recorded_at, "consent", title, change.source, tone, reference=str(change.pk))


def _conflict_entry(one: IdentityConflict) -> TimelineEntry:
    pair = f"{one.left} / {one.right}"
    return TimelineEntry(one.created_at, "conflict", "Possible duplicate", pair, "warn", reference=str(one.pk))


def _known_entry(one: Identifier) -> TimelineEntry:
    title = f"{one.get_kind_display()} known"
    return TimelineEntry(one.created_at, "identifier", title, one.value, reference=str(one.pk))
