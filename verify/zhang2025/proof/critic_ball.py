"""zhang2025 Appendix C, Eq. (22): the average critic against the centralised one, by the size of the ball."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy
from flint import fmpq

from mdp.linear import rational_array
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence


@statement("zhang2025", "eq-22", uses=("assumption-5.8-Q", "algorithm-3", "algorithm-2-projection"))
def eq_22() -> tuple[Variant, ...]:
    r"""The average critic and the centralised critic differ by at most the size of the ball.

    .. math:: |\hat Q(s, a; \bar W_t) - \hat Q(s, a; \bar V_t)| \le L_W \|\bar W_t - \bar V_t\| \le L_W O(B D^{1/2})

    True, with constant 2. Both are averages of points of one convex set, so both lie in it, and two points of a
    product of D balls of radius B are at most ``2 B sqrt(D)`` apart: ``||x - y||^2 = 2 ||x||^2 + 2 ||y||^2 - ||x +
    y||^2`` per layer. As a bound on two points of the ball it is sharp (opposite points). It is the diameter of the
    ball and uses nothing about learning: it does not decrease in K, in the number of gossip rounds, or in M.

    For a linear critic whose projection is inactive the left side is zero when both run equally many iterations on the
    same samples: the update is affine in the parameters, so averaging over agents commutes with it (reading). So the
    term is due to curvature and to the projection, and a bound that sees this would be of the order of the
    linearisation error.

    Hypotheses: both critics start at the same W(0) and are projected to the same ball; Assumption 5.8.

    Consequence: term (6) of Theorem 5.10 is the diameter of the search space: (24) bounds the error of the critic by
    at least the trivial bound, plus other terms, so that nothing is gained over saying that both points lie in the
    ball.
    """
    return (
        printed(lambda c: _diameter(Fraction(2)), "with constant 2, attained by two points of the ball"),
        reading(
            lambda c: _linear_critics(c, 0), "a linear critic, inactive projection, equally many steps: W-bar = V-bar",
            "linear",
        ),
        control(lambda c: _diameter(Fraction(199, 100)), "with constant 1.99", "1.99"),
        control(lambda c: _linear_critics(c, 1), "a linear critic, one step fewer for V-bar", "one step fewer"),
    )


def _diameter(constant: Fraction) -> tuple[Evidence, Evidence, Evidence]:
    """Parallelogram identity and convexity of the ball, then the attaining pair."""
    x, y, p = sympy.symbols("x y p")
    parallelogram = sympy.expand(2 * x**2 + 2 * y**2 - (x + y) ** 2 - (x - y) ** 2)
    convex = sympy.expand(p * x**2 + (1 - p) * y**2 - (p * x + (1 - p) * y) ** 2 - p * (1 - p) * (x - y) ** 2)
    pair = (Fraction(1), Fraction(-1))
    return (
        exact_evidence(
            "2 x^2 + 2 y^2 - (x + y)^2 - (x - y)^2, by components", Fraction(int(parallelogram)), 0, Relation.EQUAL,
            rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        ),
        exact_evidence(
            "average of squares minus square of average minus p (1 - p) (x - y)^2", Fraction(int(convex)), 0,
            Relation.EQUAL, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        ),
        exact_evidence(
            "squared diameter of the ball over B^2 D", (pair[0] - pair[1]) ** 2, constant**2,
            Relation.AT_MOST, scope=Scope.CLASS,
            witness=Witness("one layer, one parameter, B = 1", {"W-bar - W(0)": pair[0], "V-bar - W(0)": pair[1]}),
            note="the identity's bound 2 + 2, attained by opposite points",
        ),
    )  # fmt: skip


def _linear_critics(context: Context, fewer: int) -> Evidence:
    """Largest squared distance of W-bar and V-bar for tabular critics on shared samples, exactly."""
    rng, worst, count = context.rng(22), fmpq(0), max(5, context.profile.n_rational // 5)
    gamma, beta = fmpq(1, 2), fmpq(1, 3)
    for _ in range(count):
        N, K = int(rng.integers(1, 4)), int(rng.integers(2, 6))
        features = rational_array(rng.integers(-2, 3, (K + 1, 2)))
        rewards = rational_array(rng.integers(0, 5, (K, N)))
        columns = [*rewards.T, rewards.sum(axis=1) / N]
        steps = [K] * N + [K - fewer]
        runs = [_averaged_td(features, r, gamma, beta, n) for r, n in zip(columns, steps, strict=True)]
        gap = sum(runs[:-1], runs[0] * 0) / N - runs[-1]
        worst = max(worst, (gap**2).sum())
    return exact_evidence(
        "||W-bar - V-bar||^2 for linear critics on the same samples, largest", worst, 0, Relation.EQUAL,
        instances=count,
    )


def _averaged_td(features: np.ndarray, rewards: np.ndarray, gamma: fmpq, beta: fmpq, n_steps: int) -> np.ndarray:
    """Lines 5-9 of Algorithm 2 with a linear critic and no projection; the running average."""
    w = features[0] * 0
    average = w
    for k in range(n_steps):
        delta = (features[k] - gamma * features[k + 1]) @ w - rewards[k]
        w = w - beta * delta * features[k]
        average = average * fmpq(k + 1, k + 2) + w / (k + 2)
    return average
