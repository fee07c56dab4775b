"""The outbox: mails that are to be sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from signals_app.customers.models import Identifier
from signals_app.emails.constants import MessagePurpose
from signals_app.emails.models import EmailMessage, EmailTemplate
from signals_app.projects.models import Project


@transaction.atomic
def queue_message(
    *,
    project: Project,
    identifier: Identifier,
    template: EmailTemplate,
    purpose: MessagePurpose,
    send_key: str,
    context: dict[str, Any],
    due_at: datetime,
    now: datetime,
) -> EmailMessage:
    """
    Put a mail into the outbox and return it; asked again with the same `send_key`, return the first.

    `context` is {"product_keys": ["/products/scarf", ...], "order_id": "1001", "interests": ["Scarves"]}, every key
    optional: what the mail is about. What the shop says about the products is looked up when the mail is sent.
    """
    fresh = EmailMessage(
        project=project,
        identifier=identifier,
        template=template,
        purpose=purpose,
        send_key=send_key,
        context=context,
        due_at=due_at,
        created_at=now,
        updated_at=now,
    )
    EmailMessage.objects.bulk_create([fresh], ignore_conflicts=True)
    return EmailMessage.objects.get(project=project, send_key=send_key)
