"""Adversarial searches behind the repaired variants of zeng2022 that are checked on instances."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from verify.identities import FLOAT_TOLERANCE
from verify.search import Family, Inequality, MDPFamily
from verify.search.forms import Raw, identity, ratio, scale_free
from verify.search.joined import Extra, Joined, Windows
from verify.searched import Search, Survey
from verify.zeng2022.listing.listing_runs import kernel_gap
from verify.zeng2022.searches.bounds import (
    actor_biases,
    consensus_minimiser,
    sampling_bias,
    upper_level_bound,
    window_contraction,
)
from verify.zeng2022.searches.claims import (
    descent_with_fixed_target,
    mean_td_update,
    network_rest_point,
    splitting,
    two_successors,
    variance_decomposition,
)
from verify.zeng2022.searches.critic_rate import CRITICS, critic_bound
from verify.zeng2022.searches.supports import Supports, rank_gaps

SHARP_TOLERANCE = 1e-8
"""Tolerance of claims that are attained: `FLOOR` is 1e-6, and rounding of sides of order one 1e-14; ours."""


def _critic(family: MDPFamily) -> tuple[int, ...]:
    return (family.critic_features or family.n_states,)


def _per_agent_critic(family: MDPFamily) -> tuple[int, ...]:
    return (len(family.n_actions), *_critic(family))


def _reward_features(family: MDPFamily) -> tuple[int, ...]:
    pairs = 1
    for width in family.n_actions:
        pairs *= width
    return family.n_states, pairs, min(2, family.n_states * pairs)


def _one_feature(family: MDPFamily) -> tuple[int, ...]:
    return (*_reward_features(family)[:2], 1)


def _cycles(family: MDPFamily) -> tuple[int, ...]:
    from verify.search.consensus_family import cycles

    return (len(cycles(len(family.n_actions), False)),)


def _one(family: MDPFamily) -> tuple[int, ...]:
    return (1,)


def _agent_pairs(family: MDPFamily) -> tuple[int, ...]:
    return (len(family.n_actions) * (len(family.n_actions) - 1) // 2,)


OMEGA = Extra("omega", _critic, -3, 3)
VARPHI = Extra("varphi", _reward_features)
ONE = MDPFamily(3, (2,), critic_features=2, point_start=False)
TEAM = MDPFamily(2, (2, 2), critic_features=1, point_start=False)
ACTORS = MDPFamily(2, (2, 2), policy_features=1, critic_features=1, point_start=False)
WITH_OMEGA = Joined(ONE, (OMEGA,))
GRAPHS = Joined(
    MDPFamily(2, (1, 2, 1), critic_features=1, point_start=False),
    (
        Extra("varphi", _one_feature),
        Extra("copies", _per_agent_critic, -3, 3),
        Extra("models", _per_agent_critic, -3, 3),
        Extra("links", _agent_pairs),
    ),
)
NETWORKS = Joined(
    TEAM,
    (
        Extra("laziness", _one, Fraction(1, 20), 2),
        Extra("weights", _cycles),
        Extra("beta", _one, Fraction(1, 10), 2),
    ),
)


BOUNDS: dict[str, tuple[str, Raw, Family]] = {
    "eq-8a::repaired": (
        "|(8a) - J| <= sqrt(k_0) e_r + gamma sqrt(k_1 / (1 - gamma^2)) e_V", upper_level_bound(),
        Joined(ONE, (VARPHI,)),
    ),
    "eq-8bd::repaired": (
        "the team's minimisers have the least value of (8b) and (8c) among copies that agree across links",
        consensus_minimiser(), GRAPHS,
    ),
    "consensus::repaired": (
        "4 c sin^2(pi / 2N) <= 1 - ||product of the window - 11^T/N||", window_contraction(), Windows(4, 2),
    ),
    "eq-10-direction::repaired": (
        "direction = (1 - gamma) grad J + b_app + b_sp, both within their bounds, agent by agent", actor_biases(),
        Joined(ACTORS, (VARPHI,)),
    ),
    "mismatch-inevitable::repaired": (
        "|b_sp,i| <= 2 TV(mu, d) max_s |E_pi[delta_hat score_i]|", sampling_bias(), Joined(ACTORS, (VARPHI,)),
    ),
}  # fmt: skip
"""Inequalities: the claim in words, its sides, and where it is searched."""

IDENTITIES: dict[str, tuple[str, Any, Family]] = {
    "eq-7-msbe::repaired": (
        "(7a) = mean squared Bellman error + mean conditional variance", variance_decomposition(), WITH_OMEGA,
    ),
    "eq-13-sgd::repaired[target held fixed]": (
        "mean step = -1/2 gradient of (8b) with the target held fixed", descent_with_fixed_target(),
        Joined(TEAM, (OMEGA,)),
    ),
    "eq-13-sgd::repaired[splitting]": (
        "(omega_td - omega) . mean step = (1 - gamma) ||e||^2 + gamma/2 sum mu P (e' - e)^2", splitting(), WITH_OMEGA,
    ),
    "eq-13-target::repaired": (
        "the mean update rests at omega_td, and so does the network average under any W and beta",
        network_rest_point(), NETWORKS,
    ),
    "unbiased-critic::repaired[mean TD update]": (
        "E[delta phi(s)] = b + A omega", mean_td_update(), WITH_OMEGA,
    ),
    "unbiased-critic::repaired[two successors]": (
        "E[2 delta (gamma phi(s'') - phi(s))] = gradient of the mean squared Bellman error", two_successors(),
        WITH_OMEGA,
    ),
}  # fmt: skip
"""Equalities: the claim in words, its relative gap, and where it is searched."""

RATES: dict[str, tuple[str, Raw]] = {
    "proposition-1::repaired": (
        "time-averaged critic error at a frozen policy <= its bound of order T^-sigma + T^(sigma-1), any sigma",
        critic_bound(),
    ),
    "theorem-3-critic::repaired": (
        "time-averaged critic error at a frozen policy <= its bound of order T^-2/5", critic_bound(0.4),
    ),
    "corollary-1-critic::repaired": (
        "time-averaged critic error at a frozen policy, double sampling or not, <= its bound of order T^-2/5",
        critic_bound(0.4),
    ),
}
"""Rates: bounds with explicit constants that have them, by exact moments in floats."""


def _nothing_certain(instance: object) -> None:
    """Moments at 10^12 steps are floats; a violation stays uncertified."""


SEARCHES: dict[str, Search] = {
    **{
        key: Search(scale_free(text, raw), family, SHARP_TOLERANCE, scaled=True)
        for key, (text, raw, family) in BOUNDS.items()
    },
    **{
        key: Search(
            Inequality(text, scale_free(text, raw).sides, _nothing_certain), CRITICS, SHARP_TOLERANCE, scaled=True
        )
        for key, (text, raw) in RATES.items()
    },
    **{key: Search(identity(text, gap), family, FLOAT_TOLERANCE) for key, (text, gap, family) in IDENTITIES.items()},
    "assumption-4-unique::repaired": Search(
        Inequality("ranks of the four systems = ranks of the features on the support", rank_gaps()), Supports()
    ),
}
"""By ``id::variant``."""

RATIOS: dict[str, tuple[Inequality, Family]] = {
    key: (ratio(text, raw), family) for key, (text, raw, family) in BOUNDS.items()
}
"""The inequalities as ``lhs / rhs``, for `verify.search.worst_ratio`: how sharp they are."""

SURVEYS: dict[str, Survey] = {
    "algorithm-2::repaired": Survey(
        "iterates of the listing minus those of the compiled code, two iterations, random problems and draws",
        lambda rng: kernel_gap(rng, True, 2), FLOAT_TOLERANCE,
    ),
}
"""Random instances that are no box of parameters, by ``id::variant``."""

NOT_SEARCHED: dict[str, str] = {
    "sample-complexity::repaired": "the inverse of theorem-3-actor's rate above a floor; a moving policy has no exact "
    "moments to maximise over, and its runs are the evidence",
}
"""Repaired variants without a search, and why."""
