"""The slope of the critic error, as an exact number.

Source: ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from jaxtyping import Float

from mdp.problem import Problem
from rates.moments.build import linear_moments
from rates.moments.leading import leading_coefficients
from rates.moments.linear import LinearMoments
from rates.moments.outcomes import Sampling
from rates.moments.values import Target

SIGMAS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Critic exponents reported by default."""

HORIZONS = tuple(10**k for k in range(3, 13))
"""Horizons reported by default, 10^3 to 10^12."""


@dataclass(frozen=True, eq=False)
class CriticSlopes:
    """Exact time-averaged critic error above its limit, and local log-log slopes between successive horizons.

    The limit as T grows is the floor ``N ||omega* - target||^2``, positive for every target but the fixed point: a
    bound that vanishes is refuted there, whatever the slope above it.

    Attributes:
        target: what the error is measured against.
        floor: the limit.
        sigmas: exponents sigma_2 of ``beta = beta_0 T^-sigma_2``.
        horizons: T.
        excess: error minus floor, (sigmas, horizons).
        slopes: of ``|excess|``, (sigmas, horizons - 1); NaN where the excess changes sign.
        expected: ``-min(sigma_2, 1 - sigma_2)``, the slope in the limit, (sigmas,).
        step: C_1 (see `rates.moments.leading`); the coefficient of beta.
        decay: C_2, the coefficient of 1 / (beta T).
        beta_0: step scale.
    """

    target: str
    floor: float
    sigmas: tuple[float, ...]
    horizons: tuple[int, ...]
    excess: Float[np.ndarray, "sigmas horizons"]
    slopes: Float[np.ndarray, "sigmas intervals"]
    expected: Float[np.ndarray, " sigmas"]
    step: float
    decay: float
    beta_0: float

    def two_term_slopes(self) -> Float[np.ndarray, "sigmas intervals"]:
        """Slopes of ``C_1 beta + C_2 / (beta T)`` over the same intervals: what leading order predicts."""
        T = np.array(self.horizons, dtype=float)[None, :]
        beta = self.beta_0 * T ** -np.array(self.sigmas)[:, None]
        return _local_slopes(self.step * beta + self.decay / (beta * T), self.horizons)

    def table(self) -> str:
        """The last local slope per exponent, next to what leading order predicts and the limit."""
        lines = [
            f"target {self.target}: limit {self.floor:.6g}, C_1 = {self.step:.6g}, C_2 = {self.decay:.6g}",
            f"{'sigma_2':>8}{f'excess at T = {self.horizons[-1]:.0e}':>24}{'slope':>12}{'two terms':>12}{'limit':>8}",
        ]
        two_terms = self.two_term_slopes()
        for k, sigma in enumerate(self.sigmas):
            lines.append(
                f"{sigma:8.2f}{self.excess[k, -1]:24.6e}{self.slopes[k, -1]:12.6f}{two_terms[k, -1]:12.6f}"
                f"{self.expected[k]:8.2f}"
            )
        return "\n".join(lines)


def critic_slopes(
    problem: Problem,
    theta: Float[np.ndarray, "N D"],
    *,
    target: Target = "omega_td",
    sigmas: Sequence[float] = SIGMAS,
    horizons: Sequence[int] = HORIZONS,
    beta_0: float = 1.0,
    sampling: Sampling = "iid",
    law: str | np.ndarray = "stationary",
    omega_0: Float[np.ndarray, "N K"] | None = None,
) -> CriticSlopes:
    """Exact slopes of ``(1/T) sum_{t<T} E sum_i ||omega_i,t - target||^2`` with ``beta = beta_0 T^-sigma_2``.

    Args:
        problem: the MDP with its policy class, features and schedule.
        theta: frozen policy parameters, (N, H + G).
        target: ``"omega_td"``, ``"omega_bellman"``, ``"omega_td_error"``, ``"fixed_point"`` or an array (K,).
        sigmas: exponents in (0, 1).
        horizons: increasing, at least two.
        beta_0: step scale, positive.
        sampling: ``"iid"`` or ``"markov"``.
        law: of the samples, or of the first state, by name or (S,).
        omega_0: start of the agents, zeros by default.

    Raises:
        ValueError: exponents outside (0, 1), horizons that do not increase, a scale that is not positive.
        OverflowError: the step at some horizon is so unstable that the moments leave the floats.
    """
    for sigma in sigmas:
        if not 0 < sigma < 1:
            raise ValueError(f"sigma_2 is {sigma}; step exponents lie strictly between 0 and 1")
    if len(sigmas) == 0 or len(horizons) < 2 or horizons[0] < 1 or any(np.diff(np.array(horizons, dtype=float)) <= 0):
        raise ValueError(f"horizons are {list(horizons)}; two or more are needed, increasing, and one exponent or more")
    if not (isfinite(beta_0) and beta_0 > 0):
        raise ValueError(f"beta_0 is {beta_0:g}; step scales are finite and positive")

    def model(beta: float) -> LinearMoments:
        return linear_moments(problem, theta, beta=beta, sampling=sampling, law=law, x_0=omega_0)

    excess = np.array(
        [[model(beta_0 * T**-sigma).average(T).excess(target) for T in horizons] for sigma in sigmas], dtype=float
    )
    leading = leading_coefficients(model(beta_0))
    offset = leading.model.fixed_point - leading.model.target(target)
    return CriticSlopes(
        target=target if isinstance(target, str) else "given",
        floor=float(leading.n_agents * offset @ offset), sigmas=tuple(sigmas), horizons=tuple(horizons),
        excess=excess, slopes=_local_slopes(excess, tuple(horizons)),
        expected=-np.minimum(sigmas, 1 - np.array(sigmas)), step=leading.step(target), decay=leading.decay(target),
        beta_0=beta_0,
    )  # fmt: skip


def _local_slopes(excess: np.ndarray, horizons: tuple[int, ...]) -> np.ndarray:
    same = excess[:, 1:] * excess[:, :-1] > 0
    size = np.log(np.where(excess == 0, np.nan, np.abs(excess)))
    slopes = np.diff(size, axis=1) / np.diff(np.log(np.array(horizons, dtype=float)))
    return np.where(same, slopes, np.nan)
