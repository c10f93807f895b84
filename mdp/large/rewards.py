"""Rewards as broadcast views: checked and averaged over agents without being expanded."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float


def broadcast_rewards(r: Any, shape: tuple[int, int, int]) -> Float[np.ndarray, "N S A"]:
    """Read-only view of local rewards with full shape; checked without being expanded.

    Args:
        r: array broadcastable to `shape`.
        shape: (N, S, A).

    Raises:
        ValueError: not numeric, not broadcastable, or not finite (with the index).
    """
    try:
        array = np.asarray(r, dtype=np.float64)
        view = np.broadcast_to(array, shape)
    except (ValueError, TypeError) as error:
        raise ValueError(f"r does not fit (N, S, A) = {shape}: {error}") from error
    distinct = _without_repeats(view)
    for low in range(0, distinct.shape[1], 65_536):  # blockwise: the mask of a full array would be large too
        bad = np.argwhere(~np.isfinite(distinct[:, low : low + 65_536]))
        if len(bad):
            i, s, a = (int(k) for k in bad[0])
            raise ValueError(f"r[{i}, {s + low}, {a}] is {distinct[i, s + low, a]}, not a finite number")
    view.setflags(write=False)
    return view


def mean_reward(r: Float[np.ndarray, "N S A"]) -> Float[np.ndarray, "S A"]:
    """Mean over agents, again a broadcast view where `r` is one.

    Args:
        r: local rewards, (N, S, A).
    """
    distinct = _without_repeats(r)
    mean = distinct[0] if len(distinct) == 1 else distinct.mean(axis=0)
    return np.broadcast_to(mean, r.shape[1:])


def _without_repeats(view: np.ndarray) -> np.ndarray:
    return view[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in view.strides)]
