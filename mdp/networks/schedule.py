"""Consensus: weight matrices, periodic schedules, and how fast they contract disagreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from mdp.linear import identity_like
from mdp.validate import as_float_array

STOCHASTIC_TOLERANCE = 1e-12
"""Largest deviation of a row or column sum from one; ours, two decades above rounding at N = 100."""


class DisconnectedScheduleError(ValueError):
    """The union of the schedule's graphs is disconnected; the message names the components."""


def metropolis_weights(graph: nx.Graph) -> Float[np.ndarray, "N N"]:
    """Metropolis weights: symmetric, doubly stochastic, positive exactly on edges and the diagonal.

    ``W_ij = 1 / (1 + max(deg i, deg j))`` on edges, the rest of each row on the diagonal.

    Args:
        graph: undirected graph on nodes 0..N-1, connected or not.

    Raises:
        ValueError: nodes are not 0..N-1, or the graph is directed.

    Source: Xiao and Boyd (2004), Systems & Control Letters 53, Sec. 4.
    """
    if graph.is_directed():
        raise ValueError("Metropolis weights need an undirected graph")
    size = graph.number_of_nodes()
    if set(graph.nodes) != set(range(size)):
        raise ValueError(f"graph nodes are {sorted(graph.nodes, key=str)}, not 0..{size - 1}")
    W = np.zeros((size, size))
    for i, j in graph.edges:
        if i != j:
            W[i, j] = W[j, i] = 1.0 / (1 + max(graph.degree[i], graph.degree[j]))
    np.fill_diagonal(W, 1.0 - W.sum(axis=1))
    return W


def full_average(n_agents: int) -> Float[np.ndarray, "N N"]:
    """The matrix with every entry 1/N: one exchange with a server, or a complete graph.

    Args:
        n_agents: N.
    """
    return np.full((n_agents, n_agents), 1.0 / n_agents)


@dataclass(frozen=True, eq=False)
class Schedule:
    """A periodic sequence of doubly stochastic consensus matrices; one matrix is the static case.

    Attributes:
        matrices: (B, N, N); step t uses ``matrices[t % B]``.

    Raises:
        ValueError: on construction: shapes, NaN, negative entries, row or column sums off one, a zero on a
            diagonal (each with its place).
        DisconnectedScheduleError: the union of the graphs over a period is not connected.

    Source: zeng2022 Assumptions 1-2; zhang2025 Assumption 5.1 (static; connectivity is not assumed there).
    """

    matrices: Float[np.ndarray, "B N N"]

    def __post_init__(self) -> None:
        matrices = as_float_array("W", self.matrices, 3)
        for b, W in enumerate(matrices):
            require_doubly_stochastic(W, f"W[{b}]")
            idle = np.flatnonzero(np.diag(W) <= 0)
            if idle.size:
                i = int(idle[0])
                raise ValueError(f"W[{b}][{i}, {i}] is {W[i, i]:g}; every agent keeps a positive weight on itself")
        require_connected(matrices)
        object.__setattr__(self, "matrices", matrices)

    @classmethod
    def static(cls, W: Float[np.ndarray, "N N"]) -> Schedule:
        """The same matrix at every step.

        Args:
            W: doubly stochastic, (N, N).
        """
        return cls(as_float_array("W", W, 2)[None])

    @classmethod
    def periodic(cls, matrices: Sequence[np.ndarray]) -> Schedule:
        """Matrices applied in turn.

        Args:
            matrices: a period of doubly stochastic (N, N) matrices.

        Raises:
            ValueError: no matrices, or different shapes.
        """
        if len(matrices) == 0:
            raise ValueError("a periodic schedule needs at least one matrix")
        return cls(as_float_array("W", list(matrices), 3))

    @classmethod
    def federated(cls, n_agents: int, every: int) -> Schedule:
        """Full average every `every` steps, nothing between. Source: zeng2022 Sec. 1 and Sec. 5.

        Args:
            n_agents: N.
            every: period, at least one.

        Raises:
            ValueError: `every` below one.
        """
        if every < 1:
            raise ValueError(f"every is {every}; a federated schedule averages at least once per period")
        return cls.periodic([np.eye(n_agents)] * (every - 1) + [full_average(n_agents)])

    @property
    def n_agents(self) -> int:
        """N."""
        return int(self.matrices.shape[1])

    @property
    def period(self) -> int:
        """B, the number of matrices before the sequence repeats."""
        return int(self.matrices.shape[0])

    @property
    def min_weight(self) -> float:
        """Least positive entry over the period: c in zeng2022, eta in zhang2025."""
        return float(self.matrices[self.matrices > 0].min())

    @property
    def window(self) -> Float[np.ndarray, "N N"]:
        """Product over one period, latest factor on the left, shape (N, N)."""
        product = np.eye(self.n_agents)
        for W in self.matrices:
            product = W @ product
        return product

    @property
    def contraction(self) -> float:
        """Factor by which one period shrinks the Euclidean norm of disagreement in the worst case."""
        return disagreement_norm(self.window)


