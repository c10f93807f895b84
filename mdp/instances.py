"""Bundled problems, each good for something its docstring names.

All tables are small rationals, so that every instance has an exact twin.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import networkx as nx
import numpy as np

from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.network import Schedule, metropolis_weights
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem

PUSHES = np.array([-1.0, 0.0, 1.0])
"""What the three actions of a ring3 agent do: push the state back, nothing, push it forward."""

RING3_PULL = np.array([1.0, 1.5, 1.0])
"""Push that the reward favours in each state; ours, found by search: see `ring3`."""

RING3_BONUS = np.array([0.0, -0.5, 0.5])
"""Reward of being in each state; ours: makes the occupancy, hence the sampling law, matter."""

RING3_SHARED, RING3_PERSONAL = np.array([0.5, -0.5, 1.0]), np.array([1.0, -0.5, -0.5])
"""How the shared and the personal parameter of an agent tilt its logits in each state."""

RING3_LOCAL = np.array([0.5, 0.0, -0.5])
"""Local rewards differ by these multiples of the pull; they cancel in the team reward."""


def _pushes() -> np.ndarray:
    return np.array(list(product(PUSHES, repeat=3)))


def ring3_mdp(gamma: float = 0.75) -> FiniteMDP:
    """Three agents push a token round a ring of three states.

    With mean push m in [-1, 1] the token advances with probability 1/2 + m/4, stays with 1/4 and falls back
    with 1/4 - m/4. Agent i earns ``bonus(s) + 2 pull(s) x_i - x_i^2 + local_i pull(s)``.

    Args:
        gamma: discount factor.
    """
    actions = _pushes()
    m, x = actions.mean(axis=1), actions.T[:, None, :]
    P = np.zeros((3, len(actions), 3))
    for s in range(3):
        P[s, :, (s + 1) % 3] = 0.5 + m / 4
        P[s, :, s] = 0.25
        P[s, :, (s - 1) % 3] = 0.25 - m / 4
    P /= P.sum(axis=-1, keepdims=True)
    pull = RING3_PULL[None, :, None]
    r = RING3_BONUS[None, :, None] + 2 * pull * x - x**2 + RING3_LOCAL[:, None, None] * pull
    return FiniteMDP(P, r, np.array([1.0, 0.0, 0.0]), gamma, (3, 3, 3), name="ring3")


def _ring3_policy() -> LogLinearPolicy:
    psi = PUSHES[None, :, None] * np.stack([RING3_SHARED, RING3_PERSONAL], axis=1)[:, None, :]
    return LogLinearPolicy(psi=(psi,) * 3, n_shared=1)


def _ring3_schedule() -> Schedule:
    """One edge of the ring awake at a time: connected over two steps, never at one."""
    graphs = []
    for edge in [(0, 1), (1, 2), (2, 0)]:
        graph = nx.empty_graph(3)
        graph.add_edge(*edge)
        graphs.append(metropolis_weights(graph))
    return Schedule.periodic(graphs)


def ring3(gamma: float = 0.75) -> Problem:
    """ring3 with features that represent every V_pi and the team reward: eps_app = 0.

    Good for: rates with a floor that is exactly zero under double sampling and due to sampling alone under
    single sampling. Logits of the three actions are proportional to (-1, 0, 1) and three states share one
    shared and one personal parameter per agent, with opposed signs; the numbers were searched so that the
    expected actor direction has an interior attractor under either sampling law, well apart (on tabular
    softmax the optimum lies at infinity, where asymptotics cannot be observed, and the two laws share their
    stationary points).

    Args:
        gamma: discount factor.
    """
    actions = _pushes()
    joint = np.zeros((3, len(actions), 4))
    joint[np.arange(3), :, np.arange(3)] = 0.6
    joint[:, :, 3] = (2 * RING3_PULL[:, None] * actions.mean(axis=1) - (actions**2).mean(axis=1)) / 5
    features = Features(np.eye(3), joint)
    return Problem(ring3_mdp(gamma), _ring3_policy(), features, _ring3_schedule(), name="ring3")


def ring3_nonrealisable(gamma: float = 0.75) -> Problem:
    """ring3 with two critic features on three states and two reward features: eps_app > 0.

    Good for: telling the three omega* apart where none of them represents V_pi, and floors due to
    approximation.

    Args:
        gamma: discount factor.
    """
    actions = _pushes()
    phi_state = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.75]])
    joint = np.zeros((3, len(actions), 2))
    joint[:, :, 0] = 0.5
    joint[:, :, 1] = actions.mean(axis=1) / 2 - (actions**2).mean(axis=1) / 4
    features = Features(phi_state, joint)
    return Problem(
        ring3_mdp(gamma), _ring3_policy(), features, _ring3_schedule(), name="ring3-nonrealisable"
    )


COORDINATION_ACTIONS = 8
"""Number of actions of each agent. Source: zeng2022 Sec. 5."""

COMMUNICATION_PERIOD = 5
"""The graph is complete every five iterations and empty otherwise. Source: zeng2022 Sec. 5."""


def coordination_game(n_agents: int = 3, *, noise: bool = True, gamma: float = 0.0) -> Problem:
    """The coordination game of zeng2022 Sec. 5: one state, eight actions, a prize for agreeing.

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


INSTANCES: dict[str, Callable[..., Problem]] = {
    "ring3": ring3,
    "ring3-nonrealisable": ring3_nonrealisable,
    "coordination": coordination_game,
}
"""Bundled instances by name, each a function of optional keyword arguments."""
