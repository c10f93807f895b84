"""Searches for zhang2025 Eqs. (20), (26), (27) and the consensus rate: agents that gossip.

Claims are generic over floats and rationals. Where a side is irrational its square is compared, or an enclosure of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq, fmpq_mat

from mdp.linear import identity_like, is_exact, rational, to_float
from mdp.networks.bounds import path_bound
from mdp.networks.schedule import disagreement_norm
from verify.search import ConsensusMatrices, Inequality
from verify.search.joined import Pair, Raw, relative_gap
from verify.search.shapes import Array, Arrays

Named = Mapping[str, np.ndarray]
"""Arrays by name."""

ROUNDS = Array("rounds", (), 1, Fraction(399, 100))
"""Gossip rounds: the whole part, from 1 to 3. None at all is the limit of lazy matrices; it would draw the search away
from the rate."""

CRITICS = Arrays(
    (("N", 4), ("D", 2)), (Array("offset", ("N", "D"), -1), Array("W(0)", ("D",), -2, 2), ROUNDS),
    matrices=ConsensusMatrices(4),
)  # fmt: skip
"""Critics of D layers with one parameter each, before gossip."""

TD_BATCHES = Arrays(
    (("M", 2), ("N", 4), ("w", 2)),
    (Array("rewards", ("M", "N")), Array("common", ("M",), -2, 2), Array("psi", ("M", "N", "w"), -1), ROUNDS),
    matrices=ConsensusMatrices(4),
)
"""TD errors ``common_l - r_l^i``, where common = Q - gamma Q' is the same for all agents, and the agents' scores."""


def _gossip(A: np.ndarray, rounds: Any, values: np.ndarray) -> np.ndarray:
    """``A^t values``, round by round.

    Args:
        A: (N, N).
        rounds: t; its whole part counts.
        values: (N, ...).
    """
    for _ in range(int(rounds.item())):
        values = A @ values
    return values


def _deviation(instance: Named) -> np.ndarray:
    """``A^t - 11^T/N``."""
    eye = identity_like(instance["A"], len(instance["A"]))
    power = _gossip(instance["A"], instance["rounds"], eye)
    mean: np.ndarray = power - (power[0, 0] * 0 + 1) / len(power)
    return mean


# --- the consensus rate --------------------------------------------------------------------------------------------


def norm_rate(tenths: int = 40) -> Inequality:
    """``||A - 11^T/N|| <= 1 - (tenths/10) eta sin^2(pi / 2N)``, repaired with 4.

    Both sides are squared; an exact left side is a Rayleigh quotient at a rational vector, a certified lower bound.

    Args:
        tenths: ten times the constant.
    """

    def sides(A: np.ndarray) -> tuple[float, float]:
        eta = float(A[A > 0].min())
        if tenths == 40:
            return disagreement_norm(A) ** 2, path_bound(len(A), eta) ** 2
        return disagreement_norm(A) ** 2, (1 - tenths / 10 * eta * np.sin(np.pi / 2 / len(A)) ** 2) ** 2

    def exact_sides(A: np.ndarray) -> tuple[arb, arb]:
        gap = A - fmpq(1, len(A))
        direction = np.array([rational(float(x)) for x in np.linalg.svd(to_float(gap))[2][0]], dtype=object)
        below = ((gap @ direction) ** 2).sum() / (direction**2).sum()
        eta = min(x for x in A.ravel() if x > 0)
        return arb(below), (1 - arb(fmpq(tenths, 10) * eta) * (arb.pi() / (2 * len(A))).sin() ** 2) ** 2

    return Inequality(f"||A - 11^T/N|| <= 1 - {tenths}/10 eta sin^2(pi / 2N), squared", sides, exact_sides)


# --- Eq. (20) -------------------------------------------------------------------------------------------------------


def distance_from_average(numerator: int = 1, denominator: int = 1) -> Raw:
    """(20) repaired, squared: ``||W^i - W-bar||^2 <= B^2 D (sum_j |(A^t)_ij - 1/N|)^2`` for the first agent.

    B is the largest distance of a layer from W(0), so no parameter leaves the ball.

    Args:
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def raw(instance: Named) -> Pair:
        W = instance["W(0)"] + instance["offset"]
        after = _gossip(instance["A"], instance["rounds"], W)
        left = ((after[0] - after.sum(axis=0) / len(after)) ** 2).sum()
        radius, total = abs(instance["offset"]).max(), abs(_deviation(instance)[0]).sum()
        return left, (radius * total) ** 2 * W.shape[1] * numerator / denominator

    return raw


# --- Eqs. (26) and (27) ---------------------------------------------------------------------------------------------


def _errors(instance: Named) -> np.ndarray:
    """``(1/M) sum_l (gossiped TD error - team TD error) psi_l^i``, (N, w), by gossip round by round."""
    local = instance["common"][:, None] - instance["rewards"]
    gossiped = _gossip(instance["A"], instance["rounds"], local.T).T
    gap = gossiped - (local.sum(axis=1) / local.shape[1])[:, None]
    found: np.ndarray = (gap[:, :, None] * instance["psi"]).sum(axis=0) / len(local)
    return found


