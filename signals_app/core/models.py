"""The abstract bases of every room's models; the kernel has no tables of its own."""

from __future__ import annotations

import uuid

import uuid_utils.compat
from django.db import models

from signals_app.core.clock import Now

# Note [No second index]
# Django gives each foreign key an index of its own. Where a longer one begins with the same column, as here, it answers
# nothing that the longer one does not, and each row written would pay for both.


def new_id() -> uuid.UUID:
    """Return a UUIDv7: unguessable enough to show outside, and in the order of creation."""
    return uuid_utils.compat.uuid7()


class PublicIdModel(models.Model):
    """A model whose id is shown outside: in the API, in links, in exports."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        abstract = True


class TimestampedModel(models.Model):
    """A model whose rows people or programs change."""

    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class ClaimedModel(models.Model):
    """
    A row that is work to do, claimed by one worker at a time.

    The claim commits before the work starts and writes `attempts`, `lease_token` and `lease_until`;
    finishing checks the token, so that a worker that lost its lease cannot finish another's work.
    """

    attempts = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True
