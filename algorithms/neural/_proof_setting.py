"""What the lines of the proof of zhang2025 Theorem 5.10 are made of, in one outer iteration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algorithms.neural.loop import Steps
from algorithms.neural.network import CriticNetwork
from algorithms.neural.oracles import BatchLaw, batch_law, signals
from algorithms.neural.readings import Reading
from mdp.exact import Exact
from mdp.problem import Problem


@dataclass(frozen=True, eq=False)
class Critics:
    """Values of every agent's critic, of W-bar, of V-bar and of W*; weights of the agents and of V-bar."""

    agents: np.ndarray
    average: np.ndarray
    central: np.ndarray
    star: np.ndarray
    weights: np.ndarray
    central_weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Setting:
    problem: Problem
    reading: Reading
    steps: Steps
    network: CriticNetwork
    gossip: np.ndarray
    view: Exact
    restart: Exact

    @property
    def n_agents(self) -> int:
        return len(self.gossip)

    @property
    def rate(self) -> float:
        """``1 - eta^(N-1)`` to the power t_gossip."""
        eta = self.problem.schedule.min_weight
        return float((1 - eta ** (self.n_agents - 1)) ** self.steps.gossip_rounds)

    def epsilon(self, star: np.ndarray) -> float:
        """Largest error of the critic at W* against the Q that it aims at."""
        aim = self.restart if self.reading.target_kernel == "restart" else self.view
        return sup(star - aim.Q)

    def td_bound(self, star: np.ndarray) -> float:
        """C of (29): ``((1 + gamma)/(1 - gamma) + 1) r_max + 2 eps_critic``."""
        gamma, largest = float(self.view.gamma), float(self.problem.mdp.r.max())
        return ((1 + gamma) / (1 - gamma) + 1) * largest + 2 * self.epsilon(star)

    @property
    def td_slope(self) -> float:
        """Largest change of the actor's signal per change of the critic's values: 1 + gamma for line 9's form."""
        if self.reading.actor_signal == "q":
            return 1.0
        return 1 + float(self.view.gamma) if self.reading.td_form in ("q", "v") else 2.0

    def delta(self, values: np.ndarray) -> np.ndarray:
        return signals(values, self.view, self.restart, self.reading)

    def batch(self, delta: np.ndarray, mixing: np.ndarray | None = None) -> BatchLaw:
        return batch_law(delta, self.view, self.restart, self.reading, mixing)


def sup(table: np.ndarray) -> float:
    return float(np.abs(table).max())
