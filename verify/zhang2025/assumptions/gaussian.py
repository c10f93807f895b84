"""zhang2025 Sec. 5, after Assumption 5.6: the claim about Gaussian policies."""

from __future__ import annotations

from fractions import Fraction

import sympy

from verify.claim import Variant, control, printed, source, statement
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.zhang2025.setting.networks_eq5 import sympy_fraction


@statement("zhang2025", "assumption-5.5-gaussian", uses=("eq-5", "assumption-5.5"))
def assumption_5_5_gaussian() -> tuple[Variant, ...]:
    r"""The parameterisation guarantees Gaussian policies, for which Assumption 5.5 holds.

    .. math:: \pi_\theta(\cdot|s) \ \mathrm{Gaussian} \quad \Rightarrow \quad \mathrm{Assumption\ 5.5}

    Hypotheses: the policy class of Sec. 3.2, a softmax on a finite set of actions.

    Refuted twice. A softmax policy puts mass one on finitely many points, where a Gaussian law has mass zero; in
    moments, the fair coin has fourth moment one in units of its variance, a Gaussian law three. And for a Gaussian
    law with mean theta and variance v the score ``(a - theta)/v`` has every real value: it is above one at
    ``a = theta + 2 v``, for every v > 0, so the first half of Assumption 5.5 fails for every Gaussian class.
    The second half holds with equality: the Fisher information of the mean is 1/v at every theta. That is the
    Fisher-non-degenerate setting of the cited work, in which the score is bounded in mean square:
    ``E score^2 = 1/v``.

    Consequence: the sentence gives Assumption 5.5 no support. For the class of the paper it is unsatisfiable
    (assumption-5.5).
    """
    return (
        printed(lambda c: _fourth_moment(Fraction(1, 2)), "softmax policies on finitely many actions are Gaussian",
                "gaussian", "gaussian"),
        printed(lambda c: _gaussian_score(), "Gaussian policies meet Assumption 5.5, first half", "score",
                "assumption 5.5"),
        source(lambda c: _gaussian_fisher(1), "a Gaussian mean has Fisher information 1/v at every theta"),
        control(lambda c: _gaussian_fisher(2), "a Gaussian mean has Fisher information 2/v", "doubled"),
    )  # fmt: skip


def _fourth_moment(p: Fraction) -> Evidence:
    """Standardised fourth moment of a two-action softmax with probability p, against that of a Gaussian law."""
    fourth = p * (1 - p) ** 4 + (1 - p) * p**4
    measured = fourth / (p * (1 - p)) ** 2
    z = sympy.Symbol("z", real=True)
    gaussian = sympy.integrate(z**4 * sympy.exp(-(z**2) / 2), (z, -sympy.oo, sympy.oo)) / sympy.sqrt(2 * sympy.pi)
    return exact_evidence(
        "fourth moment in units of the squared variance, two actions with probability 1/2", measured,
        sympy_fraction(gaussian), Relation.EQUAL, instances=1,
        witness=Witness("outputs (0, 0), actions 0 and 1", {"pi": [p, 1 - p], "mass on {0, 1}": 1}),
    )


def _gaussian_score() -> Evidence:
    a, theta, v = sympy.symbols("a theta v", positive=True)
    score = sympy.diff(-((a - theta) ** 2) / (2 * v), theta)
    value = sympy_fraction(score.subs(a, theta + 2 * v))
    return exact_evidence(
        "score of a Gaussian law at a = theta + 2v, for every v and theta", value, 1, Relation.AT_MOST,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        witness=Witness("N(0, 1) at the action 2", {"score": value}),
    )  # fmt: skip


def _gaussian_fisher(share: int) -> Evidence:
    z = sympy.Symbol("z", real=True)
    v = sympy.Symbol("v", positive=True)
    density = sympy.exp(-(z**2) / (2 * v)) / sympy.sqrt(2 * sympy.pi * v)
    information = sympy.integrate((z / v) ** 2 * density, (z, -sympy.oo, sympy.oo))
    return exact_evidence(
        "v times the Fisher information of the mean", sympy_fraction(information * v), share, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
    )
