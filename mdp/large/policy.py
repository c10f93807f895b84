"""Log-linear policies whose features fit: by observation, or computed one block of states at a time.

Source: as in `mdp.policy`; the sums over blocks are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from mdp.policy import LogLinearPolicy
from mdp.validate import as_float_array, require_shape


class LogLinear(Protocol):
    """A log-linear policy class seen through sums over states, so that its features need not exist at once."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters of one agent, D."""
        ...

    def probabilities(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Tables pi_i(a_i | s), one (S, A_i) array per agent.

        Args:
            theta: parameters, (N, D).
        """
        ...

    def feature_sum(self, agent: int, weight: Float[np.ndarray, "S A_i"]) -> Float[np.ndarray, " D"]:
        """``sum_{s, a} weight[s, a] psi_i[s, a]``.

        Args:
            agent: i.
            weight: of the pairs (s, a_i), (S, A_i).
        """
        ...

    def feature_bound(self) -> float:
        """Largest absolute feature of any agent."""
        ...


@dataclass(frozen=True, eq=False)
class ObservedLogLinear:
    """Log-linear in what each agent observes: ``psi_i(s, a) = tables[i][observation[i][s], a]``.

    Compact: O rows per agent instead of S, so that a tabular class over an agent's own cell costs nothing.

    Attributes:
        tables: one (O_i, A_i, D) array per agent.
        observation: one integer array (S,) per agent, values below O_i.

    Raises:
        ValueError: on construction: ragged shapes, an observation out of range (with its index), NaN.
    """

    tables: tuple[np.ndarray, ...]
    observation: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        if not self.tables or len(self.tables) != len(self.observation):
            raise ValueError(f"{len(self.tables)} feature tables for {len(self.observation)} observations")
        tables = tuple(as_float_array(f"tables[{i}]", table, 3) for i, table in enumerate(self.tables))
        observation = tuple(np.asarray(row) for row in self.observation)
        for i, (table, row) in enumerate(zip(tables, observation, strict=True)):
            require_shape(f"tables[{i}]", table, (*table.shape[:2], tables[0].shape[2]), "(O_i, A_i, D)")
            require_shape(f"observation[{i}]", row, observation[0].shape[:1], "(S,)")
            bad = np.flatnonzero((row < 0) | (row >= len(table)))
            if len(bad):
                raise ValueError(f"observation[{i}][{bad[0]}] is {row[bad[0]]}; it lies between 0 and {len(table) - 1}")
        object.__setattr__(self, "tables", tables)
        object.__setattr__(self, "observation", observation)

    @property
    def n_parameters(self) -> int:
        """Number of parameters of one agent, D."""
        return int(self.tables[0].shape[2])

    def probabilities(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Tables pi_i(a_i | s).

        Args:
            theta: parameters, shape (N, D).

        Returns:
            One (S, A_i) array per agent.

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        theta = _theta(theta, len(self.tables), self.n_parameters)
        local = [_softmax(np.einsum("oad,d->oa", table, theta[i])) for i, table in enumerate(self.tables)]
        return [table[row] for table, row in zip(local, self.observation, strict=True)]

    def feature_sum(self, agent: int, weight: Float[np.ndarray, "S A_i"]) -> Float[np.ndarray, " D"]:
        """``sum_{s, a} weight[s, a] psi_i[s, a]``: weights are gathered by observation first.

        Args:
            agent: i.
            weight: (S, A_i).
        """
        table, row = self.tables[agent], self.observation[agent]
        columns = [np.bincount(row, weights=weight[:, a], minlength=len(table)) for a in range(weight.shape[1])]
        return np.einsum("oa,oad->d", np.stack(columns, axis=1), table)

    def feature_bound(self) -> float:
        """Largest absolute feature of any agent."""
        return float(max(np.abs(table).max() for table in self.tables))


@dataclass(frozen=True, eq=False)
class BlockLogLinear:
    """Log-linear with features computed when needed, one block of states at a time.

    Attributes:
        features: ``features(agent, states)`` returns psi_i of those states, (B, A_i, D).
        n_states: S.
        n_actions: number of actions of each agent.
        n_parameters: D.
        block: states per call.

    Raises:
        ValueError: when used: `features` returns another shape or a NaN.
    """

    features: Callable[[int, Int[np.ndarray, " B"]], Float[np.ndarray, "B A_i D"]]
    n_states: int
    n_actions: tuple[int, ...]
    n_parameters: int
    block: int = 8192

    @classmethod
    def of(cls, policy: LogLinearPolicy) -> BlockLogLinear:
        """The same policy class, read block by block from its feature arrays.

        Args:
            policy: with features psi_i of shape (S, A_i, D).
        """
        psi = policy.psi
        return cls(lambda i, states: psi[i][states], policy.n_states, policy.n_actions, policy.n_parameters)

    def _blocks(self, agent: int) -> Any:
        for low in range(0, self.n_states, self.block):
            states = np.arange(low, min(low + self.block, self.n_states))
            name = f"features({agent}, states {states[0]}..{states[-1]})"
            psi = as_float_array(name, self.features(agent, states), 3)
            shape = (len(states), self.n_actions[agent], self.n_parameters)
            require_shape(name, psi, shape, "(B, A_i, D)")
            yield states, psi

    def probabilities(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Tables pi_i(a_i | s).

        Args:
            theta: parameters, shape (N, D).

        Returns:
            One (S, A_i) array per agent.

        Raises:
            ValueError: theta has another shape or a NaN, or the features do.
        """
        theta = _theta(theta, len(self.n_actions), self.n_parameters)
        tables = []
        for i, width in enumerate(self.n_actions):
            table = np.empty((self.n_states, width))
            for states, psi in self._blocks(i):
                table[states] = _softmax(np.einsum("sad,d->sa", psi, theta[i]))
            tables.append(table)
        return tables

    def feature_sum(self, agent: int, weight: Float[np.ndarray, "S A_i"]) -> Float[np.ndarray, " D"]:
        """``sum_{s, a} weight[s, a] psi_i[s, a]``.

        Args:
            agent: i.
            weight: (S, A_i).
        """
        total = np.zeros(self.n_parameters)
        for states, psi in self._blocks(agent):
            total += np.einsum("sa,sad->d", weight[states], psi)
        return total

    def feature_bound(self) -> float:
        """Largest absolute feature of any agent."""
        return float(max(np.abs(psi).max() for i in range(len(self.n_actions)) for _, psi in self._blocks(i)))


def _softmax(logits: np.ndarray) -> np.ndarray:
    table = softmax(logits, axis=1)
    normalised: np.ndarray = table / table.sum(axis=1, keepdims=True)
    return normalised


def _theta(theta: Any, n_agents: int, n_parameters: int) -> np.ndarray:
    array = as_float_array("theta", theta, 2)
    require_shape("theta", array, (n_agents, n_parameters), "(N, D)")
    return array
