"""What other rooms may ask of profiles: who is who, joined and parted, consent, orders, timeline, export and erasure."""

from signals_app.customers.services.archive import archive_of
from signals_app.customers.services.consent import (
    ConsentAnswer,
    consents_of,
    has_consent,
    may_personalise,
    may_track,
    record_consent,
    record_consent_by_hand,
)
from signals_app.customers.services.erasure import (
    addresses_being_erased,
    begin_erasure,
    continue_erasures,
    counts_by_facet,
    erase_customer,
)
from signals_app.customers.services.joined import current_customer_id
from signals_app.customers.services.links import shared_among
from signals_app.customers.services.locks import lock_customers, lock_owners
from signals_app.customers.services.merging import keep_apart, merge
from signals_app.customers.services.orders import last_order_at, record_order, set_refunded
from signals_app.customers.services.owners import owners_of
from signals_app.customers.services.personal_data import bury_identifiers, export_customer
from signals_app.customers.services.previewing import (
    ComparedTrait,
    MergePreview,
    UndoPreview,
    describe,
    preview_merge,
    preview_undo,
)
from signals_app.customers.services.resolution import IdentifyResult, identify, resolve
from signals_app.customers.services.shop_visits import complete_checkout, record_checkout, record_fulfilment
from signals_app.customers.services.sightings import Sighting
from signals_app.customers.services.timeline import timeline, timeline_headings
from signals_app.customers.services.undoing import (
    Parting,
    continue_removals,
    links_of,
    undo_link,
    undo_links_of_kind,
)

__all__ = [
    "ComparedTrait",
    "ConsentAnswer",
    "IdentifyResult",
    "MergePreview",
    "Parting",
    "Sighting",
    "UndoPreview",
    "addresses_being_erased",
    "archive_of",
    "begin_erasure",
    "bury_identifiers",
    "complete_checkout",
    "consents_of",
    "continue_erasures",
    "continue_removals",
    "counts_by_facet",
    "current_customer_id",
    "describe",
    "erase_customer",
    "export_customer",
    "has_consent",
    "identify",
    "keep_apart",
    "last_order_at",
    "links_of",
    "lock_customers",
    "lock_owners",
    "may_personalise",
    "may_track",
    "merge",
    "owners_of",
    "preview_merge",
    "preview_undo",
    "record_checkout",
    "record_consent",
    "record_consent_by_hand",
    "record_fulfilment",
    "record_order",
    "resolve",
    "set_refunded",
    "shared_among",
    "timeline",
    "timeline_headings",
    "undo_link",
    "undo_links_of_kind",
]
