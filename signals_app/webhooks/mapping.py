"""
Where the shopper's identity stands in a body.

The documented body names no shopper, so each source says where to look: dotted paths, a JMESPath expression, or a
query parameter that the shop puts into its links and that then shows in the visited addresses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import jmespath
import jmespath.exceptions
import jmespath.parser

from signals_app.customers.exceptions import InvalidIdentifier
from signals_app.customers.identifiers import normalise
from signals_app.webhooks.cleaning import MAX_STRING
from signals_app.webhooks.exceptions import InvalidConfiguration

DEFAULT_PATHS: Mapping[str, tuple[str, ...]] = {
    "external_id": ("user_id", "customer_id", "external_id", "user.id", "customer.id"),
    "email": ("email", "user.email", "customer.email"),
    "anonymous_id": ("anonymous_id", "visitor_id", "client_id", "session_id"),
    "session_id": ("session_id", "session.id"),
    "occurred_at": ("occurred_at", "timestamp"),
}
IDENTITY_FIELDS = tuple(name for name in DEFAULT_PATHS if name != "occurred_at")
MAX_PATHS, MAX_PATH_LENGTH, MAX_EXPRESSION_LENGTH = 20, 200, 500
_PARAMETER = re.compile(r"[A-Za-z0-9_.~-]{1,100}")


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Where one field stands; tried in this order, the first usable value counts."""

    paths: tuple[tuple[str, tuple[str, ...]], ...]
    """Each as it was entered, and its steps: ("user.email", ("user", "email"))."""
    expression: str = ""
    query_parameter: str = ""


IdentityMapping = Mapping[str, FieldMapping]


class Extracted(NamedTuple):
    identifiers: dict[str, str]
    """{"email": "anna@example.com", ...}, normalised."""
    occurred_at: datetime | None
    issues: list[dict[str, str]]


def compile_mapping(raw: Any) -> IdentityMapping:
    """
    Turn the `identity_mapping` of a source into what `extract` needs.

    `raw` is {"email": {"paths": ["user.email"], "jmespath": "", "query_parameter": "uid"}, ...}. A field, or its
    `paths`, that is left out stands for the default paths; an empty list for none.

    :raises InvalidConfiguration: naming the part that cannot be used.
    """
    if not isinstance(raw, dict):
        raise InvalidConfiguration("identity_mapping", "Enter an object with a key for each field.")
    if unknown := sorted(set(raw) - set(DEFAULT_PATHS)):
        raise InvalidConfiguration("identity_mapping", f"“{unknown[0]}” is none of {', '.join(DEFAULT_PATHS)}.")
    return {name: _compile_field(name, raw.get(name, {})) for name in DEFAULT_PATHS}


def compile_or_default(raw: Any) -> tuple[IdentityMapping, list[dict[str, str]]]:
    """Return what `compile_mapping` makes of a stored mapping; of one that cannot be used the defaults, and an issue."""
    try:
        return compile_mapping(raw), []
    except InvalidConfiguration as error:
        problem = f"cannot be used, so the defaults are: {error.message}"
        return compile_mapping({}), [{"field": error.field, "problem": problem}]


def _compile_field(name: str, raw: Any) -> FieldMapping:
    if not isinstance(raw, dict) or set(raw) - {"paths", "jmespath", "query_parameter"}:
        raise InvalidConfiguration(f"identity_mapping.{name}", "Enter “paths”, “jmespath” or “query_parameter”.")
    paths = raw.get("paths", list(DEFAULT_PATHS[name]))
    if not isinstance(paths, list) or len(paths) > MAX_PATHS or not all(_is_path(path) for path in paths):
        raise InvalidConfiguration(
            f"identity_mapping.{name}.paths", f"Enter up to {MAX_PATHS} dotted paths such as user.email."
        )
    expression = raw.get("jmespath", "")
    if not isinstance(expression, str) or len(expression) > MAX_EXPRESSION_LENGTH:
        raise InvalidConfiguration(
            f"identity_mapping.{name}.jmespath", f"Enter an expression of up to {MAX_EXPRESSION_LENGTH} characters."
        )
    if expression:
        try:
            _check_expression(expression)
        except (jmespath.exceptions.JMESPathError, RecursionError) as error:
            raise InvalidConfiguration(f"identity_mapping.{name}.jmespath", f"Not a JMESPath: {error}") from error
    parameter = raw.get("query_parameter", "")
    if not isinstance(parameter, str) or (parameter and not _PARAMETER.fullmatch(parameter)):
        raise InvalidConfiguration(
            f"identity_mapping.{name}.query_parameter", "Enter the name of a parameter, such as uid."
        )
    steps = tuple((path, tuple(path.split("."))) for path in paths)
    return FieldMapping(paths=steps, expression=expression, query_parameter=parameter)


