"""What is gathered for calibration from a shop whose true probabilities are known."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from signals_app.customers.constants import OrderState
from signals_app.customers.models import Customer, Identifier, Order
from signals_app.emails.models import EmailMessage, EmailTemplate
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.remarketing import services, tasks
from signals_app.remarketing.constants import CalibrationState
from signals_app.remarketing.models import Calibration
from signals_app.remarketing.services import calibrating
from signals_app.shopper_signals.calibration import Reliability, Verdict
from signals_app.shopper_signals.models import ShopBaseline, ShopperSignal

PAGE = "/admin/remarketing/calibration/"
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Shop:
    """A shop whose shoppers order with the probability that their signals do not predict they leave with."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.template = EmailTemplate.objects.create(project=project, name="Mail", subject="Hello", mjml="<mjml/>")

    def shopper(self) -> Identifier:
        customer = Customer.objects.create(project=self.project, last_seen_at=NOW)
        return Identifier.objects.create(
            project=self.project, customer=customer, kind="anonymous_id", value=str(customer.pk)
        )

    def signal(self, shopper: Identifier, at: datetime, drop_proba: float | None, **said: Any) -> ShopperSignal:
        counted, _ = ShopBaseline.objects.get_or_create(project=self.project, day=at.date(), shard=0)
        ShopBaseline.objects.filter(pk=counted.pk).update(signal_count=counted.signal_count + 1)
        return ShopperSignal.objects.create(
            project=self.project, identifier=shopper, received_at=at, drop_proba=drop_proba, **said
        )

    def order(self, shopper: Identifier, at: datetime, **said: Any) -> Order:
        return Order.objects.create(
            project=self.project,
            identifier=shopper,
            order_id=uuid.uuid4().hex,
            total=Decimal(10),
            currency="EUR",
            placed_at=at,
            **said,
        )

    def mail(self, shopper: Identifier, at: datetime, **said: Any) -> EmailMessage:
        values = {"purpose": "REMARKETING", "state": "sent", **said}
        return EmailMessage.objects.create(
            project=self.project,
            identifier=shopper,
            template=self.template,
            send_key=uuid.uuid4().hex,
            due_at=at,
            sending_at=at,
            **values,
        )


@pytest.fixture
def shop(project: Project) -> Shop:
    return Shop(project)


def gather(now: datetime = NOW) -> Calibration:
    services.plan_calibration(now=now)
    while services.gather_calibration(now=now):
        pass
    return Calibration.objects.order_by("-week").first() or Calibration()


def exits(row: Calibration) -> Reliability:
    return Reliability.from_rows(row.exit_bins)


@pytest.fixture
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


class TestWhatIsGathered:
    def test_recovers_the_true_probabilities_of_a_shop(self, shop: Shop) -> None:
        chance = random.Random(7)
        people = [Customer(project=shop.project, last_seen_at=NOW) for _ in range(700)]
        Customer.objects.bulk_create(people)
        known = [
            Identifier(project=shop.project, customer=each, kind="anonymous_id", value=str(each.pk)) for each in people
        ]
        Identifier.objects.bulk_create(known)
        signals: list[ShopperSignal] = []
        orders: list[Order] = []
        for shopper in known:
            leaves, at = chance.random(), MONDAY + timedelta(minutes=chance.randrange(7 * 24 * 60))
            signals.append(
                ShopperSignal(project=shop.project, identifier=shopper, received_at=at, drop_proba=leaves, num_events=5)
            )
            if chance.random() >= leaves:
                placed = at + timedelta(hours=chance.uniform(0.1, 7 * 24 - 1))
                orders.append(
                    Order(
                        project=shop.project,
                        identifier=shopper,
                        order_id=str(len(orders)),
                        total=1,
                        currency="EUR",
                        placed_at=placed,
                    )
                )
        ShopperSignal.objects.bulk_create(signals)
        Order.objects.bulk_create(orders)
        ShopBaseline.objects.create(project=shop.project, day=MONDAY.date(), signal_count=len(signals))

        row = gather()

        found = exits(row)
        assert (row.state, found.count, row.shopper_count) == (CalibrationState.DONE, 700, 700)
        wrong = [each for each in found.bins if each.verdict() in (Verdict.MORE, Verdict.LESS)]
        assert len(wrong) <= 1
        assert found.brier is not None
        assert found.reference is not None
        assert found.brier < 0.8 * found.reference
        assert found.ranking is not None
        assert found.ranking > 0.75
        assert Reliability.from_rows(row.intent_bins).happened == found.count - found.happened

    def test_is_one_signal_a_shopper_and_day(self, shop: Shop) -> None:
        anna = shop.shopper()
        for day in range(2):
            for minute in range(9):
                shop.signal(anna, MONDAY + timedelta(days=day, minutes=minute), 0.5)
        shop.signal(anna, MONDAY + timedelta(days=3), None)

        assert exits(gather()).count == 2

    def test_counts_an_order_within_the_window_only(self, shop: Shop) -> None:
        for days in (6.9, 7.1, -0.5, -3):
            shopper = shop.shopper()
            shop.signal(shopper, MONDAY + timedelta(days=2), 0.5)
            shop.order(shopper, MONDAY + timedelta(days=2 + days))
        undone = shop.shopper()
        shop.signal(undone, MONDAY, 0.5)
        shop.order(undone, MONDAY + timedelta(days=1), state=OrderState.CANCELLED)

        row = gather()

        assert row.left_out_ordered == 1, "had ordered half a day before"
        assert (exits(row).count, exits(row).happened) == (4, 3)

    def test_leaves_out_who_got_a_mail(self, shop: Shop) -> None:
        for days, said in (
            (2, {}),
            (-2, {}),
            (3, {"state": "unknown"}),
            (8, {}),
            (2, {"state": "suppressed"}),
            (2, {"purpose": "TEST"}),
        ):
            shopper = shop.shopper()
            shop.signal(shopper, MONDAY + timedelta(days=1), 0.5)
            shop.mail(shopper, MONDAY + timedelta(days=1 + days), **said)

        row = gather()

        assert (row.left_out_mailed, exits(row).count) == (3, 3)

    def test_scores_a_shopper_as_of_the_signal(self, shop: Shop) -> None:
        anna = shop.shopper()
        shop.signal(anna, MONDAY - timedelta(hours=2), 0.1, num_events=25, relevant_events=[{"name": "/cart"}])
        shop.signal(anna, MONDAY, 0.5, num_events=25)
        shop.signal(
            anna, MONDAY + timedelta(days=8), 0.5, num_events=400, relevant_events=[{"name": "/products/x"}] * 9
        )

        gather()

        found = Reliability.from_rows(Calibration.objects.get(week=MONDAY.date()).intent_bins)
        assert found.count == 1
        assert found.mean_predicted is not None
        assert 0.4 < found.mean_predicted < 0.6, "activity and cart of the past, nothing of the future"

    def test_of_a_bot_is_left_out(self, shop: Shop, monkeypatch: Any) -> None:
        monkeypatch.setattr(calibrating, "MOST_SIGNALS", 5)
        bot = shop.shopper()
        for minute in range(6):
            shop.signal(bot, MONDAY + timedelta(minutes=minute), 0.5)

        assert exits(gather()).count == 0

    def test_of_a_large_store_is_a_part_always_the_same(self, shop: Shop, monkeypatch: Any) -> None:
        monkeypatch.setattr(calibrating, "SIGNALS_A_WEEK", 10)
        people = [shop.shopper() for _ in range(40)]
        for shopper in people:
            shop.signal(shopper, MONDAY, 0.5)

        row = gather()

        drawn = [each for each in people if calibrating.is_drawn(each.customer_id, one_in=4)]
        assert row.one_in == 4
        assert 0 < exits(row).count == len(drawn) < 40


