r"""Fisher information of the joint policy: blocks, consensual parameters, spectrum, null vectors.

``F = E_{s ~ law, a ~ pi}[grad log pi(a|s) grad log pi(a|s)^T]``. Two facts used throughout:

- *Blocks.* Given s the agents act independently and each score has mean zero, so
  ``E[score_i score_j^T] = 0`` for i != j: with stacked parameters F is block diagonal, one (D, D) block per agent.
- *Consensual parameters.* When the shared part u is one vector, ``theta = C (u, v_1, .., v_N)`` with
  ``C^T C = diag(N I, I)``, and ``F_consensual = C^T F C``: the shared blocks add up. Its least eigenvalue is at least
  that of F, since ``C^T C >= I``.

Over rationals the matrices, ranks and null vectors are exact, and eigenvalues are enclosed by balls.

Source: zhang2025 Assumption 5.5 (stacked, under nu, which is the visitation by its Lemma 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Float

from mdp.exact import Exact, Law
from mdp.linear import is_exact, rational_array

RANK_TOLERANCE = 1e-12
"""Eigenvalues below this times the largest count as zero; ours: eigvalsh errs by a few 1e-16 times the largest."""


@dataclass(frozen=True, eq=False)
class FisherSpectrum:
    """Eigenvalues and null space of a Fisher matrix.

    Attributes:
        least: least eigenvalue (for exact input: the centre of its ball).
        error: bound on the error of `least`: the ball's radius, or for floats Weyl's bound for a backward stable
            solver, ``8 n eps`` times the largest eigenvalue.
        largest: largest eigenvalue.
        rank: numerical rank, or the exact one.
        null: basis of the null space, (dimension, n - rank), exact for exact input.
    """

    least: float
    error: float
    largest: float
    rank: int
    null: np.ndarray

    @property
    def singular(self) -> bool:
        """Whether there is a null vector."""
        return self.null.shape[1] > 0


def fisher_blocks(view: Exact, law: Law = "visitation") -> Float[np.ndarray, "N D D"]:
    """Diagonal blocks ``F_i = E[score_i score_i^T]``, one per agent.

    Args:
        view: exact quantities at a policy, floats or rationals.
        law: state law.

    Returns:
        Array (N, D, D).
    """
    weight = view.law(law)
    blocks = []
    for table, score in zip(view.tables, view.scores, strict=True):
        flat = score.reshape(-1, score.shape[2])
        blocks.append((flat * (weight[:, None] * table).reshape(-1, 1)).T @ flat)
    return np.stack(blocks)


def fisher(view: Exact, law: Law = "visitation") -> Float[np.ndarray, "ND ND"]:
    """Fisher information of the stacked parameters, agent by agent; block diagonal.

    Args:
        view: exact quantities at a policy.
        law: state law.

    Returns:
        Array (N D, N D).

    Source: zhang2025 Assumption 5.5.
    """
    blocks = fisher_blocks(view, law)
    N, D, _ = blocks.shape
    full = np.zeros((N * D, N * D), dtype=blocks.dtype) + blocks[0, 0, 0] * 0
    for i, block in enumerate(blocks):
        full[i * D : (i + 1) * D, i * D : (i + 1) * D] = block
    return full


def consensual_map(n_agents: int, n_parameters: int, n_shared: int) -> np.ndarray:
    """The matrix C with ``theta.ravel() = C @ (shared, personal_0, .., personal_{N-1})``.

    Args:
        n_agents: N.
        n_parameters: H + G.
        n_shared: H.

    Returns:
        Integer array (N (H + G), H + N G) of zeros and ones.

    Raises:
        ValueError: H is not between 0 and H + G.
    """
    if not 0 <= n_shared <= n_parameters:
        raise ValueError(f"n_shared is {n_shared}; it lies between 0 and H + G = {n_parameters}")
    personal = n_parameters - n_shared
    C = np.zeros((n_agents, n_parameters, n_shared + n_agents * personal), dtype=int)
    for i in range(n_agents):
        C[i, :n_shared, :n_shared] = np.eye(n_shared, dtype=int)
        C[i, n_shared:, n_shared + i * personal : n_shared + (i + 1) * personal] = np.eye(personal, dtype=int)
    return C.reshape(n_agents * n_parameters, -1)


def fisher_consensual(view: Exact, n_shared: int, law: Law = "visitation") -> np.ndarray:
    """Fisher information when the shared part is one vector common to all agents.

    Args:
        view: exact quantities at a policy.
        n_shared: H, the number of leading columns of theta that are common.
        law: state law.

    Returns:
        Array (H + N G, H + N G): shared part first.

    Raises:
        ValueError: H is not between 0 and H + G.
    """
    N, D = len(view.scores), view.scores[0].shape[2]
    C = consensual_map(N, D, n_shared)
    if is_exact(view.P):
        C = rational_array(C)
    pulled: np.ndarray = C.T @ fisher(view, law) @ C
    return pulled


def spectrum(matrix: np.ndarray) -> FisherSpectrum:
    """Least eigenvalue with an error bound, rank and null vectors of a symmetric nonnegative matrix.

    Args:
        matrix: (n, n), floats, or rationals (then rank and null space are exact).
    """
    n = len(matrix)
    if is_exact(matrix):
        null = null_space(matrix)
        flint_matrix = fmpq_mat(n, n, [fmpq(x) for x in matrix.ravel()])
        found: list[Any] = flint_matrix.charpoly().complex_roots()  # pairs (enclosure, multiplicity)
        roots = [root.real for root, _ in found]
        least = min(roots, key=lambda ball: float(ball.mid()))
        largest = max(float(ball.mid()) for ball in roots)
        return FisherSpectrum(float(least.mid()), float(least.rad()), largest, n - null.shape[1], null)
    values, vectors = np.linalg.eigh(matrix)
    largest = max(float(values[-1]), 0.0)
    small = values <= RANK_TOLERANCE * largest
    error = 8 * n * float(np.finfo(float).eps) * largest
    return FisherSpectrum(float(values[0]), error, largest, int(n - small.sum()), vectors[:, small])


def null_space(matrix: np.ndarray) -> np.ndarray:
    """Basis of ``{x: matrix x = 0}`` over rationals, from the reduced row echelon form.

    Args:
        matrix: (m, n) of exact rationals.

    Returns:
        Array (n, nullity) of exact rationals; column j is one at the j-th free coordinate.
    """
    m, n = matrix.shape
    reduced, rank = fmpq_mat(m, n, [fmpq(x) for x in matrix.ravel()]).rref()
    pivots = [next(k for k in range(n) if reduced[i, k] != 0) for i in range(rank)]
    free = [k for k in range(n) if k not in pivots]
    basis = rational_array(np.zeros((n, len(free)), dtype=int))
    for j, k in enumerate(free):
        basis[k, j] = fmpq(1)
        for i, pivot in enumerate(pivots):
            basis[pivot, j] = -reduced[i, k]
    return basis


def tabular_null_vectors(n_states: int, n_actions: Sequence[int]) -> np.ndarray:
    r"""Null vectors of the Fisher information of tabular softmax, the same for every theta and every law.

    Adding a constant to all logits of one state changes nothing: with ``v = sum_b e_{(s, b)}`` for agent i,
    ``score_i(s', a) . v = 1{s' = s} (1 - sum_b pi_i(b | s)) = 0``. So tabular softmax is always singular, with
    nullity at least N S, and zhang2025 Assumption 5.5 fails for it at every theta, whatever mu_f > 0. With shared
    logits and one common vector the nullity is at least S.

    Args:
        n_states: S.
        n_actions: actions per agent, equal.

    Returns:
        Integer array (N S, N, S A_i): one direction in theta for each agent and state.

    Raises:
        ValueError: unequal action counts.
    """
    if len(set(n_actions)) != 1:
        raise ValueError(f"tabular softmax has equal action counts; got {tuple(n_actions)}")
    N, A = len(n_actions), n_actions[0]
    vectors = np.zeros((N, n_states, N, n_states, A), dtype=int)
    for i in range(N):
        for s in range(n_states):
            vectors[i, s, i, s, :] = 1
    return vectors.reshape(N * n_states, N, n_states * A)


def log_linear_null_space(psi: np.ndarray) -> np.ndarray:
    """Null space of one agent's Fisher block for a log-linear policy, under any law that charges every state.

    ``v`` is null if and only if ``psi[s, a] . v`` does not depend on a, for every s: the variance of
    ``psi[s, a] . v`` under positive probabilities is zero only then. The condition does not mention theta: the
    Fisher information of a log-linear class is singular at every theta or at none.

    Args:
        psi: features of the agent, (S, A_i, D), floats or rationals.

    Returns:
        Basis, (D, nullity); orthonormal for floats.
    """
    differences = (psi[:, :-1] - psi[:, -1:]).reshape(-1, psi.shape[2])
    if is_exact(psi):
        return null_space(differences)
    if not len(differences):
        return np.eye(psi.shape[2])
    _, singular, right = np.linalg.svd(differences, full_matrices=True)
    cut = singular.max() * max(differences.shape) * np.finfo(float).eps
    return right[int((singular > cut).sum()) :].T
