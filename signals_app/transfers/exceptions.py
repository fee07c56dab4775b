"""What a file, or the wishes about it, can have wrong."""

from signals_app.core.exceptions import PermanentError


class FileRefused(PermanentError):
    """A file that cannot be imported at all; the text says what to do."""


class ColumnsRefused(PermanentError):
    """Columns or answers with which an import cannot begin; `errors` are sentences by field, "" for all of it."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {error}" if name else error for name, error in errors.items()))
        self.errors = errors


class RowRefused(PermanentError):
    """A row that cannot be used: in which column, and why, without repeating a person's data."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(f"{column}: {message}" if column else message)
        self.column = column
        self.message = message


class ParametersRefused(PermanentError):
    """An export of something that is not there."""


class UnknownKind(PermanentError):
    """A kind of import or export that no room has registered."""
