"""The list of profiles: who is found by a search or a filter, in time that does not grow with the number of profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal
from uuid import UUID

from django.db import connection
from django.db.models import F, Func, Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.utils import timezone

from insightarc_crm.interests import top_interest_labels
from signals_app.core.admin import DropdownFilter
from signals_app.core.changelist import UncountedChangeList
from signals_app.customers.constants import IdentifierKind
from signals_app.customers.models import Customer, Identifier
from signals_app.projects.models import Project
from signals_app.segments import services as segment_services
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.models import Segment
from signals_app.shopper_signals.models import IntentProfile

MATCHES_OF_A_SEARCH = 200
"""A search for a beginning that more profiles share shows these many; who looks for one of them writes more."""


class LastWord(Func):
    """The last word of a name, in lower case; the index `customer_by_last_word` is over the same expression."""

    template = "lower(substring(%(expressions)s from '[^ ]*$'))"
    arity = 1


def found(*, project: Project | None, term: str) -> set[UUID]:
    """
    Return the profiles that a search finds: those with this known ID, or else by the beginning of e-mail or name.

    Each kind of match is a look into one index; at most `MATCHES_OF_A_SEARCH` of each.
    """
    kinds = IdentifierKind.values  # named, or the index over (store, kind, value) could not be used
    known = Identifier.objects.filter(project=project, kind__in=kinds, value__in={term, term.lower()})
    by_id = set(known.values_list("customer_id", flat=True)[:MATCHES_OF_A_SEARCH])
    if by_id:
        return by_id
    own, lower = Customer.objects.filter(project=project).order_by(), term.lower()
    matching = [own.filter(email__startswith=lower)]
    named = own.exclude(name="")
    if connection.vendor == "postgresql":
        matching.append(named.annotate(beginning=Lower("name")).filter(beginning__startswith=lower))
        matching.append(named.annotate(beginning=LastWord(F("name"))).filter(beginning__startswith=lower))
    else:
        matching.append(named.filter(Q(name__istartswith=term) | Q(name__icontains=f" {term}")))
    pks: set[UUID] = set()
    for rows in matching:
        pks |= set(rows.values_list("pk", flat=True)[:MATCHES_OF_A_SEARCH])
    return pks


class ConsentFilter(DropdownFilter):  # type: ignore[misc]
    """Profiles who may be mailed, as the newest answers of their known IDs say; where these disagree, the no counts."""

    title = "marketing consent"
    parameter_name = "consent"
    conditions: ClassVar[Mapping[str | None, Q]] = {
        "granted": Q(marketing_consent__is=True),
        "denied": Q(marketing_consent__is=False),
        "none": Q(marketing_consent=None),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("granted", "Granted"), ("denied", "Denied"), ("none", "Never asked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        condition = self.conditions.get(self.value())
        return queryset.filter(condition) if condition is not None else queryset


class OrderedFilter(DropdownFilter):  # type: ignore[misc]
    """Profiles with an order that was not cancelled, or without one."""

    title = "orders"
    parameter_name = "ordered"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Has ordered"), ("no", "Never ordered")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        return queryset.filter(has_ordered=self.value() == "yes") if self.value() in ("yes", "no") else queryset


class SegmentFilter(DropdownFilter):  # type: ignore[misc]
    """Profiles that are in a segment of the store now."""

    title = "segment"
    parameter_name = "segment"
    most_segments = 200

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        segments = Segment.objects.filter(project=getattr(request, "project", None))
        return [(str(segment.pk), segment.name) for segment in segments[: self.most_segments]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        if not self.value():
            return queryset
        try:
            pk = UUID(str(self.value()))
        except ValueError:
            return queryset.none()
        segment = Segment.objects.filter(project=getattr(request, "project", None), pk=pk).first()
        if segment is None:
            return queryset.none()
        try:
            members = segment_services.segment_customers(segment=segment, now=timezone.now())
        except InvalidCondition:  # its page says what is wrong
            return queryset.none()
        return queryset & members


NEVER_SEEN_LAST = {
    "-last_seen_at": F("last_seen_at").desc(nulls_last=True),
    "last_seen_at": F("last_seen_at").asc(nulls_first=True),
}
"""Both directions of the index `customer_by_last_seen`."""


MANY = 10_000
"""With so many profiles of intent, those without a signal stand beyond the last page of a list by score."""
BY_SCORE = ("intent_profile__stage", "intent_profile__intent_score")
NAMING = ("project", "name", "email", "external_id", "erased_at")
SHOWN = (*NAMING, "last_seen_at", "marketing_consent", *BY_SCORE)
"""Of some fifty columns that a page of rows would read, most of them long, what it shows."""


class ProfileChangeList(UncountedChangeList):
    """
    The page's rows with their top interest, in two queries for all of them.

    Whoever filters by stage or score sees the highest score first, else who was seen last comes first. The database
    reads along an index for either; the one order with the other filter it would have to sort, or to search for the
    few lapsed among all that came later.
    """

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Customer]) -> list[Any]:
        ordering: list[Any] = super().get_ordering(request, queryset)
        if self._is_by_score():
            ordering = ["-intent_profile__intent_score", "-pk"]
        return [NEVER_SEEN_LAST.get(each, each) if isinstance(each, str) else each for each in ordering]

    def get_ordering_field_columns(self) -> dict[int, Literal["desc", "asc"]]:
        """Say which column's heading shows an arrow."""
        if self._is_by_score():
            return {list(self.list_display).index("score"): "desc"}
        return super().get_ordering_field_columns()

    def _is_by_score(self) -> bool:
        is_by_time = any(name.startswith("last_seen_at") for name in self.params)
        return any(name.startswith(BY_SCORE) for name in self.params) and not (is_by_time or self.params.get("o"))

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Customer]:
        queryset: QuerySet[Customer] = super().get_queryset(request, exclude_parameters)
        if any(str(each).lstrip("-") in BY_SCORE for each in queryset.query.order_by if isinstance(each, str)) or any(
            name.startswith(BY_SCORE) for name in self.params
        ):
            # The store's own profiles of intent are those of its customers: said again, its index can be used.
            project = getattr(request, "project", None)
            if IntentProfile.objects.filter(project=project)[MANY : MANY + 1].exists():
                queryset = queryset.filter(intent_profile__project=project)
        return queryset.only(*SHOWN)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        customers = self.result_list
        ids = [customer.pk for customer in customers]
        project = getattr(request, "project", None)
        labels = top_interest_labels(project=project, customer_ids=ids) if project else {}
        for customer in customers:
            customer.top_interest = labels.get(customer.pk, "")
