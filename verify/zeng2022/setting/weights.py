"""zeng2022 Sec. 3.2, Assumption 2: which weight matrices it allows, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import networkx as nx
from networkx.generators.atlas import graph_atlas_g

from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Verdict, Witness, exact_evidence
from verify.networks import random_doubly_stochastic

Matrix = list[list[Fraction]]
Edges = frozenset[tuple[int, int]]

Diagonal = Literal["exempt", "loops are edges", "never an edge"]
"""How the last sentence of the assumption speaks of W_ii: not at all; as of an edge (i, i), so that W_ii < 1; as of a
pair that is no edge, so that W_ii = 0."""

LARGEST_GRAPH = 6
"""Nodes of the largest graphs tried; ours: all 143 connected graphs up to there take a tenth of a second."""


@dataclass(frozen=True)
class Round:
    """One round of communication.

    Attributes:
        W: doubly stochastic or not, N rows.
        edges: undirected active edges (i, j), i < j.
    """

    W: Matrix
    edges: Edges

    @property
    def least(self) -> Fraction:
        """Least positive entry of W, the largest c that can be tried."""
        return min(x for row in self.W for x in row if x > 0)

    @property
    def degree(self) -> int:
        """Largest number of neighbours of an agent."""
        return max(sum(i in edge for edge in self.edges) for i in range(len(self.W)))

    def violations(self, diagonal: Diagonal) -> list[str]:
        """Clauses of Assumption 2 that fail for c = `least`, in words.

        Args:
            diagonal: reading of the last sentence.
        """
        N, c, found = len(self.W), self.least, []
        for k in range(N):
            row, column = sum(self.W[k], Fraction(0)), sum((r[k] for r in self.W), Fraction(0))
            found += [f"{what} {k} sums to {x}" for what, x in (("row", row), ("column", column)) if x != 1]
            if self.W[k][k] < c:
                found.append(f"W[{k}][{k}] = {self.W[k][k]} < c = {c}")
        for i in range(N):
            for j in range(N):
                if i == j and diagonal == "exempt":
                    continue
                edge = diagonal == "loops are edges" if i == j else (min(i, j), max(i, j)) in self.edges
                w = self.W[i][j]
                if edge and not c <= w < 1:
                    found.append(f"W[{i}][{j}] = {w} outside [{c}, 1)")
                elif not edge and w != 0:
                    found.append(f"W[{i}][{j}] = {w}, not 0")
        return found


@statement("zeng2022", "assumption-2")
def assumption_2() -> tuple[Variant, ...]:
    r"""Every W_t is doubly stochastic, with weights of at least c on the diagonal and on active edges, 0 elsewhere.

    .. math:: W_t 1 = 1,\quad 1^T W_t = 1^T,\quad W^{ii}_t \ge c\ \ \forall i,\qquad
        W^{ij}_t \in [c, 1)\ \text{if}\ (i, j) \in E(t),\quad W^{ij}_t = 0\ \text{otherwise}

    It can be met on every graph and in idle rounds (W = I) if the last sentence is about pairs i != j, as the printed
    form is read here: Metropolis weights, lazy Laplacians ``I - L/(1 + d)``, full averages. For those pairs
    ``W_ij < 1`` says nothing new, because column j also holds ``W_jj >= c``.

    Taken to the letter ("for all i, j") the last sentence speaks of the diagonal too. If (i, i) is no edge it asks
    ``W_ii = 0`` beside ``W_ii >= c > 0``: nothing meets it. If loops count as edges it asks ``W_ii < 1``: then no
    agent may ever be without a neighbour, which rules out idle rounds, federated rounds, one agent alone, and
    the paper's own experiment (no communication in four rounds of five).

    How large can c be? An agent with d neighbours has d + 1 entries of at least c in a row that sums to one, so
    ``c <= 1/(1 + d)`` for the largest degree d, hence c <= 1/2 as soon as there is an edge; ``I - L/(1 + d)`` attains
    1/(1 + d) on every graph.

    Hypotheses: none beyond finitely many agents; c is one constant for all t, so a sequence with weights that tend to
    zero is excluded.

    Consequence: with Assumption 1 it gives the contraction of `consensus`, with a rate that worsens with c; the
    federated use of the algorithm needs the reading in which the diagonal is exempt.
    """
    return (
        printed(lambda c: _met(list(rounds(c)), "exempt"), "the last sentence is about pairs i != j"),
        reading(
            lambda c: _none_meets(list(rounds(c)), "never an edge"),
            "the last sentence covers i = j, and (i, i) is not an edge", "no loops, to the letter",
        ),
        reading(
            lambda c: _none_meets([r for r in rounds(c) if _has_loner(r)], "loops are edges"),
            "the last sentence covers i = j, and loops are edges: rounds in which some agent is alone", "loops, idle",
        ),
        reading(
            lambda c: _met([r for r in rounds(c) if not _has_loner(r)], "loops are edges"),
            "the same, for rounds in which every agent has a neighbour", "loops, busy",
        ),
        reading(lambda c: _best_constant(c, 1), "c is at most 1/(1 + d), and that is attained", "largest c"),
        control(lambda c: _best_constant(c, 0), "c = 1/d is attained on every graph", "c = 1/d"),
        control(
            lambda c: _met([_random_walk_on_path()], "exempt"), "rows sum to one and columns do not", "row stochastic"
        ),
        control(
            lambda c: _met([Round([[Fraction(0), Fraction(1)], [Fraction(1), Fraction(0)]], frozenset({(0, 1)}))],
                           "exempt"),
            "two agents that swap", "no self weight",
        ),
        control(
            lambda c: _none_meets([r for r in rounds(c) if _has_loner(r)], "exempt"),
            "that idle rounds are excluded also when the diagonal is exempt", "idle, exempt",
        ),
    )  # fmt: skip


def metropolis(n_agents: int, edges: Edges) -> Matrix:
    """Metropolis weights in exact arithmetic.

    Args:
        n_agents: N.
        edges: undirected edges (i, j), i < j.
    """
    degree = [sum(i in edge for edge in edges) for i in range(n_agents)]
    W = [[Fraction(0)] * n_agents for _ in range(n_agents)]
    for i, j in edges:
        W[i][j] = W[j][i] = Fraction(1, 1 + max(degree[i], degree[j]))
    return _completed(W)


def lazy_laplacian(n_agents: int, edges: Edges, extra: int = 1) -> Matrix:
    """``I - L / (extra + d)`` with L the Laplacian and d the largest degree.

    Args:
        n_agents: N.
        edges: undirected edges (i, j), i < j.
        extra: what is added to d.
    """
    d = max(sum(i in edge for edge in edges) for i in range(n_agents))
    W = [[Fraction(0)] * n_agents for _ in range(n_agents)]
    for i, j in edges:
        W[i][j] = W[j][i] = Fraction(1, extra + d)
    return _completed(W)


def graphs() -> Iterator[tuple[int, Edges]]:
    """All connected graphs with at most `LARGEST_GRAPH` nodes, up to isomorphism."""
    for graph in graph_atlas_g():
        if 0 < len(graph) <= LARGEST_GRAPH and nx.is_connected(graph):
            yield len(graph), frozenset((min(e), max(e)) for e in graph.edges)


def rounds(context: Context) -> Iterator[Round]:
    """Rounds with doubly stochastic weights: idle ones, Metropolis, lazy Laplacians, random rationals.

    Args:
        context: budget and randomness.
    """
    for N in (1, 2, 5):
        yield Round(_completed([[Fraction(0)] * N for _ in range(N)]), frozenset())
    for N, edges in graphs():
        yield Round(metropolis(N, edges), edges)
        if edges:
            yield Round(lazy_laplacian(N, edges), edges)
    yield Round(metropolis(3, frozenset({(0, 1)})), frozenset({(0, 1)}))  # agent 2 is alone
    rng = context.rng(62)
    for _ in range(context.profile.n_rational):
        drawn = random_doubly_stochastic(rng, int(rng.integers(2, 6)), int(rng.integers(1, 4)))
        W = [[Fraction(int(x.p), int(x.q)) for x in row] for row in drawn]
        W = [[(W[i][j] + W[j][i]) / 4 + Fraction(int(i == j), 2) for j in range(len(W))] for i in range(len(W))]
        yield Round(W, frozenset((i, j) for i in range(len(W)) for j in range(i + 1, len(W)) if W[i][j]))


def _completed(W: Matrix) -> Matrix:
    """The same with diagonals that make the rows sum to one."""
    return [[1 - sum(row, Fraction(0)) if i == j else x for j, x in enumerate(row)] for i, row in enumerate(W)]


def _has_loner(r: Round) -> bool:
    return any(all(i not in edge for edge in r.edges) for i in range(len(r.W)))


def _met(tried: Sequence[Round], diagonal: Diagonal) -> Evidence:
    bad = [(r, v) for r in tried if (v := r.violations(diagonal))]
    witness = Witness(f"fails: {'; '.join(bad[0][1])}", {"W": bad[0][0].W}) if bad else None
    return exact_evidence("rounds that violate a clause", len(bad), 0, Relation.EQUAL, instances=len(tried),
                          witness=witness)  # fmt: skip


def _none_meets(tried: Sequence[Round], diagonal: Diagonal) -> Evidence:
    good = [r for r in tried if not r.violations(diagonal)]
    shown = good[0] if good else tried[0]
    text = "; ".join(shown.violations(diagonal)) or "meets every clause"
    return exact_evidence(
        "rounds that meet every clause", len(good), 0, Relation.EQUAL, instances=len(tried),
        witness=Witness(text, {"W": shown.W}), establishes=Verdict.UNSATISFIABLE,
    )


def _best_constant(context: Context, extra: int) -> tuple[Evidence, Evidence]:
    """``c (extra + d)`` is at most one over all rounds with edges, and equal to one for a lazy Laplacian."""
    used = [r for r in rounds(context) if r.edges]
    worst = max(used, key=lambda r: r.least * (extra + r.degree))
    bound = exact_evidence(
        f"largest c ({extra} + d) over weight matrices", worst.least * (extra + worst.degree), 1, Relation.AT_MOST,
        instances=len(used), witness=Witness("the largest", {"W": worst.W}),
    )
    built = [Round(lazy_laplacian(N, E, extra), E) for N, E in graphs() if E]
    short = [r for r in built if r.violations("exempt") or r.least * (extra + r.degree) != 1]
    attained = exact_evidence(
        f"graphs on which I - L/({extra} + d) does not have c = 1/({extra} + d)", len(short), 0, Relation.EQUAL,
        instances=len(built), witness=Witness("the first", {"W": short[0].W}) if short else None,
    )
    return bound, attained


def _random_walk_on_path() -> Round:
    """Three agents on a path that average over themselves and their neighbours: the columns sum to 5/6, 4/3, 5/6."""
    half, third = Fraction(1, 2), Fraction(1, 3)
    W = [[half, half, Fraction(0)], [third, third, third], [Fraction(0), half, half]]
    return Round(W, frozenset({(0, 1), (1, 2)}))
