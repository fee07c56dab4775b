import json
import random
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from signals_app.webhooks import services, signature, simulation
from signals_app.webhooks.constants import SignatureForm
from signals_app.webhooks.javascript import stringify
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.payload import parse
from signals_app.webhooks.simulation import Posting, Purchase, Scenario
from signals_app.webhooks.twin import Twin

SHOP = simulation.default_shop("https://shop.example")
START = datetime(2026, 10, 1, tzinfo=UTC)
END = START + timedelta(days=30)
CHECK = Path(__file__).parents[1] / "contract" / "verify_signature.mjs"


def history(seed: int = 1, shoppers: int = 40) -> list[simulation.Event]:
    return list(simulation.history(seed=seed, shop=SHOP, shoppers=shoppers, start=START, end=END))


def test_the_same_seed_tells_the_same_story() -> None:
    assert history(seed=3) == history(seed=3)
    assert history(seed=3) != history(seed=4)


def test_history_is_in_order_and_inside_its_time() -> None:
    times = [event.at for event in history()]

    assert times == sorted(times)
    assert times[0] >= START
    assert times[-1] < END


def test_every_body_is_clean_and_within_the_documented_ranges() -> None:
    for event in history():
        if isinstance(event, Posting):
            assert parse(stringify(event.body).encode()).issues == []


def test_no_two_signals_are_the_same_bytes() -> None:
    bodies = [stringify(event.body) for event in history() if isinstance(event, Posting)]

    assert len(set(bodies)) == len(bodies)


@pytest.mark.parametrize("scenario", [scenario for scenario in Scenario if scenario != Scenario.COMING_BACK])
def test_events_only_grow_during_a_visit(scenario: Scenario) -> None:
    person = simulation.shopper(1, seed=1, shop=SHOP)

    events = list(simulation.visit(person, shop=SHOP, at=START, luck=random.Random(2), scenario=scenario))

    counts = [event.body["num_events"] for event in events if isinstance(event, Posting)]
    assert counts == sorted(counts)
    assert isinstance(events[-1], Purchase) == (scenario == Scenario.BUYING)


def test_a_shopper_who_is_leaving_is_reported_as_leaving() -> None:
    person = simulation.shopper(1, seed=1, shop=SHOP)

    *_, last = simulation.visit(person, shop=SHOP, at=START, luck=random.Random(2), scenario=Scenario.LEAVING)

    assert isinstance(last, Posting)
    assert last.body["drop_proba"] >= 0.8


def test_a_shopper_who_comes_back_does_so_in_a_later_visit() -> None:
    person = simulation.shopper(1, seed=1, shop=SHOP)

    events = list(simulation.visit(person, shop=SHOP, at=START, luck=random.Random(2), scenario=Scenario.COMING_BACK))

    postings = [event for event in events if isinstance(event, Posting)]
    assert len({posting.body["session_id"] for posting in postings}) == 2
    assert [event.at for event in events] == sorted(event.at for event in events)


def test_an_unknown_shopper_has_neither_address_nor_consent() -> None:
    people = [simulation.shopper(number, seed=1, shop=SHOP) for number in range(200)]

    strangers = [person for person in people if not person.is_logged_in]

    assert strangers
    assert not any(person.has_consented or "email" in person.identity for person in strangers)


@pytest.mark.node
@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_a_receiver_written_after_the_documentation_accepts_every_scenario() -> None:
    url = "https://crm.example.com/webhooks/insightarc/1/"
    postings = [event for event in history(shoppers=20) if isinstance(event, Posting)]
    cases = [
        {"body": body, "signature": signature.sign("whsec_test", body.encode(), url)}
        for body in (stringify(posting.body) for posting in postings)
    ]
    assert any(not case["body"].isascii() for case in cases)

    answer = subprocess.run(
        ["node", CHECK, "whsec_test", url],  # noqa: S607
        input=json.dumps(cases), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert answer.returncode == 0, answer.stderr


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", SignatureForm)
def test_the_twin_signs_in_each_form_and_is_accepted_where_that_form_is(
    live_server: Any, source: WebhookSource, form: SignatureForm
) -> None:
    post_to = live_server.url + services.webhook_path(source.id)
    twin = Twin(url=source.registered_urls[0], secret="whsec_test", post_to=post_to, signature_form=form)
    person = simulation.shopper(1, seed=1, shop=SHOP)
    first, second = (
        Posting(START, person, {"num_events": number, "relevant_events": [{"name": "Größe – gewählt"}]})
        for number in (1, 2)
    )

    twin.send(first)
    services.configure_source(source=source, signature_form=form)
    twin.send(second)

    assert twin.answers == ({"200": 2} if form == SignatureForm.AS_SENT else {"401": 1, "200": 1})
