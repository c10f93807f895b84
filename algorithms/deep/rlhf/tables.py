"""Tabular critics for the miniature: one number per state, or per state and joint action."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from algorithms.deep.rlhf.dialogue import State
from algorithms.deep.rlhf.mini_world import MiniWorld
from algorithms.deep.rlhf.sampling import Tokens


class TableInputs:
    """Inputs of tabular critics: the number of the state, or of the pair."""

    def __init__(self, world: MiniWorld) -> None:
        """Number the states and joint responses.

        Args:
            world: the miniature.
        """
        tree = world.tree
        self._state = {world.state(s): k for k, s in enumerate(tree.states)}
        self._joint = {answers: k for k, answers in enumerate(tree.joint_responses)}

    def of_states(self, states: Sequence[State]) -> Int[Tensor, " B"]:
        """Numbers of states.

        Args:
            states: dialogues.
        """
        return torch.tensor([self._state[state] for state in states])

    def of_pairs(self, states: Sequence[State], responses: Sequence[tuple[Tokens, ...]]) -> Int[Tensor, " B"]:
        """Numbers of pairs, state slowest.

        Args:
            states: dialogues.
            responses: of every agent.
        """
        joint = torch.tensor([self._joint[tuple(map(tuple, answers))] for answers in responses])
        return self.of_states(states) * len(self._joint) + joint


class TableCritics:
    """One table per agent, trained like any other critic.

    Attributes:
        weights: the tables, (N, n), in a list of one.
    """

    def __init__(self, table: Float[np.ndarray, "N n"]) -> None:
        """Start at a table.

        Args:
            table: values by agent and input.
        """
        self.weights = [torch.tensor(table, dtype=torch.float64, requires_grad=True)]
        self._centre = self.weights[0].detach().clone()

    def values(self, inputs: Int[Tensor, " B"]) -> Float[Tensor, "N B"]:
        """Every agent's value of every input.

        Args:
            inputs: as of `TableInputs`.
        """
        return self.weights[0][:, inputs]

    def gossip(self, matrix: Float[Tensor, "N N"]) -> None:
        """Mix the tables of the agents.

        Args:
            matrix: ``A^t_gossip``.
        """
        with torch.no_grad():
            self.weights[0].copy_(matrix.to(self.weights[0]) @ self.weights[0])

    def reset(self) -> None:
        """Back to the table at the start."""
        with torch.no_grad():
            self.weights[0].copy_(self._centre)
