"""Shops and their secrets as requests need them, remembered as `known_sources` remembers those of Insightarc."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from signals_app.webhooks.known_sources import KnownSecret, Remembered, known_secrets
from signals_app.webhooks.models import WebhookSource


@dataclass(frozen=True, slots=True)
class KnownShop:
    """A shop by its own id, which stands in the address, with the source that its deliveries belong to."""

    id: UUID
    source_id: UUID
    domain: str
    is_paused: bool
    secrets: tuple[KnownSecret, ...]
    read_at: float

    def valid_secrets(self, now: datetime) -> list[str]:
        return [known.secret for known in self.secrets if known.expires_at is None or known.expires_at > now]


class KnownShops(Remembered[KnownShop]):
    def _read_row(self, source_id: UUID, read_at: float) -> KnownShop:
        source = WebhookSource.objects.select_related("shop").prefetch_related("secrets").get(shop=source_id)
        if source.shop is None:
            raise WebhookSource.DoesNotExist
        return KnownShop(
            id=source.shop.id,
            source_id=source.id,
            domain=source.shop.domain,
            is_paused=source.is_paused,
            secrets=known_secrets(source),
            read_at=read_at,
        )


_known = KnownShops()
find = _known.find
read_again = _known.read_again
