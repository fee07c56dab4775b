"""Pages, lines, filters and orderings."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signals_app.api.pagination import Keyset, Ordering
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.projects.models import Project
from signals_app.segments.models import Segment
from signals_app.shopper_signals.models import IntentProfile, ShopperSignal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def shoppers(project: Project) -> list[Customer]:
    found = []
    for number in range(7):
        result = customer_services.identify(
            project=project,
            identifiers={"external_id": f"s{number}", "email": f"s{number}@example.com", "anonymous_id": f"b{number}"},
            now=NOW + timedelta(minutes=number),
        )
        found.append(result.customer)
        if number:
            IntentProfile.objects.create(
                customer=result.customer,
                project=project,
                intent_score=number // 2,
                stage="high_intent" if number > 3 else "browsing",
            )
    Customer.objects.filter(pk=found[2].pk).update(last_seen_at=None)
    return found


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


class TestAList:
    def test_of_profiles_shows_them_newest_first(self, shoppers: list[Customer], api: Callable[..., Any]) -> None:
        rows = api("get", "customers/").json()["results"]

        assert [row["external_id"] for row in rows] == [f"s{number}" for number in reversed(range(7))]
        first = rows[0]
        assert first["email"] == "s6@example.com"
        assert [one["kind"] for one in first["identifiers"]] == ["external_id", "email", "anonymous_id"]
        assert (first["stage"], first["intent_score"], rows[-1]["stage"]) == ("high_intent", 3.0, None)
        assert first["consent"] == {}

    @pytest.mark.parametrize(
        "ordering", ["created_at", "-updated_at", "last_seen_at", "-last_seen_at", "-intent_score"]
    )
    def test_can_be_walked_to_its_end_and_back(
        self, ordering: str, shoppers: list[Customer], api: Callable[..., Any]
    ) -> None:
        whole = ids(api("get", "customers/", {"ordering": ordering}))
        pages, answer = [], api("get", "customers/", {"ordering": ordering, "page_size": 3})
        while True:
            pages.append(ids(answer))
            if not answer.json()["next"]:
                break
            answer = api("get", answer.json()["next"])
        back = [pages[-1]]
        while answer.json()["previous"]:
            answer = api("get", answer.json()["previous"])
            back.insert(0, ids(answer))

        assert [len(page) for page in pages] == [3, 3, 1]
        assert [pk for page in pages for pk in page] == whole
        assert back == pages

    def test_streams_all_its_rows_as_lines(self, shoppers: list[Customer], api: Callable[..., Any]) -> None:
        answer = api("get", "customers/", {"stage": "high_intent"}, headers={"accept": "application/x-ndjson"})

        assert answer["Content-Type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
        assert [line["external_id"] for line in lines] == ["s6", "s5", "s4"]
        assert datetime.fromisoformat(answer["As-Of"])

    def test_takes_the_same_number_of_queries_however_long(
        self, shoppers: list[Customer], api: Callable[..., Any], django_assert_max_num_queries: Any
    ) -> None:
        api("get", "customers/")
        with django_assert_max_num_queries(5):
            api("get", "customers/")

    def test_says_since_when_to_ask_next_so_that_no_late_commit_is_missed(
        self, project: Project, api: Callable[..., Any]
    ) -> None:
        started = datetime.now(tz=UTC)
        as_of = api("get", "signals/").json()["as_of"]

        # Stamped by a transaction that was running during the first call, and committed after it.
        late = ShopperSignal.objects.create(
            project=project, received_at=NOW, recorded_at=started - timedelta(seconds=60)
        )

        assert ids(api("get", "signals/", {"updated_since": as_of})) == [str(late.pk)]

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=12), st.integers(1, 5), st.booleans())
    def test_shows_each_row_once_whatever_ties_and_gaps_it_has(
        self, project: Project, minutes: list[int | None], size: int, is_descending: bool
    ) -> None:
        Customer.objects.all().delete()
        Customer.objects.bulk_create(
            Customer(project=project, last_seen_at=None if minute is None else NOW + timedelta(minutes=minute))
            for minute in minutes
        )
        name = "-seen" if is_descending else "seen"
        keyset = Keyset(Customer.objects.all(), {"seen": Ordering("last_seen_at", "datetime")}, name)
        shown: list[Customer] = []
        cursor: str | None = ""
        while cursor is not None:
            rows, cursor, _ = keyset.page(cursor=cursor, size=size)
            shown += rows

        values = [row.last_seen_at for row in shown]
        known = [value for value in values if value is not None]
        assert len({row.pk for row in shown}) == len(shown) == len(minutes)
        assert values == [*sorted(known, reverse=is_descending), *[None] * (len(values) - len(known))]


class TestAFilter:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"email": " S3@Example.com"}, ["s3"]),
            ({"external_id": "s3"}, ["s3"]),
            ({"anonymous_id": "b3"}, ["s3"]),
            ({"anonymous_id": "nobody"}, []),
            ({"stage": "high_intent", "intent_score__gte": "2.5"}, ["s6"]),
            ({"intent_score__gte": "0"}, ["s6", "s5", "s4", "s3", "s2", "s1"]),
            ({"updated_since": "2026-11-24T13:00:00+02:00", "page_size": "1"}, ["s6"]),
            ({"updated_since": "2126-01-01T00:00:00Z"}, []),
        ],
    )
    def test_keeps_what_was_asked_for(
        self, query: dict[str, str], expected: list[str], shoppers: list[Customer], api: Callable[..., Any]
    ) -> None:
        answer = api("get", "customers/", query)

        assert [row["external_id"] for row in answer.json()["results"]] == expected

    def test_may_be_a_segment(self, shoppers: list[Customer], project: Project, api: Callable[..., Any]) -> None:
        conditions = {"field": "stage", "op": "eq", "value": "high_intent"}
        segment = Segment.objects.create(project=project, name="Hot", conditions=conditions)

        by_filter = ids(api("get", "customers/", {"segment": str(segment.pk)}))

        assert len(by_filter) == 3
        assert ids(api("get", f"segments/{segment.pk}/customers/")) == by_filter

    @pytest.mark.parametrize(
        ("path", "query", "field"),
        [
            ("customers/", "project__slug=x", "project__slug"),
            ("customers/", "_connector=OR", "_connector"),
            ("customers/", "emial=a@example.com", "emial"),
            ("customers/", "email=a@example.com&email=b@example.com", "email"),
            ("customers/", "email=nonsense", "email"),
            ("customers/", "email=%00", "email"),
            ("customers/", "stage=angry", "stage"),
            ("customers/", "intent_score__gte=nan", "intent_score__gte"),
            ("customers/", "intent_score__gte=1e999", "intent_score__gte"),
            ("customers/", "segment=1", "segment"),
            ("customers/", "ordering=project__name", "ordering"),
            ("customers/", "page_size=0", "page_size"),
            ("customers/", "page_size=501", "page_size"),
            ("customers/", "page_size=x", "page_size"),
            ("customers/", "updated_since=yesterday", "updated_since"),
            ("customers/", "updated_since=0001-01-01T00:00:00%2B23:00", "updated_since"),
            ("customers/", "cursor=nonsense", "cursor"),
            ("customers/", "cursor=W10", "cursor"),
            ("customers/", "cursor=WyItY3JlYXRlZF9hdCIsMSwxLDFd", "cursor"),
            ("customers/lookup/", "", "request"),
            ("customers/lookup/", "email=a@example.com&external_id=1", "request"),
            ("signals/", "customer=1", "customer"),
            ("signals/", "received_since=x", "received_since"),
            ("messages/", "state=lost", "state"),
            ("messages/", "rule=x", "rule"),
            ("rules/", "status=x", "status"),
            ("suppressions/", "reason=x", "reason"),
        ],
    )
    def test_that_makes_no_sense_is_refused_by_name(
        self, path: str, query: str, field: str, db: None, client: Client, api_key: str
    ) -> None:
        answer = client.get(f"/api/v1/{path}?{query}", headers={"authorization": f"Bearer {api_key}"})

        assert answer.status_code == 400
        assert list(answer.json()["errors"]) == [field]
        assert answer.json()["code"] == "invalid"

    def test_is_not_taken_from_the_cursor_of_another_order(
        self, shoppers: list[Customer], api: Callable[..., Any]
    ) -> None:
        following = api("get", "customers/", {"page_size": 2}).json()["next"]

        answer = api("get", f"{following}&ordering=updated_at")

        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["cursor"])


class TestOneProfile:
    def test_is_found_by_any_of_its_identifiers(self, shoppers: list[Customer], api: Callable[..., Any]) -> None:
        for kind, value in (("email", "S3@example.com"), ("external_id", "s3"), ("anonymous_id", "b3")):
            assert api("get", "customers/lookup/", {kind: value}).json()["id"] == str(shoppers[3].pk)
        assert api("get", "customers/lookup/", {"session_id": "b3"}).status_code == 404

    def test_has_its_intent(self, shoppers: list[Customer], api: Callable[..., Any]) -> None:
        known = api("get", f"customers/{shoppers[6].pk}/intent/").json()
        unknown = api("get", f"customers/{shoppers[0].pk}/intent/").json()

        assert (known["intent_score"], known["stage"], known["interests"]) == (3.0, "high_intent", [])
        assert (unknown["intent_score"], unknown["stage"], unknown["signal_count"]) == (None, None, 0)

    def test_has_a_story_in_pages(self, shoppers: list[Customer], api: Callable[..., Any]) -> None:
        for day in range(5):
            customer_services.record_order(
                project=shoppers[0].project,
                identifiers={"external_id": "s0"},
                order_id=f"R-{day}",
                total=day,  # type: ignore[arg-type]
                currency="EUR",
                placed_at=NOW - timedelta(days=day),
                now=NOW,
            )
        shown, answer = [], api("get", f"customers/{shoppers[0].pk}/timeline/", {"page_size": 3})

        while answer.json()["results"]:
            shown += answer.json()["results"]
            answer = api("get", answer.json()["next"])

        orders = [entry["detail"] for entry in shown if entry["kind"] == "order"]
        assert orders == [f"R-{day}: {day}.00 EUR" for day in range(5)]
        assert answer.json()["next"] is None
        assert api("get", f"customers/{shoppers[0].pk}/timeline/", {"cursor": "x"}).status_code == 400


def test_a_list_by_a_column_that_is_always_filled_is_read_along_its_index(api: Callable[..., Any]) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert api("get", "signals/").status_code == 200

    ordered = [query["sql"] for query in queries if "shoppersignal" in query["sql"] and "ORDER BY" in query["sql"]]
    assert ordered
    assert not [sql for sql in ordered if "NULLS" in sql]


def test_a_list_of_mails_reads_nothing_of_what_they_said(
    fill_store: Callable[[Project], Project], project: Project, api: Callable[..., Any]
) -> None:
    fill_store(project)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(api("get", "messages/").json()["results"]) == 1

    read = [each["sql"] for each in queries if 'FROM "emails_emailmessage"' in each["sql"]]
    assert len(read) == 1
    assert not {column for column in ("html", "text", "context", "gates", "values") if f'"{column}"' in read[0]}
