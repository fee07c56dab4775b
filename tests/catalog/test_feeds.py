from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command

from signals_app.catalog import feed_files, services
from signals_app.catalog.constants import FeedState
from signals_app.catalog.models import Product, ProductFeed
from signals_app.catalog.services import FeedReport
from signals_app.projects.models import Project
from tests.catalog.conftest import NOW

Read = Callable[..., FeedReport]

HEADER = "id,title,link,image_link,price,sale_price,availability,brand,product_type,item_group_id\n"
SCARF = "s1,Wool scarf,https://shop.example.com/en/products/wool-scarf?variant=1,https://shop.example.com/s.jpg,19.90 EUR,14.90 EUR,in stock,Nordlicht,Apparel > Scarves,scarves\n"
HAT = "h1,Felt hat,https://shop.example.com/products/felt-hat,,29.00 EUR,,out_of_stock,Nordlicht,Apparel > Hats,\n"

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title><link>https://shop.example.com</link>
<item><g:id>s1</g:id><title>plain</title><g:title>Wool &amp; silk scarf</g:title><link>https://shop.example.com/products/wool-scarf</link>
<g:image_link>https://shop.example.com/s.jpg</g:image_link><g:price>19.90 EUR</g:price><g:availability>in_stock</g:availability>
<g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping><g:product_type><![CDATA[Apparel > Scarves]]></g:product_type></item>
<item><g:id>h1</g:id><g:title>Felt hat</g:title><g:link>https://shop.example.com/products/felt-hat</g:link><g:price>29 EUR</g:price></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>Shop</title>
<entry><id>https://shop.example.com/1</id><g:id>s1</g:id><title>Wool scarf</title>
<link rel="alternate" href="https://shop.example.com/products/wool-scarf"/><g:price>19.90 EUR</g:price></entry></feed>"""


class TestAFeed:
    def test_fills_the_catalogue(self, read_feed: Read) -> None:
        report = read_feed(HEADER + SCARF + HAT)

        assert (report.imported, report.created, report.rejected, report.problem) == (2, 2, 0, "")
        scarf = Product.objects.get(sku="s1")
        assert scarf.url_key == "/products/wool-scarf"
        assert (scarf.price, scarf.sale_price, scarf.currency) == (Decimal("19.90"), Decimal("14.90"), "EUR")
        assert (scarf.brand, scarf.category, scarf.group_sku) == ("Nordlicht", "Apparel > Scarves", "scarves")
        assert scarf.category_handle == "scarves"
        assert scarf.first_seen_at == NOW
        assert Product.objects.get(sku="h1").availability == "out_of_stock"

    def test_read_again_changes_nothing(self, read_feed: Read) -> None:
        read_feed(HEADER + SCARF + HAT)
        before = list(Product.objects.order_by("sku").values())

        report = read_feed(HEADER + SCARF + HAT, now=NOW + timedelta(days=1))

        assert (report.created, report.changed, report.deactivated) == (0, 0, 0)
        assert list(Product.objects.order_by("sku").values()) == before

    def test_changes_what_differs_and_keeps_when_it_came(self, read_feed: Read) -> None:
        read_feed(HEADER + SCARF + HAT)

        changed = SCARF.replace("19.90", "24.90").replace("Scarves", "Winter Scarves")
        report = read_feed(HEADER + changed + HAT, now=NOW + timedelta(days=1))

        assert (report.created, report.changed) == (0, 1)
        scarf = Product.objects.get(sku="s1")
        assert scarf.category_handle == "winter-scarves"
        assert (scarf.price, scarf.first_seen_at) == (Decimal("24.90"), NOW)

    def test_deactivates_what_it_no_longer_lists_and_brings_it_back(self, read_feed: Read) -> None:
        read_feed(HEADER + SCARF + HAT)

        assert read_feed(HEADER + SCARF).deactivated == 1
        assert not Product.objects.get(sku="h1").is_active
        read_feed(HEADER + SCARF + HAT)
        assert Product.objects.get(sku="h1").is_active

    @pytest.mark.parametrize(
        "broken",
        [
            "",
            HEADER,
            "<rss><channel></channel></rss>",
            "nothing,of,use\n1,2,3\n",
            HEADER + "x,,\n" * 5 + SCARF,
            RSS[:700],
        ],
    )
    def test_that_is_empty_or_broken_deactivates_nothing(self, read_feed: Read, feed: ProductFeed, broken: str) -> None:
        read_feed(HEADER + SCARF + HAT)

        report = read_feed(broken)

        assert report.problem
        assert report.deactivated == 0
        assert Product.objects.filter(is_active=True).count() == 2
        feed.refresh_from_db()
        assert feed.state == FeedState.FAILED
        assert feed.row_errors[0]["error"] == report.problem

    def test_with_hardly_any_of_its_products_deactivates_nothing(self, read_feed: Read) -> None:
        read_feed(HEADER + "".join(f"{n},Item,https://shop.example.com/products/{n}\n" for n in range(30)))

        report = read_feed(HEADER + SCARF)

        assert "1 of 31" in report.problem
        assert Product.objects.filter(is_active=True).count() == 31

    def test_leaves_the_products_of_another_feed_alone(self, read_feed: Read, project: Project) -> None:
        read_feed(HEADER + SCARF + HAT)
        other = ProductFeed.objects.create(project=project, name="Other")
        other.upload.save("o.csv", ContentFile((HEADER + SCARF.replace("s1", "o1")).encode()))

        services.import_feed(feed=other, now=NOW)

        assert Product.objects.filter(is_active=True).count() == 3

    def test_names_row_and_field_of_what_it_could_not_use(self, read_feed: Read, feed: ProductFeed) -> None:
        bad = "b1,Bad,https://shop.example.com/products/bad,javascript:alert(1),cheap,,perhaps,,,\n"

        report = read_feed(HEADER + SCARF + bad + ",No ID,https://shop.example.com/x\n" + HAT)

        assert (report.imported, report.rejected) == (3, 1)
        assert [(error["row"], error["field"]) for error in report.errors] == [
            (3, "price"),
            (3, "image_link"),
            (3, "availability"),
            (4, "id"),
        ]
        assert Product.objects.get(sku="b1").price is None
        feed.refresh_from_db()
        assert feed.row_errors == report.errors

    def test_keeps_the_first_hundred_errors(self, read_feed: Read) -> None:
        rows = "".join(f"{n},T,https://shop.example.com/products/{n},,x\n" for n in range(300))

        assert len(read_feed(HEADER + rows).errors) == 100

    @pytest.mark.parametrize(
        "content",
        [
            (HEADER + SCARF).replace(",", "\t"),
            (HEADER + SCARF).replace(",", ";"),
            "\ufeff" + HEADER + SCARF,
            (HEADER + SCARF).encode("utf-16"),
            HEADER.replace("image_link", "Image Link").replace("id,", "g:ID,", 1) + SCARF,
            gzip.compress((HEADER + SCARF).encode()),
            (HEADER + SCARF).replace("\n", "\r\n"),
            RSS,
            ATOM,
        ],
        ids=["tabs", "semicolons", "mark", "utf-16", "names", "gzip", "crlf", "rss", "atom"],
    )
    def test_may_be_written_in_many_ways(self, read_feed: Read, content: str | bytes) -> None:
        report = read_feed(content)

        assert report.problem == ""
        assert report.errors == []
        scarf = Product.objects.get(sku="s1")
        assert (scarf.url_key, scarf.price) == ("/products/wool-scarf", Decimal("19.90"))

    def test_of_xml_prefers_googles_own_names(self, read_feed: Read) -> None:
        read_feed(RSS)

        scarf = Product.objects.get(sku="s1")
        assert (scarf.title, scarf.category) == ("Wool & silk scarf", "Apparel > Scarves")

    def test_from_a_western_spreadsheet_keeps_its_umlauts(self, read_feed: Read) -> None:
        read_feed((HEADER + SCARF.replace("Wool scarf", "Schal für Männer")).encode("cp1252"))

        assert Product.objects.get().title == "Schal für Männer"

    @pytest.mark.parametrize(
        "hostile",
        [
            b"\x00\x01\x02" * 100,
            b"\x1f\x8b" + b"garbage",
            b'<!DOCTYPE x [<!ENTITY a "b">]><rss><channel><item><id>&a;</id></item></channel></rss>',
            b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><rss/>',
            b"<rss>" + b"<a>" * 50_000,
            b"<rss><item>" + b"<a/>" * 5_000 + b"</item></rss>",
            b"<rss><item><id>\xff</id></item></rss>",
            (HEADER + '"' + "x" * 2_000_000).encode(),
            b"id,link\n" + b"a" * 200_000,
        ],
        ids=["binary", "gzip", "entity", "dtd", "deep", "wide", "encoding", "cell", "line"],
    )
    def test_that_is_hostile_is_refused_in_words(self, read_feed: Read, hostile: bytes) -> None:
        report = read_feed(hostile)

        assert report.problem
        assert not Product.objects.exists()

    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "a web page, not a feed"),
            (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><rss/>', "declares a document type"),
            (b"PK\x03\x04" + b"\0" * 200, "an Excel file"),
        ],
    )
    def test_that_is_something_else_is_told_what_it_is(self, read_feed: Read, raw: bytes, said: str) -> None:
        assert said in read_feed(raw).problem

    def test_cleans_what_a_database_refuses(self, read_feed: Read) -> None:
        read_feed(HEADER + SCARF.replace("Wool scarf", "Wool\x00 \x07scarf") + HAT.replace("h1", "h" * 500))

        assert Product.objects.get(sku="s1").title == "Wool scarf"
        assert Product.objects.get(sku="h" * 100)

    def test_larger_than_the_limit_is_refused_while_reading(
        self, read_feed: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feed_files, "MAX_FEED_BYTES", 10_000)
        rows = HEADER + "".join(f"{n},T,https://shop.example.com/products/{n}\n" for n in range(2_000))

        for content in (rows.encode(), gzip.compress(rows.encode())):
            assert "larger" in read_feed(content).problem

    def test_leaves_out_a_sale_price_outside_of_its_dates(self, read_feed: Read) -> None:
        header = "id,title,link,price,sale_price,sale_price_effective_date\n"
        row = "{},T,https://shop.example.com/products/{},20 EUR,{} EUR,{}\n"
        past, running = "2026-10-01T00:00Z/2026-10-08T00:00Z", "2026-11-20T00:00+01:00/2026-11-30T00:00+01:00"

        report = read_feed(
            header
            + row.format("a", "a", 10, past)
            + row.format("b", "b", 10, running)
            + row.format("c", "c", 10, "soon")
            + row.format("d", "d", 30, "")
        )

        sales = dict(Product.objects.values_list("sku", "sale_price"))
        assert sales == {"a": None, "b": Decimal(10), "c": None, "d": None}
        assert [error["field"] for error in report.errors] == ["sale_price_effective_date"]


@pytest.fixture
def shop_server(settings: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the address of a running shop and what it answers."""
    answer: dict[str, Any] = {"status": 200, "body": (HEADER + SCARF).encode()}

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer["status"])
            self.send_header("Content-Length", str(len(answer["body"])))
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *args: Any) -> None:
            """Keep the tests' output quiet."""

    settings.OUTGOING_ALLOW_PRIVATE = [ip_network("127.0.0.0/8")]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/feed.csv", answer
    server.shutdown()
    server.server_close()
    thread.join()


