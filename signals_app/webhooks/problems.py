"""What is wrong with a delivery, in groups and in words; the error that was stored with it says which group it is."""

from __future__ import annotations

from django.db.models import Q

from signals_app.webhooks.constants import Problem

BEGINNINGS: dict[Problem, tuple[str, ...]] = {
    Problem.NOT_JSON: ("The body is not JSON:",),
    Problem.NOT_AN_OBJECT: ("The body is JSON, but not",),
    Problem.TOO_DEEP: ("The body is nested too deeply",),
    Problem.CANNOT_BE_USED: ("Cannot be used:",),
    Problem.WORKER_ENDED: ("Given up: the worker ended",),
}
"""How an error of each group begins; whatever begins otherwise was given up."""

WHAT_TO_DO: dict[Problem, str] = {
    Problem.NOT_JSON: "The request was signed, but is not JSON. Look at the body; a replay will not change it.",
    Problem.NOT_AN_OBJECT: "The body is JSON, but not the object that a signal is. A replay will not change it.",
    Problem.TOO_DEEP: "Nobody sends this by accident: it can be set aside.",
    Problem.CANNOT_BE_USED: "Nothing of it was taken over. Mend it in the shop, which then sends it again, or set it aside.",
    Problem.WORKER_ENDED: "Give the worker more memory, or update the program; then replay it.",
    Problem.GAVE_UP: "Processing it failed each time. When the cause is mended, replay it: nothing is done twice.",
}


def problem_of(error: str) -> Problem:
    """Return the group that a stored error belongs to."""
    for problem, beginnings in BEGINNINGS.items():
        if error.startswith(beginnings):
            return problem
    return Problem.GAVE_UP


def error_is(problem: Problem, field: str = "error") -> Q:
    """Return the condition that a stored error belongs to a group."""
    if problem is Problem.GAVE_UP:
        return ~_begins([each for beginnings in BEGINNINGS.values() for each in beginnings], field)
    return _begins(BEGINNINGS[problem], field)


def in_words(error: str) -> str:
    """Return a stored error as a person reads it in a list: of what was given up, with the reason after it."""
    problem = problem_of(error)
    return f"{problem.label}: {error or 'no reason was noted'}" if problem is Problem.GAVE_UP else error


def _begins(beginnings: list[str] | tuple[str, ...], field: str) -> Q:
    condition = Q()
    for beginning in beginnings:
        condition |= Q(**{f"{field}__startswith": beginning})
    return condition
