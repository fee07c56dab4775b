"""The two compilers of a condition tree say the same of every profile, on the database that the tests run on."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signals_app.customers.constants import IdentifierKind, OrderState, Topic
from signals_app.customers.models import Consent, Customer, Identifier, Order
from signals_app.emails.constants import MessagePurpose, MessageState
from signals_app.emails.models import EmailMessage, EmailTemplate
from signals_app.projects.models import Project
from signals_app.remarketing.models import RuleMatch
from signals_app.segments import conditions, fields, services
from signals_app.segments.conditions import OPS_BY_TYPE, OPS_WITHOUT_VALUE
from signals_app.segments.fields import Field, FieldType, Scope
from signals_app.shopper_signals.constants import InterestKind, Stage
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TEXTS = [
    "Ada",
    "ada",
    "Ärmel",
    "ärmel",
    "o'Brien%",
    "50%_off",
    "日本",
    "a b",
    "Zoë",
    "Zoe\u0308",
    "İstanbul",
    "👩‍🚀",
    "ß",
    "SS",
    " Ada",
]
POPULATION = 30
NAMES = ["/products/wool-scarf", "Schuhe > Läufer", "Acme", "red shoes", "RED SHOES"]

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Africa/Cairo", "Asia/Kathmandu")
DAYS = [
    date(2026, month, day + near)
    for month, day in ((3, 8), (3, 29), (4, 24), (10, 25), (10, 29), (11, 1), (11, 23))
    for near in (0, 1)
]
"""Days on which clocks change in one of the zones, the days after them, and yesterday."""


def some_midnight(chance: random.Random) -> datetime:
    midnight = datetime.combine(chance.choice(DAYS), time(), ZoneInfo(chance.choice(ZONES)))
    return midnight.astimezone(UTC) + timedelta(microseconds=chance.choice([-1, 0, 0, 1]))


def some_moment(chance: random.Random) -> datetime:
    if chance.random() < 0.5:
        return some_midnight(chance)
    days = chance.choice([0, 1, 7, 29, 30, 31, 400])
    moment = NOW - timedelta(days=days, seconds=chance.choice([0, 0, 1, 3600, -1]))
    return moment.replace(microsecond=chance.choice([0, 0, 1, 500_000, 999_999]))


def make_customer(project: Project, chance: random.Random, number: int) -> None:
    customer = Customer.objects.create(
        project=project,
        email=chance.choice(["", f"shopper{number}@example.com"]),
        external_id=chance.choice(["", str(number)]),
        name=chance.choice(["", *TEXTS]),
        time_zone=chance.choice(["", "Europe/Berlin"]),
        created_at=some_moment(chance),
        last_seen_at=chance.choice([None, some_moment(chance)]),
    )
    identifiers = [
        Identifier.objects.create(project=project, customer=customer, kind=kind, value=f"{kind}-{number}")
        for kind in chance.sample(IdentifierKind.values, chance.randint(1, 3))
    ]
    for position in range(chance.choice([0, 0, 1, 3])):
        Order.objects.create(
            project=project,
            identifier=chance.choice(identifiers),
            order_id=f"{number}-{position}",
            state=chance.choice(OrderState.values),
            total=chance.choice([Decimal(0), Decimal("0.10"), Decimal("19.90"), Decimal("120")]),
            currency="EUR",
            placed_at=some_moment(chance),
        )
    for identifier in identifiers:
        for topic in Topic.values:
            if chance.random() < 0.4:
                Consent.objects.create(
                    identifier=identifier,
                    topic=topic,
                    is_granted=chance.random() < 0.6,
                    source="form",
                    occurred_at=some_moment(chance),
                )
    if chance.random() < 0.8:
        IntentProfile.objects.create(
            customer=customer,
            project=project,
            intent_score=chance.choice([0, 59.999999, 60, 60.1, 100]),
            stage=chance.choice(Stage.values),
            signal_count=chance.choice([0, 1, 7]),
            last_drop_proba=chance.choice([None, 0.0, 0.1, 0.1 + 0.2, 0.8, 0.805, 1]),
            first_signal_at=chance.choice([None, some_moment(chance)]),
            loops_ratio=chance.choice([None, 0, 0.8, 1, 19.9, 1000]),
            dead_clicks_over_usual=chance.choice([None, -0.1, 0, 3]),
            performance_percentile=chance.choice([None, 0, 60, 100]),
            last_signal_at=chance.choice([None, some_moment(chance)]),
            previous_signal_at=chance.choice([None, some_moment(chance)]),
            half_life_hours=chance.choice([24, 72]),
        )
    for position in range(chance.choice([0, 0, 1, 2])):
        EmailMessage.objects.create(
            project=project,
            identifier=chance.choice(identifiers),
            template=EmailTemplate.objects.get_or_create(project=project, name="Any", mjml="<mjml></mjml>")[0],
            purpose=MessagePurpose.values[0],
            send_key=f"{number}-{position}",
            due_at=NOW,
            state=chance.choice(MessageState.values),
            sending_at=chance.choice([None, some_moment(chance)]),
        )
    hours = NOW.timestamp() / 3600
    for kind in InterestKind.values:
        for name in chance.sample(NAMES, chance.randint(0, 2)):
            weight_log2 = hours / project.intent_half_life_hours + chance.choice([-30.0, -10.1, -9.9, 0.0, 5.0])
            Interest.objects.create(
                customer=customer, kind=kind, name=name, weight_log2=weight_log2, last_seen_at=some_moment(chance)
            )


@pytest.fixture
def population(db: None) -> Project:
    project = Project.objects.create(slug="shop", name="Shop", shop_url="https://shop.example.com")
    chance = random.Random(20261124)
    for number in range(POPULATION):
        make_customer(project, chance, number)
    return project


def values_of(field: Field) -> st.SearchStrategy[Any]:
    match field.type:
        case FieldType.NUMBER:
            edges = st.sampled_from([0, -0.0, 0.1, 0.1 + 0.2, 0.8, 0.805, 1, 2, 3, 19.9, 20.0, 59.999999, 60, 100])
            return edges | st.floats(-1e6, 1e6) | st.sampled_from([2**53 - 1, -(2**53) + 1, 5e-324])
        case FieldType.DATETIME:
            ago = st.sampled_from([0, 1, 7, 29, 30, 31, 400]).map(lambda days: NOW - timedelta(days=days))
            nearly = st.builds(
                lambda moment, step: moment + timedelta(microseconds=step), ago, st.sampled_from([-1, 0, 1])
            )
            elsewhere = nearly.map(lambda moment: moment.astimezone(ZoneInfo("Asia/Kolkata")))
            edges = ["1900-01-01", "2200-12-31", "2200-12-31T23:59:59-12:00", "2026-10-25T02:30", "2026-03-29T02:30"]
            written = st.sampled_from(DAYS).map(str) | st.sampled_from(edges)
            return nearly.map(datetime.isoformat) | elsewhere.map(datetime.isoformat) | written
        case FieldType.CHOICE:
            return st.sampled_from([key for key, _ in field.choices])
        case _:
            written = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5)
            return st.sampled_from([*TEXTS, *NAMES, "a", "1", "example.com", "%", "_"]) | written


@st.composite
def leaf_trees(draw: st.DrawFn, scope: Scope = Scope.PROFILE) -> dict[str, Any]:
    field = draw(st.sampled_from(list(fields.fields(scope).values())))
    op = draw(st.sampled_from(OPS_BY_TYPE[field.type]))
    tree: dict[str, Any] = {"field": field.name, "op": op}
    if op in ("within_days", "not_within_days"):
        tree["value"] = draw(st.sampled_from([1, 7, 29, 30, 31, 0.5, 3660]))
    elif op in ("in", "not_in"):
        tree["value"] = draw(st.lists(values_of(field), min_size=1, max_size=3))
    elif op not in OPS_WITHOUT_VALUE:
        tree["value"] = draw(values_of(field))
    return tree


def trees() -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        leaf_trees(),
        lambda inner: (
            st.fixed_dictionaries({"all": st.lists(inner, max_size=3)})
            | st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)})
            | st.fixed_dictionaries({"not": inner})
            | st.just({})
        ),
        max_leaves=10,
    )


def both_answers(project: Project, tree: dict[str, Any]) -> tuple[set[Any], set[Any]]:
    node = conditions.parse(tree, fields.fields(Scope.PROFILE), zone=ZoneInfo(project.time_zone))
    everyone = list(Customer.objects.filter(project=project).values_list("pk", flat=True))
    values = services.profile_values(customer_ids=everyone, names=conditions.field_names(node), now=NOW)
    by_predicate = {pk for pk in everyone if conditions.holds(node, values[pk], now=NOW)}
    by_database = list(services.matching_customers(project=project, tree=tree, now=NOW).values_list("pk", flat=True))
    assert len(by_database) == len(set(by_database)), "a profile appears twice"
    return set(by_database), by_predicate


def some_values(field: Field, op: str, chance: random.Random) -> list[Any]:
    """Return values at which an operator could go wrong: around what the population has, and around zero."""
    if op in OPS_WITHOUT_VALUE:
        return [None]
    if op in ("within_days", "not_within_days"):
        return [1, 7, 30]
    candidates: list[Any] = {
        FieldType.NUMBER: [0, 1, 2, 60, -1, 0.1],
        FieldType.DATETIME: [(NOW - timedelta(days=days)).isoformat() for days in (0, 7, 30)],
        FieldType.CHOICE: [key for key, _ in field.choices][:3],
    }.get(field.type, [chance.choice(TEXTS), chance.choice(NAMES), "Europe/Berlin"])
    return [candidates[:1], candidates] if op in ("in", "not_in") else candidates


def test_database_and_predicate_agree_on_every_leaf_of_every_field(population: Project) -> None:
    chance = random.Random(1)
    for field in fields.fields(Scope.PROFILE).values():
        for op in OPS_BY_TYPE[field.type]:
            for value in some_values(field, op, chance):
                leaf = {"field": field.name, "op": op, "value": value}
                for tree in (leaf, {"not": leaf}, {"any": [leaf, {"field": "has_email", "op": "is_false"}]}):
                    by_database, by_predicate = both_answers(population, tree)
                    assert by_database == by_predicate, tree


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees(), zone=st.sampled_from(ZONES))
def test_database_and_predicate_agree_on_random_trees(population: Project, tree: dict[str, Any], zone: str) -> None:
    population.time_zone = zone

    by_database, by_predicate = both_answers(population, tree)

    assert by_database == by_predicate


def test_database_and_predicate_agree_on_every_day_on_every_clock(population: Project) -> None:
    moments = [field.name for field in fields.fields(Scope.PROFILE).values() if field.type is FieldType.DATETIME]
    divided = set()
    for zone, day, name in itertools.product(ZONES, DAYS, moments):
        population.time_zone = zone
        since, also_since = both_answers(population, {"field": name, "op": "gte", "value": str(day)})
        before, also_before = both_answers(population, {"field": name, "op": "lt", "value": str(day)})
        assert (since, before) == (also_since, also_before), (zone, name, day)
        assert not since & before
        divided.add((name, day, frozenset(since)))
    # The clock does make a difference: most days begin between other profiles in one zone than in another.
    assert len(divided) > len(DAYS) * len(moments)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees())
def test_a_tree_and_its_negation_divide_everyone(population: Project, tree: dict[str, Any]) -> None:
    inside, _ = both_answers(population, tree)
    outside, _ = both_answers(population, {"not": tree})

    assert not inside & outside
    assert len(inside | outside) == POPULATION


def test_values_are_read_in_a_handful_of_queries(population: Project, django_assert_max_num_queries: Any) -> None:
    everyone = list(Customer.objects.values_list("pk", flat=True))

    with django_assert_max_num_queries(10):
        values = services.profile_values(customer_ids=everyone, now=NOW)

    assert len(values) == POPULATION


def test_no_condition_and_no_value_reads_the_signals(population: Project) -> None:
    """Signals are the one table that grows without end: an audience that asked it would slow down with each of them."""
    with CaptureQueriesContext(connection) as captured:
        for field in fields.fields(Scope.PROFILE).values():
            for op in OPS_BY_TYPE[field.type]:
                value = some_values(field, op, random.Random(2))[0]
                services.count_and_sample(
                    project=population, tree={"field": field.name, "op": op, "value": value}, now=NOW
                )
            services.field_distribution(project=population, field=field, now=NOW)

    assert len(captured.captured_queries) > len(fields.fields(Scope.PROFILE))
    for query in captured.captured_queries:
        for table in (ShopperSignal._meta.db_table, RuleMatch._meta.db_table):
            assert table not in query["sql"]


def test_a_count_shows_a_few_of_those_it_counts(population: Project) -> None:
    sample = services.count_and_sample(project=population, tree={}, now=NOW, limit=5)

    assert sample.count == POPULATION
    assert len(sample.customers) == 5


def test_another_stores_profiles_are_never_in_an_audience(population: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")

    assert not services.matching_customers(project=other, tree={}, now=NOW).exists()
