"""Both sides of the repaired claims of zeng2022, over floats and over rationals, by array formulas of their own.

Every function returns a claim whose constant can be changed, so that a test can ask the same search to refute less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mdp.exact import Exact
from mdp.linear import identity_like, solve
from verify.search.forms import (
    relative_gap,
    times,
)
from verify.search.joined import Joint, cycle_matrix
from verify.zeng2022.setting.lower_level import mean_update

Gap = Callable[[Joint], Any]
"""A relative gap between the sides of an equality."""


def samples(view: Exact) -> np.ndarray:
    """Probability of every tuple (s, a, s') with s from mu, (S, A, S).

    Args:
        view: exact quantities.
    """
    weight: np.ndarray = view.stationary[:, None, None] * view.pi[:, :, None] * view.P
    return weight


def deltas(view: Exact, reward: np.ndarray, ahead: np.ndarray, here: np.ndarray) -> np.ndarray:
    """``r(s, a) + gamma ahead(s') - here(s)`` for every tuple, (S, A, S).

    Args:
        view: exact quantities.
        reward: (S, A).
        ahead: values of the successors, (S,).
        here: values of the states, (S,).
    """
    found: np.ndarray = reward[:, :, None] + view.gamma * ahead[None, None, :] - here[:, None, None]
    return found


def difference_gradient(objective: Callable[[np.ndarray], Any], at: np.ndarray) -> np.ndarray:
    """Gradient of a quadratic by central differences of step one, exact for quadratics.

    Args:
        objective: quadratic.
        at: where, (K,).
    """
    steps = identity_like(at, len(at))
    return np.array([(objective(at + e) - objective(at - e)) / 2 for e in steps], dtype=at.dtype)


def _bellman(view: Exact, omega: np.ndarray) -> Any:
    values = view.phi_state @ omega
    return (view.stationary * (view.r_pi + view.gamma * (view.P_pi @ values) - values) ** 2).sum()


def _size(view: Exact, omega: np.ndarray) -> Any:
    """Magnitude of the TD errors' terms."""
    return abs(view.r).max() + 2 * (abs(view.phi_state) @ abs(omega)).max()


def variance_decomposition(reward_part: bool = True) -> Gap:
    """(7a) against the mean squared Bellman error plus the mean conditional variance of ``r_bar + gamma V^(s')``.

    Args:
        reward_part: False leaves the reward's variance out.
    """

    def gap(x: Joint) -> Any:
        view, omega = x.view, x.extra["omega"]
        values, weight = view.phi_state @ omega, samples(view)
        displayed = (weight * deltas(view, view.r_bar, values, values) ** 2).sum()
        reward = view.r_bar if reward_part else view.r_bar * 0 + view.r_pi[:, None]
        mean = view.r_pi + view.gamma * (view.P_pi @ values)
        variance = (weight * deltas(view, reward, values, mean) ** 2).sum()
        return relative_gap(displayed, _bellman(view, omega) + variance, _size(view, omega) ** 2)

    return gap


def descent_with_fixed_target(held: bool = True) -> Gap:
    """Each agent's mean step against minus half the gradient of its square with the target held fixed.

    Args:
        held: False holds the prediction fixed instead.
    """

    def gap(x: Joint) -> Any:
        view, omega = x.view, x.extra["omega"]
        weight, worst_gap = samples(view), omega[0] * 0
        A, _ = view.td_system()
        for local in view.r:

            def frozen(y: np.ndarray, local: np.ndarray = local) -> Any:
                ahead, here = (omega, y) if held else (y, omega)
                return (weight * deltas(view, local, view.phi_state @ ahead, view.phi_state @ here) ** 2).sum()

            step = view.phi_state.T @ (view.stationary * (view.pi * local).sum(axis=1)) + A @ omega
            size = (_size(view, omega) + 2 * abs(view.phi_state).sum(axis=1).max()) ** 2
            worst_gap = max(worst_gap, relative_gap(step, -difference_gradient(frozen, omega) / 2, size))
        return worst_gap

    return gap


def splitting(share: Any = 1) -> Gap:
    """``(omega_td - omega) . mean step`` against ``(1 - gamma) ||e||^2 + gamma/2 sum mu P_pi (e' - e)^2``.

    Args:
        share: multiplies the second term.
    """

    def gap(x: Joint) -> Any:
        view, omega = x.view, x.extra["omega"]
        A, _ = view.td_system()
        way = view.omega_td - omega
        error = view.phi_state @ way
        left = (way * mean_update(view, omega)).sum()
        moves = (view.stationary[:, None] * view.P_pi * (error[None, :] - error[:, None]) ** 2).sum()
        right = (1 - view.gamma) * (view.stationary * error**2).sum() + times(share, view.gamma * moves / 2)
        reward = abs(view.phi_state).max() * abs(view.r).max()
        size = abs(way) @ (reward + abs(A) @ (abs(view.omega_td) + abs(omega))) + abs(right)
        # e = Phi (omega_td - omega) cancels where the columns of Phi are nearly dependent
        return relative_gap(left, right, size + (abs(view.phi_state) @ abs(way)).max() ** 2)

    return gap


def network_rest_point(shift: Any = 0) -> Gap:
    """The mean update at omega_td, and at the network average of the mean rest points under W and beta: both zero.

    Args:
        shift: moves the claimed rest point in every component.
    """

    def gap(x: Joint) -> Any:
        view, beta = x.view, x.extra["beta"][0]
        A, b = view.td_system()
        N, K = len(view.r), len(b)
        W = cycle_matrix(np.concatenate([x.extra["laziness"], x.extra["weights"]]), N)
        agents, features = identity_like(A, N), identity_like(A, K)
        local = [view.phi_state.T @ (view.stationary * (view.pi * r).sum(axis=1)) for r in view.r]
        rest = solve(np.kron(agents - W, features) - beta * np.kron(agents, A), beta * np.concatenate(local))
        average, target = rest.reshape(N, K).sum(axis=0) / N, view.omega_td + shift
        # b may be a difference of large rewards
        apart = abs(A) @ (abs(average) + abs(target)) + abs(view.phi_state).max() * abs(view.r).max()
        at_rest = relative_gap(mean_update(view, target), b * 0, apart.max())
        # A average = A omega_td: the difference itself is lost to rounding where A is nearly singular
        size = apart.max() + abs(rest).max() / beta
        return max(at_rest, relative_gap(A @ average, A @ target, size))

    return gap


def mean_td_update(factor: Any = 1) -> Gap:
    """``E[delta phi(s)]``, tuple by tuple, against ``b + factor A omega``.

    Args:
        factor: one in the claim.
    """

    def gap(x: Joint) -> Any:
        view, omega = x.view, x.extra["omega"]
        A, b = view.td_system()
        size = _size(view, omega) * abs(view.phi_state).max()
        return relative_gap(mean_update(view, omega), b + factor * (A @ omega), size)

    return gap


def two_successors(independent: bool = True) -> Gap:
    """Mean of ``2 delta (gamma phi(s'') - phi(s))``, two draws (a, s') and (b, s'') at one s, against grad MSBE.

    Args:
        independent: False takes the same draw twice.
    """

    def gap(x: Joint) -> Any:
        view, omega = x.view, x.extra["omega"]
        values, step = view.phi_state @ omega, view.gamma * view.phi_state[None] - view.phi_state[:, None]
        delta = deltas(view, view.r_bar, values, values)
        S, A, _ = view.P.shape
        mean = omega * 0
        for s in range(S):
            draws = (view.pi[s][:, None] * view.P[s]).ravel()
            factor = np.concatenate([step[s]] * A)
            joint = draws[:, None] * draws[None, :] if independent else np.diag(draws)
            mean = mean + 2 * view.stationary[s] * ((joint * delta[s].ravel()[:, None]).sum(axis=0) @ factor)
        gradient = difference_gradient(lambda y: _bellman(view, y), omega)
        size = (_size(view, omega) + 2 * abs(view.phi_state).sum(axis=1).max()) ** 2
        return relative_gap(mean, gradient, size)

    return gap
