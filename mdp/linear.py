"""Linear algebra that works alike over float64 and over exact rationals (`flint.fmpq` in object arrays).

Source: elimination by LAPACK over floats and by `flint` over rationals.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat


def is_exact(array: np.ndarray) -> bool:
    """Whether `array` holds exact rationals (object dtype) rather than floats.

    Args:
        array: any array of this package.
    """
    return array.dtype == object


def solve(matrix: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """Solve ``matrix @ x = rhs``.

    Args:
        matrix: (n, n), floats or rationals.
        rhs: (n,) or (n, m), of the same kind.

    Returns:
        Array shaped like `rhs`; exact if the input is.

    Raises:
        numpy.linalg.LinAlgError: floats and a singular matrix.
        ZeroDivisionError: rationals and a singular matrix.
    """
    if not is_exact(matrix):
        return np.linalg.solve(matrix, rhs)
    n = matrix.shape[0]
    columns = rhs.reshape(n, -1)
    left = fmpq_mat(n, n, [fmpq(x) for x in matrix.ravel()])
    right = fmpq_mat(n, columns.shape[1], [fmpq(x) for x in columns.ravel()])
    return rational_array(left.solve(right).entries()).reshape(rhs.shape)


def identity_like(array: np.ndarray, size: int) -> np.ndarray:
    """Identity matrix of the kind (float or rational) of `array`.

    Args:
        array: decides the kind, any array.
        size: number of rows.
    """
    return rational_array(np.eye(size, dtype=int)) if is_exact(array) else np.eye(size)


def rational(value: Any) -> fmpq:
    """Exact rational of an int, a `Fraction`, an `fmpq`, or a float (floats are dyadic: nothing is rounded).

    Args:
        value: the number.

    Raises:
        TypeError: another type.
        ValueError: NaN or infinity.
    """
    if isinstance(value, fmpq):
        return value
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        value = Fraction(float(value))
    if isinstance(value, Fraction):
        return fmpq(value.numerator, value.denominator)
    if isinstance(value, (int, np.integer)):
        return fmpq(int(value))
    raise TypeError(f"{value!r} ({type(value).__name__}) has no exact rational value here")


def rational_array(values: Any) -> np.ndarray:
    """Object array of `flint.fmpq` with the shape of `values`.

    Args:
        values: nested sequences or an array of numbers that `rational` takes.
    """
    source = np.asarray(values, dtype=object)
    out = np.empty(source.shape, dtype=object)
    for index in np.ndindex(source.shape):
        out[index] = rational(source[index])
    return out


def to_float(array: np.ndarray) -> np.ndarray:
    """Nearest float64 array (rationals are rounded once), of the same shape.

    Args:
        array: floats or rationals, of any shape.
    """
    if not is_exact(array):
        return np.asarray(array, dtype=float)
    out = np.empty(array.shape)
    for index in np.ndindex(array.shape):
        value: Any = array[index]
        out[index] = float(Fraction(int(value.p), int(value.q)))
    return out
