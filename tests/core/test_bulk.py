from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, transaction

from signals_app.core import bulk
from signals_app.core.bulk import Merge, OfLater
from signals_app.customers.models import Customer, Identifier
from signals_app.projects.models import Project
from signals_app.shopper_signals.models import Interest, ShopperSignal

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
KEY = ("customer", "kind", "name")
MERGE = {"weight_log2": Merge.ADD_LOG2, "evidence_count": Merge.ADD, "last_seen_at": Merge.LARGER}


@pytest.fixture
def customer(project: Project) -> Customer:
    return Customer.objects.create(project=project)


def write(customer: Customer, *weights: tuple[str, float, int, datetime]) -> None:
    rows = [(customer.pk, "search", name, level, count, at) for name, level, count, at in weights]
    bulk.write_rows(Interest, fields=[*KEY, *MERGE], rows=rows, unique=KEY, merge=MERGE)


class TestWritingRows:
    def test_stores_every_kind_of_value_as_the_orm_reads_it(self, project: Project) -> None:
        pk, events = uuid.uuid4(), [{"name": "Schal “Größe” \u2028 '%s' \\"}, None]
        at = NOW.astimezone(ZoneInfo("Asia/Tokyo"))
        fields = [
            "id",
            "project",
            "received_at",
            "drop_proba",
            "num_events",
            "relevant_events",
            "extra",
            "issues",
            "identifier",
        ]

        bulk.write_rows(
            ShopperSignal, fields=fields, rows=[(pk, project.pk, at, 1, 2**63 - 1, events, {"a": 1}, [], None)]
        )

        stored = ShopperSignal.objects.get()
        assert (stored.id, stored.project, stored.received_at, stored.identifier) == (pk, project, NOW, None)
        assert (stored.drop_proba, stored.num_events, stored.performance) == (1.0, 2**63 - 1, None)
        assert (stored.relevant_events, stored.extra, stored.issues) == (events, {"a": 1}, [])
        assert stored.recorded_at is not None
        assert ShopperSignal.objects.filter(received_at=NOW, id=pk, extra__a=1).exists()

    def test_changes_rows_that_are_there_as_told(self, customer: Customer) -> None:
        write(customer, ("wool", 6900.0, 1, NOW), ("hat", 1.0, 1, NOW))

        write(customer, ("wool", 6900.0, 2, NOW - timedelta(days=1)), ("hat", -5000.0, 1, NOW + timedelta(days=1)))

        wool, hat = Interest.objects.get(name="wool"), Interest.objects.get(name="hat")
        assert (wool.weight_log2, wool.evidence_count, wool.last_seen_at) == (pytest.approx(6901.0), 3, NOW)
        assert (hat.weight_log2, hat.last_seen_at) == (1.0, NOW + timedelta(days=1))

    def test_adds_logarithms_of_sums(self, customer: Customer) -> None:
        write(customer, ("wool", math.log2(3), 1, NOW))
        write(customer, ("wool", math.log2(5), 1, NOW))

        assert Interest.objects.get().weight_log2 == pytest.approx(3.0, abs=1e-12)

    def test_keeps_what_belongs_to_the_latest_row_in_any_order(self, customer: Customer) -> None:
        merge = {**MERGE, "last_signal_id": OfLater("last_seen_at")}
        low, high, first, last = (uuid.UUID(int=number) for number in (2, 3, 9, 1))
        said = [(NOW, low), (NOW, high), (NOW - timedelta(1), first), (NOW + timedelta(1), last), (NOW, None)]
        for number, order in enumerate(permutations(said)):
            for at, pk in order:
                row = (customer.pk, "search", str(number), 0.0, 1, at, pk)
                bulk.write_rows(Interest, fields=[*KEY, *merge], rows=[row], unique=KEY, merge=merge)

        stored = Interest.objects.values_list("last_seen_at", "last_signal_id").distinct()
        assert list(stored) == [(NOW + timedelta(1), last)]

    def test_writes_more_than_one_statement_holds(self, customer: Customer) -> None:
        write(customer, *((str(n), float(n), 1, NOW) for n in range(2 * bulk.ROWS_AT_ONCE + 1)))

        assert Interest.objects.count() == 2 * bulk.ROWS_AT_ONCE + 1

    def test_writes_nothing_for_no_rows(self, customer: Customer) -> None:
        write(customer)

        assert not Interest.objects.exists()

    def test_lets_constraints_hold(self, customer: Customer) -> None:
        row = (customer.pk, "gossip", "wool", 1.0, 1, NOW)

        with pytest.raises(IntegrityError), transaction.atomic():
            bulk.write_rows(Interest, fields=[*KEY, *MERGE], rows=[row], unique=KEY, merge=MERGE)


