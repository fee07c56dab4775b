"""Putting the ready-made mails into a store."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from signals_app.emails.gallery.mails import MAILS
from signals_app.emails.models import EmailTemplate, SenderIdentity
from signals_app.emails.services import save_template
from signals_app.projects.models import Project


@transaction.atomic
def install(*, project: Project, now: datetime) -> dict[str, EmailTemplate]:
    """
    Return the store's templates of the gallery by key, making those that it does not have yet.

    A template that a marketer has changed stays as it is. A store without a sender gets a placeholder, which is good
    for the local mailbox only. Keys: those of `MAILS`.
    """
    SenderIdentity.objects.get_or_create(
        project=project,
        defaults={
            "from_name": project.name[:100],
            "from_email": f"hello@{project.slug}.example",
            "reply_to": f"service@{project.slug}.example",
            "postal_address": f"{project.name}\n1 Example Street\nExample Town",
            "is_placeholder": True,
            "created_at": now,
        },
    )
    existing = {template.name: template for template in EmailTemplate.objects.filter(project=project)}
    installed: dict[str, EmailTemplate] = {}
    for mail in MAILS:
        installed[mail.key] = existing.get(mail.name) or save_template(
            EmailTemplate(
                project=project,
                name=mail.name,
                subject=mail.subject,
                preheader=mail.preheader,
                mjml=mail.mjml,
                coupon_pool=mail.coupon_pool,
                created_at=now,
            )
        )
    return installed
