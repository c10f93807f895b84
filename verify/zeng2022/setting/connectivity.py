"""zeng2022 Sec. 3.2, Assumption 1: connected windows, decided by brute force over blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from verify.assumptions.setting import connectivity
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.zeng2022.setting.weights import Edges, metropolis

_Met = Callable[["GraphSequence", int], bool]


@dataclass(frozen=True)
class GraphSequence:
    """Active edges over time: a start, then a cycle that repeats for ever.

    Attributes:
        n_agents: N.
        start: E(0), E(1), ... before the cycle.
        cycle: edge sets that repeat, at least one.
    """

    n_agents: int
    start: tuple[Edges, ...]
    cycle: tuple[Edges, ...]

    def edges(self, t: int) -> Edges:
        """E(t).

        Args:
            t: time, at least 0.
        """
        first = len(self.start)
        return self.start[t] if t < first else self.cycle[(t - first) % len(self.cycle)]

    def joined(self, first: int, length: int) -> bool:
        """Whether the union of `length` graphs from time `first` on is connected, by merging labels.

        Args:
            first: time of the first graph.
            length: how many graphs.
        """
        label = list(range(self.n_agents))
        for t in range(first, first + length):
            for i, j in self.edges(t):
                old, new = label[j], label[i]
                label = [new if x == old else x for x in label]
        return len(set(label)) == 1

    def meets(self, window: int, *, first_block: int = 1) -> bool:
        """Whether every block ``[l B, (l + 1) B)`` with l >= `first_block` is connected.

        Args:
            window: B.
            first_block: least l; 1 as printed.
        """
        # from the end of the start on, blocks repeat after len(cycle) of them
        last = len(self.start) // window + len(self.cycle) + 2
        return all(self.joined(block * window, window) for block in range(first_block, last + first_block))

    def least_window(self) -> int | None:
        """The least B of Assumption 1 as printed, or None if there is none."""
        # a B beyond start and cycle has whole cycles in every block: if that fails, all do
        longest = len(self.start) + 2 * len(self.cycle)
        return next((B for B in range(1, longest + 1) if self.meets(B)), None)


@statement("zeng2022", "assumption-1")
def assumption_1() -> tuple[Variant, ...]:
    r"""Some length B makes the union of the graphs of every block of B consecutive rounds connected.

    .. math:: \exists B:\quad \Big(\mathcal{N},\ E(\ell B) \cup E(\ell B + 1) \cup \dots \cup E((\ell + 1) B - 1)\Big)
        \ \text{is connected}\quad \forall\, \ell \ge 1

    It can be met, and often is: by any periodic sequence whose edges connect the agents over a period, with B at
    most the period (the least B is found by brute force over blocks, and again from the weight matrices). Two
    oddities of the text are harmless. ``l >= 1`` leaves the rounds 0..B-1 free, but the block
    ``[2 l B, 2 (l + 1) B)`` contains block ``2 l + 1 >= 1`` of length B, so with 2B in place of B all l >= 0 are met;
    with the same B they need not be (a first round of silence). And blocks are aligned, but any 2B - 1 consecutive
    rounds from round 1 on contain one; 2B - 2 do not (one edge, awake at rounds B and 3B - 1).

    Hypotheses: a finite set of agents and undirected edges. With one agent every graph is connected.

    Consequence: with the weights of Assumption 2 disagreement shrinks by a fixed factor per block, from block 1 on
    (statement `consensus`); the first B rounds cost a constant factor at most. Some such assumption is needed: two
    groups that never talk keep their difference for ever.
    """
    return (
        printed(_every_sequence_has_a_window, "blocks from l = 1 on, aligned at multiples of B"),
        reading(
            lambda c: _windows(c, "all blocks, at twice the least B", lambda g, B: g.meets(2 * B, first_block=0)),
            "all blocks from l = 0 on, with 2B", "first block, 2B",
        ),
        reading(
            lambda c: _windows(c, "windows of 2B - 1 rounds from round 1 on", lambda g, B: _sliding(g, 2 * B - 1)),
            "any 2B - 1 consecutive rounds, aligned or not", "sliding, 2B - 1",
        ),
        control(
            lambda c: _windows(c, "all blocks, at the least B", lambda g, B: g.meets(B, first_block=0)),
            "all blocks from l = 0 on, with the same B", "first block, B",
        ),
        control(
            lambda c: _windows(c, "windows of 2B - 2 rounds", lambda g, B: _sliding(g, max(1, 2 * B - 2))),
            "any 2B - 2 consecutive rounds", "sliding, 2B - 2",
        ),
        control(
            lambda c: _without_window([GraphSequence(4, (), (frozenset({(0, 1), (2, 3)}),))]),
            "two pairs of agents that never talk", "disconnected",
        ),
    )  # fmt: skip


def sequences(context: Context) -> Iterator[GraphSequence]:
    """Sequences whose cycle connects the agents: late starts, sparse ones, one edge at a time, random ones.

    Args:
        context: budget and randomness.
    """
    edge, none = frozenset({(0, 1)}), frozenset[tuple[int, int]]()
    yield GraphSequence(1, (), (none,))
    yield GraphSequence(2, (none,), (edge,))  # a silent first round
    for B in (2, 3, 4):  # one edge, awake at the first round of a block and at the last of the next
        yield GraphSequence(2, (), tuple(edge if t in (0, 2 * B - 1) else none for t in range(2 * B)))
    yield GraphSequence(3, (), (frozenset({(0, 1)}), frozenset({(1, 2)}), frozenset({(0, 2)})))  # ring3
    rng = context.rng(61)
    for _ in range(context.profile.n_rational):
        N, length, ahead = int(rng.integers(2, 5)), int(rng.integers(1, 6)), int(rng.integers(0, 3))
        rounds = [
            frozenset((i, j) for i in range(N) for j in range(i + 1, N) if rng.random() < 0.3)
            for _ in range(ahead + length)
        ]
        found = GraphSequence(N, tuple(rounds[:ahead]), tuple(rounds[ahead:]))
        if found.joined(ahead, length):
            yield found


def _every_sequence_has_a_window(context: Context) -> tuple[Evidence, Evidence]:
    tried = list(sequences(context))
    periodic = [g for g in tried if not g.start]
    apart = sum(g.least_window() != _window_of_matrices(g) for g in periodic)
    second = exact_evidence(
        "sequences whose least B differs between block unions and the weight matrices", apart, 0, Relation.EQUAL,
        instances=len(periodic), corroborates=True,
    )
    return _without_window(tried), second


def _without_window(tried: Sequence[GraphSequence]) -> Evidence:
    lost = [g for g in tried if g.least_window() is None]
    return exact_evidence(
        "sequences without any B", len(lost), 0, Relation.EQUAL, instances=len(tried),
        witness=_sequence_witness(lost[0], "no block of any length is connected") if lost else None,
    )


def _windows(context: Context, quantity: str, met: _Met) -> Evidence:
    """How many sequences that meet the assumption with B fail a related property."""
    lost, tried = [], 0
    for g in sequences(context):
        B = g.least_window()
        if B is None or g.n_agents == 1:
            continue
        tried += 1
        if not met(g, B):
            lost.append((g, B))
    witness = _sequence_witness(lost[0][0], f"least B = {lost[0][1]}") if lost else None
    return exact_evidence(f"sequences that fail: {quantity}", len(lost), 0, Relation.EQUAL, instances=tried,
                          witness=witness)  # fmt: skip


def _sliding(g: GraphSequence, length: int) -> bool:
    return all(g.joined(first, length) for first in range(1, len(g.start) + len(g.cycle) + 1))


def _window_of_matrices(g: GraphSequence) -> int | None:
    """The same B from Metropolis matrices and strongly connected components, as the library finds it."""
    stack = np.array([[[float(x) for x in row] for row in metropolis(g.n_agents, E)] for E in g.cycle])
    value = connectivity(stack).value
    return None if value is None else int(value)


def _sequence_witness(g: GraphSequence, summary: str) -> Witness:
    def shown(rounds: Sequence[Edges]) -> str:
        return "; ".join(" ".join(f"{i}-{j}" for i, j in sorted(E)) or "none" for E in rounds)

    return Witness(summary, {"N": g.n_agents, "edges before the cycle": shown(g.start), "cycle": shown(g.cycle)})
