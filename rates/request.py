"""The arguments of a sweep, validated before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rates.cells import Cell, Run, SeedCounts, cut, require_horizons, require_seed_counts, require_whole
from rates.describe import describe
from rates.workers import require_backend


@dataclass(frozen=True)
class Request:
    """Validated arguments of a sweep.

    Attributes:
        run: the experiment.
        horizons: the grid.
        counts: seeds for each horizon.
        seed: root of all randomness.
        jobs: workers.
        backend: where they run.
        out: folder, or None.
        cells: the work.
        configuration: plain data that determines the results; empty without a folder.
    """

    run: Run
    horizons: list[int]
    counts: list[int]
    seed: int
    jobs: int
    backend: str | None
    out: Path | None
    cells: tuple[Cell, ...]
    configuration: dict[str, Any]


def validated(
    run: Run, horizons: Sequence[int], n_seeds: SeedCounts, seed: int, jobs: int, out: Path | str | None, block: int,
    backend: str | None, config: Mapping[str, Any] | None,
) -> Request:
    """The arguments of a sweep, all checked.

    Args:
        run: as for `rates.sweep.sweep`, like all others.
        horizons: grid.
        n_seeds: repetitions.
        seed: root.
        jobs: workers.
        out: folder.
        block: seeds per cell.
        backend: where the workers run.
        config: further parameters.

    Raises:
        ValueError: any of them is wrong; the message names it and its value.
    """
    grid = require_horizons(horizons)
    counts = require_seed_counts(n_seeds, grid)
    jobs = require_whole("jobs", jobs, "a sweep needs at least one worker")
    block = require_whole("block", block, "a cell needs at least one seed")
    seed = require_whole("seed", seed, "a root seed is a whole number of at least 0", least=0)
    require_backend(backend)
    if not callable(run):
        raise ValueError(f"run is {run!r}; it must be callable with a horizon and a seed")
    folder = None if out is None else Path(out)
    configuration: dict[str, Any] = {}
    if folder is not None:
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"out is {folder}, which is a file; a sweep writes into a folder")
        configuration = {
            "run": _describe_run(run, config), "config": describe(config or {}, "config"), "horizons": grid,
            "n_seeds": counts, "block": block, "root_seed": seed,
        }
    return Request(run, grid, counts, seed, jobs, backend, folder, cut(grid, counts, block), configuration)


def _describe_run(run: Run, config: Mapping[str, Any] | None) -> Any:
    try:
        return describe(run, "run")
    except ValueError:
        if config is None:
            raise
        return getattr(run, "__qualname__", type(run).__qualname__)  # `config` says what the name cannot
