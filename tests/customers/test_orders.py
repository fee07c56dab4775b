from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from signals_app.customers import services
from signals_app.customers.exceptions import InvalidInput
from signals_app.customers.models import Identifier, Order
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact
from signals_app.projects.models import Project

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class TestAnOrder:
    def test_is_recorded_once_however_often_it_is_told(self, shop: Project, order: Callable[..., Any]) -> None:
        first, is_new = order()

        again, is_new_again = order(items=[{"sku": "1", "title": "Scarf", "quantity": 1, "price": "59.90"}])

        assert (is_new, is_new_again) == (True, False)
        assert again == first
        assert Order.objects.get().items[0]["title"] == "Scarf"

    def test_is_news_with_its_own_id(self, shop: Project, order: Callable[..., Any]) -> None:
        recorded, _ = order()

        fact = Fact.objects.get()
        assert (fact.kind, fact.subject_ids) == (FactKind.ORDER_RECORDED, [str(recorded.pk)])

    def test_may_be_refunded_without_saying_whose_it_was(self, shop: Project, order: Callable[..., Any]) -> None:
        order()

        refunded, is_new = order(identifiers={}, state="refunded")

        assert not is_new
        assert refunded.refunded_total == Decimal("59.90")
        assert Identifier.objects.get() == refunded.identifier

    def test_keeps_what_is_not_said_again(self, shop: Project, order: Callable[..., Any]) -> None:
        order(items=[{"sku": "1"}], country="DE", name="#1001")
        order(state="refunded", refunded_total=Decimal("20.00"))

        again, _ = order(total=Decimal("61.00"))

        assert again.total == Decimal("61.00")
        assert (again.state, again.refunded_total) == ("refunded", Decimal("20.00"))
        assert (again.items, again.country, again.name) == ([{"sku": "1"}], "DE", "#1001")

    def test_takes_its_refund_back_when_it_is_said_to_be_placed(self, shop: Project, order: Callable[..., Any]) -> None:
        order(state="refunded")

        again, _ = order(state="placed", items=[])

        assert (again.state, again.refunded_total, again.items) == ("placed", 0, [])

    def test_cannot_become_less_than_was_refunded(self, shop: Project, order: Callable[..., Any]) -> None:
        order(state="refunded")

        with pytest.raises(InvalidInput) as refused:
            order(total=Decimal("10.00"))

        assert refused.value.field == "refunded_total"

    def test_keeps_its_identifier_but_links_what_is_said_with_it_later(
        self, shop: Project, order: Callable[..., Any]
    ) -> None:
        first, _ = order()

        again, _ = order(identifiers={"email": "a@example.com", "external_id": "1"})

        assert again.identifier_id == first.identifier_id
        assert Identifier.objects.values("customer_id").distinct().count() == 1
        assert Identifier.objects.count() == 2

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"identifiers": {}}, "identifiers"),
            ({"total": Decimal(-1)}, "total"),
            ({"total": Decimal("1.005")}, "total"),
            ({"total": Decimal(10) ** 14}, "total"),
            ({"currency": "eur"}, "currency"),
            ({"currency": "EURO"}, "currency"),
            ({"currency": "E1R"}, "currency"),
            ({"currency": "ZZZ"}, "currency"),
            ({"placed_at": NOW + timedelta(days=2)}, "placed_at"),
            ({"placed_at": datetime(1989, 12, 31, tzinfo=UTC)}, "placed_at"),
            ({"state": "lost"}, "state"),
            ({"order_id": ""}, "order_id"),
            ({"order_id": "x" * 101}, "order_id"),
            ({"refunded_total": Decimal(60)}, "refunded_total"),
        ],
    )
    def test_is_refused_with_the_field_named(
        self, shop: Project, change: dict[str, Any], field: str, order: Callable[..., Any]
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            order(**change)

        assert refused.value.field == field
        assert not Order.objects.exists()
        assert not Identifier.objects.exists()


class TestTheLastOrder:
    def test_is_the_latest_that_was_not_undone(self, shop: Project, order: Callable[..., Any]) -> None:
        customer = order()[0].identifier.customer
        order(order_id="R-1002", placed_at=NOW, state="cancelled")
        order(order_id="R-1000", placed_at=NOW - timedelta(days=9))

        assert services.last_order_at([customer.pk]) == {customer.pk: NOW - timedelta(hours=1)}

    def test_of_who_never_ordered_is_none(self, shop: Project) -> None:
        customer = services.identify(project=shop, identifiers={"external_id": "1"}, now=NOW).customer

        assert services.last_order_at([customer.pk]) == {}