class TestAFeedWithAnAddress:
    def test_is_read_when_due_and_again_hours_later(
        self, project: Project, shop_server: tuple[str, dict[str, Any]]
    ) -> None:
        feed = ProductFeed.objects.create(project=project, url=shop_server[0], refresh_hours=6)

        assert services.import_due_feed(now=NOW)
        assert not services.import_due_feed(now=NOW + timedelta(hours=5))
        feed.refresh_from_db()
        assert (feed.state, feed.product_count, feed.due_at) == (FeedState.IMPORTED, 1, NOW + timedelta(hours=6))
        assert services.import_due_feed(now=NOW + timedelta(hours=6))

    def test_that_fails_is_tried_again_soon_and_keeps_its_products(
        self, project: Project, shop_server: tuple[str, dict[str, Any]]
    ) -> None:
        address, answer = shop_server
        feed = ProductFeed.objects.create(project=project, url=address)
        services.import_due_feed(now=NOW)
        answer.update(status=500, body=b"")

        services.import_due_feed(now=NOW + timedelta(hours=6))

        feed.refresh_from_db()
        assert (feed.state, feed.product_count) == (FeedState.FAILED, 1)
        assert feed.due_at == NOW + timedelta(hours=6, minutes=30)
        assert "500" in feed.row_errors[0]["error"]

    def test_is_not_fetched_from_a_private_network(self, project: Project) -> None:
        feed = ProductFeed.objects.create(project=project, url="http://127.0.0.1:9/feed.csv")

        report = services.import_feed(feed=feed, now=NOW)

        assert report.problem
        assert not report.imported

    def test_that_breaks_the_worker_again_and_again_is_given_up(self, project: Project) -> None:
        feed = ProductFeed.objects.create(
            project=project, url="http://127.0.0.1:9/", attempts=services.feeds.MAX_ATTEMPTS
        )

        services.import_due_feed(now=NOW)

        feed.refresh_from_db()
        assert (feed.state, feed.attempts) == (FeedState.FAILED, 0)
        assert "again and again" in feed.row_errors[0]["error"]

    def test_asked_for_is_read_at_once(self, project: Project, shop_server: tuple[str, dict[str, Any]]) -> None:
        feed = ProductFeed.objects.create(project=project, url=shop_server[0])
        services.import_due_feed(now=NOW)

        services.request_import(feed=feed, now=NOW + timedelta(minutes=1))

        assert services.import_due_feed(now=NOW + timedelta(minutes=1))


