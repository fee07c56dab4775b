"""What other rooms may ask: an export of a list, and that files with personal data go."""

from signals_app.transfers.services.carrying_out import Progress, continue_import
from signals_app.transfers.services.exporting import continue_export, open_export, request_export
from signals_app.transfers.services.files import delete_personal_files
from signals_app.transfers.services.imports import (
    Preview,
    cancel,
    choose_columns,
    failed_rows,
    preview,
    receive_file,
    start,
)

__all__ = [
    "Preview",
    "Progress",
    "cancel",
    "choose_columns",
    "continue_export",
    "continue_import",
    "delete_personal_files",
    "failed_rows",
    "open_export",
    "preview",
    "receive_file",
    "request_export",
    "start",
]
