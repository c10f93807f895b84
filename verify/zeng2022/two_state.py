"""Exact mean-square error of the critic on the two-state chain, at any horizon.

With one feature the error ``e_t = omega_t - omega_td`` of i.i.d. TD(0) obeys ``e' = (1 + beta x) e + beta y``,
``x = phi(s)(gamma phi(s') - phi(s))``, ``y = phi(s)(r + (gamma phi(s') - phi(s)) omega_td)``, ``E y = 0``. So
``(E e^2, E e, 1)`` follows a linear map, and its time average up to T = 10^12 is one matrix power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algorithms.cac import CACSteps
from mdp.exact import Exact


@dataclass(frozen=True)
class TDMoments:
    """Moments of ``x`` and ``y`` (see the module) under the stationary law.

    Attributes:
        x: E x, negative.
        xx: E x^2.
        xy: E x y.
        yy: E y^2.
    """

    x: float
    xx: float
    xy: float
    yy: float


def td_moments(view: Exact) -> TDMoments:
    """Moments for one feature, summed over (s, a, s') in the arithmetic of `view`.

    Args:
        view: exact quantities with K = 1 and one agent's reward.

    Raises:
        ValueError: more than one feature.
    """
    if view.phi_state.shape[1] != 1:
        raise ValueError(f"{view.phi_state.shape[1]} features; the scalar recursion takes one")
    phi, omega = view.phi_state[:, 0], view.omega_td[0]
    sums = [omega * 0] * 4
    S, A, _ = view.P.shape
    for s, a, t in np.ndindex(S, A, S):
        weight = view.stationary[s] * view.pi[s, a] * view.P[s, a, t]
        x = phi[s] * (view.gamma * phi[t] - phi[s])
        y = phi[s] * (view.r_bar[s, a] + (view.gamma * phi[t] - phi[s]) * omega)
        for k, value in enumerate((x, x * x, x * y, y * y)):
            sums[k] = sums[k] + weight * value
    return TDMoments(*(float(v.p) / float(v.q) if hasattr(v, "p") else float(v) for v in sums))


def average_square_error(
    moments: TDMoments, horizon: int, error_0: float, *, offset: float = 0.0, steps: CACSteps | None = None
) -> float:
    """``(1/T) sum_{t<T} E (e_t + offset)^2`` with constant step ``beta_0 T^-sigma_2``.

    Args:
        moments: of the samples.
        horizon: T, up to 10^12 and beyond.
        error_0: e_0.
        offset: omega_td minus the target that the error is measured against.
        steps: step sizes; Theorem 3's by default.
    """
    _, beta, _ = (steps or CACSteps()).at(horizon)
    step = np.array(
        [
            [1 + 2 * beta * moments.x + beta**2 * moments.xx, 2 * beta**2 * moments.xy, beta**2 * moments.yy],
            [0.0, 1 + beta * moments.x, 0.0],
            [0.0, 0.0, 1.0],
        ]
    )
    summed = np.block([[step, np.eye(3)], [np.zeros((3, 3)), np.eye(3)]])
    total = np.linalg.matrix_power(summed, horizon)[:3, 3:] @ np.array([error_0**2, error_0, 1.0])
    second, first = total[0] / horizon, total[1] / horizon
    return float(second + 2 * offset * first + offset**2)
