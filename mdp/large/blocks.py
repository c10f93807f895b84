"""Blocks of states and the threads that share them.

Kernels work on a range of states without the interpreter lock, so that plain threads share the work and no numba
threading layer is involved (those abort when two threads of the caller enter them, or after a fork). A sum over
states is cut at places that depend on the number of states alone and added in a fixed order: results are the same
bits for every number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, Int

BLOCK_STATES = 2048
"""States handled per task; ours: a (2048, 125) table of pair values is 2 MB, which stays in cache."""

SCATTER_BLOCKS = 8
"""Private accumulators of a transposed product; ours: fixed, so that sums do not depend on the threads."""

SERIAL_PAIRS = 500_000
"""Below this many state-action pairs threads are not started; ours: a pass then takes about a millisecond."""


def thread_count(workers: int | None) -> int:
    """Number of threads to use: `workers`, or the processors this process may run on.

    Args:
        workers: requested number, or None.

    Raises:
        ValueError: fewer than one.
    """
    if workers is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    if workers < 1:
        raise ValueError(f"workers is {workers}; at least one thread is needed")
    return workers


def over_blocks(task: Callable[[int, int], None], bounds: np.ndarray, workers: int) -> None:
    """Run ``task(low, high)`` on consecutive ranges, on `workers` threads.

    Args:
        task: writes only to the part of its output that belongs to the range.
        bounds: increasing range ends, the first being 0, (blocks + 1,).
        workers: number of threads; 1 runs in the caller.
    """
    ranges = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
    if workers == 1 or len(ranges) == 1:
        for low, high in ranges:
            task(low, high)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(lambda pair: task(*pair), ranges):
            pass


def state_blocks(n_states: int) -> Int[np.ndarray, " B"]:
    """Ends of the ranges of `BLOCK_STATES` states.

    Args:
        n_states: S.
    """
    return np.append(np.arange(0, n_states, BLOCK_STATES), n_states)


def scatter_sum(
    scatter: Callable[[np.ndarray, int, int], None], n_states: int, pairs: int, workers: int
) -> Float[np.ndarray, " S"]:
    """Sum of scattered contributions, each range of states into its own accumulator, added in a fixed order.

    Args:
        scatter: ``scatter(out, low, high)`` adds what states low..high-1 contribute to `out`.
        n_states: S.
        pairs: S A, which decides whether to cut at all.
        workers: number of threads.
    """
    if pairs < SERIAL_PAIRS:
        alone = np.zeros(n_states)
        scatter(alone, 0, n_states)
        return alone
    parts = SCATTER_BLOCKS
    bounds = np.linspace(0, n_states, parts + 1).astype(np.int64)
    sums = np.zeros((parts, n_states))
    place = {int(low): k for k, low in enumerate(bounds[:-1])}
    over_blocks(lambda low, high: scatter(sums[place[low]], low, high), bounds, min(workers, parts))
    total: np.ndarray = sums.sum(axis=0)
    return total


def unsigned(index: Int[np.ndarray, " K"]) -> Int[np.ndarray, " K"]:
    """The same nonnegative integers as unsigned ones, without a copy: kernels then need no test for x[-1].

    Args:
        index: nonnegative integers, any shape.
    """
    return index.view(f"u{index.itemsize}")
