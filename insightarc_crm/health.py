"""Whether the process lives, and whether it can do its work: for load balancers, containers and people."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from signals_app.webhooks import services as webhooks

logger = logging.getLogger(__name__)


def livez(request: HttpRequest) -> JsonResponse:
    """Say that the process answers; a restart would not cure anything else."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """
    Say whether the database answers and has all migrations: 200 or 503, with the result of each check.

    The broker is left out: nothing that a request promises needs it. What is wrong with connections to Insightarc
    stands beside it, without names, and changes nothing: another process would not do better.
    """
    try:
        missing = unapplied_migrations()
    except DatabaseError:
        logger.exception("readiness check failed")
        checks = {"database": "unreachable", "migrations": "unknown"}
    else:
        checks = {"database": "ok", "migrations": "missing: " + ", ".join(missing) if missing else "ok"}
    if set(checks.values()) != {"ok"}:
        return JsonResponse({"status": "unavailable", "checks": checks}, status=503)
    return JsonResponse({"status": "ok", "checks": checks, "connections": connections()})


def connections() -> dict[str, Any]:
    """Return the open alerts by kind, and for how many seconds a signal has waited, if that is too long; else 0."""
    now = timezone.now()
    waiting_since = webhooks.oldest_waiting(now=now)
    return {
        "alerts": {kind: count for kind, count in webhooks.open_alerts().items() if count},
        "waiting_seconds": round((now - waiting_since).total_seconds()) if waiting_since else 0,
    }


def unapplied_migrations() -> list[str]:
    """
    Return the migrations that the code has and the database lacks, as `app.name`.

    :raises DatabaseError: if the database cannot be reached.
    """
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
