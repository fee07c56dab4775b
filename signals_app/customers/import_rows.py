"""What a row of an imported list says of a shopper, checked cell by cell; no database, no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError

from signals_app.core.countries import country_code
from signals_app.core.currencies import ISO_4217
from signals_app.customers.constants import KINDS_BY_STRENGTH, OrderState, Topic
from signals_app.customers.exceptions import InvalidIdentifier
from signals_app.customers.identifiers import normalise
from signals_app.customers.joining import Key
from signals_app.projects.models import validate_time_zone
from signals_app.transfers import cells
from signals_app.transfers.exceptions import ColumnsRefused, RowRefused
from signals_app.transfers.kinds import OTHER_PREFIX, ImportContext

Cells = Mapping[str, str]
MAX_ATTRIBUTE = 1_000
MAX_ATTRIBUTE_NAME = 60
NO_PERSON = "Names nobody: an e-mail address or a customer ID is needed."


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """`keys` name the shopper, strongest first; `attributes` are what is said of them."""

    keys: tuple[Key, ...]
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class ConsentRow:
    keys: tuple[Key, ...]
    topic: str
    is_granted: bool
    source: str
    wording: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class OrderRow:
    """None: the file says nothing of it. A known order may come without `keys`."""

    keys: tuple[Key, ...]
    order_id: str
    total: Decimal
    currency: str
    placed_at: datetime
    state: str | None
    refunded_total: Decimal | None
    country: str | None


def identifiers(said: Cells) -> tuple[Key, ...]:
    """Return the identifiers that a row gives, each in its one spelling, strongest first."""
    keys = []
    for kind in KINDS_BY_STRENGTH:
        text = said.get(kind)
        if text:
            try:
                keys.append(Key(kind, normalise(kind, text)))
            except InvalidIdentifier as error:
                raise RowRefused(error.field, error.message) from None
    return tuple(keys)


def _person(said: Cells) -> tuple[Key, ...]:
    keys = identifiers(said)
    if not keys:
        raise RowRefused("", NO_PERSON)
    return keys


# --- Profiles -------------------------------------------------------------------------------------------------------


def profile_reader(context: ImportContext, columns: frozenset[str]) -> Callable[[Cells], ProfileRow]:
    """Return what reads a row of a list of profiles."""
    others = {
        name: name.removeprefix(OTHER_PREFIX)[:MAX_ATTRIBUTE_NAME] for name in columns if name.startswith(OTHER_PREFIX)
    }
    if "time_zone" in others.values():
        raise ColumnsRefused({"": "A column cannot be kept as “time_zone”; choose “Time zone” for it."})
    texts = {name: name for name in ("name", "first_name", "last_name") if name in columns} | others

    def read(said: Cells) -> ProfileRow:
        attributes = {
            attribute: cells.text_of(text, column, max_length=MAX_ATTRIBUTE)
            for column, attribute in texts.items()
            if (text := said.get(column, ""))
        }
        if zone := said.get("time_zone"):
            attributes["time_zone"] = _time_zone(zone)
        if country := said.get("country"):
            attributes["country"] = _country(country)
        return ProfileRow(_person(said), attributes)

    return read


def _time_zone(text: str) -> str:
    try:
        validate_time_zone(text)
    except ValidationError:
        raise RowRefused("time_zone", "Not a time zone such as Europe/Berlin.") from None
    return text


def _country(text: str) -> str:
    code = country_code(text)
    if not code:
        raise RowRefused("country", "Not a country; write its two letters, such as DE.")
    return code


# --- Consents -------------------------------------------------------------------------------------------------------

_TOPICS = {word: topic.value for topic in Topic for word in (topic.value.lower(), topic.label.lower())} | {
    "newsletter": Topic.MARKETING.value,
    "personalization": Topic.PERSONALISATION.value,
}


def consent_reader(context: ImportContext, columns: frozenset[str]) -> Callable[[Cells], ConsentRow]:
    """
    Return what reads a row of a list of consents; what a row does not say itself, the answers about the file say.

    :raises ColumnsRefused: if neither of them can say who said what, where and when: that would be no proof.
    """
    options, zone = context.options, ZoneInfo(context.project.time_zone)
    _require_proof(context, columns, zone)

    def answer(said: Cells, name: str, problem: str) -> str:
        text = said.get(name) or options.get(name, "")
        if not text:
            raise RowRefused(name, problem)
        return text

    def read(said: Cells) -> ConsentRow:
        granted = cells.yes_or_no(answer(said, "granted", "Neither yes nor no."), "granted")
        topic = _TOPICS.get(answer(said, "topic", "No purpose.").lower(), "")
        if not topic:
            raise RowRefused("topic", f"Not a purpose; use one of: {', '.join(Topic.values)}.")
        wording = said.get("wording") or options.get("wording", "")
        if granted and not wording:
            raise RowRefused("wording", "A yes needs the words that were agreed to.")
        at = cells.moment(
            answer(said, "occurred_at", "It is not known when this was said."),
            "occurred_at",
            zone=zone,
            now=context.now,
        )
        source = cells.text_of(answer(said, "source", "It is not known where."), "source", max_length=100)
        return ConsentRow(_person(said), topic, granted, source, wording, at)

    return read


def _require_proof(context: ImportContext, columns: frozenset[str], zone: ZoneInfo) -> None:
    options = context.options
    needed = {
        "granted": "Say whether these people agreed or refused, or which column says so.",
        "source": "Say where they said so, or which column does: it is the proof.",
        "occurred_at": "Say when they said so, or which column does: it is the proof.",
    }
    if options.get("granted") != "no":
        needed["wording"] = "Say what they agreed to, or which column does: it is the proof."
    errors = {name: error for name, error in needed.items() if name not in columns and not options.get(name)}
    try:
        if options.get("occurred_at"):
            cells.moment(options["occurred_at"], "occurred_at", zone=zone, now=context.now)
        if options.get("granted"):
            cells.yes_or_no(options["granted"], "granted")
        if options.get("topic") and options["topic"].lower() not in _TOPICS:
            raise RowRefused("topic", f"Not a purpose; use one of: {', '.join(Topic.values)}.")
    except RowRefused as error:
        errors[error.column] = error.message
    if errors:
        raise ColumnsRefused(errors)


# --- Orders ---------------------------------------------------------------------------------------------------------

_STATES: dict[str, str] = {state.value: state.value for state in OrderState} | {
    **dict.fromkeys(("paid", "completed", "complete", "fulfilled", "shipped", "open"), OrderState.PLACED.value),
    **dict.fromkeys(("canceled", "cancel", "void", "voided"), OrderState.CANCELLED.value),
    **dict.fromkeys(("refund", "returned"), OrderState.REFUNDED.value),
}


def order_reader(context: ImportContext, columns: frozenset[str]) -> Callable[[Cells], OrderRow]:
    """
    Return what reads a row of a list of orders.

    :raises ColumnsRefused: if the currency meant for all rows is none.
    """
    zone = ZoneInfo(context.project.time_zone)
    currency = (context.options.get("currency") or context.project.currency).upper()
    if currency not in ISO_4217:
        raise ColumnsRefused({"currency": "Not a currency; write three letters, such as EUR."})

    def read(said: Cells) -> OrderRow:
        order_id = cells.text_of(said.get("order_id", ""), "order_id", max_length=100)
        if not order_id:
            raise RowRefused("order_id", "Missing.")
        if not order_id.isprintable():
            raise RowRefused("order_id", "Holds control characters.")
        money = (said.get("currency") or currency).upper()
        if money not in ISO_4217:
            raise RowRefused("currency", "Not a currency; write three letters, such as EUR.")
        refunded, country = said.get("refunded_total"), said.get("country")
        return OrderRow(
            keys=identifiers(said),
            order_id=order_id,
            total=cells.amount(said.get("total", ""), "total"),
            currency=money,
            placed_at=cells.moment(said.get("placed_at", ""), "placed_at", zone=zone, now=context.now),
            state=_state(said.get("state", "")),
            refunded_total=cells.amount(refunded, "refunded_total") if refunded else None,
            country=_country(country) if country else None,
        )

    return read


def _state(text: str) -> str | None:
    if not text:
        return None
    state = _STATES.get(text.lower())
    if state is None:
        raise RowRefused("state", f"Not a state; use one of: {', '.join(OrderState.values)}.")
    return state
