"""The builder of conditions, as a person uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from signals_app.customers.models import Customer
from signals_app.projects.models import Project
from signals_app.segments.models import Segment
from signals_app.shopper_signals.constants import Stage
from signals_app.shopper_signals.models import IntentProfile
from tests.browser.building import add, choose_field, compare, condition, groups_in, join, root_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SEGMENTS = "/admin/segments/segment/"
HOSTILE = '<img src=x onerror="window.takenOver=1">'


@pytest.fixture
def shoppers(transactional_db: None, project: Project) -> list[Customer]:
    found = []
    for number in range(20):
        customer = Customer.objects.create(
            project=project, email=f"s{number}@example.com" if number % 2 else "", name=f"{HOSTILE} {number}"
        )
        stage = Stage.HIGH_INTENT if number < 5 else Stage.BROWSING
        IntentProfile.objects.create(
            customer=customer, project=project, intent_score=number * 5, stage=stage, last_drop_proba=number / 20
        )
        found.append(customer)
    return found


TREE: dict[str, Any] = {
    "all": [
        {"field": "last_drop_proba", "op": "gte", "value": 0.1},
        {
            "any": [
                {"field": "stage", "op": "in", "value": ["high_intent", "lapsed"]},
                {
                    "not": {
                        "any": [
                            {"field": "has_email", "op": "is_true"},
                            {"field": "intent_score", "op": "lt", "value": 80},
                        ]
                    }
                },
            ]
        },
    ]
}


def test_a_nested_tree_is_built_by_clicking_counted_saved_and_opened_again(
    open_page: Callable[..., Page], shoppers: list[Customer]
) -> None:
    page = open_page(f"{SEGMENTS}add/")
    count = page.locator("[data-count]")
    expect(count).to_have_text("20")
    page.fill("#id_name", "Nested")
    root = root_of(page)

    choose_field(condition(root, 0), "exit likelihood")
    condition(root, 0).locator("[data-value]").fill("10")
    expect(count).to_have_text("18")
    expect(condition(root, 0)).to_contain_text("keeps 90 % of profiles")
    add(root, "group")
    either = groups_in(root).nth(0)
    join(either, "any one of these holds")
    choose_field(condition(either, 0), "stage")
    for stage in ("high_intent", "lapsed"):
        condition(either, 0).locator(f"[data-choice={stage}]").check(force=True)
    expect(count).to_have_text("3")
    add(either, "group")
    neither = groups_in(either).nth(0)
    join(neither, "none of these holds")
    choose_field(condition(neither, 0), "has an e-mail")
    add(neither, "rule")
    compare(condition(neither, 1), "intent score", "lt", "80")
    expect(count).to_have_text("5")
    expect(page.locator("[data-sentence]")).to_contain_text(
        "not (Has an e-mail address is yes or Intent score is less than"
    )
    page.click("[name=_save]")
    page.wait_for_url(f"**{SEGMENTS}")

    segment = Segment.objects.get()
    assert segment.conditions == TREE
    assert (segment.profile_count, segment.is_count_exact) == (5, True)
    page.goto(page.url + f"{segment.pk}/change/")
    expect(page.locator("[data-count]")).to_have_text("5")
    expect(page.locator("[data-condition]")).to_have_count(4)
    page.click("[name=_save]")
    page.wait_for_url(f"**{SEGMENTS}")
    segment.refresh_from_db()
    assert segment.conditions == TREE


def test_it_is_used_with_the_keyboard_alone(open_page: Callable[..., Page], shoppers: list[Customer]) -> None:
    page = open_page(f"{SEGMENTS}add/")
    root = root_of(page)
    condition(root, 0).locator("[data-field-button]").focus()

    page.keyboard.press("Enter")
    page.keyboard.type("mails in")
    page.keyboard.press("Escape")
    expect(condition(root, 0).locator("[data-field-search]")).to_have_count(0)
    page.keyboard.press("Enter")
    page.keyboard.type("stage")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(condition(root, 0)).to_have_attribute("data-condition", "stage")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(condition(root, 0).locator("[data-choice]:checked")).to_have_count(1)
    root.locator("[data-add-rule]").press("Enter")
    expect(condition(root, 1).locator("[data-field-button]")).to_be_focused()


def test_what_is_wrong_stands_beside_its_condition(open_page: Callable[..., Page], shoppers: list[Customer]) -> None:
    page = open_page(f"{SEGMENTS}add/")
    root = root_of(page)
    page.fill("#id_name", "Wrong")
    choose_field(condition(root, 0), "orders")
    expect(condition(root, 0)).to_contain_text("“Orders” needs a value.")
    condition(root, 0).locator("[data-value]").fill(HOSTILE)
    expect(condition(root, 0)).to_contain_text("“Orders” needs a number.")

    page.click("[name=_save]")

    expect(page.locator(".errorlist, .errornote").first).to_be_visible()
    expect(root_of(page).locator("[data-value]")).to_have_value(HOSTILE)
    assert not page.evaluate("window.takenOver")
    assert not Segment.objects.exists()
    condition(root_of(page), 0).locator("[data-value]").fill("3")
    expect(page.locator("[data-count]")).to_have_text("0")


def test_hostile_names_and_values_are_text(open_page: Callable[..., Page], shoppers: list[Customer]) -> None:
    segment = Segment.objects.create(
        project=shoppers[0].project,
        name=HOSTILE,
        conditions={"all": [{"field": "name", "op": "in", "value": [f"{HOSTILE} 1", "</script><script>x"]}]},
    )

    page = open_page(f"{SEGMENTS}{segment.pk}/change/")

    expect(page.locator("[data-audience]")).to_contain_text(f"{HOSTILE} 1")
    expect(page.locator("[data-builder] [data-value]")).to_have_value(f"{HOSTILE} 1\n</script><script>x")
    expect(page.locator("[data-sentence]")).to_contain_text("</script>")
    assert not page.evaluate("window.takenOver")
    assert page.locator("[data-audience] img, [data-spread] img").count() == 0


def test_a_condition_shows_how_its_field_is_spread(open_page: Callable[..., Page], shoppers: list[Customer]) -> None:
    page = open_page(f"{SEGMENTS}add/")
    row = condition(root_of(page), 0)

    choose_field(row, "stage")
    row.locator("summary").click()

    expect(row.locator("table")).to_contain_text("Among all 20 profiles")
    expect(row.locator("tr", has_text="High intent")).to_contain_text("25 %")
    expect(row.get_by_role("img")).to_have_attribute(
        "aria-label",
        "Stage now: Browsing: 75 %, Considering: 0 %, High intent: 25 %, Leaving with intent: 0 %, Bought recently: 0 %, Lapsed: 0 %",
    )


def test_without_javascript_rows_are_counted_and_saved(
    open_page: Callable[..., Page], shoppers: list[Customer]
) -> None:
    page = open_page(f"{SEGMENTS}add/", scripts=False)
    page.fill("#id_name", "By rows")
    row = page.locator("[data-row]").first
    row.locator("[data-field]").select_option("last_drop_proba")
    row.locator("[data-op]").select_option("gte")
    row.locator("[data-value]").fill("50 %")

    page.click("[name=_count]")

    expect(page.locator("[data-static-sample]")).to_contain_text("10 profiles are in this segment now. Not saved yet.")
    assert not Segment.objects.exists()
    expect(page.locator("[data-row]").first.locator("[data-value]")).to_have_value("50 %")
    page.click("[name=_save]")
    page.wait_for_url(f"**{SEGMENTS}")
    assert Segment.objects.get().conditions == {"all": [{"field": "last_drop_proba", "op": "gte", "value": 0.5}]}


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen(open_page: Callable[..., Page], shoppers: list[Customer], width: int) -> None:
    segment = Segment.objects.create(project=shoppers[0].project, name="Nested", conditions=TREE)

    page = open_page(f"{SEGMENTS}{segment.pk}/change/", width=width)

    expect(page.locator("[data-count]")).to_have_text("5")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
