"""`lemmata experiment simple-spread`: the ablations of zhang2025 Appendix D.1, run again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from verify.commands.common import (
    INTERRUPTED,
    UNWRITABLE,
    Jobs,
    Json,
    ProfileName,
    Quiet,
    Seed,
    console,
    document,
    emit,
    one_of,
    progress,
    require_folder,
    require_whole,
    say,
    workers,
)

if TYPE_CHECKING:
    import xarray as xr

ALL = "all"
"""Every figure."""

ALIASES = {"10": "2"}
"""Figure 10 is Figure 2 with more words."""

ACTORS = ("network", "cell-network", "softmax")
"""Policy classes as the option spells them."""

RUNS_FOLDER = "runs"
"""Where finished runs are kept inside ``--out``, a folder per line."""


def simple_spread_command(
    figure: Annotated[list[str] | None, typer.Option(help="5, 6, 7, 8, 9, 2 (or 10); repeat for more; all.")] = None,
    runs: Annotated[int | None, typer.Option(help="Repetitions per line; by profile 10 or 100.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Outer iterations; 20000 as printed.")] = None,
    actor: Annotated[
        str, typer.Option(help="network (of the state, as printed), cell-network, or softmax (a logit per cell, move).")
    ] = "network",
    rewards: Annotated[str, typer.Option(help="shared (as printed) or local; figure 5 shows both.")] = "shared",
    profile: ProfileName = "quick",
    out: Annotated[Path | None, typer.Option(help="Folder for runs and figures; the same command resumes.")] = None,
    jobs: Jobs = 0,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """The ablations of zhang2025 Appendix D.1 on Simple Spread, printed and repaired.

    The best policy is exact for two, three and four agents, and so are the rewards of runs but for networks that see
    the state of more than two agents. Finished runs are kept in the folder: the same command goes on where it stopped.

    Example: lemmata experiment simple-spread --figure all --out out/spread
    """
    from verify.experiments.simple_spread.lines import FIGURES, lines_of
    from verify.experiments.simple_spread.runs import BUDGETS, distinct, run_lines
    from verify.experiments.simple_spread.summary import spread_json

    for name in figure or ():
        one_of("figure", name, (*FIGURES, *ALIASES, ALL))
    asked = FIGURES if not figure or ALL in figure else figure
    chosen = list(dict.fromkeys(ALIASES.get(name, name) for name in asked))
    one_of("profile", profile, BUDGETS)
    one_of("actor", actor, ACTORS)
    one_of("rewards", rewards, ("shared", "local"))
    require_whole("seed", seed, 0)
    n_jobs = workers(jobs)
    changes = {k: v for k, v in (("runs", runs), ("horizon", horizon)) if v is not None}
    if horizon is not None:
        changes["checkpoints"] = max(1, min(BUDGETS[profile].checkpoints, horizon))
    try:
        budget = replace(BUDGETS[profile], **changes)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    require_folder(out)
    lines = {name: lines_of(name, actor.replace("-", " "), rewards) for name in chosen}  # type: ignore[arg-type]
    every = [line for name in chosen for line in lines[name]]
    text = TextColumn("{task.description}")
    bars = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    found = []
    with progress(quiet or as_json, *bars) as bar, _errors_of_the_user():
        task = bar.add_task("Simple Spread", total=budget.runs * len(distinct(every)))
        data = run_lines(
            every, budget, seed=seed, jobs=n_jobs, out=None if out is None else out / RUNS_FOLDER,
            on_run=lambda: bar.advance(task),
        )  # fmt: skip
        first = 0
        for name in chosen:
            part = data.isel(line=slice(first, first + len(lines[name])))
            first += len(lines[name])
            summary = spread_json(part, name, **vars(budget), actor=actor, rewards=rewards, seed=seed)
            found.append(summary if out is None else summary | _write(part, name, summary, out))
    if as_json:
        emit("experiment-simple-spread", {"figures": found})
    elif not quiet:
        for summary in found:
            _print(summary, budget.runs)
        say("What the paper's text leaves open:")
        for line in found[0]["open"]:
            say(f"- {line}")
        if out is not None:
            say(f"figures, curves and summaries: {out / 'spread-*'}.svg, .csv, .json; runs: {out / RUNS_FOLDER}")


def _write(data: xr.Dataset, name: str, summary: dict[str, Any], out: Path) -> dict[str, str]:
    """Figure, curves and summary of one figure as files; returns its caption and text alternative."""
    from verify.experiments.simple_spread.figure import spread_figure

    picture = spread_figure(data, name)
    words = {"caption": picture.caption, "alt": picture.alt}
    whole = document("experiment-simple-spread-figure", summary | words)
    contents = {"svg": picture.svg, "csv": picture.csv, "json": json.dumps(whole, indent=1) + "\n"}
    for ending, content in contents.items():
        (out / f"spread-{name}.{ending}").write_text(content, encoding="utf-8")
    return words


@contextmanager
def _errors_of_the_user() -> Iterator[None]:
    """Ctrl-C, the disk, or runs of other settings in the folder, as messages and exit codes."""
    try:
        yield
    except KeyboardInterrupt as stop:
        say(f"\n{stop}" if str(stop) else "\ninterrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        say(f"error: {error.strerror or error}", err=True)
        raise typer.Exit(UNWRITABLE) from None
    except ValueError as error:
        raise typer.BadParameter("\n".join([str(error), *getattr(error, "__notes__", [])])) from None


def _print(summary: dict[str, Any], runs: int) -> None:
    table = Table(title=f"Figure {summary['figure']}: {summary['varies']}; {runs} runs, 95 % intervals")
    for column in ("line", "reward per step at the end", "gain over the start", "regret", "best", "no step", "failed"):
        table.add_column(column, overflow="fold")
    for row in summary["results"]:
        table.add_row(
            row["line"], _interval(row, "reward") + ("" if row["exact"] else " earned"), _interval(row, "gain"),
            _interval(row, "regret"), f"{row['best']:.3f}", f"{row['without_step']:.1%}", str(row["failed"]),
        )  # fmt: skip
    console().print(table)


def _interval(row: dict[str, Any], name: str) -> str:
    values = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
    return "-" if None in values or any(map(isnan, values)) else f"{values[0]:.3f} ({values[1]:.3f} to {values[2]:.3f})"
