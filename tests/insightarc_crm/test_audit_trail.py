"""Who saw, exported, changed and erased what is written down, without a word about whom."""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from signals_app.audit import services as audit
from signals_app.audit.models import AuditEntry
from signals_app.core.logged_names import nameless_message
from signals_app.customers import facets
from signals_app.customers.models import Customer, ErasureReport
from signals_app.projects.constants import Role
from signals_app.projects.models import Membership, Project
from tests.insightarc_crm.furnishing import furnish
from tests.whole_database import tables_that_say

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
SignIn = Callable[..., Client]


@pytest.fixture
def rows(project: Project) -> dict[str, Any]:
    return furnish(project, "aurora")


def page(name: str, *arguments: Any) -> str:
    return reverse(f"admin:{name}", args=arguments)


def told(**filters: Any) -> list[tuple[str, str, str]]:
    found = AuditEntry.objects.filter(**filters).exclude(actor="aurora@example.com").order_by("pk")
    return list(found.values_list("action", "model", "detail"))


def test_looking_is_told_once_an_hour_for_each_person_and_profile(rows: dict[str, Any], sign_in: SignIn) -> None:
    customer = rows["customers.Customer"]
    browser, other = sign_in(Role.OWNER), sign_in(Role.ANALYST)
    for moment in (NOW, NOW + timedelta(minutes=5), NOW + timedelta(minutes=50)):
        with time_machine.travel(moment, tick=False):
            browser.get(page("customers_customer_change", customer.pk))
    with time_machine.travel(NOW, tick=False):
        other.get(page("customers_customer_change", customer.pk))
        other.get(page("customers_customer_changelist"), {"q": "aurora@shopper.example"})
        other.get(page("remarketing_remarketingrule_changelist"))
        other.get(page("customers_customer_change", "019a0000-0000-7000-8000-000000000000"))

    saw = AuditEntry.objects.filter(action="SAW", object_id=str(customer.pk))
    assert sorted(saw.values_list("actor", flat=True)) == ["analyst-nordlicht", "owner-nordlicht", "owner-nordlicht"]
    assert told(actor="analyst-nordlicht") == [
        ("SIGNED_IN", "", ""),
        ("SAW", "customers.customer", ""),
        ("LISTED", "customers.customer", ""),
    ]


def test_changes_exports_and_buttons_are_told(rows: dict[str, Any], project: Project, sign_in: SignIn) -> None:
    browser, customer = sign_in(Role.OWNER), rows["customers.Customer"]
    segment, member = rows["segments.Segment"], rows["projects.Membership"]

    browser.post(page("emails_suppression_add"), {"email": "gone@example.com", "reason": "manual"})
    browser.post(page("projects_membership_change", member.pk), {"role": Role.MARKETER})
    browser.post(page("segments_segment_delete", segment.pk), {"post": "yes"})
    browser.post(page("pause_sending"), {"paused": "1"})
    browser.post(page("customers_customer_consent", customer.pk), {"granted": "yes", "source": "by phone, Anna"})
    b"".join(browser.get(page("customers_customer_download", customer.pk)).streaming_content)
    browser.post(page("webhooks_inboxitem_changelist"), {
        "action": "set_aside_selected", "_selected_action": [str(rows["webhooks.InboxItem"].pk)],
    })  # fmt: skip
    browser.post(page("customers_customer_erase", customer.pk))

    assert told(action__in=["ADDED", "CHANGED", "DELETED", "EXPORTED", "ERASED", "DID"]) == [
        ("ADDED", "emails.suppression", ""),
        ("CHANGED", "projects.membership", "Role"),
        ("DELETED", "segments.segment", ""),
        ("DID", "", "Pause sending"),
        ("DID", "customers.customer", "Consent"),
        ("EXPORTED", "customers.customer", ""),
        ("DID", "webhooks.inboxitem", "set aside selected: 1 rows"),
        ("ERASED", "customers.customer", ""),
    ]
    assert AuditEntry.objects.get(action="DELETED").object_name == "aurora <b>segment"
    assert AuditEntry.objects.get(action="ERASED").object_id == str(customer.pk)
    assert tables_that_say(["gone@example.com"]) == ["emails_suppression.email: gone@example.com"]
    assert not [said for said in tables_that_say(["by phone, anna"]) if "audit" in said or "log" in said]


