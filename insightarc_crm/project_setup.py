"""Setting up a store in one call: its Insightarc connection, an API key and, if wanted, the example automations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.db import transaction

from signals_app.emails import gallery as email_gallery
from signals_app.projects import services as project_services
from signals_app.projects.constants import Scope
from signals_app.projects.models import Project
from signals_app.remarketing import gallery as rule_gallery
from signals_app.webhooks import services as webhook_services
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.validation import check_urls

KEY_NAME = "Set up by command"


@dataclass(frozen=True, kw_only=True)
class Examples:
    """How the example automations are to be installed; None keeps what the gallery says."""

    wait_minutes: int | None = None
    holdout_percent: int | None = None


@dataclass(frozen=True, kw_only=True)
class SetUpProject:
    project: Project
    source: WebhookSource
    webhook_path: str
    webhook_url: str
    secret: str | None
    api_key: str | None
    """The key in full, only when it was made just now."""


@transaction.atomic
def set_up_project(
    *, slug: str, webhook_url: str, secret: str | None, examples: Examples | None, now: datetime
) -> SetUpProject:
    """
    Create or update the store `slug` with one Insightarc connection registered at `webhook_url`.

    The address is stored as given, with `{source_id}` replaced. Called again it keeps the connection, adds nothing
    twice, and makes no second API key.

    :raises InvalidConfiguration: if address or secret cannot be used; nothing is changed then.
    """
    check_urls([webhook_url])  # before a shop's address is guessed from it
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        project = project_services.create_project(
            slug=slug, name=slug.replace("-", " ").title(), shop_url=_shop_url(webhook_url)
        )
    source = project.webhook_sources.filter(shop=None).order_by("created_at").first()
    if source is None:
        source = webhook_services.create_source(project=project, urls=[webhook_url])
    else:
        webhook_services.configure_source(source=source, urls=[webhook_url])
    if secret is not None:
        webhook_services.paste_secret(source=source, secret=secret, now=now)
    if examples is not None:
        install_examples(project=project, examples=examples, now=now)
    newest_secret = source.secrets.order_by("-id").first()
    return SetUpProject(
        project=project,
        source=source,
        webhook_path=webhook_services.webhook_path(source.id),
        webhook_url=source.registered_urls[0],
        secret=newest_secret.secret if newest_secret else None,
        api_key=_first_api_key(project),
    )


def install_examples(*, project: Project, examples: Examples, now: datetime) -> None:
    """Add the example templates, with a sender good enough for the local mailbox, and the automations, active."""
    templates = email_gallery.install(project=project, now=now)
    rule_gallery.install(
        project=project,
        templates=templates,
        wait_minutes=examples.wait_minutes,
        holdout=examples.holdout_percent,
    )


def _first_api_key(project: Project) -> str | None:
    if project.api_keys.filter(name=KEY_NAME).exists():
        return None
    return project_services.create_api_key(project=project, name=KEY_NAME, scopes=list(Scope.values))[1]


def _shop_url(webhook_url: str) -> str:
    """Guess the shop's address from the webhook's host until the owner says it: a link must lead somewhere."""
    parts = urlsplit(webhook_url)
    return f"{parts.scheme}://{parts.netloc}/"
