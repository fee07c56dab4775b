"""The room's tables."""

from signals_app.webhooks.models.receiving import (
    InboxItem,
    ReplayRun,
    SecretQuerySet,
    SeenBody,
    ShopDelivery,
    SignatureFailure,
    SourceQuerySet,
    WebhookDelivery,
    WebhookSecret,
    WebhookSource,
)
from signals_app.webhooks.models.watching import (
    AddressProbe,
    ConnectionAlert,
    CoverageCursor,
    HourlyCount,
    HourlyCoverage,
)

__all__ = [
    "AddressProbe",
    "ConnectionAlert",
    "CoverageCursor",
    "HourlyCount",
    "HourlyCoverage",
    "InboxItem",
    "ReplayRun",
    "SecretQuerySet",
    "SeenBody",
    "ShopDelivery",
    "SignatureFailure",
    "SourceQuerySet",
    "WebhookDelivery",
    "WebhookSecret",
    "WebhookSource",
]
