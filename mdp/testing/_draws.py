"""Ways to draw that all strategies share: sizes, arrays of rationals, rows of probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import prod
from typing import Any

import numpy as np

from mdp.linear import rational_array
from mdp.optional import how_to_install

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(f"mdp.testing needs hypothesis, which is optional: {how_to_install('testing')}") from error

LARGEST_WEIGHT = 4
"""Probabilities are integer weights up to this over their sum; ours: readable, yet rows differ."""

Size = int | tuple[int, int]
"""A number, or the least and the largest of a range."""


def rationals(
    low: int = -3, high: int = 3, *, denominators: Sequence[int] = (1, 2, 3)
) -> st.SearchStrategy[Fraction]:
    """Small rationals in [low, high]; they shrink to integers near zero.

    Args:
        low: smallest value.
        high: largest value.
        denominators: allowed denominators.
    """
    return rational_choice(low, high, tuple(denominators))


@cache
def rational_choice(low: int, high: int, denominators: tuple[int, ...]) -> st.SearchStrategy[Fraction]:
    # one choice from a list, simplest first, is several times faster to draw and shrink than p and q apart
    values = {Fraction(p, q) for q in denominators for p in range(low * q, high * q + 1)}
    return st.sampled_from(sorted(values, key=lambda x: (x.denominator, abs(x), x < 0)))


@cache
def integers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


def size_of(draw: st.DrawFn, name: str, size: Size, least: int) -> int:
    low, high = (size, size) if isinstance(size, int) else size
    low = max(low, least) if not isinstance(size, int) else low
    if not least <= low <= high:
        raise ValueError(f"{name} is {size}; it is at least {least} here")
    return draw(integers(low, high))


def largest(size: Size) -> int:
    return size if isinstance(size, int) else size[1]


def array_of(draw: st.DrawFn, shape: tuple[int, ...], entries: st.SearchStrategy[Any]) -> np.ndarray:
    size = prod(shape)
    return rational_array(draw(st.lists(entries, min_size=size, max_size=size))).reshape(shape)


def weights_of(draw: st.DrawFn, shape: tuple[int, ...], largest: int) -> np.ndarray:
    size = prod(shape)
    return np.array(draw(st.lists(integers(0, largest - 1), min_size=size, max_size=size)), dtype=int).reshape(shape)


def laws_of(weights: np.ndarray, must: np.ndarray, may: np.ndarray) -> np.ndarray:
    """Rows of integer weights over their sum: positive where they `must` be, zero unless they `may` be positive."""
    weights = (weights + must) * may
    empty = weights.sum(axis=-1) == 0
    weights[empty, np.broadcast_to(may, weights.shape).argmax(axis=-1)[empty]] = 1
    exact = rational_array(weights)
    return exact / exact.sum(axis=-1, keepdims=True)
