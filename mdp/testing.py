"""Hypothesis strategies for MDPs, policies, features, consensus matrices, schedules and rational points.

Everything is drawn from small integers and divided exactly, then converted: what a failing test shrinks to is a
problem with few states and entries such as 1/2 or 1/3. Use with `hypothesis.given`::

    @given(mdps())
    def test_something(mdp): ...

Chains are irreducible and aperiodic under every policy unless `chains` asks for something else. The file is long
because the strategies are one vocabulary over a few shared ways to draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import isqrt, prod
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from mdp.features import Features
from mdp.io.rational_mdp import RationalMDP
from mdp.linear import rational_array, to_float
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem
from mdp.rational import RationalPoint

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "mdp.testing needs hypothesis, which is optional: pip install 'lemmata[testing]'"
    ) from error

Chains = Literal["ergodic", "any", "periodic", "reducible"]

LARGEST_WEIGHT = 4
"""Probabilities are integer weights up to this over their sum; ours: readable, yet rows differ."""

DISCOUNTS = tuple(Fraction(*pair) for pair in ((0, 1), (1, 2), (3, 4), (9, 10), (99, 100)))
"""Discount factors, simplest first."""

Size = int | tuple[int, int]
"""A number, or the least and the largest of a range."""


def rationals(
    low: int = -3, high: int = 3, *, denominators: Sequence[int] = (1, 2, 3)
) -> st.SearchStrategy[Fraction]:
    """Small rationals in [low, high]; they shrink to integers near zero.

    Args:
        low: smallest value.
        high: largest value.
        denominators: allowed denominators.
    """
    return _rationals(low, high, tuple(denominators))


@st.composite
def rational_mdps(
    draw: st.DrawFn,
    *,
    n_states: Size = (1, 4),
    n_agents: Size = (1, 2),
    n_actions: Size | Sequence[int] = (1, 3),
    gamma: Fraction | None = None,
    chains: Chains = "ergodic",
    largest_weight: int = LARGEST_WEIGHT,
    reward_bound: int = 3,
) -> RationalMDP:
    """Exact MDPs. They shrink to one state, one agent, one action, discount 0 and rewards 0.

    Args:
        draw: supplied by hypothesis.
        n_states: S, or a range for it.
        n_agents: N, or a range for it; ignored when `n_actions` is a list.
        n_actions: actions of an agent: a number, a pair (least, largest), or a list with one number per agent.
        gamma: discount factor; by default one of `DISCOUNTS`.
        chains: ``"ergodic"``: irreducible and aperiodic under every policy, zeros allowed; ``"any"``: any rows;
            ``"periodic"``: irreducible with period two under every policy (two states or more);
            ``"reducible"``: two closed classes under every policy (two states or more).
        largest_weight: rows are integer weights up to this over their sum.
        reward_bound: rewards lie between minus this and this.

    Raises:
        ValueError: another name of chains, or fewer than two states where two are needed.
    """
    S = _size(draw, "n_states", n_states, 2 if chains in ("periodic", "reducible") else 1)
    if isinstance(n_actions, int) or (isinstance(n_actions, tuple) and len(n_actions) == 2):
        N, most = _size(draw, "n_agents", n_agents, 1), (_largest(n_actions),) * _largest(n_agents)
        widths = tuple(_size(draw, "n_actions", n_actions, 1) for _ in range(N))
    else:
        widths = most = tuple(int(n) for n in n_actions)
    # entries are drawn for the largest sizes and the leading block is used: a problem that loses a state, an
    # action or an agent then keeps its other entries, without which shrinking would stop at the larger one
    block = (slice(S), *(slice(width) for width in (*widths, *(1,) * (len(most) - len(widths)))))
    A, high = prod(widths), _largest(n_states)
    weights = _weights(draw, (high, *most, high), largest_weight)[(*block, slice(S))].reshape(S, A, S)
    r = _array(draw, (len(most), high, *most), rationals(-reward_bound, reward_bound))
    r = r[(slice(len(widths)), *block)].reshape(len(widths), S, A)
    must, may = draw(_supports(S, chains))
    P = _laws(weights, must[:, None, :], may[:, None, :])
    initial = _laws(_weights(draw, (S,), largest_weight), np.zeros(S, dtype=int), np.ones(S, dtype=int))
    return RationalMDP(P, r, initial, draw(st.sampled_from(DISCOUNTS)) if gamma is None else gamma, widths)


def mdps(**options: Any) -> st.SearchStrategy[FiniteMDP]:
    """Float64 MDPs, rounded once from `rational_mdps`.

    Args:
        options: those of `rational_mdps`.
    """
    return rational_mdps(**options).map(RationalMDP.to_mdp)


@st.composite
def policies(
    draw: st.DrawFn, n_states: int, n_actions: Sequence[int], *, n_parameters: Size = (1, 3)
) -> LogLinearPolicy:
    """Log-linear policies with small rational features and any split into shared and personal parameters.

    Args:
        draw: supplied by hypothesis.
        n_states: S.
        n_actions: actions of each agent.
        n_parameters: H + G, or a range for it.
    """
    D = _size(draw, "n_parameters", n_parameters, 1)
    psi = tuple(to_float(_array(draw, (n_states, n, D), rationals(-2, 2, denominators=(1, 2)))) for n in n_actions)
    return LogLinearPolicy(psi, n_shared=draw(_integers(0, D)))


@st.composite
def thetas(draw: st.DrawFn, policy: Any, *, bound: int = 2) -> Float[np.ndarray, "N D"]:
    """Parameters of a policy, small multiples of one half; they shrink to zero, the uniform policy.

    Args:
        draw: supplied by hypothesis.
        policy: anything with `n_actions` and `n_parameters`.
        bound: largest absolute entry.
    """
    shape = (len(policy.n_actions), policy.n_parameters)
    return to_float(_array(draw, shape, rationals(-bound, bound, denominators=(1, 2))))


@st.composite
def rational_features(
    draw: st.DrawFn, n_states: int, n_joint_actions: int, *, K: Size | None = None, L: Size | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Exact ``phi_state`` (S, K) and ``phi_joint`` (S, A, L): independent columns, rows of norm at most one.

    Args:
        draw: supplied by hypothesis.
        n_states: S.
        n_joint_actions: A.
        K: columns of phi_state, or a range; by default 1..min(S, 3).
        L: columns of phi_joint, or a range; by default 1..min(S A, 3).

    Source: zeng2022 Assumption 4.
    """
    S, A = n_states, n_joint_actions
    columns = _size(draw, "K", (1, min(S, 3)) if K is None else K, 1)
    joint = _size(draw, "L", (1, min(S * A, 3)) if L is None else L, 1)
    return _full_rank(draw, S, columns), _full_rank(draw, S * A, joint).reshape(S, A, joint)


