"""What the pages of deliveries share: showing the bytes, and processing them again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from signals_app.core.display import lines
from signals_app.webhooks import bodies, services
from signals_app.webhooks.models import WebhookDelivery
from signals_app.webhooks.wakeup import wake_workers


def replay_with_message(request: HttpRequest, deliveries: list[WebhookDelivery]) -> None:
    count = services.replay(deliveries=deliveries, now=timezone.now())
    wake_workers()
    if count:
        messages.success(request, f"{count:,} being processed again. What still cannot be read comes back here.")
    else:
        messages.info(request, "Nothing to do now: the connection is paused, or they are being processed already.")


def raw_body(body: bytes) -> str:
    shown = bodies.show(body)
    notes = []
    if shown.is_cut:
        notes.append(f"Cut: the first {bodies.SHOWN_BYTES:,} bytes of {len(body):,}.")
    if not shown.is_text:
        notes.append("Some bytes are not UTF-8 and are shown as �.")
    if shown.is_json:
        notes.append("Indented for reading; the signature covers the bytes as they came.")
    return format_html('{}<pre class="crm-raw">{}</pre>', lines(notes) if notes else "", shown.text)
