"""What the builder is told while somebody edits, and what the segment's page does without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from signals_app.customers.models import Customer
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.segments import services
from signals_app.segments.models import Segment
from signals_app.segments.services import audiences, sampling
from signals_app.shopper_signals.constants import Stage
from signals_app.shopper_signals.models import IntentProfile

CHECK = "/admin/segments/segment/check/"
FIELD = "/admin/segments/segment/field/"
HAS_EMAIL = {"field": "has_email", "op": "is_true"}


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


@pytest.fixture(autouse=True)
def no_sample_of_another_test() -> None:
    cache.clear()


@pytest.fixture
def shoppers(project: Project) -> list[Customer]:
    found = []
    for number in range(8):
        customer = Customer.objects.create(
            project=project,
            email=f"s{number}@example.com" if number < 6 else "",
            last_seen_at=timezone.now() - timedelta(days=number),
        )
        IntentProfile.objects.create(
            customer=customer, project=project, intent_score=number * 10, stage=Stage.HIGH_INTENT
        )
        found.append(customer)
    return found


def check(browser: Client, tree: Any, **more: str) -> Any:
    text = tree if isinstance(tree, str) else json.dumps(tree)
    return browser.post(CHECK, {"tree": text, **more})


def test_a_tree_is_counted_named_and_said_in_words(sign_in: Callable[..., Client], shoppers: list[Customer]) -> None:
    answer = check(sign_in(), {"all": [HAS_EMAIL, leaf("intent_score", "gte", 20)]}).json()

    assert answer["sentence"] == "Has an e-mail address is yes and Intent score is at least 20 of 100"
    assert answer["problems"] == []
    assert answer["shares"] == {"all.0": 0.75, "all.1": 0.75}
    audience = answer["audience"]
    assert (audience["count"], audience["isExact"], audience["text"]) == (4, True, "4")
    assert [profile["score"] for profile in audience["profiles"]] == ["20", "30", "40", "50"]
    assert audience["profiles"][0] == {
        "name": "s2@example.com",
        "url": f"/admin/customers/customer/{shoppers[2].pk}/change/",
        "stage": "High intent",
        "score": "20",
        "lastSeen": "2 days ago",
    }


def test_every_wrong_condition_is_named_with_its_place(
    sign_in: Callable[..., Client], shoppers: list[Customer]
) -> None:
    tree = {
        "all": [
            leaf("order_count", "gte", "many"),
            {"not": {"any": [leaf("gone", "eq", 1), HAS_EMAIL, leaf("stage", "in", ["unheard"])]}},
            leaf("name", "eq", "x" * 301),
            leaf("last_seen_at", "gte", "2300-01-01"),
        ]
    }

    answer = check(sign_in(), tree).json()

    assert [(problem["path"], problem["message"]) for problem in answer["problems"]] == [
        ("all.0.value", "“Orders” needs a number."),
        ("all.1.not.any.0.field", "There is no field named “gone”."),
        ("all.1.not.any.2.value", f"“Stage” takes one of: {', '.join(Stage.values)}."),
        ("all.2.value", "“Name” needs a text of 1 to 300 characters."),
        ("all.3.value", "“Last seen” needs a date between 1900 and 2200."),
    ]
    assert answer["audience"] is None
    assert answer["shares"] == {"all.1.not.any.1": 0.75}


def nested(levels: int) -> str:
    return '{"all": [' * levels + json.dumps(HAS_EMAIL) + "]}" * levels


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (nested(9), "Groups stand more than 8 deep"),
        (nested(10_000), "nested too deep"),
        ('{"all": [' + ", ".join([json.dumps(HAS_EMAIL)] * 101) + "]}", "more than 100 conditions"),
        (json.dumps(leaf("order_count", "gte", 10**400)), "needs a number"),
        ('{"field": "order_count", "op": "gte", "value": 1' + "0" * 5_000 + "}", "This is not JSON"),
        (json.dumps(leaf("name", "in", ["a"] * 101)), "needs a list of 1 to 100 values"),
        ('{"field": "name", "op": "eq", "value": "\\u0000"}', "control characters"),
        ('{"field": "name", "op": "eq", "value": "\\ud800"}', "control characters"),
        (json.dumps({"all": [], "any": []}), "must have exactly one of"),
        ("[1]", "must be one JSON object"),
        ("{" * 250_000, "too long"),
        ('{"field": ["a"], "op": {}, "value": []}', "There is no field named"),
        (json.dumps(leaf("order_count", ["gte"], 1)), "takes one of"),
    ],
)
def test_what_is_no_tree_is_refused_in_words(
    sign_in: Callable[..., Client], project: Project, tree: str, said: str
) -> None:
    browser = sign_in()
    answer = check(browser, tree)

    assert answer.status_code in (200, 400)
    assert said.lower() in answer.json()["problems"][0]["message"].lower()
    saved = browser.post(
        "/admin/segments/segment/add/",
        {"name": "A", "description": "", "conditions-mode": "json", "conditions-json": tree},
    )
    assert saved.status_code == 200
    assert not Segment.objects.exists()


def test_a_trigger_is_said_and_not_counted(sign_in: Callable[..., Client], shoppers: list[Customer]) -> None:
    answer = check(sign_in(), leaf("drop_proba", "gte", 0.8), scope="signal").json()

    assert answer == {"sentence": "Exit likelihood is at least 80 %", "problems": [], "shares": {}, "audience": None}
    assert check(sign_in(), {}, scope="nonsense").status_code == 400


def test_another_stores_profiles_are_neither_counted_nor_named(
    sign_in: Callable[..., Client], shoppers: list[Customer]
) -> None:
    other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
    Customer.objects.create(project=other, email="secret@example.com")

    answer = check(sign_in(), HAS_EMAIL)

    assert answer.json()["audience"]["count"] == 6
    assert "secret" not in answer.content.decode()


def test_only_who_may_read_segments_and_profiles_is_answered(
    sign_in: Callable[..., Client], shoppers: list[Customer], client: Client
) -> None:
    assert check(sign_in(Role.ANALYST), {}).status_code == 200
    assert check(client, {}).status_code == 302
    assert sign_in().get(CHECK).status_code == 405
    assert client.get(FIELD, {"name": "stage"}).status_code == 302


def test_a_field_shows_how_its_values_are_spread(sign_in: Callable[..., Client], shoppers: list[Customer]) -> None:
    browser = sign_in()

    answer = browser.get(FIELD, {"name": "has_email"}).json()

    assert answer == {
        "known": 1.0,
        "isOrdered": False,
        "bars": [{"label": "yes", "share": 0.75}, {"label": "no", "share": 0.25}],
        "note": "Among all 8 profiles",
    }
    assert browser.get(FIELD, {"name": "email"}).json()["bars"] == []
    assert browser.get(FIELD, {"name": "drop_proba"}).status_code == 404


def test_what_takes_too_long_is_estimated_and_says_so(
    sign_in: Callable[..., Client], shoppers: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiences, "COUNT_SECONDS", 0.001)  # the least that PostgreSQL knows
    Customer.objects.bulk_create(Customer(project=shoppers[0].project, name="n" * 200) for number in range(8_000))

    audience = check(
        sign_in(),
        {"any": [leaf("name", "contains", f"{number}n") for number in range(60)] + [leaf("name", "contains", "nn")]},
    ).json()["audience"]

    assert audience["isExact"] is False
    assert audience["text"].startswith("about ")
    assert 7_500 < audience["count"] <= 8_008


def test_a_sample_is_drawn_from_the_whole_of_one_store(
    project: Project, shoppers: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
    Customer.objects.bulk_create(
        Customer(project=store, name="n") for number in range(900) for store in (project, other)
    )
    monkeypatch.setattr(sampling, "SAMPLE_SIZE", 300)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE customers_customer")

    sample = services.sample_of(project=project)

    assert not sample.is_everyone
    assert len(set(sample.ids)) == 300
    assert Customer.objects.filter(project=project, pk__in=sample.ids).count() == 300
    assert services.sample_of(project=project) == sample
    assert services.sample_of(project=other).ids != sample.ids
