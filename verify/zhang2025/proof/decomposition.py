"""zhang2025 Appendix C, Eqs. (15)-(19) and (21): splitting the error of the direction by triangle inequalities."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import sympy
from flint import fmpq

from mdp.linear import identity_like, rational_array
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.networks import random_doubly_stochastic

ROUNDS = 3
"""Gossip rounds of the random instances; ours."""


@statement("zhang2025", "eq-15", uses=("fact-c.1",))
def eq_15() -> tuple[Variant, ...]:
    r"""The squared error of the direction splits into four, with factor 6.

    .. math:: \|d_t - \nabla J(\theta_t)\|^2 \le 6 \|d_t - d_t^*\|^2 + 6 \|d_t^* - h_t(W_t^*)\|^2
        + 6 \|h_t(W_t^*) - g(W_t^*, \theta_t)\|^2 + 6 \|g(W_t^*, \theta_t) - \nabla J(\theta_t)\|^2

    The four differences telescope, and ``||x_1 + ... + x_4||^2 <= 4 sum ||x_k||^2``: the matrix ``k I - 1 1^T`` of
    order four has eigenvalues k, three times, and k - 4. So 6 is true, 4 is sharp (four equal differences), and what is
    used is Cauchy-Schwarz rather than the triangle inequality. The second line of the display replaces the norms of
    stacked vectors by sums over agents (Fact C.1), with equality.

    Hypotheses: none; any five vectors.

    Consequence: (35) may use 4 for 6. The split is sound whatever the four terms are; whether each of them is small is
    the matter of (25), (27), (33) and (34).
    """
    six, four = Fraction(6), Fraction(4)
    return (
        printed(lambda c: (_telescopes(), _form(six), _four_vectors(c, six)), "factor 6", "first line", "first line"),
        printed(lambda c: _stacking(c, 1), "sums over agents", "second line", "second line"),
        repaired(lambda c: (_telescopes(), _form(four), _four_vectors(c, four)), "factor 4, attained"),
        control(lambda c: _form(four - Fraction(1, 100)), "factor 3.99", "3.99"),
        control(lambda c: _stacking(c, 2), "sums over agents that count the first one twice on the left", "twice"),
    )


def _telescopes() -> Evidence:
    d, star, h, g, grad = sympy.symbols("d dstar h g grad")
    residual = sympy.expand((d - star) + (star - h) + (h - g) + (g - grad) - (d - grad))
    return exact_evidence(
        "sum of the four differences minus d - grad J", Fraction(int(residual)), 0, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
    )


def _form(factor: Fraction) -> Evidence:
    """Least eigenvalue of ``factor I - 1 1^T`` of order four, exactly."""
    matrix = sympy.Rational(factor.numerator, factor.denominator) * sympy.eye(4) - sympy.ones(4, 4)
    least = min(matrix.eigenvals())
    return exact_evidence(
        f"least eigenvalue of {factor} I - 1 1^T, order 4", Fraction(int(least.p), int(least.q)), 0, Relation.AT_LEAST,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, note="zero: sharp" if least == 0 else "",
        witness=Witness("four equal differences of length one", {"left": 16, "right": 4 * factor}),
    )


def _four_vectors(context: Context, factor: Fraction) -> Evidence:
    """Largest ``||sum||^2 - factor sum ||.||^2`` over integer vectors, four equal ones first."""
    rng = context.rng(15)
    cases = [np.ones((4, 3), dtype=int), *(rng.integers(-4, 5, (4, 3)) for _ in range(context.profile.n_rational))]
    worst = max(Fraction(int((x.sum(axis=0) ** 2).sum())) - factor * int((x**2).sum()) for x in cases)
    return exact_evidence(
        f"||x_1 + ... + x_4||^2 - {factor} sum ||x_k||^2, worst", worst, 0, Relation.AT_MOST, instances=len(cases),
        corroborates=True,
    )


def _stacking(context: Context, first: int) -> Evidence:
    """``||v||^2 - sum_i ||v^i||^2`` for integer vectors, with `first` times the first block on the left."""
    rng, worst = context.rng(151), 0
    for _ in range(context.profile.n_rational):
        blocks = rng.integers(-5, 6, (int(rng.integers(1, 5)), int(rng.integers(1, 4))))
        blocks[0, 0] = 1
        stacked = int(np.dot(blocks.ravel(), blocks.ravel())) + (first - 1) * int((blocks[0] ** 2).sum())
        worst = max(worst, abs(stacked - sum(int(row @ row) for row in blocks)))
    return exact_evidence(
        "squared norm of the stack minus the agents' squared norms, largest", worst, 0, Relation.EQUAL,
        instances=context.profile.n_rational,
    )


@statement("zhang2025", "eq-16-17", uses=("assumption-5.1", "assumption-5.5"))
def eq_16_17() -> tuple[Variant, ...]:
    r"""The error of a gossiped direction is at most the largest error of a TD difference.

    .. math:: \|d_t^i - d_t^{i,*}\|^2 = \Big\| \frac1M \sum_{l=0}^{M-1} A^{t_{gossip}}(i,:)
        \big(\Delta_0(l,:) - \Delta_0(W_t^*)(l,:)\big) \psi_{t,l}^i \Big\|^2
        \le \max_{i,l} \big| \Delta_0(l,i) - \Delta_0(W_t^*)(l,i) \big|^2

    True with the row of TD differences transposed (the print multiplies two rows; line 13 of Algorithm 1 has the
    transpose). (16) is the definition of the direction, linear in the TD errors. In (17) the mean over l and the row
    of ``A^t_gossip`` are both averages with nonnegative weights that sum to one, and the square of an average is at
    most the average of squares: for two points ``x p^2 + (1-x) q^2 - (x p + (1-x) q)^2 = x (1-x) (p-q)^2``, and further
    points are added one at a time. Only the row sums and signs of A are used, not that it is doubly stochastic; the
    joint score bound covers each agent's score. Equality: all TD differences equal and scores one.

    Bounding by the maximum over l gives away something that matters later: the expectation of a maximum over M samples
    is not the maximum of expectations, which is what (24) bounds. The mean over l, one line earlier, avoids it
    (`eq_24_25`).

    Hypotheses: A with nonnegative rows of sum one; scores of norm at most one.

    Consequence: the step is sound; it hands ``max_{i,l}`` to (18).
    """
    return (
        printed(lambda c: (_two_points(), _gossiped(c, Fraction(1), Fraction(1))), "row transposed, (16) and (17)"),
        reading(_mean_form, "with the mean over l and the row of A in place of the maximum", "mean"),
        control(lambda c: _gossiped(c, Fraction(11, 10), Fraction(1)), "rows of A that sum to 11/10", "row sum"),
        control(lambda c: _gossiped(c, Fraction(1), Fraction(11, 10)), "scores up to 11/10", "score"),
    )


def _two_points() -> Evidence:
    x, p, q = sympy.symbols("x p q")
    residual = sympy.expand(x * p**2 + (1 - x) * q**2 - (x * p + (1 - x) * q) ** 2 - x * (1 - x) * (p - q) ** 2)
    return exact_evidence(
        "average of squares minus square of average, two points, minus x (1 - x) (p - q)^2", Fraction(int(residual)), 0,
        Relation.EQUAL, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, note="points are added one at a time",
    )


def _instances(context: Context, row_sum: Fraction, score: Fraction) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows of a gossip power, TD differences (M, N) and scores (M, 2); the attaining case first."""
    rng = context.rng(16)
    scale, length = fmpq(row_sum.numerator, row_sum.denominator), fmpq(score.numerator, score.denominator)
    ones = rational_array(np.ones((2, 2), dtype=int))
    found = [(np.array([scale / 2] * 2), ones, rational_array([[1, 0]] * 2) * length)]
    for _ in range(context.profile.n_rational):
        N, M = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        A = random_doubly_stochastic(rng, N, 2)
        power = identity_like(A, N)
        for _ in range(int(rng.integers(0, ROUNDS + 1))):
            power = power @ A
        angles = [((3, 4), 5), ((-5, 12), 13), ((1, 0), 1), ((0, -1), 1)]
        chosen = [angles[int(k)] for k in rng.integers(0, 4, M)]
        scores = rational_array([[Fraction(x, n) for x in pair] for pair, n in chosen]) * length
        found.append((power[int(rng.integers(0, N))] * scale, rational_array(rng.integers(-5, 6, (M, N))), scores))
    return found


