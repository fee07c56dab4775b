"""Whether the process lives, and whether it can do its work: for load balancers, containers and people."""

from __future__ import annotations

import logging

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

logger = logging.getLogger(__name__)


def livez(request: HttpRequest) -> JsonResponse:
    """Say that the process answers; a restart would not cure anything else."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """
    Say whether the database answers and has all migrations: 200 or 503, with the result of each check.

    The broker is left out: nothing that a request promises needs it.
    """
    try:
        missing = unapplied_migrations()
    except DatabaseError:
        logger.exception("readiness check failed")
        checks = {"database": "unreachable", "migrations": "unknown"}
    else:
        checks = {"database": "ok", "migrations": "missing: " + ", ".join(missing) if missing else "ok"}
    is_ready = set(checks.values()) == {"ok"}
    return JsonResponse(
        {"status": "ok" if is_ready else "unavailable", "checks": checks}, status=200 if is_ready else 503
    )


def unapplied_migrations() -> list[str]:
    """
    Return the migrations that the code has and the database lacks, as `app.name`.

    :raises DatabaseError: if the database cannot be reached.
    """
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
