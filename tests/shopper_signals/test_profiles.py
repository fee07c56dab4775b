from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test.utils import CaptureQueriesContext

from signals_app.catalog.models import Product
from signals_app.customers import facets
from signals_app.customers import services as customer_services
from signals_app.customers.facets import Place
from signals_app.customers.models import Customer, Identifier, Order
from signals_app.customers.services import Sighting
from signals_app.facts import services as fact_services
from signals_app.projects.models import Project
from signals_app.shopper_signals import services, tasks
from signals_app.shopper_signals.constants import InterestKind, Stage
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal
from signals_app.shopper_signals.services import NewSignal
from tests.shopper_signals.conftest import EXAMPLE, NOW, make_signal, minutes

Shopper = Callable[..., Identifier]
RELATIVE = ("loops_ratio", "dead_clicks_over_usual", "performance_percentile")
USUAL = ("usual_loops", "usual_broken_buttons", "usual_performance")
DERIVED = ("intent_score", "stage", "scored_at", "review_at", *RELATIVE, *USUAL)
"""What hangs on the time of scoring, or on what was usual in the shop then."""


def a_visit(identifier: Identifier, count: int = 12, seed: int = 1) -> list[NewSignal]:
    """Return signals of some weeks that differ in everything."""
    chance = random.Random(seed)
    pages = ["/products/wool-scarf", "/en/products/felt-hat?v=1", "/cart", "/collections/wool", "/search?q=hat"]
    return [
        make_signal(
            NOW - timedelta(hours=chance.randrange(24 * 30)),
            identifier,
            id=uuid.UUID(int=chance.getrandbits(128)),
            drop_proba=chance.random(),
            performance=chance.random() * 3,
            num_events=chance.randrange(40),
            num_loops=chance.randrange(4),
            num_broken_buttons=chance.randrange(2),
            avg_loops=chance.choice([None, 1.5]),
            avg_broken_buttons=chance.choice([None, 0.2]),
            relevant_events=[{"name": name} for name in chance.sample(pages, 3)],
        )
        for _ in range(count)
    ]


def record(project: Project, *batches: Sequence[NewSignal]) -> None:
    for batch in batches:
        services.record_signals(project=project, signals=batch, now=NOW)


def standing(customer_id: uuid.UUID) -> dict[str, Any]:
    """Return everything folded for a customer, floats rounded to what has to agree."""
    profile = IntentProfile.objects.filter(pk=customer_id).values().get()
    interests = {
        (one.kind, one.name): [round(one.weight_log2, 6), one.evidence_count, one.last_seen_at, one.last_signal_id]
        for one in Interest.objects.filter(customer_id=customer_id)
    }
    rounded = {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in profile.items()
        if name not in ("customer_id", *DERIVED)
    }
    return rounded | {"interests": interests}


@pytest.fixture
def scarf(project: Project) -> Product:
    return Product.objects.create(
        project=project,
        sku="s1",
        title="Wool scarf",
        url="https://shop.example.com/products/wool-scarf",
        url_key="/products/wool-scarf",
        category="Apparel > Scarves",
        category_handle="scarves",
        brand="Nordlicht",
        first_seen_at=NOW,
    )


