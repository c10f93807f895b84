"""Every bound on the contraction of a schedule beside what it bounds, with its slack and the hypotheses it needs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mdp.networks.bounds import cut_bound, entry_bound, papers_bound, path_bound, quadratic_bound
from mdp.networks.contraction import connectivity_window, deviation, ergodic_coefficient, intercommunication_interval
from mdp.networks.schedule import DisconnectedScheduleError, Schedule, disagreement_norm, require_doubly_stochastic
from mdp.validate import as_float_array

NORMALITY_TOLERANCE = 1e-13
"""Largest entry of ``W W^T - W^T W`` that counts as rounding; ours, two decades above it at N = 100."""


@dataclass(frozen=True)
class BoundRow:
    """One published bound beside what it bounds.

    Attributes:
        name: short name.
        source: paper and number.
        quantity: which of the three measures it speaks of: ``"norm"``, ``"row"`` or ``"entry"``.
        bound: its value for the table's rounds; NaN where its formula has none.
        measured: the measure.
        applies: whether its hypotheses hold.
        reason: which hypothesis fails; empty when it applies.
    """

    name: str
    source: str
    quantity: str
    bound: float
    measured: float
    applies: bool
    reason: str

    @property
    def slack(self) -> float:
        """``bound - measured``; negative when the bound is violated."""
        return self.bound - self.measured


@dataclass(frozen=True)
class ContractionTable:
    """The menu of bounds for one schedule.

    Attributes:
        n_agents: N.
        min_weight: least positive entry of all matrices.
        window: `connectivity_window`, or zero for a disconnected sequence.
        interval: `intercommunication_interval`.
        start: first round.
        rounds: T.
        rounding: first-order bound on the error of each measure, ``2 N (T + 10)`` units in the last place of one.
        rows: one row per bound.
    """

    n_agents: int
    min_weight: float
    window: int
    interval: int
    start: int
    rounds: int
    rounding: float
    rows: tuple[BoundRow, ...]

    def row(self, name: str) -> BoundRow:
        """The row of a bound.

        Args:
            name: its name.

        Raises:
            KeyError: there is none; the message lists the names.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no bound is called {name!r}; there are {', '.join(r.name for r in self.rows)}")

    def violated(self) -> tuple[BoundRow, ...]:
        """Rows whose bound lies below the measure by more than rounding, whether or not they apply."""
        return tuple(row for row in self.rows if row.slack < -self.rounding)

    def __str__(self) -> str:
        head = f"N = {self.n_agents}, least weight {self.min_weight:.4g}, {self.rounds} rounds from {self.start} on"
        lines = [
            f"{row.name:<16} {row.quantity:<6} {row.bound:>11.5g} {row.measured:>11.5g} {row.slack:>11.3g} {row.reason}"
            for row in self.rows
        ]
        titles = f"{'bound':<16} {'of':<6} {'value':>11} {'measured':>11} {'slack':>11} why it does not apply"
        return "\n".join([head, titles, *lines])


def contraction_table(schedule: Schedule | np.ndarray, rounds: int | None = None, start: int = 0) -> ContractionTable:
    """Every bound of this module, and the spectral and Dobrushin bounds, beside the measured contraction.

    Args:
        schedule: a schedule, or doubly stochastic matrices (B, N, N) that need not meet a schedule's hypotheses
            (a swap, a disconnected graph): the bounds that need them are then marked.
        rounds: T, at least one; by default one `connectivity_window` (a period if there is none).
        start: first round.

    Returns:
        Rows: ``"entry"`` (Nedic and Ozdaglar), ``"quadratic"`` (Nedic, Olshevsky, Ozdaglar and Tsitsiklis),
        ``"papers"``, ``"singular value"``, ``"eigenvalue"``, ``"dobrushin entry"``, ``"dobrushin norm"``, ``"cut"``,
        ``"path"``.

    Raises:
        ValueError: matrices that are not doubly stochastic, a single agent, `rounds` below one.
    """
    matrices = schedule.matrices if isinstance(schedule, Schedule) else as_float_array("W", schedule, 3)
    for b, W in enumerate(matrices):
        require_doubly_stochastic(W, f"W[{b}]")
    N = matrices.shape[1]
    if N < 2:
        raise ValueError("a single agent has nothing to agree on; the bounds need N of at least 2")
    try:
        window = connectivity_window(matrices)
    except DisconnectedScheduleError:
        window = 0
    T = rounds if rounds is not None else window or len(matrices)
    if T < 1:
        raise ValueError(f"rounds is {T}, not at least one")
    gap = deviation(matrices, T, start)
    measured = {
        "norm": float(np.linalg.norm(gap, 2)),
        "row": float(np.linalg.norm(gap, axis=1).max()),
        "entry": float(np.abs(gap).max()),
    }
    used = [matrices[t % len(matrices)] for t in range(start, start + T)]
    min_weight, interval = float(matrices[matrices > 0].min()), intercommunication_interval(matrices)
    bounds = _weight_bounds(matrices, min_weight, window, interval, T) + _matrix_bounds(matrices, used)
    rows = tuple(
        BoundRow(name, source, quantity, bound, measured[quantity], not reason, reason)
        for name, source, quantity, bound, reason in bounds
    )
    rounding = 2 * N * (T + 10) * float(np.finfo(float).eps)
    return ContractionTable(N, min_weight, window, interval, start, T, rounding, rows)


