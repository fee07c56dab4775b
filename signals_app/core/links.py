"""Links that are safe to put into a mail: http or https, and on the store's own domains."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

MAX_URL_LENGTH = 2_000
_PATH_CHARACTERS = "/%:@!$&'()*+,;=-._~"
FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029]")
"""Parsers disagree about these, or drop them in silence; none belongs into a URL unescaped."""
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def safe_shop_url(url_or_path: str, *, shop_url: str, domains: Iterable[str]) -> str | None:
    """
    Return the address, made safe to link to, or None when it leads anywhere but to the store.

    Visited URLs are written by whoever visits, so only an address that a browser cannot read in two ways passes:
    no user name, no backslash, no control character, a host that is one of `domains` or the host of `shop_url`
    (with or without "www."), and no port but the store's own. A path ("/products/scarf") is joined to `shop_url`.
    """
    text = url_or_path.strip()
    if not text or len(text) > MAX_URL_LENGTH or FORBIDDEN.search(text):
        return None
    shop = _split(shop_url)
    parts = _split(text)
    if shop is None or parts is None:
        return None
    if text.startswith("/") and not text.startswith("//"):
        parts = parts._replace(scheme=shop.scheme, netloc=shop.netloc)
    elif text.startswith("//"):
        parts = parts._replace(scheme=shop.scheme)
    host = _host(parts)
    if parts.scheme.lower() not in ("http", "https") or host is None:
        return None
    allowed = {_without_www(domain.lower().strip(".")) for domain in domains}
    shop_host = _host(shop)
    is_shop_host = shop_host is not None and _without_www(host) == _without_www(shop_host)
    if not is_shop_host and _without_www(host) not in allowed:
        return None
    if parts.port not in (None, 80, 443) and not (is_shop_host and parts.port == shop.port):
        return None
    return _rebuilt(parts, host)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return None
    return parts


def _host(parts: SplitResult) -> str | None:
    """Return the ASCII host, or None if a browser could take it for another."""
    if "@" in parts.netloc or "%" in parts.netloc:
        return None
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    elif not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    host = host.lower().removesuffix(".")
    return host if _HOST.fullmatch(host) else None


def _without_www(host: str) -> str:
    return host.removeprefix("www.")


def _rebuilt(parts: SplitResult, host: str) -> str:
    def quoted(text: str) -> str:
        return quote(_STRAY_PERCENT.sub("%25", text), safe=_PATH_CHARACTERS + "?", errors="replace")

    netloc = host if parts.port is None else f"{host}:{parts.port}"
    return urlunsplit(
        (parts.scheme.lower(), netloc, quoted(parts.path) or "/", quoted(parts.query), quoted(parts.fragment))
    )
