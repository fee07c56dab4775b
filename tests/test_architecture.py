"""What import-linter cannot see: foreign keys, and what every room owes to the others."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db.models import Model

from signals_app.customers import facets
from signals_app.customers.models import Customer, ErasureTombstone, Identifier

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 450
VAGUE_NAMES = {"utils", "helpers", "helper", "common", "misc", "manager", "managers", "util"}


def floors() -> list[str]:
    """Return the rooms, highest first, as pyproject.toml has them; of two on one floor, either may be first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [contract for contract in settings["contracts"] if contract["id"] == "floors"]
    return [room.strip("() ") for layer in contract["layers"] for room in layer.split("|")]


def room_of(model: type[Model]) -> str | None:
    parts = model.__module__.split(".")
    return parts[1] if parts[0] == "signals_app" else None


def foreign_keys() -> list[tuple[type[Model], Any]]:
    return [
        (model, field)
        for model in apps.get_models()
        if room_of(model)
        for field in model._meta.get_fields()
        if field.concrete and field.is_relation and field.related_model
    ]


def test_no_foreign_key_points_to_a_higher_floor() -> None:
    height = {room: -number for number, room in enumerate(floors())}
    upward = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model, field in foreign_keys()
        if room_of(field.related_model) and height[room_of(field.related_model)] > height[room_of(model)]
    ]

    assert upward == []


def test_every_model_that_reaches_a_person_has_a_facet() -> None:
    """
    A model that points at a customer or identifier, directly or through others, holds rows about a person.

    Without a facet they would be missing from the person's export and left behind by the erasure.
    """
    reaching: set[type[Model]] = {Customer, Identifier}
    while True:
        further = {model for model, field in foreign_keys() if field.related_model in reaching} - reaching
        if not further:
            break
        reaching |= further
    answered_for = {model for facet in facets.all() for model in facet.models}

    assert sorted(model._meta.label for model in reaching - answered_for) == []
    assert ErasureTombstone not in reaching


def test_what_hangs_on_a_customer_follows_when_profiles_are_joined_and_parted() -> None:
    """Rows that hang on identifiers follow by themselves; those that hang on a customer need their facet for it."""
    hanging = {model for model, field in foreign_keys() if field.related_model is Customer and model is not Identifier}
    following = {model for facet in facets.all() if facet.merge and facet.split for model in facet.models}

    assert sorted(model._meta.label for model in hanging - following) == []


def test_every_room_is_an_installed_app_and_has_a_floor() -> None:
    rooms = {path.parent.name for path in (ROOT / "signals_app").glob("*/apps.py")}

    assert rooms <= set(floors())
    assert {f"signals_app.{room}" for room in rooms} <= {config.name for config in apps.get_app_configs()}


def test_no_module_has_a_vague_name_or_is_too_long_to_read() -> None:
    modules = [path for folder in ("signals_app", "insightarc_crm") for path in (ROOT / folder).rglob("*.py")]

    assert [str(path) for path in modules if path.stem in VAGUE_NAMES] == []
    assert [
        f"{path.relative_to(ROOT)}: {count} lines"
        for path in modules
        if "migrations" not in path.parts and (count := len(path.read_text().splitlines())) > MAX_LINES
    ] == []


def test_a_share_is_written_in_one_way() -> None:
    sources = [path for room in ("signals_app", "insightarc_crm") for path in (ROOT / room).rglob("*.py")]

    assert [str(path) for path in sources if re.search(r":\.\d%\}", path.read_text())] == [], "use core.numbers.percent"
