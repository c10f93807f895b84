"""Enclosures from a problem and theta.

Source: ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from mdp.enclose.arithmetic import balls
from mdp.enclose.policies import policy_balls
from mdp.enclose.view import BallView
from mdp.problem import Problem


def enclose(problem: Problem, theta: Float[np.ndarray, "N D"] | Any, *, precision: int = 128) -> BallView:
    """Enclosures of every quantity of `problem` at theta, the policy's own functions included.

    Args:
        problem: a problem with a log-linear, reduced softmax, circular or neural policy; its arrays are floats and
            count as exact.
        theta: parameters, (N, H + G): floats (exact dyadics), ints, `Fraction` or `fmpq`.
        precision: working precision in bits; widths shrink about like ``2^-precision``.

    Returns:
        A lazy `BallView`.

    Raises:
        TypeError: another policy class, or entries of theta that are not rational numbers.
        ValueError: theta of another shape or not finite, or fewer than 2 bits.
    """
    if precision < 2:
        raise ValueError(f"precision is {precision} bits; it must be at least 2")
    policy, mdp, features = policy_balls(problem.policy, theta, precision), problem.mdp, problem.features
    return BallView(
        P=balls(mdp.P, precision), r=balls(mdp.r, precision), initial=balls(mdp.initial, precision),
        gamma=balls(mdp.gamma, precision)[()], tables=policy.tables, scores=policy.scores,
        phi_state=balls(features.phi_state, precision), phi_joint=balls(features.phi_joint, precision),
        precision=precision, directions=policy.directions,
    )  # fmt: skip
