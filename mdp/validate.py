"""Input checks whose messages name the place and the value.

Every public constructor of `mdp` calls these before it computes anything, so that a wrong matrix is
reported as ``P[1, 0] sums to 1.1, not 1`` and not as a singular system three calls later.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ROW_SUM_TOLERANCE = 1e-12
"""Largest deviation of a row sum from one; ours: 16 additions of doubles near one stay two decades below."""


def as_float_array(name: str, value: Any, ndim: int) -> np.ndarray:
    """Copy `value` into a read-only C-ordered float64 array with `ndim` dimensions.

    Args:
        name: what the message calls the array.
        value: anything `numpy.asarray` takes; ragged nesting is refused.
        ndim: required number of dimensions.

    Raises:
        ValueError: ragged or non-numeric input, a wrong number of dimensions, or a NaN or infinite entry
            (the message gives its index).
    """
    try:
        array = np.array(value, dtype=np.float64, order="C")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} is ragged or not numeric: {error}") from error
    if array.ndim != ndim:
        raise ValueError(f"{name} has {array.ndim} dimensions (shape {array.shape}), not {ndim}")
    if array.size == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        where = tuple(int(k) for k in bad[0])
        raise ValueError(f"{name}{_index(where)} is {array[where]}, not a finite number")
    array.setflags(write=False)
    return array


def require_shape(name: str, array: np.ndarray, shape: tuple[int, ...], meaning: str) -> None:
    """Raise unless ``array.shape == shape``.

    Args:
        name: what the message calls the array.
        array: the array to look at, of any shape.
        shape: what its shape must be.
        meaning: the shape in words, such as ``"(N, S, A)"``.

    Raises:
        ValueError: the shapes differ; both are in the message.
    """
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, not {meaning} = {shape}")


def require_probability_rows(name: str, array: np.ndarray) -> None:
    """Raise unless every row (last axis) of `array` is a probability vector.

    Args:
        name: what the message calls the array.
        array: finite array, any number of dimensions.

    Raises:
        ValueError: a negative entry or a row sum off by more than `ROW_SUM_TOLERANCE`.
    """
    negative = np.argwhere(array < 0)
    if negative.size:
        where = tuple(int(k) for k in negative[0])
        raise ValueError(f"{name}{_index(where)} is {array[where]:g}; probabilities are not negative")
    sums = array.sum(axis=-1)
    off = np.argwhere(np.abs(sums - 1.0) > ROW_SUM_TOLERANCE)
    if len(off):  # a vector has one row sum: argwhere then gives a single empty index
        where = tuple(int(k) for k in off[0])
        total = float(sums[where])
        raise ValueError(f"{name}{_index(where)} sums to {total:.15g}, not 1")


def require_discount(gamma: float) -> float:
    """Return `gamma` as a float.

    Args:
        gamma: discount factor.

    Raises:
        ValueError: it is not in [0, 1).
    """
    value = float(gamma)
    if not 0.0 <= value < 1.0:
        raise ValueError(f"gamma is {value:g}; the discount factor lies in [0, 1)")
    return value


def require_full_column_rank(name: str, matrix: np.ndarray) -> None:
    """Raise unless the columns of `matrix` are linearly independent.

    Args:
        name: what the message calls the matrix.
        matrix: (rows, columns).

    Raises:
        ValueError: the numerical rank is too small; the message gives a null vector.
    """
    rows, columns = matrix.shape
    # the full factorisation is only needed for a null vector outside the row space, and is (rows, rows) large
    _, singular, right = np.linalg.svd(matrix, full_matrices=rows < columns)
    tolerance = singular[0] * max(matrix.shape) * np.finfo(float).eps if singular.size else 0.0
    rank = int((singular > tolerance).sum())
    if rank < columns:
        null = right[-1] / np.abs(right[-1]).max()
        vector = np.array2string(null, precision=4, suppress_small=True)
        raise ValueError(f"{name} has rank {rank} with {columns} columns; {name} @ v = 0 for v = {vector}")


def _index(where: tuple[int, ...]) -> str:
    return "[" + ", ".join(str(k) for k in where) + "]" if where else ""