class AskedForWhileRead(FileSystemStorage):
    """Files that somebody asks for once more in the moment in which they are read."""

    def open(self, name: str, mode: str = "rb") -> Any:
        services.request_import(feed=ProductFeed.objects.get(), now=NOW + timedelta(seconds=1))
        return super().open(name, mode)


def test_a_feed_asked_for_while_it_is_read_is_read_again(feed: ProductFeed, settings: Any) -> None:
    feed.upload.save("feed.csv", ContentFile((HEADER + SCARF).encode()))
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "tests.catalog.test_feeds.AskedForWhileRead"}}

    assert services.import_due_feed(now=NOW)

    feed.refresh_from_db()
    assert (feed.due_at, feed.lease_token) == (NOW + timedelta(seconds=1), None)
    assert services.import_due_feed(now=NOW + timedelta(seconds=2))


def test_feeds_are_claimed_one_by_one(project: Project, settings: Any) -> None:
    for name in ("first", "second"):
        ProductFeed.objects.create(project=project, name=name, due_at=NOW, url="http://127.0.0.1:9/")

    services.import_due_feed(now=NOW)

    assert ProductFeed.objects.filter(due_at=NOW, lease_until=None).count() == 1


class TestWhatAPersonSet:
    def test_hides_a_product_whatever_the_feed_says(self, read_feed: Read) -> None:
        read_feed(HEADER + SCARF)
        show("s1", is_shown=False)

        read_feed(HEADER + SCARF)

        assert not Product.objects.get(sku="s1").is_active

    def test_shows_it_again_as_long_as_the_feed_lists_it(self, read_feed: Read) -> None:
        read_feed(HEADER + SCARF + HAT)
        show("s1", is_shown=False)
        show("s1", is_shown=True)

        read_feed(HEADER + HAT)
        assert not Product.objects.get(sku="s1").is_active
        read_feed(HEADER + SCARF + HAT)
        assert Product.objects.get(sku="s1").is_active


