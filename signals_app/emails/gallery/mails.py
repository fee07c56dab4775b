"""
The ready-made mails of the five example automations, as files a marketer may copy and change.

A line `@name` in a file stands for the file `_name.mjml`; installed templates stand on their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
_PART = re.compile(r"^@(\w+)\n", re.MULTILINE)


@dataclass(frozen=True)
class GalleryMail:
    """One ready-made mail; `key` is its file's name and what the example automations ask for it by."""

    key: str
    name: str
    subject: str
    preheader: str
    coupon_pool: str = ""

    @property
    def mjml(self) -> str:
        """Return the whole source, parts put in."""
        return _PART.sub(_part, (_FOLDER / f"{self.key}.mjml").read_text(encoding="utf-8"))


def _part(match: re.Match[str]) -> str:
    name = match[1]
    if name == "arrivals":
        return _part_file("products").replace("in products ", "in new_arrivals ")
    return _part_file(name)


def _part_file(name: str) -> str:
    return (_FOLDER / f"_{name}.mjml").read_text(encoding="utf-8")


MAILS = (
    GalleryMail(
        "leaving_with_interest",
        "Leaving with interest",
        "Still thinking about {{ products[0].title | default: 'it' }}?",
        "What you looked at, kept in one place.",
    ),
    GalleryMail(
        "leaving_with_interest_plain",
        "Leaving with interest – plain",
        "{{ products[0].title | default: 'Your visit' }}",
        "The way back to what you looked at.",
    ),
    GalleryMail(
        "dead_click",
        "Dead click – apology",
        "Sorry, something on our site did not work",
        "Here is the direct way to where you were.",
    ),
    GalleryMail(
        "hesitating",
        "Hesitating – comparison",
        "Can we help you decide?",
        "What you compared, and answers about delivery and returns.",
    ),
    GalleryMail(
        "hesitating_coupon",
        "Hesitating – coupon",
        "{% if coupon_code != '' %}A code for you, {{ customer.first_name | default: 'just for you' }}{% else %}Can we help you decide?{% endif %}",
        "What you compared, in one place.",
        coupon_pool="hesitating",
    ),
    GalleryMail(
        "back_after_silence",
        "Back after silence – new arrivals",
        "{% if top_interest != '' %}New in {{ top_interest }}{% else %}New since your last visit{% endif %}",
        "What has come in since you were last here.",
    ),
    GalleryMail(
        "thank_you",
        "Thank-you after an order",
        "Thank you for your order{% if customer.first_name != '' %}, {{ customer.first_name }}{% endif %}",
        "How to make it last, and what else was on your mind.",
    ),
)
