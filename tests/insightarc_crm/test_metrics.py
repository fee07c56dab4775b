"""`/metrics`: what it tells, to whom, and that what several processes measured adds up."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from insightarc_crm import process_metrics
from signals_app.facts import services as facts
from signals_app.facts.constants import FactKind
from signals_app.facts.models import FailedFact
from signals_app.webhooks.constants import AlertKind, InboxState
from signals_app.webhooks.models import ConnectionAlert, InboxItem
from signals_app.webhooks.tasks import process_inbox

ROOT = Path(__file__).resolve().parents[2]


def scrape(client, **request):
    response = client.get("/metrics", **request)
    assert response.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


@pytest.mark.django_db
class TestWhoMayRead:
    def test_this_machine_may(self, client):
        assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 200
        assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200
        assert client.get("/metrics", REMOTE_ADDR="::ffff:127.0.0.1").status_code == 200

    @pytest.mark.parametrize("address", ["203.0.113.7", "10.0.0.5", "::2", ""])
    def test_others_find_nothing(self, client, address):
        response = client.get("/metrics", REMOTE_ADDR=address)

        assert (response.status_code, response.content) == (404, b"")

    def test_a_named_network_may(self, client, settings):
        settings.METRICS_ALLOW = [ip_network("10.0.0.0/24")]

        assert client.get("/metrics", REMOTE_ADDR="10.0.0.5").status_code == 200
        assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 404

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded"])
    def test_a_proxy_on_this_machine_does_not_lend_its_address_to_visitors(self, client, header):
        assert client.get("/metrics", REMOTE_ADDR="127.0.0.1", headers={header: "127.0.0.1"}).status_code == 404

    @pytest.mark.parametrize(
        ("forwarded", "status"), [("203.0.113.7", 404), ("127.0.0.1, 203.0.113.7", 404), ("127.0.0.1", 200)]
    )
    def test_behind_our_proxy_the_address_that_it_saw_counts(self, client, settings, forwarded, status):
        settings.BEHIND_TLS_PROXY = True

        response = client.get("/metrics", REMOTE_ADDR="172.18.0.2", headers={"X-Forwarded-For": forwarded})

        assert response.status_code == status

    @pytest.mark.parametrize(
        ("given", "status"), [("Bearer s3cret", 200), ("Bearer ", 404), ("s3cret", 404), ("é", 404)]
    )
    def test_whoever_has_the_token_may(self, client, settings, given, status):
        settings.METRICS_TOKEN = "s3cret"

        assert client.get("/metrics", REMOTE_ADDR="203.0.113.7", HTTP_AUTHORIZATION=given).status_code == status

    def test_an_empty_token_opens_nothing(self, client):
        assert client.get("/metrics", REMOTE_ADDR="203.0.113.7", HTTP_AUTHORIZATION="Bearer ").status_code == 404


@pytest.mark.django_db
class TestWhatItTells:
    def test_answers_are_counted_by_what_they_said(self, client, post_signal, example_body, source):
        before = scrape(client)

        post_signal(example_body())
        post_signal(example_body())
        post_signal(b"[]")
        post_signal(example_body(), secret="wrong")
        client.head(f"/webhooks/insightarc/{source.id}/")
        client.post("/webhooks/insightarc/nobody/", b"{}", content_type="application/json")

        after = scrape(client)
        for verdict in ("accepted", "duplicate", "malformed", "not_verified", "probe", "not_found"):
            name = ("insightarc_webhook_answer_seconds_count", ("verdict", verdict))
            assert after[name] - before.get(name, 0) == 1, verdict

    def test_the_inbox_is_counted_by_state_with_the_age_of_the_oldest(self, client, post_signal, example_body):
        for number in range(3):
            post_signal(example_body(num_events=number))
        post_signal(b"[]")
        InboxItem.objects.filter(state=InboxState.PENDING).update(due_at=timezone.now() - timedelta(seconds=90))

        found = scrape(client)

        assert found["insightarc_inbox_items", ("state", "pending")] == 3
        assert found["insightarc_inbox_items", ("state", "needs_fixing")] == 1
        assert found["insightarc_inbox_items", ("state", "parked")] == 0
        assert 90 <= found["insightarc_inbox_oldest_pending_seconds",] < 120

    def test_rejections_of_this_hour_are_told_by_source(self, client, post_signal, example_body, source):
        post_signal(example_body(), secret="wrong")

        found = scrape(client)

        labels = (("outcome", "bad_signature"), ("source", str(source.id)))
        assert found["insightarc_requests_this_hour", *labels] == 1

    def test_open_alerts_of_connections_are_told_by_kind(self, client, source):
        at = {"opened_at": timezone.now()}
        ConnectionAlert.objects.create(source=source, kind=AlertKind.SILENT, detail="No signal since 12:00.", **at)
        ConnectionAlert.objects.create(
            source=source, kind=AlertKind.INBOX, detail="Signals wait.", resolved_at=timezone.now(), **at
        )

        found = scrape(client)

        assert found["insightarc_connection_alerts", ("kind", "silent")] == 1
        assert found["insightarc_connection_alerts", ("kind", "inbox")] == 0

    def test_failed_facts_are_told_by_whether_they_are_tried_again(self, client, project):
        (fact,) = facts.record(project=project, kind=FactKind.ORDER_RECORDED, subject_ids=["1"])
        for reader, due_at in (("a", timezone.now()), ("b", timezone.now()), ("c", None)):
            FailedFact.objects.create(reader=reader, fact=fact, subject_ids=["1"], error="ValueError", due_at=due_at)

        found = scrape(client)

        assert found["insightarc_failed_facts", ("state", "waiting")] == 2
        assert found["insightarc_failed_facts", ("state", "given_up")] == 1

    def test_batches_and_tasks_are_measured_where_they_run(self, client, post_signal, example_body):
        name = process_inbox.name
        processed = ("insightarc_pipeline_deliveries_total", ("outcome", "processed"))
        before = scrape(client)
        post_signal(example_body())

        process_inbox.apply()

        after = scrape(client)
        assert after[processed] - before.get(processed, 0) == 1
        assert after["insightarc_pipeline_batch_size_sum",] - before["insightarc_pipeline_batch_size_sum",] == 1
        last_run = after["insightarc_task_last_success_timestamp_seconds", ("task", name)]
        assert abs(last_run - timezone.now().timestamp()) < 60
        assert after["insightarc_task_interval_seconds", ("task", name)] == 10

    def test_a_database_that_fails_is_said_and_the_rest_told(self, client, db):
        def fail(*_):
            raise OperationalError("no connection")

        with connection.execute_wrapper(fail):
            found = scrape(client)

        assert found["insightarc_database_up",] == 0
        assert ("insightarc_pipeline_batch_size_count",) in found

    def test_a_scrape_asks_little_however_much_there_is(
        self, client, post_signal, example_body, django_assert_max_num_queries
    ):
        for number in range(3):
            post_signal(example_body(num_events=number))

        with django_assert_max_num_queries(16):
            scrape(client)

    def test_no_person_and_no_text_of_a_stranger_becomes_a_label(self, client, post_signal, example_body):
        post_signal(example_body(email="planted@example.com"))
        client.generic("PLANTED", "/webhooks/insightarc/planted/", b"planted", headers={"X-Planted": "planted"})

        assert b"planted" not in client.get("/metrics").content.lower()


MEASURE = """
import sys
import insightarc_crm
from prometheus_client import Counter
counter = Counter("things", "Things.", ["kind"])
for _ in range(int(sys.argv[1])):
    counter.labels("a").inc()
