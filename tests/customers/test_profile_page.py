"""The page of one shopper: what it shows, what a person may do on it, and that it stays quick."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from signals_app.customers import services
from signals_app.customers.models import Consent, Customer, Identifier, Order
from signals_app.emails.models import Suppression
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.models import IntentProfile
from signals_app.shopper_signals.services import NewSignal
from tests.insightarc_crm.furnishing import HOSTILE
from tests.shopper_signals.conftest import make_signal

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SignIn = Callable[..., Client]


@pytest.fixture
def anna(project: Project) -> Customer:
    result = services.identify(
        project=project,
        identifiers={"email": "anna@example.com", "external_id": "C-1", "anonymous_id": "visitor-7"},
        attributes={"first_name": "Anna", "last_name": "Berg"},
        time_zone=None,
        now=NOW,
    )
    return result.customer


def page_of(customer: Customer, view: str = "change") -> str:
    return reverse(f"admin:customers_customer_{view}", args=[customer.pk])


def record(project: Project, customer: Customer, count: int, *, minutes_apart: int = 30) -> None:
    identifier = Identifier.objects.get(customer=customer, kind="external_id")
    rows: list[NewSignal] = [
        make_signal(
            NOW - timedelta(minutes=minutes_apart * place),
            identifier,
            num_events=1 + place % 20,
            drop_proba=place % 10 / 10,
            relevant_events=[{"name": f"/products/item-{place % 7}"}],
        )
        for place in range(count)
    ]
    for place in range(0, count, 500):
        signal_services.record_signals(project=project, signals=rows[place : place + 500], now=NOW)


def walk(browser: Client, customer: Customer, **query: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of the whole timeline, page by page."""
    asked = QueryDict(mutable=True)
    for name, value in query.items():
        asked.setlist(name, value)
    address = f"?{asked.urlencode()}"
    for _ in range(40):
        context = browser.get(page_of(customer) + address).context
        yield from context["timeline"]
        if not context["older"]:
            return
        address = context["older"]
    raise AssertionError("The timeline does not end.")


