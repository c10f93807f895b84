"""zhang2025 Appendix C, Eq. (8): the descent inequality of the normalised step, line by line."""

from __future__ import annotations

from fractions import Fraction

import sympy

from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.zhang2025.assumptions.circle import Circle, cosine_bounds

THIRD, EIGHT_THIRDS = Fraction(1, 3), Fraction(8, 3)
"""Constants of the third line of Eq. (8)."""


STEEP = Circle(Fraction(1, 4), Fraction(3), Fraction(1, 2))
"""A circle that meets Assumption 5.5 with smoothness ``s L_J = 3 L_J``: above ``2 L_J``, so Eq. (8) fails."""


@statement("zhang2025", "eq-8-descent", uses=("assumption-5.8-J",))
def eq_8_descent() -> tuple[Variant, ...]:
    r"""A Lipschitz objective satisfies a descent inequality with its Lipschitz constant.

    .. math:: -J(\theta_{t+1}) \le -J(\theta_t) - \langle \nabla J(\theta_t), \theta_{t+1} - \theta_t \rangle
        + L_J \|\theta_{t+1} - \theta_t\|^2

    The paper takes this from the first line of Assumption 5.8, ``|J(theta) - J(theta')| <= L_J ||theta - theta'||``.
    A bound on the slope says nothing about how fast the slope turns. Refuted on a bandit with three arms, rewards
    (1, 0, 0), gamma = 1/2, whose policy runs round a circle, ``pi_0 = (1 + cos(3 theta)/4)/3``: ``L_J = 1/2``. At the
    best angle the gradient is zero, and a step h loses ``(1 - cos 3h)/6``; the inequality allows ``h^2/2``. At h = 1/3,
    ``1 - cos 1 >= 11/24``, so ``11/144`` against ``8/144``. It fails for every step with ``3 h <= 1``, so late steps
    alpha/t fail too. The sides scale differently: with J(s theta) for J, the loss grows like s^2 and the allowance like
    s.

    Repaired: with ``||grad J(x) - grad J(y)|| <= K ||x - y||`` the inequality holds with K/2. Along the segment,
    ``J(theta + h) - J(theta) - <grad J(theta), h>`` is ``int_0^1 <grad J(theta + x h) - grad J(theta), h> dx``, the
    integrand is at least ``-K x ||h||^2``, and its integral is ``-K ||h||^2/2``. Sharp: on the circle at the best angle
    the loss over ``K h^2`` tends to 1/2. (Second opinion on the witness: J of the class in `mdp.policies`, tests.) So
    Eq. (8) is true where ``L_J >= K/2``, in particular when L_J is read as the smoothness constant, which is what the
    sentence after Assumption 5.8 calls it.

    Hypotheses: Assumption 5.8 as displayed (J Lipschitz). The witness meets Assumptions 5.2, 5.3 and 5.5: its score
    is at most ``3/sqrt(15) < 1`` and its Fisher information is bounded below for every theta.

    Consequence: every appearance of L_J from (8) to (37) must be read as half a smoothness constant. Such a constant is
    not among the assumptions; it exists for the classes of `mdp.smoothness`. The O(1/T) term keeps its order.
    """
    return (
        printed(lambda c: _descent_on_circle(Fraction(1)), "with L_J the least Lipschitz constant of J"),
        reading(
            lambda c: _descent_with_smoothness(Fraction(1)), "with L_J the Lipschitz constant of the gradient",
            "smoothness",
        ),
        repaired(lambda c: _descent_with_smoothness(HALF), "with half the Lipschitz constant of the gradient"),
        control(
            lambda c: _descent_with_smoothness(Fraction(49, 100)),
            "with 49/100 of the Lipschitz constant of the gradient", "49/100",
        ),
        control(lambda c: _descent_on_circle(Fraction(6, 5)), "with 6/5 of the Lipschitz constant of J", "6/5 of L_J"),
    )


HALF = Fraction(1, 2)


def _descent_on_circle(share: Fraction) -> Evidence:
    """A lower bound on the loss of a step 1/3 from the best angle, minus ``share L_J h^2``."""
    h = Fraction(1, 3)
    loss = (1 - cosine_bounds(STEEP.s * h)[1]) * STEEP.lipschitz / STEEP.s
    allowed = share * STEEP.lipschitz * h**2
    return exact_evidence(
        f"lower bound on J(theta) - J(theta + h), minus {share} L_J h^2, at grad J = 0", loss - allowed, 0,
        Relation.AT_MOST, instances=1,
        witness=Witness(
            "three arms with rewards (1, 0, 0), J = (2/3)(1 + cos(3 theta)/4), theta = 0, a step of 1/3; "
            "cos 1 <= 1 - 1/2 + 1/24",
            {
                "gamma": STEEP.gamma, "L_J": STEEP.lipschitz, "grad J": 0, "h": h,
                "J(theta) - J(theta + h) is at least": loss, "allowed": allowed,
            },
        ),
    )  # fmt: skip


def _descent_with_smoothness(share: Fraction) -> tuple[Evidence, Evidence]:
    """The integral of the proof against ``share``, and the loss on the circle over ``K h^2`` for steps 1, 1/2, ..."""
    x = sympy.Symbol("x")
    area = sympy.integrate(x, (x, 0, 1))
    steps = [Fraction(1, 2**k) for k in range(8)]
    ratios = [(1 - cosine_bounds(u)[1]) / u**2 for u in steps]
    worst = max(ratios)
    witness = Witness(
        "the circle at its best angle, a step of s h = 1/128",
        {"s h": steps[-1], "loss over K h^2 is at least": ratios[-1], "share": share},
    )
    return (
        exact_evidence(
            "int_0^1 x dx: the share of K ||h||^2 that the proof needs", Fraction(int(area.p), int(area.q)), share,
            Relation.AT_MOST, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        ),
        exact_evidence(
            "loss over K h^2 on the circle, lower bounds for eight steps, worst", worst, share, Relation.AT_MOST,
            instances=len(steps), witness=witness, corroborates=True, note="tends to 1/2: the constant is sharp",
        ),
    )  # fmt: skip


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

    Hypotheses: d is not zero; g and d are any vectors, so nothing about the problem is used.

    Consequence: the third line of (8) follows from the second with room to spare, so (9) is not weakened by this step;
    with (1, 2) its contraction could be three times as fast and its error term smaller by a quarter.
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
