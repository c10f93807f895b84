"""Contraction of disagreement, measured exactly, beside what published bounds promise.

Write ``Phi = W_(s+T-1) ... W_s`` for T rounds from round s on, and ``J = 11^T/N``. Three measures are in use:

- ``||Phi - J||_2``, the factor by which disagreement shrinks at worst (`mdp.network.disagreement_norm`);
- ``max_i ||Phi(i, :) - 1/N||_2``, the row deviation of zhang2025;
- ``max_ij |Phi_ij - 1/N|``, the entry deviation of Nedic and Ozdaglar (2009).

`contraction_table` computes all three for a schedule and sets each bound beside the measure it speaks of, with its
slack and with the hypotheses it needs.

(Longer than most files here: the proofs of `cut_bound` and `path_bound` are in their docstrings.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from mdp.linear import identity_like
from mdp.network import (
    DisconnectedScheduleError,
    Schedule,
    disagreement_norm,
    require_connected,
    require_doubly_stochastic,
)
from mdp.validate import as_float_array

NORMALITY_TOLERANCE = 1e-13
"""Largest entry of ``W W^T - W^T W`` that counts as rounding; ours, two decades above it at N = 100."""


def product(matrices: np.ndarray, rounds: int, start: int = 0) -> np.ndarray:
    """``Phi``: the product over `rounds` rounds of a periodic sequence, latest factor on the left.

    Args:
        matrices: (B, N, N), floats or rationals.
        rounds: T, nonnegative.
        start: first round.

    Returns:
        Array (N, N), exact for rational input.

    Raises:
        ValueError: `rounds` or `start` negative.
    """
    _require_rounds(rounds, start)
    out = identity_like(matrices, matrices.shape[1])
    for t in range(start, start + rounds):
        out = matrices[t % len(matrices)] @ out
    return out


def deviation(matrices: np.ndarray, rounds: int, start: int = 0) -> np.ndarray:
    """``Phi - J``, computed as the product of ``W_t - J``, which keeps its relative accuracy as it decays.

    Args:
        matrices: (B, N, N), doubly stochastic, floats or rationals.
        rounds: T, nonnegative.
        start: first round.

    Returns:
        Array (N, N), exact for rational input.

    Raises:
        ValueError: `rounds` or `start` negative.
    """
    _require_rounds(rounds, start)
    identity = identity_like(matrices, matrices.shape[1])
    mean = (identity[0, 0] * 0 + 1) / matrices.shape[1]
    out = identity - mean
    for t in range(start, start + rounds):
        out = (matrices[t % len(matrices)] - mean) @ out
    return out


def round_contractions(schedule: Schedule) -> Float[np.ndarray, " B"]:
    """``||W_t - J||_2`` of each round; one where a round alone contracts nothing.

    Args:
        schedule: the schedule.

    Returns:
        Array (B,).
    """
    return np.array([disagreement_norm(W) for W in schedule.matrices])


def window_contractions(schedule: Schedule) -> Float[np.ndarray, " B"]:
    """``||Phi - J||_2`` over one period, from each round of the period on.

    Args:
        schedule: the schedule.

    Returns:
        Array (B,); entry 0 is ``schedule.contraction``.
    """
    period = schedule.period
    return np.array([np.linalg.norm(deviation(schedule.matrices, period, s), 2) for s in range(period)])


def asymptotic_rate(schedule: Schedule) -> float:
    """Factor per round in the long run: the spectral radius of ``Phi - J`` over a period, to the power 1/B.

    It does not depend on where the period starts. Powers decay no slower than this, whatever the norm.

    Args:
        schedule: the schedule.

    Source: Gelfand's formula; Horn and Johnson (2013), Matrix Analysis, Corollary 5.6.14.
    """
    radius = np.abs(np.linalg.eigvals(deviation(schedule.matrices, schedule.period))).max()
    return float(radius ** (1.0 / schedule.period))


def ergodic_coefficient(W: np.ndarray) -> float:
    """Dobrushin's coefficient ``max_ij (1/2) sum_k |W_ik - W_jk|``, exact (as a rational) for rational input.

    It is submultiplicative, bounds every eigenvalue but the one at 1, and is below one exactly when any two rows
    share a column where both are positive.

    Args:
        W: row stochastic, (N, N), floats or rationals.

    Source: Dobrushin (1956); Seneta (2006), Non-negative Matrices and Markov Chains, Sec. 4.3.
    """
    rows = range(len(W))
    value: float = max(abs(W[i] - W[j]).sum() / 2 for i in rows for j in rows)
    return value


def connectivity_window(matrices: np.ndarray) -> int:
    """Least b such that the links of any b consecutive rounds of the periodic sequence connect all agents.

    Args:
        matrices: (B, N, N), nonnegative.

    Raises:
        DisconnectedScheduleError: not even a whole period does.
    """
    require_connected(matrices)
    return next(b for b in range(1, len(matrices) + 1) if all(map(_connected, _windows(matrices, b))))


def intercommunication_interval(matrices: np.ndarray) -> int:
    """Least b such that every link that is ever used is used in any b consecutive rounds.

    Args:
        matrices: (B, N, N), nonnegative.

    Source: Nedic and Ozdaglar (2009), IEEE TAC 54(1), Assumption 3 (bounded intercommunication interval).
    """
    used = (matrices > 0).any(axis=0)
    lengths = range(1, len(matrices) + 1)
    return next(b for b in lengths if all((((w > 0).any(axis=0)) == used).all() for w in _windows(matrices, b)))


def cut_bound(n_agents: int, min_weight: float) -> float:
    r"""Ours: ``||Phi - J||_2`` over a connected window is at most ``sqrt(1 - 8 c (1-c) sin^2(pi / 2N))``.

    Needs doubly stochastic matrices whose positive entries and diagonals are at least c, and connected links over
    the window. Proof. Sort x at the start of the window, ``x_1 >= ... >= x_N``. Let t_d be the first round whose
    links cross the cut between the d-th and the (d+1)-th agent; until then values on its left stay at least x_d and
    those on its right at most x_(d+1). A round shrinks ``||x - mean||^2`` by
    ``sum_(i<j) (W^T W)_ij (x_i - x_j)^2``. The weight of ``W^T W`` across a cut S is ``sum_k a_k (1 - a_k)`` with
    ``a_k = sum_(i in S) W_ki``. A doubly stochastic matrix carries as much weight out of S as into it, so if S is
    crossed there is a row in S and one outside it with ``c <= a_k <= 1 - c`` (own weight on one side, the crossing
    weight on the other): the cut has weight at least ``2 c (1 - c)``. In round t take the cuts with t_d = t. A pair
    of agents lies at least as far apart as the sum of the gaps ``x_d - x_(d+1)`` of those it straddles, hence its
    square is at least the sum of their squares. Summed over the window, the decrease is at least
    ``2 c (1 - c) sum_d (x_d - x_(d+1))^2 >= 2 c (1 - c) 4 sin^2(pi / 2N) ||x - mean||^2``, the last factor being
    the least positive eigenvalue of a path's Laplacian. Equality for N = 2.

    Args:
        n_agents: N, at least 2.
        min_weight: c, the least positive weight, in (0, 1].

    Raises:
        ValueError: an argument out of range.
    """
    _require_bound_arguments(n_agents, min_weight)
    square = 1 - 8 * min_weight * (1 - min_weight) * np.sin(np.pi / (2 * n_agents)) ** 2
    return float(np.sqrt(max(square, 0.0)))  # zero, up to rounding, for two agents that average fully


def path_bound(n_agents: int, min_weight: float) -> float:
    r"""Ours, sharp: ``||Phi - J||_2`` over a connected window is at most ``1 - 4 c sin^2(pi / 2N)``.

    Hypotheses as for `cut_bound`, which it improves for every N above 2. Equality: one round ``I - c L`` on a path,
    c up to 1/3; for c = 1/2 a directed ring with ``(I + shift) / 2``, or a path whose pairs average, every other pair
    in one round and the rest in the next.

    Proof. Let ``Phi(S, S')`` be the sum of the entries with row in S and column in S', ``k = |S|``, ``l = |S'|``. It is
    at most ``min(k, l)``. *If k = l lies strictly between 0 and N it is at most k - c*: the indicator of S' stays put
    until the first round W that crosses S'. There ``k - W(S, S')`` is the weight from S to the complement of S'; that
    is at least c if S = S' (weight crosses both ways, since as much leaves S' as enters it), and else because it
    contains the self weight of an agent in S but not in S'. So the k largest values then sum to at most k - c, and
    averaging by doubly stochastic matrices never raises that sum. The bounds on ``Phi(S, S')`` are the values for
    ``S = {1..k}, S' = {1..l}`` of the symmetric matrix ``W_0 = I - c L``, L the Laplacian of a path. Take y and x of
    mean zero; each is a constant plus a nonnegative combination of indicators of its top k agents, so
    ``y^T Phi x <= y'^T W_0 x'`` with y', x' sorted, and ``||Phi - J|| <= ||W_0 - J||``. The eigenvalues of L lie in
    ``[a, 4 - a]``, ``a = 4 sin^2(pi / 2N)``, zero aside, and c is at most 1/2 (a crossing row holds two entries), so
    ``||W_0 - J|| = 1 - c a``.

    Args:
        n_agents: N, at least 2.
        min_weight: c, the least positive weight, in (0, 1]; above 1/2 no window is connected.

    Raises:
        ValueError: an argument out of range.

    Source: ours.
    """
    _require_bound_arguments(n_agents, min_weight)
    return float(max(1 - 4 * min_weight * np.sin(np.pi / (2 * n_agents)) ** 2, 0.0))


def quadratic_bound(n_agents: int, min_weight: float) -> float:
    """``||Phi - J||_2`` over a connected window is at most ``sqrt(1 - eta / (2 N^2))``.

    Args:
        n_agents: N, at least 2.
        min_weight: eta, in (0, 1].

    Raises:
        ValueError: an argument out of range.

    Source: Nedic, Olshevsky, Ozdaglar and Tsitsiklis (2009), IEEE TAC 54(11): the factor on the squared deviation per
        window; cited by zeng2022 Sec. 3.2.
    """
    _require_bound_arguments(n_agents, min_weight)
    return float(np.sqrt(1 - min_weight / (2 * n_agents**2)))


def entry_bound(n_agents: int, min_weight: float, interval: int, rounds: int) -> float:
    """``max_ij |Phi_ij - 1/N| <= 2 (1 + eta^-B0) / (1 - eta^B0) (1 - eta^B0)^((T-1) / B0)``, ``B0 = (N-1) B``.

    Their Phi(k, s) has the T = k - s + 1 factors A(s), ..., A(k), which is why T - 1 = k - s stands in the exponent.

    Args:
        n_agents: N, at least 2.
        min_weight: eta, in (0, 1).
        interval: B, see `intercommunication_interval`.
        rounds: T, at least one.

    Raises:
        ValueError: an argument out of range.

    Source: Nedic and Ozdaglar (2009), IEEE TAC 54(1), Proposition 1(b).
    """
    _require_bound_arguments(n_agents, min_weight)
    if min_weight >= 1 or interval < 1 or rounds < 1:
        raise ValueError(f"eta = {min_weight:g}, B = {interval}, T = {rounds}: eta lies below 1, B and T above 0")
    exponent = (n_agents - 1) * interval
    log_base = exponent * np.log(min_weight)
    base = np.exp(log_base)
    with np.errstate(over="ignore"):  # eta^-B0 overflows for long intervals: the bound is then infinite
        factor = 2 * (1 + np.exp(-log_base)) / (1 - base)
    return float(factor * np.exp(np.log1p(-base) * (rounds - 1) / exponent))


def papers_bound(n_agents: int, min_weight: float, rounds: int) -> float:
    """``max_i ||Phi(i, :) - 1/N||_2 <= sqrt(1 - 1/N) (1 - eta^(N-1))^T`` when every round is connected.

    zhang2025 states the rate up to a constant; `path_bound` implies it with this one, since
    ``4 sin^2(pi / 2N) >= 4 / N^2 >= 2^(2-N) >= eta^(N-2)`` for N of at least 4 and eta up to 1/2, and the left-hand
    side is 2 and 1 for N = 2 and 3.

    Args:
        n_agents: N, at least 2.
        min_weight: eta, in (0, 1].
        rounds: T.

    Raises:
        ValueError: an argument out of range.

    Source: zhang2025 Appendix C, Eqs. (20) and (26); the constant is ours.
    """
    _require_bound_arguments(n_agents, min_weight)
    return float(np.sqrt(1 - 1 / n_agents) * (1 - min_weight ** (n_agents - 1)) ** rounds)


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


def contraction_table(
    schedule: Schedule | np.ndarray, rounds: int | None = None, start: int = 0
) -> ContractionTable:
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
        ("quadratic", "Nedic, Olshevsky, Ozdaglar and Tsitsiklis (2009)", "norm",
         quadratic_bound(N, eta) ** periods, reason),
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


def _windows(matrices: np.ndarray, length: int) -> list[np.ndarray]:
    return [np.roll(matrices, -s, axis=0)[:length] for s in range(len(matrices))]


def _connected(matrices: np.ndarray) -> bool:
    try:
        require_connected(matrices)
    except DisconnectedScheduleError:
        return False
    return True


def _require_rounds(rounds: int, start: int) -> None:
    if rounds < 0 or start < 0:
        raise ValueError(f"rounds is {rounds} and start is {start}; neither is negative")


def _require_bound_arguments(n_agents: int, min_weight: float) -> None:
    if n_agents < 2:
        raise ValueError(f"n_agents is {n_agents}; disagreement needs at least 2")
    if not 0 < min_weight <= 1:
        raise ValueError(f"min_weight is {min_weight:g}; it lies in (0, 1]")