def _largest_score(psi: np.ndarray) -> Any:
    """Largest squared norm over all but the last axis."""
    return (psi**2).sum(axis=-1).max()


def third_line(*, keep_mean: bool = False) -> Callable[[Named], Any]:
    """Relative gap of (26), third line: the error is ``(1/M) sum_l a_i (delta_l) psi_l``, the vector of TD errors.

    Args:
        keep_mean: a row of A^t in place of ``a_i``, which the control has.
    """

    def gap(instance: Named) -> Any:
        local = instance["common"][:, None] - instance["rewards"]
        row = _deviation(instance)
        if keep_mean:
            row = row + (row[0, 0] * 0 + 1) / len(row)
        right = ((local @ row.T)[:, :, None] * instance["psi"]).sum(axis=0) / len(local)
        size = abs(local).max() * abs(instance["psi"]).max()
        return relative_gap(_errors(instance), right, size)

    return gap


def one_agent(numerator: int = 1, denominator: int = 1) -> Raw:
    """(26) repaired: the squared error of an agent is at most ``(N/4) r_max^2 ||a_i||^2``, for scores of norm one.

    Args:
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def raw(instance: Named) -> Pair | None:
        unit = _largest_score(instance["psi"][:, 0])
        if not unit > 0:
            return None
        row, N = _deviation(instance)[0], len(instance["A"])
        right = N * instance["rewards"].max() ** 2 * (row**2).sum() * numerator / (4 * denominator)
        return (_errors(instance)[0] ** 2).sum() / unit, right

    return raw


def all_agents_printed_rate(extra: int = 0, numerator: int = 1, denominator: int = 1) -> Raw:
    """(27) repaired: the sum over agents is at most ``(N/4) r_max^2 (1 - eta^(N-1))^(2t)``, scores of norm one each.

    Args:
        extra: rounds that are added to t.
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def raw(instance: Named) -> Pair | None:
        A, unit = instance["A"], _largest_score(instance["psi"])
        if not unit > 0:
            return None
        N, eta = len(A), min(x for x in A.ravel() if x > 0)
        rate = (1 - eta ** (N - 1)) ** (2 * (int(instance["rounds"].item()) + extra))
        right = N * instance["rewards"].max() ** 2 * rate * numerator / (4 * denominator)
        return (_errors(instance) ** 2).sum() / unit, right

    return raw


def all_agents_sharp(numerator: int = 1, denominator: int = 1) -> Raw:
    """(27) repaired: the sum over agents is at most ``(N/4) r_max^2 lambda^(2t)``, scores of norm one each.

    For rationals lambda^2 is replaced by a certified upper bound, a rounding above it: a violation stays one.

    Args:
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def raw(instance: Named) -> Pair | None:
        unit = _largest_score(instance["psi"])
        square = norm_square_above(instance["A"])
        if not unit > 0 or square is None:
            return None
        N, t = len(instance["A"]), int(instance["rounds"].item())
        right = N * instance["rewards"].max() ** 2 * square**t * numerator / (4 * denominator)
        return (_errors(instance) ** 2).sum() / unit, right

    return raw


def all_agents_path_rate(tenths: int = 40, numerator: int = 1, denominator: int = 1) -> Raw:
    """Term (5) repaired: the sum over agents is at most ``(N/4) r_max^2 (1 - 4 eta sin^2(pi/2N))^(2t)``.

    Args:
        tenths: ten times the constant before eta.
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def raw(instance: Named) -> Pair | None:
        A, unit = instance["A"], _largest_score(instance["psi"])
        if not unit > 0:
            return None
        N, eta, t = len(A), min(x for x in A.ravel() if x > 0), int(instance["rounds"].item())
        if is_exact(A):
            rate = 1 - arb(fmpq(tenths, 10) * eta) * (arb.pi() / (2 * N)).sin() ** 2
        else:
            rate = 1 - tenths / 10 * eta * np.sin(np.pi / 2 / N) ** 2
        right = N * instance["rewards"].max() ** 2 * rate ** (2 * t) * numerator / (4 * denominator)
        return (_errors(instance) ** 2).sum() / unit, right

    return raw


def norm_square_above(A: np.ndarray) -> Any:
    """``||A - 11^T/N||^2`` in floats; for rationals a number above it, proved by Sylvester's criterion.

    Args:
        A: doubly stochastic, (N, N).

    Returns:
        The number; None if the criterion does not confirm it.
    """
    if not is_exact(A):
        return disagreement_norm(A) ** 2
    N, gap = len(A), A - fmpq(1, len(A))
    above = rational(disagreement_norm(to_float(A)) ** 2 * (1 + 1e-11) + 1e-13)
    matrix = above * identity_like(A, N) - gap.T @ gap
    minors = (fmpq_mat(k, k, list(matrix[:k, :k].ravel())).det() for k in range(1, N + 1))
    return above if all(minor > 0 for minor in minors) else None
