"""zhang2025 Appendix C, Eq. (8): the two cases behind the descent inequality of the normalised step."""

from __future__ import annotations

from fractions import Fraction

import sympy

from verify.claim import Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence

THIRD, EIGHT_THIRDS = Fraction(1, 3), Fraction(8, 3)
"""Constants of the third line of Eq. (8)."""


@statement("zhang2025", "eq-8-cases")
def eq_8_cases() -> tuple[Variant, ...]:
    r"""A normalised step along d = grad J + e makes progress up to the error e.

    .. math:: \frac{\langle \nabla J, d \rangle}{\|d\|} \le -\tfrac13 \|\nabla J\| + \tfrac83 \|e\|, \qquad
        -\alpha_t \frac{\langle \nabla J, d \rangle}{\|d\|} \le -\tfrac{\alpha_t}{3} \|\nabla J\|
        + \tfrac{8\alpha_t}{3}\|e\|

    The sentence after Eq. (8) has lost a minus sign: with ``d = grad J``, ``e = 0`` its left side is ``||grad J||``.
    The step from the second to the third line of Eq. (8), which it is meant to justify, is right.

    Repaired and sharp: ``-<g, d>/||d|| <= -a ||g|| + b ||e||`` with ``a >= 0`` holds for all g and all d != 0 exactly
    when ``a <= 1`` and ``b >= 1 + a``. Sufficiency: ``g = d - e`` gives ``-<g, d>/||d|| <= -||d|| + ||e||``, and
    ``||d|| >= ||g|| - ||e||``; take the convex combination of the bounds (0, 1) and (1, 2). Necessity: ``e = 0``
    forces a <= 1, and ``d = -tau g`` with tau to 0 forces b >= 1 + a. So 8/3 may be halved, and (1, 2) is better
    than (1/3, 8/3) everywhere. The program proves each pair by reducing to the cosine c and the length of d and
    checking a quadratic in c on its interval.
    """
    return (
        printed(_sentence, "the sentence after Eq. (8), as printed", "sentence", part="sentence"),
        printed(
            lambda c: _margin(c, THIRD, EIGHT_THIRDS), "the third line of Eq. (8), given the second", "third line",
            part="third line",
        ),
        repaired(lambda c: _margin(c, THIRD, 1 + THIRD), "a = 1/3 with the sharp b = 4/3", "halved"),
        repaired(lambda c: _margin(c, Fraction(1), Fraction(2)), "a = 1, b = 2: better everywhere", "sharp"),
        control(
            lambda c: _margin(c, THIRD, 1 + THIRD - Fraction(1, 100)), "a = 1/3 with b just below 4/3", "b below 1+a"
        ),
        control(lambda c: _margin(c, Fraction(101, 100), Fraction(3)), "a just above 1", "a above 1"),
    )


def _sentence(context: Context) -> Evidence:
    """In one dimension with grad J = d = 1 and e = 0: 1 <= -1/3 is false."""
    left, right = Fraction(1), -THIRD * 1 + EIGHT_THIRDS * 0
    return exact_evidence(
        "left side minus right side", left - right, 0, Relation.AT_MOST, instances=1,
        witness=Witness("one dimension, an exact direction", {"grad J": left, "d": left, "e": 0, "right side": right}),
    )


def _margin(context: Context, a: Fraction, b: Fraction) -> Evidence:
    """Least value of ``b^2 ||e||^2 - (a - c)^2`` over unit g and d of any length, where ``a - c > 0``.

    With ``||g|| = 1`` and cosine c, ``||e||`` is smallest at ``sqrt(1 - c^2)`` for c >= 0 (the foot of the
    perpendicular) and tends to 1 as d shrinks for c < 0. The inequality is trivial where ``a - c <= 0``.
    """
    c = sympy.Symbol("c", real=True)
    A, B = sympy.Rational(a.numerator, a.denominator), sympy.Rational(b.numerator, b.denominator)
    pieces = (
        (B**2 * (1 - c**2) - (A - c) ** 2, sympy.Integer(0), min(A, sympy.Integer(1))),
        (B**2 - (A - c) ** 2, sympy.Integer(-1), sympy.Integer(0)),
    )
    least, where = min(
        (_least_of_quadratic(piece, c, low, high) for piece, low, high in pieces), key=lambda pair: pair[0]
    )
    value, cosine = Fraction(int(least.p), int(least.q)), Fraction(int(where.p), int(where.q))
    witness = Witness(
        f"cosine {cosine} between grad J and d" + (", d shrinking to zero" if cosine < 0 else ", e orthogonal to d"),
        {"cosine": cosine, "a": a, "b": b, "least margin": value},
    )
    return exact_evidence(
        f"least margin b^2 ||e||^2 - (a - cos)^2 for a = {a}, b = {b}", value, 0, Relation.AT_LEAST,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, witness=witness,
        note="attained in the limit: the constants are sharp" if value == 0 else "",
    )


def _least_of_quadratic(
    expression: sympy.Expr, c: sympy.Symbol, low: sympy.Rational, high: sympy.Rational
) -> tuple[sympy.Rational, sympy.Rational]:
    """Exact minimum of a quadratic on an interval: an end point or the vertex inside."""
    candidates = [low, high]
    candidates += [root for root in sympy.solve(sympy.diff(expression, c), c) if low < root < high]
    return min(((expression.subs(c, x), x) for x in candidates), key=lambda pair: pair[0])
