"""Algorithms 1-3 of zhang2025 again, in plain NumPy: the slow twin that the fast kernels are tested against.

Nothing is shared with the kernels but the order of the random draws. First state; then in each outer iteration, for
Algorithm 2: the agents' actions at its first state; for each tuple the successor by the original kernel, one uniform
that decides on a restart (if the reading has any) and a fresh state if it does, a fresh state at the end of an episode,
the noise of the rewards, the actions at s' of the target, and those at the next state where that is another draw. For
the batch: actions at its first state, then the same for each tuple, with the next state's actions before those at the
target's s', which are drawn only where the TD error is the Q-based one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from algorithms.neural.loop import Steps
from algorithms.neural.network import CriticNetwork
from algorithms.neural.readings import Reading
from algorithms.reference import _centred_gumbel, _pick
from mdp.policy import joint_probabilities
from mdp.problem import Problem


@dataclass(eq=False)
class ReferenceRun:
    """A run in progress; `advance` makes one outer iteration.

    Attributes:
        problem: the problem.
        network: the critic; with ``linearised``, its Q-hat_0.
        reading: the reading.
        steps: step sizes and loop lengths.
        gossip: ``A^t_gossip``, (N, N).
        theta: parameters, (N, P).
        rng: of the run.
        linearised: whether the critic is Q-hat_0.
        central_iterations: iterations of Algorithm 3.
        t: outer iterations made.
        zero_directions: steps that were left out because the direction to be normalised was zero.
        earned: sum of the rewards along the run.
        distance: ``||W-bar - V-bar||`` after each outer iteration, decentralised against centralised critic.
    """

    problem: Problem
    network: CriticNetwork
    reading: Reading
    steps: Steps
    gossip: Float[np.ndarray, "N N"]
    theta: Float[np.ndarray, "N P"]
    rng: np.random.Generator
    linearised: bool = False
    central_iterations: int = 0
    t: int = 0
    zero_directions: int = 0
    earned: float = 0.0
    distance: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.theta = np.array(self.theta, dtype=float)
        self.W = np.stack([self.network.W0.ravel()] * self.problem.mdp.n_agents)
        self.central = self.network.W0.ravel().copy()
        self.direction = np.zeros_like(self.theta)
        self._s = _pick(self.rng, self.problem.mdp.initial)
        self._clock = 0

    def advance(self) -> None:
        """One outer iteration of Algorithm 1."""
        self.tables = self.problem.policy.probabilities(self.theta)
        self.pi = joint_probabilities(self.tables)
        self._critic()
        self._batch()
        self._step()
        self.t += 1

    def values(self, W: np.ndarray) -> Float[np.ndarray, "S A"]:
        """Q-hat of every pair.

        Args:
            W: weights, flat.
        """
        evaluate = self.network.linearised if self.linearised else self.network.values
        return evaluate(W).reshape(self.pi.shape)

    def gradient(self, W: np.ndarray, s: int, a: int) -> Float[np.ndarray, " D"]:
        """Gradient of Q-hat(s, a; W).

        Args:
            W: weights, flat.
            s: state.
            a: joint action.
        """
        at = self.network.W0 if self.linearised else W
        row: np.ndarray = self.network.gradients(at)[s * self.pi.shape[1] + a]
        return row

    def _critic(self) -> None:
        N, K, s = len(self.theta), self.steps.critic_iterations, self._s
        warm = self.reading.critic_start == "previous"
        start = self.W if warm else np.stack([self.network.W0.ravel()] * N)
        W, mean = start.copy(), start.copy()
        V = (self.central if warm else self.network.W0.ravel()).copy()
        V_bar = V.copy()
        actions = self._act(s)
        last = s
        for k in range(K):
            last, a = s, self._joint(actions)
            s_target, s_data, _, same = self._move(s, a)
            rewards = self._rewards(s, a)
            target = self._act(s_target)
            actions = target if same else self._act(s_data)
            pair = (s, a, s_target, self._joint(target))
            for i in range(N):
                W[i] = self._td(W[i], rewards[i], pair)
                mean[i] = (k + 1) / (k + 2) * mean[i] + W[i] / (k + 2)
            if k < self.central_iterations:
                V = self._td(V, rewards.mean(), pair)
                V_bar = (k + 1) / (k + 2) * V_bar + V / (k + 2)
            s = s_data
        self._s = last if self.reading.hand_over == "penultimate" else s
        self.W, self.central = self.gossip @ mean, V_bar
        self.distance.append(float(np.linalg.norm(mean.mean(axis=0) - V_bar)))

    def _td(self, W: np.ndarray, reward: float, pair: tuple[int, int, int, int]) -> np.ndarray:
        s, a, s_target, a_target = pair
        Q = self.values(W)
        delta = Q[s, a] - reward - self.problem.mdp.gamma * Q[s_target, a_target]
        return self.network.project(W - self.steps.critic_step * delta * self.gradient(W, s, a), self.steps.radius)

    def _batch(self) -> None:
        N, s = len(self.theta), self._s
        scores = self.problem.policy.log_jacobian(self.theta)
        Q = np.stack([self.values(W) for W in self.W])
        V = (self.pi * Q).sum(axis=2)
        actions = self._act(s)
        self.direction = np.zeros_like(self.theta)
        reading, gamma = self.reading, self.problem.mdp.gamma
        for _ in range(self.steps.batch):
            a = self._joint(actions)
            s_target, s_data, restarted, same = self._move(s, a)
            rewards, following = self._rewards(s, a), self._act(s_data)
            if reading.actor_signal == "q":
                delta = Q[:, s, a]
            elif reading.td_form == "q":
                target = following if same else self._act(s_target)
                delta = Q[:, s, a] - rewards - gamma * Q[:, s_target, self._joint(target)]
            elif reading.td_form == "v":
                delta = V[:, s] - rewards - gamma * V[:, s_target]
            elif reading.td_form == "advantage":
                delta = Q[:, s, a] - V[:, s]
            else:
                delta = rewards + V[:, restarted] - V[:, s]
            delta = -delta if reading.flipped else delta
            mixed = delta if reading.actor_signal == "q" else self.gossip @ delta
            for i in range(N):
                self.direction[i] += mixed[i] * scores[i][s, actions[i]] / self.steps.batch
            s, actions = s_data, following
        self._s = s

    def _step(self) -> None:
        alpha = self.steps.alpha / (self.t + 1) ** self.steps.alpha_exponent
        for i, d in enumerate(self.direction):
            whole = self.reading.normalisation != "agent"
            norm = np.linalg.norm(self.direction if whole else d)
            if norm == 0:
                self.zero_directions += 1
            else:
                self.theta[i] += alpha * d / (1.0 if self.reading.normalisation == "none" else norm)

    def _move(self, s: int, a: int) -> tuple[int, int, int, bool]:
        mdp, reading = self.problem.mdp, self.reading
        kernels = {reading.data_kernel, reading.target_kernel}
        plain = restarted = _pick(self.rng, mdp.P[s, a])
        undiscounted = reading.actor_signal == "td" and reading.td_form == "undiscounted"
        if ("restart" in kernels or undiscounted) and self.rng.random() >= mdp.gamma:
            restarted = _pick(self.rng, mdp.initial)
        states = {"original": plain, "restart": restarted}
        data, same = states[reading.data_kernel], len(kernels) == 1
        self._clock += 1
        if self.steps.episode and self._clock == self.steps.episode:
            data, same, self._clock = _pick(self.rng, mdp.initial), False, 0
        return states[reading.target_kernel], data, restarted, same

    def _rewards(self, s: int, a: int) -> Float[np.ndarray, " N"]:
        mdp = self.problem.mdp
        noise = _centred_gumbel(self.rng, mdp.n_agents) if mdp.reward_noise == "gumbel" else 0.0
        rewards: np.ndarray = mdp.r[:, s, a] + noise
        self.earned += float(rewards.mean())
        return rewards

    def _act(self, s: int) -> list[int]:
        return [_pick(self.rng, table[s]) for table in self.tables]

    def _joint(self, actions: list[int]) -> int:
        return int(np.ravel_multi_index(actions, self.problem.mdp.n_actions))
