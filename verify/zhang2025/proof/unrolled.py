"""zhang2025 Appendix C, Eq. (10): the steps of the optimality gap, unrolled."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy

from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.zhang2025.proof.one_step import ERROR


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
