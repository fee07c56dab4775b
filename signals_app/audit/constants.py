from django.db.models import TextChoices


class AuditAction(TextChoices):
    """What somebody did; the first ones are `core.deeds.DeedKind`."""

    SAW = "SAW", "Saw"
    LISTED = "LISTED", "Looked through"
    ADDED = "ADDED", "Added"
    CHANGED = "CHANGED", "Changed"
    DELETED = "DELETED", "Deleted"
    EXPORTED = "EXPORTED", "Exported"
    ERASED = "ERASED", "Erased"
    MERGED = "MERGED", "Merged"
    DID = "DID", "Pressed"
    SIGNED_IN = "SIGNED_IN", "Signed in"
    WROTE = "WROTE", "Wrote"


COMMAND = "command"
"""The actor of what was done on the server's command line."""
KEY_PREFIX = "key "
"""Begins the actor of what a program did; its key's public prefix follows."""