class TestThePage:
    def test_belongs_to_its_store(self, sign_in: SignIn, anna: Customer, db: None) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example")
        stranger = sign_in(Role.OWNER, other)

        answers = {
            view: stranger.get(page_of(anna, view)).status_code
            for view in ("change", "download", "erase", "suppress", "lift_suppression", "consent")
        }

        assert set(answers.values()) == {404}, answers
        assert stranger.post(page_of(anna, "suppress")).status_code == 404
        assert not Suppression.objects.exists()

    @pytest.mark.parametrize("role", list(Role))
    def test_offers_what_the_role_may_do(self, sign_in: SignIn, anna: Customer, role: Role) -> None:
        names = {button["name"] for button in sign_in(role).get(page_of(anna)).context["buttons"]}

        assert ("suppress" in names) == (role in {Role.OWNER, Role.MARKETER, Role.OPERATOR})
        assert ({"erase", "download"} <= names) == (role == Role.OWNER)

    def test_says_in_words_that_nothing_is_known_yet(self, sign_in: SignIn, project: Project) -> None:
        nobody = Customer.objects.create(project=project)

        page = sign_in().get(page_of(nobody)).content.decode()

        for words in (
            "No e-mail address known",
            "No signal has come from this shopper yet",
            "No page has been viewed yet",
            "Nothing has happened yet",
            "Never asked",
            "none is known",
        ):
            assert words in page

    def test_shows_what_a_shopper_sent_as_text_only(self, sign_in: SignIn, project: Project) -> None:
        customer = Customer.objects.create(project=project, name=HOSTILE[:200], email="x@example.com")
        identifier = Identifier.objects.create(
            project=project, customer=customer, kind="anonymous_id", value=f"{HOSTILE} {'x' * 150}"
        )
        signal_services.record_signals(
            project=project,
            signals=[
                make_signal(
                    NOW - timedelta(minutes=place), identifier, relevant_events=[{"name": f"/search?q={HOSTILE}"}]
                )
                for place in range(3)
            ],
            now=NOW,
        )
        Order.objects.create(
            project=project, identifier=identifier, order_id=HOSTILE[:100], total=1, currency="EUR", placed_at=NOW
        )

        page = sign_in(Role.OWNER).get(page_of(customer)).content.decode()

        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page
        chart = re.search(r'data-chart="([^"]*)"', page)
        assert chart is not None
        assert "<" not in chart[1]

    def test_counts_visits_instead_of_listing_them(self, sign_in: SignIn, project: Project, anna: Customer) -> None:
        Identifier.objects.bulk_create(
            Identifier(project=project, customer=anna, kind="session_id", value=f"s-{number}") for number in range(150)
        )

        page = sign_in().get(page_of(anna)).content.decode()

        assert "150 visits" in page
        assert "s-149" not in page
        for value in ("anna@example.com", "C-1", "visitor-7"):
            assert value in page

    def test_draws_the_score_to_where_it_stands_with_orders_marked(
        self, sign_in: SignIn, project: Project, anna: Customer
    ) -> None:
        record(project, anna, 40)
        services.record_order(
            project=project,
            identifiers={"external_id": "C-1"},
            order_id="R-1",
            total="9.90",  # type: ignore[arg-type]
            currency="EUR",
            placed_at=NOW - timedelta(hours=2),
            now=NOW,
        )

        response = sign_in().get(page_of(anna))

        data = json.loads(response.context["chart"].json)
        stored = IntentProfile.objects.get(customer=anna)
        assert data["score"][-1] == [NOW.timestamp() * 1000, round(stored.intent_score, 1)]
        assert len(data["leaving"]) == 40, "no pause, no break"
        assert [mark["kind"] for mark in data["marks"]] == ["order"]
        assert data["zone"] == "Europe/Berlin"
        page = response.content.decode()
        assert page.count("<tr><td>") == 40, "the same as a table, for who has no scripts"

    def test_asks_the_database_as_often_for_five_thousand_signals_as_for_fifty(
        self, sign_in: SignIn, project: Project, anna: Customer
    ) -> None:
        browser = sign_in()
        record(project, anna, 60)
        browser.get(page_of(anna))
        with CaptureQueriesContext(connection) as few:
            browser.get(page_of(anna))
        record(project, anna, 5_000, minutes_apart=7)
        with CaptureQueriesContext(connection) as many:
            response = browser.get(page_of(anna))

        assert len(few) <= 60
        assert abs(len(many) - len(few)) <= 1, "but for what is remembered for a second"
        assert len(response.context["timeline"]) == 50
        assert response.context["chart"].signal_count == 200
        # And reads no more rows than can be shown: the newest ones, or (on PostgreSQL) those found to be the newest.
        read = [query["sql"] for query in many if 'FROM "shopper_signals_shoppersignal"' in query["sql"]]
        assert read
        assert all("LIMIT" in sql or '"shopper_signals_shoppersignal"."id" IN (' in sql for sql in read)


