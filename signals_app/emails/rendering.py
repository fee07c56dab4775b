"""
A template and one shopper's data, made into a mail: subject, HTML and text.

Pure: no database, no network, no clock. `VARIABLES` is what a template may use; what is not known about a shopper is
an empty text or an empty list, so that `{% if %}` and `default` work and nothing is undefined by accident.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

from inscriptis import get_text
from inscriptis.model.config import ParserConfig

from signals_app.emails import liquid_sandbox, mjml_compiler
from signals_app.emails.exceptions import TemplateError

_PRODUCT = {
    "title": "Wool scarf",
    "url": "https://shop.example/products/wool-scarf",
    "image_url": "https://shop.example/images/wool-scarf.jpg",
    "price": 49.9,
    "sale_price": 39.9,
    "currency": "EUR",
    "price_text": "€49.90",
    "sale_price_text": "€39.90",
    "brand": "North",
}
_UNKNOWN_PRODUCT = {**_PRODUCT, "image_url": "", "price": "", "sale_price": "", "price_text": "", "sale_price_text": ""}
VARIABLES: Mapping[str, Any] = {
    "shop": {"name": "Example shop", "url": "https://shop.example/"},
    "customer": {"name": "Ada Example", "first_name": "Ada", "email": "ada@shop.example"},
    "products": [_PRODUCT, {**_PRODUCT, "title": "Wool gloves", "sale_price": "", "sale_price_text": ""}],
    "alternatives": [_PRODUCT, _PRODUCT],
    "new_arrivals": [_PRODUCT, _PRODUCT, _PRODUCT],
    "interests": ["Scarves", "North"],
    "top_interest": "Scarves",
    "coupon_code": "SAVE-1234",
    "order": {"order_id": "1001", "total_text": "€89.80", "items": [{"title": "Wool hat", "quantity": 1}]},
    "unsubscribe_url": "https://crm.example/e/u/example",
    "sender": {
        "name": "Example shop",
        "postal_address": "Example Ltd\n1 High Street\nLondon",
        "reply_to": "help@shop.example",
    },
}
"""What a template may use, with example values. Prices are numbers, or empty texts when they are not known."""

NOTHING_KNOWN: Mapping[str, Any] = {
    **VARIABLES,
    "customer": {"name": "", "first_name": "", "email": "ada@shop.example"},
    "products": [],
    "alternatives": [],
    "new_arrivals": [],
    "interests": [],
    "top_interest": "",
    "coupon_code": "",
    "order": {"order_id": "", "total_text": "", "items": []},
}
"""The poorest data a mail may have to do with."""

LITTLE_KNOWN: Mapping[str, Any] = {
    **VARIABLES,
    "products": [_UNKNOWN_PRODUCT],
    "alternatives": [_UNKNOWN_PRODUCT],
    "new_arrivals": [_UNKNOWN_PRODUCT],
}
"""A shop whose products have neither pictures nor prices."""

MAX_SUBJECT = 300
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_STRUCK = re.compile(r"<s\b[^>]*>(.*?)</s>", re.DOTALL)
_EMPTY_LINK = re.compile(r"\[\s*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\[\]]*)\]\((\S*?)\)")
_HREF = re.compile(r"""(<a\s(?:[^>]*?\s)?href\s*=\s*)("[^"]*"|'[^']*')""", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n{3,}")
_INVISIBLE = re.compile("[\u034f\u200b-\u200f\u00ad\ufeff]")


