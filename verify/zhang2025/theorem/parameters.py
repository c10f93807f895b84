"""zhang2025 Theorem 5.10's parameters: do they meet the constraints that the proof states, and the one it hides?"""

from __future__ import annotations

from fractions import Fraction

from rates.implications import Monomial, implies, monomial
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence
from verify.zhang2025.theorem.exponents import RADIUS, SIZES, THEOREM_RADIUS, WIDTH_FOR_RADIUS, follows, width

ITERATIONS = monomial("K / D^4", K=1, D=-4)
"""``K = Omega(D^4)``, as a monomial bounded below."""

THEOREM = (width(3, "-11/2"), *THEOREM_RADIUS, ITERATIONS)
"""The parameters of Theorem 5.10, as monomials bounded below."""


def order_of(name: str, **exponents: int | str | Fraction) -> tuple[Monomial, Monomial]:
    """A monomial and its inverse, both bounded below: the condition that the monomial is of order one.

    Args:
        name: how it is printed.
        **exponents: by variable name.
    """
    one = monomial(name, **exponents)
    return one, Monomial(f"1 / ({name})", {v: -x for v, x in one.exponents.items()})


@statement("zhang2025", "theorem-5.10-parameters", uses=("eq-23", "eq-35-36", "eq-38-39", "eq-40-41"))
def theorem_5_10_parameters() -> tuple[Variant, ...]:
    r"""The width, radius and iterations of Theorem 5.10 meet the constraints that its proof states.

    .. math:: m = \Omega(d^3 D^{-11/2}), \qquad B = \Theta(m^{1/32} D^{-6}), \qquad K = \Omega(D^4)

    The stated constraints are those before (23): ``m = Omega(d^(3/2) log^(3/2)(m^(3/2)/B) B D^(1/2))``,
    ``B = O(m^(1/2) D^-6 log^-3 m)`` and ``D = O(K^(1/4))``. All three follow, with the logarithms as well: for
    a > 0, ``log y <= y^a / (e a)`` (the largest value of ``y^-a log y`` is at ``y = e^(1/a)``), so each logarithm
    may be replaced by a small power, and the program certifies the stronger monomial conditions with a = 1/5 for
    ``log(m^(3/2)/B)`` and a = 1/8 for ``log m``.

    Reading: the proof uses one more condition without saying so. From the first to the second form of (36) the term
    ``N^(3/2) (1 - eta^(N-1))^t`` disappears into ``N^(3/2) B D^(1/2) (1 - eta^(N-1))^t``, which needs
    ``B D^(1/2) = Omega(1)``. With the radius of the theorem that is ``m = Omega(D^176)``; it does not follow from the
    parameters, so "these are the only constraints" (after (39)) is not right. A width of D^176 does meet everything.

    Hypotheses: D, d and m are at least one, and m at least two where its logarithm stands in a denominator.

    Consequence: the theorem's parameters are admissible for the critic bound it quotes. Its probability,
    1 - exp(-Omega(log^2 m)), is another matter: none of the conditions makes m large when the network is deep.
    """
    hidden = monomial("B D^(1/2)", B=1, D="1/2")
    return (
        printed(_width_with_logarithms, "the width constraint", "width", part="width"),
        printed(_radius_with_logarithms, "the radius constraint", "radius", part="radius"),
        printed(
            lambda c: follows("K = Omega(D^4) implies D = O(K^(1/4))",
                              implies(THEOREM, monomial("K^(1/4) / D", K="1/4", D=-1), SIZES)),
            "the iterations constraint", "iterations", part="iterations",
        ),
        reading(
            lambda c: follows("the parameters imply B D^(1/2) = Omega(1)", implies(THEOREM, hidden, SIZES)),
            "the parameters also allow the absorption in (36)", "hidden constraint",
        ),
        reading(
            lambda c: (
                follows("m = Omega(D^176) implies B D^(1/2) = Omega(1)",
                        implies((*THEOREM, width(0, 176)), hidden, SIZES)),
                follows("B D^(1/2) = Omega(1) forces m = Omega(D^176)",
                        implies((*THEOREM, hidden), width(0, 176), SIZES)),
            ),
            "the absorption in (36) is allowed exactly for m = Omega(D^176)", "width for the absorption",
        ),
        control(
            lambda c: follows("m = Omega(d^(3/2) D^(-11/2)) implies (38)",
                              implies((width("3/2", "-11/2"), *THEOREM_RADIUS), WIDTH_FOR_RADIUS, SIZES)),
            "a width of d^(3/2) D^(-11/2)", "d^(3/2)",
        ),
        control(
            lambda c: follows("K = Omega(D^3) implies D = O(K^(1/4))",
                              implies((monomial("K / D^3", K=1, D=-3),), monomial("K^(1/4) / D", K="1/4", D=-1),
                                      SIZES)),
            "K = Omega(D^3)", "K of D^3",
        ),
    )


def _width_with_logarithms(context: Context) -> tuple[Evidence, Evidence]:
    """(38), and (38) with ``log^(3/2)(m^(3/2)/B)`` replaced by the larger ``(m^(3/2)/B)^(3/10)``, a = 1/5."""
    log = monomial("(m^(3/2) / B)^(3/10)", m="9/20", B="-3/10")
    with_log = WIDTH_FOR_RADIUS / log
    return (
        follows("the parameters imply (38)", implies(THEOREM, WIDTH_FOR_RADIUS, SIZES)),
        follows("the parameters imply (38) with its logarithm", implies(THEOREM, with_log, SIZES)),
    )


def _radius_with_logarithms(context: Context) -> tuple[Evidence, Evidence]:
    """``B = O(m^(1/2) D^-6)``, and the same with ``log^-3 m`` replaced by the smaller ``m^(-3/8)``, a = 1/8."""
    with_log = RADIUS / monomial("m^(3/8)", m="3/8")
    return (
        follows("the parameters imply B = O(m^(1/2) D^-6)", implies(THEOREM, RADIUS, SIZES)),
        follows("the parameters imply B = O(m^(1/2) D^-6 log^-3 m)", implies(THEOREM, with_log, SIZES)),
    )
