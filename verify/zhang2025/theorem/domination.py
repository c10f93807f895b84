"""zhang2025 Lemma 5.7 and Theorem 5.10: gradient domination, and what it already forces without an algorithm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
from flint import fmpq
from scipy.optimize import minimize

from mdp.compatible import FisherReading, eps_bias, joint_scores
from mdp.direction import DirectionReading, direction
from mdp.exact import Exact, exact
from mdp.families import random_problem
from mdp.features import Features
from mdp.fisher import fisher
from mdp.linear import rational_array
from mdp.model import FiniteMDP
from mdp.networks import Schedule, full_average
from mdp.optimal import J_star
from mdp.policies import CircularPolicy
from mdp.problem import Problem
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Verdict, Witness, exact_evidence
from verify.identities import largest, problem_witness
from verify.zhang2025.assumptions.together import all_at_once

ROUNDING = 1e-8
"""Excess of an inequality that counts as rounding: gaps are of order ten, minimisers are polished to 1e-9; ours."""


def three_armed(radius: Fraction = Fraction(1, 2)) -> RationalPoint:
    r"""The circular class on a bandit with rewards (1, 0, 0), gamma = 1/2, at its worst angle pi.

    ``pi_k = (1 + c cos(t - 2 pi k/3))/3`` has ``pi = ((1 - c)/3, (1 + c/2)/3, (1 + c/2)/3)`` at ``t = pi``, where J is
    least and its gradient zero. For c = 1/2 and ``t = sqrt(3) theta`` the score in theta is ``(0, -3/5, 3/5)`` there,
    at most one in modulus for every theta, and the Fisher information is 3/10 there, its least value over theta
    (`mdp.policies.CircularPolicy`, constants 2 and 3: ``w = sqrt(3)/2``, ``q = 2 - sqrt(3)``).

    Args:
        radius: c in (0, 1).
    """
    c = radius
    low, high = (1 - c) / 3, (1 + c / 2) / 3
    score = Fraction(3, 2) * c / (1 + c / 2)
    return RationalPoint(
        P=[[[1]] * 3], r=[[[1, 0, 0]]], initial=[1], gamma=Fraction(1, 2), tables=([[low, high, high]],),
        psi=([[[0], [-score], [score]]],), phi_state=[[1]], phi_joint=rational_array(np.eye(3, dtype=int))[None],
    )


@statement("zhang2025", "lemma-5.7", uses=("assumption-5.5", "assumption-5.6", "lemma-4.3"))
def lemma_5_7() -> tuple[Variant, ...]:
    r"""The optimality gap is bounded by the gradient, up to the transferred compatible error.

    .. math:: \sqrt\mu\,(J(\theta^*) - J(\theta)) \le \epsilon' + \|\nabla_\theta J(\theta)\|, \qquad
        \mu = \frac{\mu_f^2}{2}, \quad \epsilon' = \frac{\mu\sqrt{\epsilon_{bias}}}{1-\gamma}

    Hypotheses: Assumption 5.5 (scores at most one, Fisher information at least mu_f) and Assumption 5.6, with F the
    expectation that its print omits, and one eps_bias for all theta.

    Refuted as printed, and only in a constant: epsilon' has mu where sqrt(mu) belongs, and mu < sqrt(mu) because
    scores of norm at most one give mu_f <= 1. Witness: three arms, rewards (1, 0, 0), the circular class at its worst
    angle. There the gradient is zero and the gap is *equal* to ``sqrt(eps_bias)/(1 - gamma)``, with eps_bias the
    supremum over all theta: the error at angle t is ``1 - p_0 - p_0'^2/(p_0 I)``, between ``-p_0`` and ``1 - p_0``,
    and largest in modulus at the witness. So ``sqrt(mu) gap <= mu gap`` fails for every mu below one. With theta* the
    best policy *of the class* (angle 0, half its weight on the good arm) the same point refutes: there eps_bias is at
    most 3/4 for every theta, since the residual of the fit has mean square at most ``E_theta Adv^2 <= 1/4`` under
    pi_theta and probabilities of pi* are at most three times those of pi_theta. With the F of the print, the rank-one
    matrix of the pair (s, a), the first of these refutes as well: the error on arm 0 is then ``1 - 2 p_0``, between 0
    and 2/3, where the score of that arm is not zero, and ``1 - p_0`` where it is, so its largest value is again 5/6
    at the worst angle.

    Repaired: with ``w = F^+ grad J``, the performance difference lemma gives ``J* - J = E_{d*}[Adv]/(1 - gamma)``, that
    is ``E_{d*}[Adv - (1 - gamma) w . score]/(1 - gamma) + E_{d*}[w . score]``; by Jensen and Cauchy-Schwarz, with G the
    largest score norm,

    ``mu_f (J* - J) <= mu_f sqrt(eps_bias)/(1 - gamma) + G ||grad J||``.

    It holds theta by theta, with the Fisher eigenvalue, the score norm and the error of that theta, and is attained by
    the witness. Dividing by sqrt(2) gives the printed line with ``epsilon' = sqrt(mu) sqrt(eps_bias)/(1 - gamma)``,
    which is the constant of Ding et al. (2022) for G = 1. Second opinion on the witness: mu_f, eps_bias and the gap
    from the class of `mdp.policies`, by finite differences on a grid of angles (tests).

    Consequence: the term eps' of (9)-(11) and (37) becomes ``sqrt(eps_bias)/(1 - gamma)`` after division by sqrt(mu);
    term (2) of Theorem 5.10 keeps its order, as its constant may depend on mu.
    """
    return (
        printed(
            lambda c: _at_worst_angle(2), "theta* the best of all policies, epsilon' = mu sqrt(eps_bias)/(1 - gamma)",
            "all policies",
        ),
        printed(_printed_class, "theta* the best policy of the class", "class"),
        printed(
            lambda c: _at_worst_angle(2, "printed"), "theta* the best of all policies, F without the expectation",
            "rank-one F",
        ),
        repaired(
            lambda c: (_pointwise(c, 1.0), _attained()),
            "mu_f (J* - J) <= mu_f sqrt(eps_bias)/(1 - gamma) + G ||grad J||, theta by theta",
        ),
        repaired(
            lambda c: _at_worst_angle(1),
            "epsilon' = sqrt(mu) sqrt(eps_bias)/(1 - gamma), at the witness of the refutation", "square root",
        ),
        control(lambda c: _pointwise(c, 0.5), "half the compatible error", "half the error"),
    )


def _at_worst_angle(power: int, reading: FisherReading = "expectation") -> Evidence:
    """Squared sides with ``epsilon'^2 = mu^power eps_bias/(1 - gamma)^2``: 2 as printed, 1 with sqrt(mu) for mu."""
    point = three_armed()
    view = point.exact()
    gap, error, information = _exact_gap(point, reading)
    mu = information**2 / 2
    left, right = mu * gap**2, mu**power * error / (1 - point.gamma) ** 2
    witness = problem_witness(
        point, "three arms, the circular class (radius 1/2, angle sqrt(3) theta) at its worst angle: zero gradient",
        **{
            "score": view.scores[0], "grad J": view.grad_J, "J* - J": gap, "eps_bias (its supremum over theta)": error,
            "mu_f": information, "mu": mu, "(sqrt(mu) (J* - J))^2": left, "epsilon'^2": right,
        },
    )  # fmt: skip
    return exact_evidence(
        "(sqrt(mu) gap)^2 - epsilon'^2 where grad J = 0", left - right, 0, Relation.AT_MOST, instances=1,
        witness=witness, note="attained" if left == right else "",
    )


