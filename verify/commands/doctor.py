"""`lemmata doctor`: what this installation consists of, and what in it could go wrong."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from verify.commands.common import CHANGED, Json, console, emit, say

if TYPE_CHECKING:
    from verify.doctor import Finding

DOCTOR_EXIT_CODES = "Exit codes: 0 healthy; 1 something needed is missing, too old, broken or not writable."


def doctor_command(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print problems only, a line for each.")] = False,
    as_json: Json = False,
) -> None:
    """Say what this installation consists of: versions, optional packages, papers, threads, compiler, caches, disk.

    Example: lemmata doctor --json

    \f
    Args:
        quiet: whether to print problems only.
        as_json: whether to print JSON and nothing else.
    """  # noqa: D301  the form feed ends what --help shows
    from verify import doctor

    found = doctor.examine()
    problems = [f for f in found if f.level is doctor.Level.PROBLEM]
    if as_json:
        rows = [asdict(f) | {"level": f.level.name.lower()} for f in found]
        emit("doctor", {"healthy": not problems, "findings": rows})
    elif quiet:
        for f in problems:
            say(f"{f.section} {f.name}: {f.value}" + (f"; {f.advice}" if f.advice else ""))
    else:
        _print(found)
    raise typer.Exit(CHANGED if problems else 0)


def _print(found: list[Finding]) -> None:
    from rich.table import Table

    from verify.doctor import Level

    table = Table(title="lemmata doctor")
    for column in ("about", "what", "found", "to do"):
        table.add_column(column, overflow="fold")
    styles = {Level.FINE: "default", Level.NOTE: "yellow", Level.PROBLEM: "red"}
    marks = {Level.FINE: "", Level.NOTE: "note: ", Level.PROBLEM: "problem: "}  # colour is never the only cue
    previous = ""
    for f in found:
        cells = ("" if f.section == previous else f.section, f.name, marks[f.level] + f.value, f.advice)
        table.add_row(*(cell.replace("[", "\\[") for cell in cells), style=styles[f.level])
        previous = f.section
    console().print(table)
    counts = {level: sum(f.level is level for f in found) for level in (Level.PROBLEM, Level.NOTE)}
    say(f"{counts[Level.PROBLEM]} problems, {counts[Level.NOTE]} notes")