def features(n_states: int, n_joint_actions: int, **options: Any) -> st.SearchStrategy[Features]:
    """Float64 features, rounded once from `rational_features`.

    Args:
        n_states: S.
        n_joint_actions: A.
        options: those of `rational_features`.
    """
    exact = rational_features(n_states, n_joint_actions, **options)
    return exact.map(lambda tables: Features(to_float(tables[0]), to_float(tables[1])))


@st.composite
def rational_consensus(
    draw: st.DrawFn, n_agents: int, *, connected: bool = True, symmetric: bool = False
) -> np.ndarray:
    """Exact doubly stochastic matrices with a positive diagonal, convex combinations of permutations.

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
    """Float64 doubly stochastic matrices, rounded once from `rational_consensus`.

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
    period = draw(_integers(1, max_period))
    rounds: list[list[tuple[int, ...]]] = [[] for _ in range(period)]
    for exchange in draw(_backbone(n_agents, symmetric)):
        rounds[draw(_integers(0, period - 1))].append(exchange)
    return Schedule.periodic([to_float(_mixture(draw, n_agents, exchanges, symmetric)) for exchanges in rounds])


@st.composite
def problems(draw: st.DrawFn, **options: Any) -> Problem:
    """Problems: an MDP with a log-linear policy, features and a schedule that fit it.

    Args:
        draw: supplied by hypothesis.
        options: those of `rational_mdps`.
    """
    mdp = draw(mdps(**options))
    policy = draw(policies(mdp.n_states, mdp.n_actions))
    tables = draw(features(mdp.n_states, mdp.n_joint_actions))
    return Problem(mdp, policy, tables, draw(schedules(mdp.n_agents)))


@st.composite
def rational_points(draw: st.DrawFn, **options: Any) -> RationalPoint:
    """Exact MDPs at exact positive policies, with integer policy features and exact critic features.

    Args:
        draw: supplied by hypothesis.
        options: those of `rational_mdps`.
    """
    mdp = draw(rational_mdps(**options))
    S, A, D = len(mdp.initial), prod(mdp.n_actions), draw(_integers(1, 2))
    psi = tuple(_array(draw, (S, n, D), _integers(-2, 2)) for n in mdp.n_actions)
    everywhere = np.ones(1, dtype=int)
    tables = tuple(_laws(_weights(draw, (S, n), LARGEST_WEIGHT), everywhere, everywhere) for n in mdp.n_actions)
    phi_state, phi_joint = draw(rational_features(S, A))
    return mdp.at(tables, psi, phi_state, phi_joint)


@cache
def _rationals(low: int, high: int, denominators: tuple[int, ...]) -> st.SearchStrategy[Fraction]:
    # one choice from a list, simplest first, is several times faster to draw and shrink than p and q apart
    values = {Fraction(p, q) for q in denominators for p in range(low * q, high * q + 1)}
    return st.sampled_from(sorted(values, key=lambda x: (x.denominator, abs(x), x < 0)))


