"""Imports and exports in the admin."""

from signals_app.transfers.admin.exports import ExportFileAdmin
from signals_app.transfers.admin.imports import ImportRunAdmin

__all__ = ["ExportFileAdmin", "ImportRunAdmin"]
