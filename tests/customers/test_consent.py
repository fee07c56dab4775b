from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signals_app.customers import services
from signals_app.customers.exceptions import InvalidInput
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
    def test_is_nothing_until_asked(self, shop: Project) -> None:
        customer = services.identify(project=shop, identifiers={"external_id": "1"}, now=NOW).customer

        assert services.has_consent(customer=customer).granted is False

    def test_is_what_was_said_last_and_keeps_its_history(self, shop: Project) -> None:
        say(shop, True, email="a@example.com")

        customer = say(shop, False, email="a@example.com")

        answer = services.has_consent(customer=customer)
        assert answer == services.ConsentAnswer(False, "denied 2026-11-24 (newsletter form)")
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
        customer = order(identifiers={"email": "a@example.com"})[0].identifier.customer
        assert services.has_consent(customer=customer).granted is False

        shop.allows_soft_opt_in = True
        shop.save()
        customer = Customer.objects.get()

        assert services.has_consent(customer=customer).granted is True
        say(shop, False, email="a@example.com")
        assert services.has_consent(customer=customer).granted is False

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
