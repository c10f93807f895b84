"""zeng2022 Sec. 3: the lower-level problems (Eqs. 6-7) and where the critic update settles (Eq. 13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import sympy
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import identity_like, rational_array, solve
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.identities import exact_identity, float_identity
from verify.networks import random_doubly_stochastic


@statement("zeng2022", "eq-6")
def eq_6() -> tuple[Variant, ...]:
    r"""Regressing the mean reward, or all local rewards at once, has the same minimisers.

    .. math:: \arg\min_\lambda \mathbb{E}\Big[\Big(\tfrac1N \sum_i r_i - \varphi^T\lambda\Big)^2\Big]
        = \arg\min_\lambda \sum_{i=1}^N \mathbb{E}\big[(r_i - \varphi^T\lambda)^2\big]

    Hypotheses: none: any law, any features, any number of agents.

    True as printed, as sets, for any number of agents, any law and any features. For every real x,
    ``sum_i (r_i - x)^2 = N (r_bar - x)^2 + (sum_i r_i^2 - N r_bar^2)``, and the last bracket does not contain x.

    Consequence: local regressions with consensus have the right common target, so the reward part of Theorem 3 aims
    at what it says.
    """
    return (
        printed(
            lambda c: (_mean_and_sum_share_minimisers(), _local_regressions(c, _equal)),
            "(6a) and (6b) have the same minimisers",
        ),
        control(
            lambda c: (_mean_and_sum_share_minimisers(doubled=1), _local_regressions(c, _first_doubled)),
            "(6b) with the first agent's term counted twice",
            "unequal weights",
        ),
    )


@statement("zeng2022", "eq-7")
def eq_7() -> tuple[Variant, ...]:
    r"""The team's and the agents' mean squared TD errors have the same minimisers.

    .. math:: \arg\min_\omega \mathbb{E}\Big[\Big(\tfrac1N\sum_i r_i + \gamma \hat V(s') - \hat V(s)\Big)^2\Big]
        = \arg\min_\omega \sum_{i=1}^N \mathbb{E}\big[(r_i + \gamma \hat V(s') - \hat V(s))^2\big]

    Hypotheses: none: any law, any features, any number of agents.

    True as printed, by the same identity as Eq. (6) with ``x = V^(s) - gamma V^(s')``, which no agent's reward
    enters. Whether that minimiser deserves the name of the mean squared Bellman error is another statement:
    the expectation over s' stands outside the square here, and the further reading shows that this matters.

    Consequence: the split over agents is right; what is wrong with (7a) is not the split but that the TD update does
    not minimise it (`eq-13-target`).
    """
    return (
        printed(
            lambda c: (_mean_and_sum_share_minimisers(), _local_td_errors(c, _equal)),
            "(7a) and (7b) have the same minimisers",
        ),
        reading(
            lambda c: exact_identity(
                c,
                "minimiser of (7a) minus minimiser of the Bellman residual",
                lambda p: p.exact().omega_td_error - p.exact().omega_bellman,
                smallest=1,
            ),
            "(7a) against the residual with the expectation over a and s' inside the square",
            "expectation inside",
        ),
        control(
            lambda c: (_mean_and_sum_share_minimisers(doubled=1), _local_td_errors(c, _first_doubled)),
            "(7b) with the first agent's term counted twice",
            "unequal weights",
        ),
    )


def _mean_and_sum_share_minimisers(doubled: int = 0) -> Evidence:
    """``sum_i (r_i - x)^2 - N (r_bar - x)^2`` does not depend on x, for symbolic N and moments of r.

    With `doubled` = 1, for controls, the first term is counted twice and N + 1 stands for the factor N.
    """
    x, N, first, second, r_1 = sympy.symbols("x N S_1 S_2 r_1")
    total = second - 2 * x * first + N * x**2  # sum_i (r_i - x)^2 with S_1 = sum r_i, S_2 = sum r_i^2
    total = total + doubled * (r_1 - x) ** 2
    difference = sympy.simplify(total - (N + doubled) * (first / N - x) ** 2)
    derivative = sympy.simplify(sympy.diff(difference, x))
    return exact_evidence(
        "x-derivative of sum_i (r_i - x)^2 - N (r_bar - x)^2 (1 if it is not a number)",
        Fraction(int(derivative)) if derivative.is_integer else 1,
        0,
        Relation.EQUAL,
        rigor=Rigor.SYMBOLIC,
        scope=Scope.CLASS,
        note=f"for every N and x; the difference is {difference}",
    )


Weights = Callable[[int], list[int]]
"""Weights of the agents' terms in a sum, from the number of agents."""


def _equal(n_agents: int) -> list[int]:
    return [1] * n_agents


def _first_doubled(n_agents: int) -> list[int]:
    return [2] + [1] * (n_agents - 1)


def _local_regressions(context: Context, weights: Weights) -> Evidence:
    def residual(point: RationalPoint) -> np.ndarray:
        view = point.exact()
        pairs = (view.stationary[:, None] * view.pi).reshape(-1)
        design = view.phi_joint.reshape(len(pairs), -1)
        gram, right = design.T @ (design * pairs[:, None]), design.T @ (pairs * 0)
        scale = weights(len(view.r))
        for weight, local in zip(scale, view.r, strict=True):
            right = right + weight * (design.T @ (pairs * local.reshape(-1)))
        return solve(sum(scale) * gram, right) - view.lambda_star

    return replace(exact_identity(context, "minimiser of (6b) minus lambda*", residual), corroborates=True)


def _local_td_errors(context: Context, weights: Weights) -> Evidence:
    """Normal equations of (7b) assembled sample by sample, against the minimiser of (7a)."""

    def residual(point: RationalPoint) -> np.ndarray:
        view = point.exact()
        S, A, _ = view.P.shape
        K = view.phi_state.shape[1]
        gram, right = rational_array(np.zeros((K, K), int)), rational_array(np.zeros(K, int))
        for s, a, t in np.ndindex(S, A, S):
            weight = view.stationary[s] * view.pi[s, a] * view.P[s, a, t]
            step = view.phi_state[s] - view.gamma * view.phi_state[t]
            for scale, local in zip(weights(len(view.r)), view.r, strict=True):
                gram = gram + scale * weight * np.outer(step, step)
                right = right + scale * weight * local[s, a] * step
        return solve(gram, right) - view.omega_td_error

    gap = exact_identity(context, "minimiser of (7b) minus minimiser of (7a)", residual)
    return replace(gap, corroborates=True)


# --- Eq. (13) ---------------------------------------------------------------------------------------------


def two_state_chain() -> RationalPoint:
    """Two states, one action, one feature: the smallest problem on which the three omega* differ.

    ``P = 1/2`` everywhere, ``r = (1, 0)``, ``gamma = 1/2``, ``phi = (1, 0)``. By hand: mu = (1/2, 1/2);
    TD: ``1 + omega/4 = omega``, so 4/3; Bellman residual: minimise ``(1 - 3 omega/4)^2 + (omega/4)^2``, so 6/5;
    (7a): minimise ``(1 - omega/2)^2 + (1 - omega)^2 + (omega/2)^2``, so 1.
    """
    half = fmpq(1, 2)
    return RationalPoint(
        P=[[[half, half]], [[half, half]]],
        r=[[[1], [0]]],
        initial=[1, 0],
        gamma=half,
        tables=([[1], [1]],),
        psi=([[[0]], [[0]]],),
        phi_state=[[1], [0]],
        phi_joint=[[[1]], [[0]]],
    )


@statement("zeng2022", "eq-13-target", uses=("eq-7", "eq-7-msbe"))
def eq_13_target() -> tuple[Variant, ...]:
    r"""For a fixed policy the critic update settles at omega* of Eq. (7a).

    .. math:: \omega_{i,t+1} = \Pi_{R_\omega}\big(\tilde\omega_{i,t} + \beta_t\, \delta_{i,t}\, \phi(s_t)\big),
        \qquad \delta_{i,t} = r_{i,t} + \gamma \phi(s_{t+1})^T\omega_{i,t} - \phi(s_t)^T\omega_{i,t}

    Hypotheses: a fixed policy, Assumptions 1 to 4, and a projection radius that contains the target.

    The update is TD(0), a semi-gradient: its mean ``E[delta phi]`` vanishes at the fixed point of the projected
    Bellman equation, ``omega_td``. The gradient of (7a) carries ``phi(s) - gamma phi(s')`` instead of
    ``phi(s)``, so its minimiser is in general another point, even with tabular features when transitions are random
    (the variance of ``gamma V(s')`` is then part of (7a)). It is refuted on two states. The Bellman residual reading
    (expectation over a and s' inside the square) agrees with TD when the features represent V, or when their span is
    closed under P_pi, and not in general.

    The repaired form holds for the network average under any doubly stochastic W and any constant step (random W, one
    and two agents, are tried): summing the mean update over agents gives ``0 = b + A omega_mean``. Single agents sit
    O(beta) away when their rewards differ. It needs a projection radius that contains omega_td.

    Consequence: in Theorem 3 and Corollary 1 the critic error converges only if omega* is read as the TD fixed point;
    with (7a) as displayed their first displays are false.
    """
    return (
        printed(
            lambda c: _rest_point(c, "td_error"),
            "omega* is the minimiser of (7a) as displayed",
            "td-error",
        ),
        printed(
            lambda c: _rest_point(c, "bellman"),
            "omega* is the minimiser of the mean squared Bellman residual, as the text calls it",
            "bellman",
        ),
        reading(
            lambda c: _rest_point_realisable(c, "bellman"),
            "the Bellman residual reading, when the features represent V",
            "bellman, realisable",
        ),
        reading(
            lambda c: _rest_point_realisable(c, "td_error"),
            "the (7a) reading, when the features represent V",
            "td-error, realisable",
        ),
        repaired(
            lambda c: (
                *_rest_point(c, "td"),
                _network_average(c),
                float_identity(c, "mean update at omega_td", lambda v, _p, _t: mean_update(v, v.omega_td)),
            ),
            "omega* is the TD fixed point",
        ),
        control(
            lambda c: exact_identity(
                c, "mean update at the TD fixed point of the visitation", _visitation_target, smallest=1
            ),
            "the fixed point for samples from d instead of mu",
            "d for mu",
        ),
    )


def mean_update(view: Exact, omega: np.ndarray) -> np.ndarray:
    """``E_{mu, pi, P}[delta phi(s)]`` for the team reward, summed sample by sample.

    Args:
        view: exact quantities.
        omega: critic, (K,).

    Returns:
        Array (K,); zero where the update is at rest.
    """
    S, A, _ = view.P.shape
    total = view.phi_state[0] * 0
    for s, a, t in np.ndindex(S, A, S):
        weight = view.stationary[s] * view.pi[s, a] * view.P[s, a, t]
        delta = view.r_bar[s, a] + (view.gamma * view.phi_state[t] - view.phi_state[s]) @ omega
        total = total + weight * delta * view.phi_state[s]
    return total


def _rest_point(context: Context, target: str) -> tuple[Evidence, Evidence]:
    """Is the mean update zero at omega_<target>? The two-state chain first, then random problems."""
    witness, view = None, two_state_chain().exact()
    gap = abs(mean_update(view, getattr(view, f"omega_{target}"))[0])
    if gap != 0:
        witness = Witness(
            "two states, one action, one feature: the three omega* are 4/3, 6/5 and 1; the update rests at 4/3",
            {
                "P": view.P_pi,
                "r": view.r_pi,
                "gamma": view.gamma,
                "phi": view.phi_state[:, 0],
                "omega_td": view.omega_td,
                "omega_bellman": view.omega_bellman,
                "omega_td_error": view.omega_td_error,
                f"mean update at omega_{target}": mean_update(view, getattr(view, f"omega_{target}")),
            },
        )
    random = exact_identity(
        context, "", lambda p: mean_update(p.exact(), getattr(p.exact(), f"omega_{target}")), smallest=1
    )
    chain = exact_evidence(
        f"mean update at omega_{target}, two-state chain", gap, 0, Relation.EQUAL, instances=1, witness=witness
    )
    what = f"largest component of the mean update at omega_{target}, random problems"
    return chain, replace(random, quantity=what)


def _rest_point_realisable(context: Context, target: str) -> Evidence:
    def residual(point: RationalPoint) -> np.ndarray:
        view = _with_tabular_critic(point)
        return mean_update(view, getattr(view, f"omega_{target}"))

    return exact_identity(context, f"mean update at omega_{target}, tabular critic", residual, smallest=1)


def _with_tabular_critic(point: RationalPoint) -> Exact:
    eye = rational_array(np.eye(point.P.shape[0], dtype=int))
    fields = {name: getattr(point, name) for name in point.__dataclass_fields__}
    return RationalPoint(**{**fields, "phi_state": eye}).exact()


def _network_average(context: Context) -> Evidence:
    """Mean fixed point of N agents under random exact W and constant steps: its average is omega_td exactly."""
    rng = context.rng(8)

    def residual(point: RationalPoint) -> np.ndarray:
        view = point.exact()
        N, A, beta = len(view.r), view.td_system()[0], fmpq(int(rng.integers(1, 20)), 10)
        W, K = random_doubly_stochastic(rng, N, 2), len(A)
        locals_ = [view.phi_state.T @ (view.stationary * (view.pi * r).sum(axis=1)) for r in view.r]
        agents, features = identity_like(A, N), identity_like(A, K)
        system = np.kron(agents - W, features) - beta * np.kron(agents, A)
        stacked = solve(system, beta * np.concatenate(locals_)).reshape(N, K)
        gap: np.ndarray = stacked.sum(axis=0) / N - view.omega_td
        return gap

    return exact_identity(
        context, "average over agents of the mean fixed point, minus omega_td", residual, smallest=2
    )


def _visitation_target(point: RationalPoint) -> np.ndarray:
    view = point.exact()
    return mean_update(view, view.omega_td_under("visitation"))
