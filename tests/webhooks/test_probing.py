"""Our own addresses are asked as Insightarc asks them, over real TLS, and the answers kept."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from signals_app.webhooks import services
from signals_app.webhooks.constants import AlertKind, ProbeOutcome
from signals_app.webhooks.models import AddressProbe, ConnectionAlert, WebhookSource
from signals_app.webhooks.services import probing
from tests.tls_server import NAME, Authority, TlsServer, serve

pytestmark = pytest.mark.django_db

Serve = Callable[..., Any]


@pytest.fixture
def authority(tmp_path: Path, settings: Any) -> Authority:
    made = Authority(tmp_path)
    settings.OUTGOING_CA_FILE = str(made.file)
    settings.OUTGOING_ALLOW_PRIVATE = [ip_network("127.0.0.0/8")]
    return made


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make our public name lead to this machine, as a name server would."""
    look_up = socket.getaddrinfo

    def answer(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        return look_up("127.0.0.1" if host == NAME else host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.fixture
def server(authority: Authority, here: None, source: WebhookSource) -> Iterator[TlsServer]:
    with serve(authority.issue(days=(-30, 60))) as server:
        register(source, server)
        yield server


def register(source: WebhookSource, server: TlsServer) -> None:
    services.configure_source(source=source, urls=[f"https://{NAME}:{server.server_port}/webhooks/{{source_id}}/"])


def test_an_address_that_answers_is_asked_every_quarter_of_an_hour(server: TlsServer, source: WebhookSource) -> None:
    now = timezone.now()
    asked = [services.probe_due(now=now + timedelta(minutes=minute)) for minute in (0, 1, 14, 15, 16)]

    row = AddressProbe.objects.get()
    assert asked == [1, 0, 0, 1, 0]
    assert server.asked == 2
    assert (row.outcome, row.problem, row.answered_at) == (ProbeOutcome.OK, "", now + timedelta(minutes=15))
    assert row.certificate_expires_at is not None
    assert abs(row.certificate_expires_at - now - timedelta(days=60)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (404, "It answers 404, but has to answer 200."),
        (204, "It answers 204, but has to answer 200."),
        (302, "It redirects to https://www.example.com/elsewhere: register that address instead."),
    ],
)
def test_a_wrong_answer_is_an_alert_when_it_comes_twice_and_over_when_it_is_right_again(
    server: TlsServer, source: WebhookSource, status: int, problem: str
) -> None:
    now, told = timezone.now(), []
    server.status = status
    for minute in (0, 1, 6, 11):
        if minute == 11:
            server.status = 200
        services.probe_due(now=now + timedelta(minutes=minute))
        services.watch(now=now + timedelta(minutes=minute))
        told.append(ConnectionAlert.objects.filter(kind=AlertKind.ADDRESS, resolved_at=None).count())

    assert told == [0, 1, 1, 0]
    assert server.asked == 4
    assert problem in ConnectionAlert.objects.get(kind=AlertKind.ADDRESS).detail


@pytest.mark.parametrize(
    ("certificate", "problem"),
    [
        ({"days": (-30, -0.5)}, "The certificate has expired."),
        ({"is_self_signed": True}, "The certificate is self-signed: nobody vouches for it."),
        ({"name": "www.example.com"}, "The certificate is for another name."),
    ],
    ids=["expired", "self-signed", "another name"],
)
def test_a_certificate_that_insightarc_would_refuse_is_an_alert(
    authority: Authority, here: None, source: WebhookSource, certificate: dict[str, Any], problem: str
) -> None:
    now = timezone.now()
    with serve(authority.issue(**certificate)) as server:
        register(source, server)
        for minute in (0, 1):
            services.probe_due(now=now + timedelta(minutes=minute))
            services.watch(now=now + timedelta(minutes=minute))

    assert AddressProbe.objects.get().outcome == ProbeOutcome.BAD_CERTIFICATE
    assert problem in ConnectionAlert.objects.get(kind=AlertKind.ADDRESS).detail


@pytest.mark.parametrize(("days", "is_urgent"), [(13, False), (2, True)])
def test_a_certificate_that_ends_soon_is_an_alert_while_it_still_works(
    authority: Authority, here: None, source: WebhookSource, days: int, is_urgent: bool
) -> None:
    with serve(authority.issue(days=(-80, days))) as server:
        register(source, server)
        services.probe_due(now=timezone.now())
    services.watch(now=timezone.now())

    alert = ConnectionAlert.objects.get()
    assert (alert.kind, alert.is_urgent) == (AlertKind.CERTIFICATE, is_urgent)


def test_no_answer_is_an_alert_only_where_there_was_one_before(
    authority: Authority, here: None, source: WebhookSource
) -> None:
    now, told = timezone.now(), []
    for answers_first in (False, True):
        if answers_first:
            with serve(authority.issue()) as server:
                register(source, server)
                services.probe_due(now=now)
        else:
            services.configure_source(source=source, urls=[f"https://{NAME}:9/"])
        for minute in (1, 16, 17):
            services.probe_due(now=now + timedelta(minutes=minute))
        services.watch(now=now + timedelta(minutes=17))
        told.append(ConnectionAlert.objects.filter(resolved_at=None).count())

    assert told == [0, 1]
    assert "The connection is refused: nobody listens there." in ConnectionAlert.objects.get().detail


def test_addresses_of_this_machine_are_left_alone(source: WebhookSource) -> None:
    services.configure_source(
        source=source, urls=["http://127.0.0.1:8000/a", "http://localhost/b", "http://10.1.2.3/c", "http://crm:8000/d"]
    )

    assert services.probe_due(now=timezone.now()) == 0
    assert not AddressProbe.objects.exists()


def test_each_registered_address_has_its_own_turn_and_others_are_forgotten(
    authority: Authority, here: None, source: WebhookSource
) -> None:
    now = timezone.now()
    with serve(authority.issue()) as server:
        base = f"https://{NAME}:{server.server_port}"
        services.configure_source(source=source, urls=[f"{base}/{number}/" for number in range(7)])
        asked = [services.probe_due(now=now) for _ in range(3)]
        services.configure_source(source=source, urls=[f"{base}/1/"])
        services.probe_due(now=now)

    assert asked == [probing.AT_ONCE, 7 - probing.AT_ONCE, 0]
    assert [row.url for row in AddressProbe.objects.all()] == [f"{base}/1/"]


def test_a_person_who_probes_sees_the_same(server: TlsServer, source: WebhookSource) -> None:
    now: datetime = timezone.now()
    good = services.probe(source=source, now=now)
    server.status = 500
    bad = services.probe(source=source, now=now)

    assert good.is_ok
    assert (bad.status_code, bad.problem) == (500, "It answers 500, but has to answer 200.")
    assert AddressProbe.objects.get().failure_count == 1


@pytest.mark.parametrize(
    ("url", "is_ours_alone"),
    [
        ("http://127.0.0.1:8000/x", True),
        ("https://[::1]/x", True),
        ("https://localhost/x", True),
        ("https://crm.localhost/x", True),
        ("https://192.168.1.10/x", True),
        ("https://crm/x", True),
        ("http://[::1", True),
        ("https://crm.example.com/x", False),
        ("https://8.8.8.8/x", False),
    ],
)
def test_an_address_is_for_development_when_nobody_outside_could_reach_it(url: str, is_ours_alone: bool) -> None:
    assert probing.is_development(url) == is_ours_alone
