"""Networks of zhang2025 Eq. (5) that equal a given function on finitely many unit vectors, wide or deep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from mdp.fisher import null_space
from mdp.linear import identity_like, rational_array, solve
from verify.zhang2025.setting.relu import ReluNetwork, random_matrix


@dataclass(frozen=True, eq=False)
class Target:
    """A function on finitely many unit vectors.

    Attributes:
        points: rational unit vectors, distinct, (n, d).
        values: (n,).
    """

    points: np.ndarray
    values: np.ndarray

    def bump(self, j: int) -> tuple[np.ndarray, fmpq]:
        """Spanning w_k of the complement of x_j, one per row, and the least c with g_j <= 0 at the other inputs.

        Args:
            j: index of the input.
        """
        w = null_space(self.points[j][None, :]).T
        sizes = abs(self.points @ w.T).sum(axis=1)
        ratios = [x @ self.points[j] / size for x, size in zip(self.points, sizes, strict=True) if size != 0]
        return w, max([fmpq(0), *ratios])

    def error(self, net: ReluNetwork) -> fmpq:
        """``max |y - f|`` (for even depth, where ``m^(D/2)`` is rational).

        Args:
            net: a network of even depth.
        """
        scale = fmpq(net.width) ** (net.depth // 2)
        errors = [abs(net.output(x)[0] / scale - f) for x, f in zip(self.points, self.values, strict=True)]
        return max(errors)


def wide_network(target: Target, rng: np.random.Generator, *, depth: int = 2, strength: int = 1) -> ReluNetwork:
    """The wide construction, with H and b random.

    Args:
        target: what to represent.
        rng: of H and b.
        depth: D, even; layers beyond two are the identity.
        strength: multiplies c; 0 leaves out the bumps.
    """
    n, d = target.points.shape
    width = max(4, 2 * d * n)
    H, b, back = _fixed_layers(rng, width, d)
    first, second = _zeros(width, d), _zeros(width, width)
    free = {sign: [k for k in range(width) if (b[0, k] > 0) == (sign > 0)] for sign in (1, -1)}
    scale = fmpq(width) ** (depth // 2)
    for j in range(n):
        w, c = target.bump(j)
        rows = np.concatenate([target.points[j][None, :], w])
        low = 2 * d * j
        first[low : low + d], first[low + d : low + 2 * d] = rows, -rows
        if target.values[j] == 0:
            continue
        unit = free[1 if target.values[j] > 0 else -1].pop()
        size = scale * target.values[j] / b[0, unit]
        second[unit, low], second[unit, low + d] = size, -size
        second[unit, low + 1 : low + d] = second[unit, low + d + 1 : low + 2 * d] = -strength * c * size
    rest = (identity_like(H, width),) * (depth - 2)
    return ReluNetwork(H, (first @ back, second, *rest), b)


def deep_network(target: Target, rng: np.random.Generator, *, extra: int = 0) -> ReluNetwork:
    """The narrow construction: width 4 d, depth 2 n + extra, with H and b random.

    Args:
        target: what to represent.
        rng: of H and b.
        extra: identity layers at the end, an even number.
    """
    n, d = target.points.shape
    width = max(8, 4 * d)
    H, b, back = _fixed_layers(rng, width, d)
    scale = fmpq(width) ** (n + extra // 2)
    layers, reader, sums = [], back, (_zeros(width), _zeros(width))
    for j in range(n):
        w, c = target.bump(j)
        W = _zeros(width, width)
        W[:d], W[d : 2 * d] = reader, -reader
        W[2 * d : 3 * d - 1], W[3 * d - 1 : 4 * d - 2] = w @ reader, -(w @ reader)
        W[4 * d - 2], W[4 * d - 1] = sums
        layers.append(W)
        reader = _zeros(d, width)
        reader[:, :d], reader[:, d : 2 * d] = identity_like(H, d), -identity_like(H, d)
        W = _zeros(width, width)
        W[:d], W[d : 2 * d] = reader, -reader
        W[2 * d] = target.points[j] @ reader
        W[2 * d, 2 * d : 4 * d - 2] = W[2 * d, 2 * d : 4 * d - 2] - c
        W[2 * d + 1, 4 * d - 2] = W[2 * d + 2, 4 * d - 1] = fmpq(1)
        layers.append(W)
        sums = (_unit(width, 2 * d + 1), _unit(width, 2 * d + 2))
        sums[0 if target.values[j] > 0 else 1][2 * d] = abs(target.values[j])
    # the sums leave through one unit with positive and one with negative b: fold them into the last layer
    layers[-1] = _folded(layers[-1], target, b, scale)
    return ReluNetwork(H, (*layers, *((identity_like(H, width),) * extra)), b)


def _folded(last: np.ndarray, target: Target, b: np.ndarray, scale: fmpq) -> np.ndarray:
    d, f = target.points.shape[1], target.values[-1]
    positive, negative = ([k for k in range(b.shape[1]) if (b[0, k] > 0) == up] for up in (True, False))
    folded = last * 0
    for rows, units in ((last[2 * d + 1], positive), (last[2 * d + 2], negative)):
        folded[units[0]] = rows * (scale / abs(b[0, units[0]]))
    unit = positive[1] if f > 0 else negative[1]
    folded[unit] = last[2 * d] * (scale * abs(f) / abs(b[0, unit]))
    return folded


def _fixed_layers(rng: np.random.Generator, width: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """H and b, random with both signs equally often in b, and a left inverse of H."""
    H, b = random_matrix(rng, (width, d)), abs(random_matrix(rng, (1, width)))
    b[0, ::2] = -b[0, ::2]
    gram = H.T @ H  # not singular with probability one; a singular draw would be an error from solve
    return H, b, solve(gram, H.T)


def _zeros(*shape: int) -> np.ndarray:
    return rational_array(np.zeros(shape, dtype=int))


def _unit(size: int, k: int) -> np.ndarray:
    return rational_array(np.eye(size, dtype=int)[k])
