"""The lists of this room: suppressions in and out, mails out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from signals_app.customers.constants import IdentifierKind
from signals_app.customers.exceptions import InvalidIdentifier
from signals_app.customers.exports import as_json, by_id, counted, everything
from signals_app.customers.identifiers import normalise
from signals_app.emails.constants import ERASED_PREFIX, SuppressionReason, reason_in_words
from signals_app.emails.models import EmailMessage, Suppression
from signals_app.emails.services.suppression import suppress_many
from signals_app.transfers import cells
from signals_app.transfers.exceptions import ColumnsRefused, RowRefused
from signals_app.transfers.kinds import (
    Column,
    ExportContext,
    ExportKind,
    ImportContext,
    ImportKind,
    Option,
    Page,
    Row,
    Stored,
    no_parameters,
)

_REASONS = {
    **{reason.value: reason for reason in SuppressionReason},
    **{reason.label.lower(): reason for reason in SuppressionReason},
    **dict.fromkeys(("unsubscribe", "opt-out", "optout"), SuppressionReason.UNSUBSCRIBED),
    **dict.fromkeys(("bounce", "hard bounce", "hardbounce", "hard_bounce"), SuppressionReason.BOUNCED),
    **dict.fromkeys(("complaint", "spam", "spam complaint"), SuppressionReason.COMPLAINED),
}


def _reader(context: ImportContext, columns: frozenset[str]) -> Callable[[Mapping[str, str]], Any]:
    default = context.options.get("reason") or SuppressionReason.MANUAL.value
    if default not in SuppressionReason.values:
        raise ColumnsRefused({"reason": f"Use one of: {', '.join(SuppressionReason.values)}."})

    def read(said: Mapping[str, str]) -> tuple[str, str, str]:
        try:
            email = normalise(IdentifierKind.EMAIL, said.get("email", ""))
        except InvalidIdentifier as error:
            raise RowRefused("email", error.message) from None
        reason = _REASONS.get((said.get("reason") or default).lower())
        if reason is None:
            raise RowRefused("reason", f"Use one of: {', '.join(SuppressionReason.values)}.")
        source = said.get("source") or context.options.get("source") or "imported list"
        return email, reason.value, cells.text_of(source, "source", max_length=100)

    return read


def _store(context: ImportContext, rows: Sequence[Row]) -> Stored:
    said: dict[str, tuple[str, str]] = {}
    for row in rows:
        email, reason, source = row.value
        said.setdefault(email, (reason, source))  # the first reason stands
    created = suppress_many(project=context.project, reasons=said, now=context.now)
    return Stored(created=created, unchanged=len(rows) - created)


SUPPRESSION_IMPORT = ImportKind(
    name="suppressions",
    label="Suppressions",
    explanation="Addresses that get no more mails, such as the unsubscribe and bounce lists of the tool you used before.",
    columns=(
        Column("email", "E-mail", guesses=("mail", "address", "e-mail address", "email address")),
        Column("reason", "Reason", "Unsubscribed, bounced or complained.", ("type", "status")),
        Column("source", "From where", guesses=("list", "origin")),
    ),
    options=(
        Option(
            "reason",
            "Reason",
            "For rows that do not say it.",
            type="choice",
            choices=tuple((reason.value, reason.label) for reason in SuppressionReason),
            default=SuppressionReason.MANUAL.value,
        ),
        Option("source", "From where", "Such as: the tool we used before.", max_length=100),
    ),
    needs_one_of=(("email",),),
    reader=_reader,
    store=_store,
)


# --- Exports --------------------------------------------------------------------------------------------------------


def _suppressions(context: ExportContext) -> QuerySet[Suppression]:
    listed = Suppression.objects.filter(project=context.project, created_at__lte=context.now)
    return listed.exclude(email__startswith=ERASED_PREFIX)


def _suppression_page(context: ExportContext, after: Any, limit: int) -> Page:
    found, following = by_id(_suppressions(context), after, limit)
    return Page([[one.email, one.reason, one.source, one.created_at] for one in found], as_json(following))


def _messages(context: ExportContext) -> QuerySet[EmailMessage]:
    return EmailMessage.objects.filter(project=context.project, created_at__lte=context.now)


def _message_page(context: ExportContext, after: Any, limit: int) -> Page:
    light = _messages(context).select_related("template", "identifier__customer").defer("html", "text", "context")
    found, following = by_id(light, after, limit)
    rows = [
        [
            str(message.pk),
            message.to_email or message.identifier.customer.email,
            str(message.identifier.customer_id),
            message.template.name,
            message.subject,
            message.get_state_display(),
            reason_in_words(message.reason) if message.reason else "",
            message.detail,
            message.created_at,
            message.finished_at,
        ]
        for message in found
    ]
    return Page(rows, as_json(following))


SUPPRESSION_EXPORT = ExportKind(
    name="suppressions",
    label="Suppressions",
    explanation="Every address that gets no more mails, with the reason.",
    columns=lambda context: ["E-mail", "Reason", "From where", "Since"],
    page=_suppression_page,
    count=lambda context: counted(_suppressions(context)),
    check=no_parameters,
    words=everything,
)
MESSAGE_EXPORT = ExportKind(
    name="messages",
    label="E-mails",
    explanation="Every mail with its shopper, state and reason; without its text.",
    columns=lambda context: [
        *("E-mail ID", "To", "Profile", "Template", "Subject", "State", "Reason", "Detail", "Asked for", "Ended"),
    ],
    page=_message_page,
    count=lambda context: counted(_messages(context)),
    check=no_parameters,
    words=everything,
)