def test_what_failed_or_was_refused_is_not_told(rows: dict[str, Any], sign_in: SignIn) -> None:
    owner, analyst = sign_in(Role.OWNER), sign_in(Role.ANALYST)
    customer = rows["customers.Customer"]

    owner.post(page("emails_suppression_add"), {"email": "not an address", "reason": "manual"})
    analyst.post(page("customers_customer_erase", customer.pk))
    analyst.get(page("customers_customer_download", customer.pk))
    owner.post(page("segments_segment_add"), {"_store": "another", "name": "x"})

    assert [entry for entry in told() if entry[0] != "SIGNED_IN"] == []
    assert Customer.objects.filter(pk=customer.pk).exists()


def test_programs_and_commands_are_told_too(
    project: Project, api: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        api("post", "identify/", {"email": "ada@example.com", "attributes": {"visits": number}})
    customer = Customer.objects.get()
    file = tmp_path / "out.zip"
    call_command("export_customer", customer=str(customer.pk), zip=file)
    with pytest.raises(CommandError, match="could not be written"):
        call_command("export_customer", customer=str(customer.pk), zip=file)
    call_command("erase_customer", customer=str(customer.pk), yes=True)

    found = list(AuditEntry.objects.order_by("pk").values_list("actor", "action", "detail", "object_id"))
    assert [(actor[:8], *rest) for actor, *rest in found] == [
        ("key iac_", "WROTE", "Identify", ""),
        ("command", "EXPORTED", "", str(customer.pk)),
        ("command", "EXPORTED", "", str(customer.pk)),
        ("command", "ERASED", "", str(customer.pk)),
    ]
    assert file.stat().st_mode & 0o077 == 0
    assert "index.html" in zipfile.ZipFile(file).namelist()


def test_the_log_is_for_owners_who_filter_it_and_cannot_change_it(
    rows: dict[str, Any], project: Project, sign_in: SignIn
) -> None:
    owner, rule = sign_in(Role.OWNER), rows["remarketing.RemarketingRule"]
    other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example")
    for store, name in ((project, "mine"), (other, "theirs")):
        audit.note(
            project=store, actor="command", action="CHANGED", model="remarketing.remarketingrule",
            object_id=rule.pk, object_name=name, now=timezone.now(),
        )  # fmt: skip
    log = page("audit_auditentry_changelist")

    shown = owner.get(log, {"actor": "command", "thing": "remarketing.remarketingrule", "action": "CHANGED"})

    text = shown.content.decode()
    assert "mine" in text
    assert "theirs" not in text
    assert page("remarketing_remarketingrule_change", rule.pk) in text
    assert owner.get(log, {"actor": "nobody"}).content.decode().count("mine") == 0
    entry = AuditEntry.objects.get(object_name="mine")
    for path in (page("audit_auditentry_change", entry.pk), page("audit_auditentry_delete", entry.pk)):
        owner.post(path, {"post": "yes", "actor": "x"})
    assert AuditEntry.objects.get(pk=entry.pk).actor == "command"
    assert sign_in(Role.MARKETER).get(log).status_code == 403
    assert sign_in(Role.OPERATOR).get(page("retention")).status_code == 200
    assert sign_in(Role.MARKETER).get(page("retention")).status_code == 403


def test_the_log_asks_once_for_the_rows_of_a_kind(
    project: Project, sign_in: SignIn, django_assert_num_queries: Any
) -> None:
    owner, log = sign_in(Role.OWNER), page("audit_auditentry_changelist")
    profiles = [Customer.objects.create(project=project) for _ in range(12)]

    def see(profile: Customer) -> None:
        audit.note(
            project=project, actor="command", action="SAW", model="customers.customer", object_id=profile.pk,
            now=timezone.now(),
        )  # fmt: skip

    see(profiles[0])
    owner.get(log)  # from now on nothing of the visit itself is written
    with CaptureQueriesContext(connection) as of_one:
        owner.get(log, {"actor": "command"})
    for profile in profiles[1:]:
        see(profile)

    with django_assert_num_queries(len(of_one)):
        text = owner.get(log, {"actor": "command"}).content.decode()

    assert all(page("customers_customer_change", profile.pk) in text for profile in profiles)


def test_histories_that_were_written_before_lose_the_names_of_shoppers(project: Project, rows: dict[str, Any]) -> None:
    user = Membership.objects.filter(project=project).first().user  # type: ignore[union-attr]
    for model in (Customer, type(rows["remarketing.RemarketingRule"])):
        LogEntry.objects.create(
            user=user, content_type=ContentType.objects.get_for_model(model), object_id="12345678", action_flag=2,
            object_repr="anna@example.com", change_message='[{"added": {"name": "x", "object": "anna"}}]',
        )  # fmt: skip
    migration = importlib.import_module("signals_app.audit.migrations.0001_initial")

    migration.forget_names(apps, None)

    assert set(LogEntry.objects.values_list("content_type__model", "object_repr")) == {
        ("customer", "…345678"),
        ("remarketingrule", "anna@example.com"),
    }
    message = [{"added": {"name": "known ID", "object": "anna"}}, {"changed": {"fields": ["Name"]}}]
    assert nameless_message(message) == [
        {"added": {"name": "known ID", "object": "–"}},
        {"changed": {"fields": ["Name"]}},
    ]


def test_no_page_of_something_about_shoppers_puts_its_names_into_logs() -> None:
    from django.contrib import admin

    about_people = {model for facet in facets.all() for model in facet.models}

    assert [
        model._meta.label
        for model, model_admin in admin.site._registry.items()
        if model in about_people and model_admin.names_are_public
    ] == []


class TestTheArchive:
    def test_has_a_page_to_read_every_row_and_the_mails(self, rows: dict[str, Any], sign_in: SignIn) -> None:
        customer = rows["customers.Customer"]

        response = sign_in(Role.OWNER).get(page("customers_customer_download", customer.pk))

        archive = zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))
        names, text = set(archive.namelist()), archive.read("index.html").decode()
        assert archive.testzip() is None
        assert "aurora" not in response["Content-Disposition"] + " ".join(names)
        assert "no-store" in response["Cache-Control"]
        assert {"data/customers/orders.json", "data/webhooks/deliveries.json", "data/emails/emails.json"} <= names
        assert [name for name in names if name.startswith("mails/") and name.endswith(".html")]
        identifiers = json.loads(archive.read("data/customers/identifiers.json"))
        assert {row["value"] for row in identifiers} >= {"aurora@shopper.example"}
        assert "What Nordlicht Outdoor keeps about you" in text
        assert "aurora@shopper.example" in text
        assert "<script" not in text
        assert "&lt;script&gt;" in text

    def test_is_made_while_it_is_sent(self, rows: dict[str, Any], project: Project) -> None:
        from signals_app.customers import services
        from signals_app.customers.models import ConsentChange, Identifier

        customer = rows["customers.Customer"]
        email = Identifier.objects.get(customer=customer, kind="email")
        ConsentChange.objects.bulk_create(
            ConsentChange(
                identifier=email, is_granted=True, source="form", wording=str(number) * 400, occurred_at=timezone.now()
            )
            for number in range(3_000)
        )

        sizes = [len(part) for part in services.archive_of(customer=customer, now=timezone.now())]
        asked_at = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
        archive = zipfile.ZipFile(io.BytesIO(b"".join(services.archive_of(customer=customer, now=asked_at))))

        assert {entry.date_time for entry in archive.infolist()} == {(2026, 11, 25, 0, 30, 0)}  # in Berlin
        assert max(sizes) < 300_000
        assert len(json.loads(archive.read("data/customers/consent_changes.json"))) == 3_001
        assert "And 2801 more." in archive.read("index.html").decode()


def test_the_report_is_shown_after_erasing(rows: dict[str, models.Model], sign_in: SignIn) -> None:
    browser = sign_in(Role.OWNER)

    response = browser.post(page("customers_customer_erase", rows["customers.Customer"].pk), follow=True)

    text = response.content.decode()
    assert response.redirect_chain[-1][0] == page(
        "customers_erasurereport_change", ErasureReport.objects.latest("begun_at").pk
    )
    assert "Raw requests behind their signals" in text
    assert "Fingerprints of the known IDs" in text
    assert "aurora@shopper.example" not in text
