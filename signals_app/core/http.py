"""
The one way out: every HTTP request that the program makes goes through `request`.

People type in the URLs that it calls, so a URL may try to reach what only this machine can reach: the database, a cloud's
metadata service, the admin of a neighbour. The address is therefore checked at the moment of connecting, on the very
socket that is used; a check of the name before that could be answered differently the second time (DNS rebinding).
No redirects, no proxies or credentials from the environment, and a limit for time and size.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from signals_app.core import addresses, links
from signals_app.core.addresses import Network
from signals_app.core.exceptions import PermanentError, TransientError

CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 10.0
MAX_BYTES = 65_536
PORTS = {"http": 80, "https": 443}
# 2130706433, 0x7f.1 and 127.1 are ways to write 127.0.0.1 that no honest URL uses.
ENDS_IN_A_NUMBER = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)\.?$", re.IGNORECASE)


class BlockedAddress(PermanentError):
    """The URL leads, or could lead, to a place that outgoing requests must not reach."""


class RequestFailed(TransientError):
    """No answer came: no connection, a broken one, a bad certificate, or not in time; `reason` is a sentence."""

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(f"{request}: {reason}")
        self.reason = reason


class BadCertificate(RequestFailed):
    """The other side has no certificate that can be trusted, or one for another name."""


# https://docs.openssl.org/3.0/man1/openssl-verification-options/, `X509_V_ERR_...` in openssl/x509_vfy.h
BAD_CERTIFICATES = {
    9: "The certificate is not valid yet.",
    10: "The certificate has expired.",
    18: "The certificate is self-signed: nobody vouches for it.",
    19: "The certificate comes from an authority that is not publicly trusted.",
    20: "The certificate is not publicly trusted, or the server does not send the intermediate certificates.",
    62: "The certificate is for another name.",
    64: "The certificate is for another address.",
}
REASONS: dict[type[BaseException], str] = {
    socket.gaierror: "The name is not known.",
    ConnectionRefusedError: "The connection is refused: nobody listens there.",
    ConnectionResetError: "The connection was cut.",
    TimeoutError: "It was not answered in time.",
}


@dataclass(frozen=True)
class Response:
    """`content` holds the body as it was sent, at most `max_bytes` of it; header names are in any case."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    is_truncated: bool
    certificate_expires_at: datetime | None = None
    """Of the certificate that was shown and found valid; None without TLS."""


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
    json: Any = None,
    timeout: float = TOTAL_SECONDS,
    allow_private: Sequence[Network] | None = None,
    max_bytes: int = MAX_BYTES,
) -> Response:
    """
    Send one request and return the answer, whatever its status; a redirect is an answer like any other.

    `timeout` is in seconds, for all of it but looking up the name, for which the system has limits of its own;
    connecting gets `CONNECT_SECONDS` of them. `allow_private` are networks that may be reached although they are not
    public, on any port; by default `settings.OUTGOING_ALLOW_PRIVATE`.

    :raises BlockedAddress: if the URL or an address behind its name is not allowed; permanent.
    :raises BadCertificate: if whoever answers cannot prove to be that host.
    :raises RequestFailed: if no complete answer came in time.
    """
    check_url(url, allow_private=allow_private)
    guard = _Guard(allowed_networks(allow_private), timeout)
    with _guarded_session(guard) as session, _in_time(guard, f"{method} {url}", timeout):
        answer = session.request(
            method,
            url,
            # Asked not to compress, a small answer cannot unfold into a big one.
            headers={"User-Agent": "insightarc_crm", "Accept-Encoding": "identity", **(headers or {})},
            data=data,
            json=json,
            timeout=(CONNECT_SECONDS, timeout),
            allow_redirects=False,
            stream=True,
        )
        body = answer.raw.read(max_bytes + 1, decode_content=False)
    return Response(
        answer.status_code, answer.headers, body[:max_bytes], len(body) > max_bytes, guard.certificate_expires_at
    )


