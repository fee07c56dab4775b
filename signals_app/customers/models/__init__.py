"""The room's tables."""

from signals_app.customers.models.consents import Consent, ConsentChange, ConsentHistory
from signals_app.customers.models.erasures import ErasureReport, ErasureTombstone
from signals_app.customers.models.people import (
    LAST_SEEN_FIRST,
    STRENGTH,
    Customer,
    Identifier,
    IdentityConflict,
    IdentityEdge,
    LinkRemoval,
    LivingCustomers,
    MergedCustomer,
)
from signals_app.customers.models.purchases import Checkout, Fulfilment, Order, validate_country

__all__ = [
    "LAST_SEEN_FIRST",
    "STRENGTH",
    "Checkout",
    "Consent",
    "ConsentChange",
    "ConsentHistory",
    "Customer",
    "ErasureReport",
    "ErasureTombstone",
    "Fulfilment",
    "Identifier",
    "IdentityConflict",
    "IdentityEdge",
    "LinkRemoval",
    "LivingCustomers",
    "MergedCustomer",
    "Order",
    "validate_country",
]
