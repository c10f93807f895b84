"""zhang2025 Definition 4.1 and Fact C.2: the consensus matrix, and what gossip does to the average."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
from flint import fmpq

from mdp.linear import identity_like, rational_array
from verify.claim import Variant, control, printed, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Verdict, Witness, exact_evidence
from verify.networks import random_connected, random_doubly_stochastic

LARGEST = 4
"""Agents up to which all graphs are enumerated; ours."""

Graph = tuple[int, tuple[tuple[int, int], ...]]
"""Number of agents and undirected edges without loops."""


def _graphs(connected: bool) -> Iterator[Graph]:
    for N in range(1, LARGEST + 1):
        pairs = list(combinations(range(N), 2))
        for k in range(len(pairs) + 1):
            for edges in combinations(pairs, k):
                if not connected or _is_connected((N, edges)):
                    yield N, edges


def _is_connected(graph: Graph) -> bool:
    N, edges = graph
    reached: set[int] = set()
    grown = {0}
    while grown != reached:
        reached, grown = grown, grown | {y for x, y in edges if x in grown} | {x for x, y in edges if y in grown}
    return len(reached) == N


def _weights(graph: Graph) -> np.ndarray:
    """``I - L/N``: exact doubly stochastic weights, positive on edges and on the diagonal."""
    N, edges = graph
    A = identity_like(rational_array([0]), N)
    for i, j in edges:
        for k, n, sign in ((i, j, 1), (j, i, 1), (i, i, -1), (j, j, -1)):
            A[k, n] += fmpq(sign, N)
    return A


@statement("zhang2025", "definition-4.1")
def definition_4_1() -> tuple[Variant, ...]:
    r"""The consensus matrix has zeros off the edges and positive weights between agents that communicate.

    .. math:: A_{ij} = 0 \text{ if } (i, j) \notin \mathcal{E}, \qquad A_{ij} > 0 \text{ when } i, j
        \text{ communicate}

    The definition is about pairs of agents, and says nothing of i = j.

    *E as printed, "pairs of agents that can directly communicate"*, hence without loops: then (i) makes every A_ii
    zero, while Assumption 5.1 asks A_ii >= eta > 0. No matrix meets both, on any graph: unsatisfiable. Nor is that
    harmless: two agents that swap, A = [[0, 1], [1, 0]], never agree.

    *Loops understood to belong to E*: well posed. Every graph has such a matrix that is doubly stochastic,
    ``A = I - L/N`` with L the Laplacian, with all positive entries at least 1/N, and on a connected graph A^N has no
    zero, which makes gossip converge. All graphs with up to four agents are enumerated.

    Hypotheses: E undirected; A doubly stochastic (Assumption 5.1).

    Consequence: read with loops, the definition serves gossip; that the graph is connected is still not asked.
    """
    return (
        printed(lambda c: _compatible(loops=False), "E has no loops: (i) holds on the diagonal", "no loops"),
        printed(
            lambda c: (_construction(_weights, connected=False), _construction(_weights, connected=True)),
            "loops belong to E: (i) is about distinct agents", "with loops",
        ),
        control(lambda c: _compatible(loops=True), "no matrix meets it with loops either", "unsatisfiable with loops"),
        control(
            lambda c: _construction(_weights, connected=True, keep=False), "the weights of the first edge dropped",
            "edge dropped",
        ),
    )


def _compatible(loops: bool) -> Evidence:
    """Graphs on which Definition 4.1 and A_ii > 0 can hold together: the diagonal may be positive only on loops."""
    met = []
    for graph in _graphs(connected=False):
        N, edges = graph
        positive = {*edges, *((j, i) for i, j in edges), *(((i, i) for i in range(N)) if loops else ())}
        # A_ii > 0 needs (i, i) among the cells that (i) leaves free; then I - L/N is a matrix that meets both
        if all((i, i) in positive for i in range(N)) and _follows(_weights(graph), positive):
            met.append(graph)
    tried = sum(1 for _ in _graphs(connected=False))
    return exact_evidence(
        "graphs with a matrix that meets Definition 4.1 and Assumption 5.1", len(met), 0, Relation.EQUAL,
        instances=tried, establishes=Verdict.UNSATISFIABLE,
        witness=Witness("(1, 1) is not a pair of communicating agents: (i) gives A_11 = 0, Assumption 5.1 A_11 >= eta"),
    )


def _follows(A: np.ndarray, positive: set[tuple[int, int]]) -> bool:
    return all((A[i, j] > 0) == ((i, j) in positive) for i in range(len(A)) for j in range(len(A)))


def _construction(weights: Callable[[Graph], np.ndarray], connected: bool, keep: bool = True) -> Evidence:
    """Graphs on which ``I - L/N`` breaks the definition, Assumption 5.1 or, if connected, positivity of A^N."""
    bad, count = 0, 0
    for graph in _graphs(connected):
        N, edges = graph
        A = weights(graph if keep or not edges else (N, edges[1:]))
        power = identity_like(A, N)
        for _ in range(N):
            power = power @ A
        positive = {*edges, *((j, i) for i, j in edges), *((i, i) for i in range(N))}
        fine = _follows(A, positive) and all(A.sum(axis=0) == 1) and all(A.sum(axis=1) == 1)
        fine = fine and all(x >= fmpq(1, N) for x in A.ravel() if x > 0)
        bad += not (fine and (not connected or bool((power > 0).all())))
        count += 1
    return exact_evidence(
        "connected graphs on which it fails" if connected else "graphs on which it fails", bad, 0, Relation.EQUAL,
        instances=count,
    )


@statement("zhang2025", "fact-c.2", uses=("definition-4.1", "assumption-5.1"))
def fact_c_2() -> tuple[Variant, ...]:
    r"""Gossip keeps the average, and infinitely many rounds reach it.

    .. math:: \bar W_t = \frac1N \sum_{i \in \mathcal{N}} W_t^i = \frac1N \sum_{i \in \mathcal{N}} W_{t,K}^i

    *Average*: true. Columns of A sum to one, so ``1^T A = 1^T`` and ``1^T A^k = 1^T`` by induction: for every k the
    step is ``(1^T A^k) A = 1^T A``. Checked in rationals for random doubly stochastic matrices, directed or not; a
    matrix that is only row stochastic moves the average.

    *Limit*, "obtained after infinite numbers of consensus iterations": false as printed, because nothing makes the
    graph connected, and with A = I every agent keeps its own parameter; true on a connected graph, where A^t tends to
    11^T/N. So this part is ambiguous.

    The letter W_t^i stands for the parameter before gossip here and for the one after it in Algorithm 1. Since gossip
    keeps the average, both give the same W-bar.

    Hypotheses: A doubly stochastic; for the limit also a connected graph and positive weights on the diagonal.

    Consequence: W-bar is well defined, and lies in the ball; that the agents come near it needs a connected graph.
    """
    return (
        printed(
            lambda c: _drift(c, _doubly), "gossip keeps the average", "average", part="average",
        ),
        printed(
            lambda c: _limit(iter([rational_array([[1, 0], [0, 1]])])), "graphs need not be connected", "literal",
            part="limit",
        ),
        printed(lambda c: _limit(_connected_matrices(c)), "on a connected graph", "connected", part="limit"),
        control(lambda c: _drift(c, _rows_only), "rows that sum to one, columns that need not", "row stochastic"),
        control(
            lambda c: _limit(iter([rational_array([[0, 1], [1, 0]])])), "two agents that swap", "no own weight"
        ),
    )


def _doubly(rng: np.random.Generator) -> np.ndarray:
    return random_doubly_stochastic(rng, int(rng.integers(2, 6)), 2)


def _rows_only(rng: np.random.Generator) -> np.ndarray:
    raw = rational_array(rng.integers(1, 5, size=(3, 3)))
    rows: np.ndarray = raw / raw.sum(axis=1)[:, None]
    return rows


def _drift(context: Context, draw: Callable[[np.random.Generator], np.ndarray]) -> Evidence:
    rng, worst, extreme = context.rng(3116), fmpq(0), None
    for _ in range(context.profile.n_rational):
        A = draw(rng)
        W = rational_array(rng.integers(-5, 6, size=(len(A), 2)))
        mixed = W
        for _ in range(int(rng.integers(1, 6))):
            mixed = A @ mixed
        gap = abs((mixed - W).sum(axis=0)).max() / len(A)
        if gap > worst:
            worst, extreme = gap, Witness("the average moves", {"A": A, "W": W})
    return exact_evidence(
        "change of the average, largest", worst, 0, Relation.EQUAL, instances=context.profile.n_rational,
        witness=extreme,
    )


def _connected_matrices(context: Context) -> Iterator[np.ndarray]:
    rng = context.rng(3117)
    for k in range(context.profile.n_rational):
        yield random_connected(rng, symmetric=bool(k % 2))


def _limit(matrices: Iterator[np.ndarray]) -> Evidence:
    """How often the spread need not shrink over N rounds; where it does, gossip tends to the average.

    Spread is the largest minus the least entry of a column; every A^N of a connected graph is positive, and then the
    spread shrinks by at least ``1 - N min A^N`` (Doeblin).
    """
    stuck, count, extreme = 0, 0, None
    for A in matrices:
        power = identity_like(A, len(A))
        for _ in range(len(A)):
            power = power @ A
        share = 1 - len(A) * min(power.ravel())
        count += 1
        if share >= 1:
            stuck, extreme = stuck + 1, Witness("A^N has a zero", {"A": A, "A^N": power})
    return exact_evidence(
        "matrices whose spread N rounds need not shrink", stuck, 0, Relation.EQUAL, instances=count, witness=extreme,
        note="a share below one makes the limit the average",
    )
