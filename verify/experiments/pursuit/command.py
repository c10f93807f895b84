"""`lemmata experiment pursuit`: zeng2022 Sec. 5 with convolutional networks, and its exactly solved miniature."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from verify.commands import names
from verify.commands.common import (
    INTERRUPTED,
    UNWRITABLE,
    Jobs,
    Json,
    Quiet,
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
    from verify.experiments.pursuit.plan import Plan
    from verify.experiments.pursuit.runs import LineResult

RUNS_FOLDER = "runs"
"""Where the states of runs are kept inside the folder."""


def pursuit_command(
    profile: Annotated[
        str | None,
        typer.Option(help="quick (under ten minutes) or full (several hours); quick.",
                     autocompletion=names.complete(names.PROFILES)),
    ] = None,
    algorithms: Annotated[list[str] | None, typer.Option(help="CAC, DAC or MDAC; repeat for more; all.")] = None,
    runs: Annotated[int | None, typer.Option(help="Runs of every line, at least 2; by profile.")] = None,
    episodes: Annotated[int | None, typer.Option(help="Blocks of episodes of every run; by profile.")] = None,
    seed: Annotated[int | None, typer.Option(help="Root of all randomness; 0.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; a GPU if there is one.")] = None,
    jobs: Jobs = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for runs and figure; the same command goes on.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the experiment of this folder, as it is.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Pursuit-evasion of zeng2022 Sec. 5: CAC, DAC and MDAC with convolutional networks.

    CAC runs on the exactly solved miniature too, with J, J* and grad J beside it. Needs the extra lemmata[pursuit].

    Example: lemmata experiment pursuit --out out/pursuit
    """
    n_jobs = workers(jobs)
    given = {"--profile": profile, "--algorithms": algorithms, "--runs": runs, "--episodes": episodes, "--seed": seed}
    if resume is not None:
        _require_alone(resume, out, given)
    else:
        _require_numbers(profile, algorithms, runs, episodes, seed)
        require_folder(out)
    folder = out if resume is None else resume
    bars = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with _errors_of_the_user(folder), progress(quiet or as_json, *bars) as bar:
        from algorithms.deep.pursuit.extras import require_extra

        require_extra()
        from verify.experiments.pursuit.folder import read_plan
        from verify.experiments.pursuit.plan import ALGORITHMS, make_plan
        from verify.experiments.pursuit.runs import run_plan

        if resume is not None:
            plan, stored = read_plan(resume / RUNS_FOLDER)
            device = device or stored
        else:
            chosen = list(dict.fromkeys(algorithms or ALGORITHMS))
            plan = make_plan(profile or "quick", chosen, runs=runs, episodes=episodes, seed=seed or 0)
        task = bar.add_task("pursuit, blocks of episodes", total=plan.blocks)
        found = run_plan(
            plan, jobs=n_jobs, device=device or "auto", folder=None if folder is None else folder / RUNS_FOLDER,
            on_blocks=lambda blocks: bar.advance(task, blocks),
        )  # fmt: skip
        summary = _summary(plan, found, folder)
    if as_json:
        emit("experiment-pursuit", summary)
    elif not quiet:
        _print(summary)
        if folder is not None:
            say(f"figure, curves and summary: {folder / 'pursuit'}.svg, .csv, .json; runs: {folder / RUNS_FOLDER}")


def _summary(plan: Plan, found: Sequence[LineResult], folder: Path | None) -> dict[str, Any]:
    """The summary; with a folder also as a file, beside figure and curves."""
    from verify.experiments.pursuit.folder import versions
    from verify.experiments.pursuit.summary import as_json

    summary = as_json(plan, found, versions())
    if folder is None:
        return summary
    from verify.experiments.pursuit.figure import pursuit_figure

    figure = pursuit_figure(found)
    summary |= {"caption": figure.caption, "alt": figure.alt}
    whole = json.dumps(document("experiment-pursuit", summary), indent=1) + "\n"
    for ending, content in (("svg", figure.svg), ("csv", figure.csv), ("json", whole)):
        (folder / f"pursuit.{ending}").write_text(content, encoding="utf-8")
    return summary


def _print(summary: dict[str, Any]) -> None:
    table = Table(title="Pursuit-evasion; 95 % Student intervals over runs")
    for column in ("line", "runs", "return at the start", "at the end", "gain", "exact J at the end", "J*"):
        table.add_column(column, overflow="fold")
    for row in summary["results"]:
        exact = (_interval(row["J"]), f"{row['J_star']:.3f}") if "J" in row else ("", "")
        shown = (_interval(row[name]) for name in ("start", "end", "gain"))
        table.add_row(row["line"], str(row["runs"]), *shown, *exact)
    console().print(table)
    for name, interval in summary["end_of_CAC_minus"].items():
        say(f"return at the end, CAC minus {name}: {_interval(interval)}")
    say("What the paper's text leaves open:")
    for line in summary["open"]:
        say(f"- {line}")


def _interval(row: dict[str, float]) -> str:
    return f"{row['mean']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def _require_alone(resume: Path, out: Path | None, given: dict[str, Any]) -> None:
    extra = [name for name, value in given.items() if value is not None]
    if out is not None and out != resume:
        extra.append("--out")
    if extra:
        raise typer.BadParameter(f"--resume takes everything from the folder; drop {', '.join(extra)}")


def _require_numbers(
    profile: str | None, algorithms: list[str] | None, runs: int | None, episodes: int | None, seed: int | None
) -> None:
    from verify.experiments.pursuit.plan import ALGORITHMS, PROFILES

    one_of("profile", profile or "quick", PROFILES)
    for name in algorithms or ():
        one_of("algorithm", name, ALGORITHMS)
    for label, value, least in (("runs", runs, 2), ("episodes", episodes, 1), ("seed", seed, 0)):
        require_whole(label, value, least)


@contextmanager
def _errors_of_the_user(folder: Path | None) -> Iterator[None]:
    """A missing extra, an unknown device, another experiment in the folder, the disk, Ctrl-C: messages and codes."""
    from algorithms.deep.pursuit.extras import MissingExtraError

    try:
        yield
    except (MissingExtraError, ValueError, FloatingPointError) as error:  # CheckpointError is a ValueError
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        say(f"cannot write into {folder}: {error.strerror}; finished waves are kept", err=True)
        raise typer.Exit(UNWRITABLE) from None
    except KeyboardInterrupt:
        kept = f"; go on with: lemmata experiment pursuit --resume {folder}" if folder is not None else ", nothing kept"
        say(f"stopped{kept}", err=True)
        raise typer.Exit(INTERRUPTED) from None