def _printed_class(context: Context) -> Evidence:
    """The same point against the best policy of the class, with the bound 3/4 on its eps_bias."""
    point = three_armed()
    view = point.exact()
    information, one = fisher(view)[0, 0], fmpq(1)
    gap = one / 2 / (1 - point.gamma) - view.J  # the class's best angle is 0, with probability (1 + c)/3 = 1/2
    mu, bound = information**2 / 2, fmpq(3, 4)
    excess = mu * gap**2 - mu**2 * bound / (1 - point.gamma) ** 2
    witness = problem_witness(
        point, "three arms, the circular class at its worst angle, against its best angle",
        **{"grad J": view.grad_J, "gap within the class": gap, "mu": mu, "bound on eps_bias": bound},
    )
    return exact_evidence(
        "(sqrt(mu) gap)^2 minus a bound on epsilon'^2 where grad J = 0", excess, 0, Relation.AT_MOST, instances=1,
        witness=witness,
    )


def _exact_gap(point: RationalPoint, reading: FisherReading = "expectation") -> tuple[fmpq, fmpq, fmpq]:
    """Gap to the best policy, compatible error against it, and the least Fisher eigenvalue (one parameter)."""
    view, best = point.exact(), J_star(point)
    return best.J - view.J, eps_bias(view, best.occupancy, reading=reading), fisher(view)[0, 0]