def disagreement_norm(W: Float[np.ndarray, "N N"]) -> float:
    """``||W - 11^T/N||_2``: worst-case shrinkage of disagreement under a doubly stochastic matrix.

    Args:
        W: doubly stochastic, (N, N).
    """
    return float(np.linalg.norm(W - 1.0 / W.shape[0], 2))


def row_deviation(W: np.ndarray, power: int) -> np.ndarray:
    """``||W^power(i, :) - 1/N||^2`` for every row i, exact for rational input.

    Args:
        W: doubly stochastic, (N, N), floats or rationals.
        power: number of rounds, nonnegative.

    Returns:
        Squared norms, shape (N,).
    """
    product = identity_like(W, W.shape[0])
    for _ in range(power):
        product = product @ W
    mean = (product[0] * 0 + 1) / W.shape[0]
    squares: np.ndarray = ((product - mean) ** 2).sum(axis=1)
    return squares


def require_doubly_stochastic(W: np.ndarray, name: str = "W") -> None:
    """Raise unless `W` is square, nonnegative, with row and column sums one.

    Args:
        W: matrix, finite, (N, N).
        name: what the message calls it.

    Raises:
        ValueError: naming the entry, row or column.
    """
    if W.ndim != 2 or W.shape[0] != W.shape[1]:
        raise ValueError(f"{name} has shape {W.shape}; consensus matrices are square")
    negative = np.argwhere(W < 0)
    if negative.size:
        i, j = map(int, negative[0])
        raise ValueError(f"{name}[{i}, {j}] is {W[i, j]:g}; consensus weights are not negative")
    for axis, what in ((1, "row"), (0, "column")):
        sums = W.sum(axis=axis)
        off = np.flatnonzero(np.abs(sums - 1.0) > STOCHASTIC_TOLERANCE)
        if off.size:
            k = int(off[0])
            raise ValueError(f"{name} is not doubly stochastic: {what} {k} sums to {sums[k]:.15g}, not 1")


def require_connected(matrices: np.ndarray) -> None:
    """Raise unless the union graph of the matrices is connected.

    For doubly stochastic matrices weak and strong connectivity agree (what leaves a set also enters it).

    Args:
        matrices: (B, N, N), nonnegative.

    Raises:
        DisconnectedScheduleError: naming the components.
    """
    union = csr_array((np.asarray(matrices) > 0).any(axis=0).astype(np.int8))
    count, label = connected_components(union, directed=True, connection="weak")
    if count > 1:
        groups = ", ".join("{" + ", ".join(map(str, np.flatnonzero(label == k))) + "}" for k in range(count))
        raise DisconnectedScheduleError(
            f"the schedule is disconnected: agents {groups} never exchange anything over its period of {len(matrices)}"
        )
