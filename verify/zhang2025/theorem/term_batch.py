"""zhang2025 Theorem 5.10, term (4): the Markovian batch, measured alone."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import numpy as np
from flint import fmpq

from mdp.linear import rational_array
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.zhang2025.proof.batch_chain import Batch, batch, bounded_points, coin

BATCHES = (1, 2, 6)
"""Batch sizes on random problems; ours."""

FAR = 200
"""A batch size at which the controls show; ours."""


@statement("zhang2025", "theorem-5.10-term-4", uses=("eq-33", "eq-35-36", "algorithm-1-direction"))
def theorem_5_10_term_4() -> tuple[Variant, ...]:
    r"""The batch term decays as N^(1/2) M^(-1/2).

    .. math:: \Big( \mathbb{E} \sum_{i} \| h_t^i - g^i \|^2 \Big)^{1/2} = O\big(N^{1/2} M^{-1/2}\big)

    Measured with an exact critic and exact gossip on a stationary Markovian batch; mean squares are finite sums over
    lags. *As printed*, the samples ``delta psi`` are martingale differences with mean zero, and g is the mean of
    ``Adv psi``: ``E||h - g||^2 = ||g||^2 + E[delta^2 ||psi||^2] / M``, and the first part does not contain M. Witness:
    one state, two equally likely actions, rewards 1 and 0, scores 1 and -1: 1/4 + 1/(16 M) for gamma = 1/2.
    *The noise alone*, h about its own mean, is exactly ``E[delta^2 ||psi||^2] / M`` (reading).

    Repaired, for the undiscounted TD error ``r + V(s') - V(s)`` with the original V. It is at most
    ``C = r_max + r_max/(1 - gamma)``, and the scores of all agents together at most one (Assumption 5.5), so
    ``E||x_0||^2 <= C^2`` for the centred sample. The restart chain is within ``gamma^(l-1)`` of its law l - 1 steps
    after z_1, so ``E||E[x_l | z_1]|| <= 2 C gamma^(l-1)`` and

    ``E||h - g||^2 <= C^2 (1 + 4/(1 - gamma)) / M``.

    The order 1/M is sharp, the constant is not: the coin has exactly 1/(4 M), and no
    problem tried comes near the bound. No N appears. With scores of norm one for *each* agent, N
    does: N agents, the reward the parity of their actions, has ``N/(2 M)`` exactly (reading), so that the printed
    N^(1/2) is then sharp too.

    Hypotheses: Assumptions 5.3 and 5.5; an exact critic; the batch starts in its stationary law.

    Consequence: no batch size makes the printed direction a gradient. With the repaired direction term (4) stands, and
    N^(1/2) can be dropped under Assumption 5.5 as it is stated.
    """
    return (
        printed(_limit_of_coin, "the printed TD error against g", "against the gradient"),
        reading(_noise_alone, "the printed TD error about its own mean: E[delta^2 psi^2]/M", "noise alone"),
        reading(_parity, "scores of norm one for each agent: N/(2 M) with the parity reward", "N"),
        repaired(lambda c: (_order(_random_batches(c), 1, BATCHES), _coin_order()),
                 "undiscounted TD error: E||h - g||^2 <= C^2 (1 + 4/(1 - gamma))/M"),
        control(lambda c: _order([batch(_short_coin(), "v")], 2, (FAR,)), "1/M^2", "1/M^2"),
        control(lambda c: _order([batch(_short_coin())], 1, (FAR,)), "the printed TD error in the repaired bound",
                "printed TD error"),
    )  # fmt: skip


def _limit_of_coin(context: Context) -> Evidence:
    b = batch(coin())
    errors = {M: b.batch_error(0, M) for M in (1, 2, 8)}
    noise = b.mean(b.delta**2 * (b.score[0] ** 2)[:, None])
    limit = errors[1] - noise
    if any(error != limit + noise / M or error != b.batch_error_by_paths(0, M) for M, error in errors.items()):
        raise ValueError("the batch error is not limit + noise/M, or differs from the sum over paths")
    return exact_evidence(
        "limit in M of E|h - g|^2", limit, 0, Relation.AT_MOST, instances=1,
        witness=Witness(
            "one state, two equally likely actions, rewards 1 and 0, scores 1 and -1, gamma = 1/2, exact critic",
            {"M": [*errors], "E|h - g|^2": [*errors.values()], "|g|^2": b.target[0] ** 2, "E[delta^2 psi^2]": noise},
        ),
    )  # fmt: skip


def _noise_alone(context: Context) -> Evidence:
    worst, count = fmpq(0), 0
    for point in bounded_points(context):
        b = batch(point)
        for i in range(len(b.score)):
            noise = b.mean(b.delta**2 * (b.score[i] ** 2)[:, None])
            bias = b.mean(b.sample(i)) ** 2
            worst = max(worst, *(abs(M * (b.batch_error(i, M) - bias) - noise) for M in BATCHES))
            count += 1
    return exact_evidence(
        "largest |M Var h - E[delta^2 psi^2]|, printed TD error", worst, 0, Relation.EQUAL, instances=count
    )


def _parity(context: Context) -> Evidence:
    """``M sum_i E|h^i - g^i|^2 - N/2`` for N = 2, 3, 4 agents with two actions, scores 1 and -1, reward of parity."""
    worst = fmpq(0)
    for N in (2, 3, 4):
        rewards = [[(1 + (-1) ** sum(a)) // 2 for a in product((0, 1), repeat=N)]] * N
        b = batch(one_state(N, rational_array([rewards]).reshape(N, 1, -1), Fraction(1)), "v")
        worst = max(worst, *(abs(M * sum(b.batch_error(i, M) for i in range(N)) - fmpq(N, 2)) for M in (1, 3)))
    return exact_evidence("largest |M sum_i E|h - g|^2 - N/2|, N = 2, 3, 4", worst, 0, Relation.EQUAL, instances=3)


def _random_batches(context: Context) -> Iterator[Batch]:
    return (batch(point, "v") for point in bounded_points(context))


def _order(batches: Iterator[Batch] | list[Batch], power: int, sizes: tuple[int, ...]) -> Evidence:
    """Largest ``M^power E||h - g||^2`` over the repaired bound, all agents together."""
    worst, count = fmpq(0), 0
    for b in batches:
        C = b.reward_range * (1 + 1 / (1 - b.gamma))
        bound = C**2 * (1 + 4 / (1 - b.gamma))
        for M in sizes:
            value = fmpq(M) ** power * sum((b.batch_error(i, M) for i in range(len(b.score))), fmpq(0))
            # rewards that are all zero have neither an error nor a bound
            worst, count = max(worst, value / bound if bound else value), count + 1
    return exact_evidence(
        f"largest M{'' if power == 1 else '^2'} E||h - g||^2 over C^2 (1 + 4/(1 - gamma))", worst, 1, Relation.AT_MOST,
        instances=count,
    )


def _coin_order() -> Evidence:
    b = batch(coin(), "v")
    return exact_evidence(
        "4 M E|h - g|^2 of the coin at M = 6: the order is attained", 24 * b.batch_error(0, 6), 1, Relation.EQUAL,
        instances=1,
    )


def _short_coin() -> RationalPoint:
    return coin(fmpq(1, 10))


def one_state(n_agents: int, rewards: np.ndarray, score: Fraction) -> RationalPoint:
    """One state, agents with two equally likely actions and scores plus or minus `score`; gamma = 1/2.

    Args:
        n_agents: N.
        rewards: (N, 1, 2^N).
        score: of the first action.
    """
    half, A = Fraction(1, 2), 2**n_agents
    return RationalPoint(
        P=[[[1]] * A], r=rewards, initial=[1], gamma=half, tables=([[half, half]],) * n_agents,
        psi=([[[score], [-score]]],) * n_agents, phi_state=[[1]], phi_joint=[[[1]] * A],
    )  # fmt: skip
