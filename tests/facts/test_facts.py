import threading
from datetime import UTC, datetime

import pytest
from django.db import connection

from signals_app.facts import services, tasks
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact, FactReader
from signals_app.projects import services as project_services
from signals_app.projects.models import Project

KIND = FactKind.ORDER_RECORDED
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class TestRecording:
    def test_splits_what_happened_to_more_than_a_thousand(self, project: Project) -> None:
        services.record(project=project, kind=KIND, subject_ids=(str(n) for n in range(2_500)))

        assert [len(fact.subject_ids) for fact in Fact.objects.order_by("pk")] == [1_000, 1_000, 500]

    def test_of_nothing_is_no_fact(self, project: Project) -> None:
        assert services.record(project=project, kind=KIND, subject_ids=[]) == []


class TestFollowing:
    @staticmethod
    def follow(reader: str, **limits: int) -> list[list[str]]:
        """Read on, and return the subjects of each fact that was handed on."""
        handled: list[list[str]] = []
        services.follow(
            reader=reader, kinds=[KIND], handle=lambda fact, ids, now: handled.append(ids), now=NOW, **limits
        )
        return handled

    def test_waits_for_the_sequencer(self, project: Project) -> None:
        services.record(project=project, kind=KIND, subject_ids=["1"])
        assert self.follow("r") == []

        assert tasks.sequence() == 1

        assert self.follow("r") == [["1"]]

    def test_goes_on_after_the_place_it_came_to(self, project: Project) -> None:
        for number in range(5):
            services.record(project=project, kind=KIND, subject_ids=[str(number)])
        services.record(project=project, kind=FactKind.MESSAGE_SENT, subject_ids=["other"])
        services.sequence()

        assert self.follow("r", limit=3) == [["0"], ["1"], ["2"]]
        assert self.follow("r") == [["3"], ["4"]]
        assert self.follow("r") == []
        assert len(self.follow("another")) == 5

    def test_never_takes_the_place_back_to_where_a_slower_worker_is(self, project: Project) -> None:
        for number in range(3):
            services.record(project=project, kind=KIND, subject_ids=[str(number)])
        services.sequence()

        def be_overtaken(fact: Fact, subject_ids: list[str], now: datetime) -> None:
            self.follow("r")

        services.follow(reader="r", kinds=[KIND], handle=be_overtaken, now=NOW, limit=1)

        assert FactReader.objects.get(name="r").position == 3

    def test_hands_on_fifty_subjects_at_once(self, project: Project) -> None:
        services.record(project=project, kind=KIND, subject_ids=(str(n) for n in range(120)))
        services.sequence()

        assert [len(ids) for ids in self.follow("r")] == [50, 50, 20]


@pytest.mark.django_db(transaction=True)
class TestSequencersAtOnce:
    def test_leave_no_gap_and_give_no_position_twice(self, transactional_db: None) -> None:
        project = project_services.create_project(slug="shop", name="Shop", shop_url="https://shop.example/")
        failures: list[Exception] = []

        def work() -> None:
            try:
                for number in range(10):
                    services.record(project=project, kind=KIND, subject_ids=[str(number)])
                    services.sequence(limit=3)
            except Exception as error:  # noqa: BLE001 - the test asserts on it
                failures.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        tasks.sequence()

        assert failures == []
        assert sorted(Fact.objects.values_list("position", flat=True)) == list(range(1, 41))