def _attained() -> Evidence:
    """``gap^2 - eps_bias / (1 - gamma)^2`` at the witness, where the gradient is zero: zero if it is attained."""
    point = three_armed()
    gap, error, _ = _exact_gap(point)
    return exact_evidence(
        "squared gap minus eps_bias/(1 - gamma)^2 at the worst angle of the three-armed bandit",
        gap**2 - error / (1 - point.gamma) ** 2, 0, Relation.EQUAL, instances=1, note="the bound is attained",
    )


def _pointwise(context: Context, share: float) -> Evidence:
    """Largest excess of the repaired bound, with `share` of its error term, over random problems and classes."""
    excesses, witness = [], None
    for problem, theta in [*_softmax_problems(context), *_circular_problems(context)]:
        view = exact(problem, theta)
        best = J_star(problem.mdp)
        least = float(np.linalg.eigvalsh(fisher(view))[0])
        size = float(np.linalg.norm(joint_scores(view), axis=2).max())
        floor = float(np.sqrt(eps_bias(view, best.occupancy))) / (1 - view.gamma)
        excess = least * (best.J - view.J - share * floor) - size * float(np.linalg.norm(view.grad_J))
        excesses.append(excess)
        if witness is None and excess > ROUNDING:
            witness = Witness(
                f"{problem.name or 'a random problem'}", {"theta": theta, "gap": best.J - view.J, "sqrt(eps)": floor}
            )
    return exact_evidence(
        "largest mu_f (gap - share of the error term) - G ||grad J||", largest(excesses), ROUNDING, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=len(excesses), witness=witness,
    )


def _softmax_problems(context: Context) -> Iterator[tuple[Problem, np.ndarray]]:
    rng = context.rng(57)
    for _ in range(context.profile.n_float):
        yield random_problem(rng)


