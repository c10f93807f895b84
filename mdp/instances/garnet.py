"""Garnet problems: random MDPs with a given branching factor."""

from __future__ import annotations

from math import prod

import networkx as nx
import numpy as np

from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule, metropolis_weights
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem


def garnet(
    n_states: int = 10, n_local_actions: int = 2, branching: int = 3, n_agents: int = 4, seed: int = 0,
    gamma: float = 0.9,
) -> Problem:
    """A random multi-agent MDP in which every state-action pair has `branching` successors.

    Good for: benchmarks and breadth. Successors are drawn without replacement, probabilities are the gaps of
    uniform order statistics, local rewards uniform on [-1, 1]; a small self-and-next-state mass (1/1000) keeps every
    chain irreducible and aperiodic. Policies have one shared and two personal random features; critic and reward
    features are random, S/2 and 4 of them; agents talk along a ring.

    Args:
        n_states: S, at least 2.
        n_local_actions: actions of each agent.
        branching: successors per pair, from 1 to S.
        n_agents: N.
        seed: of the problem.
        gamma: discount factor.

    Raises:
        ValueError: an argument out of range.

    Source: Archibald, McKinnon and Thomas (1995), J. Operational Research Society 46, for the family.
    """
    S, N = n_states, n_agents
    for name, value, low, high in (
        ("n_states", S, 2, None), ("n_local_actions", n_local_actions, 1, None),
        ("branching", branching, 1, S), ("n_agents", N, 1, None),
    ):
        if value < low or (high is not None and value > high):
            raise ValueError(f"{name} is {value}; it lies between {low} and {high if high is not None else 'any size'}")
    rng = np.random.default_rng(seed)
    n_actions = (n_local_actions,) * N
    A = prod(n_actions)
    P = np.zeros((S, A, S))
    for s in range(S):
        for a in range(A):
            cuts = np.sort(rng.random(branching - 1))
            P[s, a, rng.choice(S, branching, replace=False)] = np.diff(np.concatenate([[0.0], cuts, [1.0]]))
        P[s, :, s] += 1e-3
        P[s, :, (s + 1) % S] += 1e-3
    P /= P.sum(axis=-1, keepdims=True)
    mdp = FiniteMDP(P, rng.uniform(-1, 1, (N, S, A)), np.eye(S)[0], gamma, n_actions, name=f"garnet-{S}-{A}-{N}")
    policy = LogLinearPolicy(tuple(rng.normal(size=(S, n_local_actions, 3)) for _ in range(N)), n_shared=1)
    phi_state, phi_joint = rng.normal(size=(S, max(1, S // 2))), rng.normal(size=(S, A, min(4, S * A)))
    features = Features(
        phi_state / np.linalg.norm(phi_state, axis=1).max(), phi_joint / np.linalg.norm(phi_joint, axis=2).max()
    )
    graph = nx.cycle_graph(N) if N > 2 else nx.path_graph(N)
    return Problem(mdp, policy, features, Schedule.static(metropolis_weights(graph)), name=mdp.name)
