"""Models of other packages: QuantEcon's DiscreteDP, Gymnasium's transition tables, PettingZoo environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from scipy.sparse import issparse

from mdp.io.errors import optional_package, shown
from mdp.model import FiniteMDP
from mdp.problem import Problem

if TYPE_CHECKING:
    from mdp.io._parallel_env import FiniteMDPEnv


def to_quantecon(mdp: FiniteMDP) -> Any:
    """QuantEcon's `DiscreteDP` of the team: reward `r_bar`, joint actions, discount gamma.

    Args:
        mdp: the MDP.

    Returns:
        A ``quantecon.markov.DiscreteDP`` with R of shape (S, A) and Q of shape (S, A, S).

    Raises:
        ImportError: quantecon is not installed.

    Source: QuantEcon.py, `markov.ddp`.
    """
    markov = optional_package("quantecon.markov", "io")
    return markov.DiscreteDP(np.array(mdp.r_bar), np.array(mdp.P), mdp.gamma)


def from_quantecon(
    ddp: Any,
    *,
    n_actions: Sequence[int] | None = None,
    initial: Float[np.ndarray, " S"] | None = None,
    pad_actions: bool = False,
) -> FiniteMDP:
    """FiniteMDP of a QuantEcon `DiscreteDP`, in its product form or as state-action pairs, dense or sparse.

    Args:
        ddp: a ``quantecon.markov.DiscreteDP``; quantecon itself is not imported.
        n_actions: actions of each agent, product A; by default one agent. Every agent earns the reward R.
        initial: initial law, (S,), which a DiscreteDP does not have; uniform by default.
        pad_actions: replace an infeasible action by the state's first feasible one (this changes no optimal
            value) instead of refusing it.

    Raises:
        ValueError: an infeasible action (named), n_actions whose product is not A, beta = 1, or rows that are no
            probabilities.

    Source: QuantEcon.py, `markov.ddp`: rewards of minus infinity mark infeasible actions.
    """
    S = int(ddp.num_states)
    if getattr(ddp, "s_indices", None) is None:
        R, Q = np.array(ddp.R, dtype=float), np.array(ddp.Q, dtype=float)
    else:
        pairs = (np.asarray(ddp.s_indices), np.asarray(ddp.a_indices))
        A = int(pairs[1].max()) + 1
        R, Q = np.full((S, A), -np.inf), np.zeros((S, A, S))
        R[pairs] = ddp.R
        Q[pairs] = ddp.Q.toarray() if issparse(ddp.Q) else ddp.Q
    for s, a in np.argwhere(np.isneginf(R)):
        if not pad_actions:
            raise ValueError(f"action {a} is infeasible in state {s}; pad_actions=True repeats a feasible one")
        feasible = int(np.isfinite(R[s]).argmax())
        R[s, a], Q[s, a] = R[s, feasible], Q[s, feasible]
    widths = (R.shape[1],) if n_actions is None else tuple(int(n) for n in n_actions)
    if prod(widths) != R.shape[1]:
        raise ValueError(f"n_actions {widths} make {prod(widths)} joint actions; the DiscreteDP has {R.shape[1]}")
    law = np.full(S, 1.0 / S) if initial is None else initial
    return FiniteMDP(Q, np.repeat(R[None], len(widths), axis=0), law, ddp.beta, widths, name="quantecon")


def from_toy_text(source: Any, *, gamma: float, initial: Float[np.ndarray, " S"] | None = None) -> FiniteMDP:
    """FiniteMDP of a Gymnasium toy-text environment (FrozenLake, Taxi, CliffWalking) or of its table ``P``.

    ``P[s][a]`` lists ``(probability, successor, reward, terminated)``. The reward of a pair is the expectation.
    A state that is only ever entered by termination becomes absorbing with reward zero. When some state is entered
    both ways, every termination leads to one extra absorbing state instead, number S (the last): Taxi is such a
    table, because its rows for states after the drop-off go on as if nothing had ended.

    Args:
        source: an environment whose ``unwrapped.P`` is the table, or the table itself.
        gamma: discount factor.
        initial: initial law on the table's states; by default the environment's ``initial_state_distrib``.

    Returns:
        An MDP with one agent; values of states that do not end at once are those of the table, with no value
        after termination.

    Raises:
        ValueError: no table, no initial law, states that are not 0..S-1, states with other numbers of actions,
            a successor that is not there, an entry that is no number, rows that do not sum to one; the place
            is named.

    Source: Gymnasium documentation, toy-text environments.
    """
    table = getattr(getattr(source, "unwrapped", source), "P", source)
    if not isinstance(table, Mapping) or not table:
        raise ValueError(f"{type(source).__name__} has no transition table P")
    if initial is None:
        initial = getattr(getattr(source, "unwrapped", None), "initial_state_distrib", None)
        if initial is None:
            raise ValueError("a table P has no initial law; pass initial=")
    continues, ends, reward = _tabulate(table)
    entered_by_ending = ends.any(axis=(0, 1))
    entered_otherwise = continues[~entered_by_ending].any(axis=(0, 1))
    law = np.asarray(initial, dtype=float)
    if (entered_by_ending & entered_otherwise).any():
        P, reward, law = _with_sink(continues, ends.sum(axis=2), reward, law)
    else:
        P = continues + ends
        P[entered_by_ending] = np.eye(len(P))[entered_by_ending][:, None, :]
        reward[entered_by_ending] = 0.0
    name = getattr(getattr(source, "spec", None), "id", "toy-text")
    return FiniteMDP(P, reward[None], law, gamma, (P.shape[1],), name=str(name))


def _tabulate(table: Mapping[Any, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (S, A, S) of going on and of ending, and expected rewards (S, A)."""
    S = len(table)
    if set(table) != set(range(S)):
        raise ValueError(f"the states of P are not 0..{S - 1}: {shown(next(k for k in table if k not in range(S)))}")
    A = len(table[0])
    continues, ends, reward = np.zeros((S, A, S)), np.zeros((S, A, S)), np.zeros((S, A))
    for s in range(S):
        if set(table[s]) != set(range(A)) or not A:
            raise ValueError(f"P[{s}] has actions {shown(list(table[s]))}, not 0..{A - 1} as P[0]")
        for a in range(A):
            for k, entry in enumerate(table[s][a]):
                try:
                    probability, successor, gain, terminated = entry
                    probability, gain, target = float(probability), float(gain), int(successor)
                except (TypeError, ValueError) as error:
                    form = "(probability, successor, reward, terminated)"
                    raise ValueError(f"P[{s}][{a}][{k}] is {shown(entry)}, not {form}") from error
                if not (0 <= target < S and probability >= 0 and np.isfinite(gain)):
                    raise ValueError(f"P[{s}][{a}][{k}] is {shown(entry)}: successor, probability or reward is off")
                if probability > 0:
                    (ends if terminated else continues)[s, a, target] += probability
                    reward[s, a] += probability * gain
    return continues, ends, reward