def _gossiped(context: Context, row_sum: Fraction, score: Fraction) -> Evidence:
    """Largest left side minus right side of (17), exactly."""
    cases = _instances(context, row_sum, score)

    def excess(row: np.ndarray, td: np.ndarray, scores: np.ndarray) -> fmpq:
        direction = ((td @ row)[:, None] * scores).sum(axis=0) / len(td)
        return (direction**2).sum() - max(td.ravel() ** 2)

    values = [excess(*case) for case in cases]
    row, td, scores = cases[0]
    return exact_evidence(
        "||d - d*||^2 minus the largest squared TD difference, worst", max(values), 0, Relation.AT_MOST,
        instances=len(cases), corroborates=row_sum == 1 and score == 1,
        witness=Witness("two agents, two samples, equal TD differences", {"row of A": row, "TD": td, "scores": scores}),
    )


def _mean_form(context: Context) -> Evidence:
    """``||d - d*||^2 <= (1/M) sum_l sum_j A_ij (difference)^2``: the bound before the maximum."""
    cases = _instances(context, Fraction(1), Fraction(1))
    worst = None
    for row, td, scores in cases:
        direction = ((td @ row)[:, None] * scores).sum(axis=0) / len(td)
        value = (direction**2).sum() - ((td**2) @ row).sum() / len(td)
        worst = value if worst is None else max(worst, value)
    assert worst is not None
    return exact_evidence(
        "||d - d*||^2 minus the mean of squared TD differences, worst", worst, 0, Relation.AT_MOST,
        instances=len(cases),
    )


