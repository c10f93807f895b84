"""State and sum of states of a periodic affine recursion after very many steps, by doubling.

Maps come as ``E = G - I``. As long as G is near the identity its powers are doubled as ``2 E + E^2``, which keeps the
relative accuracy of a decay of 10^-12 per step; once a power has contracted, the power itself is squared, which
keeps what is left of the start accurate next to a small limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat

from rates.moments.blocks import Moments

CONTRACTED = 0.5
"""Largest row sum of a power from which on it is squared as it is; ours."""


@dataclass(frozen=True, eq=False)
class Path:
    """The state after T steps and the sum of the T states before.

    Attributes:
        state: at time T.
        total: sum over t < T.
    """

    state: np.ndarray
    total: np.ndarray


def period_map(steps: tuple[Any, ...]) -> tuple[Any, Any]:
    """``G - I`` over one period, and the matrix that sums the states inside a period from its first.

    Args:
        steps: ``G_b - I`` per phase, arrays or `arb_mat`.
    """
    size = steps[0].nrows() if isinstance(steps[0], arb_mat) else len(steps[0])
    eye: Any = np.eye(size)
    if isinstance(steps[0], arb_mat):
        eye = arb_mat(eye.astype(int).tolist())
    E, inside = steps[0], eye
    for step in steps[1:]:
        inside = inside + eye + E
        E = E + step + step @ E if isinstance(E, np.ndarray) else E + step + step * E
    return E, inside


def run(map_: Moments, horizon: int) -> Path:
    """State and sum after `horizon` steps, over floats.

    Args:
        map_: the recursion.
        horizon: T, nonnegative.

    Raises:
        OverflowError: the moments leave the floats before T (the step size is not mean-square stable).
    """
    n_periods, rest = divmod(horizon, len(map_.steps))
    with np.errstate(over="ignore", invalid="ignore"):
        E, inside = period_map(map_.steps)
        state, total = _doubled(E, map_.start, n_periods, map_.constant)
        total = inside @ total
        for step in map_.steps[:rest]:
            total = total + state
            state = state + step @ state
    if not (np.isfinite(state).all() and np.isfinite(total).all()):
        raise OverflowError(
            f"the second moments leave the floats before T = {horizon}: the step size is not mean-square stable"
        )
    return Path(state, total)


def _doubled(E: np.ndarray, state: np.ndarray, count: int, constant: int) -> tuple[np.ndarray, np.ndarray]:
    """State after `count` steps of ``I + E``, and the sum of the states before."""
    summed = np.eye(len(E))  # sum of the first 2^k powers
    total, power, near = np.zeros_like(state), E, True
    moving = np.delete(np.arange(len(E)), constant)
    block = np.ix_(moving, moving)
    while count:
        if near and np.abs(power[block] + np.eye(len(moving))).sum(axis=1).max() < CONTRACTED:
            near, power = False, power + np.eye(len(E))
        if count & 1:
            total = total + summed @ state
            state = state + power @ state if near else power @ state
        count >>= 1
        if count:
            summed = 2 * summed + power @ summed if near else summed + power @ summed
            power = 2 * power + power @ power if near else power @ power
    return state, total


def enclose_run(map_: Moments, horizon: int) -> Path:
    """As `run` over balls, by another route: powers by squaring, sums by a linear solve.

    With ``y`` the moving coordinates, ``y' = y + F y + c``: the limit solves ``F y* = -c``, and
    ``sum_{t<T} y_t = T y* - F^{-1} (y_0 - y_T)``. Call it under the working precision wanted.

    Args:
        map_: the recursion over `flint.arb`.
        horizon: T, nonnegative.

    Raises:
        ZeroDivisionError: ``F`` cannot be told from a singular matrix at this precision.
    """
    n_periods, rest = divmod(horizon, len(map_.steps))
    steps = tuple(arb_mat(step.tolist()) for step in map_.steps)
    E, inside = period_map(steps)
    size = E.nrows()
    eye = arb_mat(np.eye(size, dtype=int).tolist())
    start = _column(map_.start)
    state, power, count = start, E + eye, n_periods
    while count:
        if count & 1:
            state = power * state
        count >>= 1
        if count:
            power = power * power
    moving = [k for k in range(size) if k != map_.constant]
    table = E.tolist()
    F = arb_mat([[table[i][j] for j in moving] for i in moving])
    c = [table[i][map_.constant] for i in moving]
    first, last = _entries(start), _entries(state)
    solved = F.solve(arb_mat([[-c[k], first[i] - last[i]] for k, i in enumerate(moving)])).tolist()
    total = [arb(n_periods)] * size
    for k, i in enumerate(moving):
        total[i] = n_periods * solved[k][0] - solved[k][1]
    summed = inside * _column(np.array(total, dtype=object))
    for step in steps[:rest]:
        summed = summed + state
        state = state + step * state
    return Path(np.array(_entries(state), dtype=object), np.array(_entries(summed), dtype=object))


def limit_state(map_: Moments) -> np.ndarray:
    """States at rest, averaged over the phases of a period, as a flat vector.

    Args:
        map_: a mean-square stable recursion over floats.
    """
    E, inside = period_map(map_.steps)
    moving = np.delete(np.arange(len(E)), map_.constant)
    state = np.zeros(len(E))
    state[map_.constant] = 1.0
    state[moving] = np.linalg.solve(E[np.ix_(moving, moving)], -E[moving, map_.constant])
    average: np.ndarray = inside @ state / len(map_.steps)
    return average


def transient_sum(map_: Moments) -> np.ndarray:
    """Sum over all times of the deviations from rest, which the start alone causes, as a flat vector.

    Args:
        map_: a mean-square stable recursion over floats that nothing drives (at rest it is zero).
    """
    E, inside = period_map(map_.steps)
    moving = np.delete(np.arange(len(E)), map_.constant)
    summed = np.zeros(len(E))
    summed[moving] = -np.linalg.solve(E[np.ix_(moving, moving)], map_.start[moving])
    total: np.ndarray = inside @ summed
    return total


def spectral_radius(map_: Moments) -> float:
    """Largest modulus of the eigenvalues of the period map, the constant coordinate left out.

    Args:
        map_: the recursion over floats.
    """
    return float(np.sqrt(1 + max(_moving_growth(map_), -1.0)))


def growth(E: np.ndarray) -> float:
    """``max |1 + x|^2 - 1`` over the eigenvalues x of ``E = G - I``: negative iff G contracts, also when E is tiny.

    Args:
        E: a square float matrix, (n, n).
    """
    values = np.linalg.eigvals(E)
    return float((2 * values.real + np.abs(values) ** 2).max(initial=-1.0))


def is_stable(map_: Moments) -> bool:
    """Whether the recursion forgets its start.

    Args:
        map_: the recursion over floats.
    """
    return _moving_growth(map_) < 0


def _moving_growth(map_: Moments) -> float:
    E, _ = period_map(map_.steps)
    moving = np.delete(np.arange(len(E)), map_.constant)
    return growth(E[np.ix_(moving, moving)])


def _column(values: np.ndarray) -> arb_mat:
    return arb_mat([[x] for x in values])


def _entries(column: arb_mat) -> list[Any]:
    return [row[0] for row in column.tolist()]
