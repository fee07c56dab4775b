"""Opening and resolving alerts, telling the team by mail, and saying which are open."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from anymail.exceptions import AnymailError
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Count, Q
from django.urls import reverse

from signals_app.core import claims
from signals_app.projects.constants import Role
from signals_app.projects.models import Membership, Project
from signals_app.webhooks.constants import AlertKind
from signals_app.webhooks.models import ConnectionAlert, WebhookSource

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
"""Longer than a mail takes; after it a mail that failed is tried again."""
AT_ONCE = 50
TOLD = (Role.OWNER, Role.OPERATOR)
TO_MAIL = Q(resolved_at=None, notified_at=None) | Q(
    resolved_at__isnull=False, notified_at__isnull=False, resolution_notified_at=None
)
"""Opened or became urgent and nobody was told; or is over, and those who were told it was open do not know."""
OVER = {
    AlertKind.SILENT: "Signals are coming in again.",
    AlertKind.BAD_SIGNATURES: "No more requests are refused because of their signature.",
    AlertKind.ADDRESS: "The address answers again as it should.",
    AlertKind.CERTIFICATE: "The certificate is valid for long enough again.",
    AlertKind.INBOX: "Signals are being processed again.",
    AlertKind.NEEDS_FIXING: "Nothing needs fixing any more.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a connection now, in a sentence or two for a person."""

    detail: str
    is_urgent: bool = True


def settle(*, source: WebhookSource, findings: Mapping[AlertKind, Finding], now: datetime) -> None:
    """
    Make the open alerts of a source those of `findings`: one of each kind, opened once however many look at once.

    What became urgent is told again. What is no longer found is over.
    """
    open_rows = {row.kind: row for row in ConnectionAlert.objects.filter(source=source, resolved_at=None)}
    ConnectionAlert.objects.bulk_create(
        [
            ConnectionAlert(
                source=source, kind=kind, detail=finding.detail[:500], is_urgent=finding.is_urgent, opened_at=now
            )
            for kind, finding in findings.items()
            if kind not in open_rows
        ],
        ignore_conflicts=True,
    )
    for kind, row in open_rows.items():
        found = findings.get(AlertKind(kind))
        same = ConnectionAlert.objects.filter(pk=row.pk, resolved_at=None)
        if found is None:
            same.update(resolved_at=now)
            continue
        if found.detail[:500] != row.detail:
            same.update(detail=found.detail[:500])
        if found.is_urgent and not row.is_urgent:
            same.filter(is_urgent=False).update(is_urgent=True, notified_at=None)


def close_quietly(*, source: WebhookSource, now: datetime) -> None:
    """End the alerts of a source that somebody paused: whoever did it need not be told that all is well."""
    ConnectionAlert.objects.filter(source=source, resolved_at=None).update(resolved_at=now, resolution_notified_at=now)


def mail_alerts(*, now: datetime) -> int:
    """
    Tell each store's owners and operators what is open or over, and return how many alerts were told.

    One mail a store. Each alert is claimed first, so two workers never both tell it; if the mail service fails, the
    lease runs out and a later run tries again.
    """
    stores = ConnectionAlert.objects.filter(TO_MAIL).values("source__project")
    return sum(_mail(project, now) for project in Project.objects.filter(pk__in=stores))


def _mail(project: Project, now: datetime) -> int:
    news = ConnectionAlert.objects.filter(TO_MAIL, source__project=project).order_by("opened_at", "pk")
    claim = claims.claim(news, now=now, lease=LEASE, limit=AT_ONCE)
    rows = list(
        ConnectionAlert.objects.filter(pk__in=claim.pks, lease_token=claim.token)
        .select_related("source")
        .order_by("opened_at", "pk")
    )
    recipients = team_addresses(project.pk)
    if rows and recipients and not _send(project, rows, recipients):
        return 0
    for row in rows:
        told = {"notified_at": now} if row.resolved_at is None else {"resolution_notified_at": now}
        # One that became urgent while the mail was on its way keeps its lease and is told after it.
        ConnectionAlert.objects.filter(pk=row.pk, lease_token=claim.token, is_urgent=row.is_urgent).update(
            **told, attempts=0, lease_token=None, lease_until=None
        )
    return len(rows)


def team_addresses(project_id: UUID) -> list[str]:
    """Return the addresses of those in a store's team who can do something about its connection."""
    members = Membership.objects.filter(project=project_id, role__in=TOLD, user__is_active=True)
    return list(members.exclude(user__email="").order_by("pk").values_list("user__email", flat=True))


def _send(project: Project, rows: list[ConnectionAlert], recipients: list[str]) -> bool:
    titles = dict.fromkeys(
        str(row.get_kind_display()) if row.resolved_at is None else f"Over: {row.get_kind_display()}" for row in rows
    )
    mail = EmailMessage(
        # A line break in a name would be refused as an attempt to add headers.
        subject=" ".join(f"[{project.name}] {', '.join(titles)}".split()),
        body=_text(rows),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=recipients,
        headers={"Auto-Submitted": "auto-generated"},
    )
    mail.metadata = {"project_id": str(project.pk)}  # type: ignore[attr-defined] # read by anymail and our mailbox
    try:
        mail.send()
    except (OSError, AnymailError) as error:
        # Without the text of the error, which may name addresses.
        logger.error(
            "An alert could not be mailed; a later run tries again.",
            extra={"project_id": str(project.pk), "error": type(error).__name__},
        )
        return False
    return True


def _text(rows: Iterable[ConnectionAlert]) -> str:
    parts = []
    for row in rows:
        sentence = row.detail if row.resolved_at is None else OVER[AlertKind(row.kind)]
        shop_id = row.source.shop_id
        name = "webhooks_webhooksource" if shop_id is None else "shops_shopconnection"
        page = reverse(f"admin:{name}_change", args=[shop_id or row.source_id])
        parts.append(f"{row.source.name}: {sentence}\n{settings.PUBLIC_URL}{page}")
    parts.append("You get this because you are an owner or operator of the store. Each thing is told once.")
    return "\n\n".join(parts) + "\n"


def open_alerts() -> dict[str, int]:
    """Return how many alerts of each kind are open in the whole installation; kinds without any are there with 0."""
    rows = ConnectionAlert.objects.filter(resolved_at=None).order_by().values_list("kind")
    return dict.fromkeys(AlertKind.values, 0) | dict(rows.annotate(count=Count("pk")))
