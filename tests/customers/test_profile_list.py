"""The list of profiles: search, filters, order, saved views."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from signals_app.customers import services
from signals_app.customers.models import Customer
from signals_app.projects.constants import Role
from signals_app.projects.models import Project, SavedView
from signals_app.segments.models import Segment
from signals_app.shopper_signals.models import IntentProfile

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LIST = "/admin/customers/customer/"
SAVE = f"{LIST}views/"
SignIn = Callable[..., Client]


@pytest.fixture
def shoppers(project: Project) -> list[Customer]:
    found = []
    for number, (name, stage, score) in enumerate(
        (
            ("Anna Berg", "leaving_with_intent", 80),
            ("Berta Anders", "leaving_with_intent", 65),
            ("Óscar 100%_x", "browsing", 10),
            ("", "lapsed", 1),
        )
    ):
        customer = services.identify(
            project=project,
            identifiers={"external_id": f"C-{number}", "email": f"p{number}@example.com"},
            attributes={"name": name} if name else {},
            now=NOW,
        ).customer
        Customer.objects.filter(pk=customer.pk).update(name=name, last_seen_at=NOW - timedelta(days=number))
        IntentProfile.objects.create(customer=customer, project=project, stage=stage, intent_score=score)
        found.append(customer)
    return found


def names(browser: Client, query: dict[str, Any]) -> list[str]:
    return [str(customer) for customer in browser.get(LIST, query).context["cl"].result_list]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("an", ["Anna Berg", "Berta Anders"]),
        ("BERG", ["Anna Berg"]),
        ("berta a", ["Berta Anders"]),
        ("óscar", ["Óscar 100%_x"]),
        ("100%_", ["Óscar 100%_x"]),
        ("100%x", []),
        ("_", []),
        ("p1@", ["Berta Anders"]),
        ("P1@EXAMPLE.com", ["Berta Anders"]),
        ("C-3", ["p3@example.com"]),
        ("C-", []),
        ("x" * 500, []),
        ("\\", []),
    ],
)
def test_profiles_are_found_by_the_beginning_of_a_name_or_address_and_by_known_ids_in_full(
    sign_in: SignIn, shoppers: list[Customer], words: str, expected: list[str]
) -> None:
    if words.startswith("ó") and connection.vendor == "sqlite":
        words = "Óscar"  # SQLite knows upper and lower case of ASCII only

    assert names(sign_in(), {"q": words}) == expected


def test_a_search_finds_nobody_of_another_store(sign_in: SignIn, shoppers: list[Customer]) -> None:
    other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example")
    stranger = sign_in(Role.OWNER, other)

    assert [names(stranger, {"q": words}) for words in ("Anna", "C-0", "p1@", "Berg")] == [[], [], [], []]


def test_filters_narrow_the_list(sign_in: SignIn, project: Project, shoppers: list[Customer]) -> None:
    services.record_order(
        project=project,
        identifiers={"external_id": "C-1"},
        order_id="R-1",
        total="9.90",  # type: ignore[arg-type]
        currency="EUR",
        placed_at=NOW,
        now=NOW,
    )
    tree = {"all": [{"field": "intent_score", "op": "gte", "value": 50}]}
    segment = Segment.objects.create(project=project, name="Hot", conditions=tree)
    foreign = Segment.objects.create(
        project=Project.objects.create(slug="other", name="Other", shop_url="https://other.example"), name="Foreign"
    )
    broken = Segment.objects.create(project=project, name="Broken", conditions={"all": [{"field": "gone"}]})
    browser = sign_in()

    assert names(browser, {"ordered": "yes"}) == ["Berta Anders"]
    assert "Berta Anders" not in names(browser, {"ordered": "no"})
    assert set(names(browser, {"segment": segment.pk})) == {"Anna Berg", "Berta Anders"}
    assert names(browser, {"segment": segment.pk, "ordered": "yes"}) == ["Berta Anders"]
    assert names(browser, {"segment": foreign.pk}) == []
    assert names(browser, {"segment": broken.pk}) == []
    assert names(browser, {"segment": "nonsense"}) == []


@pytest.mark.parametrize(
    ("zone", "day", "first", "after"),
    [
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("America/New_York", "2026-03-08", "2026-03-08T05:00Z", "2026-03-09T04:00Z"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00Z", "2026-04-24T21:00Z"),  # begins at one o'clock
    ],
)
def test_a_filter_by_a_day_takes_the_whole_day_on_the_stores_clock(
    sign_in: SignIn, project: Project, zone: str, day: str, first: str, after: str
) -> None:
    Project.objects.filter(pk=project.pk).update(time_zone=zone)
    start, end, little = datetime.fromisoformat(first), datetime.fromisoformat(after), timedelta(microseconds=1)
    moments = {"before": start - little, "first": start, "last": end - little, "after": end}
    for name, moment in moments.items():
        Customer.objects.create(project=project, name=name, last_seen_at=moment)
    browser = sign_in()

    assert names(browser, {"last_seen_at_from_0": day, "last_seen_at_to_0": day}) == ["last", "first"]
    assert names(browser, {"last_seen_at_from_0": day}) == ["after", "last", "first"]
    assert names(browser, {"last_seen_at_to_0": day, "last_seen_at_to_1": "23:59"}) == ["first", "before"]


def test_who_was_seen_last_comes_first_and_who_filters_by_stage_sees_the_highest_score(
    sign_in: SignIn, project: Project, shoppers: list[Customer]
) -> None:
    Customer.objects.create(project=project, name="Imported, never seen")
    IntentProfile.objects.filter(customer=shoppers[1]).update(intent_score=99)
    browser = sign_in()

    assert names(browser, {}) == [
        "Anna Berg", "Berta Anders", "Óscar 100%_x", "p3@example.com", "Imported, never seen"
    ]  # fmt: skip
    assert names(browser, {"intent_profile__stage": "leaving_with_intent"}) == ["Berta Anders", "Anna Berg"]


QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"q": "shopper"},
    {"intent_profile__stage": "browsing"},
    {"intent_profile__intent_score_from": "0", "o": "-3"},
    {"consent": "none", "ordered": "no"},
    {"consent": "granted"},
    {"consent": "denied"},
)


@pytest.mark.parametrize("query", QUERIES)
def test_a_list_asks_the_database_a_fixed_number_of_times_and_never_counts(
    sign_in: SignIn, project: Project, query: dict[str, str]
) -> None:
    browser, found = sign_in(), []
    for number in range(60):
        found.append(
            services.identify(
                project=project, identifiers={"external_id": f"S-{number}", "email": f"s{number}@example.com"}, now=NOW
            ).customer
        )
        Customer.objects.filter(pk=found[-1].pk).update(name=f"Shopper {number}")
        IntentProfile.objects.create(customer=found[-1], project=project)
        if "consent" in query and query["consent"] != "none":
            services.record_consent(
                project=project,
                identifiers={"external_id": f"S-{number}"},
                granted=query["consent"] == "granted",
                source="form",
                now=NOW,
            )
    browser.get(LIST, query)

    with CaptureQueriesContext(connection) as queries:
        response = browser.get(LIST, query)

    assert len(response.context["cl"].result_list) == 50
    assert len(queries) <= 19
    assert not [one["sql"] for one in queries if "COUNT(" in one["sql"] and "LIMIT" not in one["sql"]]
    assert "more than 50 profiles" in response.content.decode()
    second = browser.get(LIST, query | {"p": "2"})
    assert len(second.context["cl"].result_list) == 10
    assert "60 profiles" in second.content.decode()
    shown = {*response.context["cl"].result_list, *second.context["cl"].result_list}
    assert shown == set(found)


@pytest.mark.parametrize("page", ["3", "201", "10000", "-1", "x"])
def test_a_page_that_is_not_there_leads_back(sign_in: SignIn, shoppers: list[Customer], page: str) -> None:
    browser = sign_in()

    response = browser.get(LIST, {"p": page}, follow=True)

    assert response.status_code == 200


class TestSavedViews:
    QUERY = "intent_profile__stage=leaving_with_intent&consent=granted"

    def save(self, browser: Client, name: str = "Leaving", query: str = QUERY, **more: str) -> str:
        return browser.post(SAVE, {"name": name, "query": query, **more}, follow=True).content.decode()

    def test_stand_above_the_list_and_are_deleted_again(self, sign_in: SignIn, shoppers: list[Customer]) -> None:
        browser = sign_in()

        page = self.save(browser, query=f"{self.QUERY}&p=3&ordered=&e=1")
        view = SavedView.objects.get()
        elsewhere = browser.get(LIST).content.decode()
        gone = browser.post(f"{LIST}views/{view.pk}/delete/", follow=True).content.decode()

        assert view.query == self.QUERY
        assert "Saved as “Leaving”." in page
        assert "Delete this view" in page
        assert f'href="?{self.QUERY.replace("&", "&amp;")}"' in elsewhere
        assert "“Leaving” is deleted." in gone
        assert not SavedView.objects.exists()

    def test_are_ones_own_unless_shared(self, sign_in: SignIn, shoppers: list[Customer]) -> None:
        marketer, analyst = sign_in(Role.MARKETER), sign_in(Role.ANALYST)
        self.save(marketer, "Mine")
        self.save(marketer, "Ours", is_shared="on")
        self.save(analyst, "Not for all", is_shared="on")

        seen = {
            role: [each["view"].name for each in sign_in(role).get(LIST).context["saved_views"]["views"]]
            for role in (Role.MARKETER, Role.ANALYST, Role.OWNER)
        }

        assert seen == {
            Role.MARKETER: ["Mine", "Ours"],
            Role.ANALYST: ["Not for all", "Ours"],
            Role.OWNER: ["Ours"],
        }
        mine, ours = (SavedView.objects.get(name=name).pk for name in ("Mine", "Ours"))
        assert analyst.post(f"{LIST}views/{mine}/delete/").status_code == 404
        assert analyst.post(f"{LIST}views/{ours}/delete/").status_code == 403
        assert sign_in(Role.OWNER).post(f"{LIST}views/{ours}/delete/").status_code == 302
        assert marketer.get(f"{LIST}views/{mine}/delete/").status_code == 405

    def test_belong_to_their_store(self, sign_in: SignIn, shoppers: list[Customer]) -> None:
        self.save(sign_in(Role.OWNER), is_shared="on")
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example")
        stranger = sign_in(Role.OWNER, other)

        assert stranger.get(LIST).context["saved_views"]["views"] == []
        assert stranger.post(f"{LIST}views/{SavedView.objects.get().pk}/delete/").status_code == 404

    def test_of_the_same_name_replace_one_another(self, sign_in: SignIn, shoppers: list[Customer]) -> None:
        browser = sign_in()

        self.save(browser, query="consent=granted")
        self.save(browser, query="consent=denied")

        assert SavedView.objects.get().query == "consent=denied"

    @pytest.mark.parametrize(
        ("name", "query", "words"),
        [
            ("", QUERY, "This field is required"),
            ("x" * 61, QUERY, "at most 60"),
            ("Everything", "", "then save what it shows"),
            ("Everything", "p=2&_popup=1", "then save what it shows"),
            ("Long", "q=" + "x" * 3_000, "at most 2000"),
        ],
    )
    def test_that_cannot_be_saved_say_why(
        self, sign_in: SignIn, shoppers: list[Customer], name: str, query: str, words: str
    ) -> None:
        assert words in self.save(sign_in(), name, query)
        assert not SavedView.objects.exists()

    def test_hold_hostile_names_as_text(self, sign_in: SignIn, shoppers: list[Customer]) -> None:
        browser = sign_in()

        page = self.save(browser, "<script>alert(1)</script>", 'q="><script>alert(2)</script>&javascript:=1')

        assert "<script>alert" not in page
        assert browser.get(LIST).status_code == 200

    def test_have_an_end(self, sign_in: SignIn, shoppers: list[Customer]) -> None:
        browser = sign_in()
        for number in range(50):
            self.save(browser, f"View {number}")

        assert "delete one first" in self.save(browser, "One more")
        assert SavedView.objects.count() == 50
