"""Pieces of our own pages as template tags; `core.display` makes and escapes them."""

from __future__ import annotations

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString

from insightarc_crm.stages import STAGE_TONES
from signals_app.core import display, numbers
from signals_app.customers.models import Customer
from signals_app.remarketing.models import RemarketingRule
from signals_app.shopper_signals.models import IntentProfile

register = template.Library()

register.simple_tag(display.badge)
register.simple_tag(display.ago)
register.simple_tag(display.outside_link)
register.simple_tag(display.picture)


@register.simple_tag
def meter(value: float | None, text: str = "") -> SafeString:
    return display.meter(value or 0, text=text)


@register.simple_tag
def bar(percent: float, tone: str = "") -> SafeString:
    return display.bar(percent / 100, tone)


@register.simple_tag
def percent(share: float | None) -> str:
    return "unknown" if share is None else numbers.percent(share)


@register.simple_tag
def stage_badge(profile: IntentProfile) -> SafeString:
    return display.badge(profile.get_stage_display(), STAGE_TONES.get(profile.stage, "neutral"))


@register.simple_tag
def explain_link(automation: RemarketingRule, customer: Customer) -> str:
    """Return the page that explains what an automation would decide for a shopper now."""
    return f"{reverse('admin:remarketing_rulematch_explain')}?profile={customer.pk}&rule={automation.pk}"


@register.simple_tag
def share_bar(share: float) -> SafeString:
    return display.bar(share)


@register.simple_tag
def part(count: int, whole: int) -> str:
    """Return a number with the share that it is: 12 (40 %)."""
    return f"{count:,} ({numbers.percent(count / whole)})" if whole else f"{count:,}"
