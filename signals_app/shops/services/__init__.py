"""What other rooms may ask of connected shops: connect, apply a webhook, walk through the API, privacy requests."""

from signals_app.shops.services.connections import api_of as shop_api
from signals_app.shops.services.connections import (
    check_access,
    check_credential,
    create_shop,
    give_access,
    shop_domain,
    subscribe,
    webhook_path,
    webhook_url,
)
from signals_app.shops.services.people import finish_request
from signals_app.shops.services.syncing import (
    continue_syncs,
    progress,
    start_nightly_comparisons,
    start_sync,
    stop_sync,
)
from signals_app.shops.services.topics import Outcome, Webhook, apply, count

__all__ = [
    "Outcome",
    "Webhook",
    "apply",
    "check_access",
    "check_credential",
    "continue_syncs",
    "count",
    "create_shop",
    "finish_request",
    "give_access",
    "progress",
    "shop_api",
    "shop_domain",
    "start_nightly_comparisons",
    "start_sync",
    "stop_sync",
    "subscribe",
    "webhook_path",
    "webhook_url",
]
