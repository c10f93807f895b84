"""A family for adversarial searches: named arrays whose axes shrink together, with a consensus matrix if agents talk.

`homogeneous` makes claims free of units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from mdp.linear import rational
from verify.search import ConsensusMatrices, Inequality
from verify.search.joined import Pair, Raw

TOO_SMALL = 1e-6
"""Sum of two sides below which floats say nothing: it leaves ten decades above rounding; ours."""

AGENTS = "N"
"""Axis of the agents: it shrinks together with the consensus matrix, if there is one."""


@dataclass(frozen=True)
class Array:
    """An array that is searched.

    Attributes:
        name: what the witness calls it.
        axes: names of its axes; empty for a number.
        low: least entry.
        high: largest entry.
    """

    name: str
    axes: tuple[str, ...] = ()
    low: Any = 0
    high: Any = 1


@dataclass(frozen=True)
class Arrays:
    """Named arrays over common axes.

    Attributes:
        sizes: length of every axis, by name.
        arrays: what is searched.
        least: least length of an axis, by name; 1 where it is not given.
        matrices: consensus matrices of the agents, the instance's ``"A"``; None: there is none.

    Raises:
        ValueError: on construction: an axis without a length, a length below the least, or another number of agents
            than the matrices have.
    """

    sizes: tuple[tuple[str, int], ...]
    arrays: tuple[Array, ...]
    least: tuple[tuple[str, int], ...] = ()
    matrices: ConsensusMatrices | None = None

    def __post_init__(self) -> None:
        sizes, least = dict(self.sizes), dict(self.least)
        for array in self.arrays:
            for axis in array.axes:
                if axis not in sizes:
                    raise ValueError(f"array {array.name}: axis {axis!r} has no length among {sorted(sizes)}")
        for axis, size in self.sizes:
            if size < least.get(axis, 1):
                raise ValueError(f"axis {axis!r} has length {size}; at least {least.get(axis, 1)}")
        if self.matrices is not None and sizes.get(AGENTS) != self.matrices.n_agents:
            raise ValueError(f"axis {AGENTS!r} is {sizes.get(AGENTS)}; the matrices have N = {self.matrices.n_agents}")

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Those of the matrices, then those of the arrays, (n,) each."""
        lows, highs = [], []
        for array in self.arrays:
            count = prod(self._shape(array))
            lows += [rational(array.low)] * count
            highs += [rational(array.high)] * count
        low, high = np.array(lows, dtype=object), np.array(highs, dtype=object)
        if self.matrices is None:
            return low, high
        first, last = self.matrices.bounds
        return np.concatenate([first, low]), np.concatenate([last, high])

    def build(self, parameters: np.ndarray) -> Mapping[str, np.ndarray] | None:
        """The arrays by name, and the matrix ``"A"``; None if its graph is not connected.

        Args:
            parameters: the flat parameters.
        """
        head, arrays = self._split(parameters)
        if self.matrices is None:
            return arrays
        matrix = self.matrices.build(head)
        return None if matrix is None else {**arrays, "A": matrix}

    def smaller(self, parameters: np.ndarray) -> Iterator[tuple[Arrays, np.ndarray]]:
        """Every way to drop one index of one axis, an agent with its links; then symmetric matrices.

        Args:
            parameters: the flat parameters.
        """
        head, arrays = self._split(parameters)
        least = dict(self.least)
        for axis, size in self.sizes:
            if size == least.get(axis, 1) or (axis == AGENTS and self.matrices is not None):
                continue
            for k in range(size):
                yield self._with(axis, size - 1, self.matrices), np.concatenate([head, *self._without(arrays, axis, k)])
        if self.matrices is None:
            return
        dropped = 0
        for matrices, weights in self.matrices.smaller(head):
            if matrices.n_agents == self.matrices.n_agents:
                kept = [arrays[a.name].reshape(-1) for a in self.arrays]
                yield replace(self, matrices=matrices), np.concatenate([weights, *kept])
                continue
            # agents are left out in turn
            cut = self._without(arrays, AGENTS, dropped)
            dropped += 1
            yield self._with(AGENTS, matrices.n_agents, matrices), np.concatenate([weights, *cut])

    def describe(self, instance: Mapping[str, np.ndarray]) -> dict[str, object]:
        """The arrays by name.

        Args:
            instance: exact arrays, by name.
        """
        return {name: value if value.ndim else value.item() for name, value in instance.items()}

    def _shape(self, array: Array) -> tuple[int, ...]:
        sizes = dict(self.sizes)
        return tuple(sizes[axis] for axis in array.axes)

    def _split(self, parameters: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        stop = 0 if self.matrices is None else len(self.matrices.bounds[0])
        head, arrays = parameters[:stop], {}
        for array in self.arrays:
            shape = self._shape(array)
            arrays[array.name] = parameters[stop : stop + prod(shape)].reshape(shape)
            stop += prod(shape)
        return head, arrays

    def _with(self, axis: str, size: int, matrices: ConsensusMatrices | None) -> Arrays:
        sizes = tuple((name, size if name == axis else old) for name, old in self.sizes)
        return replace(self, sizes=sizes, matrices=matrices)

    def _without(self, arrays: dict[str, np.ndarray], axis: str, index: int) -> list[np.ndarray]:
        cut = []
        for array in self.arrays:
            value = arrays[array.name]
            for place in (k for k, name in enumerate(array.axes) if name == axis):
                value = np.delete(value, index, axis=place)
            cut.append(value.reshape(-1))
        return cut


def homogeneous(text: str, raw: Raw) -> Inequality:
    """``lhs <= rhs`` as ``(lhs - rhs) / (lhs + rhs) <= 0``; nothing is said where both sides vanish.

    Points at which both sides are tiny would otherwise look nearly sharp, and draw the search to them.

    Args:
        text: the claim in words.
        raw: both sides, nonnegative.
    """

    def scaled(pair: Pair | None, least: Any) -> Pair | None:
        if pair is None or not pair[0] + pair[1] > least:
            return None
        return (pair[0] - pair[1]) / (pair[0] + pair[1]), 0

    return Inequality(text, lambda x: scaled(raw(x), TOO_SMALL), lambda x: scaled(raw(x), 0))
