"""What `inside.py` can be ordered to do; arguments and answers are JSON."""

from __future__ import annotations

import hashlib
import io
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from celery import current_app
from django.db import connection, transaction
from django.utils import timezone

from benchmarks import admin_reads, cloning, crowd, key_reads, traffic
from insightarc_crm.garbage import collect_only_what_is_new
from insightarc_crm.project_setup import set_up_project
from signals_app.core import bulk
from signals_app.core.models import new_id
from signals_app.customers import services as customers
from signals_app.projects.models import Project
from signals_app.remarketing import services as remarketing
from signals_app.remarketing.constants import RuleAction
from signals_app.remarketing.models import RemarketingRule
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.transfers import services as transfers
from signals_app.webhooks import tasks
from signals_app.webhooks.constants import DeliveryVerdict, InboxState
from signals_app.webhooks.models import InboxItem, SeenBody, WebhookDelivery, WebhookSource
from signals_app.webhooks.wakeup import TASK

ROWS_AT_ONCE = 1_000


def set_up(*, url: str, secret: str, rules: int) -> dict[str, Any]:
    """Make the store with its connection and automations, all active."""
    made = set_up_project(slug="bench", webhook_url=url, secret=secret, examples=None, now=timezone.now())
    for name, trigger in traffic.triggers(rules):
        rule = RemarketingRule(
            project=made.project, name=name, trigger=trigger, action=RuleAction.MEASURE_ONLY, holdout_percent=0
        )
        remarketing.activate(rule=remarketing.save_rule(rule=rule))
    return {"path": made.webhook_path, "url": made.webhook_url, "api_key": made.api_key}


def fill(*, first: int, count: int, shoppers: int) -> dict[str, Any]:
    """Put signals into the inbox as if they had been received, a millisecond apart, the last just now."""
    source, begun = WebhookSource.objects.get(), timezone.now() - timedelta(milliseconds=count)
    received = (
        (new_id(), traffic.body(first + place, shoppers=shoppers), begun + timedelta(milliseconds=place))
        for place in range(count)
    )
    while chunk := list(islice(received, ROWS_AT_ONCE)):
        with transaction.atomic():
            _store(source.pk, chunk)
    return {"filled": count}


def _store(source_id: uuid.UUID, received: Iterable[tuple[uuid.UUID, bytes, datetime]]) -> None:
    rows = [(pk, raw, hashlib.sha256(raw).digest(), at) for pk, raw, at in received]
    accepted, pending = DeliveryVerdict.ACCEPTED.value, InboxState.PENDING.value
    bulk.write_rows(
        WebhookDelivery,
        fields=("id", "source", "received_at", "verdict", "body", "body_sha256", "content_type"),
        rows=[(pk, source_id, at, accepted, raw, digest, "application/json") for pk, raw, digest, at in rows],
    )
    bulk.write_rows(
        SeenBody,
        fields=("source", "body_sha256", "delivery_id", "accepted_at", "duplicate_count"),
        rows=[(source_id, digest, pk, at, 0) for pk, _, digest, at in rows],
    )
    bulk.write_rows(
        InboxItem,
        fields=("delivery", "source", "state", "due_at", "error", "attempts"),
        rows=[(pk, source_id, pending, at, "", 0) for pk, _, _, at in rows],
    )


def _process_inbox(_: int) -> None:
    try:
        tasks.process_inbox()
    finally:
        connection.close()


def drain() -> dict[str, Any]:
    """
    Process the inbox as a worker does, in as many threads, until it is empty.

    :raises RuntimeError: unless every waiting delivery became a signal.
    """
    waiting, stored = InboxItem.objects.count(), ShopperSignal.objects.count()
    collect_only_what_is_new()
    begun, processor = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(tasks.DRAINING_THREADS) as threads:
        while InboxItem.objects.filter(state=InboxState.PENDING).exists():
            list(threads.map(_process_inbox, range(tasks.DRAINING_THREADS)))
    seconds, processor_seconds = time.perf_counter() - begun, time.process_time() - processor
    done = ShopperSignal.objects.count() - stored
    if done != waiting:
        raise RuntimeError(f"{waiting} signals waited, and {done} were recorded.")
    return {"signals": done, "seconds": seconds, "processor_seconds": processor_seconds}


