"""
What other rooms add to the links of a mail, asked under the customer's lock when its sending begins.

A room registers its decorator in its `AppConfig.ready()`. For each mail it says how links change, or that they stay as
they are: without a shopper's consent to tracking, a mail has plain links.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from signals_app.customers.models import Customer
from signals_app.emails.models import EmailMessage


@dataclass(frozen=True)
class LinkRequest:
    message: EmailMessage
    customer: Customer
    now: datetime


Rewrite = Callable[[str], str]
LinkDecorator = Callable[[LinkRequest], Rewrite | None]
_decorators: dict[str, LinkDecorator] = {}


def register(name: str, decorator: LinkDecorator) -> None:
    """Ask `decorator` about the links of every mail; registering the same name again replaces it."""
    _decorators[name] = decorator


def rewrite_for(request: LinkRequest) -> Rewrite | None:
    """Return how the links of a mail change, or None if they stay as they are."""
    rewrites = [rewrite for decorator in _decorators.values() if (rewrite := decorator(request)) is not None]
    if not rewrites:
        return None

    def rewrite_all(address: str) -> str:
        for rewrite in rewrites:
            address = rewrite(address)
        return address

    return rewrite_all
