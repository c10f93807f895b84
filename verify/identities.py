"""Identities and inequalities tried on families of random problems, in floats and in exact rationals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from flint import fmpq

from mdp.exact import Exact, exact
from mdp.families import random_problem, random_rational_point
from mdp.problem import Problem
from mdp.rational import RationalPoint
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence

FLOAT_TOLERANCE = 1e-10
"""Largest residual of an identity in double precision, for rewards of order one and gamma up to 0.99."""

SIZES = ((1, (2,)), (2, (2,)), (2, (2, 2)), (3, (2, 2)), (3, (3, 2)))
"""States and actions per agent of the exact families, smallest first, so that the first violation is small."""


def rational_points(context: Context, *, point_start: bool = False, smallest: int = 0) -> Iterator[RationalPoint]:
    """Exact random problems, from small to large, `n_rational` in all.

    Args:
        context: budget and randomness.
        point_start: start in one state, as zhang2025 does.
        smallest: how many of the smallest sizes to leave out.
    """
    rng = context.rng(1)
    sizes = SIZES[smallest:]
    per_size = -(-context.profile.n_rational // len(sizes))
    for k in range(context.profile.n_rational):
        n_states, n_actions = sizes[k // per_size]
        yield random_rational_point(
            rng, n_states=n_states, n_actions=n_actions, largest=2 + 4 * (k % per_size) // per_size,
            point_start=point_start,
        )


def exact_identity(
    context: Context, quantity: str, residual: Callable[[RationalPoint], np.ndarray | fmpq], **family: bool | int
) -> Evidence:
    """Largest residual of an identity over exact problems; it must be zero.

    Args:
        context: budget and randomness.
        quantity: the residual in words.
        residual: maps a problem to one or more exact residuals.
        **family: options of `rational_points`.

    Returns:
        Evidence with the first violating problem as witness, if there is one.
    """
    worst, witness, count = fmpq(0), None, 0
    for point in rational_points(context, **family):  # type: ignore[arg-type]
        size = max((abs(x) for x in np.asarray(residual(point), dtype=object).ravel()), default=fmpq(0))
        count += 1
        if size != 0 and witness is None:
            witness = problem_witness(point, f"the smallest problem found; here the residual is {size}")
        worst = max(worst, size)
    return exact_evidence(quantity, worst, 0, Relation.EQUAL, instances=count, witness=witness)


def float_identity(
    context: Context, quantity: str, residual: Callable[[Exact, Problem, np.ndarray], float | np.ndarray]
) -> Evidence:
    """Largest residual of an identity over random problems in double precision.

    Args:
        context: budget and randomness.
        quantity: the residual in words.
        residual: maps exact quantities, problem and theta to one or more residuals.
    """
    rng = context.rng(2)
    problems = (random_problem(rng) for _ in range(context.profile.n_float))
    worst = largest(np.max(np.abs(residual(exact(p, theta), p, theta))) for p, theta in problems)
    return exact_evidence(
        quantity, worst, FLOAT_TOLERANCE, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=context.profile.n_float,
        corroborates=True,
    )


def largest(values: Iterable[float]) -> float:
    """The largest of at least one value; a NaN or infinity is an error, not something a maximum may skip.

    Args:
        values: numbers.

    Raises:
        ValueError: no values, or one that is not finite.
    """
    worst = -np.inf
    for k, value in enumerate(values):
        if not np.isfinite(value):
            raise ValueError(f"value {k} is {value}; a check over instances needs finite numbers")
        worst = max(worst, float(value))
    if worst == -np.inf:
        raise ValueError("the largest of no values")
    return worst


def problem_witness(point: RationalPoint, summary: str, **more: object) -> Witness:
    """A witness that shows the whole problem.

    Features of the policies are shown where a further value is about their parameters, one number for each agent and
    parameter, and they are not tabular (a logit for each state and action).

    Args:
        point: the problem.
        summary: what it shows.
        **more: further values to print.
    """
    values: dict[str, object] = {"P[s,a,s']": point.P, "r[i,s,a]": point.r, "initial": point.initial}
    values["gamma"] = point.gamma
    for i, table in enumerate(point.tables):
        values[f"pi_{i}(a|s)"] = table
    parameters = (len(point.psi), point.psi[0].shape[2])
    if any(getattr(value, "shape", ()) == parameters for value in more.values()) and not _tabular(point):
        values |= {f"psi_{i}(s,a)": psi for i, psi in enumerate(point.psi)}
    return Witness(summary, {**values, **more})


def _tabular(point: RationalPoint) -> bool:
    """Whether every state and action has a logit of its own, the first one for action 0 of state 0."""
    S, widest = len(point.initial), max(point.n_actions)
    logits = np.eye(S * widest, dtype=int).reshape(S, widest, S * widest)
    return all(
        psi.shape[2] == S * widest and bool((psi == logits[:, : psi.shape[1]]).all()) for psi in point.psi
    )


def misalignment(direction: np.ndarray, gradient: np.ndarray) -> fmpq:
    """How far a direction is from a positive multiple of the gradient: 0 aligned, 1 zero or orthogonal, 2 opposed.

    ``1 - cos |cos|``, with cos = 0 for a zero direction: exact for rational input, unlike the cosine itself.

    Args:
        direction: (N, D).
        gradient: (N, D), not zero.
    """
    inner, length = (direction * gradient).sum(), (direction**2).sum()
    if length == 0:
        return fmpq(1)
    squared = inner**2 / (length * (gradient**2).sum())
    return 1 - squared if inner > 0 else 1 + squared
