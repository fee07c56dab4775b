"""Without workers, `process_due` does what they would do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from insightarc_crm.due_work import process_due
from signals_app.customers import services as customers
from signals_app.customers.constants import Evidence
from signals_app.customers.models import Customer, IdentityEdge, LinkRemoval
from signals_app.customers.services import Sighting
from signals_app.projects.models import Project
from signals_app.shopper_signals import services as signals
from signals_app.shopper_signals.constants import RecomputeState
from signals_app.shopper_signals.models import IntentProfile
from tests.shopper_signals.conftest import make_signal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def test_finishes_what_people_have_started(project: Project) -> None:
    seen = {"email": "ada@example.com", "anonymous_id": "browser"}
    ada = customers.resolve(project=project, sightings=[Sighting("1", seen, evidence=Evidence.CLICK)], now=NOW)["1"]
    gone = customers.identify(project=project, identifiers={"email": "bob@example.com"}, now=NOW).customer
    signals.record_signals(project=project, signals=[make_signal(NOW, ada, num_events=3)], now=NOW)
    customers.begin_erasure(customer=gone, now=NOW)
    customers.undo_links_of_kind(project=project, evidence=Evidence.CLICK, by="Ida", now=NOW)
    run, _ = signals.start_recompute(project=project, started_by="Ida", now=NOW)

    done = process_due(clock=lambda: LATER)

    run.refresh_from_db()
    assert run.state == RecomputeState.DONE
    assert not Customer.everyone.filter(pk=gone.pk).exists()
    assert not IdentityEdge.objects.exists()
    assert LinkRemoval.objects.get().finished_at == LATER
    assert done["links_undone"] == 1


def test_follows_a_new_half_life(project: Project) -> None:
    ada = customers.resolve(project=project, sightings=[Sighting("1", {"email": "ada@example.com"})], now=NOW)["1"]
    signals.record_signals(project=project, signals=[make_signal(NOW, ada, num_events=3)], now=NOW)
    Project.objects.update(intent_half_life_hours=24)

    process_due(clock=lambda: LATER)

    assert IntentProfile.objects.get().half_life_hours == 24
