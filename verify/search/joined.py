"""Families for adversarial searches: problems with further arrays, and windows of consensus matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import rational
from mdp.networks.schedule import DisconnectedScheduleError, require_connected
from mdp.rational import RationalPoint
from verify.search import FloatPoint, MDPFamily
from verify.search.consensus_family import cycles
from verify.search.forms import (
    FLOOR,
    Pair,
    Raw,
    identity,
    least_squares,
    norm,
    ratio,
    relative_gap,
    root,
    same_span,
    scale_free,
    scaled,
    small,
    times,
    worst,
)

__all__ = [
    "FLOOR",
    "Extra",
    "Joined",
    "Joint",
    "Pair",
    "Raw",
    "Windows",
    "cycle_matrix",
    "identity",
    "least_squares",
    "norm",
    "ratio",
    "relative_gap",
    "root",
    "same_span",
    "scale_free",
    "scaled",
    "small",
    "times",
    "worst",
]


@dataclass(frozen=True)
class Extra:
    """An array that is searched besides the problem.

    Attributes:
        name: what the witness calls it.
        shape: from the problem's family; no side may grow when the problem shrinks.
        low: least entry.
        high: largest entry.
    """

    name: str
    shape: Callable[[MDPFamily], tuple[int, ...]]
    low: Any = -1
    high: Any = 1


@dataclass(frozen=True, eq=False)
class Joint:
    """A problem with further arrays.

    Attributes:
        point: the problem.
        extra: arrays by name, floats or rationals as the problem is.
    """

    point: RationalPoint | FloatPoint
    extra: Mapping[str, np.ndarray]

    @cached_property
    def view(self) -> Exact:
        """Closed forms on the original kernel."""
        return self.point.exact()

    def with_models(self, reward_features: str) -> Joint:
        """The same with searched reward features; for floats in bases without nearly dependent columns.

        Args:
            reward_features: name of an array (S, A, L).
        """
        mu = self.view.stationary
        phi = same_span(self.point.phi_state, mu)
        varphi = same_span(self.extra[reward_features], mu[:, None] * self.view.pi)
        return Joint(replace(self.point, phi_state=phi, phi_joint=varphi), self.extra)


@dataclass(frozen=True)
class Joined:
    """Problems of one size with further arrays.

    Attributes:
        problem: the problems.
        extras: the arrays.
    """

    problem: MDPFamily
    extras: tuple[Extra, ...]

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Those of the problem, then those of the arrays, (n,) each."""
        low, high = self.problem.bounds
        for extra in self.extras:
            count = prod(extra.shape(self.problem))
            low = np.concatenate([low, np.array([rational(extra.low)] * count, dtype=object)])
            high = np.concatenate([high, np.array([rational(extra.high)] * count, dtype=object)])
        return low, high

    def build(self, parameters: np.ndarray) -> Joint:
        """The problem and its arrays.

        Args:
            parameters: the flat parameters.
        """
        head, arrays = self._split(parameters)
        return Joint(self.problem.build(head), arrays)

    def smaller(self, parameters: np.ndarray) -> Iterator[tuple[Joined, np.ndarray]]:
        """Smaller problems, the arrays cut to their new shapes.

        Args:
            parameters: the flat parameters.
        """
        head, arrays = self._split(parameters)
        for problem, less in self.problem.smaller(head):
            cut = [
                arrays[extra.name][tuple(slice(n) for n in extra.shape(problem))].reshape(-1) for extra in self.extras
            ]
            yield replace(self, problem=problem), np.concatenate([less, *cut])

    def describe(self, instance: Joint) -> dict[str, object]:
        """The problem and its arrays.

        Args:
            instance: an exact instance.
        """
        assert isinstance(instance.point, RationalPoint)
        return {**self.problem.describe(instance.point), **instance.extra}

    def _split(self, parameters: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        stop = len(self.problem.bounds[0])
        head, arrays = parameters[:stop], {}
        for extra in self.extras:
            shape = extra.shape(self.problem)
            arrays[extra.name] = parameters[stop : stop + prod(shape)].reshape(shape)
            stop += prod(shape)
        return head, arrays


@dataclass(frozen=True)
class Windows:
    """Windows of doubly stochastic matrices with a positive diagonal whose links connect all agents together.

    Every round is ``I - L / (laziness + largest flow)`` with weights on directed cycles, as in
    `verify.search.ConsensusMatrices`; here a round alone may leave agents apart. A weight below zero counts as zero,
    so that half of the cycles are idle.

    Attributes:
        n_agents: N, from 2 to 5.
        rounds: length of the window.
        symmetric: 2-cycles only.
        connected: ask that the window connects all agents.
    """

    n_agents: int = 3
    rounds: int = 2
    symmetric: bool = False
    connected: bool = True

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Per round: laziness in [1/20, 20], then one weight in [-1, 1] per cycle, (n,) each."""
        count = len(cycles(self.n_agents, self.symmetric))
        low, high = [fmpq(1, 20), *[fmpq(-1)] * count], [fmpq(20), *[fmpq(1)] * count]
        return np.array(low * self.rounds, dtype=object), np.array(high * self.rounds, dtype=object)

    def build(self, parameters: np.ndarray) -> np.ndarray | None:
        """The matrices, (rounds, N, N), floats or rationals; None if the window does not connect the agents.

        Args:
            parameters: round by round, a flat vector.
        """
        matrices = np.stack(
            [cycle_matrix(row, self.n_agents, self.symmetric) for row in parameters.reshape(self.rounds, -1)]
        )
        if self.connected:
            try:
                require_connected(np.asarray(matrices > 0, dtype=bool))
            except DisconnectedScheduleError:
                return None
        return matrices

    def smaller(self, parameters: np.ndarray) -> Iterator[tuple[Windows, np.ndarray]]:
        """One round less, 2-cycles only, or one agent less (weights of the first cycles are kept).

        Args:
            parameters: round by round, a flat vector.
        """
        rows = parameters.reshape(self.rounds, -1)
        if self.rounds > 1:
            for k in range(self.rounds):
                yield replace(self, rounds=self.rounds - 1), np.delete(rows, k, axis=0).reshape(-1)
        if not self.symmetric:
            yield replace(self, symmetric=True), rows[:, : 1 + len(cycles(self.n_agents, True))].reshape(-1)
        if self.n_agents > 2:
            count = 1 + len(cycles(self.n_agents - 1, self.symmetric))
            yield replace(self, n_agents=self.n_agents - 1), rows[:, :count].reshape(-1)

    def describe(self, instance: np.ndarray) -> dict[str, object]:
        """The matrices and their least positive weight.

        Args:
            instance: exact matrices, (N, N) each.
        """
        named: dict[str, object] = {f"W_{k}": W for k, W in enumerate(instance)}
        return {**named, "least positive weight": min(x for x in instance.ravel() if x > 0)}


def cycle_matrix(weights: np.ndarray, n_agents: int, symmetric: bool = False) -> np.ndarray:
    """A doubly stochastic matrix with a positive diagonal, connected or not, floats or rationals.

    Args:
        weights: laziness (positive), then one weight per cycle; negative ones count as zero.
        n_agents: N; for one agent the matrix is 1.
        symmetric: 2-cycles only.
    """
    zero = weights[0] * 0
    matrix = np.array([[zero] * n_agents for _ in range(n_agents)], dtype=weights.dtype)
    for weight, cycle in zip(weights[1:], cycles(n_agents, symmetric), strict=True):
        if weight > 0:
            for here, there in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
                matrix[here, there] = matrix[here, there] + weight
    out = matrix.sum(axis=1)
    matrix = matrix / (weights[0] + max(out))
    for i in range(n_agents):
        matrix[i, i] = zero + 1 - matrix[i].sum()
    return matrix