@statement("zhang2025", "eq-18-19", uses=("eq-16-17",))
def eq_18_19() -> tuple[Variant, ...]:
    r"""A TD difference is at most two critic errors, and a critic error splits at the averages.

    .. math:: |\Delta_0(l,i) - \Delta_0(W_t^*)(l,i)| \le |\hat Q(s_l, a_l; W_t^i) - \hat Q(s_l, a_l; W_t^*)|
        + \gamma |\hat Q(s_{l+1}, a_{l+1}; W_t^*) - \hat Q(s_{l+1}, a_{l+1}; W_t^i)|,
        \qquad |\hat Q(W_t^i) - \hat Q(W_t^*)| \le |\hat Q(W_t^i) - \hat Q(\bar W_t)|
        + |\hat Q(\bar W_t) - \hat Q(W_t^*)|

    True. The reward is the same in both TD errors and cancels, which leaves ``x + gamma y``; with signs of x and y the
    triangle inequality is ``(|x| + gamma |y|)^2 - (x + gamma y)^2 = 2 gamma (|xy| - xy) >= 0``. (19) and (21) are the
    triangle inequality at W-bar and at V-bar. All are attained when the parts have one sign.

    Hypotheses: gamma >= 0; the same transition and reward in both TD errors.

    Consequence: with a uniform bound X on one critic error, a TD difference is at most ``(1 + gamma) X``. The square of
    this factor is what (25) needs.
    """
    return (
        printed(lambda c: (_reward_cancels(), _signs(Fraction(1))), "(18)", "18", part="18"),
        printed(lambda c: _detour(Fraction(1)), "(19) and (21)", "19, 21", part="19, 21"),
        control(lambda c: _signs(Fraction(9, 10)), "(18) with 9/10 of the second error", "9/10"),
        control(lambda c: _detour(Fraction(9, 10)), "(19) with 9/10 of the second error", "9/10 at the average"),
    )


def _reward_cancels() -> Evidence:
    q, q_next, star, star_next, r, gamma = sympy.symbols("q q_next star star_next r gamma")
    left = (q - r - gamma * q_next) - (star - r - gamma * star_next)
    residual = sympy.expand(left - ((q - star) + gamma * (star_next - q_next)))
    return exact_evidence(
        "TD difference minus ((Q - Q*) + gamma (Q*' - Q'))", Fraction(int(residual)), 0, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
    )


def _signs(share: Fraction) -> Evidence:
    """Least ``|x| + share gamma |y| - |x + gamma y|`` by orthant: a linear form in (|x|, gamma |y|) on each piece."""
    return _least_on_pieces(lambda x, y: abs(x) + share * abs(y) - abs(x + y), "|x| + gamma |y| - |x + gamma y|")


def _detour(share: Fraction) -> Evidence:
    return _least_on_pieces(
        lambda x, y: abs(x) + share * abs(y) - abs(x + y), "|a - b| + |b - c| - |a - c|, x = a - b and y = b - c"
    )


def _least_on_pieces(margin: Callable[[Fraction, Fraction], Fraction], quantity: str) -> Evidence:
    """A margin that is linear between the rays x = 0, y = 0, x = -y is least on one of those rays (homogeneity)."""
    rays = [(Fraction(a), Fraction(b)) for a, b in ((1, 0), (0, 1), (1, -1), (-1, 0), (0, -1), (-1, 1))]
    worst = min(rays, key=lambda ray: margin(*ray))
    return exact_evidence(
        f"least {quantity} on the six rays between which it is linear", margin(*worst), 0, Relation.AT_LEAST,
        scope=Scope.CLASS, witness=Witness("a ray", {"x": worst[0], "y": worst[1]}),
    )
