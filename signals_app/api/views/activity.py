from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema

from signals_app.api.pagination import Ordering
from signals_app.api.schema import page_of
from signals_app.api.serializers.activity import (
    MatchQuery,
    MatchSerializer,
    MessageQuery,
    MessageSerializer,
    SignalQuery,
    SignalSerializer,
)
from signals_app.api.views.base import CHANGE_ORDERINGS, ListView, ProjectView, RowView
from signals_app.emails.models import EmailMessage
from signals_app.remarketing.models import RuleMatch
from signals_app.shopper_signals.models import ShopperSignal

OF_THE_LIVING: dict[str, Any] = {"identifier__customer__erased_at": None}
"""From the first moment of an erasure nothing of the person is handed out, though their rows take a while to go."""


class _Signals(ProjectView):
    def get_queryset(self) -> QuerySet[ShopperSignal]:
        return ShopperSignal.objects.filter(project=self.project, **OF_THE_LIVING).select_related("identifier")


@extend_schema(parameters=[SignalQuery], responses=page_of(SignalSerializer), tags=["signals"])
class SignalList(_Signals, ListView):
    """List intent signals, newest first."""

    serializer_class = SignalSerializer
    query_class = SignalQuery
    orderings = {
        "received_at": Ordering("received_at", "datetime"),
        "recorded_at": Ordering("recorded_at", "datetime"),
    }
    default_ordering = "-received_at"
    changed_fields = ("recorded_at",)

    def narrow(self, queryset: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        if "customer" in asked:
            queryset = queryset.filter(identifier__customer_id=asked["customer"])
        if "received_since" in asked:
            queryset = queryset.filter(received_at__gte=asked["received_since"])
        return queryset


@extend_schema(tags=["signals"])
class SignalDetail(_Signals, RowView):
    """Show one signal; its id is the one that the webhook answered."""

    serializer_class = SignalSerializer


class _AboutCustomerAndRule(ListView):
    rule_path: str

    def narrow(self, queryset: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        if "customer" in asked:
            queryset = queryset.filter(identifier__customer_id=asked["customer"])
        if "rule" in asked:
            queryset = queryset.filter(**{self.rule_path: asked["rule"]})
        if "state" in asked:
            queryset = queryset.filter(state=asked["state"])
        return queryset


class _Messages(ProjectView):
    def get_queryset(self) -> QuerySet[EmailMessage]:
        # What mails said is up to half a megabyte each, and nothing of it is shown.
        unread = ("html", "text", "context", "rule_match__values", "rule_match__gates")
        mails = EmailMessage.objects.filter(project=self.project, **OF_THE_LIVING).select_related(
            "identifier", "rule_match"
        )
        return mails.defer(*unread)


@extend_schema(parameters=[MessageQuery], responses=page_of(MessageSerializer), tags=["messages"])
class MessageList(_Messages, _AboutCustomerAndRule):
    """List mails with their state; `reason` says why one was not sent."""

    serializer_class = MessageSerializer
    query_class = MessageQuery
    orderings = CHANGE_ORDERINGS
    default_ordering = "-created_at"
    changed_fields = ("updated_at",)
    rule_path = "rule_match__rule_id"


@extend_schema(tags=["messages"])
class MessageDetail(_Messages, RowView):
    """Show one mail."""

    serializer_class = MessageSerializer


class _Matches(ProjectView):
    def get_queryset(self) -> QuerySet[RuleMatch]:
        return (
            RuleMatch.objects.filter(project=self.project, **OF_THE_LIVING).select_related("identifier").defer("values")
        )


@extend_schema(parameters=[MatchQuery], responses=page_of(MatchSerializer), tags=["matches"])
class MatchList(_Matches, _AboutCustomerAndRule):
    """List what automations decided about shoppers, also where no mail came of it."""

    serializer_class = MatchSerializer
    query_class = MatchQuery
    orderings = {"created_at": CHANGE_ORDERINGS["created_at"], "due_at": Ordering("due_at", "datetime")}
    default_ordering = "-created_at"
    changed_fields = ("created_at", "decided_at")
    rule_path = "rule_id"


@extend_schema(tags=["matches"])
class MatchDetail(_Matches, RowView):
    """Show one decision with what was asked."""

    serializer_class = MatchSerializer
