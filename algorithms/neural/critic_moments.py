"""Exact moments of the averaged linear critic of zhang2025 Algorithm 2, for any K: term (7) of Theorem 5.10."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mdp.chain import stationary_law


@dataclass(frozen=True, eq=False)
class CriticMoments:
    """First and second moments of an averaged linear critic's error ``w-bar - w*``.

    Attributes:
        mean: its mean, (n,).
        second: its second moment, (n, n).
        value_error: ``E E_law (phi . (w-bar - w*))^2``.
    """

    mean: Float[np.ndarray, " n"]
    second: Float[np.ndarray, "n n"]
    value_error: float


def averaged_td(
    features: Float[np.ndarray, "Z n"], kernel: Float[np.ndarray, "Z Z"], rewards: Float[np.ndarray, " Z"],
    gamma: float, iterations: int, start: Float[np.ndarray, " n"], *, step: float | None = None,
    markovian: bool = True,
) -> CriticMoments:  # fmt: skip
    r"""Exact moments of Algorithm 2 for one agent, a linear critic and no projection.

    With ``x = w - w*`` and S the sum of the iterates so far, ``y = (1, x, S)`` moves by a matrix T that depends on the
    pair and the next; ``E[y y^T; z]``, of which the lower half is kept, obeys a linear map, and K steps are a power of
    it. With N agents that share their
    samples this is also the law of ``W-bar``, with the mean reward: the update is linear in weights and reward.

    Args:
        features: of every pair.
        kernel: transition matrix of the pairs.
        rewards: of every pair.
        gamma: discount.
        iterations: K, at least one; the average runs over W(0), ..., W(K), as line 9 has it.
        start: W(0).
        step: beta, ``1/sqrt(K)`` by default.
        markovian: one stationary trajectory, as in the listing, or independent pairs of it.

    Raises:
        ValueError: K below one, or a step that is not positive.

    Source: zhang2025 Algorithm 2 with a linear critic, Theorem 5.10, term (7).
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; Algorithm 2 has at least one")
    beta = iterations**-0.5 if step is None else float(step)
    if not beta > 0:
        raise ValueError(f"step is {beta}; it is positive")
    law = stationary_law(kernel)
    following, n, Z = kernel @ features, features.shape[1], len(law)
    system = features.T @ (law[:, None] * (features - gamma * following))
    star = np.linalg.solve(system, features.T @ (law * rewards))
    size = 2 * n + 1
    lower = np.tril_indices(size)
    packed = lower[0] * size + lower[1]
    mirror = lower[1] * size + lower[0]
    off_diagonal = lower[0] != lower[1]
    blocks = np.zeros((Z, len(packed), Z, len(packed)))
    for z, t in zip(*np.nonzero(kernel), strict=True):
        difference = features[z] - gamma * features[t]
        T = np.eye(size)
        T[1 : n + 1, 0] = beta * features[z] * (rewards[z] - difference @ star)
        T[1 : n + 1, 1 : n + 1] -= beta * np.outer(features[z], difference)
        T[n + 1 :, 1 : n + 1] = np.eye(n)
        pairs = np.kron(T, T)[packed]  # one symmetric entry stands for itself and its mirror image
        blocks[t, :, z, :] = kernel[z, t] * (pairs[:, packed] + np.where(off_diagonal, pairs[:, mirror], 0.0))
    y = np.concatenate([[1.0], np.asarray(start) - star, np.zeros(n)])
    first = np.outer(y, y)[lower]
    if markovian:
        power = np.linalg.matrix_power(blocks.reshape(Z * len(packed), -1), iterations)
        last = (power @ np.outer(law, first).ravel()).reshape(Z, -1).sum(axis=0)
    else:
        last = np.linalg.matrix_power(np.einsum("tizj,z->ij", blocks, law), iterations) @ first
    Y = np.zeros((size, size))
    Y[lower] = Y[lower[::-1]] = last
    # S holds W(0..K-1); the average of line 9 has W(K) as well
    pick = np.hstack([np.zeros((n, 1)), np.eye(n), np.eye(n)]) / (iterations + 1)
    second = pick @ Y @ pick.T
    error = float(np.einsum("z,zi,ij,zj->", law, features, second, features))
    return CriticMoments(pick @ Y[:, 0], second, error)
