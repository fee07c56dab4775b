"""Shops whose webhooks come in here, with the secret that they sign with."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from signals_app.projects.models import Project
from signals_app.shops import services as shop_services
from signals_app.shops.exceptions import InvalidConnection
from signals_app.shops.models import ShopConnection
from signals_app.shops.shop_api import ShopApi
from signals_app.webhooks.exceptions import InvalidConfiguration
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.services.sources import paste_secret


@transaction.atomic
def connect_shop(
    *,
    project: Project,
    domain: str,
    secret: str = "",
    access_token: str = "",
    client_id: str = "",
    now: datetime,
) -> ShopConnection:
    """
    Connect a shop at Shopify to a store: it may post webhooks here as soon as its app's secret is known.

    :raises InvalidConnection: naming the field that cannot be used; nothing is kept then.
    """
    shop = shop_services.create_shop(project=project, domain=domain)
    source = WebhookSource.objects.create(project=project, shop=shop, name=f"Shopify: {shop.domain}"[:100])
    if secret:
        give_secret(source=source, secret=secret, now=now)
    if access_token or client_id:
        shop_services.give_access(shop=shop, access_token=access_token, client_id=client_id, now=now)
    return shop


def give_secret(*, source: WebhookSource, secret: str, others_expire_at: datetime | None = None, now: datetime) -> None:
    """
    Make a secret of the shop's app valid, beside those that are.

    :raises InvalidConnection: if it cannot be one.
    """
    try:
        paste_secret(source=source, secret=secret, others_expire_at=others_expire_at, now=now)
    except InvalidConfiguration as error:
        raise InvalidConnection("secret", error.message) from error


def newest_secret(*, source: WebhookSource, now: datetime) -> str:
    """Return the secret that the app has now; empty if none is known."""
    row = source.secrets.valid(now=now).order_by("-pk").first()
    return row.secret if row else ""


def api_of(shop: ShopConnection, now: datetime) -> ShopApi:
    """Return the API of a shop; :raises ShopRefused: if it does not let us in."""
    secret = newest_secret(source=WebhookSource.objects.get(shop=shop), now=now)
    return shop_services.shop_api(shop=shop, client_secret=secret, now=now)
