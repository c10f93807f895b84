"""Searches for zhang2025 Eqs. (28)-(34): batches of TD errors times scores, floats and rationals alike.

Every quantity below is quadratic in the scores, so Assumption 5.5 enters as a division by the largest squared norm of
the joint score: the search is not drawn to small scores, and the claim is that for scores of norm one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, cast

import numpy as np

from mdp.rational import RationalPoint
from verify.search import MDPFamily
from verify.zeng2022.search_families import Extra, Joined, Joint, Pair, Raw, relative_gap, small, worst
from verify.zhang2025.batch_chain import Batch, batch
from verify.zhang2025.search_shapes import Array, Arrays

LAGS = (1, 2, 3)
"""Distances between two samples that are compared; ours."""

BATCHES = (1, 2, 5)
"""Batch sizes that are compared; ours."""


def _pairs(family: MDPFamily) -> tuple[int, ...]:
    return family.n_states, prod(family.n_actions)


PROBLEMS = MDPFamily(3, (2, 2), policy_features=1, reward=(0, 1))
"""Restart problems with rewards of at least zero and one parameter per agent."""

WITHOUT_ERROR = Joined(PROBLEMS, ())
WITH_ERROR = Joined(PROBLEMS, (Extra("error of Q", _pairs, -2, 2),))

SAMPLES = Arrays(
    (("M", 4), ("N", 3), ("w", 2)),
    (Array("TD errors", ("M", "N"), -2, 2), Array("psi", ("M", "w"), -1, 1), Array("g", ("w",), -2, 2)),
)
"""Batches of free numbers: local TD errors, scores of one agent, and any vector g."""


def expansion(power: int = 2) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """Relative gap of (28) with the team's TD error throughout.

    Args:
        power: of 1/M before the cross terms, 2 in the paper.
    """

    def gap(instance: Mapping[str, np.ndarray]) -> Any:
        team = instance["TD errors"].sum(axis=1) / instance["TD errors"].shape[1]
        M, g = len(team), instance["g"]
        samples = team[:, None] * instance["psi"] - g
        left = (((team[:, None] * instance["psi"]).sum(axis=0) / M - g) ** 2).sum()
        diagonal = (samples**2).sum()
        products = samples @ samples.T
        cross = products.sum() - np.diagonal(products).sum()
        right = diagonal / M**2 + cross / M**power
        return relative_gap(np.array([left]), np.array([right]), diagonal)

    return gap


# --- problems -----------------------------------------------------------------------------------------------------


def chain(joint: Joint, form: str, *, wrong: bool = False) -> Batch:
    """The batch of a searched problem.

    Args:
        joint: problem, with the array ``error of Q`` if the critic is wrong.
        form: of the TD error, see `batch`.
        wrong: whether the critic has the searched error.
    """
    # floats run through the same formulas
    point = cast(RationalPoint, joint.point)
    if form == "v":
        return batch(point, form)
    error = joint.extra["error of Q"] if wrong else point.r[0] * 0
    return batch(point, form, error)


def _score_square(b: Batch) -> Any:
    """Largest squared norm of the joint score; None where features hardly differ and scores are rounding errors."""
    found = max((b.score**2).sum(axis=0))
    return found if found > small(found) else None


def _of_batch(form: str, wrong: bool, sides: Callable[[Batch], list[Pair]]) -> Raw:
    """The worst of several pairs of sides, the left ones divided by the largest squared score."""

    def raw(joint: Joint) -> Pair | None:
        b = chain(joint, form, wrong=wrong)
        unit = _score_square(b)
        return worst((left / unit, right) for left, right in sides(b)) if unit is not None else None

    return raw


def _agents(b: Batch) -> range:
    return range(len(b.score))


def diagonal(numerator: int = 1, denominator: int = 1) -> Raw:
    """(29) repaired: ``E|delta psi - g|^2 <= (3 r_max / (2 (1 - gamma)) + (2 + gamma) epsilon)^2``.

    Args:
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def sides(b: Batch) -> list[Pair]:
        root = 3 * b.reward_range / (2 * (1 - b.gamma)) + (2 + b.gamma) * b.critic_error
        return [(b.mean(b.sample(i) ** 2), root**2 * numerator / denominator) for i in _agents(b)]

    return _of_batch("q", True, sides)


