"""zhang2025 Appendix C, Step 2(b), Eq. (26): the error of gossiping the TD errors in the actor, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from flint import fmpq

from mdp.linear import identity_like
from verify.claim import Variant, control, printed, reading, repaired, source, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.networks import random_connected
from verify.zhang2025.proof.gossip_batch import Gossip, by_hand, instances, unconnected


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

    Second opinion: the lines for two agents and one round in plain fractions (tests).

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
        *(printed(lambda c, k=k, r=r: _step(instances(c), k, r), text, label, part=label,  # type: ignore[misc]
                  recheck=lambda c, k=k, r=r: _step(by_hand(), k, r))  # type: ignore[misc]
          for k, label, text, r in steps),
        printed(lambda c: _step(unconnected(), 9, Relation.AT_MOST), "(d), Assumption 5.1 as printed, A = I",
                "(d), literal", part="(d)"),
        printed(lambda c: _step(instances(c), 9, Relation.AT_MOST), "(d), connected graph", "(d), connected",
                part="(d)"),
        printed(_last_order, "the last order, constants free of N", "last order", part="order"),
        reading(lambda c: _step(instances(c), 6, Relation.AT_MOST), "the mean is at most the largest TD error",
                "largest as a bound"),
        reading(_follows_from_source, "(d) is at least the bound of its source", "(d) from its source"),
        source(_source, "Nedic and Ozdaglar (2009), Prop. 1, to the power N - 1, summed over a row"),
        repaired(lambda c: _step(instances(c), 1, Relation.EQUAL, vector=True),
                "third line with the vector of TD errors",
                 "third"),
        repaired(lambda c: (_rewards_only(c), _attained()), "(N/4) r_max^2 ||a_i||^2, attained", "sharp"),
        control(lambda c: _rewards_only(c, Fraction(99, 100)), "the sharp bound less one per cent", "0.99"),
        control(lambda c: _step(instances(c), 1, Relation.EQUAL, vector=True, drop_mean=True),
                "third line, the vector, with A^t for A^t - 11^T/N", "no mean"),
    )


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
    for one in instances(context):
        for i, row in enumerate(one.deviation):
            right = scale * fmpq(len(one.A), 4) * one.reward_range**2 * (row**2).sum()
            excess = one.lines(i, True)[0] - right
            worst, count = excess if worst is None else max(worst, excess), count + 1
    assert worst is not None  # the instances by hand are always there
    return exact_evidence("first line minus (N/4) r_max^2 ||a_i||^2", worst, 0, Relation.AT_MOST, instances=count)


def _attained() -> Evidence:
    """Two agents with rewards 0 and r_max: the bound of the repaired form is met with equality."""
    one = by_hand()[0]
    ratio = one.lines(0, True)[0] / (fmpq(2, 4) * one.reward_range**2 * (one.deviation[0] ** 2).sum())
    return exact_evidence(
        "first line over the repaired bound", ratio, 1, Relation.EQUAL, instances=1, corroborates=True,
        witness=Witness("two agents, rewards 0 and 1, one round", {"A": one.A, "TD errors": one.local}),
    )
