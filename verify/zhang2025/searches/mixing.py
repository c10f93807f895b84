"""Searches for zhang2025 Eqs. (31)-(33): mixing of the cross terms, and the batch error they add up to."""

from __future__ import annotations

from typing import Any

from mdp.linear import identity_like
from verify.search.joined import Joint, Pair, Raw, worst
from verify.zhang2025.proof.batch_chain import Batch
from verify.zhang2025.searches.batch import agents, chain, of_batch, score_square

LAGS = (1, 2, 3)
"""Distances between two samples that are compared; ours."""

BATCHES = (1, 2, 5)
"""Batch sizes that are compared; ours."""


def _repaired_bounds(b: Batch) -> tuple[Any, Any]:
    """X and b of the repaired (32)."""
    value = b.reward_range / (1 - b.gamma)
    return (5 - 2 * b.gamma) * value / 2, value


def _state_distances(joint: Joint) -> list[Any]:
    """Largest total variation between the state after t steps and nu over starting states, t = 0..max(LAGS).

    Whatever constants Lemma 5.4 holds with, ``kappa rho^t`` is at least this.
    """
    kernel, nu = joint.point.restart().P_pi, joint.view.restart_stationary
    power, found = identity_like(kernel, len(nu)), []
    for _ in range(max(LAGS) + 1):
        found.append(abs(power - nu).sum(axis=1).max() / 2)
        power = power @ kernel
    return found


def cross_terms(form: str = "v", numerator: int = 1, denominator: int = 1) -> Raw:
    """(32) repaired: ``|E <x, x'>| <= X b d(lag - 1)``, every agent, three lags, d as in `_state_distances`.

    Args:
        form: of the TD error.
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def raw(joint: Joint) -> Pair | None:
        b = chain(joint, form)
        unit = score_square(b)
        if unit is None:
            return None
        (X, width), distance = _repaired_bounds(b), _state_distances(joint)
        right = X * width * numerator / denominator
        return worst((abs(b.cross(i, lag)) / unit, right * distance[lag - 1]) for i in agents(b) for lag in LAGS)

    return raw


def mixing_given_the_pair(later: int = 1) -> Raw:
    """Total variation between the pair after a lag, given state and action, and nu: at most ``d(lag - later)``.

    Args:
        later: steps lost, one in the repaired form.
    """

    def raw(joint: Joint) -> Pair:
        b, distance = chain(joint, "v"), _state_distances(joint)
        power, pairs = b.kernel, []
        for lag in LAGS:
            pairs.append((abs(power - b.law).sum(axis=1).max() / 2, distance[lag - later]))
            power = power @ b.kernel
        return worst(pairs)

    return raw


def batch_errors(form: str = "v", numerator: int = 1, denominator: int = 1) -> Raw:
    """(33) repaired: ``M E sum_i |h^i - g^i|^2 <= X^2 + 2 X b / (1 - gamma)``.

    Args:
        form: of the TD error.
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def sides(b: Batch) -> list[Pair]:
        X, width = _repaired_bounds(b)
        right = (X**2 + 2 * X * width / (1 - b.gamma)) * numerator / denominator
        return [(left, right) for left in _scaled_errors(b)]

    return of_batch(form, False, sides)


def _scaled_errors(b: Batch) -> list[Any]:
    """``M E sum_i |h^i - g^i|^2`` for M in `BATCHES`: the sum (28) over lags, floats and rationals alike."""
    total = sum(b.mean(b.sample(i) ** 2) for i in agents(b))
    lags = [sum(b.cross(i, lag) for i in agents(b)) for lag in range(1, max(BATCHES))]
    return [(M * total + sum(2 * (M - k) * lags[k - 1] for k in range(1, M))) / M for M in BATCHES]


def batch_order(form: str = "v", numerator: int = 1, denominator: int = 1) -> Raw:
    """Term (4) repaired: ``M E sum_i |h^i - g^i|^2 <= C^2 (1 + 4 / (1 - gamma))``, ``C = r_max (1 + 1 / (1 - gamma))``.

    Args:
        form: of the TD error.
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def sides(b: Batch) -> list[Pair]:
        C = b.reward_range * (1 + 1 / (1 - b.gamma))
        right = C**2 * (1 + 4 / (1 - b.gamma)) * numerator / denominator
        return [(left, right) for left in _scaled_errors(b)]

    return of_batch(form, False, sides)
