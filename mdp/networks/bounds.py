"""Bounds on the contraction over a window that know only N, the least weight and the connectivity.

`mdp.networks.contraction` sets them beside what a schedule does. The proofs of ours are in their docstrings.
"""

from __future__ import annotations

import numpy as np


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


def _require_bound_arguments(n_agents: int, min_weight: float) -> None:
    if n_agents < 2:
        raise ValueError(f"n_agents is {n_agents}; disagreement needs at least 2")
    if not 0 < min_weight <= 1:
        raise ValueError(f"min_weight is {min_weight:g}; it lies in (0, 1]")
