"""zeng2022 Eqs. (12)-(13): are the lower-level updates stochastic gradient steps on (8c) and (8b)?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from flint import fmpq

from mdp.exact import Exact, Law
from mdp.linear import identity_like, rational_array, solve
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.identities import exact_identity, misalignment, rational_points
from verify.networks import random_doubly_stochastic
from verify.zeng2022.setting.lower_level import mean_update, two_state_chain
from verify.zeng2022.setting.small_problems import (
    bellman_objective,
    first_violation,
    quadratic_gradient,
    td_error_objective,
    three_cycle,
    trial_points,
)


@statement("zeng2022", "eq-12-sgd", uses=("eq-6", "eq-8bd"))
def eq_12_sgd() -> tuple[Variant, ...]:
    r"""The reward models are averaged and then take one stochastic gradient step on the local objective (8c).

    .. math:: \tilde\lambda_t = W_t \lambda_t, \qquad
        \lambda_{i,t+1} = \Pi_{R_\lambda}\big(\tilde\lambda_{i,t}
        + \zeta_t\, (r_{i,t} - \varphi(s_t,a_t)^T\lambda_{i,t})\,
        \varphi(s_t,a_t)\big)

    True, with two conventions spelt out. With (s, a) from mu and pi the mean of the step is ``-(zeta / 2)`` times the
    gradient of agent i's term of (8c): the factor 2 of the square is absorbed by the step size (as a step of exactly
    zeta_t it would be false, see the reading). And the gradient is taken at the agent's own lambda_i,t, not at the
    averaged point that the step starts from: this is the distributed gradient method of Nedic and Ozdaglar (2009), and
    not a gradient step from the averaged point, as the words "first averaging, then performing one step" suggest.
    The gradient comes from exact central differences of (8c), which are exact for a quadratic.

    What the step minimises is not the local objective: at rest, with constant steps and any doubly stochastic W, the
    network average is the team's lambda* exactly (second reading), in line with the consensus constraint (8d).

    Hypotheses: s from mu and a from pi; the projection is not active.

    Consequence: the lambda part of Proposition 1 is about a standard method at its standard target.
    """
    return (
        printed(
            lambda c: _reward_gap(c, fmpq(1, 2)),
            "the mean step is minus zeta/2 times the local gradient at the agent's own parameter",
        ),
        reading(
            lambda c: _reward_gap(c, fmpq(1)), "a gradient step of size zeta_t, the factor 2 included", "step zeta"
        ),
        reading(
            lambda c: _reward_gap(c, fmpq(1, 2), averaged=True), "a gradient step from the averaged point", "averaged"
        ),
        reading(
            lambda c: exact_identity(c, "network average of the mean rest points minus lambda*", _average_at_rest(c)),
            "the network average of the mean rest points is the team's lambda*",
            "network average",
        ),
        control(
            lambda c: _reward_gap(c, fmpq(1, 2), law="visitation"), "the same with states from d", "d for mu"
        ),
    )


def _reward_objective(view: Exact, local: np.ndarray, lam: np.ndarray) -> fmpq:
    """One agent's term of (8c), sample by sample."""
    total = fmpq(0)
    for s, a in np.ndindex(*view.pi.shape):
        total += view.stationary[s] * view.pi[s, a] * (local[s, a] - view.phi_joint[s, a] @ lam) ** 2
    return total


def _reward_gap(context: Context, factor: fmpq, averaged: bool = False, law: Law = "stationary") -> Evidence:
    rng = context.rng(2212)

    def residual(point: RationalPoint) -> np.ndarray:
        view = point.exact()
        N, L = len(view.r), view.phi_joint.shape[2]
        own = rational_array(rng.integers(-3, 4, size=(N, L)))
        at = random_doubly_stochastic(rng, N, 2) @ own if averaged else own
        gaps = []
        for i, local in enumerate(view.r):
            step = own[i] * 0
            for s, a in np.ndindex(*view.pi.shape):
                feature = view.phi_joint[s, a]
                step = step + view.law(law)[s] * view.pi[s, a] * (local[s, a] - feature @ own[i]) * feature
            gradient = quadratic_gradient(partial(_reward_objective, view, local), at[i])
            gaps.append(step + factor * gradient)
        return np.concatenate(gaps)

    return exact_identity(context, "mean step over zeta, plus the factor times the gradient of (8c)", residual)


