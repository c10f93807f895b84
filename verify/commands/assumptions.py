"""`lemmata assumptions`: which policy class meets which assumption of the papers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from verify.commands import names
from verify.commands.common import Bare, Json, console, emit, progress, say
from verify.suggest import did_you_mean

if TYPE_CHECKING:
    from verify.assumptions import AssumptionRow


def assumptions_command(
    instance: Annotated[
        str,
        typer.Option(
            help="A bundled instance; `lemmata mdp instances` lists them.",
            autocompletion=names.complete(names.INSTANCES),
        ),
    ] = "ring3",
    all_: Annotated[bool, typer.Option("--all", help="Every bundled instance, side by side.")] = False,
    quiet: Bare = False,
    as_json: Json = False,
) -> None:
    """Show which policy class meets which assumption of the papers, with constants, or what contradicts it.

    With --quiet, a line "instance TAB class TAB assumption TAB met" for each.

    Example: lemmata assumptions --instance periodic-trap

    Example: lemmata assumptions --all --json
    """
    from mdp.instances import INSTANCES
    from verify.assumptions import assumption_matrix
    from verify.assumptions.display import matrix_tables, problem_table

    if instance not in INSTANCES:
        there = f"there are {', '.join(INSTANCES)}{did_you_mean(instance, INSTANCES)}"
        raise typer.BadParameter(f"no instance {instance!r}; {there}")
    chosen = list(INSTANCES) if all_ else [instance]
    tables: list[list[AssumptionRow]] = []
    with progress(quiet or as_json) as bar:
        task = bar.add_task("", total=len(chosen))
        for name in chosen:
            bar.update(task, description=name)
            tables.extend(assumption_matrix([name], draws=3 if all_ else 20))
            bar.advance(task)
    rows = [row for table in tables for row in table]
    if as_json:
        emit("assumptions", {"rows": [asdict(row) for row in rows]})
    elif quiet:
        for row in rows:
            say("\t".join((row.instance, row.policy_class, row.assumption, row.met)))
    else:
        for table in matrix_tables(tables) if all_ else [problem_table(tables[0])]:
            console().print(table)
