"""Small single-agent chains with closed forms, near-degenerate chains, and traps."""

from __future__ import annotations

import numpy as np

from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem


def _tabular(P: np.ndarray, r: np.ndarray, gamma: float, start: int, name: str) -> Problem:
    """A single-agent problem with tabular policy and features."""
    S, A, _ = P.shape
    mdp = FiniteMDP(P, r[None], np.eye(S)[start], gamma, (A,), name=name)
    schedule = Schedule.static(np.ones((1, 1)))
    return Problem(mdp, LogLinearPolicy.tabular(S, (A,)), Features.tabular(S, A), schedule, name=name)


def two_state(p: float = 0.25, q: float = 0.5, gamma: float = 0.9) -> Problem:
    """Two states, two actions: leave with probability p (state 0) or q (state 1), or with 1 - p, 1 - q.

    Good for: everything in closed form. Under action 0 the stationary law is ``(q, p) / (p + q)`` and the second
    eigenvalue ``1 - p - q``; action 1 swaps p for 1 - p and q for 1 - q. State 1 pays 1.

    Args:
        p: probability of leaving state 0 under action 0.
        q: probability of leaving state 1 under action 0.
        gamma: discount factor.
    """
    P = np.array([[[1 - p, p], [p, 1 - p]], [[q, 1 - q], [1 - q, q]]])
    return _tabular(P, np.array([[0.0, 0.0], [1.0, 1.0]]), gamma, 0, "two-state")


def random_walk(n_inner: int = 5, gamma: float = 0.9) -> Problem:
    """Symmetric walk between two absorbing ends; entering the right end pays 1.

    Good for: TD learning against a textbook answer (Sutton and Barto, Example 6.2, is the undiscounted case, where
    ``V(k) = k / (n + 1)``). Discounted, ``V(k) = sinh(k x) / (gamma sinh((n + 1) x))`` with ``cosh x = 1 / gamma``. The
    chain is reducible: it has no stationary law with full support, and asking for one is an error.

    Args:
        n_inner: number of inner states; the ends are states 0 and n_inner + 1.
        gamma: discount factor.

    Raises:
        ValueError: no inner state.
    """
    if n_inner < 1:
        raise ValueError(f"n_inner is {n_inner}; a walk needs at least one inner state")
    S = n_inner + 2
    P, r = np.zeros((S, 1, S)), np.zeros((S, 1))
    P[0, 0, 0] = P[S - 1, 0, S - 1] = 1.0
    for k in range(1, S - 1):
        P[k, 0, k - 1] = P[k, 0, k + 1] = 0.5
    r[S - 2, 0] = 0.5  # expected reward: the right end is entered with probability 1/2
    return _tabular(P, r, gamma, S // 2, "random-walk")


def nearly_decomposable(coupling: float = 1e-12, gamma: float = 0.9) -> Problem:
    """Two pairs of states that exchange mass with probability `coupling`.

    Good for: telling algorithms for the stationary law apart. Subtraction-based solvers lose about
    ``log10(1 / coupling)`` digits; the mixing time is of order ``1 / coupling``. A birth-death chain, so detailed
    balance gives the answer: all four states have probability 1/4.

    Args:
        coupling: probability of crossing between the pairs, in (0, 1/2).
        gamma: discount factor.

    Raises:
        ValueError: coupling out of range.
    """
    if not 0 < coupling < 0.5:
        raise ValueError(f"coupling is {coupling:g}; it lies strictly between 0 and 1/2")
    P = np.array(
        [
            [0.5, 0.5, 0, 0],
            [0.5, 0.5 - coupling, coupling, 0],
            [0, coupling, 0.5 - coupling, 0.5],
            [0, 0, 0.5, 0.5],
        ]
    )
    return _tabular(P[:, None, :], np.array([[0.0], [0.0], [0.0], [1.0]]), gamma, 0, "nearly-decomposable")


def absorbing_trap(gamma: float = 0.9) -> Problem:
    """Three states; one action of state 0 pays now and leads to a state that is never left.

    Good for: input checks (the chain is reducible, so mu_theta does not exist as the papers need it) and for the
    restart kernel, under which everything is well defined again.

    Args:
        gamma: discount factor.
    """
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[2, :, 2] = 1.0
    P[1, :, 0] = 1.0
    return _tabular(P, np.array([[0.0, 1.0], [0.5, 0.5], [0.0, 0.0]]), gamma, 0, "absorbing-trap")


def periodic_trap(length: int = 3, gamma: float = 0.9) -> Problem:
    """A deterministic cycle: irreducible, with a stationary law, and never mixing.

    Good for: input checks; the geometric mixing of zhang2025 Lemma 5.4 fails, the averages over time do not.

    Args:
        length: number of states, at least two.
        gamma: discount factor.

    Raises:
        ValueError: a cycle of fewer than two states.
    """
    if length < 2:
        raise ValueError(f"length is {length}; a periodic cycle has at least two states")
    P = np.roll(np.eye(length), 1, axis=1)[:, None, :]
    return _tabular(P, np.eye(length)[:, :1], gamma, 0, "periodic-trap")
