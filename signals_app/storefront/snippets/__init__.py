"""What a shop's developer copies: each snippet is a file here, filled in with the store's key and settings."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from json import dumps
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static

from signals_app.storefront.constants import ConsentMode
from signals_app.storefront.models import Storefront

VERSION = 1
SCRIPT = f"storefront/identity-{VERSION}.js"
SECRET_PLACEHOLDER = "PASTE-THE-PROOF-SECRET-HERE"  # noqa: S105 - what stands in the place of one
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Snippet:
    name: str
    title: str
    where: str
    """Where it goes, in one or two sentences."""
    text: str


def snippets(storefront: Storefront, *, secret: str = SECRET_PLACEHOLDER) -> list[Snippet]:
    """Return all snippets of a store; without `secret`, a placeholder stands in its place."""
    return [html_snippet(storefront), theme_snippet(storefront, secret=secret), pixel_snippet(storefront)]


def html_snippet(storefront: Storefront) -> Snippet:
    return Snippet(
        "html",
        "Any shop",
        "Into the head of every page. Of a shopper who is logged in, your server writes the address and its proof into it.",
        _filled("page.html", ATTRIBUTES=_attributes(storefront)),
    )


def theme_snippet(storefront: Storefront, *, secret: str = SECRET_PLACEHOLDER) -> Snippet:
    return Snippet(
        "theme",
        "Shopify theme",
        "Online Store → Themes → Edit code → layout/theme.liquid, before </head>. The theme computes the proof on Shopify's "
        "servers: shoppers never see the secret, whoever may edit the theme does.",
        _filled("theme.liquid", ATTRIBUTES=_attributes(storefront, has_own_consent=True), SECRET=secret),
    )


def pixel_snippet(storefront: Storefront) -> Snippet:
    return Snippet(
        "pixel",
        "Shopify customer events",
        "Settings → Customer events → Add custom pixel; permission: required, for marketing and analytics. It hears of "
        "addresses given at the checkout, where no theme runs. They are without proof, so they are only noted.",
        _filled(
            "pixel.js",
            URL=dumps(identify_url(storefront)),
            COOKIE=dumps(storefront.visitor_cookie),
            STORAGE=dumps(storefront.visitor_storage),
        ),
    )


def identify_url(storefront: Storefront) -> str:
    return f"{settings.PUBLIC_URL}/t/{storefront.public_key}/identify"


def script_url() -> str:
    return f"{settings.PUBLIC_URL}{static(SCRIPT)}"


def _attributes(storefront: Storefront, *, has_own_consent: bool = False) -> str:
    """Return the attributes of the script's tag, one a line."""
    consent, event = _consent(storefront, has_own_consent=has_own_consent)
    named = {
        "src": script_url(),
        "data-key": storefront.public_key,
        "data-consent": consent,
        "data-consent-event": event,
        "data-visitor-global": storefront.visitor_global,
        "data-visitor-cookie": storefront.visitor_cookie,
        "data-visitor-storage": storefront.visitor_storage,
    }
    return "\n  ".join(f'{name}="{escape(value)}"' for name, value in named.items() if value)


def _consent(storefront: Storefront, *, has_own_consent: bool) -> tuple[str, str]:
    if has_own_consent or storefront.consent_mode == ConsentMode.SHOPIFY:
        return "", ""
    if storefront.consent_mode == ConsentMode.LOADED_AFTER:
        return "given", ""
    return storefront.consent_check, storefront.consent_event if storefront.consent_check else ""


def _filled(file: str, **values: str) -> str:
    text = (_FOLDER / file).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"__{name}__", value)
    return text.strip()
