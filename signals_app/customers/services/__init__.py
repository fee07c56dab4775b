"""What other rooms may ask of profiles: who is who, consent, orders, timeline, export and erasure."""

from signals_app.customers.services.consent import (
    ConsentAnswer,
    PurposeState,
    consents_of,
    has_consent,
    may_personalise,
    may_track,
    purposes_of,
    record_consent,
    record_consent_by_hand,
)
from signals_app.customers.services.locks import lock_customers
from signals_app.customers.services.orders import last_order_at, record_order
from signals_app.customers.services.personal_data import erase_customer, export_customer
from signals_app.customers.services.resolution import IdentifyResult, Sighting, identify, resolve
from signals_app.customers.services.timeline import timeline

__all__ = [
    "ConsentAnswer",
    "IdentifyResult",
    "PurposeState",
    "Sighting",
    "consents_of",
    "erase_customer",
    "export_customer",
    "has_consent",
    "identify",
    "last_order_at",
    "lock_customers",
    "may_personalise",
    "may_track",
    "purposes_of",
    "record_consent",
    "record_consent_by_hand",
    "record_order",
    "resolve",
    "timeline",
]
