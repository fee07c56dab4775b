"""Erasing a person from every room: nothing says who they were, nothing brings them back, no figure changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signals_app.customers import services as customers
from signals_app.customers.constants import ErasureState, Evidence
from signals_app.customers.models import Customer, ErasureReport, ErasureTombstone, Identifier, Order
from signals_app.emails import services as emails
from signals_app.emails.constants import SuppressionReason
from signals_app.emails.models import EmailMessage, MailboxMail, Suppression
from signals_app.facts.models import Fact
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.remarketing import results
from signals_app.remarketing.models import ErasedResult, RemarketingRule, RuleMatch
from signals_app.remarketing.services import follow_facts
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import pipeline
from signals_app.webhooks import services as webhooks
from signals_app.webhooks.models import InboxItem, ReplayRun, SignatureFailure, WebhookDelivery, WebhookSource
from tests.remarketing.conftest import NOON
from tests.whole_database import tables_that_say

VISITOR = "visitor-anna-9"
ANNA = {"external_id": "anna-1", "email": "anna@example.com", "anonymous_id": VISITOR}
LATER = NOON + timedelta(hours=2)


@pytest.fixture
def anna(
    project: Project,
    source: WebhookSource,
    rules: dict[str, RemarketingRule],
    allow_mail: Callable[..., Customer],
    visit: Callable[..., Any],
    run_due: Callable[..., None],
    post_signal: Callable[..., Any],
    example_body: Callable[..., dict[str, Any]],
    api: Callable[..., Any],
    shopper: Callable[..., Customer],
) -> Customer:
    """A shopper with rows in every room, also where nothing ties them to her."""
    allow_mail()
    customers.identify(project=project, identifiers=ANNA, attributes={"name": "Anna Berg"}, now=NOON)
    visit(anonymous_id=VISITOR)
    run_due(NOON)
    run_due(LATER)
    order = {"order_id": "R-20261", "total": "59.90", "currency": "EUR", "placed_at": (LATER).isoformat()}
    answer = api("post", "orders/", order | ANNA, headers={"Idempotency-Key": "order of anna@example.com"})
    assert answer.status_code == 201
    # Not tied to her: one that waits, one that nobody can read, one that was refused, one of a profile like hers.
    post_signal(example_body(num_events=99), at=LATER)
    InboxItem.objects.update(due_at=LATER + timedelta(days=1))
    post_signal(b'{"email": "Anna\\u0040Example.com", oops', at=LATER)
    SignatureFailure.objects.create(
        source=source, reason="BAD_SIGNATURE", body=b'{"user": "anna-1"}', requested_url="/"
    )
    customers.identify(project=project, identifiers={"external_id": "bob"}, now=NOON)
    post_signal(example_body(user_id="bob", num_events=98, note="for anna@example.com"), at=LATER)
    bob = WebhookDelivery.objects.latest("received_at", "id")
    InboxItem.objects.filter(pk=bob.pk).update(due_at=LATER)
    pipeline.process_batch(now=LATER)
    ReplayRun.objects.create(
        source=source, scope="NEEDS_FIXING", error_text="anna@example.com", received_until=LATER, expected=0,
        started_by="olga", started_at=LATER,
    )  # fmt: skip
    emails.suppress(
        project=project, email=ANNA["email"], reason=SuppressionReason.UNSUBSCRIBED, source="page", now=LATER
    )
    assert EmailMessage.objects.exists()
    assert MailboxMail.objects.exists()
    return shopper()


def test_no_table_says_who_the_person_was_and_the_report_says_what_was_done(anna: Customer, project: Project) -> None:
    assert len(tables_that_say(ANNA.values())) > 15

    customers.erase_customer(customer=anna, by="olga", now=LATER)

    assert tables_that_say([*ANNA.values(), "Anna Berg", "R-20261"]) == []
    report = ErasureReport.objects.get()
    assert (report.state, report.requested_by, report.known_ids) == (ErasureState.DONE, "olga", "")
    said = {(row["room"], row["what"]): (row["outcome"], row["count"]) for row in report.results}
    assert said["Incoming log", "Raw requests behind their signals"] == ("deleted", 3)
    assert said["Incoming log", "Requests that wait or need fixing"] == ("deleted", 2)
    assert said["Incoming log", "Requests of profiles that were seen with theirs"] == ("deleted", 1)
    assert said["Incoming log", "Refused requests put aside for diagnosis"] == ("deleted", 1)
    assert said["E-mails", "Addresses that must get no mail"] == ("made anonymous", 1)
    assert said["API", "Answers to programs, kept for repeats"] == ("deleted", 1)
    assert said["Profile", "Orders"] == ("deleted", 1)
    assert said["Profile", "Fingerprints of the known IDs"] == ("kept", None)
    assert [fact.subject_ids for fact in Fact.objects.filter(kind="customer.erased")] == [[str(anna.pk)]]
    assert Customer.objects.get().external_id == "bob"
    assert ShopperSignal.objects.get().extra == {}


def test_nothing_that_comes_again_brings_the_person_back(
    anna: Customer,
    project: Project,
    post_signal: Callable[..., Any],
    example_body: Callable[..., dict[str, Any]],
    api: Callable[..., Any],
    run_due: Callable[..., None],
) -> None:
    old = [bytes(body) for body in WebhookDelivery.objects.values_list("body", flat=True) if b"oops" not in bytes(body)]
    customers.erase_customer(customer=anna, now=LATER)
    later = LATER + timedelta(days=1)

    for body in old:
        post_signal(body, at=later)
    post_signal(example_body(num_events=1, anonymous_id="a browser of today"), at=later)
    post_signal({"anonymous_id": VISITOR, "session_id": "a visit of today"}, at=later)
    webhooks.replay(deliveries=WebhookDelivery.objects.all(), now=later)
    run_due(later)
    order = {"order_id": "R-2", "total": "1.00", "currency": "EUR", "placed_at": later.isoformat()}
    answers = [
        api("post", "identify/", ANNA | {"attributes": {"name": "Anna Berg"}}),
        api("post", "identify/", {"email": "ANNA@example.com", "external_id": "anna-2"}),
        api("post", "orders/", order | {"email": ANNA["email"]}),
        api("post", "consent/", {"channel": "email", "granted": False, "source": "x", "email": ANNA["email"]}),
        api("post", "consent/", {
            "channel": "email", "granted": True, "source": "x", "occurred_at": NOON.isoformat(), "external_id": "anna-1",
        }),
    ]  # fmt: skip
    imported = customers.resolve(
        project=project, sightings=[customers.Sighting("row 1", ANNA, Evidence.IMPORT)], now=later
    )

    assert {answer.status_code for answer in answers} == {400}
    assert all("erased" in answer.content.decode() for answer in answers)
    assert imported == {}
    assert set(Identifier.objects.values_list("value", flat=True)) == {"bob"}
    assert tables_that_say([ANNA["email"], "anna-1", "Anna Berg"]) == []
    assert not EmailMessage.objects.filter(created_at__gt=LATER).exists()


def test_a_fresh_consent_brings_them_back_but_an_unsubscribed_address_gets_no_mail(
    anna: Customer, project: Project, api: Callable[..., Any], sign_in: Callable[..., Any], settings: Any
) -> None:
    customers.erase_customer(customer=anna, now=LATER)
    settings.SECRET_KEY = "rotated"
    settings.FIELD_ENCRYPTION_KEYS = ["rotated too", *settings.FIELD_ENCRYPTION_KEYS]
    consent = {"channel": "email", "granted": True, "source": "form", "email": ANNA["email"]}

    assert api("post", "consent/", consent).status_code == 200
    assert api("post", "identify/", ANNA).status_code == 200
    assert emails.is_suppressed(project=project, email="Anna@Example.com")
    assert not emails.is_suppressed(project=project, email="berta@example.com")
    assert "anna" not in Suppression.objects.get().email
    page = sign_in(Role.OWNER).get("/admin/emails/suppression/", {"q": "Anna@Example.com"})
    assert "An erased person" in page.content.decode()


def test_an_address_that_is_suppressed_after_the_erasure_is_kept_as_its_fingerprint_only(
    anna: Customer, project: Project, api: Callable[..., Any], sign_in: Callable[..., Any]
) -> None:
    Suppression.objects.all().delete()
    customers.erase_customer(customer=anna, now=LATER)

    answers = [api("post", "suppressions/", {"email": "ANNA@example.com"}) for _ in range(2)]
    sign_in(Role.OWNER).post("/admin/emails/suppression/add/", {"email": ANNA["email"], "source": "by phone"})

    assert [answer.status_code for answer in answers] == [201, 200]
    assert tables_that_say([ANNA["email"]]) == []
    assert emails.is_suppressed(project=project, email=ANNA["email"])
    found = api("get", "suppressions/", {"email": ANNA["email"]}).json()["results"]
    assert [one["id"] for one in found] == [str(Suppression.objects.get().pk)]


def test_figures_stay_as_they_were(
    anna: Customer, project: Project, rules: dict[str, RemarketingRule], shopper: Callable[..., Customer]
) -> None:
    now = timezone.now() + timedelta(minutes=1)
    RuleMatch.objects.update(created_at=now - timedelta(hours=2))
    EmailMessage.objects.update(sending_at=now - timedelta(hours=2))
    Order.objects.update(placed_at=now - timedelta(hours=1))
    rule = RuleMatch.objects.filter(message__isnull=False).first().rule  # type: ignore[union-attr]
    before = results.results(rule=rule, days=7, now=now)
    assert (before.activity.sent, before.mailed.shoppers, before.mailed.ordered) == (1, 1, 1)

    customers.erase_customer(customer=anna, now=now)

    after = results.results(rule=rule, days=7, now=now)
    assert not RuleMatch.objects.filter(identifier__value=ANNA["email"]).exists()
    assert (after.activity, after.mailed, after.held_back) == (before.activity, before.mailed, before.held_back)
    assert results.results(rule=rule, days=7, now=now + timedelta(days=9)).mailed.shoppers == 0
    assert ErasedResult.objects.exists()


def test_from_the_first_step_on_the_person_is_out_of_reach_and_a_killed_worker_loses_nothing(
    anna: Customer, project: Project, api: Callable[..., Any], run_due: Callable[..., None]
) -> None:
    message = EmailMessage.objects.latest("created_at")
    EmailMessage.objects.filter(pk=message.pk).update(state="queued", due_at=LATER, lease_token=None)
    Suppression.objects.all().delete()
    mails = MailboxMail.objects.count()
    signal = ShopperSignal.objects.filter(identifier__customer=anna)[0]
    match = RuleMatch.objects.filter(identifier__customer=anna)[0]
    for path, row in (("signals", signal), ("messages", message), ("matches", match)):
        assert api("get", f"{path}/{row.pk}/").status_code == 200

    report = customers.begin_erasure(customer=anna, by="key iac_x", now=LATER)

    assert report is not None
    assert api("get", "customers/", {"email": ANNA["email"]}).json()["results"] == []
    assert api("get", f"customers/{anna.pk}/").status_code == 404
    assert api("post", "identify/", ANNA).status_code == 400
    for path, row in (("signals", signal), ("messages", message), ("matches", match)):
        assert str(row.pk) not in str(api("get", f"{path}/", {"customer": str(anna.pk)}).json())
        assert api("get", f"{path}/{row.pk}/").status_code == 404
    emails.send_due(now=LATER)
    assert (MailboxMail.objects.count(), customers.begin_erasure(customer=anna, now=LATER)) == (mails, report)

    class Killed(BaseException):
        pass

    statements: list[str] = []

    def dies_at(number: int) -> Callable[..., Any]:
        def run(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            statements.append(sql)
            if len(statements) == number:  # once, so that what follows is the rollback of the database
                raise Killed
            return execute(sql, params, many, context)

        return run

    now = LATER
    for number in (12, 25, 40, 55):
        statements.clear()
        with pytest.raises(Killed), connection.execute_wrapper(dies_at(number)):
            customers.continue_erasures(now=now)
        now += timedelta(minutes=10)
    assert customers.continue_erasures(now=now) is True

    report.refresh_from_db()
    said = {(row["room"], row["what"]): row["count"] for row in report.results}
    assert report.state == ErasureState.DONE
    assert said["Incoming log", "Raw requests behind their signals"] == 3
    assert tables_that_say(ANNA.values()) == []


def test_while_it_runs_the_pages_say_erased_person_and_link_to_no_profile(
    anna: Customer, sign_in: Callable[..., Any]
) -> None:
    message = EmailMessage.objects.latest("created_at")
    EmailMessage.objects.update(to_email=ANNA["email"], subject="Anna, still there?", html="<p>Anna</p>")
    signal = ShopperSignal.objects.filter(identifier__customer=anna)[0]
    ShopperSignal.objects.filter(pk=signal.pk).update(
        extra={"to": ANNA["email"]}, relevant_events=[{"name": f"/account?mail={ANNA['email']}"}]
    )
    customers.begin_erasure(customer=anna, now=LATER)
    browser = sign_in(Role.OWNER)

    pages = [
        "emails/emailmessage/",
        f"emails/emailmessage/{message.pk}/change/",
        "remarketing/rulematch/",
        f"remarketing/rulematch/{RuleMatch.objects.filter(identifier__customer=anna)[0].pk}/change/",
        "customers/order/",
        "shopper_signals/shoppersignal/",
        f"shopper_signals/shoppersignal/{signal.pk}/change/",
        f"webhooks/webhookdelivery/{signal.pk}/change/",
    ]
    for page in pages:
        said = browser.get(f"/admin/{page}").content.decode()
        assert "Erased person" in said, page
        assert "Visitor " not in said, page
        assert ANNA["email"] not in said, page
        assert "Anna, still there?" not in said, page
        assert f"/admin/customers/customer/{anna.pk}/change/" not in said, page


def test_while_it_runs_captured_mails_to_them_are_not_shown_and_test_mails_about_them_go_as_well(
    anna: Customer, project: Project, sign_in: Callable[..., Any]
) -> None:
    mailbox, browser = "/admin/emails/mailboxmail/", sign_in(Role.OWNER)
    about = {"project": project, "from_email": "hello@shop.example", "subject": "[Test] Back to the lamp?"}
    tied = MailboxMail.objects.get()
    MailboxMail.objects.filter(pk=tied.pk).update(subject="Anna, still there?")
    to_her = MailboxMail.objects.create(to_email="Anna@Example.com", **about)
    MailboxMail.objects.create(to_email="olga@shop.example", html="<p>You are anna@example.com</p>", **about)
    other = MailboxMail.objects.create(to_email="olga@shop.example", html="<p>You are berta@example.com</p>", **about)
    message = tied.message
    assert message is not None
    page = f"/admin/emails/emailmessage/{message.pk}/change/"
    assert "Anna, still there?" in browser.get(mailbox).content.decode()
    assert f"{mailbox}{tied.pk}/" in browser.get(page).content.decode()

    customers.begin_erasure(customer=anna, now=LATER)

    said = browser.get(mailbox).content.decode()
    assert "Anna, still there?" not in said
    assert "anna@example.com" not in said.casefold()
    assert f"{mailbox}{other.pk}/change/" in said
    assert {browser.get(f"{mailbox}{mail.pk}/change/").status_code for mail in (tied, to_her)} == {404}
    assert f"{mailbox}{tied.pk}/" not in browser.get(page).content.decode()
    customers.continue_erasures(now=LATER)
    assert list(MailboxMail.objects.all()) == [other]


def test_orders_of_a_person_who_is_being_erased_keep_no_other_facts_waiting(anna: Customer) -> None:
    customers.begin_erasure(customer=anna, now=LATER)

    followed = [follow_facts(now=LATER), follow_facts(now=LATER)]

    assert followed[0] > 0 == followed[1]


identifiers = st.fixed_dictionaries(
    {"email": st.from_regex(r"\A[a-z]{3,12}(\+[a-z]{1,5})?@[a-z]{3,10}\.example\Z")},
    optional={
        "external_id": st.text(st.characters(categories=["L", "N"]), min_size=6, max_size=30).map("c-".__add__),
        "anonymous_id": st.uuids().map(str),
        "session_id": st.uuids().map(str),
    },
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    who=identifiers,
    visits=st.lists(st.sets(st.sampled_from(["email", "external_id", "anonymous_id", "session_id"])), max_size=6),
    nested=st.booleans(),
)
def test_whatever_was_sent_no_table_says_who_it_was(
    project: Project,
    source: WebhookSource,
    post_signal: Callable[..., Any],
    who: dict[str, str],
    visits: list[set[str]],
    nested: bool,
) -> None:
    ErasureTombstone.objects.all().delete()  # those of the example before
    names = {"external_id": "user_id", "email": "email", "anonymous_id": "anonymous_id", "session_id": "session_id"}
    customer = customers.identify(
        project=project, identifiers=who, attributes={"note": f"is {who['email']}"}, now=NOON
    ).customer
    for number, chosen in enumerate([*visits, set(who)]):
        body: dict[str, Any] = {names[kind]: who[kind] for kind in chosen if kind in who}
        page = {"name": f"https://shop.example.com/account?mail={who['email']}"}
        post_signal(
            body
            | {"num_events": number, "relevant_events": [page] if body else [], "more": {"x": body} if nested else 1},
            at=NOON + timedelta(minutes=number),
        )
        if number % 2:
            pipeline.process_batch(now=LATER)

    customers.erase_customer(customer=Customer.objects.get(pk=customer.pk), now=LATER)

    assert tables_that_say(who.values()) == []
