"""zeng2022 Sec. 4, first remark: which state laws give an unbiased estimator of the policy gradient (4)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import numpy as np
from flint import fmpq, fmpq_mat

from mdp.exact import Exact, Law
from mdp.linear import identity_like, solve
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, exact_evidence
from verify.identities import exact_identity, problem_witness, rational_points
from verify.zeng2022.setting.small_problems import two_rooms


@statement("zeng2022", "unbiased-actor", uses=("eq-4",))
def unbiased_actor() -> tuple[Variant, ...]:
    r"""An unbiased estimator of the policy gradient in (4) needs samples from d.

    .. math:: \mathbb{E}_{s \sim q, a \sim \pi_\theta, s' \sim P}\Big[\tfrac{1}{1-\gamma}
        (\bar r + \gamma V(s')) \nabla_\theta \log \pi_\theta(a|s)\Big] = \nabla J(\theta)
        \quad \text{needs} \quad q = d_\theta

    *Sufficient*: with q = d the integrand of (4) is unbiased, true for every problem. *Needed*: true for the estimator
    that the remark is about, the integrand of (4), asked to be unbiased whatever the reward. Derivation: every function
    Q is the action value of some reward, ``r = Q - gamma P V_Q`` with ``V_Q(s) = E_pi Q``; with Q the indicator of one
    pair, the equation reads ``(q(s) - d(s)) pi(a|s) score(s, a) = 0``, so q = d wherever a score is not zero. Checked
    as an exact rank: over all indicator rewards, only one weighting of the states is unbiased.

    Two stronger forms are false. *For one given reward* other laws may do: in the two rooms with equal rewards the
    stationary law is unbiased although mu = (1/3, 2/3) and d = (5/7, 2/7), because both rooms contribute the same.
    *For any estimator*: samples from mu with weights d(s) / mu(s) are unbiased, for every problem with mu > 0.

    Hypotheses: V is known exactly; in the rank check every state has a nonzero score.

    Consequence: sampling the actor from mu costs a bias in general, which is eps_sp, and it is a property of the
    estimator rather than a necessity.
    """
    return (
        printed(
            lambda c: exact_identity(
                c, "mean of the integrand of (4) under d, minus grad J", lambda p: _estimator_gap(p, "visitation")
            ),
            "samples from d make the integrand of (4) unbiased",
            "sufficient", part="sufficient",
        ),
        printed(
            lambda c: _other_weightings(c, _unit_rewards),
            "no other state law makes it unbiased for every reward",
            "needed", part="needed",
        ),
        reading(
            lambda c: _unbiased_elsewhere(c, lambda v: v.stationary, [two_rooms(flipped=False)]),
            "no other state law makes it unbiased for the given reward",
            "needed, given reward",
        ),
        reading(
            lambda c: _unbiased_elsewhere(c, lambda v: v.stationary * (v.visitation / v.stationary), []),
            "no estimator from samples of mu is unbiased (weights d / mu)",
            "needed, any estimator",
        ),
        control(
            lambda c: exact_identity(
                c, "mean of the integrand of (4) under mu, minus grad J", lambda p: _estimator_gap(p, "stationary"),
                smallest=1,
            ),
            "samples from mu make the integrand of (4) unbiased",
            "mu for d",
        ),
        control(
            lambda c: _other_weightings(c, _own_reward), "only d is unbiased, for the problem's own reward alone",
            "one reward",
        ),
    )


def _estimator_gap(point: RationalPoint, law: Law) -> np.ndarray:
    """The integrand of (4) sample by sample, against the differentiated linear solve."""
    view = point.exact()
    gap, sizes = -view.grad_J_by_solve, tuple(t.shape[1] for t in view.tables)
    for s, a, t in np.ndindex(*view.P.shape):
        weight = view.law(law)[s] * view.pi[s, a] * view.P[s, a, t] / (1 - view.gamma)
        signal = view.r_bar[s, a] + view.gamma * view.V[t]
        score = np.stack([x[s, k] for x, k in zip(view.scores, np.unravel_index(a, sizes), strict=True)])
        gap = gap + weight * signal * score
    return gap


def _unit_rewards(view: Exact) -> list[np.ndarray]:
    units = identity_like(view.P, view.pi.size)
    return [unit.reshape(view.pi.shape) for unit in units]


def _own_reward(view: Exact) -> list[np.ndarray]:
    return [view.r_bar]


def _other_weightings(context: Context, rewards: Callable[[Exact], list[np.ndarray]]) -> Evidence:
    """Freedom in the state weights that leave (4) unbiased for all `rewards`, besides d itself."""
    free, witness, count = 0, None, 0
    for point in islice(rational_points(context, smallest=1), context.profile.n_rational // 2):
        view = point.exact()
        S = len(view.P)
        system = identity_like(view.P_pi, S) - view.gamma * view.P_pi
        rows = []
        for reward in rewards(view):
            V = solve(system, (view.pi * reward).sum(axis=1))
            Q = reward + view.gamma * (view.P @ V)
            parts = [view.score_expectation(start, Q).ravel() for start in identity_like(view.P, S)]
            rows.append(np.stack(parts, axis=1))
        matrix = np.concatenate(rows)
        rank = int(fmpq_mat(len(matrix), S, [fmpq(x) for x in matrix.ravel()]).rank())
        count += 1
        if rank < S and witness is None:
            witness = problem_witness(point, f"{S - rank} further dimensions of unbiased state weights")
        free = max(free, S - rank)
    return exact_evidence(
        "dimension of the state weights, besides d, under which (4) is unbiased", free, 0, Relation.EQUAL,
        instances=count, witness=witness,
    )


def _unbiased_elsewhere(
    context: Context, weights: Callable[[Exact], np.ndarray], first: list[RationalPoint]
) -> Evidence:
    """Problems with mu other than d and a nonzero gradient on which the weighted estimator has no bias."""
    found, count, witness = 0, 0, None
    for point in [*first, *rational_points(context, smallest=1)]:
        view = point.exact()
        gradient = view.grad_J_by_solve
        if not (gradient != 0).any() or not (view.stationary != view.visitation).any():
            continue
        count += 1
        estimate = view.score_expectation(weights(view), view.Q) / (1 - view.gamma)
        if not (estimate != gradient).any():
            found += 1
            witness = witness or problem_witness(
                point, "mu and d differ, and the estimator from mu-samples is unbiased",
                mu=view.stationary, d=view.visitation, estimate=estimate, gradient=gradient,
            )
    return exact_evidence(
        "problems on which an estimator from mu-samples is unbiased though mu and d differ", found, 0, Relation.EQUAL,
        instances=count, witness=witness,
    )
