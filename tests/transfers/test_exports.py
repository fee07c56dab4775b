"""Lists go out page by page, once each row, without formulas, and are gone when their time is over."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from insightarc_crm.retention import prune_all
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.emails import services as email_services
from signals_app.emails.constants import SuppressionReason
from signals_app.projects.models import Project
from signals_app.segments.models import Segment
from signals_app.transfers import kinds, services
from signals_app.transfers.constants import ExportState, ImportState
from signals_app.transfers.exceptions import FileRefused, ParametersRefused
from signals_app.transfers.kinds import ExportContext
from signals_app.transfers.models import ExportFile, ImportRun
from signals_app.transfers.services import exporting
from tests.transfers.conftest import NOW

LATER = timezone.now() + timedelta(days=1)
"""Some rows get their time from the clock of the database."""


@pytest.fixture
def shoppers(project: Project) -> list[Customer]:
    """Make seven shoppers, the first with a hostile name, and one of another store."""
    made = [
        customer_services.identify(
            project=project,
            identifiers={"email": f"s{number}@example.com", "external_id": f"c{number}"},
            attributes={"name": "=cmd|'/C calc'!A0" if number == 0 else f"Shopper {number}", "country": "DE"},
            now=NOW,
        ).customer
        for number in range(7)
    ]
    other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
    customer_services.identify(project=other, identifiers={"email": "foreign@example.com"}, now=NOW)
    return made


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "ROWS_A_PAGE", 3)


def finish(export: ExportFile, now: Any = LATER) -> None:
    while services.continue_export(now=now).is_more:
        pass
    export.refresh_from_db()


def rows_of(export: ExportFile) -> list[list[str]]:
    file, _ = services.open_export(export=export, now=LATER)
    with file:
        return list(csv.reader(io.StringIO(file.read().decode("utf-8-sig"), newline="")))


@pytest.fixture
def export_list(project: Project) -> Callable[..., ExportFile]:
    def export_list(kind: str, **more: Any) -> ExportFile:
        export = services.request_export(project=project, kind=kind, requested_by="ada", now=LATER, **more)
        finish(export)
        return export

    return export_list


def test_every_profile_of_the_store_stands_in_its_list_once(
    shoppers: list[Customer], small_pages: None, export_list: Callable[..., ExportFile]
) -> None:
    customer_services.record_consent(
        project=shoppers[1].project, identifiers={"email": "s1@example.com"}, granted=True, source="form", now=NOW
    )

    export = export_list("profiles")

    heading, *rows = rows_of(export)
    assert heading[:4] == ["Profile", "E-mail", "Customer ID", "Name"]
    assert sorted(row[1] for row in rows) == [f"s{number}@example.com" for number in range(7)]
    assert (export.state, export.rows, export.expected) == (ExportState.DONE, 7, 7)
    by_mail = {row[1]: dict(zip(heading, row, strict=True)) for row in rows}
    assert by_mail["s0@example.com"]["Name"] == "'=cmd|'/C calc'!A0"
    assert by_mail["s1@example.com"]["Consent: Marketing"] == "yes"
    assert by_mail["s2@example.com"]["Consent: Marketing"] == ""
    assert by_mail["s2@example.com"]["Country"] == "DE"


def test_a_page_of_orders_begins_in_the_index_where_the_last_one_ended(project: Project) -> None:
    for number in range(4):
        customer_services.record_order(
            project=project, identifiers={"email": "ada@example.com"}, order_id=str(number), total=Decimal(1),
            currency="EUR", placed_at=NOW - timedelta(hours=number), now=NOW,
        )  # fmt: skip
    kind, context = kinds.export_kind("orders"), ExportContext(project, {}, LATER)
    first = kind.page(context, None, 2)

    with CaptureQueriesContext(connection) as asked:
        second = kind.page(context, first.after, 2)

    assert [row[0] for row in (*first.rows, *second.rows)] == ["3", "2", "1", "0"]
    assert '"placed_at" >= ' in asked[0]["sql"]  # without it, each page would read all that come before it again


def test_formulas_stay_where_a_program_asks_for_them(
    shoppers: list[Customer], export_list: Callable[..., ExportFile]
) -> None:
    names = {row[3] for row in rows_of(export_list("profiles", neutralises_formulas=False))}

    assert "=cmd|'/C calc'!A0" in names


def test_what_was_exported_can_be_imported(
    project: Project, shoppers: list[Customer], export_list: Callable[..., ExportFile], import_list: Any
) -> None:
    file, _ = services.open_export(export=export_list("profiles"), now=LATER)

    with file:
        run = import_list("profiles", file.read())

    assert (run.state, run.rows_read, run.unchanged_count) == (ImportState.DONE, 7, 7)
    assert Customer.objects.get(email="s0@example.com").name == "=cmd|'/C calc'!A0"


def test_every_offered_list_can_be_exported(
    project: Project, shoppers: list[Customer], small_pages: None, export_list: Callable[..., ExportFile]
) -> None:
    for number in range(4):
        customer_services.record_order(
            project=project,
            identifiers={"email": f"s{number}@example.com"},
            order_id=f"@R-{number}",
            total=Decimal("-0") + number,
            currency="EUR",
            placed_at=NOW,
            now=NOW,
        )
        email_services.suppress(
            project=project, email=f"x{number}@example.com", reason=SuppressionReason.MANUAL, source="=1", now=NOW
        )
        customer_services.record_consent(
            project=project, identifiers={"email": f"s{number}@example.com"}, granted=True, source="-form", now=NOW
        )
    expected = {"profiles": 7, "orders": 4, "suppressions": 4, "consents": 4, "messages": 0, "activity": 0}

    found = {kind.name: rows_of(export_list(kind.name)) for kind in kinds.export_kinds() if kind.is_offered}

    assert {name: len(rows) - 1 for name, rows in found.items()} == expected
    cells = [text for rows in found.values() for row in rows for text in row]
    assert [text for text in cells if text.startswith(("=", "+", "-", "@"))] == []


def test_a_segment_is_exported_as_it_is_when_it_is_asked_for(
    project: Project, shoppers: list[Customer], small_pages: None, export_list: Callable[..., ExportFile]
) -> None:
    tree = {"field": "external_id", "op": "in", "value": ["c1", "c2", "c3", "c4", "c5"]}
    segment = Segment.objects.create(project=project, name="Some", conditions=tree)

    export = export_list("segment", parameters={"segment": str(segment.pk), "email": "anna@example.com"})

    assert [row[2] for row in rows_of(export)[1:]] == ["c1", "c2", "c3", "c4", "c5"]
    assert export.parameters == {"segment": str(segment.pk)}
    assert kinds.export_kind("segment").words(project, export.parameters) == "Segment “Some”"


def test_a_segment_of_another_store_is_not_exported(project: Project, shoppers: list[Customer]) -> None:
    foreign = Segment.objects.create(project=Project.objects.get(slug="other"), name="Foreign", conditions={})

    for given in ({"segment": str(foreign.pk)}, {"segment": "x"}, {}):
        with pytest.raises(ParametersRefused):
            services.request_export(project=project, kind="segment", parameters=given, requested_by="ada", now=NOW)


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_a_worker_that_is_killed_loses_and_repeats_no_row(
    project: Project, shoppers: list[Customer], small_pages: None, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    export = services.request_export(project=project, kind="profiles", requested_by="ada", now=LATER)
    held, left = exporting._held, [pages]

    def die_when_written(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return held(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "_held", die_when_written)
        with pytest.raises(KeyboardInterrupt):
            services.continue_export(now=LATER)
    export.refresh_from_db()
    assert export.rows == 3 * pages

    finish(export, LATER + timedelta(hours=1))

    rows = rows_of(export)
    assert sorted(row[1] for row in rows[1:]) == [f"s{number}@example.com" for number in range(7)]
    assert rows[0][0] == "Profile"
    assert export.rows == 7


def test_a_list_expires_and_its_file_goes(
    shoppers: list[Customer], export_list: Callable[..., ExportFile], settings: Any
) -> None:
    export = export_list("profiles")
    path = Path(export.upload.path)
    assert path.stat().st_mode & 0o777 == 0o600
    expired = export.expires_at + timedelta(seconds=1)

    with pytest.raises(FileRefused, match="expired"):
        services.open_export(export=export, now=expired)
    counts, _ = prune_all(now=max(expired, timezone.now()), seconds=10)

    assert counts["exports"] == 1
    assert not path.exists()
    assert not ExportFile.objects.exists()


def test_files_of_imports_go_and_their_hashes_stay(import_list: Any, settings: Any) -> None:
    run: ImportRun = import_list("profiles", "email\na@example.com\nbroken\n")
    path = Path(run.upload.path)

    counts, _ = prune_all(now=NOW + timedelta(days=settings.KEEP_IMPORT_FILES_DAYS + 1), seconds=10)

    run.refresh_from_db()
    assert counts["files of imports"] == 1
    assert not path.exists()
    assert run.sha256
    assert run.problems.count() == 1
    with pytest.raises(FileRefused, match="no longer there"):
        services.failed_rows(run=run)


def test_an_erasure_takes_every_file_made_before_its_end(
    project: Project, shoppers: list[Customer], export_list: Callable[..., ExportFile], import_list: Any, upload: Any
) -> None:
    ready, done, waiting = (
        export_list("profiles"),
        import_list("profiles", "email\na@example.com\n"),
        upload("profiles", "email\nb@example.com\n"),
    )
    underway = services.request_export(project=project, kind="profiles", requested_by="ada", now=LATER)
    paths = [Path(row.upload.path) for row in (ready, done, waiting)]

    count = services.delete_personal_files(project=project, before=LATER)

    assert count == 3
    assert [path.exists() for path in paths] == [False] * 3
    assert not ExportFile.objects.filter(pk=ready.pk).exists()
    underway.refresh_from_db()
    waiting.refresh_from_db()
    assert (underway.state, waiting.state) == (ExportState.FAILED, ImportState.CANCELLED)
    meanwhile = export_list("profiles")
    assert services.delete_personal_files(project=project, before=LATER) == 1
    assert not Path(meanwhile.upload.path).exists()
    again = services.request_export(project=project, kind="profiles", requested_by="ada", now=LATER + timedelta(1))
    finish(again, LATER + timedelta(1))
    assert again.state == ExportState.DONE
