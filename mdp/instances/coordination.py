"""The coordination game of zeng2022 Sec. 5, and the XOR team game."""

from __future__ import annotations

from itertools import product

import numpy as np

from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem

COORDINATION_ACTIONS = 8
"""Number of actions of each agent. Source: zeng2022 Sec. 5."""

COMMUNICATION_PERIOD = 5
"""The graph is complete every five iterations and empty otherwise. Source: zeng2022 Sec. 5."""


def coordination_game(n_agents: int = 3, *, noise: bool = True, gamma: float = 0.0) -> Problem:
    """The coordination game of zeng2022 Sec. 5: one state, eight actions, a prize for agreeing.

    Good for: the paper's own experiment, multiple equilibria, and a joint action set that grows like 8^N.
    ``r_i = (a_i - 3.5)^2 + #{j != i: a_j = a_i} + Gumbel noise``. The discount is not given in the paper's
    text; with one state it only scales J, and 0 (a repeated one-shot game) is our default.

    Policy: one shared and one personal logit per action (the split between the two is not given in the text
    either). Features: V is constant; the team reward is linear in two joint features.

    Args:
        n_agents: N, at least two; the joint action set has 8^N elements.
        noise: add standard Gumbel noise; its mean, Euler's constant, goes into the mean rewards.
        gamma: discount factor.

    Raises:
        ValueError: fewer than two agents, or more than six (8^7 joint actions do not fit a dense kernel).
    """
    if not 2 <= n_agents <= 6:
        raise ValueError(f"n_agents is {n_agents}; the dense coordination game takes 2 to 6 agents")
    K = COORDINATION_ACTIONS
    actions = np.array(list(product(range(K), repeat=n_agents)))
    A = len(actions)
    squares = (actions - 3.5) ** 2
    matches = (actions[:, :, None] == actions[:, None, :]).sum(axis=2) - 1
    r = (squares + matches).T[:, None, :].astype(float)
    if noise:
        r = r + np.euler_gamma
    mdp = FiniteMDP(
        P=np.ones((1, A, 1)),
        r=r,
        initial=np.ones(1),
        gamma=gamma,
        n_actions=(K,) * n_agents,
        reward_noise="gumbel" if noise else "none",
        name=f"coordination-{n_agents}",
    )
    logits = np.concatenate([np.eye(K), np.eye(K)], axis=1)[None]
    policy = LogLinearPolicy(psi=(logits,) * n_agents, n_shared=K)
    joint = np.stack(
        [np.full(A, 0.5), squares.mean(axis=1) / 24.5, matches.mean(axis=1) / (2 * (n_agents - 1))], axis=1
    )[None]
    schedule = Schedule.federated(n_agents, COMMUNICATION_PERIOD)
    return Problem(mdp, policy, Features(np.ones((1, 1)), joint), schedule, name=mdp.name)


def xor_team(gamma: float = 0.0) -> Problem:
    """Two agents, one state, two actions, one shared logit; the team earns 1 when the actions differ.

    Good for: an interior optimum with closed forms. With p the common probability of action 1,
    ``J = 2 p (1 - p) / (1 - gamma)``, largest at p = 1/2, whereas without sharing the optima are the two
    deterministic anti-coordinated pairs, at infinity in the logits: here sharing costs half the reward.

    Args:
        gamma: discount factor.
    """
    differ = np.array([0.0, 1.0, 1.0, 0.0])
    mdp = FiniteMDP(np.ones((1, 4, 1)), np.stack([differ, differ])[:, None, :], np.ones(1), gamma, (2, 2), name="xor")
    policy = LogLinearPolicy(psi=(np.array([[[0.0], [1.0]]]),) * 2, n_shared=1)
    joint = np.stack([np.full(4, 0.5), differ / 2], axis=1)[None]
    return Problem(mdp, policy, Features(np.ones((1, 1)), joint), Schedule.federated(2, 1), name="xor")
