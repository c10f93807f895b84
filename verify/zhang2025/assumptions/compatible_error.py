"""zhang2025 Assumption 5.6: the transferred compatible error, which is always finite and seldom small."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from flint import fmpq

from mdp.compatible import FisherReading, eps_bias, joint_scores
from mdp.exact import exact
from mdp.families import random_problem
from mdp.fisher import fisher
from mdp.optimal import J_star
from mdp.policies import CircularPolicy
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Verdict, exact_evidence
from verify.identities import largest, problem_witness
from verify.zhang2025.assumptions.regularity import circular_problem
from verify.zhang2025.theorem.domination import three_armed

RADII = (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10))
"""Radii of the three-armed circular class; ours."""


def two_armed(p: Fraction = Fraction(1, 4)) -> RationalPoint:
    """Two arms with rewards (1, 0), one parameter, probability p of the good arm, gamma = 1/2.

    Args:
        p: in (0, 1).
    """
    return RationalPoint(
        P=[[[1]] * 2], r=[[[1, 0]]], initial=[1], gamma=Fraction(1, 2), tables=([[p, 1 - p]],), psi=([[[1], [0]]],),
        phi_state=[[1]], phi_joint=[[[1, 0], [0, 1]]],
    )  # fmt: skip


@statement("zhang2025", "assumption-5.6", uses=("assumption-5.5", "lemma-4.3"))
def assumption_5_6() -> tuple[Variant, ...]:
    r"""The advantage is fitted by scores up to eps_bias, in mean square under the optimal policy.

    .. math:: \mathbb{E}_{\pi^*} \Big( Adv_\theta(s, a) - (1 - \gamma) \big(F(\theta)^\dagger \nabla_\theta
        J(\theta)\big)^\top \nabla_\theta \log \pi_\theta(a|s) \Big)^2 \le \epsilon_{bias}, \qquad
        F(\theta) = \nabla_\theta \log \pi_\theta \nabla_\theta \log \pi_\theta^\top

    Hypotheses: a finite problem; Assumption 5.5 for one eps_bias that serves every theta.

    *Vacuous as an assumption.* The left side is a finite number, so for each theta a constant exists. And one serves
    all theta under Assumption 5.5: with ``w = F^{-1} E[score Adv]``, ``w^T F w <= E Adv^2 <= (R/(1 - gamma))^2``
    where R is the span of the team reward, so ``|w . score| <= R/((1 - gamma) sqrt(mu_f))`` for scores of norm at
    most G = 1, and

    ``eps_bias <= (R/(1 - gamma))^2 (1 + G/sqrt(mu_f))^2``.

    What has content is its size, and there is a floor: where grad J = 0 the fit is 0 and
    ``eps_bias = E_{pi*} Adv^2 >= ((1 - gamma)(J* - J))^2`` by the performance difference lemma and Jensen. So
    eps_bias is at least ``((1 - gamma)(J* - inf J))^2`` for every class that meets 5.5 (an almost stationary
    sequence exists by Ekeland's principle; see theorem-5.10). Attained on three arms, at every radius.

    *F.* The print omits the expectation in F. The rank-one matrix of the pair (s, a) has the pseudo-inverse ``score
    score^T/|score|^4`` and gives another number: on two arms with pi = (1/4, 3/4) the fit with the expectation is
    exact, and the printed form leaves 1/4. Nor has it one constant for all theta in general: the fit at a pair
    divides by the pair's score. Four arms with rewards (1, 9/10, 0, 0), the circular class, near the angle 0 of the
    best arm: its score ``-c sin t/(1 + c cos t)`` vanishes and grad J does not, so the fit there grows like cot t.
    Read like this, and with one constant for every theta, the assumption excludes problems and is not vacuous: of the
    four combinations this one disagrees, and the statement is ambiguous. With a constant for each theta, which is what
    "for any policy, there exists" says, it is vacuous under either F. Elsewhere we read the expectation as omitted by
    mistake, because F is written as a function of theta alone, (s, a) free in it otherwise, and because the derivation
    of Lemma 5.7 needs it.

    Consequence: with the expectation the assumption never excludes a problem, and term (2) of Theorem 5.10,
    sqrt(eps_bias) up to constants, is never below the gap of the worst policy of the class.
    """
    return (
        printed(_each_theta, "for each theta there is a constant", "each theta"),
        printed(lambda c: _each_theta(c, "printed"), "for each theta there is a constant, F without the expectation",
                "each theta, rank-one F"),
        printed(lambda c: _bounded(c, 1.0), "one constant for every theta, for classes that meet Assumption 5.5",
                "all theta"),
        reading(lambda c: _print_agrees(), "F without the expectation gives the same error", "rank-one F"),
        printed(lambda c: _unbounded("printed"), "the constant for every theta serves F without the expectation, too",
                "all theta, rank-one F"),
        reading(lambda c: _unbounded("expectation"), "the same four arms, F with the expectation", "four arms"),
        repaired(lambda c: (_floor(), _floor_in_general(c)),
                 "eps_bias >= ((1 - gamma)(J* - J))^2 where grad J = 0, attained", "floor"),
        control(lambda c: _bounded(c, 0.02), "a fiftieth of the bound", "a fiftieth"),
        control(lambda c: _floor(2), "eps_bias is at least twice the floor", "twice the floor"),
    )  # fmt: skip


def _each_theta(context: Context, reading: FisherReading = "expectation") -> Evidence:
    rng, bad, count = context.rng(2025, 91), 0, max(40, context.profile.n_float // 10)
    for _ in range(count):
        problem, theta = random_problem(rng)
        value = float(eps_bias(exact(problem, theta), J_star(problem.mdp).occupancy, reading=reading))
        bad += not (np.isfinite(value) and value >= 0)
    return exact_evidence(
        "random softmax problems without a finite constant", bad, 0, Relation.EQUAL, rigor=Rigor.FLOAT, instances=count,
        establishes=Verdict.VACUOUS,
    )


def _bounded(context: Context, share: float) -> tuple[Evidence, Evidence]:
    """Largest ratio of the error to (a share of) the bound: three arms exactly, random circular problems in floats."""
    point = three_armed()
    view = point.exact()
    error, information = eps_bias(view, J_star(point).occupancy), fisher(view)[0, 0]
    size = (joint_scores(view) ** 2).sum(axis=2).max()
    # (1 + x)^2 >= 1 + x^2 keeps the exact bound rational
    bound = (1 + size / information) / (1 - point.gamma) ** 2 * fmpq(int(share * 100), 100)
    rng, ratios = context.rng(2025, 92), []
    for _ in range(context.profile.n_rational):
        problem = circular_problem(rng)
        assert isinstance(problem.policy, CircularPolicy)
        view_f = exact(problem, rng.uniform(-10, 10, (problem.mdp.n_agents, problem.policy.n_parameters)))
        least = float(np.linalg.eigvalsh(fisher(view_f))[0])
        norm = float(np.linalg.norm(joint_scores(view_f), axis=2).max())
        top = float(np.ptp(problem.mdp.r_bar)) / (1 - view_f.gamma) * (1 + norm / np.sqrt(least))
        ratios.append(float(eps_bias(view_f, J_star(problem.mdp).occupancy)) / (share * top**2))
    return (
        exact_evidence("error over a lower estimate of the bound, three arms at the worst angle", error / bound, 1,
                       Relation.AT_MOST, instances=1, establishes=Verdict.VACUOUS),
        exact_evidence("largest error over its bound, random problems on the circular class", largest(ratios), 1,
                       Relation.AT_MOST, rigor=Rigor.FLOAT, instances=len(ratios), establishes=Verdict.VACUOUS),
    )  # fmt: skip


def _print_agrees() -> Evidence:
    point = two_armed()
    view, occupancy = point.exact(), J_star(point).occupancy
    right, rank_one = eps_bias(view, occupancy), eps_bias(view, occupancy, reading="printed")
    return exact_evidence(
        "error with the rank-one F minus error with the expectation, two arms", rank_one - right, 0, Relation.EQUAL,
        instances=1,
        witness=problem_witness(point, "two arms, probability 1/4 of the good one", **{
            "score": view.scores[0], "Adv": view.advantage, "grad J": view.grad_J, "with the expectation": right,
            "as printed": rank_one}),
    )  # fmt: skip


def four_armed(k: int) -> RationalPoint:
    """Rewards (1, 9/10, 0, 0), the circular class of radius 3/5 at the angle t with ``tan(t/2) = 1/k``.

    ``pi_j = (1 + 3/5 cos(t - j pi/2))/4``; scores in t, at most ``c/sqrt(1 - c^2) = 3/4``; Fisher at least 9/50.

    Args:
        k: at least one; the larger, the closer to the angle 0 of the best arm.
    """
    c, cosine, sine = Fraction(3, 5), Fraction(k**2 - 1, k**2 + 1), Fraction(2 * k, k**2 + 1)
    sides, slopes = (cosine, sine, -cosine, -sine), (-sine, cosine, sine, -cosine)
    return RationalPoint(
        P=[[[1]] * 4], r=[[[1, Fraction(9, 10), 0, 0]]], initial=[1], gamma=Fraction(1, 2),
        tables=([[(1 + c * x) / 4 for x in sides]],),
        psi=([[[c * y / (1 + c * x)] for x, y in zip(sides, slopes, strict=True)]],),
        phi_state=[[1]], phi_joint=[[[int(i == j) for j in range(4)] for i in range(4)]],
    )  # fmt: skip


def _unbounded(reading: FisherReading) -> Evidence:
    """Largest error near the best arm over a rational number above the bound of the docstring, mu_f = 9/50."""
    bound = 2 * (1 + fmpq(50, 9)) / (1 - fmpq(1, 2)) ** 2  # (1 + x)^2 <= 2 (1 + x^2)
    errors = {}
    for k in (1, 10, 100):
        point = four_armed(k)
        errors[f"tan(t/2) = 1/{k}"] = eps_bias(point.exact(), J_star(point).occupancy, reading=reading)
    point = four_armed(100)
    return exact_evidence(
        "largest error over the bound that serves every theta for F with the expectation", max(errors.values()) / bound,
        1, Relation.AT_MOST, instances=len(errors),
        witness=problem_witness(point, "four arms close to the angle of the best arm, where its score vanishes", **{
            "score": point.exact().scores[0], "grad J": point.exact().grad_J, "bound": bound, **errors}),
    )  # fmt: skip


def _floor(factor: int = 1) -> Evidence:
    """``factor ((1 - gamma) gap)^2 - eps_bias`` on three arms at every radius, at the zero of the gradient."""
    excesses = []
    for radius in RADII:
        point = three_armed(radius)
        view, best = point.exact(), J_star(point)
        gap = (1 - point.gamma) * (best.J - view.J)
        excesses.append(factor * gap**2 - eps_bias(view, best.occupancy))
    return exact_evidence(
        "largest floor minus error, three arms at the worst angle", max(excesses), 0, Relation.AT_MOST,
        instances=len(excesses), note="attained" if max(excesses) == 0 else "",
    )


def _floor_in_general(context: Context) -> Evidence:
    """The inequality behind the floor, at any theta: ``E_{pi*} Adv^2 >= ((1 - gamma)(J* - J))^2``."""
    rng, excesses = context.rng(2025, 93), []
    for _ in range(max(40, context.profile.n_float // 10)):
        problem, theta = random_problem(rng)
        view, best = exact(problem, theta), J_star(problem.mdp)
        square = float((best.occupancy * view.advantage**2).sum())
        excesses.append(((1 - view.gamma) * (best.J - float(view.J))) ** 2 - square)
    return exact_evidence(
        "largest ((1 - gamma) gap)^2 - E_{pi*} Adv^2", largest(excesses), 1e-10, Relation.AT_MOST, rigor=Rigor.FLOAT,
        scope=Scope.INSTANCES, instances=len(excesses),
    )
