"""What the pages of deliveries share: showing the bytes, and processing them again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from signals_app.core.display import lines
from signals_app.webhooks import bodies, services
from signals_app.webhooks.models import ReplayRun, WebhookDelivery
from signals_app.webhooks.services import Selection
from signals_app.webhooks.wakeup import wake_replays, wake_workers


def replay_with_message(request: HttpRequest, deliveries: list[WebhookDelivery]) -> None:
    count = services.replay(deliveries=deliveries, now=timezone.now())
    wake_workers()
    if count:
        messages.success(request, f"{count:,} being processed again. What still cannot be processed comes back here.")
    else:
        messages.info(request, "Nothing to do now: the connection is paused, or they are being processed already.")


def start_replays(request: HttpRequest, selection: Selection, source_id: str = "") -> HttpResponse:
    """Start the replays of a selection in the current store and lead to the page that shows how far they are."""
    project = request.project  # type: ignore[attr-defined]
    source = project.webhook_sources.filter(pk=source_id).first() if source_id else None
    runs = services.start_replays(
        project=project,
        selection=selection,
        source=source,
        started_by=request.user.get_username(),
        now=timezone.now(),
    )
    wake_replays()
    if not runs:
        messages.info(request, "There is nothing to replay any more.")
    return HttpResponseRedirect(run_page(runs[0]) if len(runs) == 1 else reverse("admin:webhooks_replayrun_changelist"))


def run_page(run: ReplayRun) -> str:
    return reverse("admin:webhooks_replayrun_change", args=[run.pk])


def number_in_words(count: int) -> str:
    """Return a bounded count as a person reads it: `7`, `more than 10,000`."""
    return f"more than {services.COUNTED_TO:,}" if count > services.COUNTED_TO else f"{count:,}"


def raw_body(body: bytes) -> SafeString:
    shown = bodies.show(body)
    notes = [shown.problem] if shown.problem else []
    if shown.is_cut:
        notes.append(f"Cut: {len(shown.text):,} characters of {len(body):,} bytes.")
    if not shown.is_text:
        notes.append("Some bytes are not UTF-8 and are shown as �.")
    if shown.is_json:
        notes.append("Indented for reading; the signature covers the bytes as they came.")
    return format_html('{}<pre class="crm-raw">{}</pre>', lines(notes) if notes else "", _marked(shown))


def _marked(shown: bodies.Shown) -> SafeString:
    if shown.mark is None:
        return format_html("{}", shown.text)
    # At the end there is no character to mark, so a sign stands for what is missing.
    at, after = shown.text[shown.mark : shown.mark + 1], shown.text[shown.mark + 1 :]
    return format_html(
        '{}<mark class="crm-mark" title="Reading stopped here">{}</mark>{}',
        shown.text[: shown.mark],
        at if at.strip() else f"⏎{at}" if at == "\n" else at or "▮",
        after,
    )
