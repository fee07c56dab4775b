"""Pieces of our own pages as template tags; `core.display` makes and escapes them."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.safestring import SafeString

from signals_app.core import display

register = template.Library()


@register.simple_tag
def badge(text: object, tone: str = "neutral") -> SafeString:
    return display.badge(text, tone)


@register.simple_tag
def meter(value: float, text: str = "") -> SafeString:
    return display.meter(value or 0, text=text)


@register.simple_tag
def bar(percent: float, tone: str = "") -> SafeString:
    return display.bar(percent / 100, tone)


@register.simple_tag
def ago(moment: datetime | None) -> SafeString | str:
    return display.ago(moment)


@register.simple_tag
def outside_link(address: str, text: object = "") -> SafeString:
    return display.outside_link(address, text)
