"""The identity kit in a real browser, on a page of ours that another origin serves, as a shop's page is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page, Request

from signals_app.customers import services as customers
from signals_app.customers.constants import Evidence, IdentifierKind, Topic
from signals_app.customers.models import Customer, Identifier, IdentityEdge
from signals_app.emails import services as emails
from signals_app.emails.constants import MessagePurpose
from signals_app.emails.models import EmailMessage, EmailTemplate
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.storefront import click_tokens, services
from signals_app.storefront.constants import ConsentMode
from signals_app.storefront.models import EmailClaim, Storefront
from signals_app.storefront.proofs import proof_of
from signals_app.storefront.snippets import html_snippet, pixel_snippet, theme_snippet
from tests.storefront.conftest import NOW

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOPIFY = """<script>
  window.Shopify = {
    loadFeatures: (features, done) => setTimeout(() => {
      Shopify.customerPrivacy = { marketingAllowed: () => window.agreed, analyticsProcessingAllowed: () => window.agreed };
      done();
    }, 50),
  };
  window.agreed = false;
  window.agree = (yes) => { window.agreed = yes; document.dispatchEvent(new Event("visitorConsentCollected")); };
</script>"""
PIXEL_FRAME = """<script>
  const subscribers = {}, listens = { subscribe: (name, heard) => { (subscribers[name] ||= []).push(heard); } };
  const analytics = listens, customerPrivacy = listens;
  const init = { customerPrivacy: { marketingAllowed: %s, analyticsProcessingAllowed: true }, data: { customer: null } };
  const browser = { cookie: { get: async () => "" }, localStorage: { getItem: async () => "v-pixel" } };
  window.happen = (name, event) => subscribers[name].forEach((heard) => heard(event));
</script><script>%s</script>"""


@dataclass
class Shop:
    """A shop on a port of its own: another origin than the program's."""

    port: int
    pages: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def foreign(self) -> str:
        """The same pages at an address that the store has not registered."""
        return f"http://localhost:{self.port}"


class _Pages(BaseHTTPRequestHandler):
    def __init__(self, pages: dict[str, str], *arguments: Any) -> None:
        self.pages = pages
        super().__init__(*arguments)

    def do_GET(self) -> None:
        body = self.pages.get(self.path.partition("?")[0], "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[Shop]:
    pages: dict[str, str] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, pages))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Shop(server.server_port, pages)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def storefront(project: Project, shop: Shop, live_server: Any, settings: Any) -> Storefront:
    settings.PUBLIC_URL = live_server.url
    return services.set_up(project=project, origins=[shop.origin])


@dataclass
class Visit:
    page: Page
    calls: list[Request] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    """Status by status; 0 is an answer that the browser keeps from the page."""

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.calls.append(request) if "/t/pk_" in request.url else None)
        self.page.on("response", lambda answer: self.answered.append(answer.status) if "/t/pk_" in answer.url else None)
        self.page.on("requestfailed", lambda request: self.answered.append(0) if "/t/pk_" in request.url else None)

    def answers(self, count: int) -> list[int]:
        """Wait until so many calls were answered, and return how."""
        for _ in range(200):
            if len(self.answered) >= count:
                break
            self.page.wait_for_timeout(50)
        return self.answered

    def stays_silent(self) -> bool:
        self.page.wait_for_timeout(400)
        return not self.calls

    def stored(self) -> list[str]:
        return list(
            self.page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage), document.cookie]")
        )


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Visit]]:
    """Open a page in a browser that was never here, or in one that was (`context`)."""
    contexts: list[BrowserContext] = []

    def visit(url: str, context: BrowserContext | None = None, script: str = "") -> Visit:
        if context is None:
            context = chromium.new_context()
            contexts.append(context)
        visitor = Visit(context.new_page())
        if script:
            visitor.page.add_init_script(script)
        visitor.page.goto(url)
        return visitor

    yield visit
    for context in contexts:
        context.close()


