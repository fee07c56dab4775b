"""Beat finds the sweepers without manual steps."""

from __future__ import annotations

import pytest
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from insightarc_crm.celery import app
from insightarc_crm.periodic_tasks import EVERY_SECONDS


@pytest.mark.django_db(transaction=True)
def test_beat_copies_the_schedule_into_the_database():
    DatabaseScheduler(app)

    rows = PeriodicTask.objects.exclude(name__startswith="celery.").select_related("interval")
    assert {row.task: row.interval.every for row in rows} == EVERY_SECONDS
    assert {row.task: row.expire_seconds for row in rows} == EVERY_SECONDS


def test_sweepers_of_signals_matches_and_mails_run_at_least_every_30_seconds():
    sweepers = {task: each for task, each in EVERY_SECONDS.items() if not task.endswith("gather_calibration")}
    for room in ("webhooks.tasks.process_inbox", "remarketing", "emails"):
        assert all(seconds <= 30 for task, seconds in sweepers.items() if f".{room}" in task)


def test_connections_are_watched_often_enough_to_tell_within_five_minutes():
    assert EVERY_SECONDS["signals_app.webhooks.tasks.watch_connections"] <= 60


def test_a_feed_is_read_as_soon_as_its_page_promises():
    assert EVERY_SECONDS["signals_app.catalog.tasks.import_due_feeds"] <= 60


def test_every_scheduled_task_exists():
    app.loader.import_default_modules()

    assert set(EVERY_SECONDS) <= set(app.tasks)
