"""zhang2025 Sec. 3.1: the objective and Q (Eqs. 1-2), for both kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import identity_like, solve
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, exact_evidence
from verify.identities import exact_identity, rational_points
from verify.zhang2025.setting.pairs import pair_law, pair_matrix

TERMS = 6
"""Terms of a discounted series that are summed exactly; any number shows the same identity."""

Kernel = Callable[[RationalPoint], Exact]
"""Exact quantities of a problem under one of the two kernels of Sec. 3.1."""


def original(point: RationalPoint) -> Exact:
    """Quantities under the original kernel.

    Args:
        point: the problem.
    """
    return point.exact()


def restart(point: RationalPoint) -> Exact:
    """Quantities under the restart kernel of Sec. 3.1.

    Args:
        point: the problem.
    """
    return point.restart()


KERNELS: dict[str, Kernel] = {"original": original, "restart": restart}
"""The two kernels that P may stand for."""


@statement("zhang2025", "eq-1", uses=("restart-kernel",))
def eq_1() -> tuple[Variant, ...]:
    r"""The objective is the expected discounted sum of the agents' mean reward.

    .. math:: J(\theta) = \mathbb{E}_{\pi_\theta}\Big(\sum_{t=0}^\infty \frac{\gamma^t}{N}
        \sum_{i \in \mathcal{N}} r_{t+1}^i\Big)
        = \mathbb{E}_{\pi_\theta}\Big(\sum_{t=0}^\infty \gamma^t \bar r_{t+1}\Big)

    A definition, and well posed: the series converges absolutely, and its two forms agree. Three computations give the
    same J: the mean of the agents' own objectives, each from its own linear solve; the first terms of the series with
    their exact remainder; and the expectation of the reward under the normalised discounted visitation, divided by
    1 - gamma. The display names no initial law; Appendix B starts in s0, and so does every check here.

    Well posed under either meaning of P, with different values: see the entry on the restart kernel.

    Hypotheses: gamma < 1 and bounded rewards (Assumption 5.3); the start s0 of Appendix B.

    Consequence: the quantity that Theorem 5.10 is about is well defined once the kernel is named.
    """
    return (
        *(
            printed(
                lambda c, k=kernel: exact_identity(  # type: ignore[misc]
                    c, "three computations minus J", lambda p: _objective_gaps(k(p), True), point_start=True
                ),
                f"P is the {name} kernel", name,
            )
            for name, kernel in KERNELS.items()
        ),
        control(
            lambda c: exact_identity(
                c, "sum of the agents' objectives minus J", lambda p: _objective_gaps(p.exact(), False),
                point_start=True,
            ),
            "the agents' rewards summed, not averaged", "no 1/N",
        ),
    )


def _objective_gaps(view: Exact, averaged: bool) -> np.ndarray:
    system = identity_like(view.P_pi, len(view.initial)) - view.gamma * view.P_pi
    own = [(view.initial * solve(system, (view.pi * r).sum(axis=1))).sum() for r in view.r]
    total: Any = sum(own, fmpq(0)) / (len(own) if averaged else 1)
    law, weight, series = view.initial, view.gamma**0, view.J * 0
    for _ in range(TERMS):
        series, law, weight = series + weight * (law * view.r_pi).sum(), law @ view.P_pi, weight * view.gamma
    series = series + weight * (law * view.V).sum()
    visited = (view.visitation * view.r_pi).sum() / (1 - view.gamma)
    return np.array([total - view.J, series - view.J, visited - view.J], dtype=object)


@statement("zhang2025", "eq-2", uses=("restart-kernel",))
def eq_2() -> tuple[Variant, ...]:
    r"""The state-action value is the expected discounted sum from a given state and action.

    .. math:: Q_\theta(s, a) := \mathbb{E}\Big(\sum_{t=0}^\infty \gamma^t \bar r_{t+1} \Big| s_0 = s, a_0 = a,
        \pi_\theta\Big)

    A definition, and well posed. Q comes from V by one step; here it is compared with a linear solve over pairs
    (s, a), with the first terms of the series and their remainder, and with J: ``J = E_{a ~ pi} Q(s0, a)``, which is
    how Eqs. (1) and (2) belong together. The remainder after T terms is at most ``gamma^T max|r| / (1 - gamma)``.

    Hypotheses: gamma < 1 and bounded rewards; (s, a) any pair, whether or not the chain visits it.

    Consequence: Q is well defined for every pair; which kernel it belongs to decides Lemma 4.3.
    """
    return (
        *(
            printed(
                lambda c, k=kernel: (  # type: ignore[misc]
                    exact_identity(
                        c, "three computations minus Q", lambda p: _value_gaps(k(p), 0), point_start=True
                    ),
                    _remainder(c, k),
                ),
                f"P is the {name} kernel", name,
            )
            for name, kernel in KERNELS.items()
        ),
        control(
            lambda c: exact_identity(
                c, "series minus Q", lambda p: _value_gaps(p.exact(), 1), point_start=True
            ),
            "the first reward discounted as well", "gamma^(t+1)",
        ),
    )


def _series(view: Exact, offset: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The first terms of the series for Q, and what the remainder is if Q is right."""
    M, term, weight = pair_matrix(view), view.r_bar.reshape(-1), view.gamma**offset
    total, tail = term * 0, view.Q.reshape(-1)
    for _ in range(TERMS):
        total, term, tail, weight = total + weight * term, M @ term, M @ tail, weight * view.gamma
    return total, weight * tail


def _value_gaps(view: Exact, offset: int) -> np.ndarray:
    M, Q = pair_matrix(view), view.Q.reshape(-1)
    by_pairs = solve(identity_like(M, len(M)) - view.gamma * M, view.r_bar.reshape(-1))
    total, tail = _series(view, offset)
    start = (pair_law(view, view.initial) * Q).sum() - view.J
    return np.concatenate([by_pairs - Q, total + tail - Q, [start]])


def _remainder(context: Context, kernel: Kernel) -> Evidence:
    worst, count = fmpq(0), 0
    for point in rational_points(context, point_start=True):
        view = kernel(point)
        gap = abs(_series(view)[0] - view.Q.reshape(-1)).max()
        bound = view.gamma**TERMS * abs(view.r_bar).max() / (1 - view.gamma)
        if bound:
            worst, count = max(worst, gap / bound), count + 1
    return exact_evidence(
        f"remainder after {TERMS} terms over gamma^T max|r| / (1 - gamma), worst", worst, 1, Relation.AT_MOST,
        instances=count,
    )
