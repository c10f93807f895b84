"""ring3: three agents on three states, built so that rates can be seen and floors are exact."""

from __future__ import annotations

from itertools import product

import networkx as nx
import numpy as np

from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule, metropolis_weights
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
