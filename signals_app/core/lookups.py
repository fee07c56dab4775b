from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, Lookup


class Is(Lookup):  # type: ignore[type-arg]
    """
    `field__is=False`: as `exact`, for a yes or no that may also be null.

    Of `NOT field`, which `exact` makes, PostgreSQL takes all rows that are null for false, and plans for hundreds of
    times too many; of `IS FALSE` it knows how many there are.
    """

    lookup_name = "is"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} IS {'TRUE' if self.rhs else 'FALSE'}", parameters


def register_lookups() -> None:
    BooleanField.register_lookup(Is)