class TestTheTimeline:
    def test_is_filtered_by_chips_that_can_be_combined(self, sign_in: SignIn, project: Project, anna: Customer) -> None:
        record(project, anna, 3)
        services.record_consent(
            project=project, identifiers={"email": "anna@example.com"}, granted=True, source="form", now=NOW
        )
        browser = sign_in()

        kinds = {
            name: {row["entry"].kind for row in browser.get(page_of(anna), {"show": name}).context["timeline"]}
            for name in ("signals", "consent", "known-ids", "orders", "nonsense")
        }
        both = {row["entry"].kind for row in walk(browser, anna, show=["signals", "consent"])}

        assert kinds["signals"] == {"signal"}
        assert kinds["consent"] == {"consent"}
        assert kinds["known-ids"] == {"identifier"}
        assert kinds["orders"] == set()
        assert kinds["nonsense"] == {"signal", "consent", "identifier"}, "an unknown filter is none"
        assert both == {"signal", "consent"}
        page = browser.get(page_of(anna), {"show": "orders"}).content.decode()
        assert "Nothing of this kind has happened yet" in page

    @pytest.mark.parametrize("show", [[], ["signals"], ["signals", "known-ids"]])
    def test_shows_each_entry_once_although_many_came_at_one_instant(
        self, sign_in: SignIn, project: Project, anna: Customer, show: list[str]
    ) -> None:
        identifier = Identifier.objects.get(kind="external_id")
        signal_services.record_signals(
            project=project, signals=[make_signal(NOW, identifier) for _ in range(130)], now=NOW
        )
        Identifier.objects.update(created_at=NOW)

        rows = list(walk(sign_in(), anna, show=show))

        seen = [(row["entry"].kind, row["entry"].reference) for row in rows]
        assert len(seen) == len(set(seen)) == 130 + (0 if show == ["signals"] else 3)

    def test_names_days_as_a_person_does(self, sign_in: SignIn, project: Project, anna: Customer) -> None:
        now = timezone.now()
        identifier = Identifier.objects.get(kind="external_id")
        for days in (0, 1, 400):
            at = now - timedelta(days=days)
            signal_services.record_signals(project=project, signals=[make_signal(at, identifier)], now=now)

        days_shown = [row["day"] for row in walk(sign_in(), anna, show=["signals"])]

        assert days_shown[:2] == ["Today", "Yesterday"]
        assert re.fullmatch(r"\w+day, \d+ \w+ \d{4}", days_shown[2])

    def test_alone_is_a_part_for_scripts(self, sign_in: SignIn, project: Project, anna: Customer) -> None:
        record(project, anna, 120)
        browser = sign_in()
        older = browser.get(page_of(anna)).context["older"]

        part = browser.get(f"{page_of(anna)}{older}&part=timeline").content.decode()

        assert part.count("crm-event ") == 50
        assert "<html" not in part
        assert "data-older" in part


class TestMails:
    def test_are_stopped_and_let_go_again(self, sign_in: SignIn, project: Project, anna: Customer) -> None:
        owner = sign_in(Role.OWNER)

        asked = owner.get(page_of(anna, "suppress")).content.decode()
        nothing_yet = Suppression.objects.exists()
        stopped = owner.post(page_of(anna, "suppress"), follow=True).content.decode()
        entry = Suppression.objects.get()
        again = owner.post(page_of(anna, "lift_suppression"), follow=True).content.decode()

        assert "whatever they agreed to" in asked
        assert not nothing_yet
        assert (entry.email, entry.reason) == ("anna@example.com", "manual")
        assert "No mail goes to this shopper: added by hand" in stopped
        assert "Let mails go out again" in stopped
        assert "Stop all mails" in again
        assert not Suppression.objects.exists()

    def test_are_not_let_go_by_who_may_not(self, sign_in: SignIn, anna: Customer) -> None:
        sign_in(Role.MARKETER).post(page_of(anna, "suppress"))

        assert sign_in(Role.MARKETER).post(page_of(anna, "lift_suppression")).status_code == 403
        assert sign_in(Role.ANALYST).post(page_of(anna, "suppress")).status_code == 403
        assert Suppression.objects.count() == 1


@pytest.mark.parametrize("topic", ["marketing", "personalisation", "tracking"])
def test_consent_is_recorded_for_each_purpose(sign_in: SignIn, anna: Customer, topic: str) -> None:
    data = {"topic": topic, "granted": "yes", "source": "by phone"}

    page = sign_in().post(page_of(anna, "consent"), data, follow=True).content.decode()

    assert Consent.objects.get().topic == topic
    assert "Consent recorded." in page


def test_consent_to_something_unknown_is_refused(sign_in: SignIn, anna: Customer) -> None:
    page = (
        sign_in()
        .post(page_of(anna, "consent"), {"topic": "everything", "granted": "yes", "source": "x"}, follow=True)
        .content.decode()
    )

    assert not Consent.objects.exists()
    assert "Select a valid choice" in page


def test_one_event_is_said_in_the_singular(sign_in: SignIn, project: Project, anna: Customer) -> None:
    record(project, anna, 1)

    page = sign_in().get(page_of(anna)).content.decode()

    assert "1 event" in page
    assert "1 events" not in page
