from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from signals_app.api.pagination import DEFAULT_PAGE_SIZE, Ordering, page_answer, page_urls
from signals_app.api.schema import page_of
from signals_app.api.serializers.customers import (
    CustomerQuery,
    CustomerSerializer,
    IntentSerializer,
    LookupQuery,
    TimelineEntrySerializer,
    TimelineQuery,
)
from signals_app.api.views.base import CHANGE_ORDERINGS, ListView, ProjectView, RowView
from signals_app.customers import services as customer_services
from signals_app.customers.facets import Place, TimelineEntry
from signals_app.customers.identifiers import normalise
from signals_app.customers.models import STRENGTH, Customer, Identifier
from signals_app.segments import services as segment_services
from signals_app.segments.models import Segment
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.constants import INTERESTS_SHOWN

IDENTIFIERS_SHOWN = 50


def with_details(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """Load what a shown profile needs beside its own row; of thousands of visits' IDs, only the latest."""
    shown = Identifier.objects.order_by(STRENGTH, "-pk")[:IDENTIFIERS_SHOWN]
    return customers.select_related("intent_profile").prefetch_related(
        Prefetch("identifiers", queryset=shown, to_attr="shown_identifiers")
    )


class CustomerPages(ListView):
    serializer_class = CustomerSerializer
    query_class = CustomerQuery
    orderings = CHANGE_ORDERINGS | {
        "last_seen_at": Ordering("last_seen_at", "datetime"),
        "intent_score": Ordering("intent_profile__intent_score", "float"),
    }
    default_ordering = "-created_at"
    changed_fields = ("updated_at",)

    def get_queryset(self) -> QuerySet[Customer]:
        return with_details(Customer.objects.filter(project=self.project))

    def narrow(self, queryset: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        for kind in ("external_id", "email", "anonymous_id"):
            if kind in asked:
                # A subquery and not a join, so that a profile comes once.
                known = Identifier.objects.filter(project=self.project, kind=kind, value=normalise(kind, asked[kind]))
                queryset = queryset.filter(pk__in=known.values("customer_id"))
        if "stage" in asked:
            queryset = queryset.filter(intent_profile__stage=asked["stage"])
        if "intent_score__gte" in asked:
            queryset = queryset.filter(intent_profile__intent_score__gte=asked["intent_score__gte"])
        if "segment" in asked:
            segment = Segment.objects.filter(project=self.project, pk=asked["segment"]).first()
            if segment is None:
                raise ValidationError({"segment": ["There is no such segment."]})
            queryset = queryset.filter(pk__in=_members(segment))
        return queryset

    def prepare(self, rows: list[Any]) -> dict[str, Any]:
        return {"consents": customer_services.consents_of([customer.pk for customer in rows])}


@extend_schema(parameters=[CustomerQuery], responses=page_of(CustomerSerializer), tags=["customers"])
class CustomerList(CustomerPages):
    """List profiles."""


@extend_schema(parameters=[CustomerQuery], responses=page_of(CustomerSerializer), tags=["segments"])
class SegmentCustomerList(CustomerPages):
    """List the profiles that are in a segment now."""

    def get_queryset(self) -> QuerySet[Customer]:
        segment = get_object_or_404(Segment, project=self.project, pk=self.kwargs["id"])
        return super().get_queryset().filter(pk__in=_members(segment))


class FollowsMerges(ProjectView):
    """One profile by its id; one that was merged into another answers as that one, whose id stands in the answer."""

    def get_object(self) -> Customer:
        try:
            return cast(Customer, super().get_object())
        except Http404:
            former_id: UUID = self.kwargs["id"]
            current_id = customer_services.current_customer_id(project=self.project, former_id=former_id)
            if current_id is None:
                raise
            self.kwargs["id"] = current_id
            return cast(Customer, super().get_object())


@extend_schema(tags=["customers"])
class CustomerDetail(FollowsMerges, RowView):
    """Show one profile; the id of one that was merged into another shows that one."""

    serializer_class = CustomerSerializer

    def get_queryset(self) -> QuerySet[Customer]:
        return with_details(Customer.objects.filter(project=self.project))

    def get_serializer_context(self) -> dict[str, Any]:
        pk = self.kwargs.get("id")
        return super().get_serializer_context() | {"consents": customer_services.consents_of([pk] if pk else [])}


class CustomerPart(FollowsMerges):
    """Something that belongs to one profile."""

    lookup_url_kwarg = "id"

    def get_queryset(self) -> QuerySet[Customer]:
        return Customer.objects.filter(project=self.project).select_related("intent_profile", "project")


class CustomerLookup(ProjectView):
    """Show the profile that an identifier belongs to."""

    serializer_class = CustomerSerializer

    @extend_schema(parameters=[LookupQuery], tags=["customers"])
    def get(self, request: Request) -> Response:
        query = LookupQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        ((kind, text),) = query.validated_data.items()
        known = Identifier.objects.filter(project=self.project, kind=kind, value=normalise(kind, text)).first()
        if known is None:
            raise NotFound("Nobody has this identifier.")
        customer = get_object_or_404(with_details(Customer.objects.filter(project=self.project)), pk=known.customer_id)
        context = {"consents": customer_services.consents_of([customer.pk])}
        return Response(CustomerSerializer(customer, context=context).data)


class CustomerIntent(CustomerPart):
    """Show how likely a shopper is to buy or leave, why, and what they care for."""

    serializer_class = IntentSerializer

    @extend_schema(tags=["customers"])
    def get(self, request: Request, **kwargs: Any) -> Response:
        customer = self.get_object()
        profile = getattr(customer, "intent_profile", None)
        interests = signal_services.top_interests(customer=customer, now=timezone.now(), limit=INTERESTS_SHOWN)
        shown = {
            "customer": customer.pk,
            "intent_score": profile.intent_score if profile else None,
            "stage": profile.stage if profile else None,
            "contributions": signal_services.contributions_of(profile) if profile else [],
            "interests": interests,
            "drop_proba": profile.last_drop_proba if profile else None,
            "loops_ratio": profile.loops_ratio if profile else None,
            "dead_clicks_over_usual": profile.dead_clicks_over_usual if profile else None,
            "performance_percentile": profile.performance_percentile if profile else None,
            "signal_count": profile.signal_count if profile else 0,
            "first_signal_at": profile.first_signal_at if profile else None,
            "last_signal_at": profile.last_signal_at if profile else None,
            "scored_at": profile.scored_at if profile else None,
        }
        return Response(IntentSerializer(shown).data)


class CustomerTimeline(CustomerPart):
    """Tell a profile's story, newest first."""

    serializer_class = TimelineEntrySerializer

    @extend_schema(
        parameters=[TimelineQuery], responses=page_of(TimelineEntrySerializer, is_streamed=False), tags=["customers"]
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        query = TimelineQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        entries = customer_services.timeline(
            customer=self.get_object(),
            after=_read_place(asked["cursor"]) if "cursor" in asked else None,
            kinds=[asked["kind"]] if "kind" in asked else None,
            limit=asked.get("page_size", DEFAULT_PAGE_SIZE),
        )
        following = _write_place(entries[-1]) if entries else None
        return Response(page_answer(_shown(entries), **page_urls(request, following, None)))


def _shown(entries: Sequence[Any]) -> list[Any]:
    return list(TimelineEntrySerializer(entries, many=True).data)


def _members(segment: Segment) -> QuerySet[Any]:
    return segment_services.segment_customers(segment=segment, now=timezone.now()).values("pk")


def _write_place(entry: TimelineEntry) -> str:
    return base64.urlsafe_b64encode(str(Place.of(entry)).encode()).decode().rstrip("=")


def _read_place(cursor: str) -> Place:
    try:
        return Place.read(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except (ValueError, OverflowError) as error:
        raise ValidationError({"cursor": ["Not a cursor of this list."]}) from error
