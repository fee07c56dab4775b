"""
Origins, spelled as browsers spell them in the `Origin` header: scheme, host, and the port unless it is the usual one.

Source: https://www.rfc-editor.org/rfc/rfc6454 (section 6.2) and https://url.spec.whatwg.org/#concept-url-origin.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from signals_app.storefront.exceptions import InvalidOrigin

MAX_ORIGINS = 50
OPAQUE = "null"
"""What a browser sends from a sandboxed frame, such as the one that Shopify runs customer events in."""
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\]")
_USUAL_PORTS = {"https": 443, "http": 80}
_OWN_MACHINE = {"localhost", "127.0.0.1", "[::1]"}


def origin_of(address: str) -> str:
    """
    Return the origin of a web address.

    :raises InvalidOrigin: saying what is wrong, if a browser could not be on it.
    """
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError:
        raise InvalidOrigin(f"“{address[:100]}” is not a web address.") from None
    scheme, host = parts.scheme.lower(), _host(parts.hostname or "")
    if scheme not in _USUAL_PORTS or not host or "@" in parts.netloc:
        raise InvalidOrigin(f"“{address[:100]}” is not an address such as https://www.shop.example.")
    if scheme == "http" and host not in _OWN_MACHINE:
        raise InvalidOrigin(f"{host} needs https: on plain http anybody on the way could speak in the shop's name.")
    return f"{scheme}://{host}" if port in (None, _USUAL_PORTS[scheme]) else f"{scheme}://{host}:{port}"


def _host(name: str) -> str:
    if ":" in name:
        name = f"[{name}]"
    elif not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return ""
    name = name.lower().removesuffix(".")
    return name if _HOST.fullmatch(name) else ""


def validate_origins(value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(origin, str) for origin in value):
        raise ValidationError("Enter a list of addresses.")
    if len(value) > MAX_ORIGINS:
        raise ValidationError(f"At most {MAX_ORIGINS} addresses.")
    for origin in value:
        try:
            spelled = origin_of(origin)
        except InvalidOrigin as error:
            raise ValidationError(str(error)) from error
        if spelled != origin:
            raise ValidationError(f"Write “{origin}” as a browser does: {spelled}")
