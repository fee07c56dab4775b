"""The home page of a store: what needs a person, what happened lately, who is about to leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse

from insightarc_crm.interests import top_interest_labels
from insightarc_crm.navigation import count_needs_fixing, page
from insightarc_crm.setup_checklist import steps
from signals_app.emails.constants import COUNTED_STATES, MessageState
from signals_app.emails.models import EmailMessage
from signals_app.projects.models import Project
from signals_app.remarketing.constants import MatchState
from signals_app.remarketing.models import RuleMatch
from signals_app.remarketing.wording import reason_in_words
from signals_app.shopper_signals.constants import Stage
from signals_app.shopper_signals.models import IntentProfile, ShopperSignal
from signals_app.shops.models import PrivacyRequest
from signals_app.webhooks import services as webhooks
from signals_app.webhooks.constants import AlertKind
from signals_app.webhooks.models import ConnectionAlert, WebhookSource

DAYS = 7
LEAVING_SHOWN = 8
LEAVING_COUNTED = 1_000


@dataclass(frozen=True)
class Notice:
    """Something that a person should see before anything else; `tone` is one of `core.display.TONES`."""

    tone: str
    text: str
    link: str = ""
    link_text: str = ""


def build(*, project: Project, request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return the home page's context."""
    checklist = steps(project=project, now=now)
    signals = signals_by_day(project=project, now=now)
    return {
        "notices": notices(project=project, request=request, now=now),
        "steps": checklist,
        "steps_done": sum(step.is_done for step in checklist),
        "is_set_up": all(step.is_done for step in checklist),
        "signals": signals,
        "signals_today": signals[-1]["count"],
        "signals_week": sum(day["count"] for day in signals),
        **leaving(project=project, now=now),
        **mails(project=project, now=now),
    }


def notices(*, project: Project, request: HttpRequest, now: datetime) -> list[Notice]:
    found = connection_notices(project=project, now=now)
    if project.is_sending_paused:
        found.append(
            Notice("bad", "All sending is paused: automations run, but no mail leaves.", *_sending_link(request))
        )
    if waiting := count_needs_fixing(request):
        many = f"{waiting} incoming signals need" if waiting > 1 else "One incoming signal needs"
        found.append(Notice("warn", f"{many} fixing.", page("webhooks_inboxitem"), "Needs fixing"))
    if asked := PrivacyRequest.objects.filter(shop__project=project, done_at=None)[:100].count():
        many = f"{asked} privacy requests wait" if asked > 1 else "A privacy request waits"
        found.append(Notice("warn", f"{many} for an answer.", page("shops_privacyrequest"), "Privacy requests"))
    for source in WebhookSource.objects.filter(project=project, is_paused=True):
        link = _connection_page(source)
        found.append(Notice("warn", f"{source.name} is paused: signals are kept, not processed.", link, "Connection"))
    if project.is_demo:
        found.append(Notice("info", "Demo data: the shoppers, orders and signals of this store are made up."))
    return found


def connection_notices(*, project: Project, now: datetime) -> list[Notice]:
    """Return what is wrong with the connections; what needs fixing has a notice of its own."""
    alerts = ConnectionAlert.objects.filter(source__project=project, resolved_at=None)
    shown = alerts.exclude(kind=AlertKind.NEEDS_FIXING).select_related("source").order_by("-is_urgent", "opened_at")
    found = [
        Notice(
            "bad" if alert.is_urgent else "warn",
            f"{alert.source}: {alert.detail}",
            _connection_page(alert.source),
            "Connection",
        )
        for alert in shown
    ]
    waiting_since = webhooks.oldest_waiting(project=project, now=now)
    if waiting_since and not any(alert.kind == AlertKind.INBOX for alert in shown):
        sentence = webhooks.waiting_sentence(waiting_since, zone=ZoneInfo(project.time_zone))
        found.append(Notice("bad", sentence, page("webhooks_webhooksource"), "Connection"))
    return found


def _connection_page(source: WebhookSource) -> str:
    if source.shop_id is not None:
        return page("shops_shopconnection", "change", source.shop_id)
    return page("webhooks_webhooksource", "change", source.pk)