class TestChangingRows:
    def test_changes_the_named_fields_of_the_rows_that_are_there(self, customer: Customer) -> None:
        write(customer, ("wool", 1.0, 1, NOW), ("hat", 2.0, 1, NOW))
        wool, hat = Interest.objects.get(name="wool"), Interest.objects.get(name="hat")
        later = NOW + timedelta(days=1)

        rows = [(wool.pk, 3.5, later), (hat.pk, 4.5, NOW), (hat.pk + 1_000, 1.0, NOW)]
        bulk.change_rows(Interest, key="id", fields=["weight_log2", "last_seen_at"], rows=rows)

        wool.refresh_from_db()
        assert (wool.weight_log2, wool.last_seen_at, wool.evidence_count) == (3.5, later, 1)
        assert Interest.objects.get(name="hat").weight_log2 == 4.5
        assert Interest.objects.count() == 2


class TestWritingRowsThatAreThere:
    def test_leaves_them_alone_if_told_nothing_else(self, customer: Customer) -> None:
        write(customer, ("wool", 1.0, 1, NOW))

        rows = [(customer.pk, "search", "wool", 9.0, 9, NOW), (customer.pk, "search", "hat", 2.0, 1, NOW)]
        bulk.write_rows(Interest, fields=[*KEY, *MERGE], rows=rows, unique=KEY)

        assert dict(Interest.objects.values_list("name", "weight_log2")) == {"wool": 1.0, "hat": 2.0}


class TestReadingRows:
    def test_gives_what_the_orm_gives(self, project: Project, customer: Customer) -> None:
        name = "a “b” \\ 'c' %s {x,y} NULL"
        write(customer, (name, 1.5, 3, NOW))
        columns = ("pk", "customer_id", "name", "weight_log2", "evidence_count", "last_seen_at")

        (row,) = bulk.read_rows(Interest.objects.filter(name=name).values_list(*columns))

        assert row == Interest.objects.values_list(*columns).get()
        assert row[-1].utcoffset() == timedelta(0)


class TestAnyOf:
    def test_finds_rows_by_many_values_of_any_kind(self, customer: Customer) -> None:
        names = ["wool", 'q"u\\o,t{e}', "NULL", "%s"]
        write(customer, *((name, 1.0, 1, NOW) for name in names))
        ids = list(Interest.objects.values_list("pk", flat=True))

        assert Interest.objects.filter(name__any_of=names).count() == 4
        assert Interest.objects.filter(name__any_of=["null", "", "wool"]).count() == 1
        assert Interest.objects.filter(pk__any_of=[*ids, *range(10**9, 10**9 + 70_000)]).count() == 4
        assert Interest.objects.filter(customer__any_of={customer.pk, uuid.uuid4()}).count() == 4
        assert Interest.objects.filter(customer__any_of=[]).count() == 0
        assert Customer.objects.filter(pk__any_of=[customer.pk]).update(name="Anna") == 1


class TestLookingUp:
    LOOK = {"key": "name", "fields": ("name", "evidence_count")}

    def test_finds_each_value_of_a_unique_key_and_nothing_else(self, customer: Customer, project: Project) -> None:
        other = Customer.objects.create(project=project)
        write(customer, *((name, 1.0, place, NOW) for place, name in enumerate(("wool", 'q"u\\o,t{e}', "NULL", "%s"))))
        write(other, ("wool", 1.0, 9, NOW))

        found = bulk.look_up(
            Interest,
            where={"customer_id": customer.pk, "kind": "search"},
            values=["wool", 'q"u\\o,t{e}', "%s", "null", ""],
            **self.LOOK,
        )

        assert sorted(found) == [("%s", 3), ('q"u\\o,t{e}', 1), ("wool", 0)]

    def test_finds_nothing_for_nothing(self, customer: Customer) -> None:
        where = {"customer_id": customer.pk, "kind": "search"}

        assert bulk.look_up(Interest, where=where, values=[], **self.LOOK) == []

    @pytest.mark.postgresql
    @pytest.mark.skipif(connection.vendor == "sqlite", reason="a plan of PostgreSQL")
    def test_goes_through_the_unique_index_even_of_a_table_the_planner_does_not_know(self, project: Project) -> None:
        asked: list[tuple[str, Any]] = []

        def note(execute: Any, sql: str, parameters: Any, *rest: Any) -> Any:
            asked.append((sql, parameters))
            return execute(sql, parameters, *rest)

        with connection.execute_wrapper(note):
            bulk.look_up(
                Identifier,
                where={"project_id": project.pk, "kind": "email"},
                key="value",
                values=[f"u{number}@shopper.example" for number in range(500)],
                fields=("value", "id", "customer_id"),
            )

        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {asked[0][0]}", asked[0][1])
            condition = next(line for (line,) in cursor.fetchall() if "Index Cond" in line)
        assert "project_id" in condition
        assert "(value)::text = given.value" in condition