@cache
def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


def _size(draw: st.DrawFn, name: str, size: Size, least: int) -> int:
    low, high = (size, size) if isinstance(size, int) else size
    low = max(low, least) if not isinstance(size, int) else low
    if not least <= low <= high:
        raise ValueError(f"{name} is {size}; it is at least {least} here")
    return draw(_integers(low, high))


def _largest(size: Size) -> int:
    return size if isinstance(size, int) else size[1]


def _array(draw: st.DrawFn, shape: tuple[int, ...], entries: st.SearchStrategy[Any]) -> np.ndarray:
    size = prod(shape)
    return rational_array(draw(st.lists(entries, min_size=size, max_size=size))).reshape(shape)


def _weights(draw: st.DrawFn, shape: tuple[int, ...], largest: int) -> np.ndarray:
    size = prod(shape)
    return np.array(draw(st.lists(_integers(0, largest - 1), min_size=size, max_size=size)), dtype=int).reshape(shape)


def _laws(weights: np.ndarray, must: np.ndarray, may: np.ndarray) -> np.ndarray:
    """Rows of integer weights over their sum: positive where they `must` be, zero unless they `may` be positive."""
    weights = (weights + must) * may
    empty = weights.sum(axis=-1) == 0
    weights[empty, np.broadcast_to(may, weights.shape).argmax(axis=-1)[empty]] = 1
    exact = rational_array(weights)
    return exact / exact.sum(axis=-1, keepdims=True)


@st.composite
def _supports(draw: st.DrawFn, S: int, chains: Chains) -> tuple[np.ndarray, np.ndarray]:
    """Which successors (columns) the rows of a state must have and may have: two (S, S) arrays of zeros and ones."""
    may = np.ones((S, S), dtype=int)
    must = np.zeros((S, S), dtype=int)
    if chains == "ergodic":
        # the cycle over all states makes every policy's chain irreducible, the loop at its start aperiodic
        order = draw(st.permutations(range(S)))
        for k, s in enumerate(order):
            must[s, order[(k + 1) % S]] = 1
        must[order[0], order[0]] = 1
    elif chains in ("periodic", "reducible"):
        split = draw(_integers(1, S - 1))
        side = np.arange(S) < split
        same = (side[:, None] == side[None, :]).astype(int)
        may = must = same if chains == "reducible" else 1 - same
    elif chains != "any":
        raise ValueError(f"chains is {chains!r}, not 'ergodic', 'any', 'periodic' or 'reducible'")
    return must, may


def _full_rank(draw: st.DrawFn, rows: int, columns: int) -> np.ndarray:
    """Independent columns by construction: an identity on some rows, anything on the others, then scaled."""
    if columns > rows:
        raise ValueError(f"{columns} columns cannot be independent on {rows} rows")
    table = _array(draw, (rows, columns), _integers(-1, 1))
    pivots = draw(st.permutations(range(rows)))[:columns]
    table[pivots] = rational_array(np.eye(columns, dtype=int))
    square = int(max((row**2).sum() for row in table).p)
    root = isqrt(square)
    return table / (root if root * root == square else root + 1)


@st.composite
def _backbone(draw: st.DrawFn, n_agents: int, symmetric: bool) -> list[tuple[int, ...]]:
    """Permutations whose union connects the agents: the swaps along a tree, or one cycle through all."""
    swaps = []
    for i in range(1, n_agents):
        swap = list(range(n_agents))
        j = draw(_integers(0, i - 1))
        swap[i], swap[j] = j, i
        swaps.append(tuple(swap))
    if n_agents > 2 and not symmetric and draw(st.booleans()):
        return [tuple((i + 1) % n_agents for i in range(n_agents))]
    return swaps


def _mixture(draw: st.DrawFn, n_agents: int, needed: list[tuple[int, ...]], symmetric: bool) -> np.ndarray:
    extra = draw(st.lists(st.permutations(range(n_agents)), max_size=2)) if n_agents > 1 else []
    weighted = [(tuple(range(n_agents)), draw(_integers(1, LARGEST_WEIGHT)))]
    weighted += [(p, draw(_integers(1, LARGEST_WEIGHT))) for p in needed]
    weighted += [(tuple(p), draw(_integers(0, LARGEST_WEIGHT))) for p in extra]
    counts = np.zeros((n_agents, n_agents), dtype=int)
    for permutation, weight in weighted:
        counts[np.arange(n_agents), permutation] += weight
        if symmetric:
            counts[permutation, np.arange(n_agents)] += weight
    total = sum(weight for _, weight in weighted) * (2 if symmetric else 1)
    return rational_array([[Fraction(int(c), total) for c in row] for row in counts])
