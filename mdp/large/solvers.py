"""Iterative solvers of the discounted linear system, with certificates: raw arrays in, a `Solution` out.

No BLAS is called and every sum has a fixed order: results are the same bits for every number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from mdp.large._kernels import compiled

EPSILON = float(np.finfo(float).eps)

TOLERANCE = 1e-12
"""Default error asked of a solve, relative to the norm of its right-hand side over 1 - gamma; ours."""

KRYLOV_ROUNDS = 8
"""Restarts of the Krylov solver from the true residual before plain iteration takes over; ours."""

KRYLOV_STEPS = 400
"""Steps per round; ours: at gamma = 0.99 Simple Spread needs about 60."""

Norm = Literal["sup", "sum"]


class ConvergenceError(RuntimeError):
    """An iterative solve stopped above the requested error; the message gives both."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Outcome of an iterative solve.

    Attributes:
        x: the solution, (S,).
        residual: norm of the residual of `x`, as computed.
        error: bound on the norm of ``x - x_true``: (residual + rounding of the residual) / (1 - gamma).
        products: number of products with P_pi that were spent.
    """

    x: Float[np.ndarray, " S"]
    residual: float
    error: float
    products: int


def norm_of(x: np.ndarray, norm: Norm) -> float:
    """Sup norm, or sum of absolute values.

    Args:
        x: vector, (n,).
        norm: which.
    """
    return float(np.abs(x).max()) if norm == "sup" else float(np.abs(x).sum())


@compiled
def _dot(x, y):  # type: ignore[no-untyped-def]
    """Inner product in index order; a BLAS one would depend on its threads."""
    total = 0.0
    for k in range(len(x)):
        total += x[k] * y[k]
    return total


@compiled
def _new_direction(direction, residual, image, beta, omega):  # type: ignore[no-untyped-def]
    for k in range(len(direction)):
        direction[k] = residual[k] + beta * (direction[k] - omega * image[k])


@compiled
def _half_step(residual, image, alpha):  # type: ignore[no-untyped-def]
    for k in range(len(residual)):
        residual[k] -= alpha * image[k]


@compiled
def _full_step(x, residual, direction, image_half, alpha, omega):  # type: ignore[no-untyped-def]
    """Update `x` and the half-step `residual`; its sup norm and its sum norm."""
    largest = total = 0.0
    for k in range(len(x)):
        x[k] += alpha * direction[k] + omega * residual[k]
        residual[k] -= omega * image_half[k]
        size = abs(residual[k])
        total += size
        largest = max(largest, size)
    return largest, total


def _bicgstab(
    matrix: Callable[[np.ndarray], np.ndarray], rhs: np.ndarray, target: float, norm: Norm
) -> tuple[np.ndarray, int]:
    """One round of BiCGSTAB from zero: a correction, and the products spent. It may stop early on a breakdown.

    Source: van der Vorst (1992), SIAM J. Sci. Stat. Comput. 13(2).
    """
    x, residual, best = np.zeros_like(rhs), rhs.copy(), np.zeros_like(rhs)
    shadow, direction, image = rhs, np.zeros_like(rhs), np.zeros_like(rhs)
    rho = alpha = omega = 1.0
    best_norm = norm_of(rhs, norm)
    spent = 0
    for _ in range(KRYLOV_STEPS):
        rho_next = _dot(shadow, residual)
        if rho_next == 0.0 or omega == 0.0:
            break
        _new_direction(direction, residual, image, (rho_next / rho) * (alpha / omega), omega)
        rho = rho_next
        image = matrix(direction)
        pivot = _dot(shadow, image)
        if pivot == 0.0:
            break
        alpha = rho / pivot
        _half_step(residual, image, alpha)
        image_half = matrix(residual)
        spent += 2
        square = _dot(image_half, image_half)
        omega = _dot(image_half, residual) / square if square > 0.0 else 0.0
        largest, total = _full_step(x, residual, direction, image_half, alpha, omega)
        size = largest if norm == "sup" else total
        if not np.isfinite(total):
            break
        if size < best_norm:
            best_norm = size
            np.copyto(best, x)
        if size <= target:
            break
    return best, spent


def solve_discounted(
    apply: Callable[[np.ndarray], np.ndarray],
    rhs: np.ndarray,
    gamma: float,
    *,
    norm: Norm,
    tolerance: float,
    additions: int,
    start: np.ndarray | None = None,
) -> Solution:
    """Solve ``x = rhs + gamma M x`` where M is stochastic on columns (sup norm) or on rows (sum norm).

    BiCGSTAB, restarted from the true residual; what it leaves, plain iteration finishes, which cannot fail: the map
    contracts by gamma. As ``||(I - gamma M)^-1|| = 1 / (1 - gamma)`` in that norm, the residual bounds the error.

    Args:
        apply: ``x -> M x``.
        rhs: right-hand side, (S,).
        gamma: discount.
        norm: ``"sup"`` for values, ``"sum"`` for measures.
        tolerance: the error asked for, relative to ``||rhs|| / (1 - gamma)``.
        additions: additions behind one entry of ``M x``, for the rounding part of the bound.
        start: first guess, (S,).

    Returns:
        The solution with its bound. The residual's own rounding is added to the bound and may exceed `tolerance`.

    Raises:
        ConvergenceError: the residual stays above the tolerance and above rounding.
    """
    restart_mass = 1.0 - gamma
    target = tolerance * norm_of(rhs, norm)  # residual / restart_mass <= tolerance ||rhs|| / restart_mass
    x = rhs / restart_mass * gamma + rhs if start is None else start.copy()
    spent = 0
    previous = np.inf

    def certified(x: np.ndarray) -> tuple[np.ndarray, float, float]:
        residual = rhs + gamma * apply(x) - x
        # a sum of k terms with weights adding up to one has rounding error below k eps times the norm (Higham 2002,
        # Accuracy and Stability of Numerical Algorithms, Sec. 3.1); two more operations form the residual
        rounding = (additions + 3) * EPSILON * (norm_of(rhs, norm) + 2.0 * norm_of(x, norm))
        return residual, norm_of(residual, norm), rounding

    for _ in range(KRYLOV_ROUNDS):
        residual, size, rounding = certified(x)
        spent += 1
        if size <= target or size > 0.5 * previous:
            break
        previous = size
        correction, used = _bicgstab(lambda y: y - gamma * apply(y), residual, 0.5 * target, norm)
        x, spent = x + correction, spent + used
    residual, size, rounding = certified(x)
    # plain iteration gains a factor gamma per step, so it needs this many at the most
    steps, limit = 0, 1
    if gamma > 0.0 and size > 0.0:
        limit += int(np.ceil(np.log(max(target, rounding, 1e-300) / size) / np.log(gamma)))
    while size > max(target, rounding) and steps <= limit:
        x, steps = x + residual, steps + 1
        residual, size, rounding = certified(x)
    if not size <= max(target, rounding):
        raise ConvergenceError(
            f"residual {size:.3g} stays above {max(target, rounding):.3g} after {spent + steps} products"
        )
    return Solution(x, size, (size + rounding) / restart_mass, spent + steps + 1)


def solve_along_paths(
    successor: Int[np.ndarray, " S"], weight: Float[np.ndarray, " S"], rhs: Float[np.ndarray, " S"]
) -> Float[np.ndarray, " S"]:
    """``V(s) = rhs(s) + weight(s) V(successor(s))`` by doubling the length of the followed path.

    ``V_2k(s) = V_k(s) + w_k(s) V_k(next_k(s))``: a path of 2^m steps after m gathers. It is what makes policy
    iteration cheap where moves are deterministic.

    Args:
        successor: where each state goes.
        weight: discount times probability of that move, below one.
        rhs: reward of one step.

    Returns:
        Values, (S,).
    """
    V, w, following = rhs.copy(), weight.copy(), successor
    while w.max() * max(1.0, np.abs(V).max()) > EPSILON**2:
        V = V + w * V[following]
        w = w * w[following]
        following = following[following]
    return V
