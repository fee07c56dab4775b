"""Operations of migrations that Django's own would do with more locks than needed."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations import AlterField, RunSQL
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
