"""Connecting a shop: its domain, how we prove to its API who we are, and the webhooks it posts to us."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError

from signals_app.projects.models import Project
from signals_app.shops import graphql_api
from signals_app.shops.constants import SUBSCRIBED_TOPICS
from signals_app.shops.exceptions import InvalidConnection, ShopRefused, ShopThrottled, ShopUnavailable
from signals_app.shops.models import ShopConnection, shop_domain_validator
from signals_app.shops.shop_api import ShopApi

SOONER = timedelta(minutes=10)
"""A token that ends within this time is replaced before it is used."""
DOMAIN = "{shop_domain}"
ENDING = ".myshopify.com"


def webhook_path(shop_id: UUID) -> str:
    return f"/webhooks/shopify/{shop_id}/"


def webhook_url(shop: ShopConnection) -> str:
    """Return the address that Shopify posts to."""
    return f"{settings.PUBLIC_URL}{webhook_path(shop.pk)}"


def shop_domain(text: str) -> str:
    """
    Return the one spelling of a shop's domain: "My-Shop", "https://my-shop.myshopify.com/admin" and so on.

    :raises InvalidConnection: if it is none.
    """
    said = text.strip().lower()
    try:
        host = (urlsplit(said if "//" in said else f"//{said}").hostname or "").rstrip(".")
    except ValueError:
        host = ""
    domain = host if "." in host else f"{host}{ENDING}"
    try:
        shop_domain_validator(domain)
    except ValidationError as error:
        raise InvalidConnection("domain", error.messages[0]) from error
    return domain


def create_shop(*, project: Project, domain: str) -> ShopConnection:
    """
    Add a shop to a store.

    :raises InvalidConnection: if the domain is none of Shopify's, or is connected already.
    """
    spelled = shop_domain(domain)
    if ShopConnection.objects.filter(project=project, domain=spelled).exists():
        raise InvalidConnection("domain", "This shop is connected already.")
    return ShopConnection.objects.create(project=project, domain=spelled)


def give_access(*, shop: ShopConnection, access_token: str = "", client_id: str = "", now: datetime) -> None:
    """
    Say how to prove to the shop's API who we are: an access token, or the app's client ID for tokens of a day.

    :raises InvalidConnection: if it is neither, or holds what no token has.
    """
    token, client = access_token.strip(), client_id.strip()
    if not (token or client):
        raise InvalidConnection("access_token", "Paste an access token, or the client ID of the app.")
    check_credential("access_token", token)
    check_credential("client_id", client)
    shop.access_token, shop.client_id, shop.token_expires_at = token, client, None
    shop.token_given_at, shop.uninstalled_at, shop.problem = now, None, ""
    shop.save(
        update_fields=[
            "access_token",
            "client_id",
            "token_expires_at",
            "token_given_at",
            "uninstalled_at",
            "problem",
            "updated_at",
        ]
    )


def check_credential(field: str, text: str) -> None:
    """Refuse what no access token or client ID can be; :raises InvalidConnection: saying what is wrong."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidConnection(field, "This has characters that none at Shopify has: copy it again.")
    if len(text) > (100 if field == "client_id" else 500):
        raise InvalidConnection(field, "This is longer than any at Shopify: copy it again.")


def api_of(*, shop: ShopConnection, client_secret: str, now: datetime) -> ShopApi:
    """
    Return the shop's API, with an access token that is good for a while.

    :raises ShopRefused: if we have nothing to show, or Shopify does not accept it.
    """
    if shop.uninstalled_at is not None:
        raise ShopRefused("The app was removed from the shop. Install it again, then paste a new token here.")
    is_fresh = shop.token_expires_at is None or shop.token_expires_at > now + SOONER
    if not (shop.access_token and is_fresh):
        if not (shop.client_id and client_secret):
            raise ShopRefused("There is no access token yet.")
        token, seconds = graphql_api.fetch_token(
            origin=_origin(shop), client_id=shop.client_id, client_secret=client_secret
        )
        shop.access_token, shop.token_expires_at = token, now + timedelta(seconds=seconds)
        shop.save(update_fields=["access_token", "token_expires_at", "updated_at"])
    return graphql_api.GraphqlShopApi(origin=_origin(shop), token=shop.access_token)


def _origin(shop: ShopConnection) -> str:
    return str(settings.SHOPIFY_ORIGIN).replace(DOMAIN, shop.domain)


def check_access(*, shop: ShopConnection, client_secret: str, now: datetime) -> str:
    """
    Ask the shop who it is, note its answer, and return a sentence for a person.

    :raises ShopRefused: if it does not let us in, or is another shop.
    :raises TransientError: if it does not answer now.
    """
    try:
        said = api_of(shop=shop, client_secret=client_secret, now=now).shop()
        if said.domain and said.domain != shop.domain:
            raise ShopRefused(f"This token is for {said.domain}, not for {shop.domain}.")
    except (ShopRefused, ShopThrottled, ShopUnavailable) as error:
        note_answer(shop=shop, problem=str(error), now=now)
        raise
    note_answer(shop=shop, problem="", now=now)
    sentence = f"{said.name or shop.domain} answers."
    if said.currency and said.currency != shop.project.currency:
        sentence += f" It sells in {said.currency}, this store counts in {shop.project.currency}."
    return sentence


def note_answer(*, shop: ShopConnection, problem: str, now: datetime) -> None:
    """Note whether the API last let us in, and when."""
    shop.problem = problem[:500]
    if not problem:
        shop.answered_at = now
    shop.save(update_fields=["problem", "answered_at", "updated_at"])


def subscribe(*, shop: ShopConnection, client_secret: str, now: datetime) -> dict[str, str]:
    """
    Have Shopify post to us every topic that it does not yet, and return {topic: why not} of those that it refuses.

    :raises ShopRefused: if it does not let us in.
    :raises TransientError: if it does not answer now; what is done is done, and calling again does the rest.
    """
    address = webhook_url(shop)
    if not address.startswith("https://"):
        raise ShopRefused("Shopify posts only to https addresses: set PUBLIC_URL to the one of this installation.")
    api = api_of(shop=shop, client_secret=client_secret, now=now)
    own = {each.topic for each in api.subscriptions() if each.address == address}
    missing = [topic for topic in SUBSCRIBED_TOPICS if topic not in own]
    refused = api.subscribe(missing, address=address)
    _note_subscribed(shop, sorted(own | set(missing) - refused.keys()), now)
    return refused


def _note_subscribed(shop: ShopConnection, topics: list[str], now: datetime) -> None:
    shop.subscribed_topics, shop.answered_at, shop.problem = topics, now, ""
    shop.save(update_fields=["subscribed_topics", "answered_at", "problem", "updated_at"])
