"""The environment behind `mdp.io.to_pettingzoo`; importing this module needs pettingzoo and gymnasium."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from pettingzoo import ParallelEnv

from mdp.model import FiniteMDP


class FiniteMDPEnv(ParallelEnv):
    """A FiniteMDP as a PettingZoo environment; see `mdp.io.to_pettingzoo` for what agents see and earn.

    Args:
        mdp: the dynamics and rewards.
        max_steps: truncate episodes there; None never does.
        seed: generator seed until `reset` gives another.

    Raises:
        ValueError: max_steps below one.

    Source: PettingZoo documentation, Parallel API.
    """

    def __init__(self, mdp: FiniteMDP, *, max_steps: int | None = None, seed: int = 0) -> None:
        if max_steps is not None and max_steps < 1:
            raise ValueError(f"max_steps is {max_steps}; an episode has at least one step")
        self.metadata = {"name": mdp.name or "finite_mdp", "render_modes": []}
        self.render_mode = None
        self.mdp, self.max_steps = mdp, max_steps
        self.possible_agents = [f"agent_{i}" for i in range(mdp.n_agents)]
        self.agents: list[str] = []
        self.observation_spaces = {agent: Discrete(mdp.n_states) for agent in self.possible_agents}
        self.action_spaces = {
            agent: Discrete(n) for agent, n in zip(self.possible_agents, mdp.n_actions, strict=True)
        }
        self._kernel_cdf, self._initial_cdf = mdp.P.cumsum(axis=-1), mdp.initial.cumsum()
        self._rng = np.random.default_rng(seed)
        self._state, self._steps = 0, 0

    def observation_space(self, agent: str) -> Discrete:
        """State indices, ``Discrete(S)``.

        Args:
            agent: its name.
        """
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Discrete:
        """Local actions, ``Discrete(A_i)``.

        Args:
            agent: its name.
        """
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.int64], dict[str, dict[str, Any]]]:
        """Start an episode in a state drawn from the initial law.

        Args:
            seed: new generator seed; without it the generator goes on.
            options: ignored, as the API allows.

        Returns:
            Observations and (empty) infos of every agent.
        """
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self.agents = self.possible_agents[:]
        self._steps, self._state = 0, self._draw(self._initial_cdf)
        return self._observations(), {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, int]
    ) -> tuple[
        dict[str, np.int64], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
    ]:
        """One transition of the MDP under the agents' joint action.

        Args:
            actions: the local action of every agent.

        Returns:
            Observations, local rewards, terminations (never), truncations and infos, by agent.

        Raises:
            ValueError: no episode is running, an agent without an action, or one outside its space.
        """
        if not self.agents:
            raise ValueError("no episode is running: call reset first")
        local = []
        for agent in self.agents:
            if agent not in actions or not self.action_spaces[agent].contains(actions[agent]):
                raise ValueError(f"{agent} plays {actions.get(agent)!r}, not in {self.action_spaces[agent]}")
            local.append(int(actions[agent]))
        joint = int(np.ravel_multi_index(local, self.mdp.n_actions))
        rewards = self.mdp.r[:, self._state, joint]
        if self.mdp.reward_noise == "gumbel":
            rewards = rewards + self._rng.gumbel(size=len(local)) - np.euler_gamma
        self._state = self._draw(self._kernel_cdf[self._state, joint])
        self._steps += 1
        over = self.max_steps is not None and self._steps >= self.max_steps
        acting, observations = self.agents, self._observations()
        if over:
            self.agents = []
        return (
            observations,
            {agent: float(reward) for agent, reward in zip(acting, rewards, strict=True)},
            dict.fromkeys(acting, False),
            dict.fromkeys(acting, over),
            {agent: {} for agent in acting},
        )

    def state(self) -> np.ndarray:
        """The state index, shape (1,)."""
        return np.array([self._state])

    def render(self) -> None:
        """Nothing to draw."""

    def close(self) -> None:
        """Nothing to release."""

    def _observations(self) -> dict[str, np.int64]:
        return {agent: np.int64(self._state) for agent in self.agents}

    def _draw(self, cdf: np.ndarray) -> int:
        # scaling by the last entry: a sum of 1 - 1e-16 must not leave room past the last state
        return int(np.searchsorted(cdf, self._rng.random() * cdf[-1], side="right"))
