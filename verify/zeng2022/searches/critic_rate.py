r"""Search for the rate statements on the critic of zeng2022: a frozen policy, exact moments, explicit constants.

A rate O(T^-p) cannot be violated at one T. What can be is a bound with explicit constants that has the rate. With one
tuple a step from the stationary law, ``omega_i <- sum_j W_ij omega_j + beta (b_i + A_t omega_i)``, ``e`` the error of
the agents' mean against omega_td and ``y`` the stacked disagreement,

``E||e'||^2 = E||e||^2 + 2 beta E[e . A e] + beta^2 E||A_t e + n_t||^2
<= (1 - 2 beta lambda + 2 beta^2 L^2) E||e||^2 + 2 beta^2 sigma^2``,

where ``-A`` has the least symmetric eigenvalue lambda, ``L^2 = ||E A_t^T A_t||`` and ``n_t = A_t omega_td + b-bar_t``.
Summed over t < T, for ``beta L^2 < lambda``,

``(1/T) sum E||e_t||^2 <= (||e_0||^2 / (beta T) + 2 beta sigma^2) / (2 lambda - 2 beta L^2)``,

and ``||y_t|| <= beta D / (1 - rho - beta L_max)`` from a common start, with ``rho = ||W - 11^T/N||`` and D the largest
stacked deviation of ``b_i`` from its mean. With ``beta = T^-sigma`` these are the first, second and last power of
Proposition 1, O(T^-2/5) for Theorem 3. The same holds for the reward model with ``A_t = -phi phi^T``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from rates.moments import moments_of_view
from verify.search import MDPFamily
from verify.search.consensus_family import cycles
from verify.search.joined import Extra, Joined, Joint, Pair, Raw, cycle_matrix

CONDITION = 1e-3
"""Least lambda that is searched; ours: below it T^-2/5 L^2 < lambda asks for horizons beyond 10^12."""


def _one(family: MDPFamily) -> tuple[int, ...]:
    return (1,)


def _weights(family: MDPFamily) -> tuple[int, ...]:
    return (1 + len(cycles(len(family.n_actions), True)),)


def _critic(family: MDPFamily) -> tuple[int, ...]:
    return (family.critic_features or family.n_states,)


CRITICS = Joined(
    MDPFamily(3, (2, 1), critic_features=2, point_start=False),
    (
        Extra("decades", _one, 3, Fraction(1299, 100)), Extra("sigma", _one, Fraction(1, 10), Fraction(9, 10)),
        Extra("weights", _weights, Fraction(1, 20), 2), Extra("start", _critic, -3, 3),
    ),
)  # fmt: skip
"""Two agents, one of them idle, T = 10^decades and beta = T^-sigma."""


def critic_bound(sigma: float | None = None, share: float = 1.0) -> Raw:
    """Exact time-averaged error of all agents' critics at a frozen policy, over the bound above.

    Args:
        sigma: exponent of the step; None: the searched one.
        share: of the right side.
    """

    def raw(joint: Joint) -> Pair | None:
        view, extra = joint.view, joint.extra
        N, horizon = len(view.r), int(10 ** float(extra["decades"].item()))
        beta = horizon ** -(float(extra["sigma"].item()) if sigma is None else sigma)
        W = cycle_matrix(extra["weights"], N, True) if N > 1 else np.ones((1, 1))
        bound = _bound(view, W, beta, horizon, extra["start"])
        if bound is None:
            return None
        start = np.tile(extra["start"], (N, 1))
        moments = moments_of_view(view, W[None], beta=beta, x_0=start)
        return float(moments.average(horizon).total(view.omega_td)), share * bound

    return raw


def _bound(view: Any, W: np.ndarray, beta: float, horizon: int, start: np.ndarray) -> float | None:
    """The right side, N agents together; None where its hypotheses fail."""
    phi, N = view.phi_state, len(view.r)
    tuples = view.stationary[:, None, None] * view.pi[:, :, None] * view.P  # (s, a, s')
    steps = -phi[:, None, :] + view.gamma * phi[None, :, :]  # (s, s', K)
    arrivals = tuples.sum(axis=1)
    mean = np.einsum("st,sk,stl->kl", arrivals, phi, steps)
    least = float(np.linalg.eigvalsh(-(mean + mean.T) / 2)[0])
    if least < CONDITION:
        return None
    squares = np.einsum("st,s,stk,stl->kl", arrivals, (phi**2).sum(axis=1), steps, steps)
    growth = float(np.linalg.eigvalsh(squares)[-1])
    largest = float(np.sqrt((phi**2).sum(axis=1)[:, None] * (steps**2).sum(axis=2)).max())
    rho = float(np.linalg.norm(W - 1 / N, 2))
    if beta * growth >= least or rho + beta * largest >= 1:
        return None
    fixed = view.omega_td
    delta = view.r_bar[:, :, None] + (steps @ fixed)[:, None, :]
    noise = float((tuples * delta**2 * (phi**2).sum(axis=1)[:, None, None]).sum())
    forgotten = float(((start - fixed) ** 2).sum()) / (beta * horizon)
    mean_part = (forgotten + 2 * beta * noise) / (2 * (least - beta * growth))
    spread = np.sqrt(((view.r - view.r_bar) ** 2).sum(axis=0) * (phi**2).sum(axis=1)[:, None]).max()
    apart = beta * float(spread) / (1 - rho - beta * largest)
    return N * mean_part + apart**2
