"""Random problems: floats for breadth, small rationals for exactness."""

from __future__ import annotations

from math import prod

import networkx as nx
import numpy as np
from flint import fmpq

from mdp.features import Features
from mdp.linear import rational_array
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule, metropolis_weights
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem
from mdp.rational import RationalPoint


def random_problem(
    rng: np.random.Generator,
    *,
    n_states: int | None = None,
    n_agents: int | None = None,
    gamma: float | None = None,
) -> tuple[Problem, np.ndarray]:
    """A dense random problem and a random theta.

    Args:
        rng: source of randomness.
        n_states: S; drawn from 2..6 if not given.
        n_agents: N; drawn from 1..3 if not given.
        gamma: discount; drawn from {0, 0.5, 0.9, 0.99} or uniformly if not given.

    Returns:
        The problem (Dirichlet kernels, Gaussian rewards and features scaled to Assumption 4, log-linear
        policies with one shared and two personal parameters, a random connected Metropolis graph) and theta,
        shape (N, 3).
    """
    S = int(rng.integers(2, 7)) if n_states is None else n_states
    N = int(rng.integers(1, 4)) if n_agents is None else n_agents
    n_actions = tuple(int(k) for k in rng.integers(2, 4, size=N))
    A = prod(n_actions)
    if gamma is None:
        gamma = float(rng.choice([0.0, 0.5, 0.9, 0.99, rng.uniform(0, 0.99)]))
    P = rng.dirichlet(np.full(S, 0.7), size=(S, A))
    P = (P + 1e-3) / (P + 1e-3).sum(axis=-1, keepdims=True)
    mdp = FiniteMDP(P, rng.uniform(-1, 1, (N, S, A)), rng.dirichlet(np.ones(S)), gamma, n_actions)
    policy = LogLinearPolicy(tuple(rng.normal(size=(S, k, 3)) for k in n_actions), n_shared=1)
    features = Features(_bounded(rng.normal(size=(S, max(1, S - 1)))), _bounded(rng.normal(size=(S, A, 3))))
    problem = Problem(mdp, policy, features, Schedule.static(metropolis_weights(_connected(rng, N))))
    return problem, rng.normal(size=(N, 3))


def random_rational_point(
    rng: np.random.Generator,
    *,
    n_states: int = 3,
    n_actions: tuple[int, ...] = (2, 2),
    largest: int = 6,
    point_start: bool = False,
) -> RationalPoint:
    """A small random problem at a random policy, all entries exact with small numerators.

    Args:
        rng: source of randomness.
        n_states: S.
        n_actions: actions per agent.
        largest: weights before normalisation are integers in 1..largest.
        point_start: start in state 0 (zhang2025's s0) rather than from a random law.

    Returns:
        A problem with tabular personal parameters plus one shared feature, and generic critic features.
    """
    S, A, N = n_states, prod(n_actions), len(n_actions)

    def rows(*shape: int) -> np.ndarray:
        weights = rng.integers(1, largest + 1, size=shape)
        exact = rational_array(weights)
        return exact / exact.sum(axis=-1, keepdims=True)

    initial = rational_array(np.eye(S, dtype=int)[0]) if point_start else rows(S)
    psi = []
    for width in n_actions:
        # one column per state and action of the widest agent: theta is rectangular, spare columns are zero
        tabular = np.eye(S * max(n_actions), dtype=int).reshape(S, max(n_actions), -1)[:, :width]
        shared = rng.integers(-2, 3, size=(S, width, 1))
        psi.append(np.concatenate([shared, tabular], axis=2))
    return RationalPoint(
        P=rows(S, A, S),
        r=rational_array(rng.integers(-largest, largest + 1, size=(N, S, A))),
        initial=initial,
        gamma=fmpq(int(rng.integers(1, 10)), 10),
        tables=tuple(rows(S, width) for width in n_actions),
        psi=tuple(psi),
        phi_state=_full_rank(rng, S, max(1, S - 1)),
        phi_joint=_full_rank(rng, S * A, min(3, S * A)).reshape(S, A, -1),
    )


def _bounded(table: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = table / np.linalg.norm(table, axis=-1).max()
    return scaled


def _full_rank(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    while True:
        table = rng.integers(-3, 4, size=(rows, columns))
        if np.linalg.matrix_rank(table) == columns:
            return table


def _connected(rng: np.random.Generator, size: int) -> nx.Graph:
    graph = nx.path_graph(size)
    for i in range(size):
        for j in range(i + 1, size):
            if rng.random() < 0.3:
                graph.add_edge(i, j)
    return graph
