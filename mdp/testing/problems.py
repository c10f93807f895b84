"""Strategies for whole problems, and for exact MDPs at exact policies."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mdp.problem import Problem
from mdp.rational import RationalPoint
from mdp.testing._draws import LARGEST_WEIGHT, array_of, integers, laws_of, weights_of
from mdp.testing.mdps import mdps, rational_mdps
from mdp.testing.networks import schedules
from mdp.testing.policies import features, policies, rational_features


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
    S, A, D = len(mdp.initial), prod(mdp.n_actions), draw(integers(1, 2))
    psi = tuple(array_of(draw, (S, n, D), integers(-2, 2)) for n in mdp.n_actions)
    everywhere = np.ones(1, dtype=int)
    tables = tuple(laws_of(weights_of(draw, (S, n), LARGEST_WEIGHT), everywhere, everywhere) for n in mdp.n_actions)
    phi_state, phi_joint = draw(rational_features(S, A))
    return mdp.at(tables, psi, phi_state, phi_joint)
