"""Real TLS servers with certificates of our own making, for tests of what a bad certificate does."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "crm.example.com"


@dataclass
class Authority:
    """A certificate authority in a folder; `file` is what trusts it."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
        self.file = self.folder / "authority.pem"
        made = self._sign(self.name, self.key, days=(-100, 1000), is_authority=True)
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(self, *, name: str = NAME, days: tuple[float, float] = (-30, 60), is_self_signed: bool = False) -> Path:
        """Write a certificate with its key that is valid from and until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._sign(subject, key, days=days, dns_name=name, is_self_signed=is_self_signed)
        path = self.folder / f"{made.serial_number}.pem"
        path.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        days: tuple[float, float],
        dns_name: str = "",
        is_authority: bool = False,
        is_self_signed: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if is_self_signed else self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if dns_name:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns_name)]), critical=False)
        return builder.sign(key if is_self_signed else self.key, hashes.SHA256())


class _Handler(BaseHTTPRequestHandler):
    server: TlsServer

    def do_HEAD(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        if self.server.status in (301, 302):
            self.send_header("Location", "https://www.example.com/elsewhere")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


class TlsServer(ThreadingHTTPServer):
    """Answers HEAD with `status` and counts."""

    daemon_threads = True
    status = 200
    asked = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that refuses the certificate is what these tests are about."""


@contextmanager
def serve(certificate: Path) -> Iterator[TlsServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = TlsServer(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
