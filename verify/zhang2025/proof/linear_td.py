r"""Averaged TD(0) with one feature and step 1/sqrt(K): its exact mean-square error, i.i.d. or Markovian.

With error ``x_k = w_k - w*`` the update is ``x_{k+1} = a x_k + xi`` with ``a = 1 - beta phi(s) (phi(s) - gamma
phi(s'))`` and ``xi = beta phi(s) (r(s) + gamma phi(s') w* - phi(s) w*)``. Together with ``S_k = x_0 + ... + x_{k-1}``
the moments ``(1, x, x^2, S, S x, S^2)`` follow a linear map, one block per state when samples are Markovian, so that
``E (S_K/K)^2`` at K = 10^8 costs 27 products of small matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar


@dataclass(frozen=True, eq=False)
class LinearTD:
    """A chain with one feature per state.

    Attributes:
        P: transition matrix, (S, S), irreducible.
        r: rewards, (S,).
        phi: features, (S,), at most one in modulus and not all zero.
        gamma: discount.

    Raises:
        ValueError: on construction: shapes, rows of P that are no laws, features above one or all zero, or gamma
            outside [0, 1).
    """

    P: Float[np.ndarray, "S S"]
    r: Float[np.ndarray, " S"]
    phi: Float[np.ndarray, " S"]
    gamma: float

    def __post_init__(self) -> None:
        S = len(self.r)
        if self.P.shape != (S, S) or self.phi.shape != (S,):
            raise ValueError(f"P has shape {self.P.shape} and phi {self.phi.shape}; r asks for ({S}, {S}) and ({S},)")
        if not (np.all(self.P >= 0) and np.allclose(self.P.sum(axis=1), 1, atol=1e-12)):
            raise ValueError(f"P has rows that sum to {self.P.sum(axis=1)}; they are laws")
        if not 0 < np.abs(self.phi).max() <= 1:
            raise ValueError(f"phi is {self.phi}; it is not zero and at most one in modulus")
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma is {self.gamma}; it lies in [0, 1)")

    @property
    def stationary(self) -> Float[np.ndarray, " S"]:
        """Stationary law of P."""
        S = len(self.r)
        system = np.vstack([(np.eye(S) - self.P).T, np.ones(S)])
        law: np.ndarray = np.linalg.lstsq(system, np.append(np.zeros(S), 1.0), rcond=None)[0]
        return law

    @property
    def fixed_point(self) -> float:
        """w*: zero of the mean update."""
        mu = self.stationary
        slope = (mu * self.phi * (self.phi - self.gamma * self.P @ self.phi)).sum()
        return float((mu * self.phi * self.r).sum() / slope)

    @property
    def noise(self) -> float:
        """``sigma^2 = E (delta phi)^2`` at w*."""
        w, mu = self.fixed_point, self.stationary
        delta = self.r[:, None] + self.gamma * self.phi[None, :] * w - self.phi[:, None] * w
        return float((mu[:, None] * self.P * (delta * self.phi[:, None]) ** 2).sum())

    @property
    def energy(self) -> float:
        """``E phi^2`` under the stationary law: squared value error per squared parameter error."""
        return float((self.stationary * self.phi**2).sum())


def averaged_error(chain: LinearTD, n_steps: int, *, start: float, markovian: bool = False) -> float:
    """``E_mu (V_avg - V*)^2`` of the average of the first K iterates, with step 1/sqrt(K), to rounding.

    Args:
        chain: the problem.
        n_steps: K, at least one.
        start: ``w_0 - w*``.
        markovian: samples from one stationary trajectory rather than independent ones.

    Raises:
        ValueError: n_steps below one.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps is {n_steps}; it is at least one")
    S, beta, w = len(chain.r), 1 / np.sqrt(n_steps), chain.fixed_point
    blocks = np.zeros((S, 6, S, 6))  # [s', new moment, s, old moment]
    for s, t in np.ndindex(S, S):
        a = 1 - beta * chain.phi[s] * (chain.phi[s] - chain.gamma * chain.phi[t])
        xi = beta * chain.phi[s] * (chain.r[s] + chain.gamma * chain.phi[t] * w - chain.phi[s] * w)
        blocks[t, :, s, :] = chain.P[s, t] * _moment_map(a, xi)
    mu = chain.stationary
    x = np.array([1.0, start, start**2, 0.0, 0.0, 0.0])
    if markovian:
        power = np.linalg.matrix_power(blocks.reshape(6 * S, 6 * S), n_steps)
        last = (power @ np.outer(mu, x).ravel()).reshape(S, 6).sum(axis=0)
    else:
        last = np.linalg.matrix_power(np.einsum("tisj,s->ij", blocks, mu), n_steps) @ x
    return float(chain.energy * last[5] / n_steps**2)


def _moment_map(a: float, xi: float) -> np.ndarray:
    """Map of ``(1, x, x^2, S, S x, S^2)`` under ``x' = a x + xi``, ``S' = S + x``."""
    return np.array(
        [
            [1, 0, 0, 0, 0, 0],
            [xi, a, 0, 0, 0, 0],
            [xi**2, 2 * a * xi, a**2, 0, 0, 0],
            [0, 1, 0, 1, 0, 0],
            [0, xi, a, xi, a, 0],
            [0, 0, 1, 0, 2, 1],
        ]
    )


def noiseless_worst(n_steps: int) -> tuple[float, float]:
    """Largest error over feature scales when there is no noise, one state, gamma = 0, ``w_0 - w* = 1``.

    With ``phi^2 = u/sqrt(K)`` the average is ``(1 - (1 - u/K)^K)/u`` times ``1``, and the squared value error times
    sqrt(K) is ``(1 - (1 - u/K)^K)^2/u``. Its limit is largest where ``2u + 1 = e^u``: 0.4073 at u = 1.2564.

    Args:
        n_steps: K, at least four.

    Returns:
        ``sqrt(K)`` times the largest squared value error, and the u where it occurs.

    Raises:
        ValueError: n_steps below four.
    """
    if n_steps < 4:
        raise ValueError(f"n_steps is {n_steps}; it is at least four, so that the scale phi^2 <= 1 is inside")

    def negative(u: float) -> float:
        return -float(np.expm1(n_steps * np.log1p(-u / n_steps)) ** 2 / u)

    found = minimize_scalar(negative, bounds=(1e-6, np.sqrt(n_steps)), method="bounded", options={"xatol": 1e-10})
    return -float(found.fun), float(found.x)
