"""What people said about being mailed, and the history of it."""

from __future__ import annotations

from typing import Any

from django.db import models

from signals_app.core.clock import Now
from signals_app.customers.constants import Channel, Topic
from signals_app.customers.exceptions import AppendOnly
from signals_app.customers.models.people import Identifier


class Consent(models.Model):
    """What an identifier's person last said about one purpose of one channel."""

    identifier = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=20, choices=Channel.choices, default=Channel.EMAIL)
    topic = models.CharField(max_length=20, choices=Topic.choices, default=Topic.MARKETING)
    is_granted = models.BooleanField()
    source = models.CharField(max_length=100)
    wording = models.TextField(blank=True)
    occurred_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("identifier", "channel", "topic"), name="consent_once_per_purpose"),
            models.CheckConstraint(condition=models.Q(channel__in=Channel.values), name="consent_channel_known"),
            models.CheckConstraint(condition=models.Q(topic__in=Topic.values), name="consent_topic_known"),
        )
        indexes = (
            # Few refuse: who did is found without reading what everybody else said.
            models.Index(fields=("channel", "topic"), name="consent_denied", condition=models.Q(is_granted=False)),
        )

    def __str__(self) -> str:
        return f"{self.get_topic_display()}: {'granted' if self.is_granted else 'denied'}"


class ConsentHistory(models.QuerySet["ConsentChange"]):
    """Rows that are added and read; whoever erases a person says so."""

    def update(self, **changes: Any) -> int:
        raise AppendOnly("The history of consents is only added to.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnly("The history of consents is deleted only with its person: call erase().")

    def erase(self) -> tuple[int, dict[str, int]]:
        """Delete the history of somebody who is erased."""
        return super().delete()


class ConsentChange(models.Model):
    """
    The history behind `Consent`: one row per thing said, never changed.

    The database itself refuses to change a row (a trigger, see the migrations); a row goes only with its person.
    """

    identifier = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="consent_changes")
    channel = models.CharField(max_length=20, choices=Channel.choices, default=Channel.EMAIL)
    topic = models.CharField(max_length=20, choices=Topic.choices, default=Topic.MARKETING)
    is_granted = models.BooleanField()
    source = models.CharField(max_length=100)
    wording = models.TextField(blank=True)
    evidence = models.CharField(max_length=200, blank=True, default="", db_default="")
    """What proves it beyond the wording: the import and the SHA-256 of the file it came in."""
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    objects = ConsentHistory.as_manager()

    class Meta:
        indexes = (models.Index(fields=("identifier", "-recorded_at"), name="consent_change_by_identifier"),)

    def __str__(self) -> str:
        return f"{self.get_topic_display()}: {'granted' if self.is_granted else 'denied'}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly("The history of consents is only added to.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnly("The history of consents is deleted only with its person.")
