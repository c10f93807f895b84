"""bhandari2018 Lemmas 1 and 3: the D-norm, and the drift of the mean TD(0) update towards its fixed point."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

import numpy as np
import sympy
from flint import fmpq

from verify.bhandari2018.forms import TDProblem, chain_problem, flipping, form_evidence, problems
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, exact_evidence

HALF = Fraction(1, 2)


@statement("bhandari2018", "lemma-1")
def lemma_1() -> tuple[Variant, ...]:
    r"""With features of norm at most one, the D-norm of a value is at most the norm of its parameter.

    .. math:: \|V_\theta - V_{\theta'}\|_D \le \|\theta - \theta'\|_2

    The squares differ by the form ``I - Phi^T D Phi``, which exact elimination finds positive semidefinite on every
    problem. By hand: ``(phi(s)^T x)^2 <= ||phi(s)||^2 ||x||^2 <= ||x||^2`` for each s, and D averages over s. The other
    half of the lemma, with the least eigenvalue of ``Phi^T D Phi``, is the definition of that eigenvalue.

    Hypotheses: ``||phi(s)||_2 <= 1``; without it the bound fails at once, which is the negative control.

    Consequence: bounds in the D-norm can be stated for the parameter, at the price of the least eigenvalue.
    """
    return (
        printed(lambda c: _norms(c, 1), "for features of norm at most one"),
        control(lambda c: _norms(c, 2), "for features of norm at most two", "longer features"),
    )


def _norms(context: Context, length: int) -> Evidence:
    return form_evidence(
        "least value of ||x||^2 - ||Phi x||_D^2",
        lambda p: np.eye(len(p.covariance), dtype=int) - p.covariance,
        chain([flipping(length)], problems(context, length=length)),
    )


@statement("bhandari2018", "lemma-3", uses=("lemma-1",))
def lemma_3() -> tuple[Variant, ...]:
    r"""The mean update of TD(0) points towards the fixed point, by at least 1 - gamma times the squared D-norm.

    .. math:: (\theta^* - \theta)^\top \bar{g}(\theta) \ge (1-\gamma) \|V_{\theta^*} - V_\theta\|_D^2

    With ``v = V_theta* - V_theta`` the left side is ``E[v(s)^2 - gamma v(s) v(s')]``. Under the stationary law
    ``E[v(s')^2 - v(s)^2] = 0``; add ``gamma/2`` times it. What is left of left side minus ``c E[v(s)^2]`` is the mean
    of a quadratic form in (v(s), v(s')) of determinant ``(gamma/2)(1 - gamma - c)``, nonnegative exactly when
    ``c <= 1 - gamma``. The program computes this determinant for symbolic gamma. At ``c = 1 - gamma`` the form is
    ``(gamma/2)(v(s') - v(s))^2``, so the lemma is an identity with the Dirichlet form as its gap. Second opinion: the
    matrix of the whole inequality is decided by exact elimination on random problems. Sharp for constant v.

    The lemma needs the stationary law. With the discounted visitation, under which many actor-critic proofs sample,
    it is refuted: two states, 0 to 1 and 1 to itself, start in 0, gamma = 1/2, ``v = (1, 2)``: ``1 < 5/4``. Repaired
    with half the constant: the visitation d and start law eta have ``gamma E[v(s')^2] = E[v(s)^2] - (1-gamma)
    eta(v^2)``; add half of it to get determinant ``(gamma/2)((1-gamma)/2 - c)``. Sharp: on a line of n states with
    ``v(s) = (s + 1)/n`` and gamma to 1, the ratio to ``1 - gamma`` tends to ``(1 + 1/n)/2``.

    Hypotheses: the states are sampled from the stationary law; no bound on the features is used.

    Consequence: every finite-time bound of the paper keeps its ``1 - gamma``. A critic fed from the visitation has half
    the drift in the worst case, so its step-size condition and its constants change by two, not its rate.
    """
    return (
        printed(lambda c: _drift(c, Fraction(1)), "sampling from the stationary law"),
        reading(
            lambda c: _drift(c, Fraction(1), "visitation"), "sampling from the discounted visitation", "visitation",
            recheck=lambda c: _form(iter([line(2, fmpq(1, 2), identity=True)]), Fraction(1)),
        ),
        repaired(lambda c: _drift(c, HALF, "visitation"), "from the visitation, with (1 - gamma)/2", "visitation"),
        reading(_identity, "equality, with the gap (gamma/2) E(v(s') - v(s))^2", "identity"),
        control(lambda c: _drift(c, Fraction(101, 100)), "with 1.01 (1 - gamma)", "larger constant"),
        control(
            lambda c: _drift(c, Fraction(11, 20), "visitation"), "from the visitation, with 0.55 (1 - gamma)",
            "visitation, larger constant",
        ),
    )  # fmt: skip


def line(n: int, gamma: fmpq, *, identity: bool = False) -> TDProblem:
    """States 0, 1, ..., n - 1 in a row, the last absorbing, sampled from the visitation of state 0.

    Args:
        n: number of states.
        gamma: discount.
        identity: one feature per state; otherwise the single feature ``(s + 1)/n``, a ramp.
    """
    P = [[fmpq(int(t == min(s + 1, n - 1))) for t in range(n)] for s in range(n)]
    law = [(1 - gamma) * gamma**s for s in range(n - 1)] + [gamma ** (n - 1)]
    phi = np.eye(n, dtype=int).tolist() if identity else [[fmpq(s + 1, n)] for s in range(n)]
    return chain_problem(P, law, gamma, phi)


def _drift(context: Context, share: Fraction, law: str = "stationary") -> tuple[Evidence, Evidence]:
    """The determinant for all problems, and the whole form on the worst and on random ones."""
    if law == "stationary":
        half = fmpq(1, 2)
        worst = [chain_problem([[half, half], [half, half]], [half, half], half, [[1], [1]])]
    else:
        worst = [line(2, fmpq(1, 2), identity=True), line(20, fmpq(9_999, 10_000))]
    gamma = sympy.Symbol("gamma", positive=True)
    added = gamma / 2 if law == "stationary" else sympy.Rational(1, 2)  # times v(s)^2, taken off by the law's balance
    c = sympy.Rational(share.numerator, share.denominator) * (1 - gamma)
    form = sympy.Matrix([[1 - c - added, -gamma / 2], [-gamma / 2, gamma / 2]])
    scaled = sympy.Rational(sympy.cancel(form.det() / (gamma * (1 - gamma) / 2)))
    return (
        exact_evidence(
            "determinant of the form in (v(s), v(s')), over gamma (1 - gamma)/2",
            Fraction(int(scaled.p), int(scaled.q)), 0, Relation.AT_LEAST, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
            note="its other diagonal entry is gamma/2 > 0; at gamma = 0 both sides of the lemma are equal"
            if share == 1 and law == "stationary" else "",
        ),
        _form(chain(worst, problems(context, law)), share, corroborates=True),
    )  # fmt: skip


def _form(tried: Iterator[TDProblem], share: Fraction, *, corroborates: bool = False) -> Evidence:
    ratio = fmpq(share.numerator, share.denominator)
    return form_evidence(
        f"least value of (theta* - theta)^T gbar(theta) - {share} (1 - gamma) ||V_theta* - V_theta||_D^2",
        lambda p: (p.slope + p.slope.T) / 2 - ratio * (1 - p.gamma) * p.covariance,
        tried, corroborates=corroborates,
    )  # fmt: skip


def _identity(context: Context) -> Evidence:
    """Largest entry of left side minus right side with the Dirichlet form, as matrices."""
    worst, count = fmpq(0), 0
    for p in problems(context):
        pairs = p.weight.sum(axis=1)
        steps = p.phi[None, :, :] - p.phi[:, None, :]
        dirichlet = np.einsum("st,stj,stk->jk", pairs, steps, steps)
        residual = (p.slope + p.slope.T) / 2 - (1 - p.gamma) * p.covariance - p.gamma / 2 * dirichlet
        worst = max(worst, *(abs(x) for x in residual.ravel()))
        count += 1
    return exact_evidence("largest entry of the difference of the two sides", worst, 0, Relation.EQUAL, instances=count)
