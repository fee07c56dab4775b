from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema

from signals_app.api import idempotency
from signals_app.api.schema import IDEMPOTENCY_KEY
from signals_app.api.serializers.writes import (
    ConsentAnswer,
    ConsentRequest,
    IdentifyAnswer,
    IdentifyRequest,
    OrderAnswer,
    OrderRequest,
)
from signals_app.api.views.base import WriteView
from signals_app.customers import services as customer_services


class Identify(WriteView):
    """Say that identifiers are one person's, and what is known of that person."""

    request_class = IdentifyRequest
    serializer_class = IdentifyAnswer

    @extend_schema(
        operation_id="identify",
        parameters=[IDEMPOTENCY_KEY],
        request=IdentifyRequest,
        responses=IdentifyAnswer,
        tags=["writes"],
    )
    def post(self, *args: Any, **kwargs: Any) -> Any:
        return super().post(*args, **kwargs)

    def write(self, body: IdentifyRequest) -> idempotency.Answer:
        said = body.validated_data
        result = customer_services.identify(
            project=self.project,
            identifiers=body.identifiers(),
            attributes=said.get("attributes"),
            time_zone=said.get("timezone"),
            now=timezone.now(),
        )
        return 200, self.answer(IdentifyAnswer, {"customer": result.customer.pk, "status": result.status})


class RecordConsent(WriteView):
    """Record what a shopper allows or refuses."""

    request_class = ConsentRequest
    serializer_class = ConsentAnswer

    @extend_schema(
        operation_id="record_consent",
        parameters=[IDEMPOTENCY_KEY],
        request=ConsentRequest,
        responses=ConsentAnswer,
        tags=["writes"],
    )
    def post(self, *args: Any, **kwargs: Any) -> Any:
        return super().post(*args, **kwargs)

    def write(self, body: ConsentRequest) -> idempotency.Answer:
        said = body.validated_data
        purpose = {"channel": said["channel"], "topic": said["topic"]}
        customer = customer_services.record_consent(
            project=self.project,
            identifiers=body.identifiers(),
            granted=said["granted"],
            source=said["source"],
            wording=said["wording"],
            occurred_at=said.get("occurred_at"),
            now=timezone.now(),
            **purpose,
        )
        holds = customer_services.has_consent(customer=customer, **purpose)
        return 200, self.answer(ConsentAnswer, {"customer": customer.pk, "granted": holds.granted, **purpose})


class RecordOrder(WriteView):
    """Record an order, or what became of one: 201 when it is new, 200 when it was known."""

    request_class = OrderRequest
    serializer_class = OrderAnswer

    @extend_schema(
        operation_id="record_order",
        parameters=[IDEMPOTENCY_KEY],
        request=OrderRequest,
        responses={200: OrderAnswer, 201: OrderAnswer},
        tags=["writes"],
    )
    def post(self, *args: Any, **kwargs: Any) -> Any:
        return super().post(*args, **kwargs)

    def write(self, body: OrderRequest) -> idempotency.Answer:
        said = body.validated_data
        order, is_created = customer_services.record_order(
            project=self.project,
            identifiers=body.identifiers(),
            order_id=said["order_id"],
            total=said["total"],
            currency=said["currency"],
            placed_at=said["placed_at"],
            items=said.get("items"),
            state=said.get("state"),
            refunded_total=said.get("refunded_total"),
            country=said.get("country"),
            now=timezone.now(),
        )
        return 201 if is_created else 200, self.answer(OrderAnswer, order)
