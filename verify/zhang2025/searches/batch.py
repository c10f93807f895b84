"""Searches for zhang2025 Eqs. (28)-(30) and (34): batches of TD errors times scores, floats and rationals alike.

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
from verify.search.joined import Extra, Joined, Joint, Pair, Raw, relative_gap, small, worst
from verify.search.shapes import Array, Arrays
from verify.zhang2025.proof.batch_chain import Batch, batch


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


def score_square(b: Batch) -> Any:
    """Largest squared norm of the joint score; None where features hardly differ and scores are rounding errors.

    Args:
        b: the batch.
    """
    found = max((b.score**2).sum(axis=0))
    return found if found > small(found) else None


def of_batch(form: str, wrong: bool, sides: Callable[[Batch], list[Pair]]) -> Raw:
    """The worst of several pairs of sides, the left ones divided by the largest squared score.

    Args:
        form: of the TD error, see `batch`.
        wrong: whether the critic has the searched error.
        sides: the pairs.
    """

    def raw(joint: Joint) -> Pair | None:
        b = chain(joint, form, wrong=wrong)
        unit = score_square(b)
        return worst((left / unit, right) for left, right in sides(b)) if unit is not None else None

    return raw


def agents(b: Batch) -> range:
    """Their indices.

    Args:
        b: the batch.
    """
    return range(len(b.score))


def diagonal(numerator: int = 1, denominator: int = 1) -> Raw:
    """(29) repaired: ``E|delta psi - g|^2 <= (3 r_max / (2 (1 - gamma)) + (2 + gamma) epsilon)^2``.

    Args:
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def sides(b: Batch) -> list[Pair]:
        root = 3 * b.reward_range / (2 * (1 - b.gamma)) + (2 + b.gamma) * b.critic_error
        return [(b.mean(b.sample(i) ** 2), root**2 * numerator / denominator) for i in agents(b)]

    return of_batch("q", True, sides)


def diagonal_exact_critic(numerator: int = 1, denominator: int = 1) -> Raw:
    """(29) repaired for an exact critic: ``E|delta psi - g|^2 <= (1 + gamma^2) / 4 (r_max / (1 - gamma))^2``.

    Args:
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def sides(b: Batch) -> list[Pair]:
        right = (1 + b.gamma**2) * (b.reward_range / (1 - b.gamma)) ** 2 * numerator / (4 * denominator)
        return [(b.mean(b.sample(i) ** 2), right) for i in agents(b)]

    return of_batch("q", False, sides)


def conditional_means(sign: int = 1) -> Callable[[Joint], Any]:
    """Relative gap of (30) repaired: ``E[delta psi | s] = E[Adv psi | s]`` in every state, visited or not.

    Undefined where the scores are next to nothing: there they are rounding errors of zero.

    Args:
        sign: of the TD error.
    """

    def gap(joint: Joint) -> Any:
        b = chain(joint, "v")
        if not abs(b.score).max() > small(b.score.flat[0]):  # features that do not tell actions apart: rounding
            return None
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


def critic_share(numerator: int = 1, denominator: int = 1) -> Raw:
    """(34) repaired: ``||g - (1 - gamma) grad J||^2 <= epsilon_critic^2``, the gradient by differentiating V.

    Args:
        numerator: of the share of the right side.
        denominator: of this share.
    """

    def raw(joint: Joint) -> Pair | None:
        b = chain(joint, "original", wrong=True)
        unit = score_square(b)
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
