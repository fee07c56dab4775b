"""What needs fixing: in groups with words, filtered, replayed all at once, set aside and brought back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.webhooks import bodies, pipeline, problems, services
from signals_app.webhooks.constants import InboxState, Problem, ReplayState
from signals_app.webhooks.models import InboxItem, ReplayRun, WebhookDelivery, WebhookSource

Post = Callable[..., Any]
LIST = "/admin/webhooks/inboxitem/"
MALFORMED = {
    Problem.NOT_JSON: b'{"num_events": 3,}',
    Problem.NOT_AN_OBJECT: b"[1]",
    Problem.TOO_DEEP: b"[" * 300 + b"]" * 300,
}


@pytest.fixture
def operator(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.OPERATOR)


@pytest.fixture
def stuck(post_signal: Post) -> dict[Problem, InboxItem]:
    """Return one delivery of each group of reasons."""
    for problem, body in MALFORMED.items():
        assert post_signal(body).status_code == 400, problem
    for number in range(3):
        post_signal({"num_events": number})
    ended, gave_up, unusable = InboxItem.objects.filter(state=InboxState.PENDING).order_by("pk")
    InboxItem.objects.filter(pk=ended.pk).update(attempts=6)
    pipeline.process_batch(now=timezone.now())
    item = {"state": InboxState.QUARANTINED, "attempts": 5, "error": "ValueError: <b>no</b> 100%"}
    InboxItem.objects.update_or_create(delivery=gave_up.delivery, source=gave_up.source, defaults=item)
    item["error"] = "Cannot be used: total_price: Must not be negative."
    InboxItem.objects.update_or_create(delivery=unusable.delivery, source=unusable.source, defaults=item)
    found = {problems.problem_of(item.error): item for item in InboxItem.objects.all()}
    return found


def shown(page: Any) -> set[Any]:
    return {item.pk for item in page.context["cl"].result_list}


def test_each_reason_belongs_to_its_group_in_python_and_in_the_database(stuck: dict[Problem, InboxItem]) -> None:
    assert set(stuck) == set(Problem)
    for problem, item in stuck.items():
        assert list(InboxItem.objects.filter(problems.error_is(problem)).values_list("pk", flat=True)) == [item.pk]


def test_the_list_counts_each_reason_and_one_click_filters_by_it(
    operator: Client, stuck: dict[Problem, InboxItem]
) -> None:
    page = operator.get(LIST)

    assert shown(page) == {item.pk for item in stuck.values()}
    groups = {group["label"]: group for group in page.context["counts"]}
    assert {label: group["count"] for label, group in groups.items()} == {problem.label: "1" for problem in Problem}
    for problem in Problem:
        assert shown(operator.get(groups[problem.label]["url"])) == {stuck[problem].pk}
    assert "ValueError: &lt;b&gt;no&lt;/b&gt; 100%" in page.content.decode()


def test_the_list_is_filtered_by_time_and_by_words(operator: Client, stuck: dict[Problem, InboxItem]) -> None:
    old = stuck[Problem.TOO_DEEP]
    WebhookDelivery.objects.filter(pk=old.pk).update(received_at=timezone.now() - timedelta(days=40))
    day = (timezone.now() - timedelta(days=30)).strftime("%Y-%m-%d")

    until = operator.get(LIST, {"delivery__received_at_to_0": day, "delivery__received_at_to_1": "00:00:00"})
    words = operator.get(LIST, {"q": "<b>no</b> 100%"})

    assert shown(until) == {old.pk}
    assert shown(words) == {stuck[Problem.GAVE_UP].pk}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, set(Problem)),
        ({"problem": "NOT_JSON"}, {Problem.NOT_JSON}),
        ({"q": "nested"}, {Problem.TOO_DEEP}),
        ({"problem": "GAVE_UP", "q": "nested"}, set()),
    ],
)
def test_all_that_match_are_replayed_after_their_number_was_shown(
    operator: Client, stuck: dict[Problem, InboxItem], query: dict[str, str], expected: set[Problem]
) -> None:
    page = operator.get(LIST, query)
    address = page.context["replay_matching"]

    asked = operator.get(address)
    before = ReplayRun.objects.exists()
    operator.post(address)
    while services.continue_replay(now=timezone.now()).handed_over:
        pass

    assert not before
    assert shown(page) == {stuck[problem].pk for problem in expected}
    assert set(InboxItem.objects.filter(state=InboxState.PENDING).values_list("pk", flat=True)) == shown(page)
    if expected:
        assert f"{len(expected)}: " in asked.content.decode()
        run = ReplayRun.objects.get()
        assert (run.state, run.expected, run.handed_over) == (ReplayState.DONE, len(expected), len(expected))
        assert run.started_by == "operator-nordlicht"


def test_choosing_all_pages_of_the_list_asks_first(operator: Client, stuck: dict[Problem, InboxItem]) -> None:
    chosen = {"action": "replay_selected", "_selected_action": [str(stuck[Problem.NOT_JSON].pk)], "select_across": "1"}

    answer = operator.post(f"{LIST}?problem=NOT_JSON", chosen)

    assert answer["Location"] == f"{LIST}replay-matching/?problem=NOT_JSON"
    assert not InboxItem.objects.filter(state=InboxState.PENDING).exists()


def test_what_was_set_aside_is_not_taken_for_what_needs_fixing(
    operator: Client, stuck: dict[Problem, InboxItem]
) -> None:
    aside = stuck[Problem.NOT_JSON]
    services.set_aside(items=InboxItem.objects.filter(pk=aside.pk), by="ada", now=timezone.now())
    chosen = {"action": "replay_selected", "_selected_action": [str(aside.pk)], "select_across": "1"}

    answer = operator.post(f"{LIST}?shown=aside", chosen, follow=True)

    assert answer.redirect_chain == [(f"{LIST}?shown=aside", 302)]
    assert "Bring them back first" in answer.content.decode()
    assert not InboxItem.objects.filter(state=InboxState.PENDING).exists()


def test_what_comes_back_says_that_it_was_replayed(operator: Client, stuck: dict[Problem, InboxItem]) -> None:
    item = stuck[Problem.NOT_JSON]

    answer = operator.post(reverse("admin:webhooks_inboxitem_replay", args=[item.pk]))
    pipeline.process_batch(now=timezone.now())
    page = operator.get(LIST, {"problem": "NOT_JSON"}).content.decode()

    assert answer["Location"] == reverse("admin:webhooks_webhookdelivery_change", args=[item.pk])
    assert "came back" in page
    item.refresh_from_db()
    assert (item.state, item.replays) == (InboxState.QUARANTINED, 1)


def test_what_was_mended_leaves_the_list_and_its_entry_leads_to_the_signal(
    operator: Client, stuck: dict[Problem, InboxItem]
) -> None:
    item = stuck[Problem.GAVE_UP]

    operator.post(reverse("admin:webhooks_inboxitem_replay", args=[item.pk]))
    pipeline.process_batch(now=timezone.now())

    entry = operator.get(reverse("admin:webhooks_webhookdelivery_change", args=[item.pk])).content.decode()
    assert item.pk not in shown(operator.get(LIST))
    assert reverse("admin:shopper_signals_shoppersignal_change", args=[item.pk]) in entry


def test_set_aside_leaves_the_list_but_not_the_log_and_says_by_whom(
    operator: Client, stuck: dict[Problem, InboxItem]
) -> None:
    item = stuck[Problem.TOO_DEEP]
    operator.post(LIST, {"action": "set_aside_selected", "_selected_action": [str(item.pk)]})

    aside = operator.get(LIST, {"shown": "aside"})
    entry = operator.get(reverse("admin:webhooks_webhookdelivery_change", args=[item.pk])).content.decode()

    assert item.pk not in shown(operator.get(LIST))
    assert shown(aside) == {item.pk}
    assert "by operator-nordlicht" in aside.content.decode()
    assert "Set aside by operator-nordlicht" in entry
    detail = operator.get(reverse("admin:webhooks_inboxitem_change", args=[item.pk])).content.decode()
    assert "Bring back" in detail

    operator.post(reverse("admin:webhooks_inboxitem_bring_back", args=[item.pk]))

    item.refresh_from_db()
    assert (item.state, item.set_aside_by, item.set_aside_at) == (InboxState.QUARANTINED, "", None)


def test_set_aside_is_replayed_only_when_it_is_named(stuck: dict[Problem, InboxItem], project: Project) -> None:
    everything = InboxItem.objects.filter(state=InboxState.QUARANTINED)
    services.set_aside(items=everything, by="ada", now=timezone.now())
    selection = services.Selection(scope="EVERYTHING", received_until=timezone.now() + timedelta(days=1))  # type: ignore[arg-type]

    assert services.start_replays(project=project, selection=selection, started_by="ada", now=timezone.now()) == []
    one = WebhookDelivery.objects.get(pk=stuck[Problem.GAVE_UP].pk)
    assert services.replay(deliveries=[one], now=timezone.now()) == 1
    assert InboxItem.objects.get(pk=one.pk).set_aside_by == ""


def test_only_those_who_may_replay_change_anything(
    sign_in: Callable[..., Client], stuck: dict[Problem, InboxItem], source: WebhookSource
) -> None:
    marketer, item = sign_in(Role.MARKETER), stuck[Problem.NOT_JSON]

    page = marketer.get(LIST).content.decode()
    for view in ("replay", "set_aside", "bring_back"):
        assert marketer.post(reverse(f"admin:webhooks_inboxitem_{view}", args=[item.pk])).status_code == 403
    assert marketer.post(f"{LIST}replay-matching/").status_code == 403
    assert marketer.get(reverse("admin:webhooks_webhookdelivery_replay_between")).status_code == 403
    marketer.post(LIST, {"action": "set_aside_selected", "_selected_action": [str(item.pk)]})

    assert "Replay all that match" not in page
    item.refresh_from_db()
    assert item.state == InboxState.QUARANTINED
    assert not ReplayRun.objects.exists()


class TestShowingWhereReadingStopped:
    @given(st.binary(max_size=300))
    def test_any_bytes_can_be_shown_and_printed(self, body: bytes) -> None:
        found = bodies.show(body)

        found.text.encode()
        assert all(sign.isprintable() or sign in "\n\r\t" for sign in found.text)
        assert found.mark is None or 0 <= found.mark <= len(found.text)

    @given(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda part: st.lists(part) | st.dictionaries(st.text(max_size=3), part),
        )
    )
    def test_indenting_moves_nothing_but_space(self, value: Any) -> None:
        body = json.dumps(value)

        assert json.loads(bodies.show(body.encode()).text) == value

    def test_numbers_and_repeated_names_stand_as_they_came(self) -> None:
        assert bodies.show(b'{"a":1e999,"a":1.10}').text == '{\n  "a": 1e999,\n  "a": 1.10\n}'

    def test_half_a_character_and_turned_writing_are_visible(self) -> None:
        assert bodies.show(b'"\\ud800"').text == '"\\ud800"'
        assert bodies.show("\u202etxt".encode()).text == "\\u202etxt"

    def test_beyond_the_cut_the_place_is_shown_with_what_is_around_it(self) -> None:
        found = bodies.show(b'{"a":"' + b"x" * 200_000 + b'" 3}')

        assert found.mark is not None
        assert found.text[found.mark :] == "3}"
        assert found.problem == "Reading stopped at character 200,009: Expecting ',' delimiter."
