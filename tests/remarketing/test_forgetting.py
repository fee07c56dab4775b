"""A person who is erased is taken out of what the team wrote; everything else in it stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from signals_app.audit.models import AuditEntry
from signals_app.catalog.models import PageAlias
from signals_app.customers import services as customers
from signals_app.customers.exceptions import InvalidIdentifier
from signals_app.customers.models import Customer, ErasureReport
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.remarketing import services
from signals_app.remarketing.models import RemarketingRule, RuleMatch, RuleVariant
from signals_app.segments import services as segment_services
from signals_app.segments.models import Segment
from signals_app.transfers.models import ImportRun
from tests.remarketing.conftest import NOON
from tests.whole_database import tables_that_say

LATER = NOON + timedelta(hours=2)
ANNA = {"email": "anna@example.com", "external_id": "77"}
NOT_ANNA = {"not": {"field": "email", "op": "in", "value": ["Anna@Example.com", "berta@example.com"]}}
ERASED = "(erased person)"


def is_customer(number: str) -> dict[str, Any]:
    return {"any": [{"field": "external_id", "op": "eq", "value": number}, {"field": "stage", "op": "is_known"}]}


@pytest.fixture
def anna(project: Project) -> Customer:
    return customers.identify(project=project, identifiers=ANNA, now=NOON).customer


def test_a_segment_says_erased_person_and_finds_whom_it_found_before(
    anna: Customer, project: Project, sign_in: Callable[..., Client]
) -> None:
    bob = customers.identify(project=project, identifiers={"email": "bob@example.com"}, now=NOON).customer
    naming = Segment.objects.create(project=project, name="All but two", conditions=NOT_ANNA)
    untouched = Segment.objects.create(project=project, name="Others", conditions=is_customer("177"))
    alone = {"field": "email", "op": "contains", "value": "anna@example.com"}
    of_her = Segment.objects.create(project=project, name="Her", conditions=alone)

    customers.erase_customer(customer=anna, now=LATER)

    for segment in (naming, untouched, of_her):
        segment.refresh_from_db()
    assert naming.conditions == {"not": {"field": "email", "op": "in", "value": [ERASED, "berta@example.com"]}}
    assert untouched.conditions == is_customer("177")
    assert list(segment_services.segment_customers(segment=naming, now=LATER)) == [bob]
    assert list(segment_services.segment_customers(segment=of_her, now=LATER)) == []
    assert tables_that_say([ANNA["email"]]) == []
    browser = sign_in(Role.OWNER)
    assert ERASED in browser.get(f"/admin/segments/segment/{naming.pk}/change/").content.decode()
    report = ErasureReport.objects.get()
    page = browser.get(f"/admin/customers/erasurereport/{report.pk}/change/").content.decode()
    assert "Segments that name them" in page
    assert "2 made anonymous" in page


def test_an_automation_forgets_in_every_version_and_in_what_it_noted_of_others(
    anna: Customer,
    rules: dict[str, RemarketingRule],
    allow_mail: Callable[..., Customer],
    visit: Callable[..., Any],
    run_due: Callable[..., None],
    project: Project,
) -> None:
    rule = rules["Leaving with interest"]
    rule.audience = {"all": [NOT_ANNA, {"not": {"field": "external_id", "op": "eq", "value": "77"}}]}
    services.save_rule(rule=rule)
    version = rule.version
    allow_mail("bob@example.com")
    visit(email="bob@example.com", user_id="bob", num_events=77)
    run_due(NOON)
    match = RuleMatch.objects.get(rule=rule)
    assert "Anna@Example.com" in str(match.gates)

    customers.erase_customer(customer=anna, now=LATER)

    rule.refresh_from_db()
    assert rule.audience["all"][1] == {"not": {"field": "external_id", "op": "eq", "value": ERASED}}
    assert rule.version == version + 1
    assert tables_that_say([ANNA["email"]]) == []
    assert not [old for old in rule.history.all() if '"77"' in str(old.audience).replace("'", '"')]
    match.refresh_from_db()
    detail = next(gate["detail"] for gate in match.gates if gate["gate"] == "profile_filter")
    assert f"E-mail is one of {ERASED}, berta@example.com" in detail
    assert f"Customer ID is {ERASED}" in detail
    run_due(NOON + timedelta(hours=1))
    match.refresh_from_db()
    assert match.state == "queued"
    said = {row["what"]: row["count"] for row in ErasureReport.objects.get().results}
    assert said["Automations that name them"] == 1
    assert said["Recipient activity of others that quotes these conditions"] == 1
    assert said["Earlier versions of automations that name them"] >= 1


def test_names_that_people_chose_say_erased_person_in_every_version_and_log(
    anna: Customer, rules: dict[str, RemarketingRule], project: Project, sign_in: Callable[..., Client]
) -> None:
    browser = sign_in(Role.OWNER)
    segments = "/admin/segments/segment/"
    for name in ("ANNA@example.com", "anna%40example.com", "Annas", "77"):
        about = {"name": name, "description": "asked by anna@example.com on the phone", "conditions": "{}"}
        assert browser.post(f"{segments}add/", about).status_code == 302, name
    first = Segment.objects.get(name="Annas")
    browser.post(f"{segments}{first.pk}/delete/", {"post": "yes"})
    rule = rules["Leaving with interest"]
    rule.name, version = "VIP: anna@example.com", rule.version
    services.save_rule(rule=rule)
    variant = rule.variants.all()[0]
    RuleVariant.objects.filter(pk=variant.pk).update(name="For Anna@Example.com")
    template = variant.template
    template.name = "Mail for anna@example.com"
    template.save()
    ImportRun.objects.create(project=project, kind="consents", file_name="anna@example.com.csv")
    PageAlias.objects.create(project=project, pattern="/account/anna@example.com")
    assert len(tables_that_say([ANNA["email"]])) > 10
    assert LogEntry.objects.filter(object_repr__icontains=ANNA["email"]).exists()

    customers.erase_customer(customer=anna, now=LATER)

    assert tables_that_say([ANNA["email"], "anna%40example.com"]) == []
    assert set(Segment.objects.values_list("name", flat=True)) == {ERASED, f"{ERASED} 2", "77"}
    assert Segment.objects.get(name="77").description == f"asked by {ERASED} on the phone"
    rule.refresh_from_db()
    assert (rule.name, rule.version) == (f"VIP: {ERASED}", version)
    assert RuleVariant.objects.get(pk=variant.pk).name == f"For {ERASED}"
    template.refresh_from_db()
    assert template.name == f"Mail for {ERASED}"
    assert template.name in template.history.values_list("name", flat=True)
    assert ImportRun.objects.get().file_name == f"{ERASED}.csv"
    assert AuditEntry.objects.get(action="DELETED").object_name == "Annas"
    said = {row["what"]: row["count"] for row in ErasureReport.objects.get().results}
    assert said["Segments that name them"] == 3
    assert said["Templates whose name names them"] == 1
    assert said["Names in the audit log that name them"] == 2
    assert ERASED in browser.get(segments).content.decode()


def test_nobody_is_ever_known_by_what_stands_there_instead(project: Project) -> None:
    with pytest.raises(InvalidIdentifier):
        customers.identify(project=project, identifiers={"external_id": "(Erased Person)"}, now=NOON)
