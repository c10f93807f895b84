"""Episodes of fixed length: exact values of a policy and the exact optimum, by backward recursion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mdp.large._kernels import _maximise
from mdp.large.blocks import thread_count
from mdp.large.protocol import LargeMDP, over_pairs
from mdp.large.solvers import EPSILON
from mdp.large.view import SparseExact

EPISODE = 10
"""Steps between two resets to random positions. Source: zhang2025 App. D.1."""


@dataclass(frozen=True, eq=False)
class Episode:
    """Exact values of an episode of fixed length.

    Attributes:
        horizon: number of rewards in it.
        discount: factor between two rewards; 1 for their plain sum.
        V: expected (discounted) sum of rewards from each state, (S,).
        J: its mean under the initial law (the law of the resets).
        error: bound on ``max_s |V - V_true|`` from rounding, the only error of a finite recursion.
        actions: optimal joint action at each step and state, (horizon, S); None for a given policy.
    """

    horizon: int
    discount: float
    V: Float[np.ndarray, " S"]
    J: float
    error: float
    actions: Int[np.ndarray, "H S"] | None = None

    @property
    def mean_reward(self) -> float:
        """Long-run reward per step when episodes follow each other, for ``discount = 1``.

        Raises:
            ValueError: the episode is discounted.
        """
        if self.discount != 1.0:
            raise ValueError(f"discount is {self.discount:g}; the reward per step is that of the plain sum, discount 1")
        return self.J / self.horizon

    @property
    def J_repeated(self) -> float:
        """Discounted return of episodes without end: ``J / (1 - discount^horizon)``, as each starts afresh.

        Raises:
            ValueError: the episode is not discounted.
        """
        if self.discount >= 1.0:
            raise ValueError("discount is 1; the sum over episodes without end diverges")
        return self.J / (1.0 - self.discount**self.horizon)


def episode(view: SparseExact, horizon: int = EPISODE, *, discount: float = 1.0) -> Episode:
    """Exact value of an episode under the view's policy: ``V_h = r_pi + discount P_pi V_{h+1}``, ``V_H = 0``.

    Args:
        view: the problem at a policy.
        horizon: H, the steps between two resets.
        discount: factor between two rewards, in (0, 1].

    Raises:
        ValueError: horizon below 1 or discount outside (0, 1].

    Source: Puterman (1994), Markov Decision Processes, Sec. 4.2.
    """
    _require_horizon(horizon, discount)
    V = np.zeros(view.mdp.n_states)
    for _ in range(horizon):
        V = view.r_pi + discount * view.operator.apply(V)
    terms, _ = view.operator.additions
    return Episode(horizon, discount, V, _mean(view.mdp, V), _rounding(view.mdp, horizon, terms))


def episode_optimum(
    mdp: LargeMDP, horizon: int = EPISODE, *, discount: float = 1.0, workers: int | None = None
) -> Episode:
    """Exact optimum of an episode over all (time-dependent) joint policies, by backward recursion.

    Args:
        mdp: the problem.
        horizon: H, the steps between two resets.
        discount: factor between two rewards, in (0, 1].
        workers: threads; all processors of this process if None.

    Raises:
        ValueError: horizon below 1 or discount outside (0, 1].

    Source: Puterman (1994), Markov Decision Processes, Sec. 4.5.
    """
    _require_horizon(horizon, discount)
    S, threads = mdp.n_states, thread_count(workers)
    V, none = np.zeros(S), np.full(S, -1, dtype=np.int64)
    actions = np.empty((horizon, S), dtype=np.int32)
    for step in range(horizon - 1, -1, -1):
        V = _backup(mdp, V, none, actions[step], threads, discount)
    return Episode(horizon, discount, V, _mean(mdp, V), _rounding(mdp, horizon, mdp.row_width), actions)


def _backup(
    mdp: LargeMDP, V: np.ndarray, none: np.ndarray, actions: np.ndarray, threads: int, discount: float
) -> np.ndarray:
    best = np.empty(len(V))
    over_pairs(mdp, lambda q, low: _maximise(q, none, 0.0, best, actions, low), V, threads, discount=discount)
    return best


def _require_horizon(horizon: int, discount: float) -> None:
    if horizon < 1:
        raise ValueError(f"horizon is {horizon}; an episode has at least one step")
    if not 0.0 < discount <= 1.0:
        raise ValueError(f"discount is {discount:g}; that of an episode lies in (0, 1]")


def _mean(mdp: LargeMDP, V: np.ndarray) -> float:
    return float((mdp.initial * V).sum())


def _rounding(mdp: LargeMDP, horizon: int, terms: int) -> float:
    """Each of `horizon` steps adds at most (terms + 3) eps times the size of the values, at most H max |r|."""
    largest = max(float(mdp.r_bar.max()), -float(mdp.r_bar.min()))
    return horizon * (terms + 3) * EPSILON * horizon * largest
