from django.db.models import TextChoices


class ImportState(TextChoices):
    UPLOADED = "UPLOADED", "Waits for you"
    QUEUED = "QUEUED", "Queued"
    RUNNING = "RUNNING", "Running"
    CHECKED = "CHECKED", "Checked"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed"
    CANCELLED = "CANCELLED", "Cancelled"


class ExportState(TextChoices):
    QUEUED = "QUEUED", "Queued"
    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Ready"
    FAILED = "FAILED", "Failed"


EDITABLE_STATES = (ImportState.UPLOADED, ImportState.CHECKED)
"""The columns may be chosen, and the import checked or started."""
MOVING_STATES = (ImportState.QUEUED, ImportState.RUNNING)

MAX_PROBLEMS_KEPT = 10_000
"""Of more rows that could not be used it is only counted how many there are."""
MAX_COLUMNS = 200
MAX_CELL = 5_000
"""Characters of a cell that anything is made of; a room may want less."""
MAX_TRIES = 5
