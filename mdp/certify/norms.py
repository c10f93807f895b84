"""Ball forms of the norms and distances of `mdp.approximation`: roots, maxima and best fits."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb

from mdp.approximation import Solution, Target, Weighting, _chebyshev_fit
from mdp.enclose.arithmetic import ball_array, largest, square_root
from mdp.enclose.view import BallView
from mdp.exact import Law


def approximation_norm(view: BallView, target: Target, weighting: Weighting, solution: Solution = "best") -> Any:
    """Ball form of the norm in `mdp.approximation.approximation_error`.

    Args:
        view: ball twin.
        target: ``"critic"`` or ``"reward"``.
        weighting: the norm.
        solution: ``"best"`` or a lower-level solution.

    Raises:
        ArithmeticError: the best sup-norm fit has a degenerate reference set.
    """
    weight = np.array([arb(1)] * len(view.initial), dtype=object) if weighting == "sup" else view.law(weighting)
    if target == "critic":
        design, values = view.phi_state, view.V
    else:
        design, values = view.phi_joint.reshape(-1, view.phi_joint.shape[2]), view.r_bar.ravel()
        weight = (weight[:, None] * view.pi).ravel()
    if solution == "best" and weighting == "sup":
        return best_sup_error(view, design, values)
    if solution == "best":
        weighted = design * weight[:, None]
        parameters = view.solve(weighted.T @ design, weighted.T @ values)
    else:
        parameters = getattr(view, solution)
    residual = design @ parameters - values
    if weighting == "sup":
        return largest(abs(x) for x in residual)
    return square_root((weight * residual * residual).sum())


def best_sup_error(view: BallView, design: np.ndarray, values: np.ndarray) -> Any:
    """Least sup-norm residual, between a levelled fit (above) and its dual weights (below).

    On K + 1 rows let ``design x + t sign = values``, and z with ``z^T design = 0``, ``z . sign = 1``. Then x has some
    largest residual, and for every other x' the residual is at least ``|z . values| / |z|_1``. The two meet when
    the rows are those of the optimum. Rows and signs come from a float linear program; nothing depends on them
    but the width.

    Args:
        view: ball twin, for its linear solver.
        design: (n, K) balls, of full column rank.
        values: (n,) balls.

    Raises:
        ArithmeticError: the K + 1 rows of largest residual are degenerate.

    Source: Cheney (1982), Introduction to Approximation Theory, Ch. 2 (de la Vallee Poussin's bound).
    """
    n, K = design.shape
    if n <= K:
        return arb(0)
    floats, heights = _midpoints(design), _midpoints(values)
    residual = heights - floats @ _chebyshev_fit(floats, heights)
    rows = np.sort(np.argsort(-np.abs(residual), kind="stable")[: K + 1])
    sign = np.array([arb(1 if residual[k] >= 0 else -1) for k in rows], dtype=object)
    system = np.concatenate([design[rows], sign[:, None]], axis=1)
    fit = view.solve(system, values[rows])[:K]
    unit = np.array([arb(0)] * K + [arb(1)], dtype=object)
    z = view.solve(system.T, unit)
    above = largest(abs(x) for x in design @ fit - values)
    below = abs((z * values[rows]).sum()) / sum((abs(x) for x in z), arb(0))
    return below.nonnegative_part().union(above)


def _midpoints(array: np.ndarray) -> np.ndarray:
    out = np.empty(array.shape)
    for index, ball in np.ndenumerate(array):
        out[index] = float(ball.mid())
    return out


def mismatch(view: BallView, part: str) -> Any:
    """Ball form of one field of `mdp.approximation.sampling_mismatch`.

    Args:
        view: ball twin.
        part: name of the field.

    Raises:
        ArithmeticError: a chi distance whose law cannot be told from one with a zero.
    """
    mu, d = view.stationary, view.visitation
    gap = np.array([abs(x) for x in d - mu], dtype=object)
    if part == "total_variation":
        return gap.sum() / 2
    if part == "sup_norm":
        return largest(gap)
    if part == "ratio":
        return largest(gap / mu)
    law = {"chi_stationary": mu, "chi_visitation": d}[part]
    if not all(x > 0 for x in law):
        raise ArithmeticError(f"{part} divides by a probability that cannot be told from zero")
    return square_root((gap * gap / law).sum())


def bias_bound(view: BallView, law: Law, part: str) -> Any:
    """Ball form of one of the two bounds of `mdp.approximation.bias_bounds`.

    Args:
        view: ball twin.
        law: state law of the actor's samples.
        part: ``"approximation"`` or ``"sampling"``.
    """
    if part == "approximation":
        reach = largest(norm(row) for score in view.scores for row in score.reshape(-1, score.shape[2]))
        reward = approximation_norm(view, "reward", "visitation", "lambda_star")
        critic = approximation_norm(view, "critic", "visitation", "omega_td")
        return reach * (reward + 2 * critic)
    if law == "visitation":
        return arb(0)
    values = view.phi_state @ view.omega_td
    model = view.phi_joint @ view.lambda_star + view.gamma * (view.P @ values) - values[:, None]
    starts = ball_array(np.eye(len(view.initial), dtype=int))
    sizes = largest(norm(row) for start in starts for row in view.score_expectation(start, model))
    return 2 * mismatch(view, "total_variation") * sizes


def norm(vector: np.ndarray) -> Any:
    """Euclidean norm of a vector of balls.

    Args:
        vector: (n,) balls.
    """
    return square_root(sum((x * x for x in vector), arb(0)))
