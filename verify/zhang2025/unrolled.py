"""zhang2025 Appendix C, Eqs. (9) and (10): one step of the optimality gap, and the steps unrolled."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import cos, pi, sin, sqrt

import sympy

from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.identities import largest
from verify.zhang2025.circle import Circle, cosine_bounds

ERROR = Fraction(8, 3)
"""Coefficient of ``alpha_t ||e_t||`` in (9)."""

ROUNDING = 1e-12
"""Rounding of a gap of order one; ours."""


@statement("zhang2025", "eq-9", uses=("eq-8-descent", "eq-8-normalised", "eq-8-cases", "lemma-5.7"))
def eq_9() -> tuple[Variant, ...]:
    r"""One step shrinks the optimality gap up to the error of the direction, the floor and the squared step.

    .. math:: \Delta_{t+1} \le \Big(1 - \frac{\alpha_t \sqrt\mu}{3}\Big) \Delta_t
        + \frac{8\alpha_t}{3} \|d_t - \nabla J(\theta_t)\| + L_J \alpha_t^2 + \frac{\alpha_t}{3} \epsilon'

    *Step*: the algebra is right. The slack of (9) is the slack of (8), with a step of length alpha_t, plus
    ``alpha_t/3`` times the slack of Lemma 5.7.

    *Inequality*: false under the paper's assumptions, because Lemma 5.7 is false with its eps'. Witness: a bandit with
    three arms, rewards (1, 0, 0), gamma = 1/2, policies on a circle, at the worst angle. The gradient is zero
    and the gap is 5/3; a small direction d of any kind gives ``||e|| = ||d||`` as small as we like; the gap changes by
    at most ``alpha^2/6`` in a step, while (9) asks it to shrink by ``(14/405) alpha`` minus terms of second order and
    the error. With alpha_t = 1/200 and ||d|| = 1/1000 it fails by a rational amount. Any other constant in place of
    L_J fails too, at a smaller step. The Fisher information is 1/10 at least; ``mu_f = sqrt(2)/15 < 1/10`` is
    chosen to make sqrt(mu) = 1/15 rational.

    Repaired, for one agent or stacked normalisation, with K the smoothness constant and the true floor of
    `lemma_5_7`: ``Delta_{t+1} <= (1 - alpha_t sqrt(mu)) Delta_t + 2 alpha_t ||e_t|| + K alpha_t^2/2
    + alpha_t sqrt(mu) sqrt(eps_bias)/(1 - gamma)``, from the sharp pair (1, 2) of `eq_8_cases`. For the step as listed,
    of length ``alpha_t sqrt(N)``, put ``(1 + sqrt(N)) alpha_t ||e_t||`` and ``N K alpha_t^2/2``.

    Hypotheses: Assumptions 5.5, 5.6 and 5.8; d is any nonzero vector, as in the derivation of (8). The witness meets
    Assumptions 5.2, 5.3, 5.5 and 5.6 with every constant exact.

    Consequence: with the repaired form the induction (10)-(11) can start; its floor no longer contracts to
    ``sqrt(mu) eps`` but to ``sqrt(eps_bias)/(1 - gamma)``, which by `theorem_5_10` already covers every policy.
    """
    return (
        printed(lambda c: _algebra(Fraction(1, 3)), "given (8), Lemma 5.7 and a step of length alpha_t", "step",
                part="step"),
        printed(lambda c: _at_the_worst_angle(Form.printed()), "under the assumptions of the paper", "inequality",
                part="inequality"),
        reading(lambda c: _on_circles(c, Form.printed()), "on random circles, random steps and directions", "circles"),
        repaired(
            lambda c: (_at_the_worst_angle(Form.repaired()), _on_circles(c, Form.repaired())),
            "smoothness K/2, the true floor, a = 1 and b = 2",
        ),
        control(lambda c: _algebra(Fraction(1, 2)), "contraction 1 - alpha_t sqrt(mu)/2, same lines", "1/2"),
        control(
            lambda c: _at_the_worst_angle(Form(Fraction(1), Fraction(2), Fraction(1, 2), Fraction(9, 10), True)),
            "the repaired form with 9/10 of its floor", "floor",
        ),
        control(
            lambda c: _on_circles(c, Form(Fraction(1), Fraction(1, 2), Fraction(1, 2), Fraction(1), True)),
            "the repaired form with b = 1/2", "b = 1/2",
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Form:
    """``(1 - a alpha sqrt(mu)) Delta + b alpha ||e|| + share L alpha^2 + a alpha floor``.

    Attributes:
        a: contraction.
        b: coefficient of the error.
        share: coefficient of the squared step.
        floor_share: share of the floor.
        true_floor: whether the floor is ``sqrt(mu) sqrt(eps_bias)/(1 - gamma)`` and L the smoothness constant, rather
        than
            ``mu sqrt(eps_bias)/(1 - gamma)`` and the Lipschitz constant.
    """

    a: Fraction
    b: Fraction
    share: Fraction
    floor_share: Fraction
    true_floor: bool

    @classmethod
    def printed(cls) -> Form:
        """Eq. (9)."""
        return cls(Fraction(1, 3), ERROR, Fraction(1), Fraction(1), False)

    @classmethod
    def repaired(cls) -> Form:
        """The repaired form."""
        return cls(Fraction(1), Fraction(2), Fraction(1, 2), Fraction(1), True)


def _algebra(contraction: Fraction) -> Evidence:
    """Slack of (9) minus slack of (8) minus ``alpha/3`` times slack of Lemma 5.7, which must vanish."""
    alpha, root, gap, after, e, g, L, floor = sympy.symbols("alpha root gap after e g L floor")
    third, eight = sympy.Rational(1, 3), sympy.Rational(8, 3)
    rate = sympy.Rational(contraction.numerator, contraction.denominator)
    slack_8 = gap - alpha * third * g + eight * alpha * e + L * alpha**2 - after
    slack_57 = floor + g - root * gap
    slack_9 = (1 - rate * alpha * root) * gap + eight * alpha * e + L * alpha**2 + alpha * third * floor - after
    residual = sympy.expand(slack_9 - slack_8 - alpha * third * slack_57)
    return exact_evidence(
        "terms left of: slack of (9) - slack of (8) - (alpha/3) slack of Lemma 5.7",
        0 if residual == 0 else len(sympy.Add.make_args(residual)), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC,
        scope=Scope.CLASS, witness=None if residual == 0 else Witness("what is left", {"residual": str(residual)}),
    )  # fmt: skip


def _at_the_worst_angle(form: Form) -> Evidence:
    """Exact lower bound on Delta_{t+1} minus the right side: a step 1/200 along a direction of length 1/1000."""
    circle = Circle(Fraction(1, 2), Fraction(1), Fraction(1, 2))
    alpha, error, root_mu = Fraction(1, 200), Fraction(1, 1000), Fraction(1, 15)
    gap = circle.worst_gap
    after = gap - (1 - cosine_bounds(alpha)[0]) * circle.lipschitz / circle.s
    floor = form.floor_share * (root_mu if form.true_floor else root_mu**2) * gap
    constant = circle.smoothness if form.true_floor else circle.lipschitz
    right = (1 - form.a * alpha * root_mu) * gap + form.b * alpha * error + form.share * constant * alpha**2
    right += form.a * alpha * floor
    return exact_evidence(
        "lower bound on Delta_{t+1} minus the right side, at the worst angle", after - right, 0, Relation.AT_MOST,
        instances=1,
        witness=Witness(
            "three arms, rewards (1, 0, 0), pi_0 = (1 + cos(theta)/2)/3, theta = pi, grad J = 0; "
            "alpha_t = (7/2) 15/t = 1/200 at t = 10500; cos x >= 1 - x^2/2",
            {
                "gamma": circle.gamma, "Delta_t": gap, "sqrt(mu)": root_mu, "L_J": circle.lipschitz, "alpha_t": alpha,
                "||d - grad J||": error, "sqrt(eps_bias)/(1 - gamma)": gap, "Delta_{t+1} is at least": after,
                "right side": right,
            },
        ),
    )  # fmt: skip


def _on_circles(context: Context, form: Form) -> Evidence:
    """Largest excess of the left side on random circles: angles, steps over four decades, directions of all sizes."""
    rng, excesses = context.rng(9), []
    for k in range(context.profile.n_search):
        c = Fraction(int(rng.integers(1, 20)), 20)
        scale = Fraction(int(sqrt(1 / c**2 - 1) * 1000), 1000) * Fraction(int(rng.integers(1, 11)), 10)
        circle = Circle(c, scale, Fraction(int(rng.integers(0, 10)), 10))
        s, angle = float(circle.s), pi - 10 ** rng.uniform(-3, -1) if k % 2 else float(rng.uniform(-pi, pi))
        angle = pi if k % 4 == 0 else angle
        height = float(circle.lipschitz) / s
        gap = float(circle.worst_gap) - height * (1 + cos(angle))
        g = -float(circle.lipschitz) * sin(angle)
        d = g + float(rng.choice([-1, 1])) * 10 ** rng.uniform(-4, 0)
        d = -1e-6 * g if k % 4 == 1 and g != 0 else d
        alpha, root_mu = 10 ** rng.uniform(-4, 0), circle.information / sqrt(2)
        turned = angle + s * alpha * (1 if d > 0 else -1)
        after = float(circle.worst_gap) - height * (1 + cos(turned))
        floor = float(form.floor_share) * float(circle.worst_gap) * (root_mu if form.true_floor else root_mu**2)
        constant = float(circle.smoothness if form.true_floor else circle.lipschitz)
        right = (1 - float(form.a) * alpha * root_mu) * gap + float(form.b) * alpha * abs(d - g)
        right += float(form.share) * constant * alpha**2 + float(form.a) * alpha * floor
        excesses.append((after - right) / float(circle.worst_gap))
    return exact_evidence(
        "largest (Delta_{t+1} - right side) over the worst gap, random circles", largest(excesses), ROUNDING,
        Relation.AT_MOST, rigor=Rigor.FLOAT, instances=len(excesses),
    )


@statement("zhang2025", "eq-10", uses=("eq-9",))
def eq_10() -> tuple[Variant, ...]:
    r"""The recursion unrolled: a product times the first gap, plus weighted errors and squared steps.

    .. math:: \Delta_t \le \prod_{k=2}^t \Big(1 - \frac{\alpha_k \sqrt\mu}{3}\Big) \Delta_2
        + \sum_{k=0}^{t-2} \Big(I\{k \ge 1\} \prod_{i=0}^{k-1} \Big(1 - \frac{\alpha_{k-i}\sqrt\mu}{3}\Big)\Big)
        \big(\alpha_{t-k} (\|d_{t-k} - \nabla J(\theta_{t-k})\| + \epsilon') + L_J \alpha_{t-k}^2\big)

    The two sums of the paper are written as one. Gap, errors, eps' and L_J are free and nonnegative, so the display
    follows from (9) only if each of its coefficients is at least the one that (9) gives. Four things are wrong.

    1. The left side is the gap after t - 2 steps, the right side has t - 1 of them: at t = 2 it reads
       ``Delta_2 <= (1 - 7/12) Delta_2``.
    2. The indicator makes the weight of the last error zero; it was meant to make an empty product one.
    3. The inner product runs over alpha_k, ..., alpha_1 instead of alpha_t, ..., alpha_(t-k+1): with
       ``alpha_k = alpha/k`` it contains ``1 - 7/6 = -1/6``, so every printed weight is negative.
    4. The factor 8/3 of (9) is lost. (The factor 1/3 of eps' is lost too, which only weakens the bound.)

    Each of them alone refutes (readings). Repaired: ``Delta_{t+1} <= prod_{k=2}^t (1 - a_k) Delta_2 + sum_{k=0}^{t-2}
    prod_{i=0}^{k-1} (1 - a_{t-i}) (8 alpha_{t-k} ||e_{t-k}||/3 + alpha_{t-k} eps'/3 + L_J alpha_{t-k}^2)`` with
    ``a_k = alpha_k sqrt(mu)/3``. It is an identity when (9) is one, so no coefficient can be smaller. It needs
    ``a_k <= 1`` for k >= 2, which holds as a_2 = 7/12. Second opinion: `rates.recursion` runs (9) on unit impulses.

    Hypotheses: (9) for t >= 2, with alpha_t = alpha/t and alpha sqrt(mu)/3 = 7/6; all quantities nonnegative.

    Consequence: at t = 2 (10) as printed says that a gap is at most 5/12 of itself. (11) has to be derived from the
    repaired form, with other constants.
    """
    right = Unrolled()
    return (
        printed(lambda c: _dominates(Unrolled(1, False, True, Fraction(1), Fraction(1))), "as printed", "literal"),
        printed(
            lambda c: _dominates(Unrolled(0, False, True, Fraction(1), Fraction(1))), "with Delta_{t+1} on the left",
            "index",
        ),
        printed(
            lambda c: _dominates(Unrolled(0, True, True, Fraction(1), Fraction(1))),
            "with Delta_{t+1} on the left and an empty product of one", "index, empty product",
        ),
        reading(lambda c: _dominates(Unrolled(left=1)), "repaired, with Delta_t on the left", "only the left side"),
        reading(lambda c: _dominates(Unrolled(last=False)), "repaired, without the last error", "only the indicator"),
        reading(lambda c: _dominates(Unrolled(from_one=True)), "product over alpha_k", "only the inner index"),
        reading(lambda c: _dominates(Unrolled(error=Fraction(1))), "repaired, without 8/3", "only the factor"),
        repaired(lambda c: (_dominates(right), _symbolic(ERROR)), "t + 1, alpha_{t-i}, empty product of one, 8/3"),
        control(lambda c: _dominates(Unrolled(error=Fraction(263, 100))), "2.63 for 8/3", "2.63"),
        control(lambda c: _dominates(Unrolled(floor=Fraction(33, 100))), "0.33 for 1/3 at eps'", "0.33"),
        control(lambda c: _symbolic(ERROR - Fraction(1, 9)), "23/9 for 8/3, any steps", "23/9"),
    )  # fmt: skip


LAST = 12
"""Largest t at which the coefficients of (10) are compared; ours."""

CONTRACTION = Fraction(7, 6)


@dataclass(frozen=True)
class Unrolled:
    """A form of (10), as printed or repaired in each of its four places.

    Attributes:
        left: 0 for ``Delta_{t+1}`` on the left, 1 for ``Delta_t``.
        last: whether the empty product of k = 0 counts as one.
        from_one: whether the inner product runs over ``alpha_k .. alpha_1``.
        error: coefficient of ``alpha ||e||``.
        floor: coefficient of ``alpha eps'``.
    """

    left: int = 0
    last: bool = True
    from_one: bool = False
    error: Fraction = ERROR
    floor: Fraction = Fraction(1, 3)

    def coefficients(self, t: int) -> dict[str, Fraction]:
        """Coefficient of every quantity on the right side, with ``alpha_k = 1/k``.

        Args:
            t: index of the display.
        """
        start = Fraction(1)
        for k in range(2, t + 1):
            start *= 1 - CONTRACTION / k
        found, floor, square = {"Delta_2": start}, Fraction(0), Fraction(0)
        for k in range(t - 1):
            weight = Fraction(1 if k or self.last else 0)
            for i in range(k):
                weight *= 1 - CONTRACTION / (k - i if self.from_one else t - i)
            found[f"e_{t - k}"] = self.error * weight / (t - k)
            floor += self.floor * weight / (t - k)
            square += weight / (t - k) ** 2
        return {**found, "eps'": floor, "L_J": square}


def _stepped(n_steps: int) -> dict[str, Fraction]:
    """Coefficients that (9) itself gives after `n_steps` steps from Delta_2, one step at a time."""
    state = {"Delta_2": Fraction(1)}
    for t in range(2, 2 + n_steps):
        state = {name: value * (1 - CONTRACTION / t) for name, value in state.items()}
        for name, value in ((f"e_{t}", ERROR / t), ("eps'", Fraction(1, 3 * t)), ("L_J", Fraction(1, t * t))):
            state[name] = state.get(name, Fraction(0)) + value
    return state


def _dominates(form: Unrolled) -> Evidence:
    """Least (claimed - needed) coefficient over t = 2..LAST; the witness is the first t at which one is too small."""
    worst, witness = None, None
    for t in range(2, LAST + 1):
        claimed, needed = form.coefficients(t), _stepped(t - 1 - form.left)
        names = [*needed, *(name for name in claimed if name not in needed)]
        margins = {n: claimed.get(n, Fraction(0)) - needed.get(n, Fraction(0)) for n in names}
        name = min(margins, key=lambda n: margins[n])
        worst = margins[name] if worst is None else min(worst, margins[name])
        if witness is None and margins[name] < 0:
            witness = Witness(
                f"t = {t}: (9) with equality, alpha = 1 and only {name} = 1, the rest zero",
                {"gap by (9)": needed.get(name, Fraction(0)), "right side of (10)": claimed.get(name, Fraction(0))},
            )
    assert worst is not None
    return exact_evidence(
        f"least margin of a coefficient of (10) over the one that (9) gives, t = 2..{LAST}", worst, 0,
        Relation.AT_LEAST, instances=LAST - 1, witness=witness,
    )


def _symbolic(error: Fraction) -> Evidence:
    """Repaired (10) minus (9) iterated, for arbitrary steps, errors and contractions, t = 2..6."""
    rate = sympy.Rational(error.numerator, error.denominator)
    a, step, e = (sympy.symbols(f"{name}2:7", nonnegative=True) for name in ("a", "alpha", "e"))
    gap, floor, L = sympy.symbols("Delta_2 floor L_J", nonnegative=True)
    iterated, left = gap, 0
    for t in range(2, 7):
        forcing = [sympy.Rational(8, 3) * s * x + s * floor / 3 + L * s**2 for s, x in zip(step, e, strict=True)]
        iterated = (1 - a[t - 2]) * iterated + forcing[t - 2]
        closed = gap * sympy.prod([1 - x for x in a[: t - 1]])
        for k in range(t - 1):
            weight = sympy.prod([1 - a[t - i - 2] for i in range(k)])
            s, x = step[t - k - 2], e[t - k - 2]
            closed += weight * (rate * s * x + s * floor / 3 + L * s**2)
        left += len(sympy.Add.make_args(sympy.expand(closed - iterated))) if sympy.expand(closed - iterated) != 0 else 0
    return exact_evidence(
        "terms left of (10) repaired minus (9) iterated with symbols, t = 2..6", left, 0, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, instances=5,
    )
