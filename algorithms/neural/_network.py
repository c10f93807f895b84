"""One layer forward and one layer back of the network of zhang2025 Eq. (5), for critics and actors alike."""

from __future__ import annotations

import numpy as np
from numba import njit

FAST = {"reassoc", "contract", "nsz"}
"""A sum may be reordered, so that it is taken in vectors; NaN and infinities keep their meaning. C needs it as well."""

fused = njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
"""As `algorithms._linalg.compiled`, with that leave, and with products and sums in one operation as gcc has them."""


@fused
def _layer(weights: np.ndarray, h: int, layers: np.ndarray) -> None:
    """``layers[h + 1] = ReLU(weights[h] @ layers[h]) / sqrt(m)``."""
    m = weights.shape[1]
    scale = 1.0 / np.sqrt(m)
    W, x, out = weights[h], layers[h], layers[h + 1]
    for group in range(m // 4):  # four rows at a time share the loads of x: twice the speed
        i = 4 * group
        one, two, three, four = W[i], W[i + 1], W[i + 2], W[i + 3]
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for j in range(m):
            a += one[j] * x[j]
            b += two[j] * x[j]
            c += three[j] * x[j]
            d += four[j] * x[j]
        out[i] = 0.0 if a <= 0.0 else a * scale  # NaN goes through
        out[i + 1] = 0.0 if b <= 0.0 else b * scale
        out[i + 2] = 0.0 if c <= 0.0 else c * scale
        out[i + 3] = 0.0 if d <= 0.0 else d * scale
    for i in range(m // 4 * 4, m):
        a = 0.0
        for j in range(m):
            a += W[i, j] * x[j]
        out[i] = 0.0 if a <= 0.0 else a * scale


@fused
def _backward_step(
    weights: np.ndarray,
    steps: np.ndarray,
    h: int,
    factor: float,
    layers: np.ndarray,
    back: np.ndarray,
    onward: bool,
) -> None:
    """Pass ``back[0]``, the derivative in layer h + 1, to layer h, and add factor times that in W_h to ``steps[h]``.

    `steps` may be `weights` itself: each row is read before it is written. Dead units have no derivative and cost
    nothing.
    """
    m = weights.shape[1]
    scale = 1.0 / np.sqrt(m)
    W, into, x, active, here, below = weights[h], steps[h], layers[h], layers[h + 1], back[0], back[1]
    for j in range(m):
        below[j] = 0.0
    for i in range(m):
        if active[i] > 0.0:
            slope, row, changed = here[i] * scale, W[i], into[i]
            if onward:
                for j in range(m):
                    below[j] += slope * row[j]
            slope *= factor
            for j in range(m):
                changed[j] += slope * x[j]
    for j in range(m):
        here[j] = below[j]


@fused
def _project_blocks(weights: np.ndarray, centre: np.ndarray, radius: float) -> None:
    """Line 8 of Algorithm 2: every block onto the Frobenius ball of that radius about its centre, in place."""
    for h in range(weights.shape[0]):
        block, middle = weights[h].reshape(-1), centre[h].reshape(-1)  # one long loop is faster than rows of m
        square = 0.0
        for k in range(len(block)):
            square += (block[k] - middle[k]) ** 2
        if square > radius * radius:
            shrink = radius / np.sqrt(square)
            for k in range(len(block)):
                block[k] = middle[k] + shrink * (block[k] - middle[k])


@fused
def _blend(old: float, mean: np.ndarray, new: float, values: np.ndarray) -> None:
    """``mean = old * mean + new * values`` in place, one-dimensional."""
    for k in range(len(mean)):
        mean[k] = old * mean[k] + new * values[k]


@fused
def _scaled(out: np.ndarray, factor: float, values: np.ndarray) -> None:
    """``out = factor * values``, one-dimensional."""
    for k in range(len(out)):
        out[k] = factor * values[k]