print("ready", flush=True)
sys.stdin.readline()
"""


class TestSharing:
    def start(self, folder, count):
        environment = os.environ | {process_metrics.VARIABLE: str(folder), "DATA_DIR": str(folder / "data")}
        process = subprocess.Popen(
            [sys.executable, "-c", MEASURE, str(count)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "ready\n"
        return process

    def end(self, process):
        process.kill()
        process.communicate()

    def total(self, folder, monkeypatch):
        monkeypatch.setenv(process_metrics.VARIABLE, str(folder))
        return process_metrics.registry().get_sample_value("things_total", {"kind": "a"})

    def test_what_living_and_killed_processes_measured_adds_up(self, tmp_path, monkeypatch):
        first, second = self.start(tmp_path, 2), self.start(tmp_path, 3)
        assert self.total(tmp_path, monkeypatch) == 5

        self.end(first)
        third = self.start(tmp_path, 5)

        assert self.total(tmp_path, monkeypatch) == 10
        self.end(second)
        self.end(third)
        assert self.total(tmp_path, monkeypatch) == 10

    def test_restarts_leave_no_files_behind(self, tmp_path, monkeypatch):
        for _ in range(3):
            self.end(self.start(tmp_path, 1))

        assert self.total(tmp_path, monkeypatch) == 3
        assert len(list(tmp_path.glob("*.db"))) == len(process_metrics.KINDS)

    def test_a_torn_file_is_begun_anew(self, tmp_path, monkeypatch):
        self.end(self.start(tmp_path, 1))
        (torn,) = tmp_path.glob("counter_*.db")
        torn.write_bytes(b"\xff\xff\x00\x00" + b"\x99" * 100_000)

        self.end(self.start(tmp_path, 4))

        assert self.total(tmp_path, monkeypatch) == 4

    def test_a_disk_without_room_leaves_each_process_its_own_numbers(self, tmp_path, monkeypatch):
        def full(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setenv(process_metrics.VARIABLE, str(tmp_path))
        monkeypatch.setattr(os, "posix_fallocate", full)
        monkeypatch.setattr(process_metrics.values, "ValueClass", process_metrics.values.ValueClass)

        process_metrics.share()

        assert process_metrics.values.ValueClass is process_metrics.values.MutexValue
        assert process_metrics.VARIABLE not in os.environ
