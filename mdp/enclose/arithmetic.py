"""Arrays of balls: conversion, outward rounding, extremes, linear systems and symmetric eigenvalues."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, Literal

import numpy as np
from flint import arb, arb_mat, ctx

from mdp.linear import rational, rational_array

JACOBI_SWEEPS = 12
"""Limit of Jacobi sweeps; ours: from float eigenvectors two or three reach 128 bits, clusters need a few more."""


def upper_float(ball: Any) -> float:
    """A float at or above every number in the ball; infinity when the ball is not a number.

    Args:
        ball: `flint.arb`.
    """
    if ball.is_zero():
        return 0.0
    value = float(ball.upper())
    return float(np.inf) if np.isnan(value) else float(np.nextafter(value, np.inf))


def lower_float(ball: Any) -> float:
    """A float at or below every number in the ball; minus infinity when the ball is not a number.

    Args:
        ball: `flint.arb`.
    """
    return -upper_float(-ball)


def balls(values: Any, precision: int, spread: float = 0.0) -> np.ndarray:
    """Array of balls about exact numbers, each with relative half-width `spread`.

    Args:
        values: floats (dyadic, taken exactly), ints, `Fraction` or `fmpq`.
        precision: bits for midpoints that are not dyadic.
        spread: relative half-width.
    """
    source: Any = np.asarray(values)
    if source.dtype != np.float64:
        source = rational_array(values)
    out = np.empty(source.shape, dtype=object)
    with ctx.workprec(max(precision, 53)):  # 53: a float's own digits are kept
        factor = arb(1, spread)
        for index in np.ndindex(source.shape):
            out[index] = arb(source[index]) * factor
    return out


def ball_array(values: Any) -> np.ndarray:
    """Object array in which every entry is a ball; ints, floats and rationals become balls of radius rounding.

    Args:
        values: a ball, a number or an array of them.
    """
    source: Any = np.asarray(values, dtype=object)
    out = np.empty(source.shape, dtype=object)
    for index in np.ndindex(source.shape):
        entry = source[index]
        out[index] = entry if isinstance(entry, arb) else arb(rational(entry))
    return out


def largest(values: Iterable[Any]) -> Any:
    """Ball around the maximum of unknown numbers in balls; ``max`` would trust an undecided comparison.

    Args:
        values: balls, at least one.
    """
    return reduce(lambda left, right: left.max(right), values)


def least(values: Iterable[Any]) -> Any:
    """Ball around the minimum of unknown numbers in balls.

    Args:
        values: balls, at least one.
    """
    return reduce(lambda left, right: left.min(right), values)


def square_root(ball: Any) -> Any:
    """Root of a number known not to be negative, although its ball may reach below zero.

    Args:
        ball: `flint.arb`.
    """
    return ball if ball.is_zero() else ball.nonnegative_part().sqrt()


def distances(enclosed: np.ndarray, values: np.ndarray, precision: int) -> np.ndarray:
    """Entrywise upper bounds on ``|values - exact|``, rounded up.

    Args:
        enclosed: balls around the exact numbers.
        values: floats of the same shape.
        precision: working precision in bits.
    """
    out = np.empty(enclosed.shape)
    with ctx.workprec(precision):
        for index in np.ndindex(enclosed.shape):
            out[index] = upper_float((enclosed[index] - arb(float(values[index]))).abs_upper())
    return out


def ball_solve(matrix: np.ndarray, rhs: np.ndarray, *, wide: bool) -> np.ndarray:
    """Enclosure of the solution of ``matrix x = rhs``.

    Args:
        matrix: (n, n) balls.
        rhs: (n,) balls.
        wide: whether inputs are much wider than the working precision: elimination on balls widens exponentially
            in n, the preconditioned solver does not.

    Raises:
        ArithmeticError: the system cannot be told from a singular one at this precision.
    """
    n = len(matrix)
    algorithm: Literal["precond"] | None = "precond" if wide else None
    left, right = arb_mat(n, n, [arb(x) for x in matrix.ravel()]), arb_mat(n, 1, [arb(x) for x in rhs])
    out = np.empty(n, dtype=object)
    try:
        out[:] = left.solve(right, algorithm=algorithm).entries()
    except ZeroDivisionError as error:
        width = " with these input widths" if wide else ""
        raise ArithmeticError(
            f"a {n} x {n} system cannot be told from a singular one at {ctx.prec} bits{width}"
        ) from error
    return out


def symmetric_eigenvalues(matrix: np.ndarray) -> np.ndarray:
    """Enclosures of the eigenvalues of a symmetric matrix in ascending order, clusters and zeros included.

    Let V be approximate eigenvectors (of the midpoints; nothing is assumed of them), ``B = V^T A V`` and
    ``G = V^T V`` in ball arithmetic, ``|G - I| <= e < 1``. By Weyl the k-th eigenvalue of B is within the norm of its
    off-diagonal part of its k-th diagonal entry in order; by Ostrowski it is theta_k times that of A with
    theta_k in [1 - e, 1 + e].

    Args:
        matrix: (n, n) balls of a symmetric matrix.

    Raises:
        ArithmeticError: entries that are not finite.

    Source: Horn and Johnson (2013), Matrix Analysis, Corollary 4.3.15 (Weyl) and Theorem 4.5.9 (Ostrowski).
    """
    n = len(matrix)
    A = arb_mat(n, n, [arb(x) for x in matrix.ravel()])
    if not all(x.is_finite() for x in A.entries()):
        raise ArithmeticError("the matrix is not enclosed by finite balls: its eigenvalues are not either")
    V = _eigenvectors(A)
    B = np.array((V.transpose() * A * V).entries(), dtype=object).reshape(n, n)
    gram = np.array((V.transpose() * V).entries(), dtype=object).reshape(n, n)
    defect = upper_float(_frobenius(gram - np.eye(n, dtype=int).astype(object)))
    off = arb(0, upper_float(_frobenius(B[~np.eye(n, dtype=bool)])))
    if not defect < 0.5:
        raise ArithmeticError(f"approximate eigenvectors are far from orthonormal (defect {defect:g})")
    diagonal = [B[k, k] + off for k in range(n)]
    # order statistics are monotone: sorted lower ends and sorted upper ends enclose the sorted true values
    ends = [sorted((d.lower() for d in diagonal), key=_Order), sorted((d.upper() for d in diagonal), key=_Order)]
    out = np.empty(n, dtype=object)
    for k, (low, high) in enumerate(zip(*ends, strict=True)):
        out[k] = low.union(high) / arb(1, defect)
    return out


class _Order:
    """Sort key of exact balls (points), whose comparisons are decided."""

    def __init__(self, point: Any) -> None:
        self.point = point

    def __lt__(self, other: _Order) -> bool:
        return bool(self.point < other.point)


def _frobenius(array: np.ndarray) -> Any:
    return square_root(sum((x * x for x in array.ravel()), arb(0)))


def _eigenvectors(A: Any) -> Any:
    """Approximate orthonormal eigenvectors to working precision: float ones, then Jacobi rotations on midpoints."""
    n = A.nrows()
    middle = A.mid()
    middle = (middle + middle.transpose()) / 2
    scale = max((upper_float(abs(x)) for x in middle.entries()), default=0.0)
    if scale == 0.0 or n == 1:
        return arb_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
    floats = np.array([float(x / arb(scale)) for x in middle.entries()]).reshape(n, n)
    V = arb_mat(n, n, [arb(float(x)) for x in np.linalg.eigh(floats)[1].ravel()])
    unit = arb_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
    for _ in range(4):  # Newton-Schulz: orthonormality defects 1e-16, 1e-32, 1e-64, ...
        V = (V * (unit * 3 - V.transpose() * V) / 2).mid()
    B = np.array((V.transpose() * middle * V).mid().entries(), dtype=object).reshape(n, n)
    W = np.array(V.entries(), dtype=object).reshape(n, n)
    small = arb(scale) * arb(2) ** (8 - ctx.prec)
    for _ in range(JACOBI_SWEEPS):
        if not sum(_rotate(B, W, p, q, small) for p in range(n) for q in range(p + 1, n)):  # every pair, each sweep
            break
    return arb_mat(n, n, list(W.ravel()))


def _rotate(B: np.ndarray, W: np.ndarray, p: int, q: int, small: Any) -> bool:
    """One Jacobi rotation in place on midpoints. Source: Golub and Van Loan (2013), Sec. 8.5.2."""
    if not abs(B[p, q]) > small:
        return False
    tau = (B[q, q] - B[p, p]) / (2 * B[p, q])
    tangent = 1 / (abs(tau) + (1 + tau * tau).sqrt())
    if tau < 0:
        tangent = -tangent
    cosine = 1 / (1 + tangent * tangent).sqrt()
    sine = tangent * cosine
    for array in (B.T, B, W):  # rows of B, columns of B, columns of W
        left, right = array[:, p].copy(), array[:, q].copy()
        array[:, p] = [x.mid() for x in cosine * left - sine * right]
        array[:, q] = [x.mid() for x in sine * left + cosine * right]
    return True
