"""zhang2025 Appendix C, Eqs. (9)-(11): the recursion of the optimality gap, unrolled and summed."""

from __future__ import annotations

from fractions import Fraction

import sympy

from rates.recursion import GapRecursion
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence

GAP = GapRecursion()
"""c = 7/6, from t = 2."""

ERROR = Fraction(8, 3)
"""Coefficient of ``alpha_t ||e_t||`` in (9)."""

SHORT, LONG = 20, 200
"""Largest t at which the exact coefficients are compared; ours: under a second."""


@statement("zhang2025", "eq-11", uses=("eq-10", "eq-9"))
def eq_11() -> tuple[Variant, ...]:
    r"""With alpha_t = alpha/t the gap decays like 1/t, up to the average error and the floor.

    .. math:: \Delta_{t+1} \le \frac1t \Delta_2
        + \frac{\alpha}{t} \sum_{\tau=0}^{t-2} \|d_\tau - \nabla J(\theta_\tau)\|
        + \frac{L_J \alpha^2}{t} + \epsilon', \qquad \alpha = \frac{7}{2\sqrt\mu}

    Four terms, each compared with what (9) gives for it: with c = alpha sqrt(mu)/3 = 7/6 the coefficients are known
    exactly (`rates.recursion`), and as gap, errors, L_J and eps' are free and nonnegative, (11) follows from (9) only
    if each of its coefficients is large enough.

    *Initial gap*: true. *Errors*: the factor 8/3 of (9) is lost, and the sum runs over tau = 0..t-2, where the errors
    that act are those of 2..t; the last two are missing, the first two have no effect. *Squared steps*: the constant is
    ``t sum_j alpha_j^2 P(j+1, t)/alpha^2``, 1/2 at t = 2, above one from t = 5 on, and its supremum over t is 6.
    *Floor*: the sum telescopes to ``(1 - P(2, t))/sqrt(mu)``, which exceeds the printed coefficient 1 for large t
    whatever mu is, as ``mu <= 1/2``: scores of norm at most one give mu_f <= 1.

    Repaired, with every constant sharp: ``Delta_{t+1} <= Delta_2/t + (8 alpha/(3t)) sum_{tau=2}^t ||e_tau||
    + 6 L_J alpha^2/t + eps'/sqrt(mu)``. The proofs are items 2 to 5 of `rates.recursion`; the program checks their
    induction steps symbolically. The last constant is approached like ``t^(-1/6)``, so that at t = 1000 it is still
    below 4: a run shows less than the bound for a very long time.

    Second opinion: each coefficient by running (9) with equality on a unit input (tests).

    As printed, (10) has weights that are not positive, so that (11) does follow from it (last reading): two errors
    that cancel.

    Hypotheses: (9) for t >= 2 and alpha sqrt(mu)/3 = 7/6; Delta_2, the errors, L_J and eps' are any nonnegative
    numbers. The steps before t = 2 are not covered: alpha_0 = alpha/0, and 1 - 7/6 at t = 1 is negative.

    Consequence: the rate 1/T of Theorem 5.10 survives with the constant 6 for 1 and 8/3 for 1. The floor is
    ``eps'/sqrt(mu)``: with the true eps' of `lemma_5_7` that is ``sqrt(eps_bias)/(1 - gamma)``.
    """
    one = Fraction(1)
    return (
        printed(lambda c: _initial(one), "Delta_2/t", "initial gap", part="initial gap"),
        printed(lambda c: _errors(one, lag=2), "alpha/t times the errors up to t-2", "errors", part="errors"),
        printed(lambda c: _squares(one), "L_J alpha^2/t", "squared steps", part="squared steps"),
        printed(lambda c: _floor(one, Fraction(1, 2)), "eps' with coefficient one", "floor", part="floor"),
        reading(lambda c: _errors(one, lag=0), "alpha/t times all errors from 2 to t", "all errors"),
        reading(_from_printed_ten, "follows from (10) as printed", "from (10)"),
        repaired(
            lambda c: (*_initial(one), *_errors(ERROR, lag=0), *_squares(Fraction(6)), *_floor_repaired(one)),
            "8 alpha/(3t) times the errors from 2 to t, 6 L_J alpha^2/t, eps'/sqrt(mu)",
        ),
        control(lambda c: _initial(Fraction(1, 3)), "Delta_2/(3t)", "initial gap over three"),
        control(lambda c: _errors(ERROR - Fraction(1, 100), lag=0), "8/3 - 1/100 for the errors", "8/3 - 1/100"),
        control(lambda c: _errors(ERROR, lag=1), "8/3, without the last error", "last error"),
        control(lambda c: _squares(Fraction(599, 100)), "5.99 L_J alpha^2/t", "5.99"),
        control(lambda c: _floor_repaired(Fraction(99, 100)), "0.99 eps'/sqrt(mu)", "0.99"),
    )


