"""Uploading a list, saying what its columns mean, and asking for a list."""

from __future__ import annotations

from typing import Any

from django import forms

from signals_app.core.admin import FileInput, RadioSelect, Select, Switch, Textarea, TextInput
from signals_app.core.forms import ModelForm
from signals_app.transfers import kinds
from signals_app.transfers.kinds import OTHER_PREFIX, ImportKind, Option
from signals_app.transfers.models import ExportFile, ImportRun
from signals_app.transfers.services import Preview
from signals_app.transfers.services.imports import shown_value


class UploadForm(ModelForm[ImportRun]):
    kind = forms.ChoiceField(label="What is in the file", widget=RadioSelect())
    upload = forms.FileField(
        label="File",
        widget=FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
        allow_empty_file=True,
        help_text="CSV, as spreadsheets and shops save it: with commas, semicolons or tabs, the columns named in the "
        "first line.",
    )

    class Meta:
        model = ImportRun
        fields = ("kind",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(kind.name, kind.label) for kind in kinds.import_kinds()]  # type: ignore[attr-defined]


class ColumnsForm(forms.Form):
    """What each column means, and the answers that hold for all rows."""

    def __init__(self, data: Any = None, *, kind: ImportKind, shown: Preview, columns: list[str], options: Any) -> None:
        super().__init__(data)
        self.kind, self.count = kind, len(shown.names)
        for place, name in enumerate(shown.names):
            self.fields[f"column_{place}"] = forms.ChoiceField(
                label=name or f"Column {place + 1}",
                required=False,
                choices=self._meanings(name),
                initial=columns[place] if place < len(columns) else "",
                widget=Select(),
                help_text=self._samples(shown, place),
            )
        for option in kind.options:
            self.fields[f"option_{option.name}"] = _option_field(option, options.get(option.name, option.default))

    def _meanings(self, name: str) -> list[tuple[str, str]]:
        known = [(column.name, column.label) for column in self.kind.columns]
        others = [(f"{OTHER_PREFIX}{name}", f"Keep as “{name}”")] if self.kind.takes_other_columns and name else []
        return [("", "(leave out)"), *known, *others]

    @staticmethod
    def _samples(shown: Preview, place: int) -> str:
        samples = [shown_value(row[place]) for row in shown.rows if place < len(row) and row[place].strip()][:3]
        return f"Such as: {' · '.join(samples)}" if samples else "Empty in the first rows."

    def columns(self) -> list[str]:
        return [self.cleaned_data.get(f"column_{place}", "") for place in range(self.count)]

    def options(self) -> dict[str, str]:
        return {option.name: self.cleaned_data.get(f"option_{option.name}", "") for option in self.kind.options}

    def note(self, errors: dict[str, str]) -> None:
        """Show what the services refused beside the field that it is about."""
        for name, message in errors.items():
            field = f"option_{name}"
            self.add_error(field if field in self.fields else None, message)

    def column_fields(self) -> list[Any]:
        return [self[f"column_{place}"] for place in range(self.count)]

    def option_fields(self) -> list[Any]:
        return [self[f"option_{option.name}"] for option in self.kind.options]


def _option_field(option: Option, value: str) -> forms.Field:
    shared: dict[str, Any] = {"label": option.label, "required": False, "initial": value, "help_text": option.help}
    if option.type == "choice":
        return forms.ChoiceField(choices=option.choices, widget=Select(), **shared)
    widget = Textarea(attrs={"rows": 3}) if option.type == "lines" else TextInput()
    return forms.CharField(max_length=option.max_length, widget=widget, **shared)


class ExportForm(ModelForm[ExportFile]):
    kind = forms.ChoiceField(label="List", widget=RadioSelect())
    neutralises_formulas = forms.BooleanField(
        label="Keep spreadsheets from running formulas",
        required=False,
        initial=True,
        widget=Switch(),
        help_text="Puts an apostrophe in front of texts that begin with = + - or @, since shoppers can write such texts. "
        "Switch it off only for a program that reads the file.",
    )

    class Meta:
        model = ExportFile
        fields = ("kind", "neutralises_formulas")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [kind for kind in kinds.export_kinds() if kind.is_offered]
        self.fields["kind"].choices = [(kind.name, kind.label) for kind in offered]  # type: ignore[attr-defined]
