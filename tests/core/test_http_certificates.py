"""The client trusts valid certificates, says when they end, and says in words what is wrong with the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from signals_app.core import http
from tests.tls_server import Authority, serve

LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


@pytest.fixture
def authority(tmp_path: Path, settings: Any) -> Authority:
    made = Authority(tmp_path)
    settings.OUTGOING_CA_FILE = str(made.file)
    return made


def head(port: int) -> http.Response:
    return http.request("HEAD", f"https://localhost:{port}/", allow_private=LOOPBACK)


def test_a_valid_certificate_is_trusted_and_its_end_reported(authority: Authority) -> None:
    with serve(authority.issue(name="localhost", days=(-1, 10))) as server:
        response = head(server.server_port)

    assert response.status_code == 200
    assert response.certificate_expires_at is not None
    assert abs(response.certificate_expires_at - datetime.now(UTC) - timedelta(days=10)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        ({"days": (-30, -1)}, "The certificate has expired."),
        ({"days": (1, 30)}, "The certificate is not valid yet."),
        ({"is_self_signed": True}, "The certificate is self-signed: nobody vouches for it."),
        ({"name": "other.example.com"}, "The certificate is for another name."),
    ],
    ids=["expired", "not yet valid", "self-signed", "another name"],
)
def test_a_bad_certificate_is_refused_with_the_reason(
    authority: Authority, certificate: dict[str, Any], reason: str
) -> None:
    with serve(authority.issue(**({"name": "localhost"} | certificate))) as server:
        with pytest.raises(http.BadCertificate) as refused:
            head(server.server_port)
        assert server.asked == 0

    assert refused.value.reason == reason


def test_an_authority_of_our_own_is_not_trusted_unless_the_operator_says_so(
    authority: Authority, settings: Any
) -> None:
    settings.OUTGOING_CA_FILE = ""
    with serve(authority.issue(name="localhost")) as server, pytest.raises(http.BadCertificate) as refused:
        head(server.server_port)

    assert "not publicly trusted" in refused.value.reason
