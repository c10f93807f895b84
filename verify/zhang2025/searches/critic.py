"""Searches for zhang2025 Algorithm 3 and Eq. (23): the centralised critic as a yardstick, and averaged linear TD."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from flint import arb, fmpq

from verify.search import MDPFamily
from verify.search.joined import Extra, Joined, Joint, Pair, Raw, relative_gap
from verify.search.shapes import Array, Arrays

Named = Mapping[str, np.ndarray]
"""Arrays by name."""

# --- Algorithm 3 --------------------------------------------------------------------------------

STREAMS = Arrays(
    (("K", 4), ("N", 3), ("w", 2)),
    (
        Array("first x", ("w",), -1), Array("x", ("K", "w"), -1), Array("rewards", ("K", "N"), -1),
        Array("W(0)", ("w",), -1), Array("step", (), 0, 2), Array("gamma"), Array("radius"),
    ),
)  # fmt: skip
"""Inputs ``first x, x_0, x_1, ...`` of K iterations with the rewards of N agents."""


def yardstick(last: int = 0) -> Callable[[Named], Any]:
    """Relative gap between the mean of the agents' averages and the centralised one, on the same samples.

    One agent: a ReLU unit ``max(W_0 x_0, 0)`` with a projection to the ball. More agents: linear critics without one.
    The agents keep the running average of lines 5 to 9 of Algorithm 2; the centralised critic takes the plain mean of
    V(0), ..., V(K + last). (The gossip of line 12 keeps the mean: Fact C.2.)

    Args:
        last: 0 for iterations k = 0..K - 1, as repaired, and -1 for the paper's K - 2.
    """

    def gap(instance: Named) -> Any:
        rewards, single = instance["rewards"], instance["rewards"].shape[1] == 1
        K, N = rewards.shape
        averages = []
        for i in range(N):
            iterates = _iterates(instance, rewards[:, i], single)
            average = iterates[0]
            for k in range(K):
                average = (average * (k + 1) + iterates[k + 1]) / (k + 2)
            averages.append(average)
        central = _iterates(instance, rewards.sum(axis=1) / N, single)[: K + 1 + last]
        left, right = sum(averages[1:], averages[0]) / N, sum(central[1:], central[0]) / len(central)
        # unprojected iterates may grow: rounding is relative to the largest of them
        return relative_gap(left, right, 1 + abs(np.stack(central)).max() + abs(np.stack(averages)).max())

    return gap


def _iterates(instance: Named, rewards: np.ndarray, network: bool) -> list[np.ndarray]:
    """W(0), ..., W(K) of one critic."""
    inputs = np.concatenate([instance["first x"][None], instance["x"]])
    W, radius = instance["W(0)"], instance["radius"][()]
    found = [W]
    for k, r in enumerate(rewards):
        now, then = inputs[k], inputs[k + 1]
        if network:
            # the first coordinate only: a ball is an interval then
            value, nxt = (max(W[0] * x[0], x[0] * 0) for x in (now, then))
            slope = now[0] if W[0] * now[0] > 0 else now[0] * 0
            moved = W[0] - instance["step"][()] * (value - r - instance["gamma"][()] * nxt) * slope
            start = instance["W(0)"][0]
            W = np.array([min(max(moved, start - radius), start + radius), *W[1:]], dtype=W.dtype)
        else:
            delta = (now * W).sum() - r - instance["gamma"][()] * (then * W).sum()
            W = W - instance["step"][()] * delta * now
        found.append(W)
    return found


# --- Eq. (23), linear critic --------------------------------------------------------------------

def _one(family: MDPFamily) -> tuple[int, ...]:
    return (1,)


CHAINS = Joined(
    MDPFamily(3, (1,), critic_features=1, point_start=False),
    (Extra("start", _one), Extra("shrink", _one, Fraction(1, 20), 1), Extra("length", _one, 1, 40)),
)
"""Chains with one feature (times shrink^4), ``w_0 - w*`` = start, and sqrt(K) = length * 8 / (1 - gamma), rounded up.

The source asks for sqrt(K) of at least 8 / (1 - gamma)."""


def averaged_td(numerator: int = 1, denominator: int = 1, last: int = 0) -> Raw:
    """(23) repaired, squared, for i.i.d. samples: ``(1 - gamma) sqrt(K) E(V_avg - V*)^2 <= start^2 + 2 sigma^2``.

    Args:
        numerator: of the share of the right side.
        denominator: of this share.
        last: 0 for the average of W(0), ..., W(K - 1); 1 for that of W(0), ..., W(K), as in line 9 of Algorithm 2.
    """

    def raw(joint: Joint) -> Pair | None:
        view = joint.view
        start, shrink, length = (joint.extra[k].item() for k in ("start", "shrink", "length"))
        mu, P, gamma = view.stationary, view.P_pi, view.gamma
        phi, r = view.phi_state[:, 0] * shrink**4, view.r_pi
        slope = (mu * phi * (phi - gamma * (P @ phi))).sum()
        if not slope > 0:
            return None
        w = (mu * phi * r).sum() / slope
        delta = r[:, None] + gamma * w * phi[None, :] - w * phi[:, None]
        noise = ((mu * phi**2)[:, None] * P * delta**2).sum()
        whole = length * 8 / (1 - gamma)
        beta_inverse = int(whole.ceil()) if isinstance(whole, fmpq) else ceil(whole)
        weights, slopes = mu[:, None] * P, phi[:, None] * (phi[:, None] - gamma * phi[None, :])
        error = mean_square_of_average(weights, slopes, delta * phi[:, None], beta_inverse, start, last)
        right = (start**2 + 2 * noise) * numerator / denominator
        return (1 - gamma) * beta_inverse * (mu * phi**2).sum() * error, right

    return raw


def mean_square_of_average(
    weights: np.ndarray, slopes: np.ndarray, noises: np.ndarray, beta_inverse: int, start: Any, last: int = 0
) -> Any:
    """Mean square of the average of x_0, x_1, ... for ``x' = (1 - beta slope) x + beta noise``, independent draws.

    K = 1 / beta^2, and K + last terms are averaged.

    The moments (1, x, x^2, S, S x, S^2) follow a linear map; rationals are enclosed before its powers are taken.

    Args:
        weights: probabilities of the outcomes, (n,).
        slopes: of each outcome, (n,).
        noises: of each outcome; their mean is zero, (n,).
        beta_inverse: 1 / beta, a whole number.
        start: x_0.
        last: 0 or 1.
    """
    a1, a2 = (weights * (1 - slopes / beta_inverse)).sum(), (weights * (1 - slopes / beta_inverse) ** 2).sum()
    n1, n2 = (weights * noises).sum() / beta_inverse, (weights * noises**2).sum() / beta_inverse**2
    an = (weights * (1 - slopes / beta_inverse) * noises).sum() / beta_inverse
    rows = [
        [1, 0, 0, 0, 0, 0], [n1, a1, 0, 0, 0, 0], [n2, 2 * an, a2, 0, 0, 0], [0, 1, 0, 1, 0, 0],
        [0, n1, a1, n1, a1, 0], [0, 0, 1, 0, 2, 1],
    ]  # fmt: skip
    first = [1, start, start**2, 0, 0, 0]
    if isinstance(start, fmpq):
        rows, first = [[arb(x) for x in row] for row in rows], [arb(x) for x in first]
    kind = object if isinstance(start, fmpq) else float
    terms = beta_inverse**2 + last
    power = np.linalg.matrix_power(np.array(rows, dtype=kind), terms)
    return (power @ np.array(first, dtype=kind))[5] / terms**2