class TestWhenItIsGathered:
    def test_is_once_the_window_lies_behind_the_week(self, shop: Shop) -> None:
        shop.signal(shop.shopper(), MONDAY + timedelta(days=6), 0.5)
        before = MONDAY + timedelta(days=14)

        assert services.plan_calibration(now=before) == 0
        assert services.plan_calibration(now=before + timedelta(days=1, hours=1)) == 1
        assert services.plan_calibration(now=before + timedelta(days=2)) == 0

    def test_is_in_slices_that_may_be_done_twice(self, shop: Shop, monkeypatch: Any) -> None:
        monkeypatch.setattr(calibrating, "SHOPPERS_AT_ONCE", 3)
        for _ in range(7):
            shop.signal(shop.shopper(), MONDAY, 0.5)
        services.plan_calibration(now=NOW)
        services.gather_calibration(now=NOW)
        stale = Calibration.objects.select_related("project").get()
        last_id, drawn = calibrating._next_shoppers(stale)
        again = calibrating.Gathered()
        for each in drawn:
            calibrating._gather(stale, each, again, NOW)

        row = gather()
        calibrating._note(stale, last_id, again, NOW)

        row.refresh_from_db()
        assert (exits(row).count, row.shopper_count) == (7, 7)

    @pytest.mark.usefixtures("frozen")
    def test_is_what_the_task_does(self, shop: Shop) -> None:
        shop.signal(shop.shopper(), MONDAY, 0.5)

        assert tasks.gather_calibration(unknown="argument") >= 2
        assert Calibration.objects.get().state == CalibrationState.DONE
        assert tasks.gather_calibration() == 0


class TestThePage:
    def test_says_how_many_samples_it_takes(self, shop: Shop, sign_in: Callable[..., Client]) -> None:
        page = sign_in(Role.ANALYST).get(PAGE).content.decode()

        assert "Not enough yet: need about 385 samples, 0 so far" in page
        assert "no mail" in page

    def test_shows_tables_and_charts_of_what_was_counted(
        self, project: Project, sign_in: Callable[..., Client]
    ) -> None:
        chance = random.Random(1)
        for number in range(4):
            found = [Reliability(), Reliability()]
            for _ in range(400):
                leaves = chance.random()
                goes = chance.random() < leaves
                found[0].note(predicted=leaves, happened=goes)
                found[1].note(predicted=0.9, happened=not goes)
            Calibration.objects.create(
                project=project,
                week=(MONDAY - timedelta(weeks=number)).date(),
                window_days=7,
                state="DONE",
                exit_bins=found[0].as_rows(),
                intent_bins=found[1].as_rows(),
                shopper_count=400,
            )

        page = sign_in(Role.ANALYST).get(PAGE).content.decode()

        assert "1,600" in page
        assert "As predicted" in page
        assert "It is worth something" in page
        assert "As a probability it is worse than always saying the average" in page
        assert "Order less often than score/100" in page
        assert "No drift" in page
        assert page.count('class="crm-point"') >= 10
        assert "<script>" not in page

    def test_is_of_the_current_store(self, project: Project, sign_in: Callable[..., Client]) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        Calibration.objects.create(
            project=other, week=MONDAY.date(), window_days=7, state="DONE", exit_bins=[[900, 30, 20.0, 9.0]] * 10
        )

        assert "9,000" not in sign_in(Role.OWNER).get(PAGE).content.decode()
