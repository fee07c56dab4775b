"""Everything that is due, done in the foreground: what the workers do, without workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from signals_app.customers import services as customer_services
from signals_app.emails import services as email_services
from signals_app.facts import services as fact_services
from signals_app.remarketing import services as remarketing_services
from signals_app.shopper_signals import services as signal_services
from signals_app.transfers import services as transfer_services
from signals_app.webhooks import pipeline
from signals_app.webhooks import services as webhook_services

BATCH = 500


def process_due(*, clock: Callable[[], datetime]) -> dict[str, int]:
    """
    Process signals, facts, matches and mails until nothing is due any more, and count them.

    `clock` is asked before each round, so that what became due meanwhile is done too.
    """
    counts: Counter[str] = Counter(
        imported=0, exported=0, replayed=0, signals=0, quarantined=0, failed=0, matches=0, facts=0, mails=0, profiles=0
    )
    while True:
        now = clock()
        imported = transfer_services.continue_import(now=now)
        exported = transfer_services.continue_export(now=now)
        replayed = webhook_services.continue_replay(now=now)
        batch = pipeline.process_batch(now=now, limit=BATCH)
        fact_services.sequence()
        facts = remarketing_services.follow_facts(now=now)
        matches = remarketing_services.queue_due_matches(now=now, limit=BATCH)
        mails = email_services.send_due(now=now, limit=BATCH)
        customer_services.continue_erasures(now=now, seconds=60)
        profiles = signal_services.refresh_due_profiles(now=now, limit=BATCH)
        done = {
            "imported": imported.rows,
            "exported": exported.rows,
            "replayed": replayed.handed_over,
            "signals": batch.processed,
            "quarantined": batch.quarantined,
            "failed": batch.failed,
            "facts": facts,
            "matches": matches.decided,
            "mails": mails.total,
            "profiles": profiles,
        }
        counts.update(done)
        if not (any(done.values()) or imported.is_more or exported.is_more):
            return dict(counts)