class TestAProfile:
    def test_is_the_same_whatever_the_order_and_the_batches(
        self, project: Project, shopper: Shopper, scarf: Product
    ) -> None:
        anna, bert = shopper("a@example.com"), shopper("b@example.com")
        signals = a_visit(anna)
        record(project, signals)
        shuffled = a_visit(bert)
        random.Random(2).shuffle(shuffled)
        for number, signal in enumerate(shuffled):
            shuffled[number] = make_signal(
                signal.received_at,
                bert,
                id=uuid.UUID(int=signal.id.int ^ 1),
                **{
                    name: getattr(signal, name)
                    for name in NewSignal.__slots__
                    if name not in ("id", "received_at", "identifier")
                },
            )

        record(project, shuffled[:1], shuffled[1:4], shuffled[4:])

        one, other = standing(anna.customer_id), standing(bert.customer_id)
        for name in ("last_signal_id", "last_drop_id"):
            assert one.pop(name).int ^ 1 == other.pop(name).int
        for evidence in other["interests"].values():
            evidence[-1] = uuid.UUID(int=evidence[-1].int ^ 1)
        assert one == other

    def test_folded_anew_arrives_at_the_same_numbers(self, project: Project, shopper: Shopper, scarf: Product) -> None:
        anna = shopper()
        signals = a_visit(anna, count=30)
        record(project, signals[:7], signals[7:])
        before = standing(anna.customer_id)

        call_command("recompute_profiles", project.slug)

        assert standing(anna.customer_id) == before

    def test_of_two_who_turn_out_to_be_one_is_that_of_all_their_signals(
        self, project: Project, shopper: Shopper, scarf: Product
    ) -> None:
        anna, visitor = shopper("anna@example.com"), shopper("", anonymous_id="v-1")
        signals = a_visit(anna, seed=1)
        others = [
            make_signal(one.received_at, visitor, relevant_events=one.relevant_events, num_events=one.num_events)
            for one in a_visit(visitor, seed=2)
        ]
        record(project, signals, others)

        together = Sighting("x", {"email": "anna@example.com", "anonymous_id": "v-1"})
        joined = customer_services.resolve(project=project, sightings=[together], now=NOW)["x"].customer_id

        merged = standing(joined)
        assert merged["signal_count"] == 24
        assert IntentProfile.objects.count() == 1
        services.refold(customer=Customer.objects.get(pk=joined), now=NOW)
        assert standing(joined) == merged

    def test_of_two_with_different_half_lives_is_folded_anew(self, project: Project, shopper: Shopper) -> None:
        visitor = shopper("", anonymous_id="v-1")
        record(project, a_visit(visitor, seed=2))
        project.intent_half_life_hours = 24
        project.save()
        record(project, a_visit(shopper("anna@example.com"), seed=1))

        together = Sighting("x", {"email": "anna@example.com", "anonymous_id": "v-1"})
        joined = customer_services.resolve(project=project, sightings=[together], now=NOW)["x"].customer_id

        assert standing(joined)["half_life_hours"] == 24
        assert standing(joined)["signal_count"] == 24

    def test_keeps_its_half_life_until_it_is_folded_anew(self, project: Project, shopper: Shopper) -> None:
        anna = shopper()
        record(project, [make_signal(NOW, anna, **EXAMPLE, num_events=25)])
        project.intent_half_life_hours = 12
        project.save()
        later = NOW + minutes(1)

        (recorded,) = services.record_signals(
            project=project, signals=[make_signal(later, anna, **EXAMPLE, num_events=26)], now=later
        )

        assert recorded.values["intent_score"] >= 60
        assert services.refold_outdated(now=later) == 1
        assert services.refold_outdated(now=later) == 0
        profile = IntentProfile.objects.get()
        assert (profile.half_life_hours, profile.signal_count) == (12, 2)
        assert profile.intent_score >= 60