def _is_path(path: Any) -> bool:
    return isinstance(path, str) and 0 < len(path) <= MAX_PATH_LENGTH and all(path.split("."))


def _check_expression(expression: str) -> None:
    """Compile an expression, and run it once, since only that finds a function that does not exist."""
    with suppress(jmespath.exceptions.JMESPathTypeError):  # an empty body has nothing to work on
        _compiled(expression).search({})


@lru_cache(maxsize=256)
def _compiled(expression: str) -> jmespath.parser.ParsedResult:
    return jmespath.compile(expression)


def extract(mapping: IdentityMapping, extra: dict[str, Any], events: Sequence[Mapping[str, str]]) -> Extracted:
    """
    Find the identity in what a cleaned body says beside the documented fields (`extra`), and in its `relevant_events`.

    A value that cannot be an ID is an issue.
    """
    issues: list[dict[str, str]] = []
    body = extra | {"relevant_events": events}
    names = [event["name"] for event in events]
    identifiers: dict[str, str] = {}
    for name in IDENTITY_FIELDS:
        for where, value in _candidates(mapping[name], body, names, name, issues):
            if value == "":
                continue
            try:
                identifiers[name] = normalise(name, value)
            except InvalidIdentifier as error:
                issues.append({"field": where, "problem": error.message})
            else:
                break
    moments = _candidates(mapping["occurred_at"], body, names, "occurred_at", issues)
    occurred_at = next((moment for where, value in moments if (moment := _moment(value, where, issues))), None)
    return Extracted(identifiers, occurred_at, issues)


def _candidates(
    mapping: FieldMapping, body: dict[str, Any], names: list[str], field: str, issues: list[dict[str, str]]
) -> Iterator[tuple[str, Any]]:
    """Yield (where, value) of everything that is there."""
    for path, steps in mapping.paths:
        value: Any = body
        for key in steps:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            yield path, value
    if mapping.expression:
        try:
            value = _compiled(mapping.expression).search(body)
        except (jmespath.exceptions.JMESPathError, ArithmeticError, TypeError, ValueError, RecursionError):
            issues.append({"field": field, "problem": "the JMESPath expression failed on this body"})
        else:
            if value is not None:
                yield field, value
    if mapping.query_parameter:
        found = {value for name in names for value in _query_values(name, mapping.query_parameter)}
        if len(found) > 1:
            # One visit with two people's links: somebody passed a link on, and we cannot know who is here.
            issues.append({"field": field, "problem": f"the addresses name several in {mapping.query_parameter}"})
        elif found:
            yield field, found.pop()


def _query_values(address: str, parameter: str) -> list[str]:
    if len(address) >= MAX_STRING:
        return []  # it may have been cut, in the middle of the value, which then is somebody else's
    try:
        return parse_qs(urlsplit(address).query, max_num_fields=100).get(parameter, [])
    except ValueError:
        return []  # an event's name need not be an address


def _moment(value: Any, where: str, issues: list[dict[str, str]]) -> datetime | None:
    """Read ISO 8601, or seconds or milliseconds since 1970; a time without zone is UTC."""
    if value == "":
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            moment = datetime.fromtimestamp(value / 1000 if abs(value) > 1e11 else value, tz=UTC)
        else:
            raise ValueError(value)
        if not 2000 <= moment.year <= 2200:
            raise ValueError(value)
    except (ValueError, OverflowError, OSError):
        issues.append({"field": where, "problem": "not a time"})
        return None
    return moment
