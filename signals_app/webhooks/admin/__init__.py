"""The pages about the connection to Insightarc: its own, the incoming log, and what needs fixing."""

from signals_app.webhooks.admin.connections import WebhookSourceAdmin
from signals_app.webhooks.admin.deliveries import WebhookDeliveryAdmin
from signals_app.webhooks.admin.needs_fixing import NeedsFixingAdmin

__all__ = ["NeedsFixingAdmin", "WebhookDeliveryAdmin", "WebhookSourceAdmin"]
