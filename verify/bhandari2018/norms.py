"""bhandari2018 Lemmas 4 and 5: the size of the mean TD(0) update, and of the sampled one."""

from __future__ import annotations

from itertools import chain

import numpy as np
from flint import fmpq

from verify.bhandari2018.forms import TDProblem, flipping, form_evidence, problems
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence


@statement("bhandari2018", "lemma-4", uses=("lemma-1",))
def lemma_4() -> tuple[Variant, ...]:
    r"""The mean update of TD(0) is at most twice the D-norm of the error.

    .. math:: \|\bar{g}(\theta)\|_2 \le 2 \|V_\theta - V_{\theta^*}\|_D

    With ``v = V_theta - V_theta*``, ``gbar = -E[phi(s) (v(s) - gamma v(s'))]``. Features of norm at most one give
    ``||gbar|| <= ||v - gamma P v||_D``, and P does not increase the D-norm under its stationary law, so the constant is
    ``1 + gamma``: a little better than the 2 printed, which is its supremum. Sharp: two states that change places, one
    feature of opposite signs. The squares differ by a form in theta, which exact elimination decides.

    Hypotheses: ``||phi(s)||_2 <= 1`` and the stationary law. With features twice as long the bound fails on the same
    two states.

    Consequence: with Lemma 3 it gives the step size ``(1 - gamma)/4`` of the mean-path analysis; with ``1 + gamma`` for
    2 the step may be ``(1 - gamma)/(1 + gamma)^2``, larger for every gamma below one.
    """
    return (
        printed(lambda c: _mean_update(c, 2, 0), "with the constant 2"),
        reading(lambda c: _mean_update(c, 1, 1), "with the constant 1 + gamma", "1 + gamma"),
        control(lambda c: _mean_update(c, fmpq(9, 10), 1), "with the constant 9/10 + gamma", "smaller constant"),
        control(lambda c: _mean_update(c, 2, 0, length=2), "for features of norm at most two", "longer features"),
    )


def _mean_update(context: Context, fixed: fmpq | int, slope: int, length: int = 1) -> Evidence:
    """The bound with ``(fixed + slope gamma)^2`` on the square."""

    def matrix(p: TDProblem) -> np.ndarray:
        return (fixed + slope * p.gamma) ** 2 * p.covariance - p.slope.T @ p.slope

    return form_evidence(
        f"least value of {_square(fixed, slope)} ||V_theta - V_theta*||_D^2 - ||gbar(theta)||^2",
        matrix, chain([flipping(length)], problems(context, length=length)),
    )  # fmt: skip


def _square(fixed: fmpq | int, slope: int) -> str:
    return f"({fixed} + gamma)^2" if slope else f"({fixed})^2"


@statement("bhandari2018", "lemma-5", uses=("lemma-1",))
def lemma_5() -> tuple[Variant, ...]:
    r"""The second moment of the sampled update is at most twice its value at the fixed point plus eight errors.

    .. math:: E \|g_t(\theta)\|_2^2 \le 2 \sigma^2 + 8 \|V_\theta - V_{\theta^*}\|_D^2,
        \qquad \sigma^2 = E \|g_t(\theta^*)\|_2^2

    With ``x = theta - theta*``, ``g(theta) = g(theta*) + h(x)`` and ``||a + b||^2 <= 2 ||a||^2 + 2 ||b||^2``; by
    Minkowski ``E||h||^2 <= E(v(s) - gamma v(s'))^2 <= (1 + gamma)^2 ||v||_D^2``. So 8 may be ``2 (1 + gamma)^2``. Both
    sides are quadratics in x; with a further coordinate t for the constant they are one form in (t, x), and the
    inequality for every theta is that this form is positive semidefinite, decided by exact elimination.

    Hypotheses: ``||phi(s)||_2 <= 1``, samples i.i.d. from the stationary law. Some factor above 1 before sigma^2 is
    needed, whatever the constant before the error: with 1 the form has a zero pivot beside a term that does not vanish.

    Consequence: the bounds for i.i.d. samples hold with the printed constants; their variance term ``2 sigma^2`` can be
    brought near ``sigma^2`` only at the price of a larger factor of the error.
    """
    return (
        printed(lambda c: _second_moment(c, fmpq(2), 2), "with 2 sigma^2 and 8"),
        reading(lambda c: _second_moment(c, fmpq(2), 1, 1), "with 2 sigma^2 and 2 (1 + gamma)^2", "2 (1 + gamma)^2"),
        control(lambda c: _second_moment(c, fmpq(1), 2), "with sigma^2 and 8", "one sigma^2"),
        control(lambda c: _second_moment(c, fmpq(2), fmpq(2, 3)), "with 2 sigma^2 and 8/9", "smaller constant"),
    )


def _second_moment(context: Context, noise: fmpq, fixed: fmpq | int, slope: int = 0) -> Evidence:
    """The bound ``noise sigma^2 + 2 (fixed + slope gamma)^2 ||v||_D^2``."""

    def matrix(p: TDProblem) -> np.ndarray:
        moment = p.second_moment()
        bound = moment * 0
        bound[0, 0] = noise * moment[0, 0]
        bound[1:, 1:] = 2 * (fixed + slope * p.gamma) ** 2 * p.covariance
        return bound - moment

    return form_evidence(
        f"least value of {noise} t^2 sigma^2 + 2 {_square(fixed, slope)} ||v||_D^2 - E||t g(theta*) + h||^2",
        matrix, chain([flipping()], problems(context)),
    )  # fmt: skip
