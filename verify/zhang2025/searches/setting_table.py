"""Adversarial searches behind repaired variants of zhang2025: setting, Algorithm 1, assumptions, Lemma 5.7."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any

from verify.identities import FLOAT_TOLERANCE
from verify.search import ConsensusMatrices, Family, Inequality, MDPFamily, Vectors
from verify.search.forms import Raw, identity, ratio, scale_free
from verify.search.joined import Extra, Joined
from verify.searched import Search, Survey
from verify.zhang2025.searches.networks import (
    CriticPairs,
    Targets,
    constants_hold,
    critic_rise,
    floats_only,
    representation,
    restart_structure,
)
from verify.zhang2025.searches.setting_claims import (
    additive_error,
    ascent,
    average_reward,
    domination,
    floor,
    misfit,
    repaired_direction,
    two_kernels,
)
from verify.zhang2025.searches.smoothness import descent, gossip_rounds
from verify.zhang2025.searches.surveys import listing_gap, start_slope_gap

SHARP_TOLERANCE = 1e-8
"""Tolerance of claims that are attained: sides of order 1e-4 count, rounding is 1e-14; ours."""


def _pair_features(family: MDPFamily) -> tuple[int, ...]:
    pairs = family.n_states * prod(family.n_actions)
    return pairs, min(2, max(1, pairs - 1))


def _local(family: MDPFamily) -> tuple[int, ...]:
    return len(family.n_actions), family.n_states, max(family.n_actions)


def _states(family: MDPFamily) -> tuple[int, ...]:
    return (family.n_states,)


def _agents(family: MDPFamily) -> tuple[int, ...]:
    return (len(family.n_actions),)


def _two_angles(family: MDPFamily) -> tuple[int, ...]:
    return 2, family.n_states


def _one(family: MDPFamily) -> tuple[int, ...]:
    return (1,)


TEAM = MDPFamily(3, (2, 2), policy_features=2)
TWO_AGENTS = MDPFamily(2, (3, 2), policy_features=2)
PAIRS = Joined(MDPFamily(3, (2,)), (Extra("features", _pair_features),))
FLAT = Joined(MDPFamily(2, (2, 2), policy_features=1), (Extra("psi'", _local),))
ADDITIVE = Joined(MDPFamily(2, (2, 2)), (Extra("f", _local), Extra("V", _states, -2, 2)))
SMOOTH = Joined(
    MDPFamily(2, (2, 2), least_states=1),
    (Extra("integer psi", _local, -1, 2), Extra("q", _agents, Fraction(1, 8), 8),
     Extra("h", _one, Fraction(1, 20), Fraction(19, 20)), Extra("angles", _two_angles, -3, 3)),
)  # fmt: skip
RING_ANGLES = Vectors((-4,) * 9, (4,) * 9)

BOUNDS: dict[str, tuple[str, Raw, Family]] = {
    "eq-6::repaired[quasi-optimal, one kernel]": (
        "miss of the minimiser <= (1 + g^2)/(1 - g^2) times the least miss, one kernel", misfit(True), PAIRS,
    ),
    "eq-6::repaired[quasi-optimal, two kernels]": (
        "miss of the minimiser <= (1 + g)/(1 - g) times the least miss, two kernels", misfit(False), PAIRS,
    ),
    "algorithm-1-step::repaired": (
        "sum_i ||grad_i J|| <= <grad J, (d_i / ||d_i||)_i>, expected advantage direction", ascent(), TEAM,
    ),
    "assumption-5.6::repaired[floor]": (
        "(1 - gamma)(J* - J) <= sqrt(eps_bias) where grad J = 0, and <= sqrt(E Adv^2) anywhere", floor(), FLAT,
    ),
    "lemma-5.7::repaired": (
        "J* - J <= sqrt(eps_bias)/(1 - gamma) + G ||grad J|| / mu_f", domination(),
        TWO_AGENTS,
    ),
    "lemma-5.7::repaired[square root]": (
        "sqrt(mu) (J* - J) <= sqrt(mu) sqrt(eps_bias)/(1 - gamma) + ||grad J||, mu = mu_f^2 / 2, scores at most one",
        domination(printed_norm=True), TWO_AGENTS,
    ),
    "assumption-5.8-J::repaired": (
        "|grad J| <= L_J and |J(theta') - J - grad J . u| <= |u|^2 L / 2, log-linear and circular", descent(), SMOOTH,
    ),
    "assumption-5.8-Q::repaired[ball]": (
        "|Q(W) - Q(W')| <= L_W |W - W'| in the ball of both", critic_rise(), CriticPairs(2, 3),
    ),
    "corollary-5.11::repaired[rounds]": (
        "4 eta / N^2 <= -log ||A - 11^T/N||: the stated rounds are enough for every eps", gossip_rounds(),
        ConsensusMatrices(4),
    ),
}  # fmt: skip
"""Inequalities: the claim in words, its sides, and where it is searched."""

IDENTITIES: dict[str, tuple[str, Any, Family]] = {
    "restart-kernel::repaired[two kernels]": ("E_nu[score Adv] = (1 - gamma) grad J", two_kernels(), TEAM),
    "restart-kernel::repaired[no discount]": (
        "average reward of the restart chain = (1 - gamma) J, with V in its equation", average_reward(),
        MDPFamily(3, (2, 2), point_start=False),
    ),
    "algorithm-1-direction::repaired[advantage]": (
        "E[(Q - E_pi Q) score] = (1 - gamma) grad J on restart data", repaired_direction(False), TEAM,
    ),
    "algorithm-1-direction::repaired[undiscounted]": (
        "E[(r + V(s') - V(s)) score] = (1 - gamma) grad J on restart data", repaired_direction(True), TEAM,
    ),
    "remark-3::repaired[additive]": (
        "eps_bias = 0 where the advantage is a sum of one function per agent, tabular scores", additive_error(),
        ADDITIVE,
    ),
}  # fmt: skip
"""Equalities: the claim in words, its relative gap, and where it is searched."""

SEARCHES: dict[str, Search] = {
    **{
        key: Search(scale_free(text, raw), family, SHARP_TOLERANCE, scaled=True)
        for key, (text, raw, family) in BOUNDS.items()
    },
    **{key: Search(identity(text, gap), family, FLOAT_TOLERANCE) for key, (text, gap, family) in IDENTITIES.items()},
    "universal-approximation::repaired[wide]": Search(
        Inequality("two layers of width 2 d n equal f on n inputs", representation(deep=False)), Targets()
    ),
    "universal-approximation::repaired[deep]": Search(
        Inequality("width 4 d and depth 2 n equal f on n inputs", representation(deep=True)), Targets()
    ),
    "assumption-5.2::repaired[restart]": Search(
        Inequality("restart chains without one aperiodic closed class that is reached from s_0", restart_structure()),
        Vectors((-1,) * 16, (1,) * 16),
    ),
    "assumption-5.5::repaired[all at once]": Search(
        Inequality(
            "ring3, circular class: scores, Fisher information, eps_bias and slope of J against their constants",
            scale_free("", constants_hold()).sides, floats_only,
        ),
        RING_ANGLES, SHARP_TOLERANCE,
    ),
}  # fmt: skip
"""By ``id::variant``."""

RATIOS: dict[str, tuple[Inequality, Family]] = {
    key: (ratio(text, raw), family) for key, (text, raw, family) in BOUNDS.items()
}
"""The inequalities as ``lhs / rhs``, for `verify.search.worst_ratio`: how sharp they are."""

SURVEYS: dict[str, Survey] = {
    "algorithm-1-data::repaired": Survey(
        "cells that the repaired listing reads before they are written, random T, M and N up to 5", listing_gap
    ),
    "assumption-5.8-Q::repaired[start]": Survey(
        "|mean of |dQ/dW|^2 over all sign patterns of a random start law - D |x_0|^2 / 2|, relative", start_slope_gap,
        FLOAT_TOLERANCE,
    ),
}
"""Random instances that are no box of parameters, by ``id::variant``."""

NOT_SEARCHED: dict[str, str] = {
    "d1-defaults::repaired": "a list of parameter values against conditions; nothing to choose",
    "figure-5::repaired": "a comparison of mean rewards of runs at the printed parameters; nothing to choose",
    "figure-7::repaired": "a comparison of mean rewards of runs at the printed parameters; nothing to choose",
    "figure-9::repaired": "a comparison of mean rewards of runs at the printed parameters; nothing to choose",
    "figure-2-10::repaired": "a comparison of mean rewards of runs at the printed parameters; nothing to choose",
    "figure-4::repaired": "mean rewards of recorded runs at the printed parameters; nothing to choose",
    "figure-4::repaired[without gossip]": "mean rewards of recorded runs at the printed parameters; nothing to choose",
}
"""Repaired variants without a search, and why."""
