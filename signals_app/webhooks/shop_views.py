"""
What a shop's webhook is answered: as `views` does, where it fits.

| case | answer | kept |
| --- | --- | --- |
| unknown shop | 404, constant | nothing |
| HEAD; OPTIONS; other methods | 200, empty; 200; 405 | nothing |
| over 2 MiB | 413 | nothing |
| a content encoding | 415 | nothing |
| no secret pasted yet | 401, constant | a count |
| signature missing or wrong | 401, constant | a count |
| signed, but for another shop | 401, constant | a count |
| not committed | 503 with Retry-After | perhaps |
| signed, not a JSON object | 400 | the bytes, quarantined |
| the same webhook again | 200 `duplicate` | a count on the first |
| paused | 200 `parked` | the delivery |
| signed, whatever its topic | 200 `accepted` | the delivery |

Shopify waits five seconds, tries again for four hours, and then takes the subscription away; so nothing is done here but
keeping it. Source: https://shopify.dev/docs/apps/build/webhooks/subscribe/https.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseFailure
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from signals_app.shops import payload, signature
from signals_app.shops.exceptions import UnusableData
from signals_app.webhooks import known_shops, rejections, shop_inbox, wakeup
from signals_app.webhooks.constants import DeliveryVerdict, RejectionReason
from signals_app.webhooks.known_shops import KnownShop
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.views import BodyTooLarge, ReceiveWebhook, answer, logger, read_body

MAX_SHOP_BODY_BYTES = 2 * 1024 * 1024
"""A product with two thousand variants is some megabyte."""
MAX_HEADER = 100


class ReceiveShopWebhook(ReceiveWebhook):
    """Where Shopify posts; the signature is the authentication."""

    shop: KnownShop

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        APIView.initial(self, request, *args, **kwargs)
        self.shop = _find_shop(kwargs["shop_id"])

    def head(self, request: Request, shop_id: str) -> Response:
        return Response()

    def post(self, request: Request, shop_id: str) -> Response:
        try:
            body = read_body(request._request, MAX_SHOP_BODY_BYTES)
        except BodyTooLarge:
            return answer(413, "too_large", f"At most {MAX_SHOP_BODY_BYTES} bytes are accepted.")
        if request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower() not in {"", "identity"}:
            return answer(415, "unsupported_encoding", "Send the body without a Content-Encoding.")
        if (reason := self._refusal(body, request)) is not None:
            return self._refuse(reason)
        return self._keep(body, request)

    def _refusal(self, body: bytes, request: Request) -> RejectionReason | None:
        """Return why a request is not to be believed, read again before it is refused."""
        if self._reason_against(body, request) is None:
            return None
        self.shop = known_shops.read_again(self.shop)
        return self._reason_against(body, request)

    def _reason_against(self, body: bytes, request: Request) -> RejectionReason | None:
        secrets = self.shop.valid_secrets(timezone.now())
        if not signature.verifies(secrets, body, request.META.get("HTTP_X_SHOPIFY_HMAC_SHA256", "")):
            return RejectionReason.BAD_SIGNATURE if self.shop.secrets else RejectionReason.NO_SECRET
        # One app can be installed in several shops, which all sign with its secret.
        if request.META.get("HTTP_X_SHOPIFY_SHOP_DOMAIN", "").strip().lower() != self.shop.domain:
            return RejectionReason.OTHER_SHOP
        return None

    def _refuse(self, reason: RejectionReason) -> Response:
        try:
            rejections.count_refusal(self.shop.source_id, reason)
        except DatabaseFailure:
            logger.warning("A request that did not verify could not be counted.", exc_info=True)
        return answer(
            401,
            "not_verified",
            "The request is not signed with the secret of this shop's app.",
            **{"WWW-Authenticate": "x-shopify-hmac-sha256"},
        )

    def _keep(self, body: bytes, request: Request) -> Response:
        verdict, error = DeliveryVerdict.PARKED if self.shop.is_paused else DeliveryVerdict.ACCEPTED, ""
        try:
            payload.decode(body)
        except UnusableData as unusable:
            verdict, error = DeliveryVerdict.MALFORMED, str(unusable)
        topic = _header(request, "TOPIC").lower()
        receipt = shop_inbox.keep(
            shop_inbox.ShopArrival(
                source_id=self.shop.source_id,
                body=body,
                verdict=verdict,
                content_type=request.META.get("CONTENT_TYPE", ""),
                error=error,
                topic=topic,
                webhook_id=shop_inbox.number_of(_header(request, "WEBHOOK_ID"), topic, body),
                event_id=_header(request, "EVENT_ID"),
                triggered_at=_moment(_header(request, "TRIGGERED_AT")),
            )
        )
        if receipt.is_duplicate:
            return Response({"id": receipt.delivery_id, "status": "duplicate"})
        if verdict == DeliveryVerdict.MALFORMED:
            return Response({"code": "malformed", "detail": error, "id": receipt.delivery_id}, status=400)
        if verdict == DeliveryVerdict.PARKED:
            return Response({"id": receipt.delivery_id, "status": "parked"})
        wakeup.wake_workers()
        return Response({"id": receipt.delivery_id, "status": "accepted"})


def _find_shop(shop_id: str) -> KnownShop:
    """Return the shop that a path names, spelled as it was given out; :raises WebhookSource.DoesNotExist: if none."""
    try:
        key = UUID(shop_id)
    except ValueError as error:
        raise WebhookSource.DoesNotExist from error
    if shop_id.lower() != str(key):
        raise WebhookSource.DoesNotExist
    return known_shops.find(key)


def _header(request: Request, name: str) -> str:
    """Return one of Shopify's headers as text that can be kept; what is too long to be one of theirs is cut."""
    said = str(request.META.get(f"HTTP_X_SHOPIFY_{name}", "")).strip()
    return "".join(sign for sign in said if sign.isascii() and sign.isprintable())[:MAX_HEADER]


def _moment(said: str) -> datetime | None:
    try:
        # Nanoseconds, as Shopify writes them, are more than Python reads.
        moment = datetime.fromisoformat(said[:26] + "+00:00" if said.endswith("Z") and len(said) > 27 else said)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None
