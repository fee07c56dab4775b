"""
Many stored signals from some: rows that the pipeline made, copied inside the database with other ids, days and names.

What is copied is read from the models, so a copy has every column of its original whatever columns there are. Ids of
copies follow the time, as those of the originals do, and lie before them: copy n is n times six hours older.
"""

from __future__ import annotations

from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Field, Model

from signals_app.customers.models import Customer, Identifier, IdentityEdge
from signals_app.remarketing.models import RuleMatch
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal
from signals_app.webhooks.models import SeenBody, WebhookDelivery

MODELS: tuple[type[Model], ...] = (
    *(Customer, Identifier, IdentityEdge, WebhookDelivery, SeenBody),
    *(ShopperSignal, IntentProfile, Interest, RuleMatch),
)
IDS_OF_COPIES = ("last_signal_id", "last_drop_id", "delivery_id")
"""Ids of copied rows that stand in columns without being foreign keys."""
NAMES = frozenset(
    {("Customer", "email"), ("Customer", "external_id"), ("Identifier", "value"), ("RuleMatch", "entry_key")}
)
"""What has to differ from copy to copy; the copy's number is put in front."""
HOURS_APART = 6
_MOVED_ID = """
CREATE OR REPLACE FUNCTION bench_moved_id(id uuid, copy int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint - copy * 21600000::bigint), 12, '0')
        || '7' || substr(md5(id::text || copy), 1, 19))::uuid
$$
"""


class ShapesDiffer(Exception):
    """A table's copies are not as many as they should be, or have other columns empty than their originals."""


def multiply(copies: int) -> dict[str, Any]:
    """Copy every stored signal with all that belongs to it `copies` times; return rows by table, now."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVED_ID)
    before = {model: _shape(model) for model in MODELS}
    strides = {model: _highest_id(model) for model in MODELS}
    originals = {model: _is_original(model, strides[model]) for model in MODELS}
    for number in range(1, copies + 1):
        with transaction.atomic(), connection.cursor() as cursor:
            for model in MODELS:
                cursor.execute(_copy_statement(model, strides, originals[model]), {"copy": number})
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION bench_moved_id")
        _move_sequences(cursor)
        cursor.execute("VACUUM ANALYZE")
    for model, shape in before.items():
        found = _shape(model)
        if found != [count * (copies + 1) for count in shape]:
            raise ShapesDiffer(f"{model.__name__}: {shape} became {found} after {copies} copies.")
    return {model.__name__: shape[0] * (copies + 1) for model, shape in before.items()}


def _copy_statement(model: type[Model], strides: dict[type[Model], int], is_original: str) -> str:
    columns = model._meta.concrete_fields
    quote = connection.ops.quote_name
    names = ", ".join(quote(column.column) for column in columns)
    values = ", ".join(_copied(model, column, strides) for column in columns)
    table = quote(model._meta.db_table)
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} AS o WHERE {is_original}"  # noqa: S608


def _copied(model: type[Model], column: Field[Any, Any], strides: dict[type[Model], int]) -> str:
    """Return the SQL of a column's value in a copy."""
    name = f"o.{connection.ops.quote_name(column.column)}"
    owner = model if column.primary_key and not column.is_relation else column.related_model
    kind = (column.target_field if column.is_relation else column).get_internal_type()  # type: ignore[attr-defined]
    if owner in strides:
        return f"bench_moved_id({name}, %(copy)s)" if kind == "UUIDField" else f"{name} + %(copy)s * {strides[owner]}"  # type: ignore[index]
    if column.name in IDS_OF_COPIES:
        return f"bench_moved_id({name}, %(copy)s)"
    if kind == "DateTimeField":
        return f"{name} - %(copy)s * interval '{HOURS_APART} hours'"
    if (model.__name__, column.name) in NAMES:
        return f"CASE WHEN {name} = '' THEN '' ELSE 'c' || %(copy)s || '.' || {name} END"
    if column.name == "body_sha256":
        return f"sha256({name} || %(copy)s::text::bytea)"
    return name


def _highest_id(model: type[Model]) -> int:
    """Return the highest id of a table with numbered rows; 0 if its ids are no numbers, or of an empty one."""
    if model._meta.pk.get_internal_type() not in ("BigAutoField", "AutoField"):
        return 0
    return int(model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0)


def _is_original(model: type[Model], highest: int) -> str:
    """Return the SQL that tells originals from copies: they have lower numbers, or ids of a later time."""
    pk = f"o.{connection.ops.quote_name(model._meta.pk.column)}"
    if highest:
        return f"{pk} <= {highest}"
    first = model._default_manager.order_by("pk").values_list("pk", flat=True).first()
    return f"{pk} >= '{first}'" if first else "FALSE"


def _shape(model: type[Model]) -> list[int]:
    """Return how many rows a table has, and how many of them have a value in each column."""
    quote = connection.ops.quote_name
    counts = ", ".join(f"count({quote(column.column)})" for column in model._meta.concrete_fields)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), {counts} FROM {quote(model._meta.db_table)}")  # noqa: S608 - our own names
        return [int(count) for count in cursor.fetchone()]


def _move_sequences(cursor: Any) -> None:
    for statement in connection.ops.sequence_reset_sql(no_style(), list(MODELS)):
        cursor.execute(statement)
