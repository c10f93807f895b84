"""Step sizes for which N agents with any periodic consensus stay bounded in mean square.

The moment map splits into the average agent (which sees neither W nor N: its range is that of
`mdp.td_stability.mean_square_range`) and the disagreement; the cross moments lie between by Cauchy-Schwarz. Consensus
can cost range: a mode of W with eigenvalue v moves like ``v + beta A_t`` instead of ``1 + beta A_t``, so where A_t
hardly varies the limit is ``(1 + v) / |A|`` instead of ``2 / |A|``, and the disagreement binds. Where the samples'
spread dominates, ``(v + beta A_t)^2`` starts further below one than ``(1 + beta A_t)^2``, and the average agent binds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from flint import arb_mat, ctx

from rates.moments.blocks import moments
from rates.moments.linear import LinearMoments
from rates.moments.outcomes import Outcomes
from rates.moments.powers import growth, period_map
from rates.moments.system import System, ball_view
from rates.moments.tensors import Part, parts

CERTIFIED_SIZE = 160
"""Largest number of second moments for which a range is certified; ours: a second of ball arithmetic."""

CERTIFICATE_BITS = 192
"""Precision of the certificate; ours."""

SCAN = 48
"""Step sizes tried over twelve octaves before bisection; ours."""


@dataclass(frozen=True)
class AgentsStepRange:
    """Step sizes of mean-square stability of N agents: from 0 up to the first limit.

    For the average agent under i.i.d. samples the stable steps are an interval (`mdp.td_stability`); for the
    disagreement no such argument is known to us, and `limit` is the first crossing found on a grid, then bisected.

    Attributes:
        limit: least of the two limits; 0 when no step is stable.
        average_limit: of the average agent, whatever N and W.
        disagreement_limit: of the disagreement; infinite for one agent.
        binding: which of the two is the least.
        low: a stable step size just below, or 0.
        high: an unstable one just above.
        certified: whether `low` and `high` were proved in ball arithmetic (i.i.d. samples of moderate size).
    """

    limit: float
    average_limit: float
    disagreement_limit: float
    binding: Literal["average", "disagreement"]
    low: float
    high: float
    certified: bool


def step_range(model: LinearMoments, *, tolerance: float = 1e-9) -> AgentsStepRange:
    """Step sizes for which the second moments of `model` stay bounded; its own step size plays no part.

    The certificate: the moment map Phi keeps the semidefinite cone, so its radius is below one iff the solution of
    ``X - Phi(X) = I`` is positive definite (Stein). At ``limit (1 -+ tolerance)`` the system is solved in balls and
    every pivot of X has a certain sign.

    Args:
        model: any recursion of this package.
        tolerance: relative half-width of the bracket.

    Raises:
        ValueError: tolerance outside (0, 1/2).

    Source: ours; for one agent see `mdp.td_stability.mean_square_range`.
    """
    if not 0 < tolerance < 0.5:
        raise ValueError(f"tolerance is {tolerance}; it lies in (0, 1/2)")
    table = model.system.table
    if np.linalg.eigvals(table.mean_matrix).real.max() >= 0:
        return AgentsStepRange(0.0, 0.0, 0.0, "average", 0.0, 0.0, False)
    chosen = parts(table, model.system.matrices, model.fixed_point)
    limits = [np.inf if part is None else _first_limit(table, part) for part in chosen]
    limit = min(limits)
    low, high = limit * (1 - tolerance), limit * (1 + tolerance)
    certified = model.sampling == "iid" and _certified(model, limits.index(limit), low, high)
    binding: Literal["average", "disagreement"] = "average" if limits[0] <= limits[1] else "disagreement"
    return AgentsStepRange(limit, limits[0], limits[1], binding, low, high, certified)


def _growth(table: Outcomes, part: Part, beta: float) -> float:
    E, second = _second_moment_map(table, part, beta)
    return growth(E[:second, :second])


def _second_moment_map(table: Outcomes, part: Part, beta: Any) -> tuple[Any, int]:
    """Period map (minus the identity) and the number of coordinates of the second moment, which come first."""
    zero = np.zeros((part.V.shape[1], table.direction.shape[1]), dtype=table.direction.dtype)
    zero[...] = table.direction[0, 0] * 0
    built = moments(table, part, part, beta, (zero, zero))
    steps: Any = built.steps
    if table.direction.dtype == object:
        steps = tuple(arb_mat(step.tolist()) for step in steps)
    return period_map(steps)[0], built.n_modes * len(built.rows[0])


def _first_limit(table: Outcomes, part: Part) -> float:
    """First step size of an increasing grid at which the part is unstable, bisected to rounding."""
    high = 1.0
    while _growth(table, part, high) < 0:
        high *= 2
    grid = high * np.geomspace(2.0**-12, 1.0, SCAN)
    while _growth(table, part, grid[0]) >= 0:
        grid = grid * 2.0**-12
    unstable = next(k for k, beta in enumerate(grid) if _growth(table, part, float(beta)) >= 0)
    low, high = float(grid[unstable - 1]), float(grid[unstable])
    for _ in range(60):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _growth(table, part, middle) < 0 else (low, middle)
    return (low + high) / 2


def _certified(model: LinearMoments, which: int, low: float, high: float) -> bool:
    """Whether the part that binds is certainly unstable at `high`, and both parts certainly stable at `low`."""
    n = max(1, model.n_agents - 1) * model.fixed_point.size
    if n * (n + 1) // 2 > CERTIFIED_SIZE:
        return False
    with ctx.workprec(CERTIFICATE_BITS):
        system = System.build(ball_view(model.view, CERTIFICATE_BITS), model, CERTIFICATE_BITS)
        # exactly one, or the map would not keep the cone by a rounding
        table = replace(system.table, weight=system.table.weight / system.table.weight.sum())
        chosen = [p for p in parts(table, system.matrices, system.centre) if p is not None]
        stable = all(_definite(table, part, low) is True for part in chosen)
        return stable and _definite(table, chosen[which], high) is False


def _definite(table: Outcomes, part: Part, beta: float) -> bool | None:
    """Whether ``X - Phi(X) = I`` has a positive definite solution; None if this precision cannot tell."""
    E, second = _second_moment_map(table, part, table.direction[0, 0] * 0 + beta)
    size = part.V.shape[1] * table.direction.shape[1]
    rows = np.triu_indices(size)
    F = arb_mat([row[:second] for row in E.tolist()[:second]])
    try:
        solved = F.solve(arb_mat([[-int(i == j)] for i, j in zip(*rows, strict=True)])).tolist()
    except ZeroDivisionError:
        return None
    X = np.empty((size, size), dtype=object)
    for (i, j), (value,) in zip(zip(*rows, strict=True), solved, strict=True):
        X[i, j] = X[j, i] = value
    for k in range(size):
        if X[k, k] < 0:
            return False
        if not X[k, k] > 0:
            return None
        X[k + 1 :, k + 1 :] = X[k + 1 :, k + 1 :] - np.outer(X[k + 1 :, k], X[k, k + 1 :]) / X[k, k]
    return True
