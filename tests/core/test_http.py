"""Outgoing requests reach the public internet and what the operator allowed, and nothing else."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.core import addresses, http
from signals_app.core.http import BlockedAddress, RequestFailed

LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
# {port} is where the canary listens.
TO_THE_CANARY = [
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.9.9.9:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://127。0。0。1:{port}/",
    "http://①②⑦.0.0.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://ｌｏｃａｌｈｏｓｔ:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://user:password@127.0.0.1:{port}/",
    "http://shop.example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@shop.example.com/",
    "http://shop.example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@shop.example.com/",
    "http://127.0.0.1:{port}/\r\nHost: shop.example.com",
    "http://127.0.0.1\r\n:{port}/",
    "http://127.0.0.1\t:{port}/",
    " http://127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "ws://127.0.0.1:{port}/",
]
TO_OTHERS = [
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://[5f00::1]/",
    "http://[100::1]/",
    "http://100.64.0.1/",
    "http://100.127.255.255/",
    "http://192.0.0.8/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:6379/",
    "http://8.8.8.8:99999/",
    "http://[::1/",
    "http://",
    "https://",
    "",
    "file:///etc/passwd",
    "dict://127.0.0.1:11211/stat",
    "javascript:alert(1)",
    "data:text/plain,hello",
]


class Canary(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append(self.path)
        getattr(self, f"answer_{self.path.strip('/')}")()

    def do_POST(self):
        self.do_GET()

    def answer_(self, body=b"hello", status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_redirect(self):
        self.answer_(b"", 302, Location="/elsewhere")

    def answer_big(self):
        self.answer_(b"x" * 100_000)

    def answer_packed(self):
        self.answer_(gzip.compress(b"x" * 10_000_000), Content_Encoding="gzip")

    def answer_echo(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer_(body, X_Kind=self.headers["Content-Type"] or "")

    def answer_trickle(self):
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        """Keep the test's output clean."""


class CanaryServer(ThreadingHTTPServer):
    """Listens on every address of the machine, IPv4 and IPv6."""

    address_family = socket.AF_INET6
    daemon_threads = True

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


@pytest.fixture
def canary():
    server = CanaryServer(("::", 0), Canary)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url_of(canary, path="/", host="127.0.0.1"):
    return f"http://{host}:{canary.server_port}{path}"


class TestRequestToTheForbidden:
    @pytest.mark.parametrize("url", TO_THE_CANARY)
    def test_does_not_reach_this_machine(self, canary, settings, url):
        settings.OUTGOING_PORTS = [80, 443, canary.server_port]

        with pytest.raises(BlockedAddress):
            http.request("GET", url.format(port=canary.server_port))

        assert canary.seen == []

    @pytest.mark.parametrize("url", TO_OTHERS)
    def test_connects_nowhere(self, url):
        with pytest.raises(BlockedAddress):
            http.request("GET", url)

    def test_does_not_trust_a_name_with_one_private_address(self, canary, settings, monkeypatch):
        settings.OUTGOING_PORTS = [canary.server_port]
        answers = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, canary.server_port))
            for address in ("93.184.216.34", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answers)

        with pytest.raises(BlockedAddress, match=r"127\.0\.0\.1 is not a public address"):
            http.request("GET", f"http://rebinding.example:{canary.server_port}/")

        assert canary.seen == []

    def test_does_not_reach_this_machine_when_another_network_is_allowed(self, canary):
        with pytest.raises(BlockedAddress):
            http.request("GET", url_of(canary), allow_private=[ip_network("10.0.0.0/8")])

        assert canary.seen == []

    def test_asks_no_proxy(self, canary, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", url_of(canary))
        monkeypatch.setenv("ALL_PROXY", url_of(canary))

        with pytest.raises(BlockedAddress):
            http.request("GET", "http://169.254.169.254/")

        assert canary.seen == []


class TestRequestToTheAllowed:
    @pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
    def test_reaches_a_private_network_that_the_operator_allows(self, canary, settings, host):
        settings.OUTGOING_ALLOW_PRIVATE = LOOPBACK

        response = http.request("GET", url_of(canary, host=host))

        assert (response.status_code, response.content, response.is_truncated) == (200, b"hello", False)

    def test_sends_bytes_as_they_are_and_json_as_json(self, canary):
        raw = http.request("POST", url_of(canary, "/echo"), data=b"\x00\xff", allow_private=LOOPBACK)
        json = http.request("POST", url_of(canary, "/echo"), json={"a": 1}, allow_private=LOOPBACK)

        assert raw.content == b"\x00\xff"
        assert json.content == b'{"a": 1}'
        assert json.headers["x-kind"] == "application/json"

    def test_does_not_follow_a_redirect(self, canary):
        response = http.request("GET", url_of(canary, "/redirect"), allow_private=LOOPBACK)

        assert response.status_code == 302
        assert response.headers["Location"] == "/elsewhere"
        assert len(canary.seen) == 1

    def test_reads_no_more_than_its_limit(self, canary):
        response = http.request("GET", url_of(canary, "/big"), allow_private=LOOPBACK, max_bytes=1000)

        assert response.content == b"x" * 1000
        assert response.is_truncated

    def test_does_not_unfold_what_it_did_not_ask_for(self, canary):
        response = http.request("GET", url_of(canary, "/packed"), allow_private=LOOPBACK)

        assert len(response.content) < 20_000

    def test_gives_up_on_an_answer_that_trickles_in(self, canary):
        started = time.monotonic()

        with pytest.raises(RequestFailed, match="in"):
            http.request("GET", url_of(canary, "/trickle"), allow_private=LOOPBACK, timeout=0.3)

        assert time.monotonic() - started < 2

    def test_says_so_when_nobody_listens(self, canary):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            with pytest.raises(RequestFailed):
                http.request("GET", f"http://127.0.0.1:{free.getsockname()[1]}/", allow_private=LOOPBACK)

    def test_says_so_when_the_certificate_cannot_be_checked(self, canary):
        with pytest.raises(RequestFailed):
            http.request("GET", url_of(canary).replace("http:", "https:"), allow_private=LOOPBACK)


class TestCheckUrl:
    @pytest.mark.parametrize(
        "url", ["https://shop.example.com/hook?a=1", "http://93.184.216.34/", "https://m\u00fcller.example/"]
    )
    def test_takes_what_may_be_public(self, url):
        http.check_url(url)

    def test_refuses_another_port_of_a_name(self):
        with pytest.raises(BlockedAddress, match="Port 6379 is not allowed"):
            http.check_url("http://shop.example.com:6379/")


class TestIsPublic:
    @pytest.mark.parametrize(
        "address",
        [
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2001:db7::1",
            "2003::1",
            "2606:4700::1111",
        ],
    )
    def test_knows_the_neighbours_of_each_range(self, address):
        assert addresses.is_public(ip_address(address))

    @given(st.ip_addresses(v=4))
    def test_sees_through_an_ipv4_address_written_as_ipv6(self, address):
        assert addresses.is_public(ip_address(f"::ffff:{address}")) == addresses.is_public(address)

    @given(st.ip_addresses())
    def test_is_never_wider_than_the_standard_library(self, address):
        if addresses.is_public(address):
            assert address.is_global
