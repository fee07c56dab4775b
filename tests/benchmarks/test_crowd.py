"""Very many made-up profiles, for measuring: filled up from any size, and read as a marketer reads them."""

import pytest
from django.db import connection

from benchmarks import orders
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer, Identifier
from signals_app.projects.models import Project
from signals_app.shopper_signals.models import IntentProfile, ShopperSignal
from tests.customers.worlds import assert_true_copies

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="made by PostgreSQL"),
]


def test_a_crowd_grows_from_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.crowd.HEAVY_SIGNALS", 9)
    monkeypatch.setattr("benchmarks.crowd.AT_ONCE", 20)  # so that indexes are dropped and made again
    orders.set_up(url="https://crm.example.com/webhooks/insightarc/{source_id}/", secret="whsec_test", rules=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
        indexes = cursor.fetchall()

    first = orders.fill_crowd(upto=10, signals_each=2)
    second = orders.fill_crowd(upto=50, signals_each=2)

    assert (first, second) == ({"made": 10, "profiles": 10}, {"made": 40, "profiles": 50})
    assert Customer.objects.count() == IntentProfile.objects.count() == 50
    assert ShopperSignal.objects.count() == 9 + 49 * 2
    assert set(Customer.objects.values_list("marketing_consent", "has_ordered")) > {(None, False), (True, False)}
    assert_true_copies(Project.objects.get())
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
        assert cursor.fetchall() == indexes
    heavy = Identifier.objects.get(kind="external_id", value="crowd-1").customer
    assert len(customer_services.timeline(customer=heavy, kinds=["signal"])) == 9
    Identifier.objects.create(project=heavy.project, customer=heavy, kind="session_id", value="goes on behind them")
