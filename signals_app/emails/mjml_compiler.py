"""
MJML with Liquid in it, made into HTML with the same Liquid in it: once, when a template is saved.

The compiler cannot read a Liquid tag that holds "<" or quotes, and would escape what it can read, so each tag is
swapped for a plain word and put back afterwards. Language: https://documentation.mjml.io/
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import mjml

from signals_app.emails.exceptions import TemplateError
from signals_app.emails.liquid_sandbox import MAX_OUTPUT_BYTES, MAX_SOURCE_BYTES, split_tags

MAX_ELEMENTS = 1_000
"""The compiler recurses without a limit of its own: some thousand nested elements would end the whole process."""
_ELEMENT = re.compile(r"<[A-Za-z]")
_BODY = re.compile(r"<body[^>]*>")
_CONDITIONAL_COMMENT = re.compile(r"^\[if [^\]]*\]>|<!\[endif\]$")
_PREHEADER = (
    '{% if preheader %}<div style="display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;'
    'line-height:1px;color:transparent;">{{ preheader }}</div>{% endif %}'
)
_FORBIDDEN_ELEMENTS = frozenset(
    ["applet", "base", "embed", "form", "frame", "frameset", "iframe", "link", "math", "object", "script", "svg"]
)
_FORBIDDEN_SCHEMES = ("javascript:", "vbscript:", "data:text")
_URL_ATTRIBUTES = frozenset(["action", "background", "href", "poster", "src"])


def compile_mjml(source: str) -> str:
    """
    Return the HTML of a template, with its Liquid untouched and a place for the preheader at the start of its body.

    :raises TemplateError: if the source is too long, is no MJML, or makes HTML that no mail should hold.
    """
    if len(source.encode(errors="replace")) > MAX_SOURCE_BYTES:
        raise TemplateError(f"The content is longer than {MAX_SOURCE_BYTES // 1024} KiB.")
    if "\x00" in source:
        raise TemplateError("The content holds a character that no text has (NUL).")
    word = _unused_word(source)
    tags: list[str] = []
    pieces: list[str] = []
    for piece, is_tag in split_tags(source):
        if is_tag:
            pieces.append(f"{word}{len(tags):05d}Z")
            tags.append(piece)
        else:
            pieces.append(piece)
    html = _compiled("".join(pieces))
    require_harmless(html)
    html = re.sub(rf"{word}(\d{{5}})Z", lambda match: tags[int(match[1])], html)
    html, count = _BODY.subn(lambda match: match[0] + _PREHEADER, html, count=1)
    if not count:
        raise TemplateError("The content has no <mj-body>.")
    if len(html.encode(errors="replace")) > MAX_OUTPUT_BYTES:
        raise TemplateError(f"The mail would be longer than {MAX_OUTPUT_BYTES // 1024} KiB.")
    return html


def _unused_word(source: str) -> str:
    number = 0
    while (word := f"LQ{number}Q") in source:
        number += 1
    return word


def _compiled(source: str) -> str:
    if len(_ELEMENT.findall(source)) > MAX_ELEMENTS:
        raise TemplateError(f"The content has more than {MAX_ELEMENTS} elements.")
    if "<mj-include" in source:
        raise TemplateError("<mj-include> is not available: a template stands on its own.")
    try:
        return mjml.mjml2html(source, fonts={})
    except ValueError as error:
        raise TemplateError(f"This is not MJML: {error}") from error


class _Inspector(HTMLParser):
    """Collects what a mail must not hold: no mail program runs it, and our own previews must not either."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _FORBIDDEN_ELEMENTS:
            self.problems.append(f"<{tag}>")
        for name, value in attrs:
            text = re.sub(r"[\x00-\x20]", "", value or "").lower()
            is_script_link = name in _URL_ATTRIBUTES and text.startswith(_FORBIDDEN_SCHEMES)
            is_refresh = tag == "meta" and name == "http-equiv" and text == "refresh"
            if name.startswith("on") or is_script_link or is_refresh:
                self.problems.append(f"<{tag} {name}=…>")

    def handle_comment(self, data: str) -> None:
        if "<" in data:
            inner = _Inspector()
            inner.feed(_CONDITIONAL_COMMENT.sub("", data))
            inner.close()
            self.problems += inner.problems


def require_harmless(html: str) -> None:
    """
    Refuse HTML with scripts, forms, frames or event handlers in it.

    :raises TemplateError: naming what was found.
    """
    inspector = _Inspector()
    inspector.feed(html)
    inspector.close()
    if inspector.problems:
        raise TemplateError(f"A mail cannot hold {', '.join(sorted(set(inspector.problems)))}.")
