"""Contraction of disagreement, measured exactly, beside what published bounds promise.

Write ``Phi = W_(s+T-1) ... W_s`` for T rounds from round s on, and ``J = 11^T/N``. Three measures are in use:

- ``||Phi - J||_2``, the factor by which disagreement shrinks at worst (`mdp.networks.schedule.disagreement_norm`);
- ``max_i ||Phi(i, :) - 1/N||_2``, the row deviation of zhang2025;
- ``max_ij |Phi_ij - 1/N|``, the entry deviation of Nedic and Ozdaglar (2009).

`mdp.networks.table` sets each published bound beside the measure it speaks of.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mdp.linear import identity_like
from mdp.networks.schedule import (
    DisconnectedScheduleError,
    Schedule,
    disagreement_norm,
    require_connected,
)


def product(matrices: np.ndarray, rounds: int, start: int = 0) -> np.ndarray:
    """``Phi``: the product over `rounds` rounds of a periodic sequence, latest factor on the left.

    Args:
        matrices: (B, N, N), floats or rationals.
        rounds: T, nonnegative.
        start: first round.

    Returns:
        Array (N, N), exact for rational input.

    Raises:
        ValueError: `rounds` or `start` negative.
    """
    _require_rounds(rounds, start)
    out = identity_like(matrices, matrices.shape[1])
    for t in range(start, start + rounds):
        out = matrices[t % len(matrices)] @ out
    return out


def deviation(matrices: np.ndarray, rounds: int, start: int = 0) -> np.ndarray:
    """``Phi - J``, computed as the product of ``W_t - J``, which keeps its relative accuracy as it decays.

    Args:
        matrices: (B, N, N), doubly stochastic, floats or rationals.
        rounds: T, nonnegative.
        start: first round.

    Returns:
        Array (N, N), exact for rational input.

    Raises:
        ValueError: `rounds` or `start` negative.
    """
    _require_rounds(rounds, start)
    identity = identity_like(matrices, matrices.shape[1])
    mean = (identity[0, 0] * 0 + 1) / matrices.shape[1]
    out = identity - mean
    for t in range(start, start + rounds):
        out = (matrices[t % len(matrices)] - mean) @ out
    return out


def round_contractions(schedule: Schedule) -> Float[np.ndarray, " B"]:
    """``||W_t - J||_2`` of each round; one where a round alone contracts nothing.

    Args:
        schedule: the schedule.

    Returns:
        Array (B,).
    """
    return np.array([disagreement_norm(W) for W in schedule.matrices])


def window_contractions(schedule: Schedule) -> Float[np.ndarray, " B"]:
    """``||Phi - J||_2`` over one period, from each round of the period on.

    Args:
        schedule: the schedule.

    Returns:
        Array (B,); entry 0 is ``schedule.contraction``.
    """
    period = schedule.period
    return np.array([np.linalg.norm(deviation(schedule.matrices, period, s), 2) for s in range(period)])


def asymptotic_rate(schedule: Schedule) -> float:
    """Factor per round in the long run: the spectral radius of ``Phi - J`` over a period, to the power 1/B.

    It does not depend on where the period starts. Powers decay no slower than this, whatever the norm.

    Args:
        schedule: the schedule.

    Source: Gelfand's formula; Horn and Johnson (2013), Matrix Analysis, Corollary 5.6.14.
    """
    radius = np.abs(np.linalg.eigvals(deviation(schedule.matrices, schedule.period))).max()
    return float(radius ** (1.0 / schedule.period))


def ergodic_coefficient(W: np.ndarray) -> float:
    """Dobrushin's coefficient ``max_ij (1/2) sum_k |W_ik - W_jk|``, exact (as a rational) for rational input.

    It is submultiplicative, bounds every eigenvalue but the one at 1, and is below one exactly when any two rows
    share a column where both are positive.

    Args:
        W: row stochastic, (N, N), floats or rationals.

    Source: Dobrushin (1956); Seneta (2006), Non-negative Matrices and Markov Chains, Sec. 4.3.
    """
    rows = range(len(W))
    value: float = max(abs(W[i] - W[j]).sum() / 2 for i in rows for j in rows)
    return value


def connectivity_window(matrices: np.ndarray) -> int:
    """Least b such that the links of any b consecutive rounds of the periodic sequence connect all agents.

    Args:
        matrices: (B, N, N), nonnegative.

    Raises:
        DisconnectedScheduleError: not even a whole period does.
    """
    require_connected(matrices)
    return next(b for b in range(1, len(matrices) + 1) if all(map(_connected, _windows(matrices, b))))


def intercommunication_interval(matrices: np.ndarray) -> int:
    """Least b such that every link that is ever used is used in any b consecutive rounds.

    Args:
        matrices: (B, N, N), nonnegative.

    Source: Nedic and Ozdaglar (2009), IEEE TAC 54(1), Assumption 3 (bounded intercommunication interval).
    """
    used = (matrices > 0).any(axis=0)
    lengths = range(1, len(matrices) + 1)
    return next(b for b in lengths if all((((w > 0).any(axis=0)) == used).all() for w in _windows(matrices, b)))


def _windows(matrices: np.ndarray, length: int) -> list[np.ndarray]:
    return [np.roll(matrices, -s, axis=0)[:length] for s in range(len(matrices))]


def _connected(matrices: np.ndarray) -> bool:
    try:
        require_connected(matrices)
    except DisconnectedScheduleError:
        return False
    return True


def _require_rounds(rounds: int, start: int) -> None:
    if rounds < 0 or start < 0:
        raise ValueError(f"rounds is {rounds} and start is {start}; neither is negative")
