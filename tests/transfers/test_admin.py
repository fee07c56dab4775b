"""The pages of imports and exports, as a marketer uses them, and who may not."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from signals_app.customers import services as customer_services
from signals_app.customers.models import ConsentChange, Customer
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.transfers import services
from signals_app.transfers.constants import ExportState, ImportState
from signals_app.transfers.models import ExportFile, ImportRun

ADD_IMPORT, ADD_EXPORT = reverse("admin:transfers_importrun_add"), reverse("admin:transfers_exportfile_add")
LIST = "E-mail;Opt-in;Shoe size\nanna@example.com;yes;38\nbroken;no;\n=1+1;yes;\n"


@pytest.fixture
def browser(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.MARKETER)


def send(browser: Client, text: str = LIST, kind: str = "consents") -> Any:
    file = SimpleUploadedFile("old shop.csv", text.encode(), content_type="text/csv")
    return browser.post(ADD_IMPORT, {"kind": kind, "upload": file, "_save": "Save"})


def page(run: ImportRun, view: str = "change") -> str:
    return reverse(f"admin:transfers_importrun_{view}", args=[run.pk])


def work() -> None:
    while services.continue_import(now=timezone.now()).is_more or services.continue_export(now=timezone.now()).is_more:
        pass


ANSWERS = {
    "option_topic": "marketing",
    "option_granted": "",
    "option_source": "old shop",
    "option_occurred_at": "2026-01-02",
    "option_wording": "Yes, mail me",
}
COLUMNS = {"column_0": "email", "column_1": "granted", "column_2": ""}


def test_a_list_is_uploaded_looked_at_checked_and_imported(browser: Client) -> None:
    answer = send(browser)
    run = ImportRun.objects.get()
    assert answer.headers["Location"] == page(run, "columns")
    assert (run.file_name, run.requested_by) == ("old shop.csv", "marketer-nordlicht")

    shown = browser.get(page(run, "columns")).content.decode()
    assert "Such as: anna@example.com · broken · =1+1" in shown
    assert '<option value="granted" selected>' in shown

    refused = browser.post(page(run, "columns"), {**COLUMNS, **ANSWERS, "option_source": "", "check": "1"})
    assert "Say where they said so, or which column does: it is the proof." in refused.content.decode()
    assert "What they agreed to" in refused.content.decode()

    browser.post(page(run, "columns"), {**COLUMNS, **ANSWERS, "check": "1"})
    moving = browser.get(page(run)).content.decode()
    assert '<meta http-equiv="refresh"' in moving
    work()
    checked = browser.get(page(run)).content.decode()
    assert "1 would be new" in checked
    assert "Nothing is imported yet." in checked
    assert "Row 3, E-mail" in checked
    assert '<meta http-equiv="refresh"' not in checked
    assert not Customer.objects.exists()

    assert "are imported" in browser.get(page(run, "start_button")).content.decode()
    browser.post(page(run, "start_button"))
    work()
    run.refresh_from_db()
    assert (run.state, run.created_count, run.failed_count) == (ImportState.DONE, 1, 2)
    assert ConsentChange.objects.get().wording == "Yes, mail me"
    assert run.sha256 in browser.get(page(run)).content.decode()


def test_the_rows_left_out_come_as_a_list_without_formulas(browser: Client) -> None:
    send(browser)
    run = ImportRun.objects.get()
    browser.post(page(run, "columns"), {**COLUMNS, **ANSWERS, "start": "1"})
    work()

    answer = browser.get(page(run, "rows"))

    rows = list(csv.reader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))  # type: ignore[arg-type]
    assert rows[0] == ["E-mail", "Opt-in", "Shoe size", "Problem"]
    assert [row[0] for row in rows[1:]] == ["broken", "'=1+1"]
    assert "old shop" not in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"].startswith("no-store")


def test_a_file_that_is_no_list_is_refused_with_what_to_do(browser: Client) -> None:
    for text, message in (("", "The file is empty."), ("a@example.com\n", "has to name the columns")):
        answer = send(browser, text)
        assert message in browser.get(answer.headers["Location"]).content.decode()
    assert not ImportRun.objects.exists()


def test_a_file_that_is_too_large_is_refused_before_it_is_read(browser: Client, settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = -(1024 * 1024)

    answer = send(browser)

    assert answer.headers["Location"] == ADD_IMPORT
    assert not ImportRun.objects.exists()


def test_an_import_can_be_cancelled_and_then_no_more_begun(browser: Client) -> None:
    send(browser)
    run = ImportRun.objects.get()

    browser.post(page(run, "cancel_button"))
    browser.post(page(run, "columns"), {**COLUMNS, **ANSWERS, "start": "1"})
    work()

    run.refresh_from_db()
    assert run.state == ImportState.CANCELLED
    assert not Customer.objects.exists()


@pytest.mark.parametrize("role", [Role.ANALYST, Role.OPERATOR])
def test_who_may_see_no_lists_of_people_sees_none(browser: Client, sign_in: Callable[..., Client], role: Role) -> None:
    send(browser)
    run = ImportRun.objects.get()
    browser.post(ADD_EXPORT, {"kind": "profiles", "_save": "Save"})
    work()
    export = ExportFile.objects.get()
    other = sign_in(role)

    addresses = [ADD_IMPORT, ADD_EXPORT, page(run, "columns"), page(run, "rows"), page(run)]
    addresses.append(reverse("admin:transfers_exportfile_download", args=[export.pk]))

    assert {other.get(address).status_code for address in addresses} == {403}


def test_other_stores_files_are_not_there(browser: Client, sign_in: Callable[..., Client]) -> None:
    send(browser)
    run = ImportRun.objects.get()
    browser.post(ADD_EXPORT, {"kind": "profiles", "_save": "Save"})
    work()
    export = ExportFile.objects.get()
    store = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
    stranger = sign_in(Role.OWNER, store)

    addresses = [page(run, "columns"), page(run, "rows"), page(run), page(run, "cancel_button")]
    addresses.append(reverse("admin:transfers_exportfile_download", args=[export.pk]))
    addresses.append(reverse("admin:transfers_exportfile_change", args=[export.pk]))

    assert {stranger.get(address).status_code for address in addresses} == {404}


def test_a_list_is_asked_for_waited_for_and_downloaded(browser: Client, project: Project) -> None:
    customer_services.identify(project=project, identifiers={"email": "anna@example.com"}, now=timezone.now())

    answer = browser.post(ADD_EXPORT, {"kind": "profiles", "neutralises_formulas": "on", "_save": "Save"})

    export = ExportFile.objects.get()
    address = reverse("admin:transfers_exportfile_change", args=[export.pk])
    assert answer.headers["Location"] == address
    assert '<meta http-equiv="refresh"' in browser.get(address).content.decode()
    download = reverse("admin:transfers_exportfile_download", args=[export.pk])
    assert browser.get(download).headers["Location"] == address  # not ready yet
    work()
    assert download in browser.get(address).content.decode()
    file = browser.get(download)
    assert b"anna@example.com" in b"".join(file)  # type: ignore[arg-type]
    assert file.headers["Content-Disposition"] == f'attachment; filename="profiles-{export.created_at:%Y-%m-%d}.csv"'
    ExportFile.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "has expired" in browser.get(download, follow=True).content.decode()


def test_an_export_can_be_deleted_with_its_file(browser: Client) -> None:
    browser.post(ADD_EXPORT, {"kind": "orders", "_save": "Save"})
    work()
    export = ExportFile.objects.get()
    assert export.state == ExportState.DONE
    assert not export.neutralises_formulas

    browser.post(reverse("admin:transfers_exportfile_delete", args=[export.pk]), {"post": "yes"})

    assert not ExportFile.objects.exists()
    assert not export.upload.storage.exists(export.upload.name)


def test_the_store_says_what_an_order_allows(sign_in: Callable[..., Client], project: Project) -> None:
    owner = sign_in(Role.OWNER)
    address = reverse("admin:projects_project_change", args=[project.pk])
    values = {
        "name": project.name,
        "slug": project.slug,
        "shop_url": project.shop_url,
        "shop_domains": "shop.example.com",
        "time_zone": project.time_zone,
        "currency": "EUR",
        "intent_half_life_hours": "72",
    }

    refused = owner.post(address, {**values, "soft_opt_in_countries": "DE, Atlantis"})
    assert "Not a country: Atlantis" in refused.content.decode()
    owner.post(address, {**values, "soft_opt_in_countries": "de, Austria\nUK"})

    project.refresh_from_db()
    assert project.soft_opt_in_countries == ["AT", "DE", "GB"]
    assert project.personalises_unless_refused is False
