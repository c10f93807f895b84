"""What a fit reads from a dataset: validated values, and their moments over seeds.

Horizons may have different numbers of seeds. A missing cell is NaN *and* declared: the dataset has a variable,
coordinate or attribute ``n_seeds`` with the count of each horizon, seeds 0 to count - 1 are finite and the others are
NaN. A NaN that no count declares is an error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from rates.sweep import require_horizons

COUNT = "n_seeds"
"""Name under which a dataset declares the number of seeds of each horizon."""


@dataclass(frozen=True, eq=False)
class SeedTable:
    """Validated results of one metric.

    Attributes:
        metric: its name.
        horizons: T, shape (H,).
        counts: number of seeds, shape (H,).
        values: results, shape (H, S); row h is valid up to ``counts[h]`` and zero beyond.
    """

    metric: str
    horizons: np.ndarray
    counts: np.ndarray
    values: np.ndarray

    def moments(self) -> Moments:
        """Mean over seeds and its variance, per horizon."""
        return moments(self.values, self.counts)


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments over seeds, with any leading batch axes.

    Attributes:
        mean: shape (..., H).
        variance: of the mean, shape (..., H).
        counts: seeds, shape (H,).
        kurtosis: excess kurtosis of one seed, pooled over horizons and at least zero, shape (...).
    """

    mean: np.ndarray
    variance: np.ndarray
    counts: np.ndarray
    kurtosis: np.ndarray

    def since(self, first: int) -> Moments:
        """The same from horizon `first` on.

        Args:
            first: index of the first horizon to keep.
        """
        return Moments(self.mean[..., first:], self.variance[..., first:], self.counts[first:], self.kurtosis)


def read_table(dataset: xr.Dataset, metric: str, *, min_horizons: int = 3) -> SeedTable:
    """Check a dataset and take one metric from it.

    Args:
        dataset: dimensions ``horizon`` and ``seed``; ``n_seeds`` declares missing cells.
        metric: variable to read.
        min_horizons: how many horizons the fit needs.

    Raises:
        ValueError: unknown metric (the known ones are listed), wrong dimensions, horizons not increasing, too few
            horizons or seeds, a value that is not finite and not declared missing, or a value that is declared
            missing and is there.
    """
    if metric not in dataset.data_vars or metric == COUNT:
        known = sorted(str(name) for name in dataset.data_vars if name != COUNT)
        raise ValueError(f"metric {metric!r} is not in the dataset; it has {known}")
    if set(dataset[metric].dims) != {"horizon", "seed"} or "horizon" not in dataset.coords:
        dims = tuple(map(str, dataset[metric].dims))
        raise ValueError(f"{metric} has dimensions {dims}; a fit needs horizon (with its coordinate) and seed")
    horizons = np.array(require_horizons(list(dataset["horizon"].values)), dtype=np.int64)
    values = np.array(dataset[metric].transpose("horizon", "seed").values, dtype=float)
    counts = _counts(dataset, values.shape)
    if len(horizons) < min_horizons or counts.min() < 2:
        fewest = f"{len(horizons)} horizons and {counts.min()} seeds"
        where = "" if (counts == counts[0]).all() else f" (at T = {horizons[counts.argmin()]})"
        raise ValueError(f"{fewest}{where} of {metric}; a fit needs {min_horizons} and 2")
    there = np.arange(values.shape[1]) < counts[:, None]
    bad = np.argwhere(there & ~np.isfinite(values))
    if bad.size:
        h, k = bad[0]
        raise ValueError(
            f"{metric}[horizon {h}, seed {k}] is {values[h, k]} (T = {horizons[h]}); "
            f"cells that were never run are declared by {COUNT}(horizon)"
        )
    extra = np.argwhere(~there & ~np.isnan(values))
    if extra.size:
        h, k = extra[0]
        raise ValueError(f"{metric}[horizon {h}, seed {k}] is {values[h, k]}, but {COUNT}[{h}] declares {counts[h]}")
    return SeedTable(metric, horizons, counts, np.where(there, values, 0.0))


def combine_sweeps(*sweeps: xr.Dataset) -> xr.Dataset:
    """One dataset from sweeps over different horizons with different numbers of seeds.

    Args:
        sweeps: datasets with the same metrics, dimensions ``horizon`` and ``seed``, in order of their horizons.

    Returns:
        Dataset over all horizons; ``n_seeds(horizon)`` declares how many cells of each row were run, the others
        are NaN.

    Raises:
        ValueError: no sweep, different metrics, or horizons that do not increase from one sweep to the next.
    """
    if not sweeps:
        raise ValueError("there is no sweep to combine")
    names = [sorted(str(name) for name in s.data_vars if name != COUNT) for s in sweeps]
    for k, found in enumerate(names):
        if found != names[0]:
            raise ValueError(f"sweep {k} has the metrics {found}, sweep 0 has {names[0]}")
    grid = require_horizons([int(T) for s in sweeps for T in s["horizon"].values])
    counts = np.concatenate([_counts(s, (s.sizes["horizon"], s.sizes["seed"])) for s in sweeps])
    blocks = [s[name].transpose("horizon", "seed").values for name in names[0] for s in sweeps]
    widest, data = max(s.sizes["seed"] for s in sweeps), {}
    for k, name in enumerate(names[0]):
        rows = blocks[k * len(sweeps) : (k + 1) * len(sweeps)]
        padded = [np.pad(r.astype(float), ((0, 0), (0, widest - r.shape[1])), constant_values=np.nan) for r in rows]
        data[name] = (("horizon", "seed"), np.concatenate(padded))
    coords = {"horizon": grid, "seed": np.arange(widest), COUNT: ("horizon", counts)}
    return xr.Dataset(data, coords=coords)


def moments(values: np.ndarray, counts: np.ndarray) -> Moments:
    """Moments over seeds.

    Args:
        values: shape (..., H, S); row h is read up to ``counts[h]``.
        counts: shape (H,), at least two each.
    """
    there = np.arange(values.shape[-1]) < counts[:, None]
    mean = np.where(there, values, 0.0).sum(axis=-1) / counts
    squares = np.where(there, values - mean[..., None], 0.0) ** 2
    second, fourth = squares.sum(axis=-1) / counts, (squares**2).sum(axis=-1) / counts
    # pooled: the kurtosis of eight seeds is noise, but the noise of a metric has one shape over a range of T
    ratio = fourth / np.where(second > 0, second, 1.0) ** 2
    kurtosis = np.maximum((ratio * counts).sum(axis=-1) / counts.sum() - 3, 0.0)
    return Moments(mean, second / (counts - 1), counts, kurtosis)


def _counts(dataset: xr.Dataset, shape: tuple[int, int]) -> np.ndarray:
    declared = dataset.variables[COUNT].values if COUNT in dataset.variables else dataset.attrs.get(COUNT, shape[1])
    counts = np.asarray(declared)
    if counts.ndim == 0:
        counts = np.full(shape[0], counts)
    if counts.shape != shape[:1]:
        raise ValueError(f"{COUNT} has shape {counts.shape}; it needs one count for each of {shape[0]} horizons")
    for h, count in enumerate(counts):
        if not (count == int(count) and 0 <= count <= shape[1]):
            raise ValueError(f"{COUNT}[{h}] is {count}, not a whole number from 0 to {shape[1]}")
    return counts.astype(np.int64)
