"""The optimum of a large MDP over all joint policies, with a certificate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mdp.large._kernels import _maximise
from mdp.large.blocks import thread_count
from mdp.large.operator import MatrixOperator
from mdp.large.protocol import LargeMDP, over_pairs
from mdp.large.rewards import _without_repeats
from mdp.large.solvers import EPSILON, TOLERANCE, ConvergenceError, solve_along_paths, solve_discounted

POLICY_ITERATIONS = 10_000
"""Most rounds of policy iteration; ours: improvement is strict, so only a defect would come near."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """Optimal values over all joint policies, with a certificate.

    Attributes:
        J: initial law's expectation of `V`.
        V: values of `actions`, (S,).
        actions: joint action of each state, (S,), agent 0 slowest.
        residual: ``max_s |T V - V|`` for the Bellman optimality operator T.
        error: bound on ``max_s |V - V*|``, hence on ``|J - J*|`` up to the mean's rounding:
            (residual + its rounding) / (1 - gamma).
        rounds: policy improvements made.
    """

    J: float
    V: Float[np.ndarray, " S"]
    actions: Int[np.ndarray, " S"]
    residual: float
    error: float
    rounds: int


def optimum(mdp: LargeMDP, *, tolerance: float = TOLERANCE, workers: int | None = None) -> Optimum:
    """Policy iteration: J* with an optimal deterministic joint policy.

    A policy is evaluated along its paths when its moves are deterministic, else by `solve_discounted`; an action
    is changed only for a gain above the rounding, so that every round improves strictly and the loop ends. The
    result is certified by ``|V - V*| <= max |T V - V| / (1 - gamma)``, which needs no trust in the loop.

    Args:
        mdp: the problem.
        tolerance: error asked of policy evaluation.
        workers: threads; all processors of this process if None.

    Raises:
        ConvergenceError: no end after `POLICY_ITERATIONS` rounds.

    Source: Puterman (1994), Markov Decision Processes, Sec. 6.4; the bound is the contraction of T by gamma.
    """
    threads, S = thread_count(workers), mdp.n_states
    row = mdp.row_width
    largest = float(np.abs(_without_repeats(mdp.r_bar)).max())
    V, actions = np.zeros(S), np.full(S, -1, dtype=np.int64)
    for rounds in range(POLICY_ITERATIONS):
        rounding = (row + 3) * EPSILON * (largest + 2.0 * float(np.abs(V).max()))
        # evaluation leaves V an error of tolerance times the scale: gains below it are not gains
        best, improved = _improve(mdp, V, actions, 4.0 * rounding + 2.0 * tolerance * largest, threads)
        residual = float(np.abs(best - V).max())
        if (improved == actions).all():
            error = (residual + rounding) / (1.0 - mdp.gamma)
            return Optimum(float((mdp.initial * V).sum()), V, actions, residual, error, rounds)
        actions = improved
        V = _evaluate(mdp, actions, V if rounds else None, tolerance, threads)
    raise ConvergenceError(f"policy iteration did not settle in {POLICY_ITERATIONS} rounds")


def _improve(
    mdp: LargeMDP, V: np.ndarray, actions: np.ndarray, slack: float, workers: int
) -> tuple[np.ndarray, np.ndarray]:
    """``T V`` and a greedy policy that keeps `actions` where the gain is below `slack`."""
    best, improved = np.empty(len(V)), np.empty_like(actions)
    over_pairs(mdp, lambda q, low: _maximise(q, actions, slack, best, improved, low), V, workers)
    return best, improved


def _evaluate(
    mdp: LargeMDP, actions: np.ndarray, start: np.ndarray | None, tolerance: float, workers: int
) -> np.ndarray:
    """Values of a deterministic joint policy."""
    matrix, S = mdp.chosen(actions), mdp.n_states
    reward = mdp.r_bar[np.arange(S), actions]
    if (np.diff(matrix.indptr) == 1).all():
        return solve_along_paths(matrix.indices, mdp.gamma * matrix.data, reward)
    operator = MatrixOperator(matrix, workers, matrix.nnz)
    return solve_discounted(
        operator.apply, reward, mdp.gamma, norm="sup", tolerance=tolerance,
        additions=mdp.row_width, start=start,
    ).x  # fmt: skip
