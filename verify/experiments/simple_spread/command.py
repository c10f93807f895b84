"""`lemmata experiment simple-spread`: the ablations of zhang2025 Appendix D.1, run again."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

PLAIN_WIDTH = 140
"""Columns of the table when the output is not a terminal."""

ALIASES = {"10": "2"}
"""Figure 10 is Figure 2 with more words."""


def simple_spread_command(
    figure: Annotated[list[str] | None, typer.Option(help="5, 6, 7, 8, 9 or 2 (10); repeat for more; all.")] = None,
    runs: Annotated[int | None, typer.Option(help="Repetitions per line; by profile 10 or 100.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Outer iterations; 20000 as printed.")] = None,
    actor: Annotated[str, typer.Option(help="softmax (a logit per own cell and move) or network (Eq. 5).")] = "softmax",
    profile: Annotated[str, typer.Option(help="quick (minutes) or full (100 repetitions).")] = "quick",
    out: Annotated[Path | None, typer.Option(help="Write figures, curves and summaries into this folder.")] = None,
    jobs: Annotated[int, typer.Option(help="Worker threads; 0 means one per core.")] = 0,
    seed: Annotated[int, typer.Option(help="Root of all randomness.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summaries as JSON and nothing else.")] = False,
) -> None:
    """The ablations of zhang2025 Appendix D.1 on Simple Spread, printed and repaired.

    Rewards and regrets are exact for two and three agents; the best of four agents has bounds.

    Example: lemmata experiment simple-spread --figure 5 --out spread
    """
    from verify.experiments.simple_spread.figure import spread_figure, spread_json
    from verify.experiments.simple_spread.runs import BUDGETS, FIGURES, lines_of, run_lines

    chosen = list(dict.fromkeys(ALIASES.get(f, f) for f in figure or FIGURES))
    for name in chosen:
        _one_of("figure", name, FIGURES)
    _one_of("profile", profile, tuple(BUDGETS))
    _one_of("actor", actor, ("softmax", "network"))
    if jobs < 0:
        raise typer.BadParameter(f"jobs is {jobs}; it is a number of workers, or 0 for one per core")
    if seed < 0:
        raise typer.BadParameter(f"seed is {seed}; it is not negative")
    changes = {k: v for k, v in (("runs", runs), ("horizon", horizon)) if v is not None}
    if horizon is not None:
        changes["checkpoints"] = max(1, min(BUDGETS[profile].checkpoints, horizon))
    try:
        budget = replace(BUDGETS[profile], **changes)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if out is not None:
        _require_folder(out)
    lines = {name: lines_of(name, actor) for name in chosen}  # type: ignore[arg-type]
    found = []
    text = TextColumn("{task.description}")
    bars = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*bars, console=Console(stderr=True), disable=as_json, transient=True) as progress:
        task = progress.add_task("Simple Spread", total=budget.runs * sum(map(len, lines.values())))
        for name in chosen:
            data = run_lines(
                lines[name], budget, seed=seed, jobs=jobs or _cores(), on_run=lambda: progress.advance(task)
            )
            summary = spread_json(data, name, **vars(budget), actor=actor, seed=seed)
            if out is not None:
                picture = spread_figure(data, name)
                summary |= {"caption": picture.caption, "alt": picture.alt}
                for ending, content in (
                    ("svg", picture.svg), ("csv", picture.csv), ("json", json.dumps(summary, indent=1) + "\n")
                ):  # fmt: skip
                    (out / f"spread-{name}.{ending}").write_text(content, encoding="utf-8")
            found.append(summary)
            if not as_json:
                _print(summary, budget.runs)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    typer.echo("What the paper's text leaves open:")
    for line in found[0]["open"]:
        typer.echo(f"- {line}")
    if out is not None:
        typer.echo(f"figures, curves and summaries: {out / 'spread-*'}.svg, .csv, .json")


def _print(summary: dict[str, Any], runs: int) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=PLAIN_WIDTH)
    table = Table(title=f"Figure {summary['figure']}: {summary['varies']}; {runs} runs, 95 % intervals")
    for column in ("line", "reward per step at the end", "gain over the start", "regret", "best", "no step", "failed"):
        table.add_column(column, overflow="fold")
    for row in summary["results"]:
        best = _range(row["best_low"], row["best_high"])
        table.add_row(
            row["line"], _interval(row, "reward"), _interval(row, "gain"),
            _range(row["regret_low"], row["regret_high"]), best, f"{row['without_step']:.1%}", str(row["failed"]),
        )  # fmt: skip
    console.print(table)


def _interval(row: dict[str, Any], name: str) -> str:
    values = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
    return "-" if None in values else f"{values[0]:.3f} ({values[1]:.3f} to {values[2]:.3f})"


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None or isnan(low) or isnan(high):
        return "-"
    return f"{low:.3f}" if low == high else f"{low:.3f} to {high:.3f}"


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise typer.BadParameter(f"{name} {value!r} is not one of {', '.join(allowed)}")


def _require_folder(out: Path) -> None:
    """Find out before the run, not after it, whether the results can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"cannot write into {out}: {error.strerror}") from None
    if not os.access(out, os.W_OK):
        raise typer.BadParameter(f"cannot write into {out}: permission denied")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
