"""
Liquid that marketers may write and shoppers' data may fill: no escape from the data, no escape from escaping, no bomb.

The library's own limits cover loops, output and local variables. What they leave open is closed here: the list of tags
and filters is our own, each filter's input and result are bounded, and so is a template's work, before it runs and while
it runs. Language: https://shopify.github.io/liquid/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, wraps
from typing import Any

from liquid import BoundTemplate, Environment, FalsyStrictUndefined, Mode, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions.primitive import IntegerLiteral, RangeLiteral
from liquid.builtin.tags.for_tag import ForNode
from liquid.exceptions import LiquidError
from liquid.expression import Expression

from signals_app.emails.exceptions import TemplateError

MAX_SOURCE_BYTES = 64 * 1024
MAX_OUTPUT_BYTES = 256 * 1024
MAX_STEPS = 20_000
"""Variables looked up, or as much work by filters; some tenths of a second. The gallery's mails take a few hundred."""
MAX_LOOP_ITERATIONS = 200
MAX_PARTS = 5_000
MAX_PARTS_IN_LOOPS = 1_000
"""Tags, pieces of text and expressions inside loops: times the iterations, the work that no filter call notices."""
_MAX_TAG = 1_000
_MAX_TEXT = 20_000
_MAX_ITEMS = 500
_MAX_NUMBER = 10**15
_MAX_DATE_FORMAT = 60

_OPENING = re.compile(r"\{[{%]")
_RAW = re.compile(r"\{%-?\s*raw\b")
_TAGS = frozenset(
    [
        "content",
        "output",
        "illegal",
        "if",
        "unless",
        "for",
        "break",
        "continue",
        "assign",
        "capture",
        "comment",
        "cycle",
        "echo",
        "#",
    ]
)
_FILTERS = frozenset(
    [
        "abs",
        "append",
        "at_least",
        "at_most",
        "capitalize",
        "ceil",
        "compact",
        "concat",
        "date",
        "default",
        "divided_by",
        "downcase",
        "escape",
        "escape_once",
        "find",
        "first",
        "floor",
        "has",
        "join",
        "last",
        "lstrip",
        "map",
        "minus",
        "modulo",
        "newline_to_br",
        "plus",
        "prepend",
        "reject",
        "remove",
        "remove_first",
        "remove_last",
        "replace",
        "replace_first",
        "replace_last",
        "reverse",
        "round",
        "rstrip",
        "size",
        "slice",
        "sort",
        "sort_natural",
        "split",
        "squish",
        "strip",
        "strip_newlines",
        "sum",
        "times",
        "truncate",
        "truncatewords",
        "uniq",
        "upcase",
        "url_encode",
        "where",
    ]
)


_SLOW_FILTERS = {"date": 30, "divided_by": 3, "modulo": 3, "round": 3, "times": 3}
"""What a filter costs beside the length of its values; one variable looked up costs 1."""


class LimitReached(LiquidError):
    """A rendering did more than any mail needs."""

    def __init__(self, message: str) -> None:
        super().__init__(message, token=None)


def _require_bounded(name: str, value: object) -> None:
    if isinstance(value, str | bytes):
        is_bounded = len(value) <= _MAX_TEXT
    elif isinstance(value, list | tuple | range | dict):
        is_bounded = len(value) <= _MAX_ITEMS
    elif isinstance(value, int | float):
        is_bounded = abs(value) <= _MAX_NUMBER
    else:
        is_bounded = True
    if not is_bounded:
        raise LimitReached(f"{name}: a value is too large")


def _require_bounded_growth(name: str, left: object, arguments: tuple[Any, ...]) -> None:
    """Refuse before the fact what is too late to refuse afterwards, because the result would fill the memory."""
    if name.startswith("replace") and isinstance(left, str) and len(arguments) > 1:
        if left.count(str(arguments[0])) * len(str(arguments[1])) > _MAX_TEXT:
            raise LimitReached(f"{name}: the result is too large")
    elif name == "join" and isinstance(left, list | tuple):
        separator = str(arguments[0]) if arguments else " "
        if sum(len(str(item)) + len(separator) for item in left) > _MAX_TEXT:
            raise LimitReached(f"{name}: the result is too large")
    elif name == "date" and arguments and len(str(arguments[0])) > _MAX_DATE_FORMAT:
        raise LimitReached(f"{name}: the format is too long")


