"""The home page: what is left to set up, with proof, and what happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from insightarc_crm import setup_checklist
from signals_app.customers import services as customer_services
from signals_app.customers.models import Consent, Customer, Identifier
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.remarketing.models import RuleMatch
from signals_app.shopper_signals.models import IntentProfile, ShopperSignal
from signals_app.webhooks.models import WebhookDelivery, WebhookSource
from tests.insightarc_crm.furnishing import furnish

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def done(project: Project) -> dict[str, bool]:
    return {step.title: step.is_done for step in setup_checklist.steps(project=project, now=NOW)}


def test_an_empty_store_has_everything_before_it(project: Project, sign_in: Callable[..., Client]) -> None:
    page = sign_in(Role.OWNER).get("/admin/").content.decode()

    assert not any(done(project).values())
    for words in ("0 of 6", "There is no connection yet", "Without a product feed", "No automation is active"):
        assert words in page


def test_a_furnished_store_is_set_up(project: Project, sign_in: Callable[..., Client]) -> None:
    furnish(project, "aurora")

    page = sign_in(Role.OWNER).get("/admin/").content.decode()

    assert "Setup complete" in page
    assert "First signed signal: " in page
    assert "No consent" in page
    assert "One incoming signal needs fixing" in page


def test_the_first_signed_signal_is_the_proof_of_the_connection(project: Project, source: WebhookSource) -> None:
    before = setup_checklist.steps(project=project, now=NOW)[0]
    WebhookDelivery.objects.create(source=source, verdict="MALFORMED", body=b"x", body_sha256=b"0" * 32)
    malformed = setup_checklist.steps(project=project, now=NOW)[0]
    WebhookDelivery.objects.create(
        source=source, verdict="ACCEPTED", body=b"{}", body_sha256=b"1" * 32, received_at=NOW
    )
    after = setup_checklist.steps(project=project, now=NOW)[0]

    assert before.proof == "Ready; no signed signal has come yet."
    assert not malformed.is_done
    assert after.is_done
    assert after.proof == "First signed signal: 24 November 2026, 13:00."  # Berlin


def test_signals_without_an_identity_leave_the_step_open(project: Project) -> None:
    customer = Customer.objects.create(project=project)
    visitor = Identifier.objects.create(project=project, customer=customer, kind="anonymous_id", value="v")
    for number in range(10):
        ShopperSignal.objects.create(project=project, identifier=visitor, received_at=NOW - timedelta(hours=number))

    step = setup_checklist.steps(project=project, now=NOW)[1]

    assert not step.is_done
    assert step.proof.startswith("0 % of the last 10 signals")


def test_soft_opt_in_stands_for_consents(project: Project) -> None:
    assert not done(project)["Bring consents"]

    project.soft_opt_in_countries = ["DE"]

    assert done(project)["Bring consents"]
    assert not Consent.objects.exists()


@time_machine.travel(NOW, tick=False)
def test_figures_count_the_stores_own_days(project: Project, sign_in: Callable[..., Client]) -> None:
    for hours in (1, 12.5, 13.5, 24 * 6, 24 * 8):  # 13:00 in Berlin: 12.5 h ago is today, 13.5 h ago yesterday
        ShopperSignal.objects.create(project=project, received_at=NOW - timedelta(hours=hours))

    context = sign_in(Role.ANALYST).get("/admin/").context

    assert context["signals_today"] == 2
    assert [day["count"] for day in context["signals"]] == [1, 0, 0, 0, 0, 1, 2]


def test_skipped_mails_are_counted_by_reason(project: Project, sign_in: Callable[..., Client]) -> None:
    furnish(project, "aurora")
    RuleMatch.objects.update(state="skipped", reason="SKIPPED_HOLDOUT")

    context = sign_in(Role.ANALYST).get("/admin/").context

    assert [(row["label"], row["count"]) for row in context["skip_reasons"]] == [("In the control group", 1)]
    assert context["mails_sent"] == 1


def test_an_owner_pauses_all_sending_and_resumes(project: Project, sign_in: Callable[..., Client]) -> None:
    owner, path = sign_in(Role.OWNER), reverse("admin:pause_sending")

    asked = owner.get(path).content.decode()
    project.refresh_from_db()
    untouched = project.is_sending_paused
    paused = owner.post(path, {"paused": "1"}, follow=True).content.decode()
    project.refresh_from_db()

    assert "Pause all sending for" in asked
    assert not untouched
    assert project.is_sending_paused
    assert "no mail leaves" in paused
    owner.post(path, {"paused": "0"})
    project.refresh_from_db()
    assert not project.is_sending_paused


@pytest.mark.parametrize("role", [Role.MARKETER, Role.ANALYST, Role.OPERATOR])
def test_nobody_else_pauses_all_sending(project: Project, sign_in: Callable[..., Client], role: Role) -> None:
    browser = sign_in(role)

    assert browser.post(reverse("admin:pause_sending"), {"paused": "1"}).status_code == 403
    assert "Pause all sending" not in browser.get("/admin/").content.decode()


def test_demo_data_is_labelled(project: Project, sign_in: Callable[..., Client]) -> None:
    Project.objects.update(is_demo=True)

    assert "Demo data" in sign_in(Role.ANALYST).get("/admin/").content.decode()


def test_the_sidebar_lists_every_group_for_an_owner(project: Project, sign_in: Callable[..., Client]) -> None:
    groups = sign_in(Role.OWNER).get("/admin/").context["sidebar_navigation"]

    assert [(group["title"], len(group["items"])) for group in groups] == [
        ("", 1),
        ("Shoppers", 5),
        ("Automations", 3),
        ("E-mails", 5),
        ("Shop", 7),
        ("Insightarc", 5),
        ("Advanced", 2),
        ("Settings", 6),
    ]


def test_names_nobody_who_is_being_erased(project: Project, sign_in: Callable[..., Client]) -> None:
    ada = customer_services.identify(project=project, identifiers={"email": "ada@example.com"}, now=NOW).customer
    IntentProfile.objects.create(customer=ada, project=project, stage="leaving_with_intent", intent_score=80)
    shown = str(ada.pk) in sign_in().get("/admin/").content.decode()

    customer_services.begin_erasure(customer=ada, now=NOW)

    assert (shown, str(ada.pk) in sign_in().get("/admin/").content.decode()) == (True, False)
