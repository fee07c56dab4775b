from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view

from signals_app.api import idempotency
from signals_app.api.schema import IDEMPOTENCY_KEY, page_of
from signals_app.api.serializers.marketing import (
    NewSuppression,
    RuleQuery,
    RuleSerializer,
    SegmentQuery,
    SegmentSerializer,
    SuppressionQuery,
    SuppressionSerializer,
)
from signals_app.api.views.base import CHANGE_ORDERINGS, ListView, RowView, WriteView
from signals_app.customers.constants import IdentifierKind
from signals_app.customers.identifiers import normalise
from signals_app.emails import services as email_services
from signals_app.emails.models import Suppression
from signals_app.remarketing.models import RemarketingRule
from signals_app.segments.models import Segment


@extend_schema(parameters=[RuleQuery], responses=page_of(RuleSerializer), tags=["rules"])
class RuleList(ListView):
    """List automations."""

    serializer_class = RuleSerializer
    query_class = RuleQuery
    orderings = CHANGE_ORDERINGS
    default_ordering = "-created_at"
    changed_fields = ("updated_at",)

    def get_queryset(self) -> QuerySet[RemarketingRule]:
        return RemarketingRule.objects.filter(project=self.project)

    def narrow(self, queryset: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        return queryset.filter(status=asked["status"]) if "status" in asked else queryset


@extend_schema(tags=["rules"])
class RuleDetail(RowView):
    """Show one automation."""

    serializer_class = RuleSerializer

    def get_queryset(self) -> QuerySet[RemarketingRule]:
        return RemarketingRule.objects.filter(project=self.project)


@extend_schema(parameters=[SegmentQuery], responses=page_of(SegmentSerializer), tags=["segments"])
class SegmentList(ListView):
    """List segments."""

    serializer_class = SegmentSerializer
    query_class = SegmentQuery
    orderings = CHANGE_ORDERINGS
    default_ordering = "-created_at"
    changed_fields = ("updated_at",)

    def get_queryset(self) -> QuerySet[Segment]:
        return Segment.objects.filter(project=self.project)


@extend_schema(tags=["segments"])
class SegmentDetail(RowView):
    """Show one segment."""

    serializer_class = SegmentSerializer

    def get_queryset(self) -> QuerySet[Segment]:
        return Segment.objects.filter(project=self.project)


@extend_schema_view(
    get=extend_schema(parameters=[SuppressionQuery], responses=page_of(SuppressionSerializer)),
    post=extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=NewSuppression,
        responses={200: SuppressionSerializer, 201: SuppressionSerializer},
    ),
)
@extend_schema(tags=["suppressions"])
class SuppressionList(ListView, WriteView):
    """List the addresses that get no mail, or add one; what is there already stays as it is (200)."""

    serializer_class = SuppressionSerializer
    request_class = NewSuppression
    query_class = SuppressionQuery
    orderings = {"created_at": CHANGE_ORDERINGS["created_at"]}
    default_ordering = "-created_at"
    changed_fields = ("created_at",)

    def get_queryset(self) -> QuerySet[Suppression]:
        return Suppression.objects.filter(project=self.project)

    def narrow(self, queryset: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        if "email" in asked:
            email = normalise(IdentifierKind.EMAIL, asked["email"])
            hashes = email_services.address_hashes(project=self.project, email=email)
            queryset = queryset.filter(email__in=[email, *hashes])
        if "reason" in asked:
            queryset = queryset.filter(reason=asked["reason"])
        return queryset

    def write(self, body: Any) -> idempotency.Answer:
        said = body.validated_data
        email = normalise(IdentifierKind.EMAIL, said["email"])
        is_known = email_services.is_suppressed(project=self.project, email=email)
        suppression = email_services.suppress(
            project=self.project, email=email, reason=said["reason"], source="API", now=timezone.now()
        )
        return 200 if is_known else 201, self.answer(SuppressionSerializer, suppression)
