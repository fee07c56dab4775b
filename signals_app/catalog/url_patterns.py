"""
What a shop says of its own addresses: patterns in an order, each with the kind of page that it stands for.

    /products/{slug}          one part of a path; what stands in the braces names the page
    /collections/*/products/{slug}    a star in the middle is any one part
    /blog/*                   a star at the end is one part or more
    /category/**/{slug}       two stars are any number of parts, also none
    /{slug}.html   /sw{id}    a part may have text before and behind
    /shop?product={id}        a value of the query; "?sale" is there with any value, "?page=cart" with this one

The host, the letter case, a slash at the end, and a language at the beginning (unless the pattern begins with one) make
no difference. The first pattern that fits counts. What fits none is read by the words that shops use (`matching`).

No pattern becomes a regular expression: a part has one wildcard at most, and a path one gap, so that asking whether an
address fits takes time in proportion to its length, whatever a person or a shopper has written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from signals_app.catalog import matching
from signals_app.catalog.constants import UrlKind
from signals_app.catalog.exceptions import InvalidPattern
from signals_app.catalog.matching import KEY_LENGTH, Page, PageKind

MOST_PATTERNS = 100
LONGEST_PATTERN = 200
MOST_PARAMETERS = 5
PAGES_REMEMBERED = 4_096
NEED_A_NAME = frozenset({UrlKind.PRODUCT, UrlKind.CATEGORY})
GAP, STAR = "**", "*"


class UrlRule(NamedTuple):
    """One line of a shop's patterns."""

    kind: UrlKind
    pattern: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a path, or one value of a query: text, or a wildcard with text before and behind."""

    before: str
    behind: str = ""
    is_wild: bool = False
    is_name: bool = False

    def match(self, text: str) -> str | None:
        """Return what the wildcard stands for ("" for plain text), or None if the part does not fit."""
        if not self.is_wild:
            return "" if text == self.before else None
        end = len(text) - len(self.behind)
        if end <= len(self.before) or not text.startswith(self.before) or not text.endswith(self.behind):
            return None
        return text[len(self.before) : end]


@dataclass(frozen=True, slots=True)
class Found:
    """Where an address fits a pattern: the path without language, and what names the page, if anything does."""

    segments: Sequence[str]
    position: int | None = None
    """Where in the path the name stands."""
    value: str = ""
    parameter: str = ""
    """The name of the query's parameter that names the page."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as it is asked; `least_between` is None where there is no gap between `head` and `tail`."""

    kind: UrlKind
    head: tuple[Part, ...]
    tail: tuple[Part, ...]
    least_between: int | None
    query: tuple[tuple[str, Part], ...]
    has_locale: bool

    def match(self, segments: Sequence[str], query: Mapping[str, str]) -> Found | None:
        """Return where a path (its parts, all of them) and a query fit, or None."""
        path = segments if self.has_locale else matching.without_locale(list(segments))
        count, head, tail = len(path), len(self.head), len(self.tail)
        if self.least_between is None:
            if count != head:
                return None
        elif count < head + self.least_between + tail:
            return None
        places = [*enumerate(self.head), *((count - tail + number, part) for number, part in enumerate(self.tail))]
        found = Found(path)
        for place, part in places:
            value = _value(part, path[place], is_last=place == count - 1)
            if value is None:
                return None
            if part.is_name:
                found = Found(path, position=place, value=value)
        return self._with_query(found, query)

    def _with_query(self, found: Found, query: Mapping[str, str]) -> Found | None:
        for name, part in self.query:
            given = query.get(name)
            if given is None:
                return None
            value = _value(part, matching.plain(given))
            if value is None and not (part.is_wild and not part.is_name and not part.before and not part.behind):
                return None
            if part.is_name:
                found = Found(found.segments, value=value or "", parameter=name)
        return found

    def key(self, found: Found) -> str:
        """
        Return the key of the page.

        A product's is the part that names it with the fixed words directly before it (without any, the path up to it),
        so that the same product below several collections has one key; a category's is its name alone.
        """
        if self.kind is UrlKind.IGNORED:
            return ""
        segments = list(found.segments)
        if self.kind is UrlKind.CATEGORY:
            return matching.without_suffix(found.value)[:KEY_LENGTH]
        if segments:
            segments[-1] = matching.without_suffix(segments[-1])
        if self.kind is not UrlKind.PRODUCT:
            return matching.joined(segments)
        if found.parameter:
            return f"{matching.joined(segments)}?{found.parameter}={found.value}"[:KEY_LENGTH]
        place = found.position or 0
        begin = place
        while begin > 0 and self._is_fixed(begin - 1, len(segments)):
            begin -= 1
        return matching.joined(segments[0 if begin == place else begin : place + 1])

    def _is_fixed(self, place: int, count: int) -> bool:
        if place < len(self.head):
            return not self.head[place].is_wild
        behind = place - (count - len(self.tail))
        return behind >= 0 and not self.tail[behind].is_wild