def page_of(storefront: Storefront, before: str = "", **said: str) -> str:
    """Return a page of the shop with the snippet as it is copied, filled in by the shop's server with `said`."""
    snippet = html_snippet(storefront).text
    head = snippet[: snippet.index("\n  data-external-id=")]
    names = {"email": "data-email", "proof": "data-proof", "external_id": "data-external-id"}
    attributes = "".join(f'\n  {names[name]}="{value}"' for name, value in said.items())
    return f"<!doctype html><title>Shop</title>{before}{head}{attributes}></script><h1>Lamp</h1>"


def proven(storefront: Storefront, email: str = "anna@example.com") -> dict[str, str]:
    return {"email": email, "proof": proof_of(storefront.proof_secret, email)}


def known_by_email() -> list[str]:
    return sorted(Customer.objects.exclude(email="").values_list("email", flat=True))


class TestConsent:
    def test_missing_or_refused_sends_and_stores_nothing_and_given_identifies(
        self, storefront: Storefront, shop: Shop, visit: Callable[..., Visit]
    ) -> None:
        shop.pages["/"] = page_of(storefront, **proven(storefront))

        visitor = visit(f"{shop.origin}/")
        assert visitor.stays_silent()
        visitor.page.evaluate("insightarcIdentity.push(['consent', false])")
        assert visitor.stays_silent()
        assert visitor.stored() == [""]
        assert not Identifier.objects.exists()

        visitor.page.evaluate("insightarcIdentity.push(['consent', true])")

        assert visitor.answers(1) == [204]
        assert known_by_email() == ["anna@example.com"]
        own_id = visitor.page.evaluate("insightarcIdentity.visitor()")
        assert Identifier.objects.get(kind="anonymous_id").value == own_id
        assert "cookie" not in visitor.calls[0].headers
        assert not any("anna" in entry for entry in visitor.stored())
        visitor.page.evaluate("insightarcIdentity.push(['consent', false])")
        assert visitor.stored() == [""]

    def test_given_before_the_script_came_counts(
        self, storefront: Storefront, shop: Shop, visit: Callable[..., Visit]
    ) -> None:
        early = "<script>(window.insightarcIdentity ||= []).push(['consent', true])</script>"
        shop.pages["/"] = page_of(storefront, early, **proven(storefront))

        assert visit(f"{shop.origin}/").answers(1) == [204]

    def test_is_read_from_the_banner_that_the_store_names(
        self, storefront: Storefront, shop: Shop, visit: Callable[..., Visit]
    ) -> None:
        storefront.consent_check, storefront.consent_event = "Banner.marketing", "BannerAnswered"
        banner = "<script>window.Banner = { answer: false, marketing() { return this.answer; } }</script>"
        shop.pages["/"] = page_of(storefront, banner, **proven(storefront))

        visitor = visit(f"{shop.origin}/")
        assert visitor.stays_silent()
        visitor.page.evaluate("Banner.answer = true; window.dispatchEvent(new Event('BannerAnswered'))")

        assert visitor.answers(1) == [204]

    def test_of_shopify_is_asked_by_the_theme(
        self, storefront: Storefront, shop: Shop, visit: Callable[..., Visit]
    ) -> None:
        theme = theme_snippet(storefront, secret=storefront.proof_secret).text
        script = theme[theme.index("<script>") : theme.index("</script>") + 9]
        shop.pages["/"] = page_of(storefront, SHOPIFY + script, **proven(storefront))

        visitor = visit(f"{shop.origin}/")
        assert visitor.stays_silent()
        visitor.page.evaluate("agree(false)")
        assert visitor.stays_silent()
        visitor.page.evaluate("agree(true)")

        assert visitor.answers(1) == [204]

    def test_need_not_be_asked_where_the_shop_loads_the_script_only_then(
        self, storefront: Storefront, shop: Shop, visit: Callable[..., Visit]
    ) -> None:
        storefront.consent_mode = ConsentMode.LOADED_AFTER
        shop.pages["/"] = page_of(storefront, **proven(storefront))

        assert visit(f"{shop.origin}/").answers(1) == [204]


