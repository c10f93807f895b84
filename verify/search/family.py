"""Families of instances: a box of parameters, and what each point of it stands for in floats and in rationals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from flint import fmpq

from mdp.linear import rational, rational_array


class Family(Protocol):
    """What a search runs over. Families are frozen and compare by value.

    The same `build` takes float parameters and exact ones (object arrays of `flint.fmpq`).
    """

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact lower and upper end of every parameter, (n,) each."""
        ...

    def build(self, parameters: np.ndarray) -> Any | None:
        """The instance at a point of the box; None if there is none.

        Args:
            parameters: floats or exact, (n,).
        """
        ...

    def smaller(self, parameters: np.ndarray) -> Iterator[tuple[Family, np.ndarray]]:
        """Families with fewer states, agents, coordinates, and where `parameters` lands in them.

        Args:
            parameters: of this family, (n,).

        Yields:
            A smaller family with the flat parameters there.
        """
        ...

    def describe(self, instance: Any) -> Mapping[str, object]:
        """Named values that a reader needs to rebuild an exact instance by hand.

        Args:
            instance: what `build` gave for exact parameters.
        """
        ...


@dataclass(frozen=True)
class Vectors:
    """Vectors in a box.

    Attributes:
        low: least value of each coordinate.
        high: largest value of each coordinate.
        names: what the witness calls them; ``x0, x1, ...`` if empty.
        least: coordinates may be dropped down to this many; None: none may.

    Raises:
        ValueError: on construction: no coordinates, lengths that differ, or a low end above its high end.
    """

    low: tuple[Any, ...]
    high: tuple[Any, ...]
    names: tuple[str, ...] = ()
    least: int | None = None

    def __post_init__(self) -> None:
        if not self.low or len(self.low) != len(self.high):
            raise ValueError(f"low has {len(self.low)} coordinates and high {len(self.high)}; equal and at least one")
        if self.names and len(self.names) != len(self.low):
            raise ValueError(f"names has {len(self.names)} entries for {len(self.low)} coordinates")
        if self.least is not None and not 1 <= self.least <= len(self.low):
            raise ValueError(f"least is {self.least}; it lies between 1 and the {len(self.low)} coordinates")
        for k, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            if not rational(low) <= rational(high):
                raise ValueError(f"low[{k}] = {low} is above high[{k}] = {high}")

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact lower and upper end of every coordinate, (n,) each."""
        return rational_array(self.low), rational_array(self.high)

    def build(self, parameters: np.ndarray) -> np.ndarray:
        """The vector itself.

        Args:
            parameters: (n,), floats or rationals.
        """
        return parameters

    def smaller(self, parameters: np.ndarray) -> Iterator[tuple[Vectors, np.ndarray]]:
        """Every vector with one coordinate dropped, if `least` allows.

        Args:
            parameters: (n,).
        """
        if self.least is None or len(self.low) <= self.least:
            return
        for k in range(len(self.low)):
            low, high, names = (tuple(np.delete(np.array(x, object), k)) if x else () for x in self._fields())
            yield replace(self, low=low, high=high, names=names), np.delete(parameters, k)

    def describe(self, instance: np.ndarray) -> dict[str, object]:
        """Value of every coordinate by name.

        Args:
            instance: the vector, (n,).
        """
        names = self.names or tuple(f"x{k}" for k in range(len(instance)))
        return dict(zip(names, instance, strict=True))

    def _fields(self) -> tuple[tuple[Any, ...], ...]:
        return self.low, self.high, self.names


def normalised_rows(weights: np.ndarray) -> np.ndarray:
    """Nonnegative weights scaled to probabilities along the last axis; a row of zeros is read as uniform.

    Args:
        weights: floats or rationals, any shape.
    """
    empty = ~(weights != 0).any(axis=-1)
    if empty.any():
        weights = weights.copy()
        weights[empty] = weights[empty] * 0 + 1
    rows: np.ndarray = weights / weights.sum(axis=-1, keepdims=True)
    return rows


def require_range(name: str, ends: Sequence[Any], low: Any, high: Any) -> None:
    """Raise unless `ends` is an interval inside another.

    Args:
        name: what the message calls it.
        ends: lower and upper end.
        low: least lower end.
        high: largest upper end.

    Raises:
        ValueError: otherwise; the message has the value.
    """
    if len(ends) != 2 or not rational(low) <= rational(ends[0]) <= rational(ends[1]) <= rational(high):
        raise ValueError(f"{name} is {tuple(map(str, ends))}; it is (low, high) with {low} <= low <= high <= {high}")


def fractions(values: np.ndarray) -> tuple[Fraction, ...]:
    """Exact values as `Fraction`.

    Args:
        values: array of `fmpq`, any shape.
    """
    return tuple(Fraction(int(x.p), int(x.q)) for x in values)


def cost(value: fmpq) -> tuple[int, int]:
    """How much a reader has to carry for a number: 0 costs least, then 1, -1, 1/2 and 2, and so on.

    Args:
        value: the number.
    """
    return int(value.q) + abs(int(value.p)) - 1, int(value < 0)
