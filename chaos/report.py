"""The outcome on paper: invariants against faults, totals, what was measured, what did not hold."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from chaos.faults import title_of
from chaos.invariants import NAMES, Findings
from chaos.ledger import CALM

EVIDENCE_SHOWN = 12
PROMISES = {
    "I1": "every acknowledged signal is stored once and came to an end",
    "I2": "at most one mail per send key was taken by the mail service",
    "I3": "no mail began later than 1 s after consent was withdrawn",
    "I4": "frequency limits and control groups hold",
    "I5": "nothing is left lying, and unconfirmed mails have a cause",
    "I6": "a signed signal is answered 200 or 503, never anything else",
    "I7": "matches, mails, facts and profiles add up; nothing is folded twice",
}


def table(findings: Findings) -> str:
    """Return a Markdown table: how often each invariant was checked during each fault, and how often it did not hold."""
    ledger = findings.ledger
    broken = {
        (name, fault): sum(v.invariant == name and ledger.fault_at(v.at) == fault for v in ledger.violations)
        for name in NAMES
        for fault in _rows(findings)
    }
    lines = [f"| fault | {' | '.join(NAMES)} |", f"| --- |{' ---: |' * len(NAMES)}"]
    for fault in _rows(findings):
        cells = [
            f"**{broken[name, fault]} broken** of {findings.checked[name, fault]}"
            if broken[name, fault]
            else f"{findings.checked[name, fault] or '-'}"
            for name in NAMES
        ]
        title = "before the first fault, and the whole run" if fault == CALM else f"{fault} {title_of(fault)}"
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def evidence(findings: Findings) -> list[str]:
    """Return what did not hold, one line each; of very many for one invariant, the first."""
    ledger, lines = findings.ledger, []
    for name in NAMES:
        broken = [one for one in ledger.violations if one.invariant == name]
        lines += [f"{name} during {ledger.fault_at(one.at)}: {one.evidence}" for one in broken[:EVIDENCE_SHOWN]]
        if len(broken) > EVIDENCE_SHOWN:
            lines.append(f"{name}: and {len(broken) - EVIDENCE_SHOWN} more")
    return lines


def notes(findings: Findings) -> Iterator[str]:
    for fault in _rows(findings):
        for text in findings.ledger.notes.get(fault, []):
            yield f"{fault}: {text}"


def write_record(path: Path, findings: Findings, *, run: str, versions: str) -> None:
    """Write the page of a run into the documentation; `run` says which it was, in words."""
    promises = "\n".join(f"* **{name}**: {PROMISES[name]}." for name in NAMES)
    totals = "\n".join(f"| {name} | {count:,} |" for name, count in findings.totals.items())
    measured = "\n".join(f"* {line}" for line in notes(findings))
    broken = "\n".join(f"* {line}" for line in evidence(findings)) or "Every invariant held."
    now, machine = datetime.now(UTC), f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}"
    path.write_text(
        f"""# Breaking it on purpose

`make chaos` runs the program as on a server (two web servers, two workers, beat, PostgreSQL, Redis, a mail service),
breaks one part after the other while signals come in, and then checks from the rows and from what the mail service
took whether every promise was kept. This page is written by `python -m chaos --record`.

Recorded {now:%d %B %Y}: {run}, {machine}, {versions}.

{promises}

How often each was checked while each fault was at work, and in the time until the next:

{table(findings)}

{broken}

## Totals

| what | how many |
| --- | ---: |
{totals}

## Measured beside it

{measured}
"""
    )


def _rows(findings: Findings) -> list[str]:
    order = {CALM: 0} | {
        period.fault: int(period.fault[1:]) for period in findings.ledger.periods if period.fault != CALM
    }
    return sorted(order, key=lambda fault: order[fault])
