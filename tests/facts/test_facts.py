import threading

import pytest
from django.db import connection

from signals_app.facts import services, tasks
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact
from signals_app.projects import services as project_services
from signals_app.projects.models import Project

KIND = FactKind.ORDER_RECORDED


class TestRecording:
    def test_splits_what_happened_to_more_than_a_thousand(self, project: Project) -> None:
        services.record(project=project, kind=KIND, subject_ids=(str(n) for n in range(2_500)))

        assert [len(fact.subject_ids) for fact in Fact.objects.order_by("pk")] == [1_000, 1_000, 500]

    def test_of_nothing_is_no_fact(self, project: Project) -> None:
        assert services.record(project=project, kind=KIND, subject_ids=[]) == []


class TestReading:
    def test_waits_for_the_sequencer(self, project: Project) -> None:
        services.record(project=project, kind=KIND, subject_ids=["1"])
        assert services.read_facts(reader="r", kinds=[KIND]) == []

        assert tasks.sequence() == 1

        assert [fact.subject_ids for fact in services.read_facts(reader="r", kinds=[KIND])] == [["1"]]

    def test_goes_on_after_the_place_it_came_to_and_never_back(self, project: Project) -> None:
        for number in range(5):
            services.record(project=project, kind=KIND, subject_ids=[str(number)])
        services.record(project=project, kind=FactKind.MESSAGE_SENT, subject_ids=["other"])
        services.sequence()

        services.advance(reader="r", position=3)
        services.advance(reader="r", position=1)

        found = services.read_facts(reader="r", kinds=[KIND])
        assert [fact.subject_ids for fact in found] == [["3"], ["4"]]
        assert len(services.read_facts(reader="another", kinds=[KIND])) == 5


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