def wake() -> dict[str, Any]:
    """Wake a worker, as the web server does."""
    current_app.send_task(TASK)
    return {}


def clone(*, copies: int) -> dict[str, Any]:
    """Multiply what is stored by `copies` + 1, and check that the copies have the shape of what they are copies of."""
    return cloning.multiply(copies)


def read(*, api_key: str, times: int, shoppers: int) -> dict[str, Any]:
    """Return the milliseconds of each key read, `times` each, of different shoppers."""
    return key_reads.measure(api_key=api_key, times=times, shoppers=shoppers)


def fill_crowd(*, upto: int, signals_each: int) -> dict[str, Any]:
    """Fill the store up to so many profiles, whatever there is of them."""
    return crowd.fill(upto=upto, signals_each=signals_each)


def read_admin(*, api_key: str, times: int, profiles: int) -> dict[str, Any]:
    """Return the milliseconds of what a marketer and a program wait for, `times` each."""
    return admin_reads.measure(api_key=api_key, times=times, profiles=profiles)


HEADINGS = {"consents": "E-mail,Opt-in,Date", "profiles": "E-mail,First name,Last name,Country"}
PROOF = {"source": "newsletter form", "wording": "Yes, mail me about new things."}


def _imported_row(kind: str, number: int) -> tuple[str, ...]:
    email = f"reader-{number}@shopper.example"
    if kind == "consents":
        return email, "yes" if number % 10 else "no", f"2026-{number % 9 + 1:02}-{number % 28 + 1:02}"
    return email, f"First{number % 997}", f"Last{number % 3001}", "DE"


def import_list(*, kind: str, first: int, count: int) -> dict[str, Any]:
    """
    Import a list as a worker does, from the upload to its end.

    :raises RuntimeError: unless every row was stored, or known.
    """
    rows = "\n".join(",".join(_imported_row(kind, number)) for number in range(first, first + count))
    collect_only_what_is_new()
    begun = time.perf_counter()
    run = transfers.receive_file(
        project=Project.objects.get(),
        kind=kind,
        file=io.BytesIO(f"{HEADINGS[kind]}\n{rows}\n".encode()),
        name="list.csv",
        by="benchmark",
        now=timezone.now(),
    )
    options = {**run.options, **(PROOF if kind == "consents" else {})}
    transfers.choose_columns(run=run, columns=run.columns, options=options)
    transfers.start(run=run, is_check=False, now=timezone.now())
    while transfers.continue_import(now=timezone.now(), run_id=run.pk).is_more:
        pass
    seconds = time.perf_counter() - begun
    run.refresh_from_db()
    if run.state != "DONE" or run.rows_read != count or run.failed_count:
        raise RuntimeError(f"{run.state}: {run.rows_read} of {count} rows, {run.failed_count} failed: {run.problem}")
    return {"seconds": seconds}


def import_singly(*, kind: str, first: int, count: int) -> dict[str, Any]:
    """Give the same rows one by one to the service behind the REST API."""
    project, now = Project.objects.get(), timezone.now()
    rows = [_imported_row(kind, number) for number in range(first, first + count)]
    begun = time.perf_counter()
    for email, *said in rows:
        if kind == "consents":
            at = datetime.fromisoformat(said[1]).replace(tzinfo=now.tzinfo)
            customers.record_consent(
                project=project,
                identifiers={"email": email},
                granted=said[0] == "yes",
                occurred_at=at,
                now=now,
                **PROOF,
            )
        else:
            attributes = dict(zip(("first_name", "last_name", "country"), said, strict=True))
            customers.identify(project=project, identifiers={"email": email}, attributes=attributes, now=now)
    return {"seconds": time.perf_counter() - begun}


ORDERS: dict[str, Callable[..., dict[str, Any]]] = {
    one.__name__: one
    for one in (set_up, fill, drain, wake, clone, read, fill_crowd, read_admin, import_list, import_singly)
}
