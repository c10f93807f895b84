"""Float stages of a search: random and coarse-grid samples, differential evolution, local polishing."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

KEPT = 6
"""Best points remembered for polishing and rounding; ours."""

PENALTY = 1e30
"""What the optimisers see where the statement is undefined; finite, since they subtract values."""

GRID = (1, 1, 2, 3, 4)
"""Denominators of the coarse grids; ours. Small counterexamples tend to sit on them, at zeros and ones first."""

SPARSITY = (0.0, 0.3, 0.6, 0.0, 0.8, 0.5)
"""Shares of coordinates that grid points set to zero, or to the end next to it, in turn; ours: sparse kernels,
paths among graphs."""

POPULATION = 40
"""Members of the differential evolution at most; ours: many generations matter more than many members."""


class SpentError(Exception):
    """The share of the budget is used up. No ValueError: scipy would take that for a fault of the function."""


class Objective:
    """The value to maximise over a box: counts evaluations, and remembers the best points.

    Args:
        value: maps parameters to the value; None where undefined.
        low: lower ends, floats.
        high: upper ends.
        limit: evaluations allowed.
        expired: whether wall time has run out.
    """

    def __init__(
        self,
        value: Callable[[np.ndarray], float | None],
        low: np.ndarray,
        high: np.ndarray,
        limit: int,
        expired: Callable[[], bool],
    ) -> None:
        self.low, self.high, self.limit, self.count = low, high, limit, 0
        self.free = low < high
        self._value, self._expired, self._serial = value, expired, 0
        self._kept: list[tuple[float, int, np.ndarray]] = []

    def negative(self, coordinates: np.ndarray) -> float:
        """Minus the value, as a function of the free coordinates.

        Args:
            coordinates: those with room between their ends, a flat vector.

        Raises:
            SpentError: no evaluations or time left.
        """
        if self.count >= self.limit or self._expired():
            raise SpentError
        self.count += 1
        point = self.low.copy()
        # optimisers step over the ends by a rounding error
        point[self.free] = np.clip(coordinates, self.low[self.free], self.high[self.free])
        value = self._value(point)
        if value is None:
            return PENALTY
        self._serial += 1
        entry = (value, -self._serial, point)
        if len(self._kept) < KEPT:
            heapq.heappush(self._kept, entry)
        elif value > self._kept[0][0]:
            heapq.heapreplace(self._kept, entry)
        return -value

    @property
    def best(self) -> list[tuple[float, np.ndarray]]:
        """The best points with their values, best first, as flat vectors."""
        return [(value, point) for value, _, point in sorted(self._kept, key=lambda e: (-e[0], -e[1]))]


def sample(objective: Objective, rng: np.random.Generator, count: int) -> None:
    """Random points: uniform in the box, and on coarse grids, in turn.

    Args:
        objective: evaluated.
        rng: randomness.
        count: points.
    """
    low, high = objective.low[objective.free], objective.high[objective.free]
    for k in range(count):
        uniform = rng.uniform(low, high)
        if k % 2 == 0:
            objective.negative(uniform)
            continue
        d = GRID[(k // 2) % len(GRID)]
        first, last = np.ceil(low * d), np.floor(high * d)
        on_grid = (first + np.floor(rng.uniform(size=low.size) * (last - first + 1))) / d
        zeros = rng.uniform(size=low.size) < SPARSITY[(k // 2) % len(SPARSITY)]
        point = np.where(first <= last, on_grid, uniform)
        objective.negative(np.where(zeros, np.clip(0.0, low, high), point))


def evolve(objective: Objective, rng: np.random.Generator, count: int) -> None:
    """Differential evolution from the best points and random ones.

    Args:
        objective: evaluated.
        rng: randomness.
        count: evaluations, about.
    """
    from scipy.optimize import differential_evolution

    low, high = objective.low[objective.free], objective.high[objective.free]
    members = int(np.clip(5 * low.size, 8, POPULATION))
    if count < 3 * members:
        return
    start = rng.uniform(low, high, (members, low.size))
    for k, (_, point) in enumerate(objective.best):
        start[k] = point[objective.free]
    differential_evolution(
        objective.negative, list(zip(low, high, strict=True)), init=start, maxiter=count // members - 1, tol=0,
        polish=False, seed=rng,  # `rng` only exists from scipy 1.15 on
    )


def polish(objective: Objective, count: int, starts: int = 2) -> None:
    """Local climbs from the best points: L-BFGS-B on numerical gradients, then Nelder-Mead, which needs none.

    Args:
        objective: evaluated.
        count: evaluations, about.
        starts: how many of the best points.
    """
    from scipy.optimize import minimize

    low, high = objective.low[objective.free], objective.high[objective.free]
    ends, each = list(zip(low, high, strict=True)), max(count // (2 * starts), 1)
    for _, point in objective.best[:starts]:
        start = point[objective.free]
        climbed = minimize(objective.negative, start, method="L-BFGS-B", bounds=ends, options={"maxfun": each})
        if climbed.fun < objective.negative(start):
            start = np.clip(climbed.x, low, high)
        minimize(objective.negative, start, method="Nelder-Mead", bounds=ends, options={"maxfev": each})


def explore(objective: Objective, rng: np.random.Generator) -> bool:
    """All stages within the objective's limit: 40 % samples, 40 % evolution, the rest polishing.

    Args:
        objective: evaluated.
        rng: randomness.

    Returns:
        Whether the search ended by itself, rather than by running out of evaluations or time.
    """
    share = max(objective.limit * 2 // 5, 1)
    try:
        if not objective.free.any():
            objective.negative(objective.low[objective.free])
            return True
        sample(objective, rng, share)
        evolve(objective, rng, share)
        polish(objective, objective.limit - objective.count)
    except SpentError:
        return False
    return True
