"""`lemmata experiment coordination`: the game of zeng2022 Sec. 5, played by CAC and its rivals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
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
    from verify.experiments.coordination.summary import Summary


def coordination_command(
    agents: Annotated[list[int] | None, typer.Option(help="Agents, 2 to 6; repeat for more games; 3 and 5.")] = None,
    runs: Annotated[int | None, typer.Option(help="Monte Carlo runs per algorithm; by profile 10 or 200.")] = None,
    profile: ProfileName = "quick",
    out: Annotated[Path | None, typer.Option(help="Write figure, curves and summary into this folder.")] = None,
    jobs: Jobs = 0,
    seed: Seed = 0,
    gamma: Annotated[float, typer.Option(help="Discount factor, which the paper's text does not give.")] = 0.0,
    readings: Annotated[bool, typer.Option("--readings", help="Run other readings of the baselines too.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """The coordination game of zeng2022 Sec. 5: CAC, IAC, DAC and MDAC.

    Shows how often each ends at an efficient equilibrium, with intervals, and what the paper's text leaves open.

    Example: lemmata experiment coordination --agents 3 --runs 40 --out out/coordination
    """
    from verify.experiments.coordination.runs import AGENTS, ALGORITHMS, BUDGETS, READINGS, coordination
    from verify.experiments.coordination.summary import as_json as summary_of
    from verify.experiments.coordination.summary import summaries

    one_of("profile", profile, BUDGETS)
    require_whole("seed", seed, 0)
    n_jobs = workers(jobs)
    try:
        budget = BUDGETS[profile] if runs is None else replace(BUDGETS[profile], runs=runs)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    require_folder(out)
    games = list(agents or AGENTS)
    rivals = len(ALGORITHMS) + len(READINGS) * readings
    text = TextColumn("{task.description}")
    bars = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with progress(quiet or as_json, *bars) as bar:
        task = bar.add_task("coordination game", total=len(games) * rivals * budget.runs)
        try:
            data = coordination(
                games, budget=budget, seed=seed, gamma=gamma, readings=readings, jobs=n_jobs,
                on_run=lambda: bar.advance(task),
            )  # fmt: skip
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    summary = document("experiment-coordination", summary_of(data))
    if out is not None:
        from verify.experiments.coordination.figure import coordination_figure

        figure = coordination_figure(data)
        (out / "coordination.svg").write_text(figure.svg, encoding="utf-8")
        (out / "coordination.csv").write_text(figure.csv, encoding="utf-8")
        summary |= {"caption": figure.caption, "alt": figure.alt}
        (out / "coordination.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    if as_json:
        emit("experiment-coordination", summary)
    elif not quiet:
        _print(summaries(data), summary)
        if out is not None:
            say(f"figure, curves and summary: {out / 'coordination'}.svg, .csv, .json")


def _print(found: list[Summary], summary: dict[str, Any]) -> None:
    from verify.experiments.coordination.runs import ENDED, OPEN, OUTCOMES

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
    console().print(table)
    for N, groups in summary["equilibria"].items():
        shown = {name: ", ".join("".join(map(str, p)) for p in group) for name, group in groups.items()}
        say(
            f"N = {N}: pure Nash equilibria of the agents' rewards {shown['nash']}; of the team reward "
            f"{shown['team_nash']}; efficient {shown['efficient']}"
        )
    say(f"A run ended where its policies give one joint action at least probability {ENDED:g}.")
    say("What the paper's text leaves open:")
    for line in OPEN:
        say(f"- {line}")