def _circular_problems(context: Context) -> Iterator[tuple[Problem, np.ndarray]]:
    """Random problems on the circular class, each at random parameters and at its least J."""
    rng = context.rng(510)
    for _ in range(max(6, context.profile.n_float // 10)):
        problem = _circular(rng)
        theta = rng.uniform(-np.pi, np.pi, (problem.mdp.n_agents, problem.policy.n_parameters))
        yield problem, theta
        yield problem, _least(problem, theta)


def _circular(rng: np.random.Generator) -> Problem:
    S, N = int(rng.integers(2, 5)), int(rng.integers(1, 3))
    A, n_actions = 3**N, (3,) * N
    P, r = rng.dirichlet(np.ones(S), size=(S, A)), rng.uniform(0, 1, (N, S, A))
    mdp = FiniteMDP(P, r, rng.dirichlet(np.ones(S)), float(rng.choice([0.3, 0.6, 0.9])), n_actions)
    policy = CircularPolicy.tabular(S, n_actions, radius=float(rng.uniform(0.3, 0.9))).normalised()
    features = Features(np.eye(S), np.eye(S * A).reshape(S, A, S * A))
    return Problem(mdp, policy, features, Schedule.static(full_average(N)), name="circular class")


def _least(problem: Problem, theta: np.ndarray) -> np.ndarray:
    """Parameters at which J is least, from one start: where the floor of Theorem 5.10 must cover the whole gap."""

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        view = exact(problem, flat.reshape(theta.shape))
        return float(view.J), view.grad_J.ravel()

    found = minimize(value, theta.ravel(), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    least: np.ndarray = found.reshape(theta.shape)
    return least


@statement(
    "zhang2025", "theorem-5.10",
    uses=(
        "eq-37", "lemma-5.7", "assumption-5.1", "assumption-5.2", "assumption-5.3", "assumption-5.5", "assumption-5.6",
        "assumption-5.8-J", "assumption-5.8-Q", "assumption-5.9", "algorithm-1-direction", "algorithm-1-step",
    ),
)  # fmt: skip
def theorem_5_10() -> tuple[Variant, ...]:
    r"""The last policy is optimal up to seven error terms.

    .. math:: \mathbb{E}\big(J(\theta^*) - J(\theta_T)\big) = O(T^{-1}) + O(\sqrt{\epsilon_{bias}})
        + O(\epsilon_{critic}) + \dots

    Hypotheses: all assumptions of Section 5, among them 5.5 and 5.6 for *every* theta in R^p, with one mu_f (the step
    size alpha = 7/(2 sqrt(mu)) needs one) and one eps_bias, F being the expectation that its print omits.

    Vacuous: the assumptions alone give ``J* - J(theta) <= sqrt(eps_bias)/(1 - gamma)`` for every theta, so term (2)
    covers the gap of any policy and no algorithm is needed. Proof. J is bounded and differentiable on the parameter
    space, so Ekeland's variational principle gives a sequence along which J tends to its infimum and grad J to zero.
    Lemma 5.7 (in its true form) along that sequence says ``J* - inf J <= sqrt(eps_bias)/(1 - gamma)``, and ``J(theta)
    >= inf J``. (Lemma 5.7 as printed, if it is granted, says the same along that sequence with the factor sqrt(mu) <
    1. With the rank-one F of the print the proof goes through wherever J has a minimiser, since nothing but Adv is
    left of the error there.) The constant is attained: on the three-armed bandit of `lemma_5_7` the worst policy of
    the class is exactly that far from the optimum. Put differently, eps_bias cannot be small under these assumptions
    unless every policy of the class is nearly optimal, and it cannot be zero unless every policy is optimal.

    With theta* the best policy of the class the same proof applies, word for word.

    The argument needs the assumptions on the whole parameter space. Asked only along the iterates they leave room
    for a theorem, and then the printed update has to improve J. It does not: the reading *progress* gives it an exact
    critic, exact gossip and infinitely many samples, so that terms (3) to (7) vanish, and asks whether the gap to the
    best policy *of the class* goes to zero. It starts where grad J is not zero, on the same bandit with probabilities
    (1/4, 1/2, 1/4). The direction is exactly zero (`algorithm-1-direction`), and the policy stays where it starts.

    That the assumptions can hold at once is shown on ring3 (reading *together*), so the theorem is not void for
    policy classes other than the networks of Sec. 3.2; that they force the conclusion is the verdict. Second opinion:
    Fisher information, compatible error and gap of the witness from the class of `mdp.policies` by finite differences
    on a grid of angles (tests).

    Consequence: for the network policies of Sec. 3.2 no instance meets Assumption 5.5 (`assumption-5.5`), so there
    the theorem speaks of nothing; for the classes that do meet it, it holds whatever the algorithm does. The theorem
    as stated gives no guarantee about Algorithm 1. The repaired direction of `algorithm-1-direction` with Lemma 5.7
    assumed along the run is the nearest statement with content; the term-by-term entries below it measure that one.
    """
    return (
        printed(
            lambda c: (_floor_covers(Fraction(1)), _floor_covers_random(c)),
            "assumptions for every theta; the floor sqrt(eps_bias)/(1 - gamma) alone covers every policy",
        ),
        reading(
            lambda c: all_at_once(), "the assumptions can hold at once (5.8 for W in the ball): ring3, circular class",
            "together",
        ),
        reading(_no_progress, "the gap to the best policy of the class vanishes with terms (3) to (7)", "progress"),
        control(lambda c: _floor_covers(Fraction(1, 2)), "half the floor covers every policy too", "half the floor"),
        control(lambda c: all_at_once(circular=False), "they hold at once on the tabular softmax", "tabular softmax"),
    )


def _floor_covers(share: Fraction) -> Evidence:
    """Whether ``share`` of the floor covers the worst policy of the three-armed class, in exact arithmetic."""
    point = three_armed()
    gap, error, _ = _exact_gap(point)
    floor_squared = error / (1 - point.gamma) ** 2
    scaled = fmpq(share.numerator, share.denominator) ** 2 * floor_squared
    return exact_evidence(
        "squared gap of the worst policy minus squared floor, three-armed bandit", gap**2 - scaled, 0,
        Relation.AT_MOST, instances=1, establishes=Verdict.VACUOUS,
        witness=problem_witness(
            point, "the worst policy of the class, where the floor is attained",
            **{"J* - J": gap, "sqrt(eps_bias)/(1 - gamma) squared": floor_squared},
        ),
        note="the general proof is in the text; this instance attains the constant" if share == 1 else "",
    )  # fmt: skip


def _floor_covers_random(context: Context) -> Evidence:
    """Gap minus floor at the least J of random problems on the circular class."""
    excesses = []
    pairs = list(_circular_problems(context))[1::2]
    for problem, theta in pairs:
        view, best = exact(problem, theta), J_star(problem.mdp)
        floor = float(np.sqrt(eps_bias(view, best.occupancy))) / (1 - view.gamma)
        excesses.append(best.J - view.J - floor)
    return exact_evidence(
        "largest gap minus floor where J is least, random problems on the circular class", largest(excesses), ROUNDING,
        Relation.AT_MOST, rigor=Rigor.FLOAT, instances=len(pairs), establishes=Verdict.VACUOUS, corroborates=True,
    )


def off_centre() -> RationalPoint:
    """The three-armed bandit at the angle 2 pi/3: probabilities (1/4, 1/2, 1/4), scores (-1, 0, 1), a gradient.

    ``1 + cos(t - 2 pi k/3)/2`` is 3/4, 3/2, 3/4 there, and ``sqrt(3) pi_k'/pi_k`` is -1, 0, 1.
    """
    quarter = Fraction(1, 4)
    return replace(
        three_armed(), tables=(rational_array([[quarter, 2 * quarter, quarter]]),),
        psi=(rational_array([[[-1], [0], [1]]]),),
    )


def _no_progress(context: Context) -> Evidence:
    """The printed direction with every oracle where grad J is not zero, and what is left of the gap in the class."""
    point = off_centre()
    view = point.exact()
    d = _printed_direction(view, point)
    # the class's best angle is 0, with probability (1 + c)/3 = 1/2 of the good arm
    gap = fmpq(1, 2) / (1 - point.gamma) - view.J
    evidence = exact_evidence(
        "gap to the best policy of the class after any number of exact printed steps", gap, 0, Relation.AT_MOST,
        instances=1,
        witness=problem_witness(
            point, "the printed direction is zero where the gradient is not: the step is 0/0, or none",
            **{"E[d]": d, "grad J": view.grad_J, "gap within the class": gap},
        ),
    )
    if (d != 0).any() or not (view.grad_J != 0).any():
        return replace(evidence, undecided="the policy moves, or starts at a stationary point: one has to follow it")
    return evidence


def _printed_direction(view: Exact, point: RationalPoint) -> np.ndarray:
    printed_reading = DirectionReading(data="restart", critic="restart", form="q", flipped=False)
    return direction(view, point.restart(), printed_reading)
