"""
The body of a webhook, read leniently: a field that is not clean is null and named in the issues, never a lost signal.

The documented fields are `drop_proba`, `perfomance` (the sender's spelling), `num_events`, `num_loops`,
`num_broken_buttons`, `avg_loops`, `avg_broken_buttons` and, optionally, `relevant_events`, a list of objects with a
`name`. The documentation prints a single object there, so one object, or plain names, are read too.

Source: https://www.insightarc.com/blog/automation-tools/how-to-subscribe-to-real-time-signals/, "Example Webhook Response".
"""

from __future__ import annotations

import codecs
import json
import math
from dataclasses import dataclass, field
from typing import Any

from signals_app.webhooks import nesting
from signals_app.webhooks.cleaning import INT_MAX, Cleaner, Issues, Members, clean_int, clean_string, is_clean
from signals_app.webhooks.exceptions import MalformedDelivery

MAX_EVENTS = 200

SPELLINGS_OF_PERFORMANCE = ("perfomance", "performance")
DOCUMENTED = frozenset(
    {"drop_proba", "num_events", "num_loops", "num_broken_buttons", "avg_loops", "avg_broken_buttons"}
    | {*SPELLINGS_OF_PERFORMANCE, "relevant_events"}
)


def _int_of_any_length(digits: str) -> int:
    """Return the number, or, for one that Python refuses to read for its length, another that is too large as well."""
    return int(digits[:400])


class _Decoder:
    """Reads JSON; a body with a number too long for Python is read once more, in a way that takes longer for all."""

    def __init__(self, **hooks: Any) -> None:
        self._usual = json.JSONDecoder(**hooks)
        self._for_long_numbers = json.JSONDecoder(parse_int=_int_of_any_length, **hooks)

    def decode(self, text: str) -> Any:
        try:
            return self._usual.decode(text)
        except json.JSONDecodeError:
            raise
        except ValueError:
            return self._for_long_numbers.decode(text)


_decoder = _Decoder(object_pairs_hook=Members.of_pairs)
_quick_decoder = _Decoder()


@dataclass(slots=True)
class ParsedSignal:
    """What a body says; every value can be stored in both databases and printed as JSON."""

    drop_proba: float | None = None
    """0 to 1: how likely the shopper leaves with the next action."""
    performance: float | None = None
    """At least 0; the documentation gives "percentage of time spent" and no unit."""
    num_events: int | None = None
    num_loops: int | None = None
    num_broken_buttons: int | None = None
    avg_loops: float | None = None
    avg_broken_buttons: float | None = None
    relevant_events: list[dict[str, str]] = field(default_factory=list)
    """[{"name": str}, ...]"""
    extra: dict[str, Any] = field(default_factory=dict)
    """Every key that the documentation does not name."""
    issues: list[dict[str, str]] = field(default_factory=list)
    """[{"field": "drop_proba", "problem": "not a number"}, ...]; "" is the body itself."""


def parse(body: bytes) -> ParsedSignal:
    """
    Turn the bytes of a verified request into a signal.

    `body` is one JSON object in UTF-8, with or without a byte order mark. Numbers have to be numbers: true and
    "0.95" are not. Counts and averages are at least 0.

    :raises MalformedDelivery: if `body` is not one JSON object, or nested too deeply to be read.
    """
    issues = Issues()
    members = _read(body, issues)
    cleaner = Cleaner(issues)
    cleaner.note_repeated(members, "")
    return ParsedSignal(
        drop_proba=_number(members, "drop_proba", issues, highest=1.0),
        performance=_performance(members, issues),
        num_events=_count(members, "num_events", issues),
        num_loops=_count(members, "num_loops", issues),
        num_broken_buttons=_count(members, "num_broken_buttons", issues),
        avg_loops=_number(members, "avg_loops", issues),
        avg_broken_buttons=_number(members, "avg_broken_buttons", issues),
        relevant_events=_events(members.get("relevant_events"), issues),
        extra=cleaner.clean({name: members[name] for name in members if name not in DOCUMENTED}, ""),
        issues=issues.found,
    )


