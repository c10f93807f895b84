"""Random consensus schedules, shared by both papers' statements; the bounds are in `mdp.networks.contraction`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import fmpq

from mdp.linear import rational_array
from mdp.networks.schedule import DisconnectedScheduleError, require_connected

Bound = Callable[[int, float], float]
"""Contraction per window from the number of agents and the least positive weight."""

ROUNDING = 1e-9
"""Rounding of a spectral norm or a bound of order one; ours. Equality is attained, so some slack is needed."""


def random_doubly_stochastic(rng: np.random.Generator, size: int, terms: int) -> np.ndarray:
    """Exact mixture of the identity and random permutations, directed in general.

    Args:
        rng: randomness.
        size: N.
        terms: number of permutations besides the identity.

    Returns:
        Rational doubly stochastic matrix with a positive diagonal, (N, N).
    """
    weights = [fmpq(int(w)) for w in rng.integers(1, 8, size=terms + 1)]
    total = sum(weights, fmpq(0))
    W = rational_array(np.zeros((size, size), dtype=int))
    orders = [np.arange(size), *(rng.permutation(size) for _ in range(terms))]
    for weight, order in zip(weights, orders, strict=True):
        for i in range(size):
            W[i, order[i]] += weight / total
    return W


def random_connected(rng: np.random.Generator, *, symmetric: bool = False) -> np.ndarray:
    """A random exact doubly stochastic matrix with a connected graph, N from 2 to 6, (N, N).

    Args:
        rng: randomness.
        symmetric: symmetrise it.
    """
    size = int(rng.integers(2, 7))
    while True:
        W = random_doubly_stochastic(rng, size, int(rng.integers(1, 4)))
        W = (W + W.T) / 2 if symmetric else W
        try:
            require_connected(np.asarray(W > 0)[None])
        except DisconnectedScheduleError:
            continue
        return W


def random_schedule(rng: np.random.Generator) -> list[np.ndarray]:
    """A random B-connected period of doubly stochastic matrices, B from 1 to 4, N from 2 to 6.

    Each step lets a random doubly stochastic matrix act on a random subset of agents.

    Args:
        rng: randomness.

    Returns:
        B matrices (N, N), floats.
    """
    size, steps = int(rng.integers(2, 7)), int(rng.integers(1, 5))
    while True:
        matrices = []
        for _ in range(steps):
            W = np.eye(size)
            awake = rng.choice(size, size=int(rng.integers(2, size + 1)), replace=False)
            block = random_doubly_stochastic(rng, len(awake), int(rng.integers(1, 3)))
            W[np.ix_(awake, awake)] = [[float(x.p) / float(x.q) for x in row] for row in block]
            matrices.append(W)
        try:
            require_connected(np.stack(matrices))
        except DisconnectedScheduleError:
            continue
        return matrices
