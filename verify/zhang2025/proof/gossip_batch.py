"""A batch of local TD errors under gossip, for zhang2025 Eqs. (26)-(27): exact lines, instances and extreme cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import fmpq

from mdp.linear import identity_like, rational_array
from verify.context import Context
from verify.networks import random_connected

ROUNDS = (0, 1, 3)
"""Gossip rounds of the instances; ours."""


@dataclass(frozen=True, eq=False)
class Gossip:
    """A batch of local TD errors after some rounds of gossip.

    Attributes:
        A: consensus matrix, (N, N).
        rounds: t.
        local: TD errors ``Q - r^i - gamma Q'``, (M, N).
        rewards: the rewards in them, (M, N), between 0 and `reward_range`.
        values: ``Q(s_l, a_l)`` and ``Q(s_(l+1), a_(l+1))``, (M, 2).
        score: of one agent, one parameter, at most one in size, (M,).
        gamma: discount.
        reward_range: r_max.
    """

    A: np.ndarray
    rounds: int
    local: np.ndarray
    rewards: np.ndarray
    values: np.ndarray
    score: np.ndarray
    gamma: fmpq
    reward_range: fmpq

    @property
    def min_weight(self) -> fmpq:
        """Eta."""
        return min(x for x in self.A.ravel() if x > 0)

    @property
    def deviation(self) -> np.ndarray:
        """``A^t - 11^T / N``, (N, N)."""
        power = identity_like(self.A, len(self.A))
        for _ in range(self.rounds):
            power = power @ self.A
        return power - fmpq(1, len(self.A))

    @property
    def bound(self) -> fmpq:
        """``((1 + gamma)/(1 - gamma) + 1) r_max``; the critic is exact."""
        return ((1 + self.gamma) / (1 - self.gamma) + 1) * self.reward_range

    def lines(self, i: int, vector: bool) -> list[fmpq]:
        """Values of the lines of (26) for an agent, in order; the sixth is the one after (a).

        Args:
            i: agent.
            vector: read ``delta 1`` as the vector of the agents' TD errors, not as their mean times ones.
        """
        row, team, N = self.deviation[i], self.local.sum(axis=1) / fmpq(len(self.A)), fmpq(len(self.A))
        mixed = self.local @ (row + 1 / N)
        stacked = self.local if vector else team[:, None] + self.local * 0
        size, length = (row**2).sum(), (stacked**2).sum(axis=1)
        local = np.abs(self.local).max()
        return [
            ((mixed * self.score).sum() - (team * self.score).sum()) ** 2 / fmpq(len(team)) ** 2,
            ((mixed - team) * self.score).sum() ** 2 / fmpq(len(team)) ** 2,
            ((stacked @ row) * self.score).sum() ** 2 / fmpq(len(team)) ** 2,
            max(((stacked @ row) * self.score) ** 2),
            max(size * length * self.score**2),
            max(size * length),
            N * size * max(np.abs(team)),
            N * size * local,
            N * size * max(self.reward_range + np.abs(self.values[:, 0]) + self.gamma * np.abs(self.values[:, 1])),
            N * size * self.bound,
            4 * N**2 * (1 + 1 / self.min_weight ** (len(self.A) - 1)) ** 2 * self._printed_square * self.bound,
        ]

    @property
    def _printed_square(self) -> fmpq:
        return (1 - self.min_weight ** (len(self.A) - 1)) ** (2 * self.rounds)


def instances(context: Context) -> Iterator[Gossip]:
    """Instances by hand, then random: matrices on connected graphs, TD errors from rewards and values in range.

    Args:
        context: budget and randomness.
    """
    yield from by_hand()
    rng = context.rng(2601)
    for k in range(context.profile.n_rational):
        A = random_connected(rng, symmetric=bool(k % 2))
        M, gamma, top = int(rng.integers(1, 4)), fmpq(int(rng.integers(1, 10)), 10), fmpq(int(rng.integers(1, 4)))
        rewards = top * rational_array(rng.integers(0, 5, size=(M, len(A)))) / 4
        values = top / (1 - gamma) * rational_array(rng.integers(0, 5, size=(M, 2))) / 4
        score = rational_array(rng.integers(-4, 5, size=M)) / 4
        yield _gossip(A, int(rng.choice(ROUNDS)), rewards, values, score, gamma, top)


def by_hand() -> list[Gossip]:
    """Two agents, one sample, rewards 0 and 1 (then 4), values 4 and 0, gamma = 3/4; one round with eta = 1/4."""
    A, four = rational_array([[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]]), fmpq(4)
    one = rational_array([1])
    return [
        _gossip(A, 1, rational_array([[0, top]]), rational_array([[four * top, 0]]), one, fmpq(3, 4), top)
        for top in (fmpq(1), fmpq(4))
    ]


def unconnected() -> list[Gossip]:
    """Two agents without an edge, A = I, eta = 1/2 (the weights are at least that), twelve rounds."""
    one = by_hand()[0]
    return [_Unconnected(rational_array(np.eye(2, dtype=int)), 12, one.local, one.rewards, one.values, one.score,
                         one.gamma, one.reward_range)]


class _Unconnected(Gossip):
    """Assumption 5.1 asks for weights of at least eta; a smaller eta than the least weight is allowed."""

    @property
    def min_weight(self) -> fmpq:
        return fmpq(1, 2)


def _gossip(
    A: np.ndarray, rounds: int, rewards: np.ndarray, values: np.ndarray, score: np.ndarray, gamma: fmpq, top: fmpq
) -> Gossip:
    local = (values[:, 0] - gamma * values[:, 1])[:, None] - rewards
    return Gossip(A, rounds, local, rewards, values, score, gamma, top)
