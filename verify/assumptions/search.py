"""Searches over theta and over policies that the checks share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mdp.exact import Exact, exact
from mdp.model import FiniteMDP
from mdp.policy import Policy
from mdp.problem import Problem

SPREADS = (0.3, 1.0, 3.0, 10.0)
"""Standard deviations of theta in the searches; ours: from nearly uniform to nearly deterministic policies."""

WORK_LIMIT = 2_000_000
"""Largest S A N D (entries of the joint scores) for which thetas are searched; ours: milliseconds per theta."""

VISITATION_WORK = 2_000_000_000
"""Multiplications that the least visitation may cost; ours: a second or two."""


@dataclass(frozen=True, eq=False)
class Setting:
    """A problem with everything that a check may need.

    Attributes:
        problem: the problem, its policy class included.
        seed: of the searches.
        draws: thetas per spread.
    """

    problem: Problem
    seed: int = 0
    draws: int = 20

    @property
    def mdp(self) -> FiniteMDP:
        """The problem's MDP."""
        return self.problem.mdp

    @property
    def searchable(self) -> bool:
        """Whether joint scores are small enough for a search over theta (`WORK_LIMIT`)."""
        mdp, policy = self.mdp, self.problem.policy
        return mdp.n_states * mdp.n_joint_actions * mdp.n_agents * policy.n_parameters <= WORK_LIMIT

    @cached_property
    def thetas(self) -> list[np.ndarray]:
        """Random thetas (N, D) at every spread, the same for the same seed; none if the problem is not searchable."""
        if not self.searchable:
            return []
        rng, shape = np.random.default_rng(self.seed), (self.mdp.n_agents, self.problem.policy.n_parameters)
        return [spread * rng.normal(size=shape) for spread in SPREADS for _ in range(self.draws)]

    @cached_property
    def views(self) -> list[Exact]:
        """Exact quantities at `thetas`."""
        return [exact(self.problem, theta) for theta in self.thetas]


def score_norm(policy: Policy, theta: np.ndarray) -> float:
    """Largest norm of the joint score over states and actions: agents' scores are orthogonal blocks.

    Args:
        policy: the policy class.
        theta: parameters, (N, D).
    """
    squares = [(score**2).sum(axis=2).max(axis=1) for score in policy.log_jacobian(theta)]
    return float(np.sqrt(np.sum(squares, axis=0).max()))


def least_visitation(mdp: FiniteMDP, common: float = 0.0) -> np.ndarray:
    """Least visitation of each state over policies that leave a mass `common` to the uniform law.

    Such policies are ``common / A + (1 - common) pi'`` for any pi'. The least occupancy of a state is the optimum of
    a control problem with the cost ``1{s = target}``; value iteration from zero stays below it at every
    sweep.

    Args:
        mdp: the MDP.
        common: mass in [0, 1]: ``A min_a pi(a|s)`` for a class with probabilities bounded below.

    Returns:
        Lower bounds, shape (S,).

    Raises:
        ValueError: common outside [0, 1].
    """
    if not 0 <= common <= 1:
        raise ValueError(f"common is {common}; it is a mass in [0, 1]")
    target = np.eye(mdp.n_states)
    V = np.zeros_like(target)
    work, rows = mdp.P.size * mdp.n_states, mdp.P.reshape(-1, mdp.n_states)
    # gamma^k below 1e-17 if that is affordable; fewer sweeps give a smaller, still valid bound
    for _ in range(min(int(np.ceil(40 / (1 - mdp.gamma))), 20 + VISITATION_WORK // work)):
        ahead = (rows @ V).reshape(mdp.P.shape)  # (S, A, S): all targets side by side
        V = target + mdp.gamma * (common * ahead.mean(axis=1) + (1 - common) * ahead.min(axis=1))
    least: np.ndarray = (1 - mdp.gamma) * (mdp.initial @ V)
    return least