def _sending_link(request: HttpRequest) -> tuple[str, str]:
    if request.user.has_perm("projects.pause_sending"):
        return reverse("admin:pause_sending"), "Resume"
    return "", ""


def signals_by_day(*, project: Project, now: datetime) -> list[dict[str, Any]]:
    """Return the signals of today and the six days before, in the store's own days, with bars of 0 to 100."""
    zone = ZoneInfo(project.time_zone)
    today = now.astimezone(zone).date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    received = ShopperSignal.objects.filter(project=project)
    counts = []
    for day in days:
        start = datetime.combine(day, time.min, tzinfo=zone)
        end = datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)
        # One range of the index a day: grouping by a truncated date would compute it for every row.
        counts.append(received.filter(received_at__gte=start, received_at__lt=end).count())
    highest = max(counts) or 1
    return [
        {
            "day": f"{day:%a}",
            "date": f"{day:%d %B}",
            "count": count,
            "height": round(100 * count / highest),
            "top": 100 - round(100 * count / highest),
            "x": 2 + index * 50,
            "middle": 2 + index * 50 + 22,
        }
        for index, (day, count) in enumerate(zip(days, counts, strict=True))
    ]


def leaving(*, project: Project, now: datetime) -> dict[str, Any]:
    """Return the shoppers who are leaving with intent: how many, and those with the highest score."""
    profiles = IntentProfile.objects.filter(project=project, stage=Stage.LEAVING_WITH_INTENT)
    living = profiles.filter(customer__erased_at=None).select_related("customer")
    shown = list(living.order_by("-intent_score")[:LEAVING_SHOWN])
    labels = top_interest_labels(project=project, customer_ids=[profile.customer_id for profile in shown])
    count = profiles.order_by()[: LEAVING_COUNTED + 1].count()
    rows = [
        {
            "name": str(profile.customer),
            "link": page("customers_customer", "change", profile.customer_id),
            "score": profile.intent_score,
            "last_signal_at": profile.last_signal_at,
            "interest": labels.get(profile.customer_id, ""),
        }
        for profile in shown
    ]
    many = f"{LEAVING_COUNTED:,}+" if count > LEAVING_COUNTED else f"{count:,}"
    link = f"{page('customers_customer')}?intent_profile__stage={Stage.LEAVING_WITH_INTENT}"
    return {"leaving": rows, "leaving_count": many, "leaving_link": link}


def mails(*, project: Project, now: datetime) -> dict[str, Any]:
    """Return the mails of the last week by state, and why the others were not sent."""
    since = now - timedelta(days=DAYS)
    reasons: dict[str, int] = {}
    sent = waiting = failed = 0
    made = EmailMessage.objects.filter(project=project, created_at__gte=since)
    for state, reason, count in made.order_by().values_list("state", "reason").annotate(count=Count("pk")):
        if state in COUNTED_STATES:
            sent += count
        elif state == MessageState.SUPPRESSED:
            reasons[reason] = reasons.get(reason, 0) + count
        elif state == MessageState.FAILED:
            failed += count
        else:
            waiting += count
    matches = RuleMatch.objects.filter(project=project, created_at__gte=since)
    for state, reason, count in matches.order_by().values_list("state", "reason").annotate(count=Count("pk")):
        if state in (MatchState.SKIPPED, MatchState.EXPIRED):
            reasons[reason] = reasons.get(reason, 0) + count
        elif state == MatchState.PLANNED:
            waiting += count
    skipped = sorted(reasons.items(), key=lambda item: -item[1])
    total = sum(reasons.values())
    return {
        "mails_sent": sent,
        "mails_waiting": waiting,
        "mails_failed": failed,
        "mails_skipped": total,
        "skip_reasons": [
            {
                "label": reason_in_words(reason) or "No reason given",
                "count": count,
                "share": round(100 * count / skipped[0][1]),
            }
            for reason, count in skipped
        ],
        "activity_link": page("remarketing_rulematch"),
        "mails_link": page("emails_emailmessage"),
    }
