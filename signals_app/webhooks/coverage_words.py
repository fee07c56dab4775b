"""What a coverage report says to a person: what to do next, and a letter to Insightarc that asks for what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from signals_app.core.numbers import percent
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.services.coverage import CoverageReport

MANY, FEW = 0.8, 0.2
CARRIED = 0.5
"""From this share on, the sender is taken to send a field wherever it can."""
REMEDIES = Literal["request", "kit", "consents", ""]

FIELDS: Mapping[str, tuple[str, str, str]] = {
    "external_id": ("user_id", "10042", "our own customer number, when the shopper is logged in"),
    "email": ("email", "shopper@example.com", "the e-mail address, when it is known and the shopper agreed"),
    "anonymous_id": ("anonymous_id", "v-7f3a", "your own lasting ID of the browser"),
    "session_id": ("session_id", "s-91c2", "your ID of the visit"),
}
"""What we ask for, each with its name in the body, an example and its meaning."""
PARAMETER = "uid"


@dataclass(frozen=True, slots=True)
class Advice:
    title: str
    text: str
    remedy: REMEDIES = ""
    """Where the page leads: the letter below, the identity kit, or how consents are brought."""
    tone: str = "warn"


def advice(report: CoverageReport) -> list[Advice]:
    """Return what to do next, the most useful first; one of praise if there is nothing."""
    if not report.signals:
        return [
            Advice(
                "No signals to look at", "Connect Insightarc first; a minute later you see whom they name.", "", "info"
            )
        ]
    steps = [*_about_ids(report), *_about_reach(report)]
    if steps:
        return steps
    share = report.share("with_consent")
    return [
        Advice("Nothing to do", f"{percent(share)} of the signals are from shoppers whom you may mail.", "", "good")
    ]


def _about_ids(report: CoverageReport) -> list[Advice]:
    identified, carried = report.share("identified"), report.carried
    if identified < MANY:
        return [
            Advice(
                f"{percent(1 - identified)} of the signals name nobody",
                "They are kept, but belong to no profile. Send Insightarc the request below: already an ID of the browser "
                "lets us tell shoppers apart.",
                "request",
            )
        ]
    if carried["anonymous_id"] < CARRIED and max(carried["external_id"], carried["email"]) < CARRIED:
        return [
            Advice(
                "Each visit looks like a new shopper",
                "The signals carry an ID of the visit but none of the browser, so who comes back is not recognised. Ask "
                "Insightarc for anonymous_id.",
                "request",
            )
        ]
    return []


def _about_reach(report: CoverageReport) -> list[Advice]:
    with_email, with_consent = report.share("with_email"), report.share("with_consent")
    steps = []
    if with_email < FEW:
        steps.append(
            Advice(
                f"Only {percent(with_email)} of the signals are from shoppers whose e-mail is known",
                "Put the identity kit into your shop's pages: whoever logs in there is recognised from then on, with all "
                "that the browser did before.",
                "kit",
            )
        )
    if with_consent < with_email / 2:
        steps.append(
            Advice(
                f"{percent(with_email - with_consent)} of the signals are from shoppers whom you know but may not mail",
                "A mail leaves only with consent. Bring the consents that your shop or newsletter tool has.",
                "consents",
            )
        )
    return steps


def identity_request(source: WebhookSource, report: CoverageReport | None = None) -> str:
    """Return what a shop can send to Insightarc, so that its signals say whose they are; it names what is missing."""
    carried = report.carried if report else {}
    missing = [kind for kind in FIELDS if carried.get(kind, 0.0) < CARRIED] or list(FIELDS)
    sent = [FIELDS[kind][0] for kind in FIELDS if kind not in missing]
    return f"""Hello,

we receive your webhook signals of our shop {source.project.shop_url} at
{chr(10).join(source.registered_urls) or "our CRM"}
{_already(sent)}
Please add to the JSON body of each signal, beside drop_proba and the other fields, what you know of the shopper:

{chr(10).join(f"  {chr(34) + FIELDS[kind][0] + chr(34):<16}{FIELDS[kind][2]}" for kind in missing)}

An example:

{_example(missing)}
{_least(missing)}
If the body cannot be extended: we can add a parameter to the links of our shop, for instance
{source.project.shop_url.rstrip("/")}/products/example?{_parameter(source)}=v-7f3a
Please tell us whether relevant_events then has the addresses with their parameters.

Thank you
"""


def _already(sent: list[str]) -> str:
    return f"\nThey carry {' and '.join(sent)} already, thank you for that.\n" if sent else ""


def _least(missing: list[str]) -> str:
    return "\nThe anonymous_id alone already lets us tell shoppers apart.\n" if "anonymous_id" in missing else ""


def _parameter(source: WebhookSource) -> str:
    """Return the parameter that the store looks for already, or one that it could."""
    mapped = source.identity_mapping if isinstance(source.identity_mapping, dict) else {}
    chosen = (field.get("query_parameter") for field in mapped.values() if isinstance(field, dict))
    return next((str(name) for name in chosen if name), PARAMETER)


def _example(missing: list[str]) -> str:
    documented = {
        "drop_proba": 0.95,
        "perfomance": 1.2,
        "num_events": 10,
        "num_loops": 2,
        "num_broken_buttons": 1,
        "avg_loops": 2.3,
        "avg_broken_buttons": 1,
        "relevant_events": [{"name": "/products/example"}],
    }
    asked = {FIELDS[kind][0]: FIELDS[kind][1] for kind in missing}
    return json.dumps(documented | asked, indent=2)
