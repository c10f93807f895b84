"""Strategies for MDPs: ergodic under every policy by default, periodic or reducible on request."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

from mdp.io.rational_mdp import RationalMDP
from mdp.model import FiniteMDP
from mdp.testing._draws import (
    LARGEST_WEIGHT,
    Size,
    array_of,
    integers,
    largest,
    laws_of,
    rationals,
    size_of,
    weights_of,
)

Chains = Literal["ergodic", "any", "periodic", "reducible"]

DISCOUNTS = tuple(Fraction(*pair) for pair in ((0, 1), (1, 2), (3, 4), (9, 10), (99, 100)))
"""Discount factors, simplest first."""


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
    S = size_of(draw, "n_states", n_states, 2 if chains in ("periodic", "reducible") else 1)
    if isinstance(n_actions, int) or (isinstance(n_actions, tuple) and len(n_actions) == 2):
        N, most = size_of(draw, "n_agents", n_agents, 1), (largest(n_actions),) * largest(n_agents)
        widths = tuple(size_of(draw, "n_actions", n_actions, 1) for _ in range(N))
    else:
        widths = most = tuple(int(n) for n in n_actions)
    # entries are drawn for the largest sizes and the leading block is used: a problem that loses a state, an
    # action or an agent then keeps its other entries, without which shrinking would stop at the larger one
    block = (slice(S), *(slice(width) for width in (*widths, *(1,) * (len(most) - len(widths)))))
    A, high = prod(widths), largest(n_states)
    weights = weights_of(draw, (high, *most, high), largest_weight)[(*block, slice(S))].reshape(S, A, S)
    r = array_of(draw, (len(most), high, *most), rationals(-reward_bound, reward_bound))
    r = r[(slice(len(widths)), *block)].reshape(len(widths), S, A)
    must, may = draw(_supports(S, chains))
    P = laws_of(weights, must[:, None, :], may[:, None, :])
    initial = laws_of(weights_of(draw, (S,), largest_weight), np.zeros(S, dtype=int), np.ones(S, dtype=int))
    return RationalMDP(P, r, initial, draw(st.sampled_from(DISCOUNTS)) if gamma is None else gamma, widths)


def mdps(**options: Any) -> st.SearchStrategy[FiniteMDP]:
    """Float64 MDPs, rounded once from `rational_mdps`.

    Args:
        options: those of `rational_mdps`.
    """
    return rational_mdps(**options).map(RationalMDP.to_mdp)


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
        split = draw(integers(1, S - 1))
        side = np.arange(S) < split
        same = (side[:, None] == side[None, :]).astype(int)
        may = must = same if chains == "reducible" else 1 - same
    elif chains != "any":
        raise ValueError(f"chains is {chains!r}, not 'ergodic', 'any', 'periodic' or 'reducible'")
    return must, may
