"""`lemmata sweep INSTANCE`: an algorithm over horizons and seeds, in a folder that can be resumed.

Example: lemmata sweep ring3 --sampling double --horizons 1e3:1e6:2 --seeds 24:1e6,8 --out sweeps/ring3
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib import import_module  # dask is optional, for the type checker too
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.table import Table

from verify.commands import names
from verify.commands.common import (
    INTERRUPTED,
    UNWRITABLE,
    Json,
    Quiet,
    Seed,
    console,
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

    from rates.sweep import Run, SweepPlan, SweepProgress
    from verify.commands.sweep_request import Experiment

DATA_FILE = "data.nc"
"""The merged dataset, beside the cells."""

SWEEP_EXIT_CODES = (
    "Exit codes: 0 done; 2 a wrong argument, or the folder holds another sweep; 74 the folder could not be written; "
    "130 interrupted. What is finished is kept in every case."
)


def sweep_command(
    instance: Annotated[
        str,
        typer.Argument(
            help="A bundled instance; `lemmata mdp instances` lists them.",
            autocompletion=names.complete(names.INSTANCES),
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the cells; the same command resumes.")],
    algorithm: Annotated[str, typer.Option(help="cac.", autocompletion=names.complete(["cac"]))] = "cac",
    sampling: Annotated[
        str,
        typer.Option(
            help="Sampling of the algorithm: single or double.", autocompletion=names.complete(["single", "double"])
        ),
    ] = "single",
    horizons: Annotated[
        str, typer.Option(help="first:last[:points per decade], or a comma-separated list.")
    ] = "1e3:1e6:2",
    seeds: Annotated[
        str, typer.Option(help="Runs per horizon: 24, or 24:1e6,8 for 24 up to T = 1e6 and 8 beyond.")
    ] = "24",
    seed: Seed = 0,
    jobs: Annotated[int, typer.Option(help="Worker processes; 0 means one per core.")] = 1,
    block: Annotated[int, typer.Option(help="Seeds per cell.")] = 1,
    backend: Annotated[
        str | None, typer.Option(help="loky, threading or dask.", autocompletion=names.complete(names.BACKENDS))
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of the dask scheduler, for --backend dask.")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Metrics to show; all if none.", autocompletion=names.complete(names.METRICS)),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and how long it takes.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run an algorithm over horizons and seeds; resumes what is in the folder.

    Example: lemmata sweep ring3 --horizons 1e3:1e5:2 --seeds 8 --out sweeps/ring3 --jobs 2
    """
    from rates.request import validated
    from rates.sweep import BACKENDS, plan, save
    from verify.commands.sweep_request import parse_horizons, parse_seeds

    experiment, run = _experiment(algorithm, instance, sampling)
    for name in metric or []:
        one_of("metric", name, experiment.metrics)
    if backend is not None:
        one_of("backend", backend, BACKENDS)
    with _errors_of_the_user(), _cluster(backend, scheduler):
        grid = parse_horizons(horizons)
        counts = parse_seeds(seeds, grid)
        require_whole("block", block, 1)
        options: dict[str, Any] = {
            "seed": seed, "jobs": workers(jobs), "out": out, "block": block, "backend": backend,
            "config": experiment.config,
        }  # fmt: skip
        validated(run, grid, counts, seed, options["jobs"], out, block, backend, experiment.config)
        if not dry_run:
            require_folder(out, make=False)
        _try(run, experiment.trial_horizon, f"{algorithm} does not run on {instance}")
        if dry_run:
            _print_plan(plan(run, grid, counts, **options), quiet, as_json)
            return
        dataset = _sweep(run, grid, counts, options, hidden=quiet or as_json)
        save(dataset, out / DATA_FILE)
        if as_json or not quiet:
            _print_dataset(dataset, out, metric or list(experiment.metrics), as_json)


def _experiment(algorithm: str, instance: str, sampling: str) -> tuple[Experiment, Run]:
    from mdp.instances import INSTANCES
    from verify.commands.sweep_request import EXPERIMENTS

    experiment = EXPERIMENTS[one_of("algorithm", algorithm, EXPERIMENTS)]
    one_of("instance", instance, INSTANCES)
    one_of("sampling", sampling, experiment.samplings)
    return experiment, partial(experiment.run, instance, sampling)


def _try(run: Run, horizon: int, complaint: str) -> None:
    """One short run before any cell: an unsuitable instance is found now, and in this process."""
    import numpy as np

    try:
        run(horizon, np.random.SeedSequence(0))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{complaint}: {error}") from None


@contextmanager
def _errors_of_the_user() -> Iterator[None]:
    """Errors as messages and exit codes: what is wrong with the request, the disk, or Ctrl-C."""
    try:
        yield
    except typer.Exit:  # a RuntimeError
        raise
    except KeyboardInterrupt as stop:
        say(f"\n{stop}" if str(stop) else "\ninterrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        say(f"error: {error.strerror or error}", err=True)
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
        from mdp.optional import how_to_install

        raise typer.BadParameter(f"dask is not installed: {how_to_install('dask')}") from None
    with distributed.Client(scheduler):
        yield


def _sweep(run: Run, grid: list[int], counts: list[int], options: dict[str, Any], *, hidden: bool) -> xr.Dataset:
    from rates.sweep import sweep

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with progress(hidden, *columns) as bar:
        task = bar.add_task("cells", total=None, left="")

        def show(now: SweepProgress) -> None:
            left = "" if now.seconds_left is None else f"{_duration(now.seconds_left)} left"
            if now.damaged:
                left += f"  ({now.damaged} damaged, computed again)"
            bar.update(task, completed=now.done, total=now.total, left=left)

        return sweep(run, grid, counts, **options, on_progress=show)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _print_plan(found: SweepPlan, quiet: bool, as_json: bool) -> None:
    if as_json:
        emit("sweep-plan", asdict(found))
        return
    if quiet:
        return
    table = Table(title=f"{len(found.remaining)} of {found.cells} cells to do")
    for column in ("horizon", "cells", "seeds"):
        table.add_column(column, justify="right")
    for T in sorted({cell.horizon for cell in found.remaining}):
        here = [cell for cell in found.remaining if cell.horizon == T]
        table.add_row(str(T), str(len(here)), str(sum(cell.count for cell in here)))
    if found.remaining:
        console().print(table)
    damaged = f", {found.damaged} damaged" if found.damaged else ""
    say(
        f"{found.done} cells done{damaged}; the rest takes about {_duration(found.seconds)} "
        f"(estimated from {found.estimated_from})"
    )


def _print_dataset(dataset: xr.Dataset, out: Path, metrics: list[str], as_json: bool) -> None:
    counts = dataset["n_seeds"].values
    rows = {
        # one seed has a mean but no standard error
        name: [
            (float(x[:n].mean()), float(x[:n].std(ddof=1) / n**0.5) if n > 1 else None)
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
        emit("sweep", {
            "data": str(out / DATA_FILE), "horizon": grid, "n_seeds": counts.tolist(), "metrics": data,
        })  # fmt: skip
        return
    table = Table(title="mean over seeds (standard error)")
    table.add_column("metric")
    for T, n in zip(grid, counts, strict=True):
        table.add_column(f"T = {T:.3g}\nseeds: {n}", justify="right")
    for name, pairs in rows.items():
        table.add_row(name, *(f"{m:.4g}" + ("" if e is None else f"\n({e:.1g})") for m, e in pairs))
    console().print(table)
    say(f"dataset: {out / DATA_FILE}")
