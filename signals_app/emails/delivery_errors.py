"""
What an exception of a mail service means for the mail: did it certainly not arrive, or may it have arrived?

Certainly not, and later may work: `RETRY`. Certainly not, and never will: `FAILED`. Everything after the request was
written and before an answer was read: `UNKNOWN`, because sending it again could send it twice.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from anymail.exceptions import (
    AnymailCancelSend,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import BadHeaderError
from requests import exceptions as http_errors
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from signals_app.emails.constants import MessageState, SkipReason

MAX_RETRY_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt; `is_our_account` means that no other mail would fare better."""

    state: str
    reason: str = ""
    detail: str = ""
    esp_message_id: str = ""
    retry_after: timedelta | None = None
    is_our_account: bool = False


def retry(detail: str, *, retry_after: timedelta | None = None) -> Outcome:
    return Outcome(MessageState.RETRY, SkipReason.WAITING_RETRY, detail, retry_after=retry_after)


def account_refused(detail: str) -> Outcome:
    return Outcome(MessageState.RETRY, SkipReason.WAITING_ACCOUNT, detail, is_our_account=True)


def failed(detail: str) -> Outcome:
    return Outcome(MessageState.FAILED, SkipReason.FAILED_REFUSED, detail)


def unknown(detail: str) -> Outcome:
    return Outcome(MessageState.UNKNOWN, SkipReason.UNKNOWN_NO_ANSWER, detail)


def outcome_of_opening(error: Exception) -> Outcome:
    """Return what an error before any mail was handed over means: it certainly did not arrive."""
    if isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPNotSupportedError | ImproperlyConfigured):
        return account_refused(_words(error))
    return retry(_words(error))


def outcome_of(error: Exception, *, now: datetime) -> Outcome:
    """Return what an error while a mail was handed over means."""
    for kinds, meaning in _TABLE:
        if isinstance(error, kinds):
            return meaning(error, now)
    return unknown(_words(error))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ").strip()[:500]


def _of_http(error: Exception, now: datetime) -> Outcome:
    response = getattr(error, "response", None)
    if response is None:
        return _of_connection(error)
    status, words = response.status_code, f"{response.status_code} {response.reason}: {response.text[:300]}"
    if status in (401, 403):
        return account_refused(words)
    if status in (408, 504) or status < 400:
        # 504: a gateway passed the request on and heard nothing. 2xx: accepted, but the answer cannot be read.
        return unknown(words)
    if status == 429 or status >= 500:
        return retry(words, retry_after=parse_retry_after(response.headers.get("Retry-After", ""), now=now))
    return failed(words)


def _of_connection(error: Exception) -> Outcome:
    """Tell a connection that was never made, so that nothing was written, from one that broke."""
    if isinstance(error, http_errors.InvalidURL | http_errors.MissingSchema):
        return account_refused(_words(error))
    chain: BaseException | None = error
    while chain is not None:
        cause = chain.args[0] if chain.args else None
        reason = cause.reason if isinstance(cause, MaxRetryError) else None
        is_bad_certificate = reason is not None and any(
            isinstance(part, ssl.SSLCertVerificationError) for part in getattr(reason, "args", ())
        )
        if (
            isinstance(chain, http_errors.ConnectTimeout | http_errors.ProxyError)
            or isinstance(reason, NewConnectionError | ConnectTimeoutError)
            or is_bad_certificate
        ):
            return retry(_words(error))
        chain = chain.__cause__
    return unknown(_words(error))


def _of_smtp_answer(error: Exception, now: datetime) -> Outcome:
    code = int(getattr(error, "smtp_code", 0))
    if code in (530, 534, 535) or (isinstance(error, smtplib.SMTPSenderRefused) and code >= 500):
        return account_refused(_words(error))
    return failed(_words(error)) if code >= 500 else retry(_words(error))


def _of_smtp_recipients(error: Exception, now: datetime) -> Outcome:
    answers = error.recipients.values() if isinstance(error, smtplib.SMTPRecipientsRefused) else ()
    is_temporary = all(code < 500 for code, _ in answers)
    return retry(_words(error)) if is_temporary else failed(_words(error))


def _of_refusal(error: Exception, now: datetime) -> Outcome:
    return failed(_words(error))


def _of_settings(error: Exception, now: datetime) -> Outcome:
    return account_refused(_words(error))


_TABLE: tuple[tuple[tuple[type[Exception], ...], Callable[[Exception, datetime], Outcome]], ...] = (
    ((ImproperlyConfigured,), _of_settings),  # AnymailConfigurationError is one
    (
        (
            AnymailCancelSend,
            AnymailInvalidAddress,
            AnymailRecipientsRefused,
            AnymailSerializationError,
            AnymailUnsupportedFeature,
            BadHeaderError,
            UnicodeError,
        ),
        _of_refusal,
    ),
    ((http_errors.RequestException,), _of_http),  # AnymailRequestsAPIError is one
    ((smtplib.SMTPRecipientsRefused,), _of_smtp_recipients),
    ((smtplib.SMTPResponseException,), _of_smtp_answer),
)


def parse_retry_after(value: str, *, now: datetime) -> timedelta | None:
    """
    Return how long a service asks to wait, in seconds or as a date; None if it does not say.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(text) - now
    except (TypeError, ValueError):
        return None
    return min(max(wait, timedelta(0)), MAX_RETRY_AFTER)
