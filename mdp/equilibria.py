"""Pure Nash equilibria by enumeration: of one-state (matrix) games and of small Markov games, compared exactly.

Two games live in one cooperative problem. Agents that maximise their *own* rewards r_i play the first; agents that all
maximise the *team* reward r_bar play the second, where every deviation is judged by what it does to all. Their
equilibria differ: a deviation that helps the deviator can cost the others more, and the other way round. The efficient
profiles, maximisers of the team reward, are equilibria of the second game always and of the first only by luck.

Payoffs are compared as integers over one common denominator (floats are dyadic), so ties are ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import lcm, prod
from typing import Any

import numpy as np

from mdp.linear import identity_like, is_exact, rational, rational_array, solve
from mdp.model import FiniteMDP

Profile = tuple[tuple[int, ...], ...]
"""A deterministic stationary joint policy: the action of agent i in state s is ``profile[i][s]``."""

MAX_PROFILES = 100_000
"""Joint policies of a Markov game that are enumerated, ours: each costs an exact solve of the size of the state set."""


@dataclass(frozen=True, eq=False)
class Equilibria:
    """All pure equilibria of a problem, over its deterministic stationary joint policies.

    Attributes:
        nash: equilibria of the game in which agent i maximises its own J_i.
        strict: those of them at which every deviation of one agent loses.
        team_nash: equilibria of the game in which every agent maximises the team's J.
        efficient: profiles of the largest J.
        best: that J, exact.
        J: the exact J of every profile that occurs above.
    """

    nash: tuple[Profile, ...]
    strict: tuple[Profile, ...]
    team_nash: tuple[Profile, ...]
    efficient: tuple[Profile, ...]
    best: Fraction
    J: dict[Profile, Fraction]

    @cached_property
    def efficient_nash(self) -> tuple[Profile, ...]:
        """Equilibria of the first game that are efficient; the game need not have any."""
        return tuple(p for p in self.nash if p in set(self.efficient))


def pure_nash(payoffs: Any, *, strict: bool = False) -> tuple[tuple[int, ...], ...]:
    """All pure Nash equilibria of a game in normal form.

    Args:
        payoffs: (N, A_0, ..., A_{N-1}), floats, integers or rationals; ``payoffs[i][a]`` is agent i's at the profile a.
        strict: keep only those at which every deviation of one agent loses.

    Returns:
        Profiles in lexicographic order.

    Raises:
        ValueError: the number of axes is not one more than that of agents, an agent has no action, or an entry is
            not finite.

    Source: Osborne and Rubinstein (1994), A Course in Game Theory, Definition 14.1.
    """
    table = _require_payoffs(payoffs)
    numbers, _ = _integers(table)
    return _profiles(_stable(numbers, strict))


def pure_equilibria(mdp: FiniteMDP, *, max_profiles: int = MAX_PROFILES) -> Equilibria:
    """All pure equilibria of an MDP's games, in deterministic stationary policies and from its initial law.

    One state is a matrix game: the discount only scales its payoffs by 1 / (1 - gamma), so it is decided by the
    rewards alone. With more states every profile is evaluated by an exact solve. An agent whose rivals
    play stationary policies faces an MDP, which has a deterministic stationary best response, so no deviation is
    missed. If the initial law charges every state, an equilibrium is one from every state (`is_perfect`).

    Args:
        mdp: the problem; reward noise plays no part, its mean being in ``r``.
        max_profiles: how many joint policies may be evaluated when there is more than one state.

    Returns:
        The equilibria, J exact.

    Raises:
        ValueError: more profiles than `max_profiles`.

    Source: Osborne and Rubinstein (1994), Definition 14.1; Fink (1964) for stationary equilibria.
    """
    strategies: list[list[tuple[int, ...]]] = [list(product(range(k), repeat=mdp.n_states)) for k in mdp.n_actions]
    if mdp.n_states == 1:
        payoffs = rational_array(mdp.r[:, 0]) / (1 - rational(mdp.gamma))
        table = payoffs.reshape(mdp.n_agents, *mdp.n_actions)
    else:
        count = prod(len(s) for s in strategies)
        if count > max_profiles:
            raise ValueError(f"{count} deterministic joint policies exceed max_profiles = {max_profiles}")
        table = _policy_game(mdp, strategies)
    numbers, denominator = _integers(table)
    team = numbers.sum(axis=0)
    best = team.max()

    def named(index: tuple[int, ...]) -> Profile:
        return tuple(strategies[i][k] for i, k in enumerate(index))

    found = {
        "nash": _profiles(_stable(numbers, False)),
        "strict": _profiles(_stable(numbers, True)),
        "team_nash": _profiles(_stable(np.stack([team] * mdp.n_agents), False)),
        "efficient": _profiles(team == best),
    }
    scale = mdp.n_agents * denominator
    J = {named(p): Fraction(int(team[p]), scale) for group in found.values() for p in group}
    return Equilibria(**{name: tuple(map(named, g)) for name, g in found.items()}, best=Fraction(int(best), scale), J=J)


def is_perfect(mdp: FiniteMDP, profile: Profile, *, team: bool = False) -> bool:
    """Whether a profile is an equilibrium from every state: no agent gains by one deviation in any state.

    The one-shot deviation principle: agent i's policy is optimal against the others' if and only if in no state another
    action has a larger ``E[r_i + gamma V_i(s')]``. Exact, and independent of `pure_equilibria`, which compares
    whole policies.

    Args:
        mdp: the problem.
        profile: the joint policy.
        team: judge by the team's values instead of the agent's own.

    Raises:
        ValueError: the profile has another shape, or an action that does not exist.
    """
    _require_profile(mdp, profile)
    P, r, gamma = rational_array(mdp.P), rational_array(mdp.r), rational(mdp.gamma)
    if team:
        r = np.stack([r.sum(axis=0)] * mdp.n_agents)  # N times the team's: the same order
    values = _values(P, r, gamma, _rows(mdp, profile))
    for i, s in product(range(mdp.n_agents), range(mdp.n_states)):
        chosen = [profile[j][s] for j in range(mdp.n_agents)]
        for action in range(mdp.n_actions[i]):
            a = int(np.ravel_multi_index([*chosen[:i], action, *chosen[i + 1 :]], mdp.n_actions))
            if r[i, s, a] + gamma * (P[s, a] * values[i]).sum() > values[i, s]:
                return False
    return True


def _policy_game(mdp: FiniteMDP, strategies: list[list[tuple[int, ...]]]) -> np.ndarray:
    """Exact J_i of every joint policy, (N, policies of agent 0, ..., policies of agent N - 1)."""
    P, r, initial = rational_array(mdp.P), rational_array(mdp.r), rational_array(mdp.initial)
    gamma = rational(mdp.gamma)
    out = np.empty((mdp.n_agents, *(len(s) for s in strategies)), dtype=object)
    for index in np.ndindex(out.shape[1:]):
        profile = tuple(strategies[i][k] for i, k in enumerate(index))
        out[(slice(None), *index)] = (_values(P, r, gamma, _rows(mdp, profile)) * initial).sum(axis=1)
    return out


def _values(P: np.ndarray, r: np.ndarray, gamma: Any, rows: np.ndarray) -> np.ndarray:
    """V_i under a deterministic joint policy, (N, S), exact; `rows` has the joint action of each state."""
    states = np.arange(len(rows))
    values: np.ndarray = solve(identity_like(P, len(rows)) - gamma * P[states, rows], r[:, states, rows].T).T
    return values


def _rows(mdp: FiniteMDP, profile: Profile) -> np.ndarray:
    return np.ravel_multi_index(tuple(np.array(p) for p in profile), mdp.n_actions)


def _stable(payoffs: np.ndarray, strict: bool) -> np.ndarray:
    """Where no agent has a deviation that gains (or, strictly, one that does not lose)."""
    good = np.ones(payoffs.shape[1:], dtype=bool)
    for i, own in enumerate(payoffs):
        best = own == own.max(axis=i, keepdims=True)
        good &= best.astype(bool)
        if strict:
            good &= best.sum(axis=i, keepdims=True) == 1
    return good


def _profiles(mask: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(k) for k in index) for index in np.argwhere(mask))


def _integers(table: np.ndarray) -> tuple[np.ndarray, int]:
    """The same numbers times their least common denominator, as Python integers, and that denominator."""
    exact = table if is_exact(table) else rational_array(table)
    denominator = lcm(*{int(x.q) for x in exact.flat})
    numbers = np.empty(exact.shape, dtype=object)
    numbers[...] = np.reshape([int(x.p) * (denominator // int(x.q)) for x in exact.flat], exact.shape)
    return numbers, denominator


def _require_payoffs(payoffs: Any) -> np.ndarray:
    table = np.asarray(payoffs)
    if table.ndim < 2 or table.ndim != table.shape[0] + 1:
        raise ValueError(f"payoffs has shape {table.shape}; N agents need N + 1 axes, the first of length N")
    if 0 in table.shape:
        raise ValueError(f"payoffs has shape {table.shape}; every agent needs at least one action")
    if not is_exact(table) and not np.isfinite(table).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(table))[0])
        raise ValueError(f"payoffs[{', '.join(map(str, where))}] is {table[where]}; payoffs are finite")
    return rational_array(table)


def _require_profile(mdp: FiniteMDP, profile: Profile) -> None:
    if len(profile) != mdp.n_agents or any(len(p) != mdp.n_states for p in profile):
        raise ValueError(f"profile {profile} is not one action per agent and state: {mdp.n_agents} x {mdp.n_states}")
    for i, s in product(range(mdp.n_agents), range(mdp.n_states)):
        if not 0 <= profile[i][s] < mdp.n_actions[i]:
            raise ValueError(f"profile[{i}][{s}] is {profile[i][s]}; agent {i} has actions 0 to {mdp.n_actions[i] - 1}")
