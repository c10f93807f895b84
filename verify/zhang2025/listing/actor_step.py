"""zhang2025 Algorithm 1, line 17, and Remark 1: the normalised step, and the advantage against Q."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import sympy
from flint import fmpq

from mdp.direction import direction
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.identities import exact_identity, misalignment, rational_points
from verify.zhang2025.listing.direction import REPAIRED
from verify.zhang2025.simple_spread.runs import DEFAULTS, EXACT, more


@statement("zhang2025", "algorithm-1-step", uses=("algorithm-1-data", "algorithm-1-direction"))
def algorithm_1_step() -> tuple[Variant, ...]:
    r"""The normalised step is well defined and ascends J.

    .. math:: \theta_{t+1}^i = \theta_t^i + \alpha_t \frac{d_t^i}{\|d_t^i\|}, \qquad \alpha_t = \frac{\alpha}{t},
        \quad t = 0, 1, \dots, T - 1

    Three parts, all false as printed.

    *First step*: the loop starts at t = 0, and alpha / 0 is no number.

    *Normalisation*: d may vanish. One state, two actions with the same reward, exact critic: ``delta = 0`` on every
    sample, and line 17 divides zero by zero. The convention 0/0 = 0 repairs this part.

    *Ascent*: one state, two actions with values Q1 > Q2, one logit, ``p = pi(1)``, exact critic, M = 1. The printed
    TD error is ``gamma (V - Q(a'))``, with an a' independent of a; its sign times the sign of the score has mean ``(1
    - 2p)(2p - 1)``. So ``E[step] = -alpha_t (2p - 1)^2``: the expected step goes down, whatever the rewards, unless p
    = 1/2, and it does not shrink near an optimum. The normalisation alone can do it, too: with the exact advantage
    for delta and M = 1, three equally likely arms with centred features (3, 1, -4) and rewards (7, 0, 5) have ``E[psi
    Adv] = 1/3`` and expected sign -1/3. With the sign reversed the two arms give ``+(2p - 1)^2``, but three equally
    likely arms with features (1, 1, -2) and values (3, 0, 0) give 1/3 times -1/3 = -1/9 against a gradient of 1.

    Repaired: ``alpha_t = alpha / (t + 1)``, a zero direction leaves theta^i where it is, and d is the expected
    direction ``E_nu[psi (Q - E_pi Q)]`` of the original Q (M to infinity). Then each agent's d is a nonnegative
    multiple of its own gradient and ``<grad J, step> = alpha_t sum_i ||grad_i J|| >= alpha_t ||grad J||``, so small
    steps ascend. The multiple is exactly 1 - gamma, so nothing can be sharpened. That the stacked step is not
    ``alpha_t d / ||d||`` is another statement (eq-8-normalised).

    Hypotheses: exact critic, exact gossip, one agent in the witnesses; d as in lines 9 and 16.

    Consequence: Theorem 5.10 has no first step and no direction of ascent as printed; both can be repaired.
    """
    return (
        printed(lambda c: _undefined_sizes(0), "alpha / t from t = 0", "first step", part="first step"),
        printed(_zero_direction, "d / ||d|| always has a value", "normalisation", part="normalisation"),
        printed(
            lambda c: _expected_step(-1), "the expected step ascends: bandit, exact critic, M = 1", "ascent",
            part="ascent",
        ),
        reading(
            lambda c: (_expected_step(1), _reversed_sample()), "the TD error with its sign reversed", "sign reversed"
        ),
        reading(_advantage_sample, "the exact advantage for delta, M = 1", "advantage, M = 1"),
        repaired(
            lambda c: (_undefined_sizes(1), _per_agent(c, 1)),
            "alpha / (t + 1), zero stays put, expected advantage direction", "",
        ),
        control(lambda c: _per_agent(c, -1), "the repaired direction with its sign reversed", "sign"),
        control(lambda c: _undefined_sizes(0), "alpha / t from t = 0 once more, against the repair", "from zero"),
    )


def _undefined_sizes(shift: int) -> Evidence:
    """How many of the step sizes alpha / (t + shift), t = 0..T-1, have no value."""
    last = 10
    undefined = [t for t in range(last) if t + shift == 0]
    return exact_evidence(
        f"iterations t = 0..{last - 1} without a step size", len(undefined), 0, Relation.EQUAL, instances=last,
        witness=Witness("the first iteration", {"t": 0, "denominator": shift}),
    )


def _zero_direction(context: Context) -> Evidence:
    """Least |d| over the samples (a, a') of a bandit with equal rewards, exact critic, M = 1."""
    gamma, rewards, p = Fraction(1, 2), (Fraction(1), Fraction(1)), Fraction(1, 2)
    V = (p * rewards[0] + (1 - p) * rewards[1]) / (1 - gamma)
    Q = [r + gamma * V for r in rewards]
    score = (1 - p, -p)
    sizes = [abs((Q[a] - rewards[a] - gamma * Q[b]) * score[a]) for a in (0, 1) for b in (0, 1)]
    zeros = sum(d == 0 for d in sizes)
    return exact_evidence(
        "samples (a, a') for which the divisor is zero", zeros, 0, Relation.EQUAL, instances=len(sizes),
        witness=Witness("one state, two actions with reward 1, gamma = 1/2: V = 2, Q = 2, delta = 2 - 1 - 1 = 0",
                        {"Q": Q, "|d| over (a, a')": sizes}),
    )


def _expected_step(sign: int) -> Evidence:
    """E[sign(delta psi)] by enumeration of (a, a'), proved for all p, and its value at p = 3/4."""
    p = sympy.Symbol("p", positive=True)
    # V - Q(a') is negative for the better action 1 and positive for action 2; the score is positive for action 1 only
    td, score, weight = {1: -1, 2: 1}, {1: 1, 2: -1}, {1: p, 2: 1 - p}
    # delta = gamma (V - Q(a')), times -1 if reversed (sign = 1 here means the reversed error)
    mean = sum(weight[a] * weight[b] * -sign * td[b] * score[a] for a in (1, 2) for b in (1, 2))
    if sympy.expand(mean - sign * (2 * p - 1) ** 2) != 0:
        raise ArithmeticError(f"E[step] is {sympy.expand(mean)}, not {sign} (2p - 1)^2")
    value = Fraction(str(mean.subs(p, sympy.Rational(3, 4))))
    return exact_evidence(
        "expected step over alpha_t at p = 3/4", value, 0, Relation.AT_LEAST, instances=1,
        witness=Witness(
            "one state, two actions, rewards (1, 0), p = 3/4: grad J > 0",
            {"E[step] / alpha_t": value, "for every p": str(sympy.factor(mean))},
        ),
        note="zero at p = 1/2 for either sign",
    )


def _reversed_sample() -> Evidence:
    """Three equally likely arms, score (1, 1, -2), Q - V = (2, -1, -1): a and a' are independent."""
    score, gaps = (1, 1, -2), (2, -1, -1)
    gradient = Fraction(sum(x * y for x, y in zip(score, gaps, strict=True)), 3)
    step = Fraction(sum((x > 0) - (x < 0) for x in score), 3) * Fraction(sum((y > 0) - (y < 0) for y in gaps), 3)
    return exact_evidence(
        "expected step over alpha_t times E[psi Adv], sign reversed", step * gradient, 0, Relation.AT_LEAST,
        instances=1,
        witness=Witness(
            "three equally likely arms, one parameter, rewards (3, 0, 0)",
            {"score": list(score), "Q - V": list(gaps), "E[psi Adv]": gradient, "E[step] / alpha_t": step},
        ),
    )


def _advantage_sample(context: Context) -> Evidence:
    features, rewards = (3, 1, -4), (7, 0, 5)
    mean = Fraction(sum(rewards), 3)
    products = [x * (r - mean) for x, r in zip(features, rewards, strict=True)]
    gradient = sum(products, Fraction(0)) / 3
    step = Fraction(sum((d > 0) - (d < 0) for d in products), 3)
    return exact_evidence(
        "expected normalised step times E[psi Adv]", step * gradient, 0, Relation.AT_LEAST, instances=1,
        witness=Witness(
            "three equally likely arms, one parameter",
            {"score": list(features), "rewards": list(rewards), "psi Adv": products, "E[psi Adv]": gradient,
             "E[sign]": step},
        ),
    )


def _per_agent(context: Context, sign: int) -> Evidence:
    """Largest misalignment of an agent's expected direction with its own gradient, where that is not zero."""
    worst, count = fmpq(0), 0
    for point in rational_points(context, point_start=True):
        view = point.exact()
        d = sign * direction(view, point.restart(), REPAIRED)
        for own, gradient in zip(d, view.grad_J_by_solve, strict=True):
            if (gradient != 0).any():
                worst, count = max(worst, misalignment(own[None], gradient[None])), count + 1
    return exact_evidence(
        "1 - cos|cos| of an agent's direction and gradient, worst", worst, 0, Relation.EQUAL, instances=count
    )


@statement("zhang2025", "remark-1", uses=("lemma-4.3", "figure-2-10"))
def remark_1() -> tuple[Variant, ...]:
    r"""Lemma 4.3 also holds with Q in place of the advantage; in experiment the advantage does better.

    .. math:: \mathbb{E}[\nabla_{\theta^i} \log \pi_{\theta^i}(a^i|s) \, \mathrm{Adv}_\theta(s, a)]
        = \mathbb{E}[\nabla_{\theta^i} \log \pi_{\theta^i}(a^i|s) \, Q_\theta(s, a)]

    *Identity*: true with either kernel and any law of the state, since scores have mean zero in every state. So the
    form with Q has the verdicts of Lemma 4.3.

    *Experiment*, "significantly better" in Section 6.1: run again on the board of Appendix D.1, and the readings
    disagree. *As listed*, with the gossiped TD error of the network for the advantage and the network's Q for Q, no
    difference is seen (figure-2-10). *With exact values* on both sides, the advantage and Q of Lemma 4.3, the advantage
    gains visibly more: at M = 1 the normalised step keeps the sign of its signal only, rewards are negative, and Q has
    one sign.

    As a general rule it is false: the further reading compares the second moments of one sample. One state, two
    actions, ``pi = (4/5, 1/5)``, Q = (1, 0): 4/125 with Q, and ``(4/5)(1/5)^4 + (1/5)(4/5)^4 = 52/625`` with Adv. The
    baseline of least variance weighs Q by the squared score, and E_pi Q can be further from it than zero.

    Hypotheses: a ~ pi and the agents act independently given s.

    Consequence: the choice between Q and Adv is one of variance; neither wins always.
    """
    return (
        *(
            printed(
                lambda c, k=name: exact_identity(  # type: ignore[misc]
                    c, "E[psi Q] - E[psi Adv]", lambda p: _forms(p, k), point_start=True
                ),
                f"identity, {name} kernel", f"identity, {name}", part="identity",
            )
            for name in ("original", "restart")
        ),
        printed(
            lambda c: more(c, DEFAULTS, replace(DEFAULTS, reading="printed, Q-value"), "TD minus Q"),
            "in experiment the advantage does visibly better: the listing's TD error against its Q", "listing",
            part="experiment",
        ),
        printed(
            lambda c: more(
                c, EXACT, replace(EXACT, reading="repaired, Q-value"), "advantage minus Q-value, exact critic"
            ),
            "in experiment the advantage does visibly better: the exact advantage against the exact Q", "exact values",
            part="experiment",
        ),
        reading(_second_moments, "one sample with Adv has no larger second moment than with Q", "variance"),
        control(
            lambda c: exact_identity(
                c, "E[psi r] - E[psi Adv]", lambda p: _forms(p, "reward"), point_start=True, smallest=1
            ),
            "the immediate reward in place of Q", "reward",
        ),
    )


def _forms(point: RationalPoint, name: str) -> np.ndarray:
    view = point.restart() if name == "restart" else point.exact()
    law = point.exact().restart_stationary
    signal = view.r_bar if name == "reward" else view.Q
    gap: np.ndarray = view.score_expectation(law, signal) - view.score_expectation(law, view.advantage)
    return gap


def _second_moments(context: Context) -> Evidence:
    p, Q = (Fraction(4, 5), Fraction(1, 5)), (Fraction(1), Fraction(0))
    score = (p[1], -p[0])
    V = p[0] * Q[0] + p[1] * Q[1]

    def moment(signal: Callable[[int], Fraction]) -> Fraction:
        return sum((p[a] * (score[a] * signal(a)) ** 2 for a in (0, 1)), Fraction(0))

    with_q, with_adv = moment(lambda a: Q[a]), moment(lambda a: Q[a] - V)
    return exact_evidence(
        "second moment of psi Adv minus that of psi Q", with_adv - with_q, 0, Relation.AT_MOST, instances=1,
        witness=Witness(
            "one state, two actions, one logit", {"pi": list(p), "Q": list(Q), "with Q": with_q, "with Adv": with_adv}
        ),
    )