def _average_at_rest(context: Context) -> Callable[[RationalPoint], np.ndarray]:
    rng = context.rng(2213)

    def residual(point: RationalPoint) -> np.ndarray:
        view = point.exact()
        N, zeta = len(view.r), fmpq(int(rng.integers(1, 20)), 10)
        pairs = (view.stationary[:, None] * view.pi).ravel()
        design = view.phi_joint.reshape(len(pairs), -1)
        gram = design.T @ (design * pairs[:, None])
        agents, features = identity_like(gram, N), identity_like(gram, len(gram))
        W = random_doubly_stochastic(rng, N, 2)
        rhs = np.concatenate([design.T @ (pairs * local.ravel()) for local in view.r])
        stacked = solve(np.kron(agents - W, features) + zeta * np.kron(agents, gram), zeta * rhs).reshape(N, -1)
        gap: np.ndarray = stacked.sum(axis=0) / N - view.lambda_star
        return gap

    return residual


@statement("zeng2022", "eq-13-sgd", uses=("eq-7", "eq-8bd"))
def eq_13_sgd() -> tuple[Variant, ...]:
    r"""The critics are averaged and then take one stochastic gradient step on the local objective (8b).

    .. math:: \omega_{i,t+1} = \Pi_{R_\omega}\big(\tilde\omega_{i,t} + \beta_t\, \delta_{i,t}\,
        \nabla_{\omega_i} \hat V(s_t;\omega_{i,t})\big), \qquad
        \delta_{i,t} = r_{i,t} + \gamma \hat V(s_{t+1};\omega_{i,t}) - \hat V(s_t;\omega_{i,t})

    Refuted. The gradient of the square in (8b) is ``2 delta (gamma phi(s') - phi(s))``; the update leaves the first
    part out (a semi-gradient). The mean step need not even be a descent direction: on the two-state chain at
    omega = 7/6, between the minimiser 1 of (8b) and the rest point 4/3, it is +1/16 and minus the gradient is negative.
    The mean squared Bellman error (expectation inside the square) fares no better, and no other function can help: the
    mean step ``b + A omega`` is the gradient of a function only if A is symmetric, and on a one-way cycle of three
    states ``A_01 = gamma / 6`` and ``A_10 = 0`` (further reading).

    Repaired, in two exact forms. (i) The mean step is minus half the gradient, at omega = omega_i,t, of
    ``E[(r_i + gamma V^(s'; omega_i,t) - V^(s; omega))^2]``, the target held fixed. (ii) It splits a gradient: with
    ``e = Phi (omega - omega_td)`` and the team's reward, ``(omega_td - omega) . (b + A omega) = (1 - gamma) ||e||_mu^2
    + gamma/2 sum mu(s) P_pi(s,s') (e(s') - e(s))^2``, so every mean step makes an acute angle with the way to
    omega_td. Derivation: ``b + A omega = A (omega - omega_td)``, and ``-e^T D (gamma P_pi - I) e`` is the right-hand
    side because mu is stationary. Both are equalities, and (ii) is what finite-time analyses of TD use.

    Hypotheses: s from mu, a from pi, s' from P; the projection is not active.

    Consequence: the target omega* of the theorems cannot be the minimiser of (8b); see eq-13-target.
    """
    return (
        printed(
            lambda c: _alignment(c, _displayed, "(8b)"), "a gradient step on (8b) as displayed", "td-error",
            recheck=lambda c: _alignment(c, _displayed, "(8b)", chain_only=True),
        ),
        printed(
            lambda c: _alignment(c, _bellman, "the mean squared Bellman error"),
            "a gradient step on the mean squared Bellman error",
            "bellman",
            recheck=lambda c: _alignment(c, _bellman, "the mean squared Bellman error", chain_only=True),
        ),
        reading(
            lambda c: first_violation(
                "antisymmetric part of A", [three_cycle(), *rational_points(c, smallest=3)],
                lambda p: p.exact().td_matrix - p.exact().td_matrix.T, "three states on a lazy one-way cycle",
                lambda p: {"A": p.exact().td_matrix},
            ),
            "a gradient step on some function",
            "any function",
        ),
        repaired(
            lambda c: _frozen_gap(c, 1), "a gradient step on (8b) with the target held fixed", "target held fixed"
        ),
        repaired(
            lambda c: exact_identity(
                c, "(omega_td - omega) . mean step minus the splitting", lambda p: _splitting(p, fmpq(1, 2))
            ),
            "the mean step points towards omega_td: gradient splitting",
            "splitting",
        ),
        control(
            lambda c: _frozen_gap(c, 0), "a gradient step on (8b) with the prediction held fixed instead",
            "prediction held fixed",
        ),
        control(
            lambda c: exact_identity(
                c, "(omega_td - omega) . mean step minus the splitting, factor 1", lambda p: _splitting(p, fmpq(1)),
                smallest=1,
            ),
            "the splitting with gamma for gamma/2",
            "gamma for gamma/2",
        ),
    )


