"""zhang2025 Algorithm 2, lines 9 and 12: the running average and the gossip of the critic."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
import sympy
from flint import fmpq

from mdp.linear import identity_like, rational_array
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.networks import random_connected

STEPS = 6
"""Iterations over which the running average is followed symbolically; ours."""

ROUNDS = 12
"""Gossip rounds that are followed exactly; ours."""


@statement("zhang2025", "algorithm-2-average")
def algorithm_2_average() -> tuple[Variant, ...]:
    r"""The recursion of line 9 keeps the plain average of the iterates.

    .. math:: W^i = \frac{k+1}{k+2} W^i + \frac{1}{k+2} W^i(k+1)

    True for the K + 1 iterates W(0), ..., W(K), with the start counted. Induction: if W^i is S/(k + 1) with S the sum
    of W(0), ..., W(k), then the new value is (S + W(k+1))/(k + 2); at the start W^i = W(0). The program checks base
    and step symbolically, and follows six iterations with symbols for the iterates.

    It is neither the average of the K new iterates nor of W(0), ..., W(K - 1), which Algorithm 3 keeps. The first takes
    K = 1 to see: line 9 gives (W(0) + W(1))/2.

    Hypotheses: W^i = W(0) before the loop (line 2).

    Consequence: harmless for the rate, since W(0) weighs 1/(K + 1); but the average is one iterate longer than that of
    the centralised critic it is compared with (entry algorithm-3).
    """
    return (
        printed(lambda c: (_induction(1), _followed(0, STEPS, 1)), "the average of W(0), ..., W(K)"),
        reading(lambda c: _followed(1, STEPS, 1), "the average of the new iterates W(1), ..., W(K)", "new iterates"),
        reading(lambda c: _followed(0, STEPS - 1, 1), "the average of W(0), ..., W(K - 1)", "K iterates"),
        control(lambda c: (_induction(0), _followed(0, STEPS, 0)), "weights k/(k+1) and 1/(k+1)", "shifted"),
    )


def _induction(shift: int) -> Evidence:
    """Step: weights (k + shift)/(k + shift + 1) take S/(k+1) to (S + w)/(k+2). Base: S = W(0) at k = 0."""
    k, total, new, start = sympy.symbols("k S w W_0")
    after = (k + shift) / (k + shift + 1) * total / (k + 1) + new / (k + shift + 1)
    step = sympy.simplify(after - (total + new) / (k + 2)) == 0
    base = sympy.simplify((total / (k + 1)).subs({k: 0, total: start}) - start) == 0
    return exact_evidence(
        "parts of the induction that fail", 2 - int(step) - int(base), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC,
        scope=Scope.CLASS,
    )


def _followed(first: int, last: int, shift: int) -> Evidence:
    """Coefficients of the recursion after `STEPS` iterations minus those of the average of W(first)..W(last)."""
    W = sympy.symbols(f"W_0:{STEPS + 1}")
    average = W[0]
    for k in range(STEPS):
        average = sympy.Rational(k + shift, k + shift + 1) * average + W[k + 1] / sympy.Integer(k + shift + 1)
    plain = sum(W[first : last + 1]) / sympy.Integer(last - first + 1)
    gap = max(abs(Fraction(str(sympy.expand(average - plain).coeff(w)))) for w in W)
    return exact_evidence(
        f"largest wrong coefficient after {STEPS} iterations", gap, 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC,
        corroborates=True, instances=1,
        witness=Witness("coefficients of the recursion", {"average": str(sympy.expand(average))}),
    )


@statement("zhang2025", "algorithm-2-gossip", uses=("definition-4.1", "assumption-5.1", "consensus-rate"))
def algorithm_2_gossip() -> tuple[Variant, ...]:
    r"""Gossip brings the agents' critics to near consensus on their average.

    .. math:: W_K = A^{t_{gossip}} \hat W, \qquad \hat W = (W^1, \dots, W^N)^T

    *As printed*, no assumption makes the graph connected: with A = I and two agents nothing moves. *On a connected
    graph* true: the average is kept, the Frobenius distance to it never grows, and after t rounds it is at most
    ``(1 - eta^(N-1))^t`` times the first one (entry consensus-rate). So the verdict is ambiguous. Checked exactly for
    random A and W, and for disagreement along single agents.

    The consensus is on the average of the parameters. The average of the networks' values is another function, since
    the network is not linear in W (Remark 6).

    Hypotheses: A doubly stochastic with positive weights on itself and on edges (Assumption 5.1); connected.

    Consequence: term (5) of Theorem 5.10 needs connectivity as a further assumption.
    """
    return (
        printed(lambda c: _disagreement(iter([_two_strangers()]), 1), "graphs need not be connected", "literal"),
        printed(
            lambda c: _disagreement(_connected_cases(c), 1), "on a connected graph", "connected"
        ),
        control(
            lambda c: _disagreement(_connected_cases(c), 8), "eight rounds' decay in every round", "rate to the 8th"
        ),
        control(lambda c: _disagreement(iter([_swap()]), 1), "two agents that swap: no weight on itself", "swap"),
    )


Case = tuple[np.ndarray, np.ndarray]
"""Consensus matrix and one column of parameters."""


def _two_strangers() -> Case:
    return rational_array([[1, 0], [0, 1]]), rational_array([1, -1])


def _swap() -> Case:
    return rational_array([[0, 1], [1, 0]]), rational_array([1, -1])


def _connected_cases(context: Context) -> Iterator[Case]:
    rng = context.rng(3113)
    for k in range(context.profile.n_rational):
        A = random_connected(rng, symmetric=bool(k % 2))
        yield A, rational_array(rng.integers(-5, 6, size=len(A)))
        yield A, identity_like(A, len(A))[0]


def _disagreement(cases: Iterator[Case], power: int) -> tuple[Evidence, ...]:
    """Squared disagreement over its bound, its largest growth in a round, and the drift of the average."""
    worst, growth, drift, count = fmpq(0), fmpq(0), fmpq(0), 0
    extreme = Witness("no case")
    for A, W in cases:
        mean, eta, column = W.sum() / len(W), min([x for x in A.ravel() if x > 0] + [fmpq(1, 2)]), W
        rate = (1 - eta ** (len(W) - 1)) ** (2 * power)
        squares = [((W - mean) ** 2).sum()]
        for _ in range(ROUNDS):
            column = A @ column
            drift = max(drift, abs(column.sum() / len(W) - mean))
            squares.append(((column - mean) ** 2).sum())
        if squares[0] == 0:
            continue
        growth = max([growth, *(b / a for a, b in pairwise(squares) if a != 0)])
        ratio = max(square / (rate**t * squares[0]) for t, square in enumerate(squares))
        if ratio > worst:
            worst = ratio
            extreme = Witness("the worst case", {"A": A, "W": W, f"squared, round {ROUNDS}": squares[-1]})
        count += 1
    return (
        exact_evidence(
            f"squared disagreement over its bound, up to round {ROUNDS}, worst", worst, 1, Relation.AT_MOST,
            instances=count, witness=extreme,
        ),
        exact_evidence("growth of the squared disagreement in one round, largest", growth, 1, Relation.AT_MOST,
                       instances=count),
        exact_evidence("drift of the average, largest", drift, 0, Relation.EQUAL, instances=count),
    )
