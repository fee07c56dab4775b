"""
Take the screenshots of the README from a running demo: `make demo`, then `python docs/take_screenshots.py`.

Every page is taken on a desktop and on a phone, light and dark, into `docs/screenshots/`. `import` shows the newest
import, which somebody has to make before: the demo begins without one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).with_name("screenshots")
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1360, 900), "phone": (390, 844)}
EMAIL, PASSWORD = "owner@demo.example", "demo-nordlicht"

PAGES = {
    "home": "/admin/",
    "profiles": "/admin/customers/customer/?intent_profile__stage=leaving_with_intent",
    "profile": "/admin/customers/customer/?intent_profile__stage=leaving_with_intent > #result_list tbody tr:has-text('Granted') a",
    "automations": "/admin/remarketing/remarketingrule/",
    "automation": "/admin/remarketing/remarketingrule/ > #result_list tbody a:has-text('Leaving')",
    "activity": "/admin/remarketing/rulematch/",
    "decision": "/admin/remarketing/rulematch/ > #result_list tbody a",
    "mails": "/admin/emails/mailboxmail/",
    "mail": "/admin/emails/mailboxmail/ > #result_list tbody a",
    "templates": "/admin/emails/emailtemplate/",
    "template": "/admin/emails/emailtemplate/ > #result_list tbody a:has-text('Leaving')",
    "segments": "/admin/segments/segment/",
    "segment": "/admin/segments/segment/ > #result_list tbody a",
    "import": "/admin/transfers/importrun/ > #result_list tbody a",
    "products": "/admin/catalog/product/",
    "patterns": "/admin/catalog/urlpatterns/?preset=shopify",
    "calibration": "/admin/remarketing/calibration/",
    "connection": "/admin/webhooks/webhooksource/",
    "coverage": "/admin/webhooks/webhooksource/ > a:has-text('Coverage: day by day')",
    "identity-kit": "/admin/storefront/storefront/",
    "incoming": "/admin/webhooks/webhookdelivery/",
    "signals": "/admin/shopper_signals/shoppersignal/",
}
"""A path, or a list's path and the link on it that is to be followed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--into", type=Path, default=FOLDER)
    parser.add_argument("--only", nargs="*", choices=list(PAGES), default=list(PAGES))
    parser.add_argument("--sizes", nargs="*", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--schemes", nargs="*", choices=["light", "dark"], default=["light", "dark"])
    parser.add_argument("--full", action="store_true", help="the whole page, however long")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for size in options.sizes:
            for scheme in options.schemes:
                for name, page in pages(browser, options.url, size, scheme, options.only):
                    page.screenshot(path=options.into / f"{name}-{size}-{scheme}.png", full_page=options.full)


def pages(browser: Browser, url: str, size: str, scheme: str, names: list[str]) -> Iterator[tuple[str, Page]]:
    width, height = SIZES[size]
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        timezone_id="Europe/Berlin",
    )
    page.goto(f"{url}/admin/login/")
    page.fill("input[name=username]", EMAIL)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_load_state("networkidle")
    for name in names:
        path, _, link = PAGES[name].partition(" > ")
        page.goto(url + path)
        if link:
            page.goto(url + str(page.locator(link).first.get_attribute("href")))
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(400)
        yield name, page
    page.close()


if __name__ == "__main__":
    main()
