from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from signals_app.customers.constants import IdentifierKind
from signals_app.customers.models import Customer, Identifier, Order
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.segments import services, tasks
from signals_app.segments.models import Segment
from signals_app.transfers.models import ExportFile
from signals_app.transfers.services import continue_export

LIST = "/admin/segments/segment/"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HAS_EMAIL = {"all": [{"field": "has_email", "op": "is_true"}]}


@pytest.fixture
def segment(project: Project) -> Segment:
    return Segment.objects.create(project=project, name="Known: people / DE", conditions=HAS_EMAIL)


def test_the_list_says_how_many_and_how_old_the_number_is(
    sign_in: Callable[..., Client], project: Project, segment: Segment
) -> None:
    broken = Segment.objects.create(project=project, name="Broken", conditions={"field": "gone", "op": "is_true"})
    Customer.objects.create(project=project, email="a@example.com")
    browser = sign_in()
    assert "Being counted" in browser.get(LIST).content.decode()

    tasks.refresh_counts()

    segment.refresh_from_db()
    assert (segment.profile_count, segment.is_count_exact) == (1, True)
    page = browser.get(LIST).content.decode()
    assert "just now" in page
    assert "Being counted" not in page
    broken.refresh_from_db()
    assert broken.profile_count is None
    assert "Needs fixing" in page


def test_counting_again_waits_its_turn_and_leaves_the_segment_unchanged(project: Project, segment: Segment) -> None:
    changed_at = segment.updated_at
    assert services.due_segments(now=NOW, limit=10) == [segment.pk]

    services.count_segment(segment_id=segment.pk, now=NOW)

    segment.refresh_from_db()
    assert segment.updated_at == changed_at
    assert services.due_segments(now=NOW + timedelta(minutes=14), limit=10) == []
    assert services.due_segments(now=NOW + timedelta(minutes=15), limit=10) == [segment.pk]


def test_saving_other_conditions_counts_anew(
    sign_in: Callable[..., Client], project: Project, segment: Segment
) -> None:
    Customer.objects.create(project=project)
    services.count_segment(segment_id=segment.pk, now=timezone.now())

    sign_in().post(
        f"{LIST}{segment.pk}/change/",
        {"name": "All", "description": "", "conditions-mode": "json", "conditions-json": "{}"},
    )

    segment.refresh_from_db()
    assert (segment.conditions, segment.profile_count) == ({}, 1)


def test_a_segment_that_is_gone_is_not_counted(segment: Segment) -> None:
    pk = segment.pk
    segment.delete()

    assert services.count_segment(segment_id=pk, now=NOW) is None


def test_what_was_spent_adds_up_orders_in_the_currency_of_the_store_only(project: Project) -> None:
    anna, berta = (Customer.objects.create(project=project, name=name) for name in ("Anna", "Berta"))
    for number, (who, total, currency) in enumerate([(anna, 60, "EUR"), (anna, 900, "JPY"), (berta, 60, "EUR")]):
        known = Identifier.objects.create(project=project, customer=who, kind="external_id", value=f"{number}")
        Order.objects.create(
            project=project, identifier=known, order_id=f"{number}", total=total, currency=currency, placed_at=NOW
        )
    spenders = Segment(project=project, conditions={"field": "order_total", "op": "gt", "value": 60})
    thrifty = Segment(project=project, conditions={"field": "order_total", "op": "lte", "value": 60})

    values = services.profile_values(customer_ids=[anna.pk], names=["order_total", "order_count"], now=NOW)

    assert values == {anna.pk: {"order_total": 60, "order_count": 2}}
    assert not services.segment_customers(segment=spenders, now=NOW).exists()
    assert services.segment_customers(segment=thrifty, now=NOW).count() == 2


def test_its_profiles_are_exported_with_what_is_known_of_them(
    sign_in: Callable[..., Client], project: Project, segment: Segment
) -> None:
    customer = Customer.objects.create(project=project, email="a@example.com", name='=HYPERLINK("x")', last_seen_at=NOW)
    Customer.objects.create(project=project, name="Not in it")
    known = Identifier.objects.create(
        project=project, customer=customer, kind=IdentifierKind.EMAIL, value="a@example.com"
    )
    Order.objects.create(
        project=project, identifier=known, order_id="1", total=Decimal("19.90"), currency="EUR", placed_at=NOW
    )
    browser = sign_in()
    page = f"{LIST}{segment.pk}/export/"
    assert "personal data" in browser.get(page).content.decode()

    response = browser.post(page)
    while continue_export(now=timezone.now()).is_more:
        pass

    made = ExportFile.objects.get()
    assert response["Location"] == reverse("admin:transfers_exportfile_change", args=[made.pk])
    file = browser.get(reverse("admin:transfers_exportfile_download", args=[made.pk]))
    header, line = csv.reader(io.StringIO(b"".join(file.streaming_content).decode("utf-8-sig")))
    assert dict(zip(header, line, strict=True)) == {
        "Profile": str(customer.pk),
        "E-mail": "a@example.com",
        "Customer ID": "",
        "Name": "'" + customer.name,
        "Stage": "",
        "Intent score": "",
        "Consent: Marketing": "",
        "Orders": "1.0",
        "Spent in all": "19.9",
        "Last order": NOW.isoformat(timespec="seconds"),
        "Last seen": NOW.isoformat(timespec="seconds"),
    }


def test_only_owner_and_marketer_export_and_only_of_their_store(
    sign_in: Callable[..., Client], project: Project, segment: Segment
) -> None:
    for role in (Role.ANALYST, Role.OPERATOR):
        assert sign_in(role).post(f"{LIST}{segment.pk}/export/").status_code == 403
    other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
    theirs = Segment.objects.create(project=other, name="Theirs", conditions={})
    assert sign_in().post(f"{LIST}{theirs.pk}/export/").status_code == 404


def test_a_segment_that_cannot_be_read_is_not_exported(
    sign_in: Callable[..., Client], project: Project, segment: Segment
) -> None:
    Segment.objects.filter(pk=segment.pk).update(conditions={"field": "gone", "op": "is_true"})

    response = sign_in().post(f"{LIST}{segment.pk}/export/", follow=True)

    assert "This segment cannot be exported." in response.content.decode()


def test_count_now_counts_without_saving(sign_in: Callable[..., Client], project: Project, segment: Segment) -> None:
    Customer.objects.create(project=project, name="Nobody we know")
    data = {"name": "Other", "description": "", "conditions-mode": "json", "conditions-json": "{}", "_count": "1"}

    page = sign_in().post(f"{LIST}{segment.pk}/change/", data).content.decode()

    assert "<strong>1</strong> profile is in this segment now. Not saved yet." in page
    assert "Nobody we know" in page
    segment.refresh_from_db()
    assert segment.conditions == HAS_EMAIL
    assert sign_in(Role.ANALYST).post(f"{LIST}{segment.pk}/change/", data).status_code == 403
