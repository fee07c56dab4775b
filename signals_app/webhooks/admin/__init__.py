"""The pages about the connection to Insightarc: its own, the incoming log, what needs fixing, and replays."""

from signals_app.webhooks.admin.connections import WebhookSourceAdmin
from signals_app.webhooks.admin.deliveries import WebhookDeliveryAdmin
from signals_app.webhooks.admin.needs_fixing import NeedsFixingAdmin
from signals_app.webhooks.admin.replay_runs import ReplayRunAdmin
from signals_app.webhooks.admin.shops import ShopConnectionAdmin

__all__ = ["NeedsFixingAdmin", "ReplayRunAdmin", "ShopConnectionAdmin", "WebhookDeliveryAdmin", "WebhookSourceAdmin"]