class TestACall:
    @pytest.fixture(autouse=True)
    def _consent_is_given(self, storefront: Storefront) -> None:
        storefront.consent_mode = ConsentMode.LOADED_AFTER

    def test_is_made_once_a_visit_and_again_when_something_changed(
        self, storefront: Storefront, shop: Shop, visit: Callable[..., Visit]
    ) -> None:
        shop.pages["/"] = page_of(storefront, **proven(storefront))
        visitor = visit(f"{shop.origin}/")
        assert visitor.answers(1) == [204]
        visitor.page.wait_for_function("sessionStorage.insightarc_sent")

        visitor.page.reload()
        visitor.page.wait_for_timeout(300)
        assert len(visitor.calls) == 1
        visitor.page.evaluate("insightarcIdentity.push(['identify', {session_id: 's-1'}])")

        assert visitor.answers(2) == [204, 204]
        assert Identifier.objects.get(kind="session_id").customer.email == "anna@example.com"

    def test_from_a_foreign_origin_is_refused(
        self, storefront: Storefront, shop: Shop, visit: Callable[..., Visit]
    ) -> None:
        shop.pages["/"] = page_of(storefront, **proven(storefront))

        visitor = visit(f"{shop.foreign}/")

        assert set(visitor.answers(1)) <= {403, 0}  # the browser may keep from the page what it may not read
        assert not Identifier.objects.exists()
        assert "insightarc_sent" not in visitor.stored()

    def test_with_a_wrong_proof_identifies_nobody(
        self, storefront: Storefront, shop: Shop, visit: Callable[..., Visit]
    ) -> None:
        shop.pages["/"] = page_of(storefront, email="anna@example.com", proof="0" * 64)

        visitor = visit(f"{shop.origin}/")

        assert visitor.answers(1) == [400]
        assert not Identifier.objects.exists()

    def test_with_an_address_that_nobody_proved_leaves_the_profile_alone(
        self, storefront: Storefront, shop: Shop, visit: Callable[..., Visit], project: Project
    ) -> None:
        customers.identify(project=project, identifiers={"email": "anna@example.com"}, now=NOW)
        shop.pages["/"] = page_of(storefront, email="Anna@example.com")

        assert visit(f"{shop.origin}/").answers(1) == [204]

        assert EmailClaim.objects.get().identifier.kind == IdentifierKind.ANONYMOUS_ID
        assert Customer.objects.get(email="anna@example.com").identifiers.count() == 1

    @pytest.mark.parametrize(
        ("setting", "name", "page"),
        [
            (
                "visitor_cookie",
                "_visitor",
                "<script>document.cookie = '_visitor=' + encodeURIComponent('v/1=ä')</script>",
            ),
            ("visitor_storage", "shop.visitor", "<script>localStorage['shop.visitor'] = 'v/1=ä'</script>"),
            ("visitor_global", "insightarc.user.id", "<script>window.insightarc = {user: {id: 'v/1=ä'}}</script>"),
            (
                "visitor_global",
                "insightarc.getId",
                "<script>setTimeout(() => { window.insightarc = {own: 'v/1=ä', getId() { return this.own; }} }, 700)</script>",
            ),
        ],
    )
    def test_carries_the_visitor_id_that_the_shop_has(
        self,
        storefront: Storefront,
        shop: Shop,
        visit: Callable[..., Visit],
        setting: str,
        name: str,
        page: str,
    ) -> None:
        setattr(storefront, setting, name)
        shop.pages["/"] = page_of(storefront, page, **proven(storefront))

        visitor = visit(f"{shop.origin}/")

        assert visitor.answers(1) == [204]
        assert Identifier.objects.get(kind="anonymous_id").value == "v/1=ä"
        assert "insightarc_visitor" not in visitor.stored()


