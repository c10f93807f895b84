"""Leading coefficients of the second moments as the step size tends to zero, from Lyapunov equations.

For the average agent ``e' = e + beta (A_t e + b_t)``. At rest ``E e e^T ~ beta Sigma``, ``A Sigma + Sigma A^T + C = 0``
with C the covariance of the noise summed over all lags (the i.i.d. case has lag zero only), and under Markovian
sampling ``E e ~ beta m``. The start is forgotten like an ordinary differential equation,
``sum_t E e e^T ~ Z / beta`` with ``A Z + Z A^T + e_0 e_0^T = 0``. Disagreement is of order beta^2 at rest. So with
``beta = beta_0 T^-sigma`` the time average above its floor is ``C_1 beta + C_2 / (beta T)`` to leading order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_continuous_lyapunov

from mdp.linear import to_float
from rates.moments.blocks import moments
from rates.moments.linear import LinearMoments
from rates.moments.outcomes import Outcomes, weighted_gram
from rates.moments.powers import limit_state, transient_sum
from rates.moments.tensors import parts
from rates.moments.values import Target


@dataclass(frozen=True, eq=False)
class LeadingCoefficients:
    """First-order description of the second moments at small step sizes.

    Attributes:
        A: mean matrix, (K, K), Hurwitz.
        noise: C, asymptotic covariance of the noise of the average agent, (K, K).
        stationary: Sigma, second moment of the average agent at rest over beta, (K, K).
        bias: m, first moment of the average agent at rest over beta, (K,); zero for i.i.d. samples.
        transient: Z, (K, K).
        drift: ``-A^-1 e_0``, so that ``sum_t E e_t ~ drift / beta``, (K,).
        disagreement: ``E sum_i ||x_i - mean||^2`` at rest over beta^2, averaged over a period.
        disagreement_transient: sum over all times of the disagreement of the start at beta = 0.
        n_agents: N.
        model: what they describe.
    """

    A: Float[np.ndarray, "K K"]
    noise: Float[np.ndarray, "K K"]
    stationary: Float[np.ndarray, "K K"]
    bias: Float[np.ndarray, " K"]
    transient: Float[np.ndarray, "K K"]
    drift: Float[np.ndarray, " K"]
    disagreement: float
    disagreement_transient: float
    n_agents: int
    model: LinearMoments

    def step(self, target: Target = "fixed_point") -> float:
        """C_1: coefficient of beta in the error above its floor.

        Args:
            target: name or array (K,).
        """
        return float(self.n_agents * (np.trace(self.stationary) + 2 * self._offset(target) @ self.bias))

    def decay(self, target: Target = "fixed_point") -> float:
        """C_2: coefficient of 1 / (beta T) in the time-averaged error above its floor.

        Args:
            target: name or array (K,).
        """
        return float(self.n_agents * (np.trace(self.transient) + 2 * self._offset(target) @ self.drift))

    def average(self, beta: float, horizon: int, target: Target = "fixed_point") -> float:
        """Two-term prediction of the time-averaged error above its floor.

        Args:
            beta: step size.
            horizon: T.
            target: name or array (K,).
        """
        return self.step(target) * beta + self.decay(target) / (beta * horizon)

    def _offset(self, target: Target) -> np.ndarray:
        offset: np.ndarray = self.model.fixed_point - self.model.target(target)
        return offset


def leading_coefficients(model: LinearMoments) -> LeadingCoefficients:
    """Leading coefficients of the moments of `model`; its own step size plays no part.

    Args:
        model: any recursion of this package.

    Raises:
        ValueError: the mean matrix is not Hurwitz, so that no small step size is stable.

    Source: Kushner and Yin (2003), Stochastic Approximation, Ch. 10, for the Lyapunov equation of constant steps; the
        bias under Markovian sampling as in Huo, Chen and Xie (2023), SIGMETRICS; both re-derived and compared with the
        exact recursion in the tests.
    """
    table, centre = model.system.table, model.fixed_point
    A = table.mean_matrix
    growth = float(np.linalg.eigvals(A).real.max())
    if growth >= 0:
        raise ValueError(f"the mean matrix is not Hurwitz (largest real part {growth:g}): no step size is stable")
    noise, bias = _noise_and_bias(table, centre)
    x_0 = to_float(model.x_0)
    e_0 = x_0.mean(axis=0) - centre
    at_rest, forgotten = _disagreement(model, x_0)
    return LeadingCoefficients(
        A=A, noise=noise, stationary=solve_continuous_lyapunov(A, -noise), bias=bias,
        transient=solve_continuous_lyapunov(A, -np.outer(e_0, e_0)), drift=-np.linalg.solve(A, e_0),
        disagreement=at_rest, disagreement_transient=forgotten, n_agents=model.n_agents, model=model,
    )  # fmt: skip


def _noise_and_bias(table: Outcomes, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of ``b_t`` over all lags, by the Poisson equation, and ``E e / beta`` at rest."""
    g, weight, Z = table.direction, table.long_run_weight, table.n_modes
    b = g * (table.team_reward + table.sensitivity @ centre)[:, None]
    noise = weighted_gram(weight, b, b) + table.noise_variance / table.n_agents * weighted_gram(weight, g, g)
    if Z == 1:
        return noise, np.zeros(g.shape[1])
    mu, P = table.stationary, table.chain
    given, arriving = np.zeros((Z, g.shape[1])), np.zeros((Z, g.shape[1]))
    np.add.at(given, table.mode, table.weight[:, None] * b)  # E[b_t | s_t]
    np.add.at(arriving, table.next_mode, weight[:, None] * b)  # E[b_t 1{s_t+1}]
    later = np.linalg.solve(np.eye(Z) - P + mu[None, :], given)  # sum over lags of E[b_t+k | s_t]
    lagged = weighted_gram(weight, b, later[table.next_mode])
    # E[e 1{s}] = m mu(s) + beta v(s): v carries the correlation of the last noise with the state
    v = np.linalg.solve(np.eye(Z) - P.T + mu[:, None], arriving)
    pulled = (table.weight[:, None] * g * (table.sensitivity * v[table.mode]).sum(axis=1)[:, None]).sum(axis=0)
    return noise + lagged + lagged.T, -np.linalg.solve(table.mean_matrix, pulled)


def _disagreement(model: LinearMoments, x_0: np.ndarray) -> tuple[float, float]:
    """Disagreement at rest over beta^2, and the summed transient at beta = 0."""
    if model.n_agents == 1:
        return 0.0, 0.0
    still = replace(model.system.table, sensitivity=model.system.table.sensitivity * 0.0)
    _, rest = parts(still, model.system.matrices, model.fixed_point * 0.0)
    assert rest is not None  # two agents or more
    d_0 = x_0[:-1] - x_0.mean(axis=0)
    driven = moments(still, rest, rest, 1.0, (d_0 * 0.0, d_0 * 0.0))
    free = moments(still, rest, rest, 0.0, (d_0, d_0))
    K = x_0.shape[1]
    spread = (driven.second_moment(limit_state(driven)), free.second_moment(transient_sum(free)))
    at_rest, forgotten = (_spread(second, K) for second in spread)
    return at_rest, forgotten


def _spread(second: np.ndarray, K: int) -> float:
    blocks: Any = second.reshape(len(second) // K, K, -1, K)
    return float(np.einsum("ikik->", blocks) + np.einsum("ikjk->", blocks))