def _with_sink(
    continues: np.ndarray, end: np.ndarray, reward: np.ndarray, law: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    S, A, _ = continues.shape
    P = np.zeros((S + 1, A, S + 1))
    P[:S, :, :S], P[:S, :, S], P[S, :, S] = continues, end, 1.0
    return P, np.concatenate([reward, np.zeros((1, A))]), np.append(law, 0.0)


def to_pettingzoo(
    source: FiniteMDP | Problem, *, max_steps: int | None = None, seed: int = 0
) -> FiniteMDPEnv:
    """PettingZoo `ParallelEnv` whose dynamics are exactly those of the MDP, so that its optimum is known.

    Agents are ``agent_0``, ``agent_1``, ...; each observes the state index (``Discrete(S)``), chooses from
    ``Discrete(A_i)`` and earns its local reward, with the MDP's reward noise. The horizon is infinite: nothing
    terminates; with `max_steps` every agent is truncated at that step.

    Args:
        source: the MDP, or a problem, of which only the MDP is used.
        max_steps: truncate episodes there; None never does.
        seed: generator seed until ``reset(seed=...)`` gives another.

    Raises:
        ImportError: pettingzoo (with gymnasium) is not installed.
        ValueError: max_steps below one.

    Source: PettingZoo documentation, Parallel API.
    """
    optional_package("gymnasium.spaces", "io")
    optional_package("pettingzoo", "io")
    from mdp.io._parallel_env import FiniteMDPEnv

    return FiniteMDPEnv(source.mdp if isinstance(source, Problem) else source, max_steps=max_steps, seed=seed)
