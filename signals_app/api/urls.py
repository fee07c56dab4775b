"""Addresses below /api/v1/."""

from django.urls import path, re_path

from signals_app.api.views import activity, customers, docs, marketing, writes
from signals_app.api.views.base import NothingHere

app_name = "api"

urlpatterns = [
    path("schema/", docs.Schema.as_view(), name="schema"),
    path("docs/", docs.Docs.as_view(), name="docs"),
    path("customers/", customers.CustomerList.as_view(), name="customers"),
    path("customers/lookup/", customers.CustomerLookup.as_view(), name="customer-lookup"),
    path("customers/<uuid:id>/", customers.CustomerDetail.as_view(), name="customer"),
    path("customers/<uuid:id>/intent/", customers.CustomerIntent.as_view(), name="customer-intent"),
    path("customers/<uuid:id>/timeline/", customers.CustomerTimeline.as_view(), name="customer-timeline"),
    path("signals/", activity.SignalList.as_view(), name="signals"),
    path("signals/<uuid:id>/", activity.SignalDetail.as_view(), name="signal"),
    path("matches/", activity.MatchList.as_view(), name="matches"),
    path("matches/<uuid:id>/", activity.MatchDetail.as_view(), name="match"),
    path("messages/", activity.MessageList.as_view(), name="messages"),
    path("messages/<uuid:id>/", activity.MessageDetail.as_view(), name="message"),
    path("rules/", marketing.RuleList.as_view(), name="rules"),
    path("rules/<uuid:id>/", marketing.RuleDetail.as_view(), name="rule"),
    path("segments/", marketing.SegmentList.as_view(), name="segments"),
    path("segments/<uuid:id>/", marketing.SegmentDetail.as_view(), name="segment"),
    path("segments/<uuid:id>/customers/", customers.SegmentCustomerList.as_view(), name="segment-customers"),
    path("suppressions/", marketing.SuppressionList.as_view(), name="suppressions"),
    path("identify/", writes.Identify.as_view(), name="identify"),
    path("consent/", writes.RecordConsent.as_view(), name="consent"),
    path("orders/", writes.RecordOrder.as_view(), name="orders"),
    re_path(r"", NothingHere.as_view(), name="nothing-here"),
]
