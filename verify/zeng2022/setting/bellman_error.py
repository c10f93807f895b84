"""zeng2022 around Eq. (7): what the mean squared Bellman error is, and which samples estimate its gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import fmpq

from mdp.exact import Exact, Law
from mdp.linear import solve
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, source, statement
from verify.context import Context
from verify.evidence import Evidence
from verify.identities import exact_identity, rational_points
from verify.zeng2022.setting.lower_level import mean_update, two_state_chain
from verify.zeng2022.setting.small_problems import (
    bellman_objective,
    first_violation,
    quadratic_gradient,
    td_error_objective,
    trial_points,
)


@statement("zeng2022", "eq-7-msbe", uses=("eq-2", "eq-7"))
def eq_7_msbe() -> tuple[Variant, ...]:
    r"""Problem (7a) is the mean squared Bellman error minimisation of Tsitsiklis and Van Roy (1997).

    .. math:: \omega^*(\theta) \in \arg\min_\omega \mathbb{E}_{s \sim \mu_\theta, a \sim \pi_\theta, s' \sim P}
        \Big[\Big(\tfrac1N \sum_i r_i(s,a) + \gamma \hat V(s';\omega) - \hat V(s;\omega)\Big)^2\Big]

    Refuted under each of three readings. The Bellman error of a state is the expectation over a and s' of the bracket,
    so its mean square has that expectation *inside* the square; (7a) has it outside. And Tsitsiklis and Van Roy
    minimise neither: they study TD(0), whose limit solves the projected equation ``Phi omega = Pi_mu T(Phi omega)``.
    On the two-state chain (P = 1/2 everywhere, r = (1, 0), gamma = 1/2, phi = (1, 0)) the three solutions are 1, 6/5
    and 4/3: (7a) is ``1/4 [(1 - w/2)^2 + (1 - w)^2 + (w/2)^2]`` and the mean squared Bellman error is
    ``1/2 [(1 - 3w/4)^2 + (w/4)^2]``.

    Repaired, with its derivation: for given s the bracket has mean ``(T V^ - V^)(s)`` and the variance of
    ``r_bar + gamma V^(s')``, so (7a) is the mean squared Bellman error *plus* ``E_mu Var(r_bar + gamma V^(s') | s)``,
    an identity in omega and so as sharp as can be. The extra term pulls towards value functions that are flat over
    successors. A richer class of features is no cure: an aperiodic irreducible chain of two states or more has a state
    with two successors, on which a tabular critic has a variance that depends on omega.

    Second opinion: the minimisers come from linear solves, the objectives from sums over samples.

    Hypotheses: one policy with a unique stationary law; the cited work has a single agent and no actions, which changes
    nothing here.

    Consequence: the omega* of Propositions 1-2 and Theorem 3 is another point than the limit of the critic (see
    eq-13-target), and all that is known about TD does not carry over to it.
    """
    return (
        printed(
            lambda c: _objective_gap(c, lambda view, omega: fmpq(0)),
            "(7a) has the value of the mean squared Bellman error",
            "same objective",
        ),
        printed(
            lambda c: _minimiser_gap(c, lambda view: view.omega_bellman),
            "(7a) has the minimiser of the mean squared Bellman error",
            "same minimiser",
        ),
        printed(
            lambda c: _minimiser_gap(c, lambda view: view.omega_td),
            "(7a) has the solution of the cited paper, the TD fixed point",
            "projected equation",
        ),
        source(
            lambda c: exact_identity(c, "omega_td minus the projection of T(Phi omega_td)", _projected_gap),
            "Tsitsiklis and Van Roy (1997): TD(0) tends to the solution of the projected Bellman equation",
        ),
        repaired(
            lambda c: _objective_gap(c, _target_variance),
            "(7a) is the mean squared Bellman error plus the mean conditional variance of r_bar + gamma V^(s')",
        ),
        control(
            lambda c: _objective_gap(c, _successor_variance),
            "the repaired form with the variance of gamma V^(s') alone, at the mean reward of each state",
            "reward left out",
        ),
    )


Correction = Callable[[Exact, np.ndarray], fmpq]
"""A term added to the mean squared Bellman error."""


def _problems(context: Context) -> list[RationalPoint]:
    return [two_state_chain(), *rational_points(context)]


def _objective_gap(context: Context, correction: Correction) -> Evidence:
    def residual(point: RationalPoint) -> np.ndarray:
        view = point.exact()
        gaps = [
            td_error_objective(view, view.r_bar, omega) - bellman_objective(view, omega) - correction(view, omega)
            for omega in trial_points(view.phi_state.shape[1])
        ]
        return np.array(gaps, dtype=object)

    return first_violation(
        "value of (7a) minus the claimed one, at four omega", _problems(context), residual,
        "two states, one action, phi = (1, 0)", lambda point: {"phi": point.phi_state},
    )


def _minimiser_gap(context: Context, other: Callable[[Exact], np.ndarray]) -> Evidence:
    return first_violation(
        "minimiser of (7a) minus the other solution", _problems(context),
        lambda point: point.exact().omega_td_error - other(point.exact()), "two states, one action, phi = (1, 0)",
        lambda point: {
            "phi": point.phi_state, "minimiser of (7a)": point.exact().omega_td_error,
            "other solution": other(point.exact()),
        },
    )


def _target_variance(view: Exact, omega: np.ndarray) -> fmpq:
    values, total = view.phi_state @ omega, fmpq(0)
    for s in range(len(view.P)):
        mean = view.r_pi[s] + view.gamma * (view.P_pi[s] @ values)
        for a, t in np.ndindex(view.P.shape[1:]):
            weight = view.stationary[s] * view.pi[s, a] * view.P[s, a, t]
            total += weight * (view.r_bar[s, a] + view.gamma * values[t] - mean) ** 2
    return total


def _successor_variance(view: Exact, omega: np.ndarray) -> fmpq:
    values = view.phi_state @ omega
    spread: np.ndarray = view.P_pi @ values**2 - (view.P_pi @ values) ** 2
    total: fmpq = view.gamma**2 * (view.stationary * spread).sum()
    return total


def _projected_gap(point: RationalPoint) -> np.ndarray:
    view = point.exact()
    backup = view.r_pi + view.gamma * (view.P_pi @ (view.phi_state @ view.omega_td))
    weighted = view.phi_state * view.stationary[:, None]
    gap: np.ndarray = solve(weighted.T @ view.phi_state, weighted.T @ backup) - view.omega_td
    return gap


@statement("zeng2022", "unbiased-critic", uses=("eq-7", "eq-7-msbe"))
def unbiased_critic() -> tuple[Variant, ...]:
    r"""Sampling from mu gives an unbiased estimator of the gradient of the mean squared Bellman error in (7).

    .. math:: \mathbb{E}_{s \sim \mu_\theta, a \sim \pi_\theta, s' \sim P}
        \big[2\, \delta\, (\gamma \phi(s') - \phi(s))\big] = \nabla_\omega \mathrm{MSBE}(\omega),
        \qquad \delta = \bar r + \gamma \phi(s')^T \omega - \phi(s)^T \omega

    The readings disagree. *(7a) as displayed* is an average over (s, a, s') of squares, so the gradient of one square
    is unbiased: true. *The mean squared Bellman error*, as the text calls it, has a product of two expectations over
    the same successor in its gradient; one sample gives their covariance in addition (the double-sampling problem):
    false. On the two-state chain at omega = 1 the estimator has mean 0 and the gradient is -1/8.

    The remark adds that this gradient "is utilized to update the critic parameters"; the update (13) uses
    ``delta phi(s)``, which estimates neither gradient (further reading; on the chain at omega = 1, minus twice its mean
    is -1/4).

    Repaired in two ways. What mu-samples estimate without bias is the mean TD update ``b + A omega``, which is what
    (13) needs. And the gradient of the mean squared Bellman error has an unbiased estimator from two independent pairs
    (a, s') and (a', s'') drawn at the same s: ``2 delta (gamma phi(s'') - phi(s))``, since the two factors are then
    independent given s. Gradients are computed by exact central differences of the objectives.

    Hypotheses: s is drawn from mu exactly, and independently of omega.

    Consequence: nothing is lost for Theorem 3 if omega* is read as the TD fixed point; the remark does not explain the
    critic that the paper analyses.
    """
    return (
        printed(
            lambda c: _gradient_gap(c, _residual_gradient, _displayed),
            "the gradient of (7a) as displayed, by the gradient of one sample's square",
            "td-error",
        ),
        printed(
            lambda c: _gradient_gap(c, _residual_gradient, _proper),
            "the gradient of the mean squared Bellman error, by the same estimator",
            "bellman",
        ),
        reading(
            lambda c: _gradient_gap(c, lambda view, omega: -2 * mean_update(view, omega), _displayed),
            "the gradient of (7a), by the estimator that the update (13) uses",
            "update (13)",
        ),
        repaired(
            lambda c: _gradient_gap(c, mean_update, _matrix_update),
            "the mean TD update b + A omega, by delta phi(s)",
            "mean TD update",
        ),
        repaired(
            lambda c: _gradient_gap(c, _two_successors, _proper),
            "the gradient of the mean squared Bellman error, by two independent successors of the same state",
            "two successors",
        ),
        control(
            lambda c: _gradient_gap(c, lambda view, omega: _residual_gradient(view, omega, "visitation"), _displayed),
            "the gradient of (7a), by samples from d",
            "d for mu",
        ),
    )


Field = Callable[[Exact, np.ndarray], np.ndarray]
"""A vector of the critic's dimension, from exact quantities and omega."""


def _gradient_gap(context: Context, estimator: Field, target: Field) -> Evidence:
    def residual(point: RationalPoint) -> np.ndarray:
        view = point.exact()
        omegas = trial_points(view.phi_state.shape[1])
        return np.stack([estimator(view, omega) - target(view, omega) for omega in omegas])

    return first_violation(
        "mean of the estimator minus its target, at four omega", _problems(context), residual,
        "two states, one action, phi = (1, 0)",
        lambda point: {
            "phi": point.phi_state, "omega": "1 in every component",
            "mean of the estimator": estimator(point.exact(), point.phi_state[0] * 0 + 1),
            "target": target(point.exact(), point.phi_state[0] * 0 + 1),
        },
    )


def _residual_gradient(view: Exact, omega: np.ndarray, law: Law = "stationary") -> np.ndarray:
    total = omega * 0
    for s, a, t in np.ndindex(*view.P.shape):
        weight = view.law(law)[s] * view.pi[s, a] * view.P[s, a, t]
        step = view.gamma * view.phi_state[t] - view.phi_state[s]
        total = total + 2 * weight * (view.r_bar[s, a] + step @ omega) * step
    return total


def _two_successors(view: Exact, omega: np.ndarray) -> np.ndarray:
    S, A, _ = view.P.shape
    total = omega * 0
    for s in range(S):
        for a, t in np.ndindex(A, S):
            delta = view.r_bar[s, a] + (view.gamma * view.phi_state[t] - view.phi_state[s]) @ omega
            for b, u in np.ndindex(A, S):
                weight = view.stationary[s] * view.pi[s, a] * view.P[s, a, t] * view.pi[s, b] * view.P[s, b, u]
                total = total + 2 * weight * delta * (view.gamma * view.phi_state[u] - view.phi_state[s])
    return total


def _displayed(view: Exact, omega: np.ndarray) -> np.ndarray:
    return quadratic_gradient(lambda x: td_error_objective(view, view.r_bar, x), omega)


def _proper(view: Exact, omega: np.ndarray) -> np.ndarray:
    return quadratic_gradient(lambda x: bellman_objective(view, x), omega)


def _matrix_update(view: Exact, omega: np.ndarray) -> np.ndarray:
    A, b = view.td_system()
    update: np.ndarray = b + A @ omega
    return update
