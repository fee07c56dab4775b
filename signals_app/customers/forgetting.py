"""Taking a person, when they are erased, out of texts that members of the team wrote: names, descriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

from signals_app.audit.models import AuditEntry
from signals_app.customers.facets import Step, Subject
from signals_app.customers.mentions import Mentions


def rewriting(rows: Callable[[Subject], QuerySet[Any]], *fields: str) -> Callable[[Subject, str, int], Step]:
    """Return the `erase` of a part that takes the person out of these fields of the rows that a queryset finds."""

    def erase(subject: Subject, place: str, limit: int) -> Step:
        wanted, count = Mentions(subject.known_ids), 0
        found = rows(subject).select_for_update(of=("self",), no_key=True).order_by("pk")
        chosen = list((found.filter(pk__gt=place) if place else found)[:limit])
        for row in chosen:
            if changed := take_out_of_fields(row, wanted, fields):
                said = {name: getattr(row, name) for name in changed}
                count += row._meta.model._default_manager.filter(pk=row.pk).update(**said)
        return Step(count, str(chosen[-1].pk) if len(chosen) == limit else None)

    return erase


def take_out_of_log(subject: Subject, place: str, limit: int) -> Step:
    """Take the person out of the names that the audit log, and the histories of pages beside it, call rows by."""
    wanted, count = Mentions(subject.known_ids), 0
    named = AuditEntry.objects.filter(project=subject.customer.project).exclude(object_name="").order_by("pk")
    chosen = list((named.filter(pk__gt=place) if place else named)[:limit])
    for entry in chosen:
        if not take_out_of_fields(entry, wanted, ("object_name",)):
            continue
        count += AuditEntry.objects.filter(pk=entry.pk).update(object_name=entry.object_name)
        app, _, model = entry.model.partition(".")
        about = {"content_type__app_label": app, "content_type__model": model, "object_id": entry.object_id}
        for line in LogEntry.objects.filter(**about):
            if changed := take_out_of_fields(line, wanted, ("object_repr", "change_message")):
                line.save(update_fields=changed)
    return Step(count, str(chosen[-1].pk) if len(chosen) == limit else None)


def take_out_of_fields(row: Model, wanted: Mentions, fields: tuple[str, ...]) -> list[str]:
    """
    Take the person out of some fields of a row, without saving it, and return which of them named the person.

    What has to be unique and is not any more gets a number.
    """
    changed = []
    for name in fields:
        text = wanted.taken_out_of(getattr(row, name))
        if text != getattr(row, name):
            _put(row, name, text)
            changed.append(name)
    return changed


def _put(row: Model, name: str, text: str) -> None:
    longest, number = getattr(row._meta.get_field(name), "max_length", None), 1
    while True:
        suffix = f" {number}" if number > 1 else ""
        setattr(row, name, text[: longest and longest - len(suffix)] + suffix)
        try:
            row.validate_constraints()
        except ValidationError:
            number += 1
        else:
            return
