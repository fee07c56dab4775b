from __future__ import annotations

from celery import shared_task

from signals_app.facts import services

MAX_ROUNDS = 20
"""Rounds of one wake-up; what is left then waits for the next, so that one task stays short."""


@shared_task
def sequence(**kwargs: object) -> int:
    """Give positions to the facts that wait for one."""
    count = 0
    for _ in range(MAX_ROUNDS):
        given = services.sequence()
        count += given
        if not given:
            break
    return count
