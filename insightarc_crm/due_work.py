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
from signals_app.shops import services as shop_services
from signals_app.transfers import services as transfer_services
from signals_app.webhooks import pipeline
from signals_app.webhooks import services as webhook_services

BATCH = 500


def process_due(*, clock: Callable[[], datetime]) -> dict[str, int]:
    """
    Do what people have started, and process signals, facts, matches and mails, until nothing is due; count it all.

    `clock` is asked before each round, so that what became due meanwhile is done too.
    """
    counts: Counter[str] = Counter()
    while True:
        now = clock()
        imported = transfer_services.continue_import(now=now)
        exported = transfer_services.continue_export(now=now)
        done = {"imported": imported.rows, "exported": exported.rows} | _go_on(now) | _follow(now)
        counts.update(done)
        if not (any(done.values()) or imported.is_more or exported.is_more):
            return dict(counts)


def _go_on(now: datetime) -> dict[str, int]:
    """Go on with what people have started."""
    customer_services.continue_erasures(now=now, seconds=60)
    return {
        "pages_of_shops": shop_services.continue_syncs(api_of=webhook_services.api_of_shop, now=now),
        "links_undone": customer_services.continue_removals(now=now),
        "recomputed_slices": int(signal_services.continue_recompute(now=now)),
        "replayed": webhook_services.continue_replay(now=now).handed_over,
    }


def _follow(now: datetime) -> dict[str, int]:
    """Process what came, and do what follows from it."""
    batch = pipeline.process_batch(now=now, limit=BATCH)
    fact_services.sequence()
    return {
        "signals": batch.processed,
        "quarantined": batch.quarantined,
        "failed": batch.failed,
        "facts": remarketing_services.follow_facts(now=now),
        "matches": remarketing_services.queue_due_matches(now=now, limit=BATCH).decided,
        "mails": email_services.send_due(now=now, limit=BATCH).total,
        "profiles": sum(step(now=now) for step in signal_services.PROFILE_STEPS),
    }
