"""
Errors go to Sentry, or what speaks its protocol, where SENTRY_DSN names one: the type, the way to it, and ids.

What a log may not say, a report may not either (Note [What a log may say], `logs.py`): no message of an exception, no
values of variables, no statements with their parameters, nothing of the request but its view.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration

from insightarc_crm import logs

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint


def start(dsn: str) -> None:
    """Report from now on what is logged as an error, and what nothing caught in a request or a task."""
    sentry_sdk.init(
        dsn=dsn,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR)],
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        before_send=without_data,
    )


def without_data(event: Event, hint: Hint) -> Event:
    """Return a report without what shoppers' data may stand in."""
    event.pop("request", None)  # its view stands in "transaction"
    event.pop("user", None)
    event["extra"] = {name: value for name, value in event.get("extra", {}).items() if _is_plain(value)}
    for error in event.get("exception", {}).get("values", []):
        error["value"] = logs.LEFT_OUT
    if "logentry" in event:
        event["logentry"] = {"message": logs.redact(str(event["logentry"].get("message", "")))}
    return event


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and logs.redact(value) == value)