def _initial(claimed: Fraction) -> tuple[Evidence, ...]:
    """``t P(2, t)`` against `claimed`; one is the sharp constant over t >= 1 (empty product at t = 1)."""
    k = sympy.Symbol("k")
    excess = sympy.simplify(k * ((1 - 1 / k) - (1 - sympy.Rational(7, 6) / k)))  # factor of 1/t minus factor of P
    worst = GAP.worst(2)
    return (
        exact_evidence(
            "k ((1 - 1/k) - (1 - c/k)): the induction step of t P(2, t) <= 1", Fraction(int(excess.p), int(excess.q)),
            0, Relation.AT_LEAST, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        ),
        exact_evidence("sharp constant of Delta_2/t over t >= 1", GAP.sharp.initial, claimed, Relation.AT_MOST,
                       scope=Scope.CLASS),
        exact_evidence(
            f"t P(2, t), largest over t = 2..{SHORT}", max(GAP.worst(t).initial for t in range(2, SHORT + 1)), claimed,
            Relation.AT_MOST, instances=SHORT - 1, corroborates=True,
            witness=Witness("t = 2: P = 1 - (7/6)/2", {"t P(2, t)": worst.initial, "claimed": claimed}),
        ),
    )  # fmt: skip


def _errors(claimed: Fraction, lag: int) -> tuple[Evidence, ...]:
    """Least margin of the coefficients of ``||e_j||``, in units of alpha/t, where those of the last `lag` are zero."""

    def margins(t: int) -> list[Fraction]:
        return [(claimed if j <= t - lag else 0) - t * ERROR * w for j, w in GAP.weights(t).items()]

    worst = min(min(margins(t)) for t in range(2, SHORT + 1))
    least = claimed - ERROR * GAP.sharp.error if lag == 0 else -ERROR
    j, t = sympy.symbols("j t", positive=True)
    comparison = sympy.simplify((1 / j) * (j / t) - 1 / t)  # (1/j) prod_{k=j+1}^t (1 - 1/k) is 1/t
    return (
        exact_evidence(
            "(1/j) prod (1 - 1/k) - 1/t: the comparison product", Fraction(int(comparison)), 0, Relation.EQUAL,
            rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        ),
        exact_evidence(
            "least margin of the coefficient of an error, all t", least, 0, Relation.AT_LEAST, scope=Scope.CLASS,
            note="attained at j = t",
        ),
        exact_evidence(
            f"least margin of the coefficient of an error, t up to {SHORT}", worst, 0, Relation.AT_LEAST,
            instances=SHORT - 1, corroborates=True,
            witness=Witness(
                "t = 2, Delta_2 = L_J = eps' = 0, ||e_2|| = 1: (9) with equality gives Delta_3 = 8 alpha/6",
                {"Delta_3 / alpha": ERROR / 2, "claimed bound / alpha": claimed / 2 if lag == 0 else Fraction(0)},
            ),
        ),
    )  # fmt: skip