@contextmanager
def _in_time(guard: _Guard, what: str, seconds: float) -> Iterator[None]:
    """Cut a request off when its time is over, and raise what keeps it from being answered as an error of this module."""
    watchdog = threading.Timer(seconds, guard.give_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    except (requests.exceptions.InvalidURL, UnicodeError) as error:
        raise BlockedAddress(f"The URL cannot be read: {error}.") from error
    except (requests.RequestException, HTTPError, OSError) as error:
        raise _failure(error, what, guard) from error
    finally:
        watchdog.cancel()
        guard.close()
    if guard.has_given_up:
        raise RequestFailed(what, f"No complete answer came within {seconds:g} s.")


def check_url(url: str, *, allow_private: Sequence[Network] | None = None) -> None:
    """
    Refuse a URL that no request would be sent to, for forms and settings; names are not looked up here.

    :raises BlockedAddress: saying what is wrong.
    """
    if links.FORBIDDEN.search(url):
        raise BlockedAddress("The URL contains a space, a backslash or a control character.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BlockedAddress(f"The URL cannot be read: {error}.") from error
    if parts.scheme not in PORTS:
        raise BlockedAddress("The URL must start with http:// or https://.")
    if "@" in parts.netloc:
        raise BlockedAddress("The URL must not contain a user name or password.")
    if not parts.hostname:
        raise BlockedAddress("The URL names no host.")
    allowed = allowed_networks(allow_private)
    try:
        address = addresses.parse(parts.hostname)
    except ValueError:
        # A name: looked up and checked on connecting. With private networks allowed it may be one of theirs.
        if ENDS_IN_A_NUMBER.search(unicodedata.normalize("NFKC", parts.hostname)):
            raise BlockedAddress("The address must be written as four decimal numbers.") from None
        if port not in {None, *settings.OUTGOING_PORTS} and not allowed:
            raise BlockedAddress(f"Port {port} is not allowed.") from None
    else:
        _check_address(address, port or PORTS[parts.scheme], allowed)


def allowed_networks(allow_private: Sequence[Network] | None) -> Sequence[Network]:
    return settings.OUTGOING_ALLOW_PRIVATE if allow_private is None else allow_private


def _check_address(address: addresses.Address, port: int, allowed: Sequence[Network]) -> None:
    if addresses.is_within(address, allowed):
        return
    if not addresses.is_public(address):
        raise BlockedAddress(f"{address} is not a public address.")
    if port not in settings.OUTGOING_PORTS:
        raise BlockedAddress(f"Port {port} is not allowed.")


class _Guard:
    """Opens the sockets of one request, checked, and cuts them off when its time is over."""

    def __init__(self, allowed: Sequence[Network], timeout: float) -> None:
        self.has_given_up = False
        self.certificate_expires_at: datetime | None = None
        self._allowed = allowed
        self._deadline = time.monotonic() + timeout
        self._watched: list[socket.socket] = []

    def connect(self, host: str, port: int) -> socket.socket:
        """
        Connect to the first address of the host that answers, if all of its addresses are allowed.

        :raises BlockedAddress: if one is not: a name with a public and a private address is not an honest one.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, target in found:
            _check_address(addresses.parse(str(target[0])), port, self._allowed)
        failure: OSError = TimeoutError("the time was over before connecting")
        for family, kind, protocol, _, target in found:
            seconds = min(CONNECT_SECONDS, self._deadline - time.monotonic())
            if seconds <= 0:
                break
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(seconds)
                connection.connect(target)
            except OSError as error:
                connection.close()
                failure = error
            else:
                # A second handle on the same connection, since TLS takes the first one over.
                self._watched.append(connection.dup())
                return connection
        raise failure

    def give_up(self) -> None:
        """Cut the connections off: a timeout of each read would not end an answer that trickles in."""
        self.has_given_up = True
        for connection in self._watched:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # ended by itself in this moment

    def close(self) -> None:
        for connection in self._watched:
            connection.close()


class _Connection(HTTPConnection):
    def __init__(self, *args: Any, guard: _Guard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard

    def _new_conn(self) -> socket.socket:
        return self._guard.connect(self.host, self.port or PORTS["http"])


class _TlsConnection(HTTPSConnection):
    def __init__(self, *args: Any, guard: _Guard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard

    def _new_conn(self) -> socket.socket:
        return self._guard.connect(self.host, self.port or PORTS["https"])

    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, ssl.SSLSocket) and (certificate := self.sock.getpeercert()):
            expires_at = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
            self._guard.certificate_expires_at = datetime.fromtimestamp(expires_at, UTC)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _GuardedAdapter(HTTPAdapter):
    """Makes requests open its sockets through the guard; host name, SNI and certificate check stay as they are."""

    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        # What a pool does not know itself it hands on to its connections.
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_Pool, guard=self._guard),
            "https": partial(_TlsPool, guard=self._guard),
        }


def _guarded_session(guard: _Guard) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = settings.OUTGOING_CA_FILE or True
    session.mount("http://", _GuardedAdapter(guard))
    session.mount("https://", _GuardedAdapter(guard))
    return session


def _failure(error: Exception, request: str, guard: _Guard) -> RequestFailed:
    """Return what an error of the libraries means."""
    if refused := _refused_certificate(error):
        reason = BAD_CERTIFICATES.get(refused.verify_code, f"The certificate is bad: {refused.verify_message}.")
        return BadCertificate(request, reason)
    return RequestFailed(request, _reason(error, guard))


def _refused_certificate(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the refusal of a certificate that an error of the libraries carries inside, if it is one."""
    return next((each for each in _nested(error) if isinstance(each, ssl.SSLCertVerificationError)), None)


def _nested(error: BaseException) -> Iterator[BaseException]:
    waiting, met = [error], set()
    while waiting:
        each = waiting.pop()
        if id(each) in met:
            continue
        met.add(id(each))
        yield each
        inside = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        waiting += [part for part in inside if isinstance(part, BaseException)]


def _reason(error: Exception, guard: _Guard) -> str:
    if guard.has_given_up:
        return "It was not answered in time."
    for each in _nested(error):
        for kind, sentence in REASONS.items():
            if isinstance(each, kind):
                return sentence
    return type(error).__name__ if not str(error) else str(error)
