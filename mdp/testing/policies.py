"""Strategies for log-linear policies, their parameters, and critic and reward features."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

from mdp.features import Features
from mdp.linear import rational_array, to_float
from mdp.policy import LogLinearPolicy
from mdp.testing._draws import Size, array_of, integers, rationals, size_of


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
    D = size_of(draw, "n_parameters", n_parameters, 1)
    psi = tuple(to_float(array_of(draw, (n_states, n, D), rationals(-2, 2, denominators=(1, 2)))) for n in n_actions)
    return LogLinearPolicy(psi, n_shared=draw(integers(0, D)))


@st.composite
def thetas(draw: st.DrawFn, policy: Any, *, bound: int = 2) -> Float[np.ndarray, "N D"]:
    """Parameters of a policy, small multiples of one half; they shrink to zero, the uniform policy.

    Args:
        draw: supplied by hypothesis.
        policy: anything with `n_actions` and `n_parameters`.
        bound: largest absolute entry.
    """
    shape = (len(policy.n_actions), policy.n_parameters)
    return to_float(array_of(draw, shape, rationals(-bound, bound, denominators=(1, 2))))


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

    Raises:
        ValueError: more columns than rows.

    Source: zeng2022 Assumption 4.
    """
    S, A = n_states, n_joint_actions
    columns = size_of(draw, "K", (1, min(S, 3)) if K is None else K, 1)
    joint = size_of(draw, "L", (1, min(S * A, 3)) if L is None else L, 1)
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


def _full_rank(draw: st.DrawFn, rows: int, columns: int) -> np.ndarray:
    """Independent columns by construction: an identity on some rows, anything on the others, then scaled."""
    if columns > rows:
        raise ValueError(f"{columns} columns cannot be independent on {rows} rows")
    table = array_of(draw, (rows, columns), integers(-1, 1))
    pivots = draw(st.permutations(range(rows)))[:columns]
    table[pivots] = rational_array(np.eye(columns, dtype=int))
    square = int(max((row**2).sum() for row in table).p)
    root = isqrt(square)
    return table / (root if root * root == square else root + 1)
