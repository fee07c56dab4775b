"""What may be saved in a source; each problem names its field and says what to enter."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from signals_app.webhooks import mapping
from signals_app.webhooks.exceptions import InvalidConfiguration

MAX_URLS = 10
MAX_URL_LENGTH = 2_000
MAX_SECRET_LENGTH = 500

_INVISIBLE = re.compile(r"[\s\x00-\x1f\x7f]")


def check_urls(urls: Any) -> list[str]:
    """
    Return the registered addresses as they were given: not one character may change, since the signature covers them.

    :raises InvalidConfiguration: if one is not an http or https address, or there are too many.
    """
    if not isinstance(urls, list | tuple) or not all(isinstance(url, str) for url in urls):
        raise InvalidConfiguration("registered_urls", "Enter a list of addresses.")
    if len(urls) > MAX_URLS:
        raise InvalidConfiguration("registered_urls", f"Enter at most {MAX_URLS} addresses.")
    for url in urls:
        if not _is_address(url):
            raise InvalidConfiguration(
                "registered_urls", f"“{url[:200]}” is not an address such as https://crm.example.com/webhooks/…"
            )
    return list(urls)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_web and len(url) <= MAX_URL_LENGTH and not _INVISIBLE.search(url)


def check_secret(secret: Any) -> str:
    """
    Return a pasted secret without the white space around it, which comes from copying.

    :raises InvalidConfiguration: if nothing is left, or far too much.
    """
    text = secret.strip() if isinstance(secret, str) else ""
    if not text or len(text) > MAX_SECRET_LENGTH:
        raise InvalidConfiguration(
            "secret", "Paste the secret from Insightarc: project settings dialog, tab “Webhook”."
        )
    return text


def validate_urls(urls: Any) -> None:
    _as_form_error(check_urls, urls)


def validate_identity_mapping(raw: Any) -> None:
    _as_form_error(mapping.compile_mapping, raw)


def _as_form_error(check: Any, value: Any) -> None:
    try:
        check(value)
    except InvalidConfiguration as error:
        raise ValidationError(f"{error.field}: {error.message}" if "." in error.field else error.message) from error
