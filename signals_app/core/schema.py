"""Operations of migrations that Django's own would do with more locks than needed."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations import AlterField, RunSQL
from django.db.migrations.operations.base import Operation
from django.db.models import Index


class DropForeignKeyIndex(AlterField):
    """
    Set `db_index=False` on a foreign key by dropping its index, and nothing else.

    Django's own operation drops and checks the constraint anew, which locks a large table for as long as it takes to
    read it, and on SQLite copies the whole table.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            column = model._meta.get_field(self.name).column
            for name in schema_editor._constraint_names(model, [column], index=True, type_=Index.suffix):
                schema_editor.execute(schema_editor._delete_index_sql(model, name))

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.execute(schema_editor._create_index_sql(model, fields=[model._meta.get_field(self.name)]))


class OnPostgreSQL(RunSQL):
    """
    Run statements on PostgreSQL only; the models know nothing of them.

    For indexes that the models cannot describe for both databases: with an operator class over an expression, or
    with NULLS LAST, which SQLite's indexes do not know (and, for DESC, do not need).
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class ForbidChanges(Operation):
    """
    Have the database itself refuse to change rows of a table that is only added to; they may be deleted.

    On SQLite, Django makes a table anew for some changes of its columns, and the trigger does not come along: such a
    migration has to repeat this operation. A test looks whether the trigger is there.
    """

    reversible = True

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change nothing that the models know of."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        table, name = model._meta.db_table, self._trigger(app_label)
        self._drop(schema_editor, table, name)
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION '{table} is only added to'; END $$"
            )
            schema_editor.execute(
                f'CREATE TRIGGER {name} BEFORE UPDATE ON "{table}" FOR EACH ROW EXECUTE FUNCTION {name}()'
            )
        else:
            schema_editor.execute(
                f'CREATE TRIGGER {name} BEFORE UPDATE ON "{table}" '
                f"BEGIN SELECT RAISE(ABORT, '{table} is only added to'); END"
            )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            self._drop(schema_editor, model._meta.db_table, self._trigger(app_label))

    def describe(self) -> str:
        return f"Forbid changes of rows of {self.model_name}"

    def _trigger(self, app_label: str) -> str:
        return f"{app_label}_{self.model_name}_only_added_to"

    def _drop(self, schema_editor: Any, table: str, name: str) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f'DROP TRIGGER IF EXISTS {name} ON "{table}"')
            schema_editor.execute(f"DROP FUNCTION IF EXISTS {name}()")
        else:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
