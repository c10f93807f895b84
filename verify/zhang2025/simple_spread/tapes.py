"""Algorithms 1 and 2 of zhang2025 in exact arithmetic along a tape, to see what gossip changes (Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq

from mdp.linear import rational_array
from mdp.networks.families import permutation_mixture

WIDTH = 4
"""m; ours: 1 / sqrt(m) is rational."""


@dataclass(frozen=True, eq=False)
class Tape:
    """What the outer iterations of one run see, the same whatever the signals are.

    Attributes:
        H: input layer, (m, d).
        W0: W(0), (D, m, m).
        b: output layer, (m,).
        A: consensus matrix, (N, N).
        pairs: inputs of (s, a) and (s', a') of every tuple, (K + 1, 2, d): K for the critics, one for the actor.
        rewards: local rewards of every tuple, (K + 1, N).
        gamma: discount factor.
        beta: critic step.
    """

    H: np.ndarray
    W0: np.ndarray
    b: np.ndarray
    A: np.ndarray
    pairs: np.ndarray
    rewards: np.ndarray
    gamma: fmpq
    beta: fmpq


def random_tape(rng: np.random.Generator, *, shared: bool, iterations: int = 2) -> Tape:
    """Two or three agents, depth one or two, small rationals.

    Args:
        rng: of everything.
        shared: whether all agents have one reward, as Appendix D.1 prints.
        iterations: K.
    """
    N, D, d = int(rng.integers(2, 4)), int(rng.integers(1, 3)), 3

    def draw(*shape: int) -> np.ndarray:
        values: np.ndarray = rational_array(rng.integers(-3, 4, size=shape)) / fmpq(2)
        return values

    rewards = draw(iterations + 1, N)
    if shared:
        rewards = np.repeat(rewards[:, :1], N, axis=1)
    A = permutation_mixture(N, rng, exact=True)
    pairs = draw(iterations + 1, 2, d)
    return Tape(draw(WIDTH, d), draw(D, WIDTH, WIDTH), draw(WIDTH), A, pairs, rewards, fmpq(99, 100), fmpq(1, 1000))


def signals(tape: Tape, gossip_rounds: int) -> np.ndarray:
    """The consented TD errors of line 16 of Algorithm 1, one per agent, after one call of Algorithm 2.

    Args:
        tape: what the run sees.
        gossip_rounds: t_gossip.
    """
    N, K = tape.rewards.shape[1], len(tape.pairs) - 1
    critics = []
    for i in range(N):
        W, mean = tape.W0.copy(), tape.W0.copy()
        for k in range(K):
            W = W - tape.beta * _td_error(tape, W, k, i) * _gradient(tape, W, tape.pairs[k, 0])
            mean = mean * fmpq(k + 1, k + 2) + W * fmpq(1, k + 2)
        critics.append(mean)
    mixed = np.array(critics, dtype=object)
    for _ in range(gossip_rounds):
        mixed = np.tensordot(tape.A, mixed, axes=1)
    delta = np.array([_td_error(tape, mixed[i], K, i) for i in range(N)], dtype=object)
    for _ in range(gossip_rounds):
        delta = tape.A @ delta
    return delta


def changed(tapes: Sequence[Tape], rounds: Sequence[int]) -> tuple[int, Tape | None]:
    """How many tapes have signals that depend on the number of gossip rounds, and the last that does or does not.

    Args:
        tapes: runs.
        rounds: numbers of rounds to compare, the first being the reference.
    """
    count = 0
    for tape in tapes:
        first = signals(tape, rounds[0])
        count += any((signals(tape, k) != first).any() for k in rounds[1:])
    return count, tapes[-1] if tapes else None


def _layers(tape: Tape, W: np.ndarray, x: np.ndarray) -> list[np.ndarray]:
    layers = [tape.H @ x]
    for weight in W:
        z = weight @ layers[-1]
        layers.append(np.array([max(v, fmpq(0)) for v in z], dtype=object) / fmpq(2))
    return layers


def _value(tape: Tape, W: np.ndarray, x: np.ndarray) -> fmpq:
    return tape.b @ _layers(tape, W, x)[-1]


def _td_error(tape: Tape, W: np.ndarray, k: int, agent: int) -> fmpq:
    now, then = (_value(tape, W, x) for x in tape.pairs[k])
    return now - tape.rewards[k, agent] - tape.gamma * then


def _gradient(tape: Tape, W: np.ndarray, x: np.ndarray) -> np.ndarray:
    layers, back, out = _layers(tape, W, x), tape.b, np.empty(W.shape, dtype=object)
    for h in range(len(W) - 1, -1, -1):
        back = np.array([g / fmpq(2) if v > 0 else fmpq(0) for g, v in zip(back, layers[h + 1], strict=True)])
        out[h] = np.outer(back, layers[h])
        back = back @ W[h]
    return out