def compile_rule(rule: UrlRule) -> Pattern:
    """
    Return a pattern as it is asked.

    :raises InvalidPattern: saying what is wrong, for the person who wrote it.
    """
    text = rule.pattern.strip()
    if not text:
        raise InvalidPattern("Write a pattern such as /products/{slug}.")
    if len(text) > LONGEST_PATTERN:
        raise InvalidPattern(f"A pattern has at most {LONGEST_PATTERN} characters.")
    path, _, asked = text.partition("?")
    segments = matching.path_segments(path) if path else []
    if segments is None:
        raise InvalidPattern("Begin with a slash, such as /products/{slug}, or paste a whole address.")
    head, tail, least = _split(segments)
    query = _query(asked)
    parts = [*head, *tail, *(part for _, part in query)]
    names = sum(part.is_name for part in parts)
    if names > 1 and any(part.is_name for _, part in query):
        raise InvalidPattern("Only one part can name the page: write * for the others.")
    if rule.kind in NEED_A_NAME and not names:
        what = "product" if rule.kind is UrlKind.PRODUCT else "category"
        raise InvalidPattern(f"Say which part names the {what}, such as /{what}/{{slug}}.")
    has_locale = bool(head) and not head[0].is_wild and matching.is_locale(head[0].before)
    return Pattern(rule.kind, head, tail, least, query, has_locale)


class PageReader:
    """Reads addresses with a shop's patterns; remembers what it has read, since many shoppers view the same pages."""

    def __init__(self, rules: Iterable[UrlRule] = ()) -> None:
        self._patterns = [compile_rule(rule) for rule in rules]
        self._asks_query = any(pattern.query for pattern in self._patterns)
        self.page = lru_cache(maxsize=PAGES_REMEMBERED)(self._page)

    def explain(self, address: str) -> tuple[Page, int | None]:
        """Return what an address, a path or the name of an action shows, and the number of the pattern that says so."""
        segments = matching.path_segments(address) if self._patterns else None
        if segments is not None:
            query = _given(address) if self._asks_query else {}
            for number, pattern in enumerate(self._patterns):
                if (found := pattern.match(segments, query)) is not None:
                    return Page(PageKind(pattern.kind.value), pattern.key(found)), number
        return matching.page_kind(address), None

    def catalogue_key(self, url: str) -> str:
        """Return the key under which the catalogue keeps the product that has this address."""
        page, _ = self.explain(url)
        if page.kind is PageKind.PRODUCT:
            return page.key
        return matching.catalogue_key(url)

    def _page(self, address: str) -> Page:
        return self.explain(address)[0]


def _split(segments: Sequence[str]) -> tuple[tuple[Part, ...], tuple[Part, ...], int | None]:
    """Return the parts before and behind the gap of a path, and how many parts the gap has at least; None: no gap."""
    gaps = [place for place, segment in enumerate(segments) if segment == GAP]
    if len(gaps) > 1:
        raise InvalidPattern("Write ** once only.")
    if gaps:
        place, least = gaps[0], 0
    elif segments and segments[-1] == STAR:
        place, least = len(segments) - 1, 1
    else:
        return tuple(_part(segment) for segment in segments), (), None
    head = tuple(_part(segment) for segment in segments[:place])
    return head, tuple(_part(segment) for segment in segments[place + 1 :]), least


def _part(text: str) -> Part:
    opened, closed = text.count("{"), text.count("}")
    if opened != closed or opened + text.count(STAR) > 1:
        raise InvalidPattern(f"“{text}”: one * or one name in braces between two slashes, such as {{slug}}.")
    if opened:
        before, _, rest = text.partition("{")
        name, _, behind = rest.partition("}")
        if not name.replace("_", "").replace("-", "").isalnum():
            raise InvalidPattern(f"“{text}”: write a word between the braces, such as {{slug}}.")
        return Part(before, behind, is_wild=True, is_name=True)
    if STAR in text:
        before, _, behind = text.partition(STAR)
        return Part(before, behind, is_wild=True)
    return Part(text)


def _query(text: str) -> tuple[tuple[str, Part], ...]:
    asked = parse_qsl(text.replace("*", "%2A"), keep_blank_values=True)
    if len(asked) > MOST_PARAMETERS:
        raise InvalidPattern(f"At most {MOST_PARAMETERS} values of the query.")
    return tuple((name, _part(matching.plain(value) or STAR)) for name, value in asked)


def _given(address: str) -> dict[str, str]:
    _, _, query = address[: matching.ADDRESS_LENGTH].partition("?")
    return dict(parse_qsl(query.partition("#")[0], keep_blank_values=True)) if query else {}


def _value(part: Part, text: str, *, is_last: bool = False) -> str | None:
    value = part.match(text)
    # A shop that writes /cart.html for /cart need not know that for its patterns.
    return part.match(matching.without_suffix(text)) if value is None and is_last else value
