"""zhang2025 Appendix C, Step 2(b), Eqs. (26)-(27): the error of gossiping the TD errors in the actor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import networkx as nx
import numpy as np
from flint import fmpq

from mdp.linear import identity_like, rational_array
from verify.claim import Variant, control, printed, reading, repaired, source, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
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
        """``A^t - 11^T / N``."""
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


@statement("zhang2025", "eq-26", uses=("algorithm-1-direction", "assumption-5.5", "assumption-5.9", "consensus-rate"))
def eq_26() -> tuple[Variant, ...]:
    r"""The actor's gossip error, line by line.

    .. math:: \Big\| \tfrac1M \sum_l (\tilde\delta_l^i - \delta_l)\psi_l^i \Big\|^2
        = \Big\| \tfrac1M \sum_l a_i (\delta_l 1)\psi_l^i \Big\|^2 \le \max_l \|a_i\|^2 \|\delta_l 1\|^2
        \le N \|a_i\|^2 \max_l |\delta_l| = N \|a_i\|^2 \max_{i,l} |\delta_l^i| \le N \|a_i\|^2 C
        \le 4 N^2 (1 + \eta^{1-N})^2 (1 - \eta^{N-1})^{2t} C, \qquad a_i = A^t(i,:) - \tfrac1N 1^T

    ``delta_l`` is the mean over the agents, as the paper defines it. *Third line*: ``a_i`` is orthogonal to the ones,
    so ``a_i (delta_l 1) = 0`` and the line says that there is no error. The vector of the local TD errors is meant
    (repaired). *Seventh line*: the square of delta is lost; true only while it is at most one. *Eighth line*: an
    equality between the mean and the largest TD error, true as an upper bound. *(b), (c)* are right; C is at least
    twice too large (``|Q - r - gamma Q'| <= r_max/(1-gamma)``). *(d)* has lost its source's ``(1 - eta^(N-1))^-2`` and
    the division of the exponent by N - 1, and does not follow from Nedic and Ozdaglar (2009): their bound is
    larger by ``(1 - eta)^-4`` already for two agents. It is false where the graph is not connected, which no
    assumption forbids, and true on connected graphs, by the argument of the entry on the consensus rate. *The last
    order*, N^2, drops ``(1 + eta^(1-N))^2``, at least 4^(N-1) since eta is at most 1/2.

    Repaired and sharp: Q and gamma Q' are the same for all agents and ``a_i`` is orthogonal to the ones, so only the
    rewards matter: ``a_i . delta_l = -a_i . r_l``. With ``sum_i (r^i - mean)^2 <= N r_max^2 / 4`` the error is at most
    ``(N/4) r_max^2 ||a_i||^2``, free of gamma, of Q and of epsilon_critic. Two agents with rewards 0 and r_max attain
    it.

    Hypotheses: Assumptions 5.3 and 5.5, an exact critic with values in [0, r_max/(1-gamma)]; all TD errors, scores
    and doubly stochastic matrices that meet them are tried, not only those of one problem.

    Consequence: the final order survives in a better form (see (27)), for connected graphs. The actor's gossip error
    has no factor of the network's size: it cannot be absorbed by a term that has one (see (36)).
    """
    steps = (
        (0, "first", "the definitions", Relation.EQUAL), (1, "third", "gossip as a row of A^t", Relation.EQUAL),
        (2, "Jensen", "a mean is at most the largest", Relation.AT_MOST),
        (3, "Cauchy-Schwarz", "Cauchy-Schwarz", Relation.AT_MOST), (4, "(a)", "scores of at most one",
            Relation.AT_MOST),
        (5, "square", "||delta 1||^2 is at most N max |delta|", Relation.AT_MOST),
        (6, "largest", "the mean and the largest TD error are equal", Relation.EQUAL),
        (7, "(b)", "the parts of the TD error", Relation.AT_MOST), (8, "(c)", "values of at most r_max/(1-gamma)",
            Relation.AT_MOST),
    )
    return (
        *(printed(lambda c, k=k, r=r: _step(_instances(c), k, r), text, label, part=label,  # type: ignore[misc]
                  recheck=lambda c, k=k, r=r: _step(_by_hand(), k, r))  # type: ignore[misc]
          for k, label, text, r in steps),
        printed(lambda c: _step(_unconnected(), 9, Relation.AT_MOST), "(d), Assumption 5.1 as printed, A = I",
                "(d), literal", part="(d)"),
        printed(lambda c: _step(_instances(c), 9, Relation.AT_MOST), "(d), connected graph", "(d), connected",
                part="(d)"),
        printed(_last_order, "the last order, constants free of N", "last order", part="order"),
        reading(lambda c: _step(_instances(c), 6, Relation.AT_MOST), "the mean is at most the largest TD error",
                "largest as a bound"),
        reading(_follows_from_source, "(d) is at least the bound of its source", "(d) from its source"),
        source(_source, "Nedic and Ozdaglar (2009), Prop. 1, to the power N - 1, summed over a row"),
        repaired(lambda c: _step(_instances(c), 1, Relation.EQUAL, vector=True),
                "third line with the vector of TD errors",
                 "third"),
        repaired(lambda c: (_rewards_only(c), _attained()), "(N/4) r_max^2 ||a_i||^2, attained", "sharp"),
        control(lambda c: _rewards_only(c, Fraction(99, 100)), "the sharp bound less one per cent", "0.99"),
        control(lambda c: _step(_instances(c), 1, Relation.EQUAL, vector=True, drop_mean=True),
                "third line, the vector, with A^t for A^t - 11^T/N", "no mean"),
    )


def _instances(context: Context) -> Iterator[Gossip]:
    """Instances by hand, then random: matrices on connected graphs, TD errors from rewards and values in range."""
    yield from _by_hand()
    rng = context.rng(2601)
    for k in range(context.profile.n_rational):
        A = random_connected(rng, symmetric=bool(k % 2))
        M, gamma, top = int(rng.integers(1, 4)), fmpq(int(rng.integers(1, 10)), 10), fmpq(int(rng.integers(1, 4)))
        rewards = top * rational_array(rng.integers(0, 5, size=(M, len(A)))) / 4
        values = top / (1 - gamma) * rational_array(rng.integers(0, 5, size=(M, 2))) / 4
        score = rational_array(rng.integers(-4, 5, size=M)) / 4
        yield _gossip(A, int(rng.choice(ROUNDS)), rewards, values, score, gamma, top)


def _by_hand() -> list[Gossip]:
    """Two agents, one sample, rewards 0 and 1 (then 4), values 4 and 0, gamma = 3/4; one round with eta = 1/4."""
    A, four = rational_array([[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]]), fmpq(4)
    one = rational_array([1])
    return [
        _gossip(A, 1, rational_array([[0, top]]), rational_array([[four * top, 0]]), one, fmpq(3, 4), top)
        for top in (fmpq(1), fmpq(4))
    ]


def _unconnected() -> list[Gossip]:
    """Two agents without an edge, A = I, eta = 1/2 (the weights are at least that), twelve rounds."""
    one = _by_hand()[0]
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


def _step(
    cases: Iterator[Gossip] | list[Gossip], k: int, relation: Relation, *, vector: bool = False, drop_mean: bool = False
) -> Evidence:
    """Line k minus line k + 1, the largest (in size, for equalities); first violation as witness."""
    worst, witness, count = None, None, 0
    for one in cases:
        for i in range(len(one.A)):
            lines = one.lines(i, vector)
            left, right = lines[k], lines[k + 1]
            if drop_mean:
                row = one.deviation[i] + fmpq(1, len(one.A))
                right = ((one.local @ row) * one.score).sum() ** 2 / fmpq(len(one.local)) ** 2
            excess = left - right if relation is Relation.AT_MOST else abs(left - right)
            worst, count = excess if worst is None else max(worst, excess), count + 1
            if witness is None and excess > 0:
                witness = Witness(
                    f"agent {i}: line {k + 1} is {left}, line {k + 2} is {right}",
                    {"A": one.A, "rounds": one.rounds, "TD errors [l, i]": one.local, "rewards": one.rewards,
                     "Q, Q'": one.values, "psi": one.score, "gamma": one.gamma, "left side": left, "right side": right},
                )
    if worst is None:
        raise ValueError("no instance")
    return exact_evidence(f"line {k + 1} minus line {k + 2}", worst, 0, relation, instances=count, witness=witness)


def _last_order(context: Context) -> Evidence:
    """Line (d) over ``N^2 (1 - eta^(N-1))^(2t) C`` at eta = 1/2: ``4 (1 + 2^(N-1))^2``, against a constant of 10^6."""
    N = 16
    return exact_evidence(
        "(d) over N^2 (1 - eta^(N-1))^(2t) C at N = 16, eta = 1/2", 4 * (1 + Fraction(2) ** (N - 1)) ** 2, 10**6,
        Relation.AT_MOST, instances=1, witness=Witness("N = 16, eta = 1/2", {"ratio": 4 * (1 + 2 ** (N - 1)) ** 2}),
        note="it grows like 4^N, so no constant helps; for fixed N and eta the equality is empty",
    )


def _follows_from_source(context: Context) -> Evidence:
    """Two agents, t rounds: N times the squared entry bound over (d) without its common factors, eta = 1/4."""
    eta = Fraction(1, 4)
    theirs = 2 * (2 * (1 + 1 / eta) / (1 - eta)) ** 2 * (1 - eta) ** (2 * (3 - 1))
    printed_bound = 4 * 2 * (1 + 1 / eta) ** 2 * (1 - eta) ** (2 * 3)
    return exact_evidence(
        "source's bound on ||a_i||^2 over the printed one, N = 2, t = 3", theirs / printed_bound, 1, Relation.AT_MOST,
        instances=1, witness=Witness("N = 2, eta = 1/4, t = 3", {"source": theirs, "printed": printed_bound}),
    )


def _source(context: Context) -> Evidence:
    """``max|a_ij|^(N-1)`` over ``(2 (1 + eta^-B0)/(1 - eta^B0))^B0 (1 - eta^B0)^(t - 1)``, B0 = N - 1, exactly."""
    rng, worst = context.rng(2602), fmpq(0)
    count = 2 * context.profile.n_rational
    for _ in range(count):
        A = random_connected(rng)
        B0, base = len(A) - 1, min(x for x in A.ravel() if x > 0) ** (len(A) - 1)
        power = identity_like(A, len(A))
        for t in range(1, 6):
            power = power @ A
            entry = np.abs(power - fmpq(1, len(A))).max()
            worst = max(worst, entry**B0 / ((2 * (1 + 1 / base) / (1 - base)) ** B0 * (1 - base) ** (t - 1)))
    return exact_evidence("largest entry over its bound, both to the power N - 1", worst, 1, Relation.AT_MOST,
                          instances=count)


def _rewards_only(context: Context, factor: Fraction = Fraction(1)) -> Evidence:
    """First line minus ``(N/4) r_max^2 ||a_i||^2``, worst."""
    scale, worst, count = fmpq(factor.numerator, factor.denominator), None, 0
    for one in _instances(context):
        for i, row in enumerate(one.deviation):
            right = scale * fmpq(len(one.A), 4) * one.reward_range**2 * (row**2).sum()
            excess = one.lines(i, True)[0] - right
            worst, count = excess if worst is None else max(worst, excess), count + 1
    assert worst is not None  # the instances by hand are always there
    return exact_evidence("first line minus (N/4) r_max^2 ||a_i||^2", worst, 0, Relation.AT_MOST, instances=count)


def _attained() -> Evidence:
    """Two agents with rewards 0 and r_max: the bound of the repaired form is met with equality."""
    one = _by_hand()[0]
    ratio = one.lines(0, True)[0] / (fmpq(2, 4) * one.reward_range**2 * (one.deviation[0] ** 2).sum())
    return exact_evidence(
        "first line over the repaired bound", ratio, 1, Relation.EQUAL, instances=1, corroborates=True,
        witness=Witness("two agents, rewards 0 and 1, one round", {"A": one.A, "TD errors": one.local}),
    )


# --- Eq. (27) ------------------------------------------------------------------------------------------------


@statement("zhang2025", "eq-27", uses=("eq-26",))
def eq_27() -> tuple[Variant, ...]:
    r"""Summed over the agents, the actor's gossip error is of the order N^3 (1 - eta^(N-1))^(2t).

    .. math:: \sum_{i} \| d^{i,*} - h^i \|^2 = O\big( N^3 (1 - \eta^{N-1})^{2t} \big)

    *As printed*, on a graph that may be unconnected, false: with A = I and rewards 0 and 1 nothing decays. *On a
    connected graph* it is true, with a constant free of N although the proof has lost one that is exponential in N:
    the chain of (26) should have been shorter.

    Repaired: ``(N/4) r_max^2 lambda^(2t)`` with ``lambda = ||A - 11^T/N|| <= 1 - 4 eta sin^2(pi/2N)``, and so
    ``(N/4) r_max^2 (1 - eta^(N-1))^(2t)`` in the paper's terms. By (26), repaired, and Jensen the sum is at most the
    mean over the batch of ``sum_i (a_i . r_l)^2 = ||(A^t - J)(r_l - mean)||^2``. Two agents on a path attain it with
    lambda = 1 - 2 eta. N^3 becomes N.

    Hypotheses: those of (26); each agent's score is at most one in size.

    Consequence: term (5) of Theorem 5.10 may carry N^(1/2) where it comes from the actor; the part that comes from the
    critic, Eq. (20), is separate.
    """
    return (
        printed(lambda c: _sum_over_agents(_unconnected(), 3), "Assumption 5.1 as printed, A = I, constant r_max^2",
                "literal"),
        printed(lambda c: _sum_over_agents(_instances(c), 3), "connected graph, constant r_max^2", "connected"),
        repaired(lambda c: _sum_over_agents(_instances(c), 1, fmpq(1, 4)), "(N/4) r_max^2 (1 - eta^(N-1))^(2t)",
                "printed rate"),
        repaired(lambda c: _path_family(Fraction(1)), "(N/4) r_max^2 lambda^(2t), attained by two agents", "sharp"),
        control(lambda c: _path_family(Fraction(99, 100)), "the sharp form less one per cent", "0.99"),
        control(lambda c: _sum_over_agents(_instances(c), 1, fmpq(1, 4), extra=2), "two rounds more than there were",
                "t + 2"),
    )


def _sum_over_agents(
    cases: Iterator[Gossip] | list[Gossip], power: int, constant: fmpq | int = 1, extra: int = 0
) -> Evidence:
    """Sum over agents minus ``constant N^power r_max^2 (1 - eta^(N-1))^(2 (t + extra))``, scores of size one."""
    worst, witness, count = None, None, 0
    for one in cases:
        N = len(one.A)
        left = sum((((one.local @ row) ** 2).sum() / len(one.local) for row in one.deviation), fmpq(0))
        factor = (1 - one.min_weight ** (N - 1)) ** (2 * (one.rounds + extra))
        excess = left - constant * fmpq(N) ** power * one.reward_range**2 * factor
        worst, count = excess if worst is None else max(worst, excess), count + 1
        if witness is None and excess > 0:
            witness = Witness(
                f"the left side exceeds the right side by {excess}",
                {"A": one.A, "eta": one.min_weight, "rounds": one.rounds, "rewards": one.rewards, "sum": left},
            )
    if worst is None:
        raise ValueError("no instance")
    return exact_evidence("sum over agents minus its bound", worst, 0, Relation.AT_MOST, instances=count,
            witness=witness)


def _path_family(factor: Fraction) -> Evidence:
    """Lazy paths and complete graphs with exact lambda: every 0/1 reward vector, t up to 4; N = 2 attains the bound."""
    scale, worst, count = fmpq(factor.numerator, factor.denominator), None, 0
    for eta in (fmpq(1, 4), fmpq(1, 10)):
        for N in (2, 3, 4, 5):
            laplacian = rational_array(nx.laplacian_matrix(nx.complete_graph(N)).toarray().astype(int))
            step = eta / N  # complete graph: every eigenvalue on the mean-free space is 1 - eta
            A = rational_array(np.eye(N, dtype=int)) - step * laplacian
            deviation, contraction = A - fmpq(1, N), 1 - eta
            for t in range(1, 5):
                for code in range(2**N):
                    r = rational_array([code >> k & 1 for k in range(N)])
                    left = ((deviation @ r) ** 2).sum()
                    excess = left - scale * fmpq(N, 4) * contraction ** (2 * t)
                    worst, count = excess if worst is None else max(worst, excess), count + 1
                deviation = deviation @ A  # J A = J
    assert worst is not None  # the loops are not empty
    return exact_evidence("sum over agents minus (N/4) lambda^(2t)", worst, 0, Relation.AT_MOST, instances=count)