def _displayed(view: Exact, omega: np.ndarray) -> np.ndarray:
    return -quadratic_gradient(lambda x: td_error_objective(view, view.r_bar, x), omega)


def _bellman(view: Exact, omega: np.ndarray) -> np.ndarray:
    return -quadratic_gradient(lambda x: bellman_objective(view, x), omega)


def _alignment(
    context: Context, descent: Callable[[Exact, np.ndarray], np.ndarray], name: str, chain_only: bool = False
) -> Evidence:
    """Worst misalignment of the mean step with minus a gradient, one agent's reward as the team's."""
    worst, witness, count = fmpq(0), None, 0
    points = [two_state_chain()] if chain_only else [two_state_chain(), *rational_points(context)]
    for point in points:
        view = point.exact()
        # 7/6 lies between the minimiser of (7a) and the TD fixed point of the chain, 5/4 after that of the residual
        for omega in (*trial_points(view.phi_state.shape[1]), view.omega_bellman * 0 + fmpq(5, 4)):
            step, gradient = mean_update(view, omega), descent(view, omega)
            if not (gradient != 0).any():
                continue
            value, count = misalignment(step, gradient), count + 1
            worst = max(worst, value)
            if witness is None and value != 0:
                witness = Witness(
                    "two states, one action, phi = (1, 0): the mean step and minus the gradient point opposite ways"
                    if value == 2 else "the mean step is not a positive multiple of minus the gradient",
                    {
                        "P": view.P_pi, "r": view.r_pi, "gamma": view.gamma, "phi": view.phi_state, "omega": omega,
                        "mean step": step, "minus the gradient": gradient,
                    },
                )
    return exact_evidence(
        f"mean step against minus the gradient of {name}: worst 1 - cos|cos|", worst, 0, Relation.EQUAL,
        instances=count, witness=witness,
    )


def _frozen_gap(context: Context, held: int) -> Evidence:
    """Mean step of each agent plus half the gradient of the square with one part held fixed."""
    rng = context.rng(2214)

    def residual(point: RationalPoint) -> np.ndarray:
        view, gaps = point.exact(), []
        for local in view.r:
            omega = rational_array(rng.integers(-3, 4, size=view.phi_state.shape[1]))

            def frozen(x: np.ndarray, local: np.ndarray = local, omega: np.ndarray = omega) -> fmpq:
                target, prediction = (omega, x) if held else (x, omega)
                total = fmpq(0)
                for s, a, t in np.ndindex(*view.P.shape):
                    weight = view.stationary[s] * view.pi[s, a] * view.P[s, a, t]
                    ahead = view.gamma * (view.phi_state[t] @ target)
                    total += weight * (local[s, a] + ahead - view.phi_state[s] @ prediction) ** 2
                return total

            A, _ = view.td_system()
            b = view.phi_state.T @ (view.stationary * (view.pi * local).sum(axis=1))
            gaps.append(b + A @ omega + quadratic_gradient(frozen, omega) / 2)
        return np.concatenate(gaps)

    return exact_identity(context, "mean step plus half the gradient with one part held fixed", residual)


def _splitting(point: RationalPoint, factor: fmpq) -> np.ndarray:
    view = point.exact()
    gamma: Any = view.gamma
    gaps = []
    for omega in trial_points(view.phi_state.shape[1]):
        error = view.phi_state @ (omega - view.omega_td)
        left = (view.omega_td - omega) @ mean_update(view, omega)
        moves = error[None, :] - error[:, None]
        dirichlet = (view.stationary[:, None] * view.P_pi * moves**2).sum()
        right = (1 - gamma) * (view.stationary * error**2).sum() + gamma * factor * dirichlet
        gaps.append(left - right)
    return np.array(gaps, dtype=object)
