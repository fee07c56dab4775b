"""What a run found, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.figures import Spread, with_spread


@dataclass(frozen=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def as_markdown(self) -> str:
        """Return the table with its columns aligned, so that it can be read as plain text too."""
        cells = [[str(cell).replace("|", "\\|") for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(self.columns))]
        lines = [_line(row, widths) for row in cells]
        lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
        return "\n".join([*lines, *(["", self.note] if self.note else [])])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"


@dataclass(frozen=True)
class Chart:
    """Bars with their spread; `name` is the file's."""

    name: str
    title: str
    unit: str
    bars: Sequence[tuple[str, Spread]]


@dataclass(frozen=True)
class Goal:
    """What is aimed at and what was measured; `reached` is None where this run cannot tell."""

    what: str
    aim: str
    measured: str
    reached: bool | None

    @classmethod
    def at_least(cls, what: str, found: Spread | None, least: float, unit: str = "") -> Goal:
        """Return the goal that the median of what was found is `least` or more."""
        reached = None if found is None else found.median >= least
        return cls(what, f"at least {least:,g}{unit}", with_spread(found, unit), reached)

    @classmethod
    def at_most(cls, what: str, found: Spread | None, most: float, unit: str = "") -> Goal:
        """Return the goal that the median of what was found is `most` or less."""
        reached = None if found is None else found.median <= most
        return cls(what, f"at most {most:,g}{unit}", with_spread(found, unit), reached)

    @property
    def verdict(self) -> str:
        return {True: "reached", False: "not reached", None: "–"}[self.reached]


@dataclass
class Section:
    title: str
    tables: list[Table] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    def as_markdown(self, *, with_charts: bool) -> str:
        parts = [f"## {self.title}", *(table.as_markdown() for table in self.tables)]
        if with_charts:
            parts += [f"![{chart.title}]({chart.name}.svg)" for chart in self.charts]
        return "\n\n".join(parts)


def goals_table(sections: Sequence[Section]) -> Table:
    goals = [goal for section in sections for goal in section.goals]
    return Table(
        ("What", "Aimed at", "Measured", ""), [(goal.what, goal.aim, goal.measured, goal.verdict) for goal in goals]
    )


def report(sections: Sequence[Section], *, conditions: Sequence[tuple[str, str]], with_charts: bool) -> str:
    """Return the whole result: under which conditions, the goals, every section."""
    parts = ["# Results", Table(("Measured on", ""), conditions).as_markdown()]
    if any(section.goals for section in sections):
        parts += ["## Goals", goals_table(sections).as_markdown()]
    parts += [section.as_markdown(with_charts=with_charts) for section in sections]
    return "\n\n".join(parts) + "\n"
