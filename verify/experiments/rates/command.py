"""`lemmata experiment rates`: CAC's rates beside the exact floor, the fitted floor, and how asymptotic the runs are."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from verify.commands.common import (
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
    from verify.experiments.rates.runs import CaseResult


def rates_command(
    profile: ProfileName = "quick",
    out: Annotated[Path | None, typer.Option(help="Keep (resumable) sweeps, figures, summary here.")] = None,
    jobs: Jobs = 0,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """CAC's rates, realisable and not, single and double sampling.

    Beside each slope stand the exact floor, the floor a fit finds by itself, and how asymptotic the runs are. Quick
    takes a minute, full (T to 1e7) under half an hour.

    Example: lemmata experiment rates --profile full --out out/rates
    """
    from verify.experiments.rates import runs

    one_of("profile", profile, runs.BUDGETS)
    require_whole("seed", seed, 0)
    n_jobs = workers(jobs)
    require_folder(out)
    budget = runs.BUDGETS[profile]
    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found = []
    with progress(quiet or as_json, *bars) as bar:
        task = bar.add_task("runs of CAC", total=len(runs.CASES) * sum(budget.n_seeds.values()))
        for instance, sampling in runs.CASES:
            try:
                case = runs.run_case(
                    instance, sampling, budget, seed=seed, jobs=n_jobs, out=out, on_cell=lambda: bar.advance(task)
                )
            except ValueError as error:  # the folder holds another sweep
                raise typer.BadParameter("\n".join([str(error), *getattr(error, "__notes__", [])])) from None
            found.append(case)
    rows = [case.row() for case in found]
    if out is not None:
        _write(found, rows, out)
    if as_json:
        emit("experiment-rates", {"cases": rows})
    elif not quiet:
        _print(rows)
        if out is not None:
            say(f"sweeps, figures and summary: {out}")


def _write(found: list[CaseResult], rows: list[dict[str, object]], out: Path) -> None:
    from verify.report.figures import rate_figure

    for case in found:
        for name, fit in (("critic", case.critic), ("actor", case.actor)):
            figure = rate_figure(fit)
            stem = f"{case.instance}-{case.sampling}-{name}"
            for path, content in figure.files(stem).items():
                (out / path).write_text(content, encoding="utf-8")
    summary = document("experiment-rates", {"cases": rows})
    (out / "rates.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table(title=f"CAC up to T = {rows[0]['last_horizon']:,}; 95 % intervals")
    for column in ("instance", "sampling", "critic slope", "exact floor", "fitted floor", "actor slope above it", "of"):
        table.add_column(column if column != "of" else "measured / leading", overflow="fold")
    for row in rows:
        table.add_row(
            row["instance"], row["sampling"], f"{_interval(row['critic_slope'])} {row['critic_outcome'].lower()}",
            f"{row['exact_floor']:.4g}", _interval(row["fitted_floor"]),
            f"{_interval(row['actor_slope'])} {row['actor_outcome'].lower()}",
            f"{_interval(row['leading_ratio'])} after {row['time_constants']:.3g} time constants",
        )  # fmt: skip
    console().print(table)
    say("measured / leading: excess over the exact floor by its leading term in T; 1 when a run is asymptotic.")


def _interval(triple: list[float] | None) -> str:
    if triple is None or any(not isfinite(x) for x in triple):
        return "-"
    return f"{triple[0]:.3g} [{triple[1]:.3g}, {triple[2]:.3g}]".replace("[", "\\[")
