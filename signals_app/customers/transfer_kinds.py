"""The lists of this room that can be imported."""

from __future__ import annotations

from signals_app.customers import import_rows
from signals_app.customers.constants import Topic
from signals_app.customers.services import importing
from signals_app.transfers.kinds import Column, ImportKind, Option

EXTERNAL_ID = Column(
    "external_id",
    "Customer ID",
    "The shop's own number of the customer.",
    ("user id", "customer number", "customer no", "kundennummer", "client id", "id"),
)
EMAIL = Column(
    "email", "E-mail", guesses=("mail", "e-mail address", "email address", "e-mail-adresse", "customer email")
)
ANONYMOUS_ID = Column("anonymous_id", "Visitor ID", "The ID of a browser.", ("visitor id", "device id"))
WHO = (EMAIL, EXTERNAL_ID, ANONYMOUS_ID)
WHO_NAMES = ("email", "external_id", "anonymous_id")
COUNTRY = Column("country", "Country", "Two letters, such as DE.", ("country code", "land", "pays", "billing country"))

PROFILES = ImportKind(
    name="profiles",
    label="Profiles",
    explanation="Who your shoppers are: e-mail, customer ID, name, time zone, and whatever else you want to remember. "
    "Nobody gets a mail because of it: that takes a consent. An empty cell changes nothing.",
    columns=(
        *WHO,
        Column("name", "Name", "The whole name.", ("full name", "customer name")),
        Column("first_name", "First name", guesses=("given name", "vorname", "prénom")),
        Column("last_name", "Last name", guesses=("surname", "family name", "nachname", "nom")),
        Column("time_zone", "Time zone", "Such as Europe/Berlin.", ("timezone", "zeitzone")),
        COUNTRY,
    ),
    needs_one_of=(WHO_NAMES,),
    takes_other_columns=True,
    reader=import_rows.profile_reader,
    store=importing.import_profiles,
)

CONSENTS = ImportKind(
    name="consents",
    label="Consents",
    explanation="What shoppers allowed or refused, with its proof: where they said so, when, and in which words. The "
    "hash of your file is kept with each of them. Something later that a shopper said themselves is not overwritten.",
    columns=(
        *WHO,
        Column(
            "granted",
            "Agreed",
            "Yes or no.",
            ("consent", "opt-in", "opt in", "accepts marketing", "subscribed", "newsletter", "email marketing consent"),
        ),
        Column("topic", "Purpose", "Marketing, personalisation or tracking.", ("purpose", "consent type")),
        Column("source", "Where", guesses=("consent source", "form", "channel", "quelle")),
        Column("wording", "Wording", guesses=("consent text", "text", "wortlaut")),
        Column(
            "occurred_at",
            "When",
            "2026-11-02, or with the time.",
            ("date", "time", "timestamp", "consent date", "opt-in date", "opt-in time", "subscribed at", "datum"),
        ),
    ),
    options=(
        Option(
            "topic",
            "Purpose",
            "For rows that do not say it.",
            type="choice",
            choices=tuple((topic.value, topic.label) for topic in Topic),
            default=Topic.MARKETING.value,
        ),
        Option(
            "granted",
            "These people",
            "For rows that do not say it.",
            type="choice",
            choices=(("", "(each row says it)"), ("yes", "agreed"), ("no", "refused")),
        ),
        Option("source", "Where they said so", "Such as: newsletter form of the old shop.", max_length=100),
        Option("occurred_at", "When they said so", "2026-11-02, for rows that do not say it.", type="moment"),
        Option(
            "wording", "What they agreed to", "The words beside the box they ticked.", type="lines", max_length=5_000
        ),
    ),
    needs_one_of=(WHO_NAMES,),
    reader=import_rows.consent_reader,
    store=importing.import_consents,
)

ORDERS = ImportKind(
    name="orders",
    label="Orders",
    explanation="What was bought, one order a row. Automations stop for people who have ordered; nobody is thanked for "
    "an old order. An order that is known is brought up to date.",
    columns=(
        Column("order_id", "Order number", guesses=("order", "order id", "order no", "bestellnummer", "name")),
        *WHO,
        Column("total", "Total", "59.90 or 59,90, without the currency.", ("amount", "order total", "summe", "betrag")),
        Column("currency", "Currency", "Three letters, such as EUR.", ("currency code", "währung")),
        Column(
            "placed_at", "When", "2026-11-02, or with the time.", ("date", "ordered at", "created at", "order date")
        ),
        Column("state", "State", "Placed, cancelled or refunded.", ("status", "order status", "financial status")),
        Column("refunded_total", "Refunded", guesses=("refund", "refunded amount")),
        COUNTRY,
    ),
    options=(Option("currency", "Currency", "For rows that do not say it; empty: that of the store.", max_length=3),),
    needs_one_of=(("order_id",), ("total",), ("placed_at",)),
    reader=import_rows.order_reader,
    store=importing.import_orders,
)

IMPORTS = (PROFILES, CONSENTS, ORDERS)
