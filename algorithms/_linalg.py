"""Small dense linear algebra for numba kernels: no allocation, results written into arguments.

numba caches a kernel by its own file only: after an edit here, remove the cached ``_cac_kernel.*.nbi``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy")
"""How every kernel is compiled: a division by zero gives inf or NaN, which the public wrappers look for."""

inlined = njit(cache=True, nogil=True, error_model="numpy", inline="always")
"""The same for a few lines of an inner loop, where a call costs as much as they do."""


@compiled
def _gth(chain: np.ndarray, work: np.ndarray, law: np.ndarray) -> None:
    """Stationary law of an irreducible chain into `law`; `work` is (S, S) scratch. See `mdp.chain`."""
    size = chain.shape[0]
    for i in range(size):
        for j in range(size):
            work[i, j] = chain[i, j]
    for k in range(size - 1, 0, -1):
        total = 0.0
        for j in range(k):
            total += work[k, j]
        inverse = 1.0 / total
        for i in range(k):
            work[i, k] *= inverse
            factor = work[i, k]
            for j in range(k):
                work[i, j] += factor * work[k, j]
    law[0] = 1.0
    total = 1.0
    for k in range(1, size):
        weight = 0.0
        for i in range(k):
            weight += law[i] * work[i, k]
        law[k] = weight
        total += weight
    inverse = 1.0 / total
    for k in range(size):
        law[k] *= inverse


@compiled
def _solve_in_place(matrix: np.ndarray, rhs: np.ndarray) -> None:
    """Solve ``matrix x = rhs`` by Gaussian elimination with partial pivoting; both are overwritten."""
    size = matrix.shape[0]
    for k in range(size):
        pivot, largest = k, abs(matrix[k, k])
        for i in range(k + 1, size):
            entry = abs(matrix[i, k])
            if entry > largest:
                pivot, largest = i, entry
        if pivot != k:
            for j in range(k, size):
                matrix[k, j], matrix[pivot, j] = matrix[pivot, j], matrix[k, j]
            rhs[k], rhs[pivot] = rhs[pivot], rhs[k]
        inverse = 1.0 / matrix[k, k]
        matrix[k, k] = inverse
        for i in range(k + 1, size):
            factor = matrix[i, k] * inverse
            for j in range(k + 1, size):
                matrix[i, j] -= factor * matrix[k, j]
            rhs[i] -= factor * rhs[k]
    for k in range(size - 1, -1, -1):
        value = rhs[k]
        for j in range(k + 1, size):
            value -= matrix[k, j] * rhs[j]
        rhs[k] = value * matrix[k, k]
