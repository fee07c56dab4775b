"""What shoppers allow, now and before; purposes are kept apart."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from signals_app.core.bulk import read_rows
from signals_app.core.clock import why_never
from signals_app.core.countries import country_code, country_name
from signals_app.customers.constants import Channel, Evidence, OrderState, Topic
from signals_app.customers.exceptions import InvalidValue
from signals_app.customers.identifiers import normalise_all
from signals_app.customers.joining import Key
from signals_app.customers.models import Consent, Customer, Order
from signals_app.customers.services import consent_answers, tombstones
from signals_app.customers.services.consent_answers import Answer, Said
from signals_app.customers.services.resolution import resolve_one
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project

COUNTRY_ATTRIBUTES = ("country", "country_code")
"""Attributes of a shopper that may name their country."""


@dataclass(frozen=True)
class ConsentAnswer:
    granted: bool
    detail: str
    """Why, in words a marketer can read: "granted 2 November 2026 (newsletter form)"."""


@transaction.atomic
def record_consent(
    *,
    project: Project,
    identifiers: dict[str, Any],
    channel: str = Channel.EMAIL,
    topic: str = Topic.MARKETING,
    granted: bool,
    source: str,
    wording: str = "",
    occurred_at: datetime | None = None,
    now: datetime,
) -> Customer:
    """
    Record what a shopper said about one purpose, and make it what holds unless something later was said.

    It is written on the strongest identifier given and on every other of the customer that already holds an answer
    for the purpose: a yes (or no) to the one is a yes (or no) of the person. Granting again after an erasure brings
    the person back.

    :raises InvalidInput: naming the value that cannot be used.
    """
    if channel not in Channel.values:
        raise InvalidValue("channel", f"Use one of: {', '.join(Channel.values)}.")
    if topic not in Topic.values:
        raise InvalidValue("topic", f"Use one of: {', '.join(Topic.values)}.")
    at = min(occurred_at or now, now)
    if problem := why_never(at, now=now):
        raise InvalidValue("occurred_at", problem)
    if granted:
        keys = [Key(kind, value) for kind, value in normalise_all(identifiers).items()]
        tombstones.lift(project=project, keys=keys, erased_before=at)
    purpose, answer = (str(channel), str(topic)), Answer(granted, source[:100], wording, at)
    resolution = resolve_one(
        project=project,
        identifiers=identifiers,
        evidence=Evidence.IDENTIFY,
        marketing_consent=granted if purpose == consent_answers.MARKETING else None,
        now=now,
    )
    identifier = resolution.identifiers[""]
    customer = identifier.customer
    answers = consent_answers.answers_of({customer.pk} - resolution.created)  # whoever is new has said nothing yet
    holding = consent_answers.apply(answers[customer.pk, purpose], identifier.pk, answer)
    consent_answers.write_history([Said(identifier.pk, purpose, answer)], now=now)
    consent_answers.write_answers({(pk, purpose): answer for pk in holding})
    consent_answers.note_marketing({customer.pk: customer}, answers, now=now)
    fact_services.record(project=project, kind=FactKind.CONSENT_CHANGED, subject_ids=[str(customer.pk)])
    return customer


def record_consent_by_hand(
    *, customer: Customer, topic: str, granted: bool, source: str, wording: str = "", by: str, now: datetime
) -> Customer:
    """
    Record what a shopper told a member of the team; `by` names that member and stands beside the source.

    :raises InvalidInput: if the shopper has neither an e-mail address nor a customer ID, or a value cannot be used.
    """
    known = {"email": customer.email, "external_id": customer.external_id}
    strongest = {kind: value for kind, value in known.items() if value}
    if not strongest:
        raise InvalidValue("identifiers", "Without an e-mail address or customer ID there is nobody to consent.")
    return record_consent(
        project=customer.project,
        identifiers=strongest,
        topic=topic,
        granted=granted,
        source=f"{source[: 97 - len(by[:40])]} ({by[:40]})",
        wording=wording,
        now=now,
    )


def has_consent(*, customer: Customer, channel: str = Channel.EMAIL, topic: str = Topic.MARKETING) -> ConsentAnswer:
    """
    Say whether a purpose is allowed for this customer.

    Where identifiers disagree (two profiles that were joined), the no counts. Where none says anything, the store's
    own rule decides: soft opt-in for marketing, `personalises_unless_refused` for personalisation; tracking never.
    """
    answers = Consent.objects.filter(identifier__customer=customer, channel=channel, topic=topic)
    latest = answers.order_by("is_granted", "-occurred_at").first()
    if latest is not None:
        word = "granted" if latest.is_granted else "denied"
        return ConsentAnswer(latest.is_granted, f"{word} {_day(latest.occurred_at)} ({latest.source})")
    if topic == Topic.MARKETING and customer.project.soft_opt_in_countries:
        return _soft_opt_in(customer)
    if topic == Topic.PERSONALISATION:
        return _personalisation_unasked(customer.project)
    return ConsentAnswer(False, "never asked")


def _day(moment: datetime) -> str:
    """Return the day as the pages say it, on the clock of whoever asks."""
    return f"{timezone.localtime(moment):%-d %B %Y}"


def may_track(*, customer: Customer) -> ConsentAnswer:
    """Say whether opens and clicks of this customer's mails may be followed: only after a yes, never by default."""
    return has_consent(customer=customer, topic=Topic.TRACKING)


