"""Ways to use the builder of conditions as a person would."""

from __future__ import annotations

from playwright.sync_api import Locator, Page


def root_of(page: Page, name: str = "conditions") -> Locator:
    """Return the outermost group of a form field's builder."""
    return page.locator(f"[data-builder={name}] .builder-group").first


def condition(group: Locator, number: int) -> Locator:
    """Return a condition that stands directly in a group."""
    return group.locator(":scope > .builder-body > .builder-condition").nth(number)


def groups_in(group: Locator) -> Locator:
    return group.locator(":scope > .builder-body > .builder-group")


def add(group: Locator, what: str) -> None:
    """Add a `rule` or a `group` to a group."""
    group.locator(f":scope > .builder-body > .builder-add > [data-add-{what}]").click()


def join(group: Locator, label: str) -> None:
    group.locator(":scope > .builder-head > [data-join]").select_option(label=label)


def choose_field(condition: Locator, search: str) -> None:
    """Choose the first field that the search finds."""
    condition.locator("[data-field-button]").click()
    condition.locator("[data-field-search]").fill(search)
    condition.locator("[data-field-search]").press("Enter")


def compare(condition: Locator, search: str, op: str, value: str = "") -> None:
    choose_field(condition, search)
    condition.locator("[data-op]").select_option(op)
    if value:
        condition.locator("[data-value]").fill(value)