def diagonal_exact_critic(numerator: int = 1, denominator: int = 1) -> Raw:
    """(29) repaired for an exact critic: ``E|delta psi - g|^2 <= (1 + gamma^2) / 4 (r_max / (1 - gamma))^2``.

    Args:
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def sides(b: Batch) -> list[Pair]:
        right = (1 + b.gamma**2) * (b.reward_range / (1 - b.gamma)) ** 2 * numerator / (4 * denominator)
        return [(b.mean(b.sample(i) ** 2), right) for i in _agents(b)]

    return _of_batch("q", False, sides)


def conditional_means(sign: int = 1) -> Callable[[Joint], Any]:
    """Relative gap of (30) repaired: ``E[delta psi | s] = E[Adv psi | s]`` in every state, visited or not.

    Args:
        sign: of the TD error.
    """

    def gap(joint: Joint) -> Any:
        b = chain(joint, "v")
        pi = joint.view.pi.reshape(-1)
        mean_td = (b.kernel * b.delta).sum(axis=1) * sign
        inside = [b.states == s for s in range(max(b.states) + 1)]
        left, right = (
            np.array([(pi * b.score * value)[:, own].sum(axis=1) for own in inside])
            for value in (mean_td, b.advantage)
        )
        size = abs(b.score).max() * (abs(b.delta).max() + abs(b.advantage).max())
        return relative_gap(left, right, size)

    return gap


def _repaired_bounds(b: Batch) -> tuple[Any, Any]:
    """X and b of the repaired (32)."""
    value = b.reward_range / (1 - b.gamma)
    return (5 - 2 * b.gamma) * value / 2, value


def cross_terms(form: str = "v", numerator: int = 1, denominator: int = 1) -> Raw:
    """(32) repaired: ``|E <x, x'>| <= X b gamma^(lag - 1)``, every agent, three lags.

    Args:
        form: of the TD error.
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def sides(b: Batch) -> list[Pair]:
        X, width = _repaired_bounds(b)
        right = X * width * numerator / denominator
        return [(abs(b.cross(i, lag)), right * b.gamma ** (lag - 1)) for i in _agents(b) for lag in LAGS]

    return _of_batch(form, False, sides)


def mixing_given_the_pair(later: int = 1) -> Raw:
    """Total variation between the pair after a lag, given state and action, and nu: at most ``gamma^(lag - later)``.

    Args:
        later: steps lost, one in the repaired form.
    """

    def raw(joint: Joint) -> Pair:
        b = chain(joint, "v")
        power, pairs = b.kernel, []
        for lag in LAGS:
            pairs.append((abs(power - b.law).sum(axis=1).max() / 2, b.gamma ** (lag - later)))
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
        squares = [b.mean(b.sample(i) ** 2) for i in _agents(b)]
        crosses = [[b.cross(i, lag) for lag in range(1, max(BATCHES))] for i in _agents(b)]
        total = sum(squares)
        lags = [sum(row[k] for row in crosses) for k in range(max(BATCHES) - 1)]
        return [((M * total + sum(2 * (M - k) * lags[k - 1] for k in range(1, M))) / M, right) for M in BATCHES]

    return _of_batch(form, False, sides)


def critic_share(numerator: int = 1, denominator: int = 1) -> Raw:
    """(34) repaired: ``||g - (1 - gamma) grad J||^2 <= epsilon_critic^2``, the gradient by differentiating V.

    Args:
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def raw(joint: Joint) -> Pair | None:
        b = chain(joint, "original", wrong=True)
        unit = _score_square(b)
        if unit is None:
            return None
        gap = b.target - (1 - b.gamma) * joint.view.grad_J_by_solve[:, 0]
        return (gap**2).sum() / unit, b.critic_error**2 * numerator / denominator

    return raw


def advantages(constant: int = 2) -> Raw:
    """Fifth line of (34) with its square: ``E|A^ - A|^2 <= 2 E A^^2 + 2 E A^2``.

    Args:
        constant: 2 in the paper.
    """

    def raw(joint: Joint) -> Pair:
        b, exact = chain(joint, "original", wrong=True), joint.view.advantage.reshape(-1)
        return b.mean((b.advantage - exact) ** 2), constant * (b.mean(b.advantage**2) + b.mean(exact**2))

    return raw