class TestAClick:
    @pytest.fixture
    def link(self, storefront: Storefront, shop: Shop, project: Project) -> str:
        """Return a session link of a mail to a shopper who allows tracking."""
        Storefront.objects.update(has_session_links=True)
        anna = customers.record_consent(
            project=project,
            identifiers={"email": "anna@example.com"},
            topic=Topic.TRACKING,
            granted=True,
            source="form",
            now=NOW,
        )
        template = EmailTemplate.objects.create(project=project, name="Plain", subject="Hello", mjml="")
        message = emails.queue_message(
            project=project,
            identifier=anna.identifiers.get(),
            template=template,
            purpose=MessagePurpose.REMARKETING,
            send_key="1",
            context={},
            due_at=NOW,
            now=NOW,
        )
        EmailMessage.objects.filter(pk=message.pk).update(to_email="anna@example.com")
        storefront.consent_mode = ConsentMode.BANNER
        shop.pages["/lamp"] = page_of(storefront)
        return click_tokens.with_token(f"{shop.origin}/lamp?colour=dark%20red#top", click_tokens.sign(message.pk))

    def test_ties_the_browser_after_two_seconds_before_a_persons_eyes_and_consent(
        self, link: str, shop: Shop, visit: Callable[..., Visit]
    ) -> None:
        visitor = visit(link)

        assert visitor.page.url == f"{shop.origin}/lamp?colour=dark%20red#top"
        visitor.page.wait_for_timeout(2_600)
        assert visitor.calls == []  # no consent yet
        visitor.page.evaluate("insightarcIdentity.push(['consent', true])")

        assert visitor.answers(1) == [204]
        edge = IdentityEdge.objects.get()
        assert edge.evidence == Evidence.CLICK
        visitor.page.wait_for_timeout(600)
        assert len(visitor.calls) == 1

    def test_that_nobody_looks_at_is_a_scanners(self, link: str, visit: Callable[..., Visit]) -> None:
        hidden = "Object.defineProperty(Document.prototype, 'visibilityState', {get: () => window.shown || 'hidden'})"
        visitor = visit(link, script=hidden)
        visitor.page.evaluate("insightarcIdentity.push(['consent', true])")
        visitor.page.wait_for_timeout(2_600)
        assert visitor.calls == []

        visitor.page.evaluate("window.shown = 'visible'")
        visitor.page.wait_for_timeout(1_000)
        assert visitor.calls == []
        visitor.page.wait_for_timeout(1_500)

        assert visitor.answers(1) == [204]


class TestThePixel:
    @pytest.fixture
    def checkout(self, storefront: Storefront, shop: Shop, visit: Callable[..., Visit]) -> Callable[..., Visit]:
        """Let somebody give an address at the checkout of a shop whose pixel runs in a frame without an origin."""

        def checkout(*, consent: bool) -> Visit:
            shop.pages["/pixel"] = PIXEL_FRAME % (str(consent).lower(), pixel_snippet(storefront).text)
            shop.pages["/"] = '<iframe sandbox="allow-scripts" src="/pixel"></iframe>'
            visitor = visit(f"{shop.origin}/")
            frame = visitor.page.frames[1]
            frame.wait_for_load_state()
            frame.evaluate("happen('page_viewed', {})")
            frame.evaluate("happen('checkout_completed', {data: {checkout: {email: 'Anna@example.com'}}})")
            return visitor

        return checkout

    def test_notes_the_address_without_making_anybody_known(self, checkout: Callable[..., Visit]) -> None:
        Storefront.objects.update(accepts_pixel=True)

        assert checkout(consent=True).answers(1) == [204]

        claim = EmailClaim.objects.get()
        assert (claim.email, claim.identifier.value) == ("anna@example.com", "v-pixel")
        assert not known_by_email()

    def test_says_nothing_without_consent(self, checkout: Callable[..., Visit]) -> None:
        Storefront.objects.update(accepts_pixel=True)

        assert checkout(consent=False).stays_silent()

    def test_is_refused_unless_the_store_expects_it(self, checkout: Callable[..., Visit]) -> None:
        assert set(checkout(consent=True).answers(1)) <= {403, 0}
        assert not Identifier.objects.exists()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("role", [Role.OWNER, Role.ANALYST])
def test_the_page_of_the_kit_shows_what_to_copy(
    open_page: Callable[..., Page], storefront: Storefront, role: Role, width: int
) -> None:
    page = open_page(reverse("admin:storefront_storefront_change", args=[storefront.pk]), role=role, width=width)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert storefront.public_key in str(page.locator("#snippet-html").text_content())
    button = page.get_by_role("button", name="Show the secret and the theme snippet with it")
    if role is Role.ANALYST:
        assert button.count() == 0
        return
    button.click()
    page.wait_for_selector("#proof-secret")
    assert page.locator("#proof-secret").text_content() == storefront.proof_secret
    assert page.evaluate("document.documentElement.scrollWidth") <= width
