"""What other rooms may ask of profiles: who is who, consent, orders, timeline, export and erasure."""

from signals_app.customers.services.consent import ConsentAnswer, consents_of, has_consent, record_consent
from signals_app.customers.services.locks import lock_customers
from signals_app.customers.services.orders import last_order_at, record_order, set_refunded
from signals_app.customers.services.personal_data import bury_identifiers, erase_customer, export_customer
from signals_app.customers.services.resolution import IdentifyResult, Sighting, identify, resolve
from signals_app.customers.services.shop_visits import complete_checkout, record_checkout, record_fulfilment
from signals_app.customers.services.timeline import timeline

__all__ = [
    "ConsentAnswer",
    "IdentifyResult",
    "Sighting",
    "bury_identifiers",
    "complete_checkout",
    "consents_of",
    "erase_customer",
    "export_customer",
    "has_consent",
    "identify",
    "last_order_at",
    "lock_customers",
    "record_checkout",
    "record_consent",
    "record_fulfilment",
    "record_order",
    "resolve",
    "set_refunded",
    "timeline",
]