_Bound = tuple[str, str, str, float, str]
"""Name, source, quantity, value, and the hypothesis that fails (empty if none does)."""


def _weight_bounds(matrices: np.ndarray, eta: float, window: int, interval: int, T: int) -> list[_Bound]:
    """Bounds that know only N, the least weight and the connectivity."""
    N = matrices.shape[1]
    reason = _unmet(matrices, window)
    periods = T // (window or len(matrices))
    entry = entry_bound(N, eta, interval, T) if eta < 1 else float("nan")
    every = reason or ("" if window == 1 else f"needs every round connected; here it takes {window} rounds")
    return [
        ("entry", "Nedic and Ozdaglar (2009), Prop. 1", "entry", entry, reason),
        (
            "quadratic",
            "Nedic, Olshevsky, Ozdaglar and Tsitsiklis (2009)",
            "norm",
            quadratic_bound(N, eta) ** periods,
            reason,
        ),
        ("papers", "zhang2025 Eqs. (20), (26)", "row", papers_bound(N, eta, T), every),
        ("cut", "ours, see cut_bound", "norm", cut_bound(N, eta) ** periods, reason),
        ("path", "ours, see path_bound", "norm", path_bound(N, eta) ** periods, reason),
    ]


def _matrix_bounds(matrices: np.ndarray, used: list[np.ndarray]) -> list[_Bound]:
    """Bounds from the matrices themselves, round by round; they need no connectivity."""
    N, W = matrices.shape[1], matrices[0]
    forward = np.array([ergodic_coefficient(X) for X in used])
    backward = np.array([ergodic_coefficient(X.T) for X in used])
    modulus = float(np.abs(np.linalg.eigvals(W - 1.0 / N)).max())
    reason = ""
    if any((a != b).any() for a, b in pairwise(matrices)):
        reason = "needs a fixed matrix"
    elif np.abs(W @ W.T - W.T @ W).max() > NORMALITY_TOLERANCE:
        reason = "needs a normal matrix (symmetric, say): W W^T differs from W^T W"
    singular = float(np.prod([disagreement_norm(X) for X in used]))
    return [
        ("singular value", "submultiplicativity; Xiao and Boyd (2004), Sec. 2", "norm", singular, ""),
        ("eigenvalue", "spectral theorem; Xiao and Boyd (2004), Sec. 2", "norm", modulus ** len(used), reason),
        # a mean-one column with spread s has no entry further than (1 - 1/N) s from its mean
        ("dobrushin entry", "Dobrushin (1956)", "entry", float((1 - 1 / N) * forward.prod()), ""),
        # ||W - J||^2 is the spectral radius of W^T W - J, at most the coefficient of W^T W
        ("dobrushin norm", "Dobrushin (1956), of W and of W^T", "norm", float(np.sqrt(forward * backward).prod()), ""),
    ]


def _unmet(matrices: np.ndarray, window: int) -> str:
    """Which of connectivity and self weights fails, in words; empty if both hold."""
    if window == 0:
        return "needs a connected sequence of graphs"
    idle = np.argwhere(np.diagonal(matrices, axis1=1, axis2=2) <= 0)
    if idle.size:
        b, i = map(int, idle[0])
        return f"needs positive self weights: W[{b}][{i}, {i}] is 0"
    return ""
