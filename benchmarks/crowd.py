"""
Very many profiles with their signals, made inside PostgreSQL: 1,000,000 with ten signals each in a few minutes.

A number makes a profile: the same number is always the same profile. So a database is filled up to any size, from
any smaller one, and a fill that was broken off goes on where it stopped. What a column holds that is not named here
is what its model gives by default. How much is of what kind is roughly a real shop's: half were seen in the last
month, two in five are known by e-mail, one in five agreed to mails, one in a hundred refused, one in twelve ordered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import NOT_PROVIDED, Model
from django.utils import timezone

from benchmarks.traffic import PRODUCTS
from signals_app.catalog.models import Product
from signals_app.customers.models import Consent, Customer, Identifier, IdentityEdge, Order
from signals_app.projects.models import Project
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal

AT_ONCE = 50_000
"""Profiles of one transaction."""
HEAVY_SIGNALS = 5_000
"""Signals of profile number 1, who never sleeps."""
DAYS = 120
IDS_EACH = 3
"""Numbers reserved for the known IDs of a profile: customer ID, e-mail, browser."""
INTERESTS_EACH = 3

_FUNCTIONS = (
    # Something between 0 and 1 that looks like chance and is the same each time.
    """CREATE OR REPLACE FUNCTION crowd_chance(n bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT (hashint8(n * 64 + salt) & 2147483647) / 2147483648.0::float8 $$""",
    """CREATE OR REPLACE FUNCTION crowd_id(n bigint, salt text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n || salt), 1, 19))::uuid $$""",
    f"""CREATE OR REPLACE FUNCTION crowd_seen(n bigint, now timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE
        PARALLEL SAFE AS $$ SELECT now - interval '{DAYS} days' * crowd_chance(n, 1) * crowd_chance(n, 1) $$""",
    """CREATE OR REPLACE FUNCTION crowd_score(n bigint) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT round((100 * crowd_chance(n, 2) * power(2, -40 * crowd_chance(n, 1) * crowd_chance(n, 1)))::numeric, 2)::float8 $$""",
)  # fmt: skip
_FIRST_NAMES = "Anna,Bert,Clara,David,Emma,Felix,Greta,Hugo,Ida,Jonas,Klara,Leo,Mia,Noah,Olga,Paul"
_LAST_NAMES = "Berg,Sommer,Winter,Keller,Lang,Vogt,Maier,Roth,Stein,Wolf,Busch,Frank,Graf,Hahn,Jung,Kraus"


def fill(*, upto: int, signals_each: int) -> dict[str, Any]:
    """Fill the store up to so many profiles with so many signals each; return how many it made."""
    project = Project.objects.get(slug="bench")
    with connection.cursor() as cursor:
        for statement in _FUNCTIONS:
            cursor.execute(statement)
    now = timezone.now()
    if not Product.objects.filter(project=project).exists():
        _products(project)
    start = done = _filled()
    is_large = upto - done > AT_ONCE
    dropped = _drop_indexes() if is_large else []
    try:
        while done < upto:
            last = min(upto, done + AT_ONCE)
            with transaction.atomic():
                _make(project, done + 1, last, signals_each, now)
            done = last
    finally:
        with connection.cursor() as cursor:
            for statement in dropped:
                cursor.execute(statement)
            for statement in connection.ops.sequence_reset_sql(
                no_style(), [Identifier, IdentityEdge, Consent, Interest]
            ):
                cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {"made": done - start, "profiles": done}


def _filled() -> int:
    """Return the number of the last profile that is there: they are made in order, each with all it has."""
    value = (
        Identifier.objects.filter(kind="external_id", value__startswith="crowd-")
        .order_by("-pk")
        .values_list("value", flat=True)
        .first()
    )
    return int(value.removeprefix("crowd-")) if value else 0


def _make(project: Project, first: int, last: int, signals_each: int, now: Any) -> None:
    numbers = f"generate_series({first}::bigint, {last}::bigint) AS n"
    known = {"project": "%(project)s"}
    seen, score = "crowd_seen(n, %(now)s)", "crowd_score(n)"
    with connection.cursor() as cursor:
        # Foreign keys hold by construction; checking them row by row would take most of the time.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL synchronous_commit = off")
    given = {"project": project.pk, "now": now}
    has_email = "crowd_chance(n, 3) < 0.4"
    was_asked, is_granted = f"({has_email} AND crowd_chance(n, 5) < 0.55)", "crowd_chance(n, 4) < 0.95"
    has_ordered = "crowd_chance(n, 6) < 0.08"
    answers = {"marketing_consent": f"CASE WHEN {was_asked} THEN {is_granted} END", "has_ordered": has_ordered}
    _people(numbers, known, seen, given, has_email, answers)
    _insert(
        Consent,
        {
            "id": "n",
            "identifier": f"n * {IDS_EACH} + 1",
            "is_granted": is_granted,
            "source": "'checkout'",
            "occurred_at": seen,
        },
        f"{numbers} WHERE {was_asked}",
        given,
    )
    _insert(
        Order,
        known
        | {
            "id": "crowd_id(n, 'o')",
            "identifier": f"n * {IDS_EACH}",
            "order_id": "'crowd-' || n",
            "total": "10 + n %% 200",
            "currency": "'EUR'",
            "placed_at": f"{seen} - interval '2 days'",
            "updated_at": seen,
        },
        f"{numbers} WHERE {has_ordered}",
        given,
    )
    _intent(numbers, known, seen, score, given, signals_each)
    _signals(numbers, known, seen, given, signals_each)


def _people(
    numbers: str, known: dict[str, str], seen: str, given: dict[str, Any], has_email: str, answers: dict[str, str]
) -> None:
    """Make profiles with their known IDs; `answers` are the copies of what stands in other tables."""
    email = "'crowd-' || n || '@shopper.example'"
    name = (
        f"(string_to_array('{_FIRST_NAMES}', ','))[1 + (n %% 16)] || ' ' || "
        f"(string_to_array('{_LAST_NAMES}', ','))[1 + (n / 16 %% 16)] || substr(md5(n::text), 1, 4)"
    )
    _insert(
        Customer,
        known
        | {
            "id": "crowd_id(n, 'c')",
            "email": f"CASE WHEN {has_email} THEN {email} ELSE '' END",
            "external_id": "'crowd-' || n",
            "name": f"CASE WHEN {has_email} THEN {name} ELSE '' END",
            "last_seen_at": seen,
            **answers,
            "created_at": f"{seen} - interval '30 days'",
            "updated_at": seen,
        },
        numbers,
        given,
    )
    for place, (kind, value, condition) in enumerate(
        (
            ("external_id", "'crowd-' || n", "TRUE"),
            ("email", email, has_email),
            ("anonymous_id", "'browser-' || n", "TRUE"),
        )
    ):
        _insert(
            Identifier,
            known
            | {
                "id": f"n * {IDS_EACH} + {place}",
                "customer": "crowd_id(n, 'c')",
                "kind": f"'{kind}'",
                "value": value,
                "created_at": seen,
            },
            f"{numbers} WHERE {condition}",
            given,
        )
    _insert(
        IdentityEdge,
        known | {"id": "n", "left": f"n * {IDS_EACH}", "right": f"n * {IDS_EACH} + 2", "evidence": "'SIGNAL'"},
        numbers,
        given,
    )


def _intent(
    numbers: str, known: dict[str, str], seen: str, score: str, given: dict[str, Any], signals_each: int
) -> None:
    age = f"extract(epoch FROM {seen}) / 3600 / 72"
    peaks = ("signals_log2", "events_log2", "performance_log2", "products_log2", "product_views_log2")
    drops = ("drop_proba_log2", "drop_proba_count_log2")
    _insert(
        IntentProfile,
        known
        | dict.fromkeys((*peaks, *drops), age)
        | {
            "customer": "crowd_id(n, 'c')",
            "signal_count": f"CASE WHEN n = 1 THEN {HEAVY_SIGNALS} ELSE {signals_each} END",
            "first_signal_at": f"{seen} - interval '20 days'",
            "last_signal_at": seen,
            "last_drop_proba": "crowd_chance(n, 7)",
            "last_drop_at": seen,
            "intent_score": score,
            "stage": f"CASE WHEN {seen} < %(now)s - interval '30 days' THEN 'lapsed' "
            "WHEN crowd_chance(n, 6) < 0.01 THEN 'bought_recently' "
            f"WHEN {score} >= 60 AND crowd_chance(n, 7) >= 0.7 THEN 'leaving_with_intent' "
            f"WHEN {score} >= 60 THEN 'high_intent' WHEN {score} >= 30 THEN 'considering' ELSE 'browsing' END",
            "scored_at": seen,
        },
        numbers,
        given,
    )
    _insert(
        Interest,
        {
            "id": f"n * {INTERESTS_EACH} + place",
            "customer": "crowd_id(n, 'c')",
            "kind": "'product'",
            "name": "(%(products)s::text[])[1 + ((n * 7 + place * 5) %% %(product_count)s)::int]",
            "weight_log2": f"{age} + 3 * crowd_chance(n, 8 + place)",
            "evidence_count": "1 + place",
            "last_seen_at": seen,
        },
        f"{numbers}, generate_series(0, {INTERESTS_EACH - 1}) AS place",
        given | {"products": list(PRODUCTS), "product_count": len(PRODUCTS)},
    )


def _signals(numbers: str, known: dict[str, str], seen: str, given: dict[str, Any], signals_each: int) -> None:
    at = f"{seen} - place * interval '5 minutes' * (1 + 200 * crowd_chance(n, 20))"
    _insert(
        ShopperSignal,
        known
        | {
            "id": "crowd_id(n * 8192 + place, 's')",
            "identifier": f"n * {IDS_EACH} + CASE WHEN place %% 5 = 4 THEN 2 ELSE 0 END",
            "received_at": at,
            "recorded_at": at,
            "drop_proba": "crowd_chance(n * 8192 + place, 21)",
            "performance": "1.4",
            "num_events": "1 + (n + place) %% 30",
            "num_loops": "1",
            "num_broken_buttons": "0",
            "relevant_events": "jsonb_build_array(jsonb_build_object('name', "
            "(%(products)s::text[])[1 + ((n * 7 + place) %% %(product_count)s)::int]))",
        },
        f"{numbers}, generate_series(0, CASE WHEN n = 1 THEN {HEAVY_SIGNALS} ELSE {signals_each} END - 1) AS place",
        given | {"products": list(PRODUCTS), "product_count": len(PRODUCTS)},
    )


def _insert(model: type[Model], values: Mapping[str, str], rows: str, given: Mapping[str, Any]) -> None:
    """Insert one row of a model for each of `rows`; columns without a value get the model's default."""
    quote, names, expressions, parameters = connection.ops.quote_name, [], [], dict(given)
    for field in model._meta.concrete_fields:
        if field.name in values:
            expression = values[field.name]
        elif field.db_default is not NOT_PROVIDED:
            continue
        else:
            expression = f"%({field.column})s"
            parameters[field.column] = field.get_db_prep_save(field.get_default(), connection)
        names.append(quote(field.column))
        expressions.append(expression)
    table = quote(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(expressions)} FROM {rows}",  # noqa: S608 - our own words
            parameters,
        )


def _drop_indexes() -> list[str]:
    """Drop the large tables' indexes that no constraint needs, and return the statements that make them again."""
    tables = [model._meta.db_table for model in (Customer, Identifier, ShopperSignal, IntentProfile, Interest)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
            "WHERE indrelid::regclass::text = ANY(%s) AND NOT indisunique "
            "AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)",
            [tables],
        )
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(f"DROP INDEX {name}")
    return [statement for _, statement in found]


def _products(project: Project) -> None:
    Product.objects.bulk_create(
        Product(
            project=project,
            sku=path,
            title=path.rpartition("/")[2].replace("-", " ").capitalize(),
            url=f"https://shop.example.com{path}",
            url_key=path,
            image_url=f"https://shop.example.com{path}.jpg",
            price="59.90",
            currency="EUR",
            first_seen_at=timezone.now(),
        )
        for path in PRODUCTS
    )
