"""
What a marketer waits for, through the admin's own views with Django's test client: no socket, everything else.

And what a program waits for: `identify` and `orders` through the REST API. Each read is of another profile.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from signals_app.customers.models import Identifier
from signals_app.projects import services as project_services
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.segments import services as segment_services
from signals_app.segments.models import Segment

MOST_WARM_UPS = 3
LIST = "/admin/customers/customer/"
THREE_CONDITIONS = {
    "all": [
        {"field": "intent_score", "op": "gte", "value": 30},
        {"field": "stage", "op": "not_in", "value": ["lapsed"]},
        {"field": "has_email", "op": "is_true"},
    ]
}
STAGE, SCORE = "intent_profile__stage", "intent_profile__intent_score_from"
FILTERS: dict[str, dict[str, str]] = {
    "leaving with intent": {STAGE: "leaving_with_intent"},
    "browsing": {STAGE: "browsing"},
    "lapsed": {STAGE: "lapsed"},
    "score from 60": {SCORE: "60"},
    "score to 5": {"intent_profile__intent_score_to": "5"},
    "consent granted": {"consent": "granted"},
    "consent denied": {"consent": "denied"},
    "never asked": {"consent": "none"},
    "has ordered": {"ordered": "yes"},
    "never ordered": {"ordered": "no"},
    "considering, consent granted": {STAGE: "considering", "consent": "granted"},
    "leaving, consent granted": {STAGE: "leaving_with_intent", "consent": "granted"},
    "lapsed, has ordered": {STAGE: "lapsed", "ordered": "yes"},
    "granted, has ordered": {"consent": "granted", "ordered": "yes"},
    "score from 30, never asked": {SCORE: "30", "consent": "none"},
}


def measure(*, api_key: str, times: int, profiles: int) -> dict[str, Any]:
    """
    Return {read: [milliseconds, ...]}.

    :raises RuntimeError: if a read is not answered as it should be.
    """
    project = Project.objects.get(slug="bench")
    browser, api = _signed_in(project), Client(headers={"authorization": f"Bearer {api_key}", "host": "127.0.0.1"})
    chance = random.Random(7)  # noqa: S311 - it spreads reads, nobody gains by guessing
    warm_ups = min(times, MOST_WARM_UPS)
    people = [chance.randrange(2, profiles + 1) for _ in range(warm_ups + times)]
    reads = _reads(project, browser, api, people, profiles)
    taken: dict[str, list[float]] = {name: [] for name in reads}
    for place in range(warm_ups + times):
        for name, read in reads.items():
            begun = time.perf_counter()
            read(place)
            if place >= warm_ups:
                taken[name].append((time.perf_counter() - begun) * 1_000)
    return taken


def _reads(
    project: Project, browser: Client, api: Client, people: list[int], profiles: int
) -> dict[str, Callable[[int], object]]:
    emails = list(
        Identifier.objects.filter(project=project, kind="email", value__startswith="crowd-")
        .order_by("?")
        .values_list("value", "customer__name")[: len(people)]
    )
    pages = [_page(f"crowd-{person}") for person in people]
    heavy, segment = _page("crowd-1"), _segment(project)
    page = min(20, 1 + (profiles - 1) // 50)  # a smoke run has fewer
    run = random.randrange(10**9)  # noqa: S311 - tells runs apart

    def search(words: Callable[[int], str]) -> Callable[[int], object]:
        return lambda place: _get(browser, f"{LIST}?{urlencode({'q': words(place)})}")

    def post(path: str, body: Callable[[int], dict[str, Any]]) -> Callable[[int], object]:
        return lambda place: _post(api, path, body(place))

    reads: dict[str, Callable[[int], object]] = {"List of profiles": lambda place: _get(browser, LIST)}
    for name, query in FILTERS.items():
        reads[f"List: {name}"] = lambda place, query=query: _get(browser, f"{LIST}?{urlencode(query)}")  # type: ignore[misc]
    return reads | {
        "List: segment of three conditions": lambda place: _get(browser, f"{LIST}?segment={segment.pk}"),
        "List: page 20": lambda place: _get(browser, f"{LIST}?p={page}"),
        "Search: customer ID": search(lambda place: f"crowd-{people[place]}"),
        "Search: e-mail": search(lambda place: emails[place % len(emails)][0]),
        "Search: beginning of e-mail": search(lambda place: emails[place % len(emails)][0].partition("@")[0][:-1]),
        "Search: beginning of name": search(lambda place: emails[place % len(emails)][1][:-1]),
        "Search: last name": search(lambda place: emails[place % len(emails)][1].partition(" ")[2]),
        "Profile page": lambda place: _get(browser, pages[place]),
        "Profile page, 5,000 signals": lambda place: _get(browser, heavy),
        "Timeline of signals, 5,000 signals": lambda place: _get(browser, f"{heavy}?show=signals&part=timeline"),
        "identify": post("identify/", lambda place: {"external_id": f"crowd-{people[place]}", "session_id": f"{run}-{place}"}),
        "orders": post(
            "orders/",
            lambda place: {
                "external_id": f"crowd-{people[place]}",
                "order_id": f"{run}-{place}",
                "total": "59.90",
                "currency": "EUR",
                "placed_at": timezone.now().isoformat(),
            },
        ),
        "Segment: count of three conditions": lambda place: segment_services.count_and_sample(
            project=project, tree=THREE_CONDITIONS, now=timezone.now()
        ),
    }  # fmt: skip


def _signed_in(project: Project) -> Client:
    user, _ = get_user_model().objects.get_or_create(username="bench", defaults={"is_staff": True})
    project_services.add_member(project=project, user=user, role=Role.OWNER)
    browser = Client(headers={"host": "127.0.0.1"})
    browser.force_login(user, backend="insightarc_crm.roles.RoleBackend")
    return browser


def _page(external_id: str) -> str:
    pk = Identifier.objects.values_list("customer_id", flat=True).get(kind="external_id", value=external_id)
    return f"{LIST}{pk}/change/"


def _segment(project: Project) -> Segment:
    return Segment.objects.get_or_create(project=project, name="Bench", defaults={"conditions": THREE_CONDITIONS})[0]


def _get(client: Client, path: str) -> None:
    answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"GET {path} was answered with {answer.status_code}: {answer.content[:300]!r}")


def _post(client: Client, path: str, body: dict[str, Any]) -> None:
    answer = client.post(f"/api/v1/{path}", data=body, content_type="application/json")
    if answer.status_code not in (200, 201):
        raise RuntimeError(f"POST {path} was answered with {answer.status_code}: {answer.content[:300]!r}")
