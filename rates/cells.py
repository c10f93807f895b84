"""The grid of a sweep: horizons, seeds per horizon, and the cells (horizon x block of seeds) they are cut into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

Run = Callable[[int, np.random.SeedSequence], Mapping[str, float]]
"""Runs one experiment at a horizon with a seed and returns its metrics by name."""

SeedCounts = int | Sequence[int] | Mapping[int, int]
"""Repetitions: one number for all horizons, one per horizon in order, or one by horizon."""

Values = dict[str, list[float]]
"""What a cell holds: for each metric one number per seed."""


@dataclass(frozen=True)
class Cell:
    """A piece of work of a sweep: one horizon, consecutive seeds.

    Attributes:
        index: position in the sweep, from 0.
        horizon: T.
        first: index of the first seed.
        count: number of seeds.
    """

    index: int
    horizon: int
    first: int
    count: int

    @property
    def name(self) -> str:
        """File name; sorts by horizon, then by seed."""
        return f"T{self.horizon:013d}-seeds-{self.first:06d}-{self.first + self.count - 1:06d}.json"

    @property
    def iterations(self) -> int:
        """Iterations of all runs of the cell."""
        return self.horizon * self.count


def cut(horizons: Sequence[int], counts: Sequence[int], block: int) -> tuple[Cell, ...]:
    """The cells of a grid, longest horizon first, so that no worker is left with the longest cell at the end.

    Args:
        horizons: validated grid.
        counts: seeds per horizon.
        block: largest number of seeds in a cell.
    """
    pieces = [
        (T, first, min(block, n - first))
        for T, n in sorted(zip(horizons, counts, strict=True), reverse=True)
        for first in range(0, n, block)
    ]
    return tuple(Cell(k, *piece) for k, piece in enumerate(pieces))


def cell_seed(root: int, horizon: int, index: int) -> np.random.SeedSequence:
    """The seed of a run: it depends on nothing but the root, the horizon and the index of the seed.

    Args:
        root: root of all randomness.
        horizon: T.
        index: of the repetition.
    """
    return np.random.SeedSequence(root, spawn_key=(horizon, index))


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
    grid: list[int] = []
    for k, given in enumerate(horizons):
        if not isinstance(given, Real) or not np.isfinite(given) or int(given) != given or given < 1:
            raise ValueError(f"horizons[{k}] is {given}; horizons are positive whole numbers")
        grid.append(int(given))
        if k and grid[k - 1] >= grid[k]:
            raise ValueError(f"horizons[{k}] = {grid[k]} does not exceed horizons[{k - 1}] = {grid[k - 1]}")
    return grid


def require_seed_counts(n_seeds: SeedCounts, grid: Sequence[int]) -> list[int]:
    """Seeds for each horizon of a grid.

    Args:
        n_seeds: one number for all, one per horizon, or a mapping from every horizon.
        grid: validated horizons.

    Raises:
        ValueError: a count is not a positive whole number, or there is not exactly one per horizon.
    """
    if isinstance(n_seeds, Mapping):
        odd = sorted(set(grid) ^ set(n_seeds))
        if odd:
            where = "lacks" if odd[0] in grid else "has the unknown"
            raise ValueError(f"n_seeds {where} horizon {odd[0]}; a mapping has one count per horizon")
        return [require_whole(f"n_seeds[{T}]", n_seeds[T], "a sweep needs at least one") for T in grid]
    if isinstance(n_seeds, int | float | np.number):
        return [require_whole("n_seeds", n_seeds, "a sweep needs at least one")] * len(grid)
    if len(n_seeds) != len(grid):
        raise ValueError(f"n_seeds has {len(n_seeds)} counts for {len(grid)} horizons")
    return [require_whole(f"n_seeds[{k}]", n, "a sweep needs at least one") for k, n in enumerate(n_seeds)]


def require_whole(name: str, value: object, reason: str, least: int = 1) -> int:
    """A whole number of at least `least`.

    Args:
        name: of the argument.
        value: what was given.
        reason: end of the message: what would be right.
        least: smallest value allowed.

    Raises:
        ValueError: naming the argument and its value.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise ValueError(f"{name} is {value!r}; {reason}")
    if not np.isfinite(float(value)) or int(value) != value or value < least:
        raise ValueError(f"{name} is {value}; {reason}")
    return int(value)
