"""`lemmata sweep INSTANCE`: an algorithm over horizons and seeds, in a folder that can be resumed.

Example: lemmata sweep ring3 --sampling double --horizons 1e3:1e6:2 --seeds 24:1e6,8 --out sweeps/ring3
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module  # dask is optional, for the type checker too
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import xarray as xr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from algorithms.cac import METRICS
from mdp.instances import INSTANCES
from rates.sweep import BACKENDS, Run, SweepPlan, SweepProgress, geometric_horizons, plan, require_horizons, save, sweep
from verify.experiments.cac import METRIC_EVERY, STEPS, run_cac

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""

UNWRITABLE = 74
"""Exit code when the folder cannot be written (EX_IOERR of sysexits.h)."""

DATA_FILE = "data.nc"
"""The merged dataset, beside the cells."""


@dataclass(frozen=True)
class Experiment:
    """What can be swept.

    Attributes:
        run: called with instance, sampling, horizon and seed.
        samplings: allowed values of ``--sampling``.
        metrics: what a run reports.
        config: further parameters that the results depend on.
        trial_horizon: shortest run, which shows at once whether the experiment suits the instance.
    """

    run: Callable[..., Mapping[str, float]]
    samplings: tuple[str, ...]
    metrics: tuple[str, ...]
    config: Mapping[str, Any]
    trial_horizon: int


EXPERIMENTS = {
    "cac": Experiment(
        run_cac, ("single", "double"),
        (*METRICS, "critic_total_td", "critic_total_bellman", "critic_total_td_error", "stationarity"),
        {"steps": STEPS, "metric_every": METRIC_EVERY}, METRIC_EVERY,
    )
}
"""Experiments by the name of their algorithm."""


def sweep_command(
    instance: Annotated[str, typer.Argument(help=f"One of {', '.join(INSTANCES)}.")],
    out: Annotated[Path, typer.Option(help="Folder for the cells; the same command resumes.")],
    algorithm: Annotated[str, typer.Option(help=f"One of {', '.join(EXPERIMENTS)}.")] = "cac",
    sampling: Annotated[str, typer.Option(help="Sampling of the algorithm: single or double.")] = "single",
    horizons: Annotated[
        str, typer.Option(help="first:last[:points per decade], or a comma-separated list.")
    ] = "1e3:1e6:2",
    seeds: Annotated[
        str, typer.Option(help="Runs per horizon: 24, or 24:1e6,8 for 24 up to T = 1e6 and 8 beyond.")
    ] = "24",
    seed: Annotated[int, typer.Option(help="Root of all randomness.")] = 0,
    jobs: Annotated[int, typer.Option(help="Worker processes.")] = 1,
    block: Annotated[int, typer.Option(help="Seeds per cell.")] = 1,
    backend: Annotated[str | None, typer.Option(help=f"One of {', '.join(BACKENDS)}.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of the dask scheduler, for --backend dask.")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Metrics to show; all if none.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and how long it takes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON and nothing else.")] = False,
) -> None:
    """Run an algorithm over horizons and seeds; resumes what is in the folder.

    Exit code 130 after Ctrl-C, 74 if the folder cannot be written; what is finished is kept in both cases.

    Example: lemmata sweep ring3 --horizons 1e3:1e5:2 --seeds 8 --out sweeps/ring3 --jobs 2
    """
    experiment, run = _experiment(algorithm, instance, sampling)
    unknown = [name for name in metric or [] if name not in experiment.metrics]
    if unknown:
        raise typer.BadParameter(f"metric {unknown[0]!r} is not one of {', '.join(experiment.metrics)}")
    with _errors_of_the_user(), _cluster(backend, scheduler):
        grid = parse_horizons(horizons)
        counts = parse_seeds(seeds, grid)
        _try(run, experiment.trial_horizon, f"{algorithm} does not run on {instance}")
        options: dict[str, Any] = {
            "seed": seed, "jobs": jobs, "out": out, "block": block, "backend": backend, "config": experiment.config,
        }
        if dry_run:
            _print_plan(plan(run, grid, counts, **options), as_json)
        else:
            dataset = _sweep(run, grid, counts, options, quiet=as_json)
            save(dataset, out / DATA_FILE)
            _print_dataset(dataset, out, metric or list(experiment.metrics), as_json)


def parse_horizons(text: str) -> list[int]:
    """A grid from ``first:last``, ``first:last:points per decade`` or ``T1,T2,...``; 1e6 is a number.

    Args:
        text: of the option.

    Raises:
        ValueError: not a grid, or not increasing.
    """
    if ":" not in text:
        return require_horizons([_whole("horizons", part) for part in text.split(",")])
    parts = [_whole("horizons", part) for part in text.split(":")]
    if len(parts) not in (2, 3) or min(parts) < 1:
        raise ValueError(f"horizons is {text!r}; a grid is first:last or first:last:points per decade, as 1e3:1e6:2")
    return geometric_horizons(*parts)


def parse_seeds(text: str, horizons: list[int]) -> list[int]:
    """Seeds for each horizon from ``24`` or ``24:1e6,8`` (24 up to T = 1e6, 8 beyond; any number of steps).

    Args:
        text: of the option.
        horizons: the grid.

    Raises:
        ValueError: not such a text, limits not increasing, or no seeds.
    """
    *steps, last = text.split(",")
    limits: list[tuple[int, int]] = []
    for step in steps:
        count, colon, limit = step.partition(":")
        if not colon:
            raise ValueError(f"seeds is {text!r}; it is a number, or as 24:1e6,8 (24 up to T = 1e6, 8 beyond)")
        limits.append((_whole("seeds", limit), _whole("seeds", count)))
    if [T for T, _ in limits] != sorted({T for T, _ in limits}):
        raise ValueError(f"seeds is {text!r}; its horizons must increase")
    rest = _whole("seeds", last)
    if min([rest, *(n for _, n in limits)]) < 1:
        raise ValueError(f"seeds is {text!r}; a sweep needs at least one seed per horizon")
    return [next((n for limit, n in limits if limit >= T), rest) for T in horizons]


def _whole(name: str, text: str) -> int:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number) or number != int(number):
        raise ValueError(f"{name} contains {text.strip()!r}, which is not a whole number")
    return int(number)


def _experiment(algorithm: str, instance: str, sampling: str) -> tuple[Experiment, Run]:
    if algorithm not in EXPERIMENTS:
        raise typer.BadParameter(f"algorithm {algorithm!r} is not one of {', '.join(EXPERIMENTS)}")
    if instance not in INSTANCES:
        raise typer.BadParameter(f"instance {instance!r} is not one of {', '.join(INSTANCES)}")
    experiment = EXPERIMENTS[algorithm]
    if sampling not in experiment.samplings:
        raise typer.BadParameter(f"sampling {sampling!r} is not one of {', '.join(experiment.samplings)}")
    return experiment, partial(experiment.run, instance, sampling)


def _try(run: Run, horizon: int, complaint: str) -> None:
    """One short run before any cell: an unsuitable instance is found now, and in this process."""
    try:
        run(horizon, np.random.SeedSequence(0))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{complaint}: {error}") from None


@contextmanager
def _errors_of_the_user() -> Iterator[None]:
    """Errors as messages and exit codes: what is wrong with the request, the disk, or Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt as stop:
        typer.echo(f"\n{stop}" if str(stop) else "\ninterrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        typer.echo(f"error: {error.strerror or error}", err=True)
        raise typer.Exit(UNWRITABLE) from None
    except (ValueError, RuntimeError) as error:
        raise typer.BadParameter("\n".join([str(error), *getattr(error, "__notes__", [])])) from None


@contextmanager
def _cluster(backend: str | None, scheduler: str | None) -> Iterator[None]:
    """The dask client of the address, for as long as the sweep takes."""
    if (backend == "dask") != (scheduler is not None):
        raise typer.BadParameter("--backend dask and --scheduler ADDRESS go together")
    if scheduler is None:
        yield
        return
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise typer.BadParameter("dask is not installed: pip install lemmata[dask]") from None
    with distributed.Client(scheduler):
        yield


def _sweep(run: Run, grid: list[int], counts: list[int], options: dict[str, Any], *, quiet: bool) -> xr.Dataset:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("cells", total=None, left="")

        def show(now: SweepProgress) -> None:
            left = "" if now.seconds_left is None else f"{_duration(now.seconds_left)} left"
            if now.damaged:
                left += f"  ({now.damaged} damaged, computed again)"
            progress.update(task, completed=now.done, total=now.total, left=left)

        return sweep(run, grid, counts, **options, on_progress=show)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _print_plan(found: SweepPlan, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    table = Table(title=f"{len(found.remaining)} of {found.cells} cells to do")
    for column in ("horizon", "cells", "seeds"):
        table.add_column(column, justify="right")
    for T in sorted({cell.horizon for cell in found.remaining}):
        here = [cell for cell in found.remaining if cell.horizon == T]
        table.add_row(str(T), str(len(here)), str(sum(cell.count for cell in here)))
    if found.remaining:
        Console().print(table)
    damaged = f", {found.damaged} damaged" if found.damaged else ""
    typer.echo(
        f"{found.done} cells done{damaged}; the rest takes about {_duration(found.seconds)} "
        f"(estimated from {found.estimated_from})"
    )


def _print_dataset(dataset: xr.Dataset, out: Path, metrics: list[str], as_json: bool) -> None:
    counts = dataset["n_seeds"].values
    rows = {
        # one seed has a mean but no standard error
        name: [
            (float(x[:n].mean()), float(x[:n].std(ddof=1) / np.sqrt(n)) if n > 1 else None)
            for x, n in zip(dataset[name].values, counts, strict=True)
        ]
        for name in metrics
    }
    grid = [int(T) for T in dataset["horizon"].values]
    if as_json:
        data = {
            name: {"mean": [m for m, _ in pairs], "standard_error": [e for _, e in pairs]}
            for name, pairs in rows.items()
        }
        found = {"data": str(out / DATA_FILE), "horizon": grid, "n_seeds": counts.tolist(), "metrics": data}
        typer.echo(json.dumps(found, indent=1))
        return
    table = Table(title="mean over seeds (standard error)")
    table.add_column("metric")
    for T, n in zip(grid, counts, strict=True):
        table.add_column(f"T = {T:.3g}\nseeds: {n}", justify="right")
    for name, pairs in rows.items():
        table.add_row(name, *(f"{m:.4g}" + ("" if e is None else f"\n({e:.1g})") for m, e in pairs))
    console = Console()
    (console if console.is_terminal else Console(width=140)).print(table)
    typer.echo(f"dataset: {out / DATA_FILE}")