def _guarded(name: str, filter_function: Callable[..., object]) -> Callable[..., object]:
    @wraps(filter_function)  # also copies the marks by which the library passes context or environment
    def guarded(left: object, *arguments: Any, **keywords: Any) -> object:
        for value in (left, *arguments):
            _require_bounded(name, value)
        _require_bounded_growth(name, left, arguments)
        try:
            result = filter_function(left, *arguments, **keywords)
        except (ArithmeticError, ValueError, AttributeError, KeyError, IndexError) as error:
            raise TemplateError(f"{name} cannot work with this value: {error}") from error
        _require_bounded(name, result)
        return result

    return guarded


def _cost_of(name: str, values: tuple[Any, ...]) -> int:
    """Return about how long a filter takes, in looked-up variables."""
    cost = _SLOW_FILTERS.get(name, 1)
    for value in values:
        if isinstance(value, str):
            cost += len(value) // 200
        elif isinstance(value, list | tuple):
            cost += len(value) * (3 if name == "uniq" else 1)
    return cost


class _CountingContext(RenderContext):
    """
    A context that gives up when the rendering has done more work than any mail needs.

    It counts steps instead of seconds: a pause of the whole process must not make a good mail fail.
    """

    __slots__ = ("steps",)

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.steps = 0

    def _charge(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise LimitReached("the template takes too long")

    def filter(self, name: str, token: Any) -> Callable[..., object]:
        function = super().filter(name, token)

        def charged(*values: Any, **keywords: Any) -> object:
            self._charge(_cost_of(name, values))
            return function(*values, **keywords)

        return charged

    def get(self, path: list[object], **keywords: Any) -> object:
        self._charge(1)
        return super().get(path, **keywords)

    def cycle(self, key: object, length: int) -> int:
        self._charge(1)
        return super().cycle(key, length)

    def get_size_of_locals(self) -> int:
        self._charge(1 + len(self.locals) // 10)  # the library adds up all locals at each assignment
        return super().get_size_of_locals()


class _CountingTemplate(BoundTemplate):
    context_class = _CountingContext


class _Sandbox(Environment):
    template_class = _CountingTemplate
    loop_iteration_limit = MAX_LOOP_ITERATIONS
    output_stream_limit = MAX_OUTPUT_BYTES
    local_namespace_limit = 100_000
    context_depth_limit = 10
    block_nesting_limit = 15

    def __init__(self, *, escapes_html: bool) -> None:
        super().__init__(undefined=FalsyStrictUndefined, tolerance=Mode.STRICT, autoescape=escapes_html)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS}
        self.filters = {name: _guarded(name, function) for name, function in self.filters.items() if name in _FILTERS}


_HTML = _Sandbox(escapes_html=True)
_PLAIN = _Sandbox(escapes_html=False)


def split_tags(source: str) -> list[tuple[str, bool]]:
    """
    Return the pieces of the source, each with whether it is a Liquid tag; joined they are the source.

    Some things that the library's lexer takes quadratic time for are refused here first.

    :raises TemplateError: for a tag that is never closed, or too long to be meant.
    """
    pieces: list[tuple[str, bool]] = []
    position = 0
    while found := _OPENING.search(source, position):
        opening = found.start()
        closing = source.find("%}" if source[opening + 1] == "%" else "}}", opening + 2)
        line = source.count("\n", 0, opening) + 1
        if closing < 0:
            raise TemplateError(f"A tag is opened and never closed (line {line})")
        tag = source[opening : closing + 2]
        if len(tag) > _MAX_TAG:
            raise TemplateError(f"A tag is longer than {_MAX_TAG} characters (line {line})")
        if _RAW.match(tag):
            raise TemplateError(f"The tag raw is not available (line {line})")
        pieces += [(source[position:opening], False), (tag, True)]
        position = closing + 2
    pieces.append((source[position:], False))
    return [piece for piece in pieces if piece[0]]


@lru_cache(maxsize=256)
def _parse(source: str, escapes_html: bool) -> BoundTemplate:
    split_tags(source)
    template = (_HTML if escapes_html else _PLAIN).from_string(source)
    _require_bounded_work(template)
    return template


def parse(source: str, *, escapes_html: bool) -> BoundTemplate:
    """
    Return the parsed template; the same source is parsed once.

    :raises TemplateError: with a sentence that says what is wrong and where.
    """
    if len(source.encode(errors="replace")) > MAX_OUTPUT_BYTES:
        raise TemplateError("The template is too long.")
    try:
        return _parse(source, escapes_html)
    except LiquidError as error:
        raise TemplateError(_sentence(error)) from error
    except RecursionError as error:
        raise TemplateError("The template is nested too deeply.") from error


def _require_bounded_work(template: BoundTemplate) -> None:
    """
    Refuse a template whose work cannot be bounded by looking at it.

    A range between anything but two small numbers is refused, because the library makes a list of some ranges
    before it looks at any limit.
    """
    total = in_loops = 0
    for part, is_in_loop in _parts(template):
        total += 1
        in_loops += is_in_loop
        if isinstance(part, RangeLiteral) and not all(
            isinstance(end, IntegerLiteral) and abs(end.value) <= MAX_LOOP_ITERATIONS for end in part.children()
        ):
            raise TemplateError(f"A range such as (1..5) needs two numbers of at most {MAX_LOOP_ITERATIONS}.")
    if total > MAX_PARTS:
        raise TemplateError("The template has too many tags.")
    if in_loops > MAX_PARTS_IN_LOOPS:
        raise TemplateError("The loops hold too much: move what does not repeat out of them.")


def _parts(template: BoundTemplate) -> Iterator[tuple[Node | Expression, bool]]:
    """Return every node and expression of the template, each with whether it stands inside a loop."""
    context = RenderContext(template)
    waiting: list[tuple[Node | Expression, bool]] = [(node, False) for node in template.nodes]
    while waiting:
        part, is_in_loop = waiting.pop()
        yield part, is_in_loop
        if isinstance(part, Node):
            waiting.extend((expression, is_in_loop) for expression in part.expressions())
            holds_loop = is_in_loop or isinstance(part, ForNode)
            waiting.extend((node, holds_loop) for node in part.children(context, include_partials=False))
        else:
            waiting.extend((expression, is_in_loop) for expression in part.children())


def render(source: str, variables: Mapping[str, object], *, escapes_html: bool) -> str:
    """
    Return the filled-in template; values are data, never template: "{{ 7*7 }}" in a value is printed as it is.

    :raises TemplateError: for a variable that does not exist, a broken tag, or more work than a mail may need.
    """
    template = parse(source, escapes_html=escapes_html)
    try:
        return template.render(**variables)
    except LiquidError as error:
        raise TemplateError(_sentence(error)) from error
    except (ArithmeticError, ValueError, TypeError, RecursionError) as error:
        raise TemplateError(f"The template could not be filled in: {error}") from error


def variable_paths(source: str) -> frozenset[tuple[str, ...]]:
    """
    Return the paths of all variables that a template expects from outside, e.g. ("customer", "first_name").

    :raises TemplateError: if it cannot be parsed.
    """
    analysis = parse(source, escapes_html=True).analyze(include_partials=False)
    return frozenset(
        tuple(segment for segment in variable.segments if isinstance(segment, str))
        for variables in analysis.globals.values()
        for variable in variables
    )


def _sentence(error: LiquidError) -> str:
    text = str(error.args[0]) if error.args else type(error).__name__
    context = error.context() if error.token is not None else None
    where = f" (line {context[0]})" if context else ""
    return f"{text[:1].upper()}{text[1:]}{where}"