class TestTheSweeper:
    def test_lets_score_and_stage_fade_as_time_passes(self, project: Project, shopper: Shopper) -> None:
        record(project, [make_signal(NOW, shopper(), **EXAMPLE, num_events=25)] * 1)
        stages, moment = [], NOW
        for _ in range(200):
            profile = IntentProfile.objects.get()
            if not stages or stages[-1] != profile.stage:
                stages.append(profile.stage)
            if profile.review_at is None:
                break
            moment = profile.review_at
            assert services.refresh_due_profiles(now=moment - timedelta(seconds=1)) == 0
            assert services.refresh_due_profiles(now=moment) == 1

        assert stages == [Stage.LEAVING_WITH_INTENT, Stage.CONSIDERING, Stage.BROWSING, Stage.LAPSED]
        assert moment - NOW >= timedelta(days=30)
        assert services.refresh_due_profiles(now=moment + timedelta(days=99)) == 0

    def test_notices_an_order(self, project: Project, shopper: Shopper) -> None:
        record(project, [make_signal(NOW, shopper(), **EXAMPLE, num_events=25)])
        order = {"order_id": "1", "total": Decimal(10), "currency": "EUR", "placed_at": NOW}
        customer_services.record_order(project=project, identifiers={"email": "anna@example.com"}, **order, now=NOW)
        fact_services.sequence()

        assert services.follow_orders(now=NOW) == 1
        assert services.follow_orders(now=NOW) == 0

        profile = IntentProfile.objects.get()
        assert (profile.stage, profile.last_ordered_at) == (Stage.BOUGHT_RECENTLY, NOW)
        assert profile.review_at is not None
        assert NOW < profile.review_at <= NOW + timedelta(days=7)

    def test_is_what_the_task_runs(self, project: Project, shopper: Shopper) -> None:
        record(project, [make_signal(NOW - timedelta(days=400), shopper(), **EXAMPLE, num_events=25)])
        IntentProfile.objects.update(review_at=NOW - timedelta(days=400))

        tasks.refresh_due_profiles(unknown="argument")

        assert IntentProfile.objects.get().stage == Stage.LAPSED

    def test_goes_on_where_one_of_them_cannot_be_scored(self, project: Project, shopper: Shopper) -> None:
        broken, other = shopper("broken@example.com"), shopper("other@example.com")
        long_ago = NOW - timedelta(days=400)
        record(project, [make_signal(long_ago, one, **EXAMPLE, num_events=25) for one in (broken, other)])
        end_of_time = datetime(9999, 12, 31, 23, tzinfo=UTC)
        Order.objects.create(
            project=project, identifier=broken, order_id="9999", total=1, currency="EUR", placed_at=end_of_time
        )
        IntentProfile.objects.update(review_at=long_ago)

        assert services.refresh_due_profiles(now=NOW) == 1

        assert IntentProfile.objects.get(customer_id=other.customer_id).stage == Stage.LAPSED
        assert IntentProfile.objects.get(customer_id=broken.customer_id).review_at == NOW + timedelta(hours=1)

    def test_takes_few_statements_for_many(
        self,
        project: Project,
        shopper: Shopper,
        django_assert_max_num_queries: Callable[..., CaptureQueriesContext],
    ) -> None:
        record(project, [make_signal(NOW, shopper(f"{n}@example.com"), **EXAMPLE, num_events=n) for n in range(20)])

        with django_assert_max_num_queries(12):
            assert services.refresh_due_profiles(now=NOW + timedelta(days=40)) == 20


class TestInterests:
    def test_are_ranked_by_what_they_weigh_now_and_named_for_people(
        self, project: Project, shopper: Shopper, scarf: Product
    ) -> None:
        anna = shopper()
        record(
            project,
            [
                make_signal(NOW - timedelta(days=3), anna, relevant_events=[{"name": "/collections/felt-hats"}]),
                make_signal(NOW, anna, relevant_events=[{"name": "/products/wool-scarf"}] * 3),
                make_signal(NOW, anna, relevant_events=[{"name": "/products/grey-socks"}]),
            ],
        )

        top = services.top_interests(customer=anna.customer, now=NOW, limit=5)

        assert [(one.kind, one.label) for one in top] == [
            ("brand", "Nordlicht"),
            ("category", "Apparel > Scarves"),
            ("product", "Wool scarf"),
            ("product", "Grey socks"),
            ("category", "Felt hats"),
        ]
        assert [one.weight for one in top] == pytest.approx([3, 3, 3, 1, 0.5])
        assert len(services.top_interests(customer=anna.customer, now=NOW, limit=2)) == 2

    def test_of_a_category_are_one_whether_its_page_or_its_products_were_viewed(
        self, project: Project, shopper: Shopper, scarf: Product
    ) -> None:
        anna = shopper()
        pages = [{"name": "https://shop.example.com/en/collections/scarves"}, {"name": "/products/wool-scarf"}]
        record(project, [make_signal(NOW, anna, relevant_events=pages)])

        interest = Interest.objects.get(customer=anna.customer, kind=InterestKind.CATEGORY)

        assert (interest.name, services.label_of(interest)) == ("Apparel > Scarves", "Apparel > Scarves")
        (evidence,) = services.interest_evidence(interest=interest).signals
        assert (evidence.weight, len(evidence.pages)) == (2.0, 2)

    def test_that_were_searched_for_stand_in_quotes(self, project: Project, shopper: Shopper) -> None:
        anna = shopper()
        record(project, [make_signal(NOW, anna, relevant_events=[{"name": "/search?q=light"}])])

        assert services.label_of(Interest.objects.get(customer=anna.customer)) == "“light”"

    def test_fade_away(self, project: Project, shopper: Shopper) -> None:
        anna = shopper()
        record(project, [make_signal(NOW, anna, relevant_events=[{"name": "/products/wool-scarf"}])])

        assert services.top_interests(customer=anna.customer, now=NOW + timedelta(days=29), limit=5)
        assert services.top_interests(customer=anna.customer, now=NOW + timedelta(days=90), limit=5) == []