@dataclass(frozen=True)
class Rendered:
    """A mail's three texts; `subject` is one line."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True)
class Problem:
    """What is wrong with a template, and in which of its fields: "subject", "preheader" or "mjml"."""

    field: str
    message: str


def render(
    *,
    subject: str,
    preheader: str,
    html: str,
    variables: Mapping[str, Any],
    rewrite_link: Callable[[str], str] | None = None,
) -> Rendered:
    """
    Return the mail for one shopper; `html` is what `mjml_compiler.compile_mjml` made.

    `rewrite_link` is given the address of each link and returns the one that stands in the mail.

    :raises TemplateError: if the template asks for something that is not there, or for too much work.
    """
    line = one_line(liquid_sandbox.render(subject, variables, escapes_html=False), limit=MAX_SUBJECT)
    if not line:
        raise TemplateError("The subject came out empty.")
    preview = one_line(liquid_sandbox.render(preheader, variables, escapes_html=False), limit=MAX_SUBJECT)
    body = liquid_sandbox.render(html, {**variables, "preheader": preview}, escapes_html=True)
    if rewrite_link is not None:
        body = rewrite_links(body, rewrite_link)
    return Rendered(subject=line, html=body, text=text_of(body))


def rewrite_links(html: str, rewrite: Callable[[str], str]) -> str:
    """Return the HTML with the address of each link as `rewrite` has it; an address that stays, stays letter by letter."""

    def rewritten(match: re.Match[str]) -> str:
        address = unescape(match[2][1:-1])
        changed = rewrite(address)
        return match[0] if changed == address else f'{match[1]}"{escape(changed)}"'

    return _HREF.sub(rewritten, html)


def one_line(text: str, *, limit: int = 500) -> str:
    """Return the text fit for a header: no newline that could start another header, no control character."""
    visible = "".join(character for character in text if unicodedata.category(character) not in ("Cs", "Cn"))
    return _CONTROL.sub(" ", visible).strip()[:limit].rstrip()


def text_of(html: str) -> str:
    """Return the text part of a mail: what the HTML says, links written out, no runs of blank lines."""
    visible = _STRUCK.sub(r"(instead of \1)", _COMMENT.sub("", html))
    text = get_text(visible, ParserConfig(display_links=True)) if visible.strip() else ""
    text = _LINK.sub(_written_out, _EMPTY_LINK.sub("", _INVISIBLE.sub("", text)))
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in text.splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"


def _written_out(match: re.Match[str]) -> str:
    label, address = match[1].strip(), match[2]
    return address if not label or label == address else f"{label} ({address})"


def check(*, subject: str, preheader: str, mjml: str) -> list[Problem]:
    """
    Return what is wrong with a template, each with its field; an empty list means that it can be saved.

    The template is compiled, its variables are compared with `VARIABLES`, and it is filled in three times: with
    everything known about a shopper, with little, and with nothing.
    """
    problems: list[Problem] = []
    sources = {"subject": subject, "preheader": preheader}
    try:
        sources["mjml"] = mjml_compiler.compile_mjml(mjml)
    except TemplateError as error:
        problems.append(Problem("mjml", str(error)))
    for field, source in sources.items():
        try:
            unknown = sorted(_unknown_variables(source))
        except TemplateError as error:
            problems.append(Problem(field, str(error)))
            continue
        if unknown:
            problems += [Problem(field, f"There is no variable {name}.") for name in unknown]
        else:
            problems += list(_trial_problems(field, source))
    if "mjml" in sources and "unsubscribe_url" not in sources["mjml"]:
        problems.append(Problem("mjml", "A mail needs a link to {{ unsubscribe_url }}."))
    if "mjml" in sources and "sender.postal_address" not in sources["mjml"]:
        problems.append(Problem("mjml", "A mail needs the {{ sender.postal_address }}."))
    return problems


def _unknown_variables(source: str) -> Iterator[str]:
    for path in liquid_sandbox.variable_paths(source):
        known: Any = {**VARIABLES, "preheader": ""}
        for segment in path:
            if isinstance(known, list):
                known = known[0] if known and segment not in ("size", "first", "last") else {}
            if segment in ("size", "first", "last"):
                break
            if not isinstance(known, Mapping) or segment not in known:
                yield ".".join(path)
                break
            known = known[segment]


def _trial_problems(field: str, source: str) -> Iterator[Problem]:
    is_html = field == "mjml"
    for variables, situation in (
        (VARIABLES, ""),
        (LITTLE_KNOWN, " when the shop's products have no picture or price"),
        (NOTHING_KNOWN, " when nothing is known about the shopper"),
    ):
        try:
            output = liquid_sandbox.render(source, {**variables, "preheader": ""}, escapes_html=is_html)
            if is_html:
                mjml_compiler.require_harmless(output)
            elif field == "subject" and not one_line(output):
                raise TemplateError("The subject is empty")
        except TemplateError as error:
            message = str(error).rstrip(".")
            hint = " Use {% if %} or | default." if situation and re.search("undefined|out of range", message) else ""
            yield Problem(field, f"{message}{situation}.{hint}")
            return
