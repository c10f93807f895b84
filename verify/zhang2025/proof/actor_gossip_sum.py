"""zhang2025 Appendix C, Step 2(b), Eq. (27): the actor's gossip error, all agents together."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import networkx as nx
import numpy as np
from flint import fmpq

from mdp.linear import rational_array, to_float
from mdp.networks.schedule import disagreement_norm
from verify.claim import Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.identities import largest
from verify.networks import ROUNDING
from verify.zhang2025.proof.gossip_batch import Gossip, instances, unconnected


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
    lambda = 1 - 2 eta. N^3 becomes N. (Assumption 5.5 bounds the joint score; with it the sum is at most its largest
    term, ``((N-1)/4) r_max^2 lambda^(2t)``, because ``||a_i||^2 <= (1 - 1/N) lambda^(2t)``.)

    Hypotheses: those of (26); each agent's score is at most one in size.

    Consequence: term (5) of Theorem 5.10 may carry N^(1/2) where it comes from the actor; the part that comes from the
    critic, Eq. (20), is separate.
    """
    return (
        printed(lambda c: _sum_over_agents(unconnected(), 3), "Assumption 5.1 as printed, A = I, constant r_max^2",
                "literal"),
        printed(lambda c: _sum_over_agents(instances(c), 3), "connected graph, constant r_max^2", "connected"),
        repaired(lambda c: _sum_over_agents(instances(c), 1, fmpq(1, 4)), "(N/4) r_max^2 (1 - eta^(N-1))^(2t)",
                "printed rate"),
        repaired(lambda c: (_complete_graphs(Fraction(1)), _any_graph(c)),
                 "(N/4) r_max^2 lambda^(2t), attained by two agents", "sharp"),
        control(lambda c: _complete_graphs(Fraction(99, 100)), "the sharp form less one per cent", "0.99"),
        control(lambda c: _sum_over_agents(instances(c), 1, fmpq(1, 4), extra=2), "two rounds more than there were",
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


def _complete_graphs(factor: Fraction) -> Evidence:
    """Lazy complete graphs, whose lambda is rational: every 0/1 reward vector, t up to 4; N = 2 attains the bound."""
    scale, worst, count = fmpq(factor.numerator, factor.denominator), None, 0
    for share in (fmpq(1, 4), fmpq(1, 10)):
        for N in (2, 3, 4, 5):
            laplacian = rational_array(nx.laplacian_matrix(nx.complete_graph(N)).toarray().astype(int))
            # every eigenvalue on the mean-free space is 1 - share
            A = rational_array(np.eye(N, dtype=int)) - share / N * laplacian
            deviation, contraction = A - fmpq(1, N), 1 - share
            for t in range(1, 5):
                for code in range(2**N):
                    r = rational_array([code >> k & 1 for k in range(N)])
                    left = ((deviation @ r) ** 2).sum()
                    excess = left - scale * fmpq(N, 4) * contraction ** (2 * t)
                    worst, count = excess if worst is None else max(worst, excess), count + 1
                deviation = deviation @ A  # J A = J
    assert worst is not None  # the loops are not empty
    return exact_evidence("sum over agents minus (N/4) lambda^(2t)", worst, 0, Relation.AT_MOST, instances=count)


def _any_graph(context: Context) -> Evidence:
    """The same bound with lambda = ||A - 11^T/N|| in floats, on the random instances, directed ones among them."""
    excesses = []
    for one in instances(context):
        N = len(one.A)
        left = sum((((one.local @ row) ** 2).sum() / len(one.local) for row in one.deviation), fmpq(0))
        range_squared = float(one.reward_range.p) ** 2 / float(one.reward_range.q) ** 2
        bound = N / 4 * range_squared * disagreement_norm(to_float(one.A)) ** (2 * one.rounds)
        excesses.append(float(left.p) / float(left.q) - bound)
    return exact_evidence(
        "sum over agents minus (N/4) r_max^2 lambda^(2t), worst", largest(excesses), ROUNDING, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=len(excesses),
    )