class TestTheFacet:
    def test_tells_the_story_in_plain_words(self, project: Project, shopper: Shopper, scarf: Product) -> None:
        anna = shopper()
        pages = ["/products/wool-scarf", "/products/wool-scarf", "/cart"]
        signal = make_signal(
            NOW,
            anna,
            drop_proba=0.97,
            num_events=25,
            num_broken_buttons=2,
            relevant_events=[{"name": page} for page in pages],
            issues=[{"field": "performance", "problem": "not a number"}],
        )
        bare = make_signal(NOW - minutes(5), anna)
        record(project, [signal, bare])

        entries = [entry for entry in customer_services.timeline(customer=anna.customer) if entry.kind == "signal"]

        assert [entry.title for entry in entries] == ["Viewed Wool scarf, Cart – exit likelihood 97 %", "Signal"]
        assert entries[0].detail == "25 events, 2 dead clicks, not read: performance"
        assert (entries[0].tone, entries[0].reference) == ("warn", str(signal.id))
        assert customer_services.timeline(customer=anna.customer, after=Place(NOW))[0].reference == str(bare.id)

    def test_exports_and_erases_everything(self, project: Project, shopper: Shopper) -> None:
        anna, bert = shopper("anna@example.com"), shopper("bert@example.com")
        record(project, [make_signal(NOW, who, **EXAMPLE, num_events=25) for who in (anna, bert)])

        facet = next(one for one in facets.all() if one.name == "shopper_signals")
        exported = {table.name: list(table.rows(anna.customer)) for table in facet.tables}
        customer_services.erase_customer(customer=anna.customer, now=NOW)

        assert [len(rows) for rows in exported.values()] == [1, 1, 2]
        assert json.dumps(exported)
        assert ShopperSignal.objects.get().identifier == bert
        assert IntentProfile.objects.get().customer_id == bert.customer_id
        assert set(Interest.objects.values_list("customer_id", flat=True)) == {bert.customer_id}


class TestTheCommand:
    def test_counts_the_profiles(self, project: Project, shopper: Shopper, capsys: pytest.CaptureFixture[str]) -> None:
        record(project, [make_signal(NOW, shopper(), **EXAMPLE, num_events=25)])
        shopper("never@example.com")

        call_command("recompute_profiles")

        assert json.loads(capsys.readouterr().out) == {"profiles": 2, "signals": 1}

    def test_knows_its_stores(self, project: Project) -> None:
        with pytest.raises(CommandError, match="nobody"):
            call_command("recompute_profiles", "nobody")

    def test_removes_what_no_signal_stands_behind(self, project: Project, shopper: Shopper) -> None:
        record(project, [make_signal(NOW, shopper(), **EXAMPLE, num_events=25)])
        ShopperSignal.objects.all().delete()

        call_command("recompute_profiles")

        assert not IntentProfile.objects.exists()
        assert not Interest.objects.exists()
