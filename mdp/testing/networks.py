"""Strategies for consensus matrices and schedules."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mdp.linear import rational_array, to_float
from mdp.networks.schedule import Schedule
from mdp.testing._draws import LARGEST_WEIGHT, integers


@st.composite
def rational_consensus(
    draw: st.DrawFn, n_agents: int, *, connected: bool = True, symmetric: bool = False
) -> np.ndarray:
    """Exact doubly stochastic matrices with a positive diagonal, convex combinations of permutations, (N, N).

    The graph is a random tree (or, unless symmetric, a directed cycle) plus whatever else is drawn, so paths, stars and
    one-way rings all occur.

    Args:
        draw: supplied by hypothesis.
        n_agents: N.
        connected: whether the matrix alone connects the agents.
        symmetric: whether W = W^T.

    Source: Birkhoff (1946): doubly stochastic matrices are convex combinations of permutations.
    """
    exchanges = draw(_backbone(n_agents, symmetric)) if connected else []
    return _mixture(draw, n_agents, exchanges, symmetric)


def consensus_matrices(n_agents: int, **options: Any) -> st.SearchStrategy[np.ndarray]:
    """Float64 doubly stochastic matrices, rounded once from `rational_consensus`, (N, N).

    Args:
        n_agents: N.
        options: those of `rational_consensus`.
    """
    return rational_consensus(n_agents, **options).map(to_float)


@st.composite
def schedules(
    draw: st.DrawFn, n_agents: int, *, max_period: int = 3, symmetric: bool = False
) -> Schedule:
    """Periodic schedules, connected over a period though perhaps at no single step.

    Args:
        draw: supplied by hypothesis.
        n_agents: N.
        max_period: longest period.
        symmetric: whether every matrix is symmetric.

    Source: zeng2022 Assumptions 1-2.
    """
    period = draw(integers(1, max_period))
    rounds: list[list[tuple[int, ...]]] = [[] for _ in range(period)]
    for exchange in draw(_backbone(n_agents, symmetric)):
        rounds[draw(integers(0, period - 1))].append(exchange)
    return Schedule.periodic([to_float(_mixture(draw, n_agents, exchanges, symmetric)) for exchanges in rounds])


@st.composite
def _backbone(draw: st.DrawFn, n_agents: int, symmetric: bool) -> list[tuple[int, ...]]:
    """Permutations whose union connects the agents: the swaps along a tree, or one cycle through all."""
    swaps = []
    for i in range(1, n_agents):
        swap = list(range(n_agents))
        j = draw(integers(0, i - 1))
        swap[i], swap[j] = j, i
        swaps.append(tuple(swap))
    if n_agents > 2 and not symmetric and draw(st.booleans()):
        return [tuple((i + 1) % n_agents for i in range(n_agents))]
    return swaps


def _mixture(draw: st.DrawFn, n_agents: int, needed: list[tuple[int, ...]], symmetric: bool) -> np.ndarray:
    extra = draw(st.lists(st.permutations(range(n_agents)), max_size=2)) if n_agents > 1 else []
    weighted = [(tuple(range(n_agents)), draw(integers(1, LARGEST_WEIGHT)))]
    weighted += [(p, draw(integers(1, LARGEST_WEIGHT))) for p in needed]
    weighted += [(tuple(p), draw(integers(0, LARGEST_WEIGHT))) for p in extra]
    counts = np.zeros((n_agents, n_agents), dtype=int)
    for permutation, weight in weighted:
        counts[np.arange(n_agents), permutation] += weight
        if symmetric:
            counts[permutation, np.arange(n_agents)] += weight
    total = sum(weight for _, weight in weighted) * (2 if symmetric else 1)
    return rational_array([[Fraction(int(c), total) for c in row] for row in counts])
