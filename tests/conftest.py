"""
What the tests of every room share: a store, people signed in to it, its Insightarc connection, signed requests, time.

Rows get their time from the database's clock, which no test can freeze; `post_signal` therefore moves what it
posted to the time the test lives in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import hypothesis
import pytest
from django.contrib.auth import get_user_model
from django.db.models import F
from django.test import Client
from django.utils import timezone

from signals_app.core.clock import Now
from signals_app.projects.constants import Role
from signals_app.projects.models import Membership, Project
from signals_app.webhooks import inbox, signature
from signals_app.webhooks.models import InboxItem, SeenBody, WebhookDelivery, WebhookSecret, WebhookSource

SECRET = "whsec_test"

# A busy machine is no reason for a property to fail.
hypothesis.settings.register_profile("insightarc_crm", deadline=None)
hypothesis.settings.load_profile("insightarc_crm")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database-only", action="store_true", help="only tests that touch the database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--database-only"):
        touching = [
            item
            for item in items
            if item.get_closest_marker("django_db")
            or {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
        ]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(touching)])
        items[:] = touching


@pytest.fixture(autouse=True)
def _no_wake_ups(settings: Any) -> None:
    """Tests run what is due themselves."""
    settings.PUBLISH_WAKE_UPS = False


@pytest.fixture(autouse=True)
def _sources_as_they_are(settings: Any) -> None:
    """A test changes a source and posts at once; what is remembered for a second has tests of its own."""
    settings.WEBHOOK_SOURCE_CACHE_SECONDS = 0


@pytest.fixture(autouse=True)
def _no_connection_is_left_over() -> Iterator[None]:
    """A database that somebody is connected to cannot be taken away at the end."""
    yield
    inbox.lasting_connection.close()


@pytest.fixture(autouse=True)
def _local_mailbox(settings: Any) -> None:
    """Django's test runner swaps the mail backend; ours is the one that the program ships with."""
    settings.EMAIL_BACKEND = "signals_app.emails.mailbox.LocalMailboxBackend"


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """A password hash is slow on purpose; in tests it protects nobody."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def project(db: None) -> Project:
    return Project.objects.create(
        slug="nordlicht",
        name="Nordlicht Outdoor",
        shop_url="https://shop.example.com",
        shop_domains=["shop.example.com"],
        time_zone="Europe/Berlin",
    )


@pytest.fixture
def sign_in(project: Project) -> Callable[..., Client]:
    """Return a browser in which a member of the store with this role is signed in to the admin."""

    def sign_in(role: Role = Role.MARKETER, store: Project | None = None) -> Client:
        name = f"{role.lower()}-{(store or project).slug}"
        user, is_new = get_user_model().objects.get_or_create(
            username=name, defaults={"email": f"{name}@example.com", "is_staff": True}
        )
        if is_new:
            Membership.objects.create(project=store or project, user=user, role=role)
        client = Client()
        client.force_login(user, backend="insightarc_crm.roles.RoleBackend")
        return client

    return sign_in


@pytest.fixture
def source(project: Project) -> WebhookSource:
    source = WebhookSource.objects.create(project=project)
    source.registered_urls = [f"https://crm.example.com/webhooks/insightarc/{source.id}/"]
    source.save()
    WebhookSecret.objects.create(source=source, secret=SECRET)
    return source


@pytest.fixture
def example_body() -> Callable[..., dict[str, Any]]:
    """Return a body that fires the first example automation, when posted three times with `num_events` rising."""

    def build(**changes: Any) -> dict[str, Any]:
        return {
            "drop_proba": 0.97,
            "perfomance": 1.4,
            "num_events": 25,
            "num_loops": 1,
            "num_broken_buttons": 0,
            "avg_loops": 1,
            "avg_broken_buttons": 0.1,
            "relevant_events": [
                {"name": "https://shop.example.com/products/merino-base-layer"},
                {"name": "https://shop.example.com/products/ridge-tent-2"},
                {"name": "https://shop.example.com/cart"},
            ],
            "email": "anna@example.com",
            "user_id": "anna-1",
        } | changes

    return build


@pytest.fixture
def post_signal(client: Client, source: WebhookSource) -> Callable[..., Any]:
    """
    Post a body, really signed, to the webhook, as if it came at `at` (default: the test's now).

    A dict is printed as JSON.stringify prints it; bytes go as they are. Further keyword arguments go to the client.
    """
    default_source = source

    def post(
        body: dict[str, Any] | bytes,
        source: WebhookSource | None = None,
        secret: str = SECRET,
        at: datetime | None = None,
        **request: Any,
    ) -> Any:
        target = source or default_source
        raw = (
            body
            if isinstance(body, bytes)
            else json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        )
        url = target.registered_urls[0] if target.registered_urls else ""
        headers = {signature.HEADER: signature.sign(secret, raw, url)} | request.pop("headers", {})
        moment = at or timezone.now()
        to_database_clock = _database_now(target) - moment
        SeenBody.objects.filter(source=target).update(accepted_at=F("accepted_at") + to_database_clock)
        known = set(WebhookDelivery.objects.filter(source=target).values_list("pk", flat=True))
        response = client.generic(  # unlike post(), it sends the bytes as they are, whatever the content type
            "POST",
            f"/webhooks/insightarc/{target.id}/",
            data=raw,
            content_type=request.pop("content_type", "application/json"),
            headers=headers,
            **request,
        )
        SeenBody.objects.filter(source=target).update(accepted_at=F("accepted_at") - to_database_clock)
        new = set(WebhookDelivery.objects.filter(source=target).values_list("pk", flat=True)) - known
        WebhookDelivery.objects.filter(pk__in=new).update(received_at=moment)
        InboxItem.objects.filter(pk__in=new).update(due_at=moment)
        return response

    return post


def _database_now(source: WebhookSource) -> datetime:
    return WebhookSource.objects.annotate(as_of=Now()).values_list("as_of", flat=True).get(pk=source.pk)


@pytest.fixture
def run_due() -> Callable[..., None]:
    """Do everything that is due at `now`, in the order in which it travels, until nothing is due."""

    def run(now: datetime | None = None) -> None:
        from signals_app.emails import services as emails
        from signals_app.emails.constants import DUE_STATES
        from signals_app.emails.models import EmailMessage
        from signals_app.facts import services as facts
        from signals_app.remarketing import services as remarketing
        from signals_app.remarketing.constants import MatchState
        from signals_app.remarketing.models import RuleMatch
        from signals_app.webhooks import pipeline
        from signals_app.webhooks.constants import InboxState

        moment = now or timezone.now()
        for _ in range(50):
            while InboxItem.objects.filter(state=InboxState.PENDING, due_at__lte=moment, lease_until=None).exists():
                pipeline.process_batch(now=moment)
            facts.sequence()
            remarketing.follow_facts(now=moment)
            remarketing.queue_due_matches(now=moment, limit=200)
            emails.send_due(now=moment, limit=200)
            if (
                not InboxItem.objects.filter(state=InboxState.PENDING, due_at__lte=moment, lease_until=None).exists()
                and not RuleMatch.objects.filter(state=MatchState.PLANNED, due_at__lte=moment).exists()
                and not EmailMessage.objects.filter(state__in=DUE_STATES, due_at__lte=moment).exists()
            ):
                return
        raise AssertionError("Something stays due for ever.")

    return run


@pytest.fixture
def api_key(project: Project) -> str:
    """Return a key of the store with every scope."""
    from signals_app.projects import services as projects
    from signals_app.projects.constants import Scope

    return projects.create_api_key(project=project, name="Tests", scopes=list(Scope.values))[1]


@pytest.fixture
def api(client: Client, api_key: str) -> Callable[..., Any]:
    """Call the REST API: `api("get", "customers/", {"email": "..."})`; the path is below /api/v1/ unless it is whole."""

    def call(method: str, path: str, data: Any = None, *, key: str | None = None, **request: Any) -> Any:
        headers = {"authorization": f"Bearer {key or api_key}"} | request.pop("headers", {})
        whole = path if path.startswith(("/", "http")) else f"/api/v1/{path}"
        send = getattr(client, method.lower())
        if method.lower() in {"get", "head"}:
            return send(whole, data or {}, headers=headers, **request)
        return send(whole, data=data, content_type="application/json", headers=headers, **request)

    return call


@pytest.fixture
def mailbox(db: None) -> Callable[[], list[Any]]:
    """Return the mails that the local mailbox caught, oldest first."""

    def read() -> list[Any]:
        from signals_app.emails.models import MailboxMail

        return list(MailboxMail.objects.order_by("pk"))

    return read
