"""Sweeps of an experiment over horizons and seeds, as labelled datasets, that survive what happens to the process.

`sweep` takes any callable that runs one experiment; it knows no algorithm. The seed of a run is a `SeedSequence`
spawned from the root by (horizon, seed index), so results do not depend on the number of workers or on which other
cells run. With a folder, every finished cell is a file (see `rates.store`), and calling the same sweep again goes on
where it stopped: the result has the same bits as that of a sweep which was never disturbed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import xarray as xr
from joblib.externals.loky.process_executor import TerminatedWorkerError

from rates.atomic import replacing
from rates.cells import Cell, Run, SeedCounts, Values, cell_seed, geometric_horizons, require_horizons
from rates.files import SweepConfigurationError, read_cell, read_manifest, read_timings, require_same, versions_text
from rates.progress import CostModel, SweepProgress, calibrate, snapshot
from rates.request import Request, validated
from rates.store import FolderStore, MemoryStore, Store, SweepVersionWarning, SweepWriteError
from rates.workers import BACKENDS, in_workers, worker_count

__all__ = [
    "BACKENDS",
    "Run",
    "SweepConfigurationError",
    "SweepInterrupted",
    "SweepPlan",
    "SweepProgress",
    "SweepVersionWarning",
    "SweepWriteError",
    "geometric_horizons",
    "load",
    "plan",
    "require_horizons",
    "save",
    "sweep",
]

POLL_SECONDS = 0.2
"""Ours: how often to look for the cells that another process is computing."""

WORKER_DEATHS = 3
"""Ours: a pool that breaks so often in a row without finishing a cell will not finish (memory, a crash in the run)."""


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep; the message says what is kept and how to go on."""


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep would do.

    Attributes:
        cells: all cells.
        done: those found whole in the folder.
        damaged: files found damaged; their cells are among the remaining ones.
        remaining: cells to compute.
        seconds: estimate of the time the rest will take with the workers asked for.
        estimated_from: ``"finished cells"`` or ``"calibration"``.
    """

    cells: int
    done: int
    damaged: int
    remaining: tuple[Cell, ...]
    seconds: float
    estimated_from: str


def sweep(
    run: Run,
    horizons: Sequence[int],
    n_seeds: SeedCounts,
    *,
    seed: int = 0,
    jobs: int = 1,
    out: Path | str | None = None,
    block: int = 1,
    backend: str | None = None,
    config: Mapping[str, Any] | None = None,
    on_cell: Callable[[], None] | None = None,
    on_progress: Callable[[SweepProgress], None] | None = None,
) -> xr.Dataset:
    """Run an experiment for every horizon and seed.

    With `out`, finished cells are files in that folder; the same call resumes a sweep that was killed, recomputes
    cells whose files were damaged, and shares the work with other processes that sweep into the same folder.
    Another configuration is an error; other package versions are a warning, and each cell records its own.

    Args:
        run: the experiment; picklable by cloudpickle if it runs in other processes. With `out` a named function or
            a `functools.partial` of one, whose arguments are part of the configuration.
        horizons: strictly increasing positive integers.
        n_seeds: independent repetitions: one number, one per horizon, or a mapping from every horizon.
        seed: root of all randomness.
        jobs: worker processes; one runs in this process. A dask cluster uses all its workers instead.
        out: folder for the cells; None keeps them in memory.
        block: seeds per cell. A killed process loses the cells it was computing.
        backend: one of `BACKENDS`; None is that of the surrounding `joblib.parallel_config`, or loky.
        config: further parameters the results depend on, as plain data, for the folder's configuration.
        on_cell: called in this process after each cell finished here, for progress bars.
        on_progress: called with the progress at the start and after each cell finished here.

    Returns:
        Dataset with dimensions ``horizon`` and ``seed`` and one variable per metric. The coordinate ``n_seeds`` says
        how many seeds each horizon has; beyond them values are missing (NaN). Attributes: ``root_seed``, and with
        `out` also ``configuration`` and ``versions`` as JSON.

    Raises:
        ValueError: horizons not strictly increasing or not positive, no seeds, jobs or block below one, unknown
            backend, `out` a file, a run that cannot be described, or cells that report different metrics. All
            but the last are found before any cell runs.
        SweepConfigurationError: `out` holds another sweep; the message shows the difference.
        SweepWriteError: `out` cannot be written, or the disk is full; finished cells are kept.
        SweepInterrupted: Ctrl-C; finished cells are kept.

    Warns:
        SweepVersionWarning: `out` was begun with other versions.
    """
    request = validated(run, horizons, n_seeds, seed, jobs, out, block, backend, config)
    with closing(_open(request)) as store:
        try:
            _fill(request, store, on_cell, on_progress)
        except KeyboardInterrupt:
            raise SweepInterrupted(_stopped("interrupted", request, store)) from None
        except SweepWriteError:
            raise
        except Exception as error:
            error.add_note(_stopped("the sweep stopped", request, store))
            raise
        return _merge(request, store)


def plan(
    run: Run,
    horizons: Sequence[int],
    n_seeds: SeedCounts,
    *,
    seed: int = 0,
    jobs: int = 1,
    out: Path | str | None = None,
    block: int = 1,
    backend: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> SweepPlan:
    """What `sweep` with the same arguments would do, and how long it would take; writes nothing.

    The estimate is from the recorded times of finished cells, or else from about a second of trial runs.

    Args:
        run: as for `sweep`.
        horizons: as for `sweep`.
        n_seeds: as for `sweep`.
        seed: as for `sweep`.
        jobs: as for `sweep`.
        out: as for `sweep`.
        block: as for `sweep`.
        backend: as for `sweep`.
        config: as for `sweep`.

    Raises:
        ValueError: as `sweep`.
        SweepConfigurationError: as `sweep`.
    """
    request = validated(run, horizons, n_seeds, seed, jobs, out, block, backend, config)
    remaining, damaged, timings = list(request.cells), 0, []
    if request.out is not None and request.out.is_dir():
        require_same(read_manifest(request.out), request.configuration, request.out)
        found = {cell: read_cell(request.out, cell, request.configuration) for cell in request.cells}
        remaining = [cell for cell, (content, _) in found.items() if content is None]
        damaged = sum(is_damaged for _, is_damaged in found.values())
        timings = read_timings(request.out)
    model = CostModel.from_timings(timings)
    if remaining and not timings:
        model = calibrate(request.run, request.horizons, request.seed)
    return SweepPlan(
        cells=len(request.cells), done=len(request.cells) - len(remaining), damaged=damaged,
        remaining=tuple(remaining),
        seconds=model.wall(remaining, worker_count(request.backend, request.jobs)) if remaining else 0.0,
        estimated_from="finished cells" if timings else "calibration",
    )


def save(dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset as NetCDF (HDF5), without pickle; the file is whole or absent.

    Args:
        dataset: labelled results.
        path: target file.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(Path(path)) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf")


def load(path: Path) -> xr.Dataset:
    """Read a dataset written by `save`.

    Args:
        path: NetCDF file.

    Raises:
        FileNotFoundError: no such file.
        OSError: not an HDF5 file.
    """
    with xr.open_dataset(path, engine="h5netcdf") as dataset:
        return dataset.load()


def _open(request: Request) -> Store:
    if request.out is None:
        return MemoryStore()
    return FolderStore(request.out, request.configuration, request.cells)


def _fill(
    request: Request, store: Store, on_cell: Callable[[], None] | None,
    on_progress: Callable[[SweepProgress], None] | None,
) -> None:
    """Compute cells until the store has all of them, whoever computed them."""
    workers, deaths = worker_count(request.backend, request.jobs), 0

    def report() -> None:
        if on_progress is not None:
            on_progress(snapshot(request.cells, store.values, len(store.damaged), store.timings, workers))

    store.refresh(request.cells)
    report()
    while missing := [cell for cell in request.cells if cell not in store.values]:
        before = len(store.timings)
        try:
            with closing(in_workers(_tasks(request, store, missing), request.backend, request.jobs)) as results:
                for cell, values, seconds in results:
                    store.put(cell, values, seconds)
                    if on_cell is not None:
                        on_cell()
                    report()
        except TerminatedWorkerError:
            deaths = 1 if len(store.timings) > before else deaths + 1
            if deaths >= WORKER_DEATHS:
                raise
        finally:
            store.release()
        if len(store.timings) == before:
            sleep(POLL_SECONDS)  # the rest is with other processes, or the pool has just died
        store.refresh(missing)
        if len(store.timings) == before:
            report()


def _tasks(request: Request, store: Store, missing: Sequence[Cell]) -> Iterator[tuple[Any, ...]]:
    """The work on the cells that nobody else has; claimed as late as joblib asks for them."""
    for cell in missing:
        if store.claim(cell):
            yield _run_cell, request.run, request.seed, cell


def _run_cell(run: Run, root: int, cell: Cell) -> tuple[Cell, Values, float]:
    """All runs of a cell, in a worker, and the seconds they took."""
    start = perf_counter()
    values: Values = {}
    for index in range(cell.first, cell.first + cell.count):
        try:
            result = run(cell.horizon, cell_seed(root, cell.horizon, index))
            numbers = {str(name): float(value) for name, value in result.items()}
        except Exception as error:
            error.add_note(f"in the run at horizon {cell.horizon}, seed {index}")
            raise
        if values and list(values) != list(numbers):
            raise ValueError(f"the run at horizon {cell.horizon} reported {list(numbers)}, another one {list(values)}")
        for name, number in numbers.items():
            values.setdefault(name, []).append(number)
    return cell, values, perf_counter() - start


def _merge(request: Request, store: Store) -> xr.Dataset:
    """The dataset of all cells; it does not depend on who computed them, or when."""
    names = list(store.values[request.cells[0]])
    shape = (len(request.horizons), max(request.counts))
    merged = {name: np.full(shape, np.nan) for name in names}
    for cell in request.cells:
        values = store.values[cell]
        if list(values) != names:
            raise ValueError(f"the run at horizon {cell.horizon} reported {list(values)}, another one {names}")
        row = request.horizons.index(cell.horizon)
        for name in names:
            merged[name][row, cell.first : cell.first + cell.count] = values[name]
    attributes: dict[str, Any] = {"root_seed": request.seed}
    if isinstance(store, FolderStore):
        attributes["configuration"] = json.dumps(request.configuration, sort_keys=True)
        attributes["versions"] = versions_text(store.versions.values())
    return xr.Dataset(
        {name: (("horizon", "seed"), array) for name, array in merged.items()},
        coords={
            "horizon": request.horizons, "seed": np.arange(shape[1]),
            "n_seeds": ("horizon", np.array(request.counts, dtype=np.int64)),
        },
        attrs=attributes,
    )


def _stopped(what: str, request: Request, store: Store) -> str:
    kept = f"{len(store.values)} of {len(request.cells)} cells are finished"
    if request.out is None:
        return f"{what}: {kept}, and lost, because the sweep has no folder (out=...)"
    return f"{what}: {kept} and kept in {request.out}; the same call goes on from there"
