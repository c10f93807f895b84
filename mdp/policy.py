"""Policy classes: products of local policies, each a differentiable function of its own parameters.

A policy maps ``theta`` of shape (N, H + G) to one probability table per agent. The first H columns are the
part that agents share through consensus (theta^s in zeng2022 Sec. 3.1), the last G are personal (theta^p).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from mdp.validate import as_float_array, require_shape


@runtime_checkable
class Policy(Protocol):
    """What every policy class offers.

    Attributes:
        n_states: S.
        n_actions: number of actions of each agent.
        n_shared: H, the number of leading columns of theta that agents share.
        n_parameters: H + G, the number of parameters of one agent.
    """

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        ...

    @property
    def n_shared(self) -> int:
        """Number of shared parameters of one agent, H."""
        ...

    @property
    def n_actions(self) -> tuple[int, ...]:
        """Number of actions of each agent."""
        ...

    @property
    def n_parameters(self) -> int:
        """Number of parameters of one agent, H + G."""
        ...

    def probabilities(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Tables pi_i(a_i | s), one (S, A_i) array per agent.

        Args:
            theta: parameters, (N, H + G).
        """
        ...

    def log_jacobian(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Scores d log pi_i(a_i | s) / d theta_i, one (S, A_i, H + G) array per agent.

        Args:
            theta: parameters, (N, H + G).
        """
        ...


@dataclass(frozen=True, eq=False)
class LogLinearPolicy:
    """Softmax of linear logits, with shared and personal features; tabular softmax is a case of it.

    ``pi_i(a | s) = exp(psi_i[s, a] . theta_i) / sum_b exp(psi_i[s, b] . theta_i)``.

    Attributes:
        psi: one array (S, A_i, H + G) per agent: the first H columns multiply shared parameters.
        n_shared: H.

    Raises:
        ValueError: on construction: no agents, different S or H + G among agents, NaN, H outside [0, H + G].

    Source: zeng2022 Sec. 3.1 for the split into shared and personal parameters.
    """

    psi: tuple[np.ndarray, ...]
    n_shared: int = 0

    def __post_init__(self) -> None:
        if not self.psi:
            raise ValueError("psi is empty: a policy needs at least one agent")
        psi = tuple(as_float_array(f"psi[{i}]", table, 3) for i, table in enumerate(self.psi))
        S, _, D = psi[0].shape
        for i, table in enumerate(psi):
            require_shape(f"psi[{i}]", table, (S, table.shape[1], D), "(S, A_i, H + G)")
        if not 0 <= self.n_shared <= D:
            raise ValueError(f"n_shared is {self.n_shared}; it lies between 0 and H + G = {D}")
        object.__setattr__(self, "psi", psi)

    @classmethod
    def tabular(cls, n_states: int, n_actions: Sequence[int], *, shared: bool = False) -> LogLinearPolicy:
        """One logit per state and action; all shared (needs equal action counts) or all personal.

        Args:
            n_states: S.
            n_actions: actions per agent.
            shared: whether the logits are shared by consensus.

        Raises:
            ValueError: the agents' action counts differ.
        """
        widths = set(n_actions)
        if len(widths) != 1:
            raise ValueError(f"tabular needs equal action counts (one parameter shape); got {tuple(n_actions)}")
        width = widths.pop()
        one_hot = np.eye(n_states * width).reshape(n_states, width, n_states * width)
        return cls(psi=tuple(one_hot for _ in n_actions), n_shared=n_states * width if shared else 0)

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return int(self.psi[0].shape[0])

    @property
    def n_actions(self) -> tuple[int, ...]:
        """Number of actions of each agent."""
        return tuple(int(table.shape[1]) for table in self.psi)

    @property
    def n_parameters(self) -> int:
        """Number of parameters of one agent, H + G."""
        return int(self.psi[0].shape[2])

    def probabilities(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Tables pi_i(a_i | s).

        Args:
            theta: parameters, shape (N, H + G).

        Returns:
            One (S, A_i) array per agent.

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        theta = self._check(theta)
        tables = [softmax(psi @ theta[i], axis=1) for i, psi in enumerate(self.psi)]
        return [table / table.sum(axis=1, keepdims=True) for table in tables]

    def log_jacobian(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Scores: ``psi_i[s, a] - sum_b pi_i(b | s) psi_i[s, b]``.

        Args:
            theta: parameters, shape (N, H + G).

        Returns:
            One (S, A_i, H + G) array per agent.

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        tables = self.probabilities(theta)
        return [softmax_score(psi, table) for psi, table in zip(self.psi, tables, strict=True)]

    def _check(self, theta: Any) -> np.ndarray:
        array = as_float_array("theta", theta, 2)
        require_shape("theta", array, (len(self.psi), self.n_parameters), "(N, H + G)")
        return array


def softmax_score(
    psi: Float[np.ndarray, "S A_i D"], probabilities: Float[np.ndarray, "S A_i"]
) -> Float[np.ndarray, "S A_i D"]:
    """Score of a softmax with features `psi` at given probabilities, over floats or exact rationals alike.

    Args:
        psi: features, shape (S, A_i, D).
        probabilities: pi_i(a | s), shape (S, A_i).

    Returns:
        ``psi - E_pi psi``, shape (S, A_i, D).
    """
    mean = (probabilities[:, :, None] * psi).sum(axis=1)
    score: np.ndarray = psi - mean[:, None, :]
    return score


def joint_probabilities(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Product policy ``pi(a | s) = prod_i pi_i(a_i | s)``, agent 0 slowest.

    Args:
        tables: one (S, A_i) array per agent, floats or exact rationals.

    Returns:
        Array (S, A), A the product of the A_i.

    Source: zeng2022 Sec. 2.
    """
    states = tables[0].shape[0]
    return reduce(lambda left, right: (left[:, :, None] * right[:, None, :]).reshape(states, -1), tables)
