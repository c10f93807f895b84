"""Exact algebra on state-action pairs, shared by the critic's statements of zhang2025."""

from __future__ import annotations

from itertools import product

import numpy as np
from flint import fmpq, fmpq_mat

from mdp.exact import Exact
from mdp.linear import rational_array, solve


def pair_matrix(view: Exact) -> np.ndarray:
    """Transition matrix of (s, a) pairs under the view's kernel and policy.

    Args:
        view: exact quantities.

    Returns:
        ``M[(s,a),(s',a')] = P(s,a,s') pi(a'|s')``, shape (S A, S A), the state slowest.
    """
    S, A, _ = view.P.shape
    matrix: np.ndarray = (view.P[:, :, :, None] * view.pi[None, None]).reshape(S * A, S * A)
    return matrix


def pair_law(view: Exact, state_law: np.ndarray) -> np.ndarray:
    """Law of (s, a) with s from `state_law` and a from the policy, shape (S A,).

    Args:
        view: exact quantities.
        state_law: law over states, (S,).
    """
    law: np.ndarray = (state_law[:, None] * view.pi).reshape(-1)
    return law


def box_solutions(G: np.ndarray, h: np.ndarray, radius: fmpq) -> list[np.ndarray]:
    """Solutions of the affine variational inequality on a box, one per face that has an isolated one.

    ``w`` in ``[-radius, radius]^K`` solves it when ``(G w + h) . (v - w) >= 0`` for every v of the box, that is
    component by component: zero inside, at least zero at the lower end, at most zero at the upper end.

    Args:
        G: (K, K), exact.
        h: (K,), exact.
        radius: half the side of the box.

    Returns:
        Exact solutions; faces whose free block is singular are skipped, since a solution there can be moved along the
        null direction to a smaller face, (K,) each.
    """
    found: list[np.ndarray] = []
    for face in product((-1, 0, 1), repeat=len(h)):
        free = [k for k, side in enumerate(face) if side == 0]
        w = rational_array(list(face)) * radius
        if free:
            block = G[np.ix_(free, free)]
            if _determinant(block) == 0:
                continue
            w[free] = solve(block, -(h + G @ w)[free])
        slope = G @ w + h
        inside = all(abs(x) <= radius for x in w)
        if inside and all(side * slope[k] <= 0 for k, side in enumerate(face)) and not any(
            (w == known).all() for known in found
        ):
            found.append(w)
    return found


def positive_definite(matrix: np.ndarray) -> bool:
    """Whether the symmetric part of an exact square matrix is positive definite, by Sylvester's criterion.

    Args:
        matrix: (n, n), exact.
    """
    symmetric = matrix + matrix.T
    return all(_determinant(symmetric[:k, :k]) > 0 for k in range(1, len(symmetric) + 1))


def full_rank_integers(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A random exact integer matrix with entries in -3..3 and independent columns.

    Args:
        rng: randomness.
        rows: number of rows, at least `columns`.
        columns: number of columns.

    Raises:
        ValueError: more columns than rows.
    """
    if columns > rows:
        raise ValueError(f"columns is {columns}; at most rows = {rows} columns can be independent")
    while True:
        table = rng.integers(-3, 4, size=(rows, columns))
        if np.linalg.matrix_rank(table) == columns:
            return rational_array(table)


def _determinant(matrix: np.ndarray) -> fmpq:
    n = len(matrix)
    return fmpq_mat(n, n, [fmpq(x) for x in matrix.ravel()]).det()
