"""Consensus matrices: all doubly stochastic matrices with a positive diagonal, by weights on cycles of agents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import combinations, permutations

import numpy as np
from flint import fmpq

from mdp.linear import identity_like, rational
from mdp.networks.schedule import DisconnectedScheduleError, require_connected

LARGEST = 5
"""Agents at most; ours: the directed cycles of five agents are 84 already."""


@dataclass(frozen=True)
class ConsensusMatrices:
    """Doubly stochastic matrices ``I - L / (laziness + largest flow)`` on connected graphs.

    The off-diagonal part of a doubly stochastic matrix is a circulation, hence a sum of weighted cycles; the
    parameters are these weights and the laziness, which keeps the diagonal positive. So every doubly stochastic
    matrix with positive diagonal is reached up to scaling: the 2-cycles alone give every symmetric one.

    Attributes:
        n_agents: N, from 2 to `LARGEST`.
        symmetric: 2-cycles only.
        least_laziness: least laziness, positive.

    Raises:
        ValueError: on construction: N outside 2..`LARGEST`, or a laziness outside (0, 1].
    """

    n_agents: int = 3
    symmetric: bool = False
    least_laziness: Fraction = Fraction(1, 20)

    def __post_init__(self) -> None:
        if not 2 <= self.n_agents <= LARGEST:
            raise ValueError(f"n_agents is {self.n_agents}; it lies between 2 and {LARGEST}")
        if not 0 < rational(self.least_laziness) <= 1:
            raise ValueError(f"least_laziness is {self.least_laziness}; it lies in (0, 1]")

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Laziness first, then one weight in [0, 1] per cycle, (n,) each; the laziness may outweigh all of them."""
        count = len(cycles(self.n_agents, self.symmetric))
        low = [rational(self.least_laziness), *[fmpq(0)] * count]
        return np.array(low, dtype=object), np.array([fmpq(20), *[fmpq(1)] * count], dtype=object)

    def build(self, parameters: np.ndarray) -> np.ndarray | None:
        """The matrix, (N, N), floats or rationals; None if its graph is not connected.

        Args:
            parameters: laziness, then the weights of the cycles, a flat vector.
        """
        eye = identity_like(parameters, self.n_agents)
        flow = eye * 0
        for weight, cycle in zip(parameters[1:], cycles(self.n_agents, self.symmetric), strict=True):
            for here, there in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
                flow[here, there] = flow[here, there] + weight
        try:
            require_connected((flow > 0)[None])
        except DisconnectedScheduleError:
            return None
        out = flow.sum(axis=1)
        scale = parameters[0] + max(out)
        # the diagonal by subtraction, so that rational rows sum to one exactly
        matrix: np.ndarray = flow / scale + eye * (1 - out / scale)
        return matrix

    def smaller(self, parameters: np.ndarray) -> Iterator[tuple[ConsensusMatrices, np.ndarray]]:
        """Every way to leave one agent out, with the cycles that pass it; then symmetric ones; with flat parameters.

        Args:
            parameters: laziness, then the weights of the cycles, a flat vector.
        """
        mine = cycles(self.n_agents, self.symmetric)
        weights = dict(zip(mine, parameters[1:], strict=True))
        for agent in range(self.n_agents if self.n_agents > 2 else 0):
            names = [k for k in range(self.n_agents) if k != agent]
            kept = [weights[_turned(tuple(names[k] for k in c))] for c in cycles(self.n_agents - 1, self.symmetric)]
            yield replace(self, n_agents=self.n_agents - 1), np.array([parameters[0], *kept])
        if not self.symmetric:
            pairs = [weights[c] for c in cycles(self.n_agents, True)]
            yield replace(self, symmetric=True), np.array([parameters[0], *pairs])

    def describe(self, instance: np.ndarray) -> dict[str, object]:
        """The matrix and its least positive weight.

        Args:
            instance: an exact matrix, (N, N).
        """
        return {"A": instance, "least positive weight": min(x for x in instance.ravel() if x > 0)}


@cache
def cycles(n_agents: int, pairs_only: bool) -> tuple[tuple[int, ...], ...]:
    """Simple cycles of the complete directed graph, shortest first, each from its least agent.

    Args:
        n_agents: N.
        pairs_only: only the cycles of length two.
    """
    lengths = range(2, 3 if pairs_only else n_agents + 1)
    return tuple(
        (members[0], *rest)
        for length in lengths
        for members in combinations(range(n_agents), length)
        for rest in permutations(members[1:])
    )


def _turned(cycle: tuple[int, ...]) -> tuple[int, ...]:
    start = cycle.index(min(cycle))
    return cycle[start:] + cycle[:start]
