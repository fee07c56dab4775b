"""
What beat starts again and again: the sweepers that find the work which a lost wake-up call left behind.

Beat copies this schedule into the database when it starts (django-celery-beat), where the admin shows it.
"""

from datetime import timedelta
from typing import Any

EVERY_SECONDS = {
    "signals_app.facts.tasks.sequence": 5,
    "signals_app.webhooks.tasks.diagnose_failures": 5,
    "signals_app.webhooks.tasks.process_inbox": 10,
    "signals_app.webhooks.tasks.continue_replays": 10,
    "signals_app.customers.tasks.continue_erasures": 15,
    "signals_app.webhooks.tasks.continue_shop_syncs": 10,
    "signals_app.emails.tasks.send_due": 10,
    "signals_app.shopper_signals.tasks.continue_recomputations": 10,
    "signals_app.transfers.tasks.continue_transfers": 10,
    "signals_app.remarketing.tasks.queue_due_matches": 15,
    "signals_app.remarketing.tasks.follow_facts": 15,
    "signals_app.emails.tasks.recover_interrupted": 30,
    "signals_app.shopper_signals.tasks.refresh_due_profiles": 60,
    "signals_app.customers.tasks.continue_removals": 60,
    "signals_app.webhooks.tasks.watch_connections": 60,
    "signals_app.webhooks.tasks.probe_addresses": 60,
    "signals_app.segments.tasks.refresh_counts": 120,
    "signals_app.webhooks.tasks.count_coverage": 60,
    "signals_app.catalog.tasks.import_due_feeds": 30,
    "signals_app.remarketing.tasks.gather_calibration": 600,
    "signals_app.webhooks.tasks.compare_shops": 900,
    "insightarc_crm.tasks.prune": 3600,
}


def entry(task: str, seconds: int) -> dict[str, Any]:
    # A call that waited for a worker longer than its own interval has a successor already.
    return {"task": task, "schedule": timedelta(seconds=seconds), "options": {"expire_seconds": seconds}}


SCHEDULE = {task: entry(task, seconds) for task, seconds in EVERY_SECONDS.items()}
