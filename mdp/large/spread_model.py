"""Simple Spread as a large MDP: agents walk a grid and try to cover landmarks.

Moves are deterministic and each agent moves on its own, so a successor is computed from the cells and no kernel is
stored: three agents on 13 x 5 have 34 million state-action pairs, which as CSR take 0.5 GB and here nothing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from mdp.large._grid_kernels import N_MOVES, _grid_rows
from mdp.large.blocks import state_blocks, unsigned
from mdp.large.grid_operator import GridOperator
from mdp.large.model import SparseMDP
from mdp.large.rewards import mean_reward
from mdp.validate import as_float_array, require_discount, require_probability_rows, require_shape

STEPS = np.array([(0, 1), (0, -1), (-1, 0), (1, 0), (0, 0)])
"""(column, row) displacement of each move: columns run along the length, Up increases the row."""

Cell = tuple[int, int]
RewardTime = Literal["before", "after"]


@dataclass(frozen=True, eq=False)
class SimpleSpread:
    """Simple Spread as a `mdp.large.LargeMDP` without a stored kernel. Build it with `simple_spread`.

    A cell is ``column * width + row``; a state is the number whose digits in base C = length * width are the
    agents' cells, agent 0 leading; a joint action likewise in base 5.

    Attributes:
        length: columns of the board.
        width: rows of the board.
        landmarks: (column, row) of each landmark, as many as agents.
        initial: initial law, (S,).
        gamma: discount factor.
        reward_time: ``"before"``: r(s, a) is the reward of the positions s, ``"after"``: of the successor.
        name: for messages and figures.

    Raises:
        ValueError: on construction: an initial law of another size or that is none, gamma outside [0, 1), another
            `reward_time`.
    """

    length: int
    width: int
    landmarks: tuple[Cell, ...]
    initial: Float[np.ndarray, " S"]
    gamma: float
    reward_time: RewardTime = "before"
    name: str = field(default="simple-spread")

    def __post_init__(self) -> None:
        initial = as_float_array("initial", self.initial, 1)
        require_shape("initial", initial, (self.n_states,), "(S,)")
        require_probability_rows("initial", initial)
        object.__setattr__(self, "initial", initial)
        object.__setattr__(self, "gamma", require_discount(self.gamma))
        if self.reward_time not in ("before", "after"):
            raise ValueError(f"reward_time is {self.reward_time!r}, not 'before' or 'after'")

    @property
    def n_agents(self) -> int:
        """Number of agents and of landmarks, N."""
        return len(self.landmarks)

    @property
    def n_cells(self) -> int:
        """Number of cells of the board, C."""
        return self.length * self.width

    @property
    def n_states(self) -> int:
        """Number of joint positions, C^N."""
        return self.n_cells**self.n_agents

    @property
    def n_actions(self) -> tuple[int, ...]:
        """Five moves for each agent."""
        return (N_MOVES,) * self.n_agents

    @property
    def n_joint_actions(self) -> int:
        """Number of joint actions, 5^N."""
        return N_MOVES**self.n_agents

    @property
    def row_width(self) -> int:
        """Most successors of a pair (s, a): one."""
        return 1

    @cached_property
    def positions(self) -> Int[np.ndarray, "C 2"]:
        """(column, row) of each cell, shape (C, 2)."""
        return np.stack(np.divmod(np.arange(self.n_cells), self.width), axis=1)

    @cached_property
    def moves(self) -> Int[np.ndarray, "C 5"]:
        """Next cell after each move, shape (C, 5); a move off the board stays. Source: zhang2025 App. D.1."""
        moved = self.positions[:, None, :] + STEPS[None, :, :]
        inside = ((moved >= 0) & (moved < (self.length, self.width))).all(axis=2)
        cells = moved[:, :, 0] * self.width + moved[:, :, 1]
        return np.where(inside, cells, np.arange(self.n_cells)[:, None])

    @cached_property
    def reach(self) -> Int[np.ndarray, "N C 5"]:
        """`moves` times each agent's place value, shape (N, C, 5): successors are sums of these."""
        place = self.n_cells ** np.arange(self.n_agents - 1, -1, -1)
        return np.ascontiguousarray(self.moves[None] * place[:, None, None])

    def cells(self, states: Int[np.ndarray, " B"]) -> Int[np.ndarray, "N B"]:
        """Each agent's cell in the given states, shape (N, B).

        Args:
            states: state numbers, (B,).
        """
        return np.stack(np.unravel_index(states, (self.n_cells,) * self.n_agents))

    def successors(self, states: Int[np.ndarray, " B"]) -> Int[np.ndarray, "B A"]:
        """Next state under every joint action, by plain NumPy, shape (B, A).

        Args:
            states: state numbers, (B,).
        """
        total = np.zeros((len(states), 1), dtype=np.int64)
        for row, reach in zip(self.cells(states), self.reach, strict=True):
            total = (total[:, :, None] + reach[row][:, None, :]).reshape(len(states), -1)
        return total

    @cached_property
    def position_reward(self) -> Float[np.ndarray, " S"]:
        """Minus the l1 distances from each landmark to its closest agent, summed, shape (S,).

        Source: zhang2025 App. D.1.
        """
        shape = (self.n_cells,) * self.n_agents
        total = np.zeros(shape)
        for landmark in self.landmarks:
            distance = np.abs(self.positions - landmark).sum(axis=1).astype(float)
            grids = np.meshgrid(*[distance] * self.n_agents, indexing="ij", sparse=True)
            closest = grids[0]
            for grid in grids[1:]:
                closest = np.minimum(closest, grid)
            total -= closest
        return total.reshape(-1)

    @cached_property
    def r(self) -> Float[np.ndarray, "N S A"]:
        """Rewards, equal for all agents, shape (N, S, A): a broadcast view."""
        if self.reward_time == "before":
            pairs = self.position_reward[:, None]
        else:
            pairs = np.empty((self.n_states, self.n_joint_actions))
            self.pair_rows(self.position_reward, 0, pairs)
        return np.broadcast_to(pairs, (self.n_agents, self.n_states, self.n_joint_actions))

    @cached_property
    def r_bar(self) -> Float[np.ndarray, "S A"]:
        """Team reward, shape (S, A): a broadcast view."""
        return mean_reward(self.r)

    def pair_rows(self, x: Float[np.ndarray, " S"], low: int, out: Float[np.ndarray, "B A"]) -> None:
        """``out[i, a] = x[successor(low + i, a)]``.

        Args:
            x: vector over states, (S,).
            low: first state.
            out: filled, (B, A).
        """
        _grid_rows(unsigned(self.reach), x, out, low)

    def operator(self, pi: np.ndarray, workers: int) -> GridOperator:
        """Matrix-free ``P_pi``.

        Args:
            pi: agents' tables side by side, (S, 5 N).
            workers: number of threads.
        """
        return GridOperator(unsigned(self.reach), pi, workers)

    def flow(self, weight: Float[np.ndarray, "B A"], low: int) -> Float[np.ndarray, " S"]:
        """``sum_{s, a} weight[s - low, a] P(. | s, a)`` by NumPy.

        Args:
            weight: mass of the pairs, (B, A).
            low: first state.
        """
        targets = self.successors(np.arange(low, low + len(weight)))
        return np.bincount(targets.reshape(-1), weights=weight.reshape(-1), minlength=self.n_states)

    def chosen(self, actions: Int[np.ndarray, " S"]) -> csr_array:
        """Transition matrix of a deterministic joint policy, (S, S).

        Args:
            actions: joint action of each state, (S,).
        """
        S = self.n_states
        digits = np.unravel_index(actions, self.n_actions)
        cells = self.cells(np.arange(S))
        target = sum(self.reach[i][cells[i], digits[i]] for i in range(self.n_agents))
        return csr_array((np.ones(S), target, np.arange(S + 1)), shape=(S, S))

    def sparse(self) -> SparseMDP:
        """The same problem with a stored CSR kernel (0.5 GB for three agents on 13 x 5)."""
        S, A = self.n_states, self.n_joint_actions
        kind = np.int32 if np.iinfo(np.int32).max > S * A else np.int64
        indices = np.empty((S, A), dtype=kind)
        bounds = state_blocks(S)
        for low, high in itertools.pairwise(bounds):
            indices[low:high] = self.successors(np.arange(low, high))
        parts = (np.ones(S * A), indices.reshape(-1), np.arange(S * A + 1, dtype=kind))
        kernel = csr_array(parts, shape=(S * A, S), copy=False)
        return SparseMDP(kernel, self.r, self.initial, self.gamma, self.n_actions, name=self.name)
