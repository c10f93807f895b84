"""Sweeps of an experiment over horizons and seeds, as labelled datasets.

`sweep` takes any callable that runs one experiment; it knows no algorithm. The seed of a cell is a
`SeedSequence` spawned from the root by (horizon, seed index), so results do not depend on the number of
workers or on which other cells run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from joblib import Parallel, delayed

Run = Callable[[int, np.random.SeedSequence], Mapping[str, float]]
"""Runs one experiment at a horizon with a seed and returns its metrics by name."""


def sweep(
    run: Run,
    horizons: Sequence[int],
    n_seeds: int,
    *,
    seed: int = 0,
    jobs: int = 1,
    on_cell: Callable[[], None] | None = None,
) -> xr.Dataset:
    """Run an experiment for every horizon and seed.

    Args:
        run: the experiment; picklable by cloudpickle if `jobs` is above one.
        horizons: strictly increasing positive integers.
        n_seeds: independent repetitions per horizon, at least one.
        seed: root of all randomness.
        jobs: worker processes; one runs in this process.
        on_cell: called in this process after each finished cell, for progress bars.

    Returns:
        Dataset with dimensions ``horizon`` and ``seed`` and one variable per metric.

    Raises:
        ValueError: horizons not strictly increasing or not positive, no seeds, jobs below one, or cells that
            report different metrics. All arguments are checked before any cell runs.
    """
    grid = require_horizons(horizons)
    if n_seeds < 1:
        raise ValueError(f"n_seeds is {n_seeds}; a sweep needs at least one")
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; a sweep needs at least one worker")
    # longest first, so that no worker is left with the longest cell at the end
    cells = [(h, k) for h in reversed(range(len(grid))) for k in range(n_seeds)]
    tasks = (delayed(run)(grid[h], _cell_seed(seed, grid[h], k)) for h, k in cells)
    results: list[Mapping[str, float]] = []
    for result in Parallel(n_jobs=jobs, return_as="generator")(tasks):
        results.append(result)
        if on_cell is not None:
            on_cell()
    names = list(results[0])
    values = {name: np.empty((len(grid), n_seeds)) for name in names}
    for (h, k), result in zip(cells, results, strict=True):
        if list(result) != names:
            raise ValueError(f"the run at horizon {grid[h]} reported {list(result)}, another one {names}")
        for name in names:
            values[name][h, k] = result[name]
    return xr.Dataset(
        {name: (("horizon", "seed"), array) for name, array in values.items()},
        coords={"horizon": list(grid), "seed": np.arange(n_seeds)},
        attrs={"root_seed": seed},
    )


def geometric_horizons(first: int, last: int, per_decade: int = 2) -> list[int]:
    """Geometric grid of horizons, ends included.

    Args:
        first: smallest T, at least 1.
        last: largest T, above `first`.
        per_decade: points per factor of ten.

    Raises:
        ValueError: ``last <= first``, or either not positive.
    """
    if not 1 <= first < last:
        raise ValueError(f"horizons from {first} to {last}: need 1 <= first < last")
    count = max(2, round(np.log10(last / first) * per_decade) + 1)
    return [int(T) for T in np.unique(np.geomspace(first, last, count).round().astype(np.int64))]


def require_horizons(horizons: Sequence[int]) -> list[int]:
    """The horizons as a list of ints.

    Args:
        horizons: candidate grid.

    Raises:
        ValueError: empty, not whole, not positive, or not strictly increasing (naming the pair).
    """
    if len(horizons) == 0:
        raise ValueError("horizons is empty")
    grid = [int(T) for T in horizons]
    for k, (T, given) in enumerate(zip(grid, horizons, strict=True)):
        if given != T or T < 1:
            raise ValueError(f"horizons[{k}] is {given}; horizons are positive whole numbers")
        if k and grid[k - 1] >= T:
            raise ValueError(f"horizons[{k}] = {T} does not exceed horizons[{k - 1}] = {grid[k - 1]}")
    return grid


def save(dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset as NetCDF (HDF5), without pickle.

    Args:
        dataset: labelled results.
        path: target file.
    """
    dataset.to_netcdf(path, engine="h5netcdf")


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


def _cell_seed(root: int, horizon: int, index: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(root, spawn_key=(horizon, index))