def may_personalise(*, project: Project, customer_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, ConsentAnswer]:
    """Say for each of these customers whether their behaviour may be used, in one query for all of them."""
    said = Consent.objects.filter(
        identifier__customer__any_of=customer_ids, channel=Channel.EMAIL, topic=Topic.PERSONALISATION
    )
    columns = ("identifier__customer", "is_granted", "occurred_at", "source")
    found: dict[uuid.UUID, ConsentAnswer] = {}
    for pk, granted, at, source in read_rows(said.order_by("is_granted", "-occurred_at").values_list(*columns)):
        # The first is a no, if there is any, else the newest yes.
        found.setdefault(pk, ConsentAnswer(granted, f"{'granted' if granted else 'denied'} {_day(at)} ({source})"))
    return {pk: found.get(pk) or _personalisation_unasked(project) for pk in customer_ids}


def _personalisation_unasked(project: Project) -> ConsentAnswer:
    if project.personalises_unless_refused:
        return ConsentAnswer(True, "never refused; the store personalises until somebody does")
    return ConsentAnswer(False, "never asked, and the store personalises only after a yes")


def _soft_opt_in(customer: Customer) -> ConsentAnswer:
    """
    Say whether an order allows marketing although nothing was said.

    The shopper's country is that of the latest order that names one, and the one said of the shopper. Where the two
    disagree, both have to be allowed; where neither is known, nothing is.
    """
    orders = Order.objects.filter(identifier__customer=customer).exclude(state=OrderState.CANCELLED)
    placed = list(orders.order_by("-placed_at").values_list("placed_at", "country")[:50])
    if not placed:
        return ConsentAnswer(False, "never asked, never ordered")
    attributes = customer.attributes if isinstance(customer.attributes, dict) else {}
    said = (country_code(attributes.get(name)) for name in COUNTRY_ATTRIBUTES)
    known = {next((country for _, country in placed if country), ""), next(filter(None, said), "")} - {""}
    where = " and ".join(country_name(country) for country in sorted(known))
    if not known:
        return ConsentAnswer(False, "never asked; has ordered, but from a country that is not known")
    if known <= set(customer.project.soft_opt_in_countries):
        return ConsentAnswer(True, f"soft opt-in: ordered {_day(placed[0][0])}, from {where}, and never said no")
    return ConsentAnswer(False, f"never asked; has ordered from {where}, where an order allows no mail")


def consents_of(customer_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, bool]]:
    """Return what each customer said by purpose, `{"email.marketing": True}`; where identifiers disagree, the no."""
    found: dict[uuid.UUID, dict[str, bool]] = defaultdict(dict)
    rows = Consent.objects.filter(identifier__customer_id__in=customer_ids)
    for pk, channel, topic, is_granted in rows.values_list("identifier__customer_id", "channel", "topic", "is_granted"):
        purpose = f"{channel}.{topic}"
        found[pk][purpose] = found[pk].get(purpose, True) and is_granted
    return {pk: found.get(pk, {}) for pk in customer_ids}
