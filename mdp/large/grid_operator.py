"""``P_pi`` on a board without a matrix: successors are recomputed in every product.

Source: zhang2025 Appendix D.1 for the board; the product without a matrix is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mdp.large._grid_kernels import N_MOVES, _grid_apply, _grid_scatter
from mdp.large.blocks import SCATTER_BLOCKS, SERIAL_PAIRS, over_blocks, scatter_sum, state_blocks


@dataclass(frozen=True, eq=False)
class GridOperator:
    """`mdp.large.PolicyOperator` that recomputes successors instead of storing a matrix.

    Attributes:
        reach: successor digits, (N, C, 5).
        pi: agents' tables side by side, (S, 5 N).
        workers: number of threads.
    """

    reach: Int[np.ndarray, "N C 5"]
    pi: Float[np.ndarray, "S 5N"]
    workers: int

    @property
    def additions(self) -> tuple[int, int]:
        """Additions behind one entry of the two products: agents are averaged out in turn; 5^N pairs meet."""
        return N_MOVES * len(self.reach), N_MOVES ** len(self.reach) + SCATTER_BLOCKS

    @property
    def _pairs(self) -> int:
        return len(self.pi) * N_MOVES ** len(self.reach)

    def apply(self, x: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
        """``P_pi @ x``.

        Args:
            x: function of the state, (S,).
        """
        out = np.empty(len(x))
        if self._pairs < SERIAL_PAIRS:
            _grid_apply(self.reach, self.pi, x, out, 0, len(x))
            return out
        over_blocks(
            lambda low, high: _grid_apply(self.reach, self.pi, x, out, low, high),
            state_blocks(len(x)), 1 if self._pairs < SERIAL_PAIRS else self.workers,
        )  # fmt: skip
        return out

    def apply_transposed(self, x: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
        """``x @ P_pi``.

        Args:
            x: law or signed measure, (S,).
        """
        widths = np.full(len(self.reach) - 1, N_MOVES)
        return scatter_sum(
            lambda out, low, high: _grid_scatter(self.reach, self.pi, widths, x, out, low, high),
            len(x), self._pairs, self.workers,
        )  # fmt: skip