def check(body: bytes) -> None:
    """
    Raise what `parse` would raise, and do nothing else: what a request has to know before it can be answered.

    :raises MalformedDelivery: if `body` is not one JSON object, or nested too deeply to be read.
    """
    text, _ = _text(body)
    if not isinstance(_decoded(text, _quick_decoder), dict):
        raise MalformedDelivery("The body is JSON, but not an object.")


def _read(body: bytes, issues: Issues) -> Members:
    text, is_utf8 = _text(body)
    if not is_utf8:
        issues.add("", "not valid UTF-8, unreadable bytes were replaced")
    value = _decoded(text, _decoder)
    if not isinstance(value, Members):
        raise MalformedDelivery("The body is JSON, but not an object.")
    return value


def _text(body: bytes) -> tuple[str, bool]:
    """Return the text of a body, and whether all of its bytes could be read."""
    if nesting.is_too_deep(body):
        raise MalformedDelivery("The body is nested too deeply to be read.")
    try:
        return body.removeprefix(codecs.BOM_UTF8).decode(), True
    except UnicodeDecodeError:
        return body.decode("utf-8-sig", "replace"), False


def _decoded(text: str, decoder: _Decoder) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        problem = error.msg.removesuffix(" at")
        raise MalformedDelivery(f"The body is not JSON: {problem} at character {error.pos + 1}.") from error
    except RecursionError as error:  # MAX_READABLE_DEPTH should prevent it, but the caller's own stack counts too
        raise MalformedDelivery("The body is nested too deeply to be read.") from error


def _number(members: Members, name: str, issues: Issues, *, highest: float = math.inf) -> float | None:
    value = members.get(name)
    if value is None:
        return None
    if type(value) is float and 0.0 < value <= highest and value < math.inf:
        return value  # as nearly all are; what follows tells what is wrong with the others
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        issues.add(name, "not a number")
        return None
    if isinstance(value, float) and not math.isfinite(value):
        issues.add(name, "not a finite number")
        return None
    number = float(clean_int(value, name, issues)) if isinstance(value, int) else value
    if not 0 <= number <= highest:
        issues.add(name, "below 0" if number < 0 else f"above {highest:g}")
        return None
    return number


def _count(members: Members, name: str, issues: Issues) -> int | None:
    value = members.get(name)
    if type(value) is int and 0 <= value <= INT_MAX:
        return value
    number = _number(members, name, issues)
    if number is None or value is None:
        return None
    if isinstance(value, float) and not value.is_integer():
        issues.add(name, "not a whole number")
        return None
    return clean_int(int(value), name, issues)


def _performance(members: Members, issues: Issues) -> float | None:
    read = {name: _number(members, name, issues) for name in SPELLINGS_OF_PERFORMANCE}
    values = [value for value in read.values() if value is not None]
    if len(set(values)) > 1:
        issues.add("performance", "differs from perfomance, which counts")
    return values[0] if values else None


def _events(value: Any, issues: Issues) -> list[dict[str, str]]:
    if value is None:
        return []
    if isinstance(value, dict | str):
        value = [value]
    if not isinstance(value, list):
        issues.add("relevant_events", "not a list")
        return []
    if len(value) > MAX_EVENTS:
        issues.add("relevant_events", f"more than {MAX_EVENTS}, the others were left out")
    events = []
    for index, event in enumerate(value[:MAX_EVENTS]):
        name = event.get("name") if isinstance(event, dict) else event
        if isinstance(name, str) and is_clean(name) and not name.isspace() and name:
            events.append({"name": name})
            continue
        where = f"relevant_events[{index}]"
        if not isinstance(name, str) or not name.strip():
            issues.add(where, "has no name")
            continue
        events.append({"name": clean_string(name, where, issues)})
    return events
