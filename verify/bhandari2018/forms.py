"""TD(0) on a small exact problem, and quadratic forms decided in exact arithmetic.

Every lemma here compares two quadratics in ``x = theta - theta*``, "for every theta". Their difference is one symmetric
matrix, so the quantifier over theta is decided, not sampled; only the problems are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import rational, rational_array, solve
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.identities import rational_points

Matrix = Callable[["TDProblem"], np.ndarray]
"""The symmetric matrix that a lemma claims to be positive semidefinite."""


@dataclass(frozen=True, eq=False)
class TDProblem:
    """Samples ``s ~ law, a ~ pi, s' ~ P`` and linear features, all exact.

    Attributes:
        law: state law of the samples, (S,).
        transitions: probability of (a, s') given s, (S, A, S).
        r: reward, (S, A).
        gamma: discount.
        phi: features, (S, K).
    """

    law: np.ndarray
    transitions: np.ndarray
    r: np.ndarray
    gamma: fmpq
    phi: np.ndarray

    @cached_property
    def weight(self) -> np.ndarray:
        """Probability of a sample, (S, A, S)."""
        return self.law[:, None, None] * self.transitions

    @cached_property
    def covariance(self) -> np.ndarray:
        """``Phi^T D Phi``, the squared D-norm of ``V_theta`` as a form in theta, (K, K)."""
        return self.phi.T @ (self.law[:, None] * self.phi)

    @cached_property
    def slope(self) -> np.ndarray:
        """The matrix of ``gbar(theta) = slope (theta* - theta)``, (K, K)."""
        ahead = np.einsum("sat,tk->sk", self.weight, self.phi)
        return self.covariance - self.gamma * (self.phi.T @ ahead)

    @cached_property
    def theta_star(self) -> np.ndarray:
        """The TD fixed point, (K,)."""
        return solve(self.slope, self.phi.T @ (self.weight.sum(axis=2) * self.r).sum(axis=1))

    def second_moment(self) -> np.ndarray:
        """``E ||t g(theta*) + h(x)||^2`` as a form in (t, x), (K + 1, K + 1); ``h(x) = g(theta* + x) - g(theta*)``."""
        value, K = self.phi @ self.theta_star, self.phi.shape[1]
        total = rational_array(np.zeros((K + 1, K + 1), dtype=int))
        for s, a, t in np.argwhere(np.asarray(self.weight > 0, dtype=bool)):
            row = np.concatenate(
                [[self.r[s, a] + self.gamma * value[t] - value[s]], self.gamma * self.phi[t] - self.phi[s]]
            )
            total = total + self.weight[s, a, t] * (self.phi[s] ** 2).sum() * np.outer(row, row)
        return total


def td_problem(view: Exact, law: str = "stationary", length: fmpq | int = 1) -> TDProblem:
    """The TD(0) problem of a view, its features scaled to norm at most `length`.

    Args:
        view: exact quantities of a rational problem.
        law: ``"stationary"`` or ``"visitation"``.
        length: bound on the norm of a feature vector; the sum of absolute values is used, which is exact.
    """
    longest = max(sum(abs(x) for x in row) for row in view.phi_state)
    weights = view.stationary if law == "stationary" else view.visitation
    return TDProblem(
        weights, view.pi[:, :, None] * view.P, view.r_bar, rational(view.gamma), view.phi_state * (length / longest)
    )


def chain_problem(
    P: list[list[fmpq]], law: list[fmpq], gamma: fmpq, phi: Sequence[Sequence[fmpq | int]]
) -> TDProblem:
    """A problem without choices, with reward one in state 0.

    Args:
        P: transition matrix.
        law: state law of the samples.
        gamma: discount.
        phi: features, one row per state.
    """
    kernel = rational_array(np.array(P, dtype=object))[:, None, :]
    reward = rational_array(np.eye(len(P), dtype=int)[:1].T)
    return TDProblem(rational_array(law), kernel, reward, gamma, rational_array(np.array(phi, dtype=object)))


def flipping(length: fmpq | int = 1) -> TDProblem:
    """Two states that nearly always change places, with one feature of opposite signs: the worst case for norms.

    Args:
        length: absolute value of the feature.
    """
    stay, half = fmpq(1, 100), fmpq(1, 2)
    return chain_problem([[stay, 1 - stay], [1 - stay, stay]], [half, half], fmpq(9, 10), [[length], [-length]])


def problems(context: Context, law: str = "stationary", length: fmpq | int = 1) -> Iterator[TDProblem]:
    """The random exact problems of the profile.

    Args:
        context: budget and randomness.
        law: state law of the samples.
        length: bound on the norm of a feature vector.
    """
    for point in rational_points(context):
        yield td_problem(point.exact(), law, length)


def form_evidence(quantity: str, matrix: Matrix, tried: Iterable[TDProblem], *, corroborates: bool = False) -> Evidence:
    """Evidence that a form is nonnegative for every theta, on every problem tried.

    Args:
        quantity: the form in words.
        matrix: the symmetric matrix of a problem.
        tried: the problems, small ones first.
        corroborates: whether it only supports other pieces.

    Returns:
        Evidence whose measured value is the least value found (0 where the form is nonnegative), with the first
        violating problem and direction as witness.
    """
    worst, witness, count = fmpq(0), None, 0
    for problem in tried:
        direction, value = negative_direction(matrix(problem))
        count += 1
        if direction is None:
            continue
        worst = min(worst, value)
        if witness is None:
            witness = Witness(
                f"the first problem found; at this direction the form is {value}",
                {
                    "(a,s') given s": problem.transitions, "law": problem.law, "gamma": problem.gamma, "r": problem.r,
                    "phi": problem.phi, "theta*": problem.theta_star, "direction": direction, "form": value,
                },
            )  # fmt: skip
    return exact_evidence(
        quantity, worst, 0, Relation.AT_LEAST, instances=count, witness=witness, corroborates=corroborates
    )


def negative_direction(matrix: np.ndarray) -> tuple[np.ndarray | None, fmpq]:
    """A vector at which a symmetric form is negative, by exact symmetric elimination.

    Args:
        matrix: symmetric, exact, (n, n).

    Returns:
        The vector and the form there, or None and 0 if the form is positive semidefinite, the vector (n,).
    """
    n = len(matrix)
    if n == 0:
        return None, fmpq(0)
    pivot, rest = matrix[0, 0], matrix[0, 1:]
    direction = rational_array(np.zeros(n, dtype=int))
    if pivot < 0:
        direction[0] = fmpq(1)
        return direction, pivot
    if pivot == 0:
        coupled = next((j for j in range(n - 1) if rest[j] != 0), None)
        if coupled is not None:  # along the first axis the form is linear: go far enough to make it -1
            direction[0] = -(matrix[coupled + 1, coupled + 1] + 1) / (2 * rest[coupled])
            direction[coupled + 1] = fmpq(1)
            return direction, fmpq(-1)
        below, value = negative_direction(matrix[1:, 1:])
        shift = fmpq(0)
    else:
        below, value = negative_direction(matrix[1:, 1:] - np.outer(rest, rest) / pivot)
        shift = fmpq(0) if below is None else -(rest @ below) / pivot
    if below is None:
        return None, fmpq(0)
    return np.concatenate([[shift], below]), value
