"""What the solvers ask of a large MDP, and its state-action values block by block."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from mdp.large.blocks import SERIAL_PAIRS, over_blocks, state_blocks
from mdp.large.operator import PolicyOperator


@runtime_checkable
class LargeMDP(Protocol):
    """What the solvers ask of a large MDP. S states, A joint actions, agent 0 slowest."""

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        ...

    @property
    def n_actions(self) -> tuple[int, ...]:
        """Number of actions of each agent; their product is A."""
        ...

    @property
    def gamma(self) -> float:
        """Discount factor."""
        ...

    @property
    def initial(self) -> Float[np.ndarray, " S"]:
        """Initial law."""
        ...

    @property
    def r_bar(self) -> Float[np.ndarray, "S A"]:
        """Team reward; may be a broadcast view."""
        ...

    @property
    def row_width(self) -> int:
        """Most successors of a pair (s, a)."""
        ...

    def pair_rows(self, x: Float[np.ndarray, " S"], low: int, out: Float[np.ndarray, "B A"]) -> None:
        """``out[i, a] = sum_t P(t | low + i, a) x(t)``; called from several threads.

        Args:
            x: function of the state, (S,).
            low: first state of the block.
            out: written, (B, A).
        """
        ...

    def operator(self, pi: np.ndarray, workers: int) -> PolicyOperator:
        """``P_pi`` as a linear map.

        Args:
            pi: the agents' tables side by side, (S, sum A_i).
            workers: number of threads of a product.
        """
        ...

    def flow(self, weight: Float[np.ndarray, "B A"], low: int) -> Float[np.ndarray, " S"]:
        """``sum_{s, a} weight[s - low, a] P(. | s, a)`` by plain NumPy or SciPy: the check of `operator`.

        Args:
            weight: of the pairs of a block, (B, A).
            low: first state of the block.
        """
        ...

    def chosen(self, actions: Int[np.ndarray, " S"]) -> csr_array:
        """Transition matrix of a deterministic joint policy, (S, S).

        Args:
            actions: joint action of each state, (S,).
        """
        ...


def over_pairs(
    mdp: LargeMDP,
    task: Callable[[np.ndarray, int], None],
    values: np.ndarray | None,
    workers: int,
    *,
    discount: float | None = None,
) -> None:
    """Call ``task(q, low)`` on blocks of ``q = r_bar + discount P values`` (of `r_bar` if None), in threads.

    Args:
        mdp: the problem.
        task: may overwrite `q`, (B, A), whose first row belongs to state `low`.
        values: next values, (S,).
        workers: number of threads.
        discount: factor of the next values; ``mdp.gamma`` if None.
    """
    n_joint = prod(mdp.n_actions)
    factor = mdp.gamma if discount is None else discount

    def block(low: int, high: int) -> None:
        q = np.empty((high - low, n_joint))
        if values is None:
            q[:] = mdp.r_bar[low:high]
        else:
            mdp.pair_rows(values, low, q)
            q *= factor
            q += mdp.r_bar[low:high]
        task(q, low)

    over_blocks(block, state_blocks(mdp.n_states), 1 if mdp.n_states * n_joint < SERIAL_PAIRS else workers)