def _squares(claimed: Fraction) -> tuple[Evidence, ...]:
    """``t S(t)`` against `claimed`: exact values, the induction step of its bound, and its limit."""
    t, c = sympy.symbols("t c")
    step = (1 - c / t) * (t - 2) / ((c - 1) * (t - 1) ** 2) + 1 / t**2
    residual = sympy.simplify((t - 1) / ((c - 1) * t**2) - step - (t - c) / ((c - 1) * t**2 * (t - 1) ** 2))
    five = GAP.worst(5)
    return (
        exact_evidence(
            "residual of the induction step of S(t) <= (t-1)/((c-1) t^2)", Fraction(int(residual)), 0, Relation.EQUAL,
            rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        ),
        exact_evidence(
            "supremum of t S(t) over t: 1/(c-1)", GAP.sharp.squared_step, claimed, Relation.AT_MOST, scope=Scope.CLASS,
            note="a limit, approached like t^(-1/6)",
        ),
        exact_evidence(
            f"t S(t) at t = {LONG}", GAP.worst(LONG).squared_step, claimed, Relation.AT_MOST, instances=1,
            corroborates=True,
            witness=Witness(
                "t = 5, Delta_2 = 0, no errors, eps' = 0: (9) with equality gives t Delta_6 / (L_J alpha^2)",
                {"value": five.squared_step, "claimed": claimed},
            ),
        ),
    )  # fmt: skip


def _floor(claimed: Fraction, largest_mu: Fraction) -> Evidence:
    """Squared coefficient of eps' at the largest mu, at t = 3: ``(1 - P)^2/mu`` against ``claimed^2``."""
    coefficient = (1 - GAP.product(2, 3)) ** 2 / largest_mu
    return exact_evidence(
        "squared coefficient of eps' at t = 3, where mu is largest", coefficient, claimed**2, Relation.AT_MOST,
        instances=1,
        witness=Witness(
            "mu_f = 1, t = 3, Delta_2 = L_J = 0, no errors: Delta_4 = (1 - P(2, 3)) eps'/sqrt(mu), P = 5/12 * 11/18",
            {"mu": largest_mu, "P(2, 3)": GAP.product(2, 3), "(Delta_4/eps')^2": coefficient},
        ),
    )


def _floor_repaired(share: Fraction) -> tuple[Evidence, ...]:
    """``c U(t)`` telescopes to ``1 - P(2, t)``; its supremum one against `share`."""
    p, c, j = sympy.symbols("p c j")
    residual = sympy.simplify(p - (1 - c / j) * p - c * p / j)  # P(j+1, t) - P(j, t) = c w_j(t)
    gaps = [abs(GAP.c * GAP.worst(t).floor - (1 - GAP.product(2, t))) for t in range(2, SHORT + 1)]
    return (
        exact_evidence("P(j+1, t) - P(j, t) - c w_j(t)", Fraction(int(residual)), 0, Relation.EQUAL,
                       rigor=Rigor.SYMBOLIC, scope=Scope.CLASS),
        exact_evidence(f"c U(t) - (1 - P(2, t)), largest over t = 2..{SHORT}", max(gaps), 0, Relation.EQUAL,
                       instances=len(gaps), corroborates=True),
        exact_evidence(
            "supremum of the coefficient of eps', times sqrt(mu)", GAP.sharp.floor * GAP.c, share, Relation.AT_MOST,
            scope=Scope.CLASS, note="a limit: P(2, t) tends to zero",
        ),
        exact_evidence(
            "coefficient of eps' times sqrt(mu) at t = 200", GAP.c * GAP.worst(LONG).floor, share, Relation.AT_MOST,
            instances=1, corroborates=True,
        ),
    )  # fmt: skip


def _from_printed_ten(context: Context) -> Evidence:
    """Largest printed weight of (10), ``1{k >= 1} prod_{j=1}^k (1 - c/j)``: never positive, so its sums help (11)."""
    weights = [Fraction(0), *(GAP.product(1, k) for k in range(1, SHORT))]
    return exact_evidence(
        f"largest weight of an error in (10) as printed, k up to {SHORT - 1}", max(weights), 0, Relation.AT_MOST,
        instances=len(weights), note="the factor 1 - c/1 = -1/6 is in every one of them",
    )
