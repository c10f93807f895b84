"""zeng2022 Sec. 2: values, the objective, and the policy gradient (Eqs. 1-4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq

from mdp.exact import Exact, exact
from mdp.families import random_problem
from mdp.linear import solve
from mdp.problem import Problem
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, exact_evidence
from verify.identities import exact_identity, float_identity, largest

SERIES_TERMS = 6
"""Terms of the discounted series that are summed exactly; any number shows the same identity."""


@statement("zeng2022", "eq-1")
def eq_1() -> tuple[Variant, ...]:
    r"""The value function is the expected discounted sum of the team reward.

    .. math:: V_{\pi_\theta}(s) := \mathbb{E}\Big[\sum_{t=0}^{\infty} \gamma^t \bar r(s_t, a_t) \,\Big|\, s_0 = s\Big]

    Hypotheses: a finite MDP with bounded rewards and gamma below one.

    A definition; what is checked is that it is the V this suite computes. The first T terms of the series add
    up to ``V - gamma^T P_pi^T V`` exactly, so the series converges to V geometrically.

    Consequence: every later quantity rests on this V; the suite's V is the paper's.
    """
    return (
        printed(
            lambda c: (
                _series(c, offset=0),
                float_identity(c, "partial series minus (V - gamma^T P^T V)", lambda v, _p, _t: _series_gap(v, 0)),
            ),
            "the series from t = 0 sums to V",
        ),
        control(lambda c: _series(c, offset=1), "the series discounted one step too far", "gamma^(t+1)"),
    )


def _series(context: Context, offset: int) -> Evidence:
    return exact_identity(
        context, "partial series minus (V - gamma^T P^T V)", lambda p: _series_gap(p.exact(), offset)
    )


def _series_gap(view: Exact, offset: int) -> np.ndarray:
    reward, total, weight, tail = view.r_pi, view.r_pi * 0, view.gamma**offset, view.V
    for _ in range(SERIES_TERMS):
        total = total + weight * reward
        reward, tail, weight = view.P_pi @ reward, view.P_pi @ tail, weight * view.gamma
    gap: np.ndarray = total - (view.V - view.gamma**SERIES_TERMS * tail)
    return gap


@statement("zeng2022", "eq-2", uses=("eq-1",))
def eq_2() -> tuple[Variant, ...]:
    r"""V satisfies the Bellman equation in every state.

    .. math:: V_{\pi_\theta}(s) = \mathbb{E}_{a \sim \pi_\theta(\cdot|s),\, s' \sim P(\cdot|s,a)}
        \big[\bar r(s,a) + \gamma V_{\pi_\theta}(s')\big]

    Hypotheses: a finite MDP and a fixed joint policy.

    True as printed. The right-hand side is summed over actions and successors one by one, apart from the
    linear solve that gives V.

    Consequence: the linear solve behind every exact value here is justified.
    """
    return (
        printed(
            lambda c: (
                exact_identity(c, "V minus its Bellman backup", lambda p: _backup(p.exact(), p.exact().gamma)),
                float_identity(c, "V minus its Bellman backup", lambda v, _p, _t: _backup(v, v.gamma)),
            ),
            "the Bellman equation",
        ),
        control(
            lambda c: exact_identity(
                c, "V minus its undiscounted backup", lambda p: _backup(p.exact(), fmpq(1))
            ),
            "the Bellman equation without gamma",
            "gamma = 1",
        ),
    )


def _backup(view: Exact, gamma: float | fmpq) -> np.ndarray:
    S, A, _ = view.P.shape
    residual = view.V.copy()
    for s in range(S):
        for a in range(A):
            for t in range(S):
                residual[s] -= view.pi[s, a] * view.P[s, a, t] * (view.r_bar[s, a] + gamma * view.V[t])
    return residual


@statement("zeng2022", "eq-3", uses=("eq-1",))
def eq_3() -> tuple[Variant, ...]:
    r"""The objective is the initial law's value, and the discounted sum of the mean local reward.

    .. math:: J(\theta) = \mathbb{E}_{s \sim \eta}[V_{\pi_\theta}(s)]
        = \mathbb{E}\Big[\sum_{t=0}^{\infty} \frac{\gamma^t}{N} \sum_{i=1}^N r_i(s_t, a_t)\Big]

    Hypotheses: a finite MDP; d is the normalised visitation of Sec. 2.

    True as printed. Three computations: the initial law against V; the mean of the agents' own values, each
    from its own linear system; the reward under the visitation over 1 - gamma.

    Consequence: the team objective splits over agents, which is what lets each of them work with its own reward.
    """
    return (
        printed(
            lambda c: (
                exact_identity(c, "J minus the mean of the agents' own values", _per_agent),
                exact_identity(c, "J minus d . r_pi / (1 - gamma)", lambda p: _by_visitation(p.exact())),
                float_identity(c, "J minus d . r_pi / (1 - gamma)", lambda v, _p, _t: _by_visitation(v)),
            ),
            "the three expressions of J agree",
        ),
        control(
            lambda c: exact_identity(
                c, "J minus d . r_pi", lambda p: _by_visitation(p.exact(), normalised=False), smallest=1
            ),
            "the visitation form without 1/(1 - gamma)",
            "no 1/(1-gamma)",
        ),
    )


def _per_agent(point: RationalPoint) -> Any:
    view = point.exact()
    system = -view.gamma * view.P_pi
    for s in range(len(system)):
        system[s, s] += 1
    total: Any = fmpq(0)
    for local in view.r:
        total += (view.initial * solve(system, (view.pi * local).sum(axis=1))).sum()
    return view.J - total / len(view.r)


def _by_visitation(view: Exact, normalised: bool = True) -> Any:
    total = (view.visitation * view.r_pi).sum()
    return view.J - (total / (1 - view.gamma) if normalised else total)


@statement("zeng2022", "eq-4", uses=("eq-3",))
def eq_4() -> tuple[Variant, ...]:
    r"""The policy gradient.

    .. math:: \nabla J(\theta) := \frac{1}{1-\gamma} \mathbb{E}_{s \sim d_\theta,\, a \sim \pi_\theta(\cdot|s),\,
        s' \sim P(\cdot|s,a)} \big[(\bar r(s,a) + \gamma V_{\pi_\theta}(s')) \nabla_\theta \log \pi_\theta(a|s)\big]

    Hypotheses: the policy is differentiable with positive probabilities where scores are taken; states follow d.

    True as printed, with d normalised as in Sec. 2. The right-hand side is compared with the gradient obtained
    by differentiating the linear solve (exactly), and with finite differences of J. The controls matter for
    what follows: Algorithm 1 samples states from mu and does not carry the factor 1/(1 - gamma).

    Consequence: the actor of Theorem 3 samples from mu, not d, and leaves out 1/(1 - gamma): the first costs a bias
    (eps_sp), the second a scale.
    """
    return (
        printed(
            lambda c: (
                exact_identity(c, "Eq. (4) minus the differentiated linear solve", lambda p: _gradient_gap(p.exact())),
                float_identity(
                    c, "Eq. (4) minus the differentiated linear solve", lambda v, _p, _t: _gradient_gap(v)
                ),
                _finite_differences(c),
            ),
            "states from d, with 1/(1 - gamma)",
        ),
        control(
            lambda c: exact_identity(
                c, "Eq. (4) with mu for d, minus the gradient", lambda p: _gradient_gap(p.exact(), "mu"), smallest=1
            ),
            "states from mu instead of d",
            "mu for d",
        ),
        control(
            lambda c: exact_identity(
                c, "Eq. (4) without 1/(1 - gamma), minus the gradient", lambda p: _gradient_gap(p.exact(), "bare")
            ),
            "without the factor 1/(1 - gamma)",
            "no 1/(1-gamma)",
        ),
    )


def _gradient_gap(view: Exact, form: str = "printed") -> np.ndarray:
    law = view.stationary if form == "mu" else view.visitation
    delta = view.r_bar + view.gamma * np.einsum("sat,t->sa", view.P, view.V)
    right = view.score_expectation(law, delta)
    gap: np.ndarray = (right if form == "bare" else right / (1 - view.gamma)) - view.grad_J_by_solve
    return gap


def _finite_differences(context: Context) -> Evidence:
    """Central differences of J; relative error, with step 1e-5 about 1e-9 plus rounding over the step."""
    rng, count = context.rng(3), 40

    def error() -> float:
        problem, theta = random_problem(rng, gamma=0.9)
        gradient = exact(problem, theta).grad_J
        approximate = np.array([_central(problem, theta, index) for index in np.ndindex(theta.shape)])
        return float(np.abs(approximate - gradient.ravel()).max() / np.abs(gradient).max())

    return exact_evidence(
        "Eq. (4) against central differences of J, relative", largest(error() for _ in range(count)), 1e-6,
        Relation.AT_MOST, rigor=Rigor.FLOAT, instances=count, corroborates=True,
    )


def _central(problem: Problem, theta: np.ndarray, index: tuple[int, ...], step: float = 1e-5) -> float:
    up, down = theta.copy(), theta.copy()
    up[index] += step
    down[index] -= step
    return float(exact(problem, up).J - exact(problem, down).J) / (2 * step)
