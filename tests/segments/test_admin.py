from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from signals_app.customers.models import Customer
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.segments.models import Segment

LIST = "/admin/segments/segment/"
HOSTILE = "<script>alert(1)</script>{{ 7|add:7 }}"


def rows(*found: tuple[str, str, str], name: str = "conditions", join: str = "all") -> dict[str, str]:
    """Return what a browser posts for one group of rows, with an empty row as the form offers it."""
    data = {f"{name}-mode": "rows", f"{name}-join": "all", f"{name}-0-join": join}
    for number, row in enumerate((*found, ("", "", ""))):
        for part, value in zip(("field", "op", "value"), row, strict=True):
            data[f"{name}-0-{number}-{part}"] = value
    return data


def form(name: str = "Known people", **changes: Any) -> dict[str, Any]:
    return {"name": name, "description": "", **rows(("has_email", "is_true", "")), **changes}


def test_a_segment_is_made_of_rows(sign_in: Callable[..., Client], project: Project) -> None:
    browser = sign_in()

    response = browser.post(f"{LIST}add/", form() | rows(("has_email", "is_true", ""), ("order_count", "gte", "2")))

    assert response.status_code == 302
    segment = Segment.objects.get()
    assert segment.project == project
    assert segment.conditions == {
        "all": [{"field": "has_email", "op": "is_true"}, {"field": "order_count", "op": "gte", "value": 2}]
    }


def test_its_page_says_how_many_and_who(sign_in: Callable[..., Client], project: Project) -> None:
    Customer.objects.create(project=project, email="anna@example.com", name=HOSTILE)
    Customer.objects.create(project=project)
    segment = Segment.objects.create(
        project=project, name=HOSTILE, conditions={"all": [{"field": "has_email", "op": "is_true"}]}
    )
    browser = sign_in()

    page = browser.get(f"{LIST}{segment.pk}/change/").content.decode()

    assert "<strong>1</strong> profile is in this segment now" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "Has an e-mail address is yes" in browser.get(LIST).content.decode()


def test_saving_it_untouched_keeps_the_tree(sign_in: Callable[..., Client], project: Project) -> None:
    tree = {"any": [{"any": [{"field": "has_email", "op": "is_true"}]}]}
    segment = Segment.objects.create(project=project, name="Known people", conditions=tree)

    sign_in().post(f"{LIST}{segment.pk}/change/", form(description="New words", **{"conditions-0-join": "any"}))

    segment.refresh_from_db()
    assert (segment.description, segment.conditions) == ("New words", tree)


def test_a_wrong_row_is_named_and_keeps_what_was_typed(sign_in: Callable[..., Client]) -> None:
    page = sign_in().post(f"{LIST}add/", form() | rows(("order_count", "gte", HOSTILE))).content.decode()

    assert "Orders: “&lt;script&gt;alert(1)&lt;/script&gt;{{ 7|add:7 }}” is not a number." in page
    assert 'value="&lt;script&gt;alert(1)&lt;/script&gt;{{ 7|add:7 }}"' in page
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "This is not JSON"),
        ("[]", "must be one JSON object"),
        ('{"all": [{"field": "gone", "op": "gte", "value": 1}]}', "There is no field named “gone”"),
        ('{"field": "order_count", "op": "gte", "value": NaN}', "needs a number"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_wrong_json_is_named(sign_in: Callable[..., Client], text: str, said: str) -> None:
    data = {"name": "A", "description": "", "conditions-mode": "json", "conditions-json": text}

    assert said in sign_in().post(f"{LIST}add/", data).content.decode()


def test_a_deep_tree_is_shown_in_words_and_edited_as_json(sign_in: Callable[..., Client], project: Project) -> None:
    tree = {"not": {"field": "has_email", "op": "is_true"}}
    segment = Segment.objects.create(project=project, name="Unknown", conditions=tree)
    browser = sign_in()

    page = browser.get(f"{LIST}{segment.pk}/change/").content.decode()

    assert "not (Has an e-mail address is yes)" in page
    assert 'name="conditions-json"' in page
    browser.post(f"{LIST}{segment.pk}/change/", {"name": "All", "conditions-mode": "json", "conditions-json": ""})
    segment.refresh_from_db()
    assert (segment.name, segment.conditions) == ("All", {})


def test_a_name_is_taken_once_a_store(sign_in: Callable[..., Client], project: Project) -> None:
    Segment.objects.create(project=project, name="Known people")

    assert "already has one with this name" in sign_in().post(f"{LIST}add/", form()).content.decode()


def test_an_analyst_reads_and_cannot_write(sign_in: Callable[..., Client], project: Project) -> None:
    segment = Segment.objects.create(project=project, name="Known people")
    browser = sign_in(Role.ANALYST)

    assert "Everyone in the store" in browser.get(f"{LIST}{segment.pk}/change/").content.decode()
    assert browser.post(f"{LIST}{segment.pk}/change/", form("Taken over")).status_code == 403
    assert browser.post(f"{LIST}add/", form()).status_code == 403


def test_another_store_has_no_such_segment(sign_in: Callable[..., Client], project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
    segment = Segment.objects.create(project=other, name="Of the other store")
    browser = sign_in()

    assert "Of the other store" not in browser.get(LIST).content.decode()
    for page in ("change", "delete"):
        assert browser.get(f"{LIST}{segment.pk}/{page}/").status_code == 404
        assert browser.post(f"{LIST}{segment.pk}/{page}/", form()).status_code == 404


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (rows(("order_count", "gte", "")), "Orders: enter a value."),
        (
            {"conditions-mode": "json", "conditions-json": '{"field": "order_count", "op": "gte"}'},
            "“Orders” needs a value.",
        ),
    ],
)
def test_what_is_wrong_with_a_condition_is_said_once(
    sign_in: Callable[..., Client], typed: dict[str, str], said: str
) -> None:
    page = sign_in().post(f"{LIST}add/", {"name": "Wrong", "description": "", **typed}).content.decode()

    assert page.count(said) == 1
    assert "Mend the condition that is marked." in page
    assert not Segment.objects.exists()
