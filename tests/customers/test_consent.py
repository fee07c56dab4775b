from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from signals_app.customers import services
from signals_app.customers.exceptions import AppendOnly, InvalidInput
from signals_app.customers.forms import ConsentForm
from signals_app.customers.models import Consent, ConsentChange, Customer, Identifier
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact
from signals_app.projects.models import Project

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def say(
    shop: Project, granted: bool, *, occurred_at: datetime | None = None, topic: str = "marketing", **identifiers: str
) -> Customer:
    return services.record_consent(
        project=shop,
        identifiers=identifiers,
        topic=topic,
        granted=granted,
        source="newsletter form",
        occurred_at=occurred_at,
        now=NOW,
    )


class TestWhatAShopperAllows:
    def test_is_dated_by_the_clock_of_whoever_compares_profiles(self, shop: Project) -> None:
        customer = say(shop, True, occurred_at=datetime(2026, 11, 1, 23, 30, tzinfo=UTC), email="a@example.com")

        with timezone.override("Asia/Tokyo"):
            traits = {trait.label: trait.value for trait in services.describe(customer=customer, now=NOW)}

        assert traits["Marketing"] == "Granted 2 Nov 2026 (newsletter form)"

    def test_is_nothing_until_asked(self, shop: Project) -> None:
        customer = services.identify(project=shop, identifiers={"external_id": "1"}, now=NOW).customer

        assert services.has_consent(customer=customer).granted is False

    def test_is_what_was_said_last_and_keeps_its_history(self, shop: Project) -> None:
        say(shop, True, email="a@example.com")

        customer = say(shop, False, email="a@example.com")

        answer = services.has_consent(customer=customer)
        assert answer == services.ConsentAnswer(False, "denied 24 November 2026 (newsletter form)")
        assert list(ConsentChange.objects.order_by("pk").values_list("is_granted", flat=True)) == [True, False]
        assert Consent.objects.count() == 1

    def test_is_not_changed_by_news_that_come_late(self, shop: Project) -> None:
        say(shop, False, email="a@example.com", occurred_at=NOW - timedelta(days=1))

        customer = say(shop, True, email="a@example.com", occurred_at=NOW - timedelta(days=2))

        assert services.has_consent(customer=customer).granted is False
        assert ConsentChange.objects.count() == 2

    def test_is_not_bound_to_the_future(self, shop: Project) -> None:
        say(shop, True, email="a@example.com", occurred_at=NOW + timedelta(days=900))

        customer = say(shop, False, email="a@example.com")

        assert services.has_consent(customer=customer).granted is False

    def test_is_kept_apart_by_purpose(self, shop: Project) -> None:
        customer = say(shop, True, email="a@example.com", topic="tracking")

        assert services.has_consent(customer=customer).granted is False
        assert services.has_consent(customer=customer, topic="tracking").granted is True
        assert services.consents_of([customer.pk]) == {customer.pk: {"email.tracking": True}}

    def test_is_no_when_profiles_that_disagree_are_joined(self, shop: Project) -> None:
        say(shop, True, email="a@example.com")
        say(shop, False, anonymous_id="b")

        customer = services.identify(
            project=shop, identifiers={"email": "a@example.com", "anonymous_id": "b"}, now=NOW
        ).customer

        assert services.has_consent(customer=customer).granted is False
        assert services.consents_of([customer.pk]) == {customer.pk: {"email.marketing": False}}

    def test_is_said_for_the_person_and_not_for_one_identifier(self, shop: Project) -> None:
        say(shop, False, email="a@example.com")
        services.identify(project=shop, identifiers={"email": "a@example.com", "external_id": "1"}, now=NOW)

        customer = say(shop, True, external_id="1")

        assert services.has_consent(customer=customer).granted is True
        assert Consent.objects.filter(is_granted=True).count() == 2

    def test_may_follow_from_an_order_where_the_store_says_so(self, shop: Project, order: Callable[..., Any]) -> None:
        customer = order(identifiers={"email": "a@example.com"}, country="DE")[0].identifier.customer
        assert services.has_consent(customer=customer).granted is False

        shop.soft_opt_in_countries = ["DE"]
        shop.save()
        customer = Customer.objects.get()

        answer = services.has_consent(customer=customer)
        assert answer == services.ConsentAnswer(
            True, "soft opt-in: ordered 24 November 2026, from Germany, and never said no"
        )
        say(shop, False, email="a@example.com")
        assert services.has_consent(customer=customer).granted is False

    @pytest.mark.parametrize(
        ("country", "attribute", "granted", "words"),
        [
            ("FR", None, False, "has ordered from France, where an order allows no mail"),
            (None, None, False, "from a country that is not known"),
            (None, "DE", True, "from Germany"),
            (None, "germany", True, "from Germany"),
            (None, "Atlantis", False, "not known"),
            (None, ["DE"], False, "not known"),
            ("DE", "FR", False, "from Germany and France"),
        ],
    )
    def test_depends_on_the_country_of_a_soft_opt_in(
        self,
        shop: Project,
        order: Callable[..., Any],
        country: str | None,
        attribute: Any,
        granted: bool,
        words: str,
    ) -> None:
        shop.soft_opt_in_countries = ["AT", "DE"]
        shop.save()
        order(country=country)
        services.identify(
            project=shop, identifiers={"email": "a@example.com"}, attributes={"country": attribute}, now=NOW
        )

        answer = services.has_consent(customer=Customer.objects.get())

        assert answer.granted is granted
        assert words in answer.detail

    def test_does_not_follow_from_an_order_that_was_cancelled(self, shop: Project, order: Callable[..., Any]) -> None:
        shop.soft_opt_in_countries = ["DE"]
        shop.save()
        order(country="DE", state="cancelled")

        answer = services.has_consent(customer=Customer.objects.get())

        assert answer == services.ConsentAnswer(False, "never asked, never ordered")

    def test_follows_from_an_order_for_marketing_alone(self, shop: Project, order: Callable[..., Any]) -> None:
        shop.soft_opt_in_countries = ["DE"]
        shop.save()
        customer = order(country="DE")[0].identifier.customer

        assert services.may_track(customer=customer) == services.ConsentAnswer(False, "never asked")

    def test_takes_behaviour_until_somebody_refuses_or_only_after_a_yes(self, shop: Project) -> None:
        asked = say(shop, True, email="a@example.com")
        refused = say(shop, False, email="b@example.com", topic="personalisation")
        agreed = say(shop, True, email="c@example.com", topic="personalisation")

        def allowed() -> list[bool]:
            ids = [asked.pk, refused.pk, agreed.pk]
            answers = services.may_personalise(project=shop, customer_ids=ids)
            customers = Customer.objects.in_bulk(ids)
            one_by_one = [services.has_consent(customer=customers[pk], topic="personalisation") for pk in ids]
            assert one_by_one == [answers[pk] for pk in ids]
            return [answers[pk].granted for pk in ids]

        assert allowed() == [True, False, True]
        shop.personalises_unless_refused = False
        shop.save()
        assert allowed() == [False, False, True]

    def test_can_be_told_to_a_person(self, shop: Project) -> None:
        customer = services.identify(project=shop, identifiers={"external_id": "7"}, now=NOW).customer
        form = ConsentForm(
            {"topic": "tracking", "granted": "yes", "source": "by phone", "wording": "May we count opens?"}
        )
        assert form.is_valid()

        services.record_consent_by_hand(customer=customer, **form.said(), by="anna", now=NOW)

        change = ConsentChange.objects.get()
        assert (change.topic, change.is_granted) == ("tracking", True)
        assert (change.source, change.wording) == ("by phone (anna)", "May we count opens?")

    def test_is_news(self, shop: Project) -> None:
        customer = say(shop, True, email="a@example.com")

        fact = Fact.objects.get()
        assert (fact.kind, fact.subject_ids) == (FactKind.CONSENT_CHANGED, [str(customer.pk)])

    @pytest.mark.parametrize(("field", "value"), [("channel", "pigeon"), ("topic", "world domination")])
    def test_is_refused_for_an_unknown_purpose(self, shop: Project, field: str, value: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            services.record_consent(
                project=shop,
                identifiers={"email": "a@example.com"},
                granted=True,
                source="form",
                now=NOW,
                **{field: value},  # type: ignore[arg-type]
            )

        assert refused.value.field == field
        assert not Identifier.objects.exists()


class TestTheHistoryOfConsents:
    def test_is_only_added_to(self, shop: Project) -> None:
        say(shop, True, email="a@example.com")
        change = ConsentChange.objects.get()
        change.is_granted = False

        for forbidden in (
            change.save,
            change.delete,
            ConsentChange.objects.all().delete,
            lambda: ConsentChange.objects.update(is_granted=False),
        ):
            with pytest.raises(AppendOnly):
                forbidden()

        assert ConsentChange.objects.get().is_granted is True

    def test_cannot_be_changed_past_the_model_either(self, shop: Project) -> None:
        say(shop, True, email="a@example.com")

        with pytest.raises(DatabaseError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE customers_consentchange SET is_granted = %s", [False])

        assert ConsentChange.objects.get().is_granted is True

    def test_goes_with_its_person(self, shop: Project) -> None:
        customer = say(shop, True, email="a@example.com")

        services.erase_customer(customer=customer, now=NOW)

        assert not ConsentChange.objects.exists()
