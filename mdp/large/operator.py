"""``P_pi`` as a linear map: what the solvers ask of it, and the map of an assembled matrix.

Source: ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array

from mdp.large._kernels import _count_successors, _csr_rows, _csr_scatter, _mix_rows
from mdp.large.blocks import SCATTER_BLOCKS, SERIAL_PAIRS, over_blocks, scatter_sum, unsigned


class PolicyOperator(Protocol):
    """``P_pi`` of one policy as a linear map, on columns and on rows."""

    @property
    def additions(self) -> tuple[int, int]:
        """Most additions behind one entry of `apply` and of `apply_transposed`, for their rounding bounds."""
        ...

    def apply(self, x: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
        """``P_pi @ x``.

        Args:
            x: function of the state, (S,).
        """
        ...

    def apply_transposed(self, x: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
        """``x @ P_pi``.

        Args:
            x: law or signed measure, (S,).
        """
        ...


@dataclass(frozen=True, eq=False)
class MatrixOperator:
    """`PolicyOperator` of an assembled P_pi.

    Attributes:
        matrix: (S, S).
        workers: number of threads.
        pairs: how large the problem counts for `scatter_sum`.
    """

    matrix: csr_array
    workers: int
    pairs: int

    @cached_property
    def additions(self) -> tuple[int, int]:
        """Most entries of a row and of a column, with the merging of equal successors and of accumulators."""
        m = self.matrix
        row = int(np.diff(m.indptr).max())
        column = int(np.bincount(m.indices).max()) if m.nnz else 0
        merged = self.pairs // m.shape[0]
        return row + merged, column + merged + SCATTER_BLOCKS

    def apply(self, x: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
        """``P_pi @ x``.

        Args:
            x: function of the state, (S,).
        """
        m, out = self.matrix, np.empty(len(x))
        if self.pairs < SERIAL_PAIRS or self.workers == 1:
            _csr_rows(m.indptr, unsigned(m.indices), m.data, x, out, 0)
            return out
        workers = self.workers
        bounds = np.linspace(0, len(x), workers + 1).astype(np.int64)
        over_blocks(
            lambda low, high: _csr_rows(m.indptr, unsigned(m.indices), m.data, x, out[low:high], low), bounds, workers
        )
        return out

    def apply_transposed(self, x: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
        """``x @ P_pi``.

        Args:
            x: law or signed measure, (S,).
        """
        m = self.matrix
        return scatter_sum(
            lambda out, low, high: _csr_scatter(m.indptr, unsigned(m.indices), m.data, x, out, low, high),
            len(x),
            self.pairs,
            self.workers,
        )


def mix_kernel(P: csr_array, pi: np.ndarray, widths: np.ndarray, workers: int) -> csr_array:
    """``P_pi`` as CSR: the rows of each state weighted by the joint policy, equal successors merged.

    Args:
        P: kernel, (S A, S).
        pi: agents' tables side by side, (S, sum A_i).
        widths: actions of each agent, (N,).
        workers: number of threads.

    Returns:
        (S, S), columns unsorted within a row.
    """
    n_states, n_joint = len(pi), P.shape[0] // len(pi)
    counts = np.zeros(n_states + 1, dtype=np.int64)
    cuts = np.linspace(0, n_states, (1 if P.shape[0] < SERIAL_PAIRS else workers) + 1).astype(np.int64)

    def count(low: int, high: int) -> None:
        seen = np.full(n_states, -1, dtype=np.int64)
        _count_successors(P.indptr, unsigned(P.indices), n_joint, seen, counts[1:], low, high)

    over_blocks(count, cuts, workers)
    starts = np.cumsum(counts).astype(P.indptr.dtype)
    columns, values = np.empty(starts[-1], dtype=P.indices.dtype), np.empty(starts[-1])

    def fill(low: int, high: int) -> None:
        slot = np.full(n_states, -1, dtype=np.int64)
        _mix_rows(P.indptr, unsigned(P.indices), P.data, pi, widths, n_joint, starts, columns, values, slot, low, high)

    over_blocks(fill, cuts, workers)
    return csr_array((values, columns, starts), shape=(n_states, n_states))
