"""Small exact problems that statements of zeng2022 share, and the objectives of Eq. (7), summed sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from flint import fmpq

from mdp.exact import Exact, Law
from mdp.linear import rational_array
from mdp.rational import RationalPoint
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.identities import problem_witness


def tabular(point: RationalPoint) -> RationalPoint:
    """The same problem with one indicator per state and per pair, so that V and r_bar are represented exactly.

    Args:
        point: the problem.
    """
    S, A, _ = point.P.shape
    return replace(
        point, phi_state=np.eye(S, dtype=int), phi_joint=np.eye(S * A, dtype=int).reshape(S, A, S * A)
    )


def two_rooms(*, flipped: bool, probability: fmpq | None = None) -> RationalPoint:
    """Two rooms between which the agent moves whatever it does; one parameter, the logit of action 0 in both rooms.

    ``P = (1/2, 1/2; 1/4, 3/4)`` for both actions, start in room 0, gamma = 1/2. By hand: mu = (1/3, 2/3) and
    d = (5/7, 2/7). Action 0 earns 1 in room 0; in room 1 it earns 1 as well, or (flipped) action 1 does. The score
    is 1 - p and -p with p = pi(0), so a room adds ``p (1 - p)`` to the direction, with the other sign if flipped.

    Args:
        flipped: whether the rooms want different actions.
        probability: p; 1/2 by default.
    """
    p = fmpq(1, 2) if probability is None else probability
    first, second = [fmpq(1, 2), fmpq(1, 2)], [fmpq(1, 4), fmpq(3, 4)]
    return tabular(
        RationalPoint(
            P=[[first, first], [second, second]],
            r=[[[1, 0], [0, 1] if flipped else [1, 0]]],
            initial=[1, 0],
            gamma=fmpq(1, 2),
            tables=([[p, 1 - p], [p, 1 - p]],),
            psi=([[[1], [0]], [[1], [0]]],),
            phi_state=[[1], [1]],
            phi_joint=[[[1], [0]], [[1], [0]]],
        )
    )


def two_teammates() -> RationalPoint:
    """One state, two agents with one action each that earn 1 and 0; constant features; gamma = 1/2.

    No parameter has any effect, so what holds here holds for every theta. By hand: lambda_1 = 1, lambda_2 = 0 and
    lambda* = 1/2; omega_1 = 2, omega_2 = 0 and omega* = 1.
    """
    return RationalPoint(
        P=[[[1]]], r=[[[1]], [[0]]], initial=[1], gamma=fmpq(1, 2), tables=([[1]], [[1]]), psi=([[[0]]], [[[0]]]),
        phi_state=[[1]], phi_joint=[[[1]]],
    )


def three_cycle() -> RationalPoint:
    """Three states on a lazy one-way cycle, one action, tabular critic: the smallest chain that is not reversible.

    Each state stays or moves on with probability 1/2; mu = (1/3, 1/3, 1/3), gamma = 1/2, r = (1, 0, 0).
    """
    half = fmpq(1, 2)
    return tabular(
        RationalPoint(
            P=[[[half, half, 0]], [[0, half, half]], [[half, 0, half]]], r=[[[1], [0], [0]]], initial=[1, 0, 0],
            gamma=half, tables=([[1]] * 3,), psi=([[[0]]] * 3,), phi_state=[[1], [0], [0]],
            phi_joint=[[[1]], [[0]], [[0]]],
        )
    )


def first_violation(
    quantity: str,
    points: Iterable[RationalPoint],
    residual: Callable[[RationalPoint], np.ndarray | fmpq],
    summary: str = "the first problem found",
    show: Callable[[RationalPoint], dict[str, object]] = lambda point: {},
) -> Evidence:
    """Largest residual over given exact problems; it must be zero.

    Args:
        quantity: the residual in words.
        points: problems, those that make good witnesses first.
        residual: one or more exact residuals of a problem.
        summary: what the witness is; its residual is added.
        show: further values of the witness.

    Returns:
        Evidence with the first violating problem as witness, if there is one.
    """
    worst, count = fmpq(0), 0
    witness: Witness | None = None
    for point in points:
        size = max((abs(x) for x in np.asarray(residual(point), dtype=object).ravel()), default=fmpq(0))
        count += 1
        if size != 0 and witness is None:
            witness = problem_witness(point, f"{summary}; the largest residual here is {size}", **show(point))
        worst = max(worst, size)
    return exact_evidence(quantity, worst, 0, Relation.EQUAL, instances=count, witness=witness)


def td_error_objective(view: Exact, reward: np.ndarray, omega: np.ndarray, law: Law = "stationary") -> fmpq:
    """Eq. (7a) or one term of (7b): ``E (r + gamma phi(s').omega - phi(s).omega)^2``, sample by sample.

    Args:
        view: exact quantities.
        reward: r_bar or one agent's reward, (S, A).
        omega: critic, (K,).
        law: state law of the samples.
    """
    total = fmpq(0)
    for s, a, t in np.ndindex(*view.P.shape):
        weight = view.law(law)[s] * view.pi[s, a] * view.P[s, a, t]
        total += weight * (reward[s, a] + (view.gamma * view.phi_state[t] - view.phi_state[s]) @ omega) ** 2
    return total


def bellman_objective(view: Exact, omega: np.ndarray) -> fmpq:
    """Mean squared Bellman error: the same with the expectation over a and s' inside the square.

    Args:
        view: exact quantities.
        omega: critic, (K,).
    """
    total = fmpq(0)
    S, A, _ = view.P.shape
    for s in range(S):
        inside = -(view.phi_state[s] @ omega)
        for a, t in np.ndindex(A, S):
            target = view.r_bar[s, a] + view.gamma * (view.phi_state[t] @ omega)
            inside += view.pi[s, a] * view.P[s, a, t] * target
        total += view.stationary[s] * inside**2
    return total


def quadratic_gradient(objective: Callable[[np.ndarray], fmpq], point: np.ndarray) -> np.ndarray:
    """Gradient of a quadratic by central differences, which are exact for quadratics.

    Args:
        objective: quadratic function of a vector.
        point: where, (K,), rationals.
    """
    steps = rational_array(np.eye(len(point), dtype=int))
    return rational_array([(objective(point + e) - objective(point - e)) / 2 for e in steps])


def trial_points(size: int) -> list[np.ndarray]:
    """Exact parameters at which quadratics are compared: ones, zero, unequal integers, unequal fractions.

    Args:
        size: length.
    """
    ramp: Any = rational_array(np.arange(1, size + 1))
    return [ramp * 0 + 1, ramp * 0, ramp, (1 - ramp) / 2 + fmpq(7, 6)]
