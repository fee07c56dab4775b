from __future__ import annotations

from django.core.files.storage import FileSystemStorage, Storage
from django.db import models

from signals_app.core.clock import Now
from signals_app.core.models import ClaimedModel, PublicIdModel
from signals_app.projects.models import Project
from signals_app.transfers.constants import ExportState, ImportState


def private_files() -> Storage:
    """Return where the files are: below the data folder, readable by this program alone, at no address."""
    return FileSystemStorage(file_permissions_mode=0o600, directory_permissions_mode=0o700)


class ImportRun(PublicIdModel, ClaimedModel):
    """
    A file and what became of its rows: `uploaded -> queued -> running -> done | failed | cancelled`.

    A check goes the same way, writes nothing and ends as `checked`. The row is the whole state: the place that has been
    read to moves in the transaction that stores a slice, so a worker that is killed loses and repeats nothing.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="import_runs", db_index=False)
    kind = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=ImportState.choices, default=ImportState.UPLOADED)
    is_check = models.BooleanField(default=False)
    """What runs, or ran last, only looked and wrote nothing."""
    upload = models.FileField("file", upload_to="imports/", storage=private_files, max_length=200, blank=True)
    """Empty once the file has been deleted."""
    file_name = models.CharField(max_length=150, blank=True)
    """As the person's computer calls it; the file itself is stored under another name."""
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    encoding = models.CharField(max_length=20, default="utf-8")
    delimiter = models.CharField(max_length=1, default=",")
    start = models.PositiveIntegerField(default=0)
    """The byte at which the heading begins."""
    columns = models.JSONField(default=list)
    """What each column of the file means: ["email", "", "attribute:shoe_size"]; empty: left out."""
    options = models.JSONField(default=dict)
    """Answers that hold for all rows: {"source": "newsletter form", ...}."""
    position = models.PositiveBigIntegerField(default=0)
    """The byte that has been read to; 0: not begun."""
    row_number = models.PositiveIntegerField(default=0)
    """The row that has been read to, as a spreadsheet counts."""
    rows_read = models.PositiveIntegerField(default=0)
    created_count = models.PositiveIntegerField(default=0)
    updated_count = models.PositiveIntegerField(default=0)
    unchanged_count = models.PositiveIntegerField(default=0)
    failed_count = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)
    """Why it failed as a whole."""
    requested_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "import"
        constraints = (
            models.CheckConstraint(condition=models.Q(state__in=ImportState.values), name="import_run_state_known"),
        )
        indexes = (
            models.Index(fields=("project", "-created_at"), name="import_run_by_created"),
            models.Index(
                fields=("created_at",), name="import_run_moving", condition=models.Q(state__in=["QUEUED", "RUNNING"])
            ),
            models.Index(fields=("created_at",), name="import_run_with_file", condition=~models.Q(upload="")),
        )

    def __str__(self) -> str:
        return self.file_name or f"Import of {self.kind}"


class ImportProblem(models.Model):
    """Why one row of a file could not be used; what stood in the row stays in the file alone."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="problems", db_index=False)
    row_number = models.PositiveIntegerField()
    column = models.CharField(max_length=100, blank=True)
    message = models.CharField(max_length=300)

    class Meta:
        indexes = (models.Index(fields=("run", "row_number"), name="import_problem_by_row"),)

    def __str__(self) -> str:
        return f"Row {self.row_number}: {self.message}"


class ExportFile(PublicIdModel, ClaimedModel):
    """A list on its way into a file, or ready to be downloaded until it expires: `queued -> running -> done | failed`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="export_files", db_index=False)
    kind = models.CharField(max_length=40)
    parameters = models.JSONField(default=dict)
    """What the list is of, without personal data: {"segment": "<id>"}."""
    state = models.CharField(max_length=10, choices=ExportState.choices, default=ExportState.QUEUED)
    neutralises_formulas = models.BooleanField(default=True)
    upload = models.FileField("file", upload_to="exports/", storage=private_files, max_length=200, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    """Bytes that are written for certain; what stands behind them in the file is written again."""
    after = models.JSONField(null=True, blank=True)
    """Where the next page begins."""
    rows = models.PositiveIntegerField(default=0)
    expected = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)
    requested_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = "export"
        constraints = (
            models.CheckConstraint(condition=models.Q(state__in=ExportState.values), name="export_file_state_known"),
        )
        indexes = (
            models.Index(fields=("project", "-created_at"), name="export_file_by_created"),
            models.Index(
                fields=("created_at",), name="export_file_moving", condition=models.Q(state__in=["QUEUED", "RUNNING"])
            ),
            models.Index(fields=("expires_at",), name="export_file_by_expiry"),
        )

    def __str__(self) -> str:
        return f"Export of {self.kind}"