def show(sku: str, *, is_shown: bool) -> None:
    product = Product.objects.get(sku=sku)
    product.is_active = is_shown
    services.keep_by_hand(product=product, fields=["is_active"])


class TestSettingUpAFeed:
    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({}, "url"),
            ({"url": "ftp://shop.example/feed"}, "url"),
            ({"url": "not an address"}, "url"),
            ({"url": "https://shop.example/feed", "refresh_hours": 0}, "refresh_hours"),
            ({"url": "https://shop.example/feed", "upload": ContentFile(b"x", "f.csv")}, "url"),
        ],
    )
    def test_refuses_what_could_never_be_read_and_names_the_field(
        self, project: Project, values: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(ValidationError) as refused:
            ProductFeed(project=project, **values).full_clean()

        assert field in refused.value.message_dict


class TestTheCommand:
    def test_imports_a_file_and_says_what_it_did(
        self, project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "products.csv"
        path.write_text(HEADER + SCARF + HAT)
        call_command("import_products", project.slug, str(path))
        path.write_text(HEADER + SCARF)

        call_command("import_products", project.slug, str(path))

        said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["created"] for line in said] == [2, 0]
        assert said[1]["deactivated"] == 1
        assert ProductFeed.objects.count() == 1

    def test_fails_for_what_it_cannot_import(self, project: Project, tmp_path: Path) -> None:
        (tmp_path / "empty.csv").touch()

        for arguments in (
            ["nobody", "x.csv"],
            [project.slug, "missing.csv"],
            [project.slug, str(tmp_path / "empty.csv")],
        ):
            with pytest.raises(CommandError):
                call_command("import_products", *arguments)
