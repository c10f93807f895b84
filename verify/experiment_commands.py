"""`lemmata experiment NAME`: the papers' experiments, run again with exact quantities beside them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from verify.experiments.coordination.runs import (
    AGENTS,
    ALGORITHMS,
    BUDGETS,
    ENDED,
    OPEN,
    OUTCOMES,
    READINGS,
    coordination,
)
from verify.experiments.coordination.summary import Summary, as_json, summaries
from verify.experiments.simple_spread.command import simple_spread_command
from verify.experiments.terms.command import proof_command, terms_command

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Run the papers' experiments.")

app.command("simple-spread")(simple_spread_command)
app.command("terms")(terms_command)
app.command("proof")(proof_command)

PLAIN_WIDTH = 140
"""Columns of the table when the output is not a terminal, so that rows survive in logs."""


@app.callback()
def experiment() -> None:
    """Run the papers' experiments."""


@app.command("coordination")
def coordination_command(
    agents: Annotated[list[int] | None, typer.Option(help="Agents, 2 to 6; repeat for more games; 3 and 5.")] = None,
    runs: Annotated[int | None, typer.Option(help="Monte Carlo runs per algorithm; by profile 10 or 200.")] = None,
    profile: Annotated[str, typer.Option(help="quick (under a minute) or full.")] = "quick",
    out: Annotated[Path | None, typer.Option(help="Write figure, curves and summary into this folder.")] = None,
    jobs: Annotated[int, typer.Option(help="Worker threads; 0 means one per core.")] = 0,
    seed: Annotated[int, typer.Option(help="Root of all randomness.")] = 0,
    gamma: Annotated[float, typer.Option(help="Discount factor, which the paper's text does not give.")] = 0.0,
    readings: Annotated[bool, typer.Option("--readings", help="Run other readings of the baselines too.")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")] = False,
) -> None:
    """The coordination game of zeng2022 Sec. 5: CAC, IAC, DAC and MDAC.

    Shows how often each ends at an efficient equilibrium, with intervals, and what the paper's text leaves open.

    Example: lemmata experiment coordination --agents 3 --runs 40 --out coordination
    """
    if profile not in BUDGETS:
        raise typer.BadParameter(f"profile {profile!r} is not one of {', '.join(BUDGETS)}")
    if jobs < 0:
        raise typer.BadParameter(f"jobs is {jobs}; it is a number of workers, or 0 for one per core")
    budget = BUDGETS[profile] if runs is None else replace(BUDGETS[profile], runs=runs)
    if out is not None:
        _require_folder(out)
    games = list(agents or AGENTS)
    rivals = len(ALGORITHMS) + len(READINGS) * readings
    text = TextColumn("{task.description}")
    bars = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*bars, console=Console(stderr=True), disable=as_json_, transient=True) as progress:
        task = progress.add_task("coordination game", total=len(games) * rivals * budget.runs)
        try:
            data = coordination(
                games, budget=budget, seed=seed, gamma=gamma, readings=readings, jobs=jobs or _cores(),
                on_run=lambda: progress.advance(task),
            )  # fmt: skip
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    summary = as_json(data)
    if out is not None:
        from verify.experiments.coordination.figure import coordination_figure

        figure = coordination_figure(data)
        (out / "coordination.svg").write_text(figure.svg, encoding="utf-8")
        (out / "coordination.csv").write_text(figure.csv, encoding="utf-8")
        summary |= {"caption": figure.caption, "alt": figure.alt}
        (out / "coordination.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    if as_json_:
        typer.echo(json.dumps(summary, indent=1))
        return
    _print(summaries(data), summary)
    if out is not None:
        typer.echo(f"figure, curves and summary: {out / 'coordination'}.svg, .csv, .json")


@app.command("rates")
def rates_command(
    profile: Annotated[str, typer.Option(help="quick (a minute) or full (T to 1e7, under half an hour).")] = "quick",
    out: Annotated[Path | None, typer.Option(help="Keep (resumable) sweeps, figures, summary here.")] = None,
    jobs: Annotated[int, typer.Option(help="Worker processes; 0 means one per core.")] = 0,
    seed: Annotated[int, typer.Option(help="Root of all randomness.")] = 0,
    as_json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")] = False,
) -> None:
    """CAC's rates, realisable and not, single and double sampling.

    Beside each slope stand the exact floor, the floor a fit finds by itself, and how asymptotic the runs are.

    Example: lemmata experiment rates --profile full --out rates
    """
    from verify.experiments.rates import BUDGETS as RATE_BUDGETS
    from verify.experiments.rates import CASES, run_case

    if profile not in RATE_BUDGETS:
        raise typer.BadParameter(f"profile {profile!r} is not one of {', '.join(RATE_BUDGETS)}")
    if jobs < 0:
        raise typer.BadParameter(f"jobs is {jobs}; it is a number of workers, or 0 for one per core")
    if out is not None:
        _require_folder(out)
    budget = RATE_BUDGETS[profile]
    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found = []
    with Progress(*bars, console=Console(stderr=True), disable=as_json_, transient=True) as progress:
        task = progress.add_task("runs of CAC", total=len(CASES) * sum(budget.n_seeds.values()))
        for instance, sampling in CASES:
            found.append(
                run_case(
                    instance, sampling, budget, seed=seed, jobs=jobs or _cores(), out=out,
                    on_cell=lambda: progress.advance(task),
                )
            )  # fmt: skip
    rows = [case.row() for case in found]
    if out is not None:
        from verify.figures import rate_figure

        for case in found:
            for name, fit in (("critic", case.critic), ("actor", case.actor)):
                figure = rate_figure(fit)
                stem = f"{case.instance}-{case.sampling}-{name}"
                (out / f"{stem}.svg").write_text(figure.svg, encoding="utf-8")
                (out / f"{stem}.csv").write_text(figure.csv, encoding="utf-8")
        (out / "rates.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if as_json_:
        typer.echo(json.dumps(rows, indent=1))
        return
    _print_rates(rows)


def _print_rates(rows: list[dict[str, Any]]) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=PLAIN_WIDTH)
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
    console.print(table)
    typer.echo("measured / leading: excess over the exact floor by its leading term in T; 1 when a run is asymptotic.")


def _interval(triple: list[float] | None) -> str:
    if triple is None or any(not isfinite(x) for x in triple):
        return "-"
    return f"{triple[0]:.3g} [{triple[1]:.3g}, {triple[2]:.3g}]"


def _print(found: list[Summary], summary: dict[str, object]) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=PLAIN_WIDTH)
    table = Table(title=f"Coordination game, {found[0].runs} runs of each algorithm")
    for column in ("N", "algorithm", "efficient (95 %)", *OUTCOMES[1:], "final team reward (95 %)", "best"):
        table.add_column(column, overflow="fold")
    for k, s in enumerate(found):
        last = k + 1 == len(found) or found[k + 1].agents != s.agents
        table.add_row(
            str(s.agents), s.algorithm, f"{s.counts[0]}/{s.runs} ({s.low:.2f} to {s.high:.2f})",
            *map(str, s.counts[1:]), f"{s.reward:.2f} ({s.reward_low:.2f} to {s.reward_high:.2f})",
            f"{s.best:.2f}", end_section=last,
        )  # fmt: skip
    console.print(table)
    games = summary["equilibria"]
    assert isinstance(games, dict)
    for N, groups in games.items():
        shown = {name: ", ".join("".join(map(str, p)) for p in group) for name, group in groups.items()}
        typer.echo(
            f"N = {N}: pure Nash equilibria of the agents' rewards {shown['nash']}; of the team reward "
            f"{shown['team_nash']}; efficient {shown['efficient']}"
        )
    typer.echo(f"A run ended where its policies give one joint action at least probability {ENDED:g}.")
    typer.echo("What the paper's text leaves open:")
    for line in OPEN:
        typer.echo(f"- {line}")


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
