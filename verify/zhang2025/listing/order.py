"""zhang2025 Algorithm 1, lines 3-9: has every sampled quantity a value when it is read?"""

from __future__ import annotations

from collections.abc import Callable

from verify.claim import Variant, control, printed, repaired, statement
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.zhang2025.listing.dataflow import Cell, Line, Loop, Undefined, undefined_reads

SIZES = ((1, 1, 1), (1, 2, 1), (2, 2, 2), (3, 3, 3))
"""T, M, N over which the listing is executed; the defects do not depend on them."""


@statement("zhang2025", "algorithm-1-data")
def algorithm_1_data() -> tuple[Variant, ...]:
    r"""The sampled tuples of Algorithm 1 are well defined.

    .. math:: \delta_{t,l}^i = \hat Q(s_{t,l}, a_{t,l}; W_t^i) - r_{t,l+1}^i
        - \gamma \hat Q(s_{t,l+1}, a_{t,l+1}; W_t^i)

    The listing is data here: what each line reads and writes, executed symbol by symbol.

    *First action*, false: lines 8 and 9 read a_{t,0} at l = 0. Line 7 only assigns a_{t,l+1}, whose second index is at
    least 1, and Algorithm 2 returns s_{K-1} and W_K but no action. *Joint action*: inside the loop over agents, line 9
    of agent 1 reads a_{t,l+1} of all agents, of which only its own has been sampled. If the loop runs through all its
    lines for one agent after the other, this is undefined for N >= 2; if the agents work in parallel, line by line, it
    is defined. *States and rewards*: defined, given the first action.

    Two remarks that are no data-flow defects. Algorithm 2 returns s_{K-1}, although its chain has reached s_K; line 6
    then draws a second successor of s_{K-1}. And a^i_{k+1} is part of the tuple of iteration k and again, as a^i_k, of
    that of iteration k + 1.

    Repaired: Algorithm 2 returns s_K and a_K, both of which it has sampled, and each line of the loop over agents
    runs for all agents before the next one starts.

    Hypotheses: the environment is the one that lines 5 and 6 name; no cell is set behind the listing's back.

    Consequence: the direction d_t has no value as printed, for any M; with the repair Theorem 5.10 can be asked for.
    """
    return (
        printed(
            lambda c: _defects(_first_action(), parallel=True), "a_{t,0} has a value when it is read", "first action",
            part="first action",
        ),
        printed(
            lambda c: _defects(_joint_action(), parallel=False), "joint action, one agent after the other",
            "sequential", part="joint action",
        ),
        printed(
            lambda c: _defects(_joint_action(), parallel=True), "joint action, agents in parallel", "parallel",
            part="joint action",
        ),
        printed(
            lambda c: _defects(lambda u: u.cell[0] in ("s", "r", "W", "theta"), parallel=True),
            "states, rewards and critics have values when they are read", "states", part="states",
        ),
        repaired(
            lambda c: _defects(lambda u: True, parallel=True, action=True),
            "Algorithm 2 returns s_K and a_K, agents in parallel",
        ),
        control(
            lambda c: _defects(lambda u: True, parallel=True, action=True, sample=False),
            "the repaired listing without line 7", "no sampling",
        ),
        control(
            lambda c: _defects(lambda u: u.cell[0] in ("s", "r", "W", "theta"), parallel=True, observe=False),
            "states and rewards, without line 6", "no observation",
        ),
    )


Defect = Callable[[Undefined], bool]


def _first_action() -> Defect:
    return lambda u: u.cell[0] == "a" and u.cell[2] == 0


def _joint_action() -> Defect:
    return lambda u: u.cell[0] == "a" and u.cell[2] != 0


def algorithm_1(
    T: int, M: int, N: int, *, parallel: bool, action: bool, sample: bool = True, observe: bool = True
) -> tuple[Line | Loop, ...]:
    """Algorithm 1 as data.

    Args:
        T: iterations.
        M: batch.
        N: agents.
        parallel: each line of the loop over agents for all of them before the next one.
        action: Algorithm 2 returns an action with its state.
        sample: keep line 7.
        observe: keep line 6.
    """
    agents = range(N)

    def joint(t: int, step: int) -> list[Cell]:
        return [("a", t, step, j) for j in agents]

    critic = Line(
        "3", lambda x: [("theta", x["t"], j) for j in agents],
        lambda x: [("s", x["t"], 0), *(("W", x["t"], j) for j in agents), *(joint(x["t"], 0) if action else [])],
    )
    # the environment's own use of a_{t,l} in line 6 is left out: line 8 reads it anyway
    six = Line(
        "6", lambda x: [("s", x["t"], x["l"])],
        lambda x: [("s", x["t"], x["l"] + 1), ("r", x["t"], x["l"] + 1, x["i"])] if observe else [],
    )
    seven = Line(
        "7", lambda x: [("s", x["t"], x["l"] + 1), ("theta", x["t"], x["i"])],
        lambda x: [("a", x["t"], x["l"] + 1, x["i"])] if sample else [],
    )
    eight = Line(
        "8", lambda x: [("s", x["t"], x["l"]), ("a", x["t"], x["l"], x["i"])],
        lambda x: [("psi", x["t"], x["l"], x["i"])],
    )
    nine = Line(
        "9",
        lambda x: [
            ("s", x["t"], x["l"]), ("s", x["t"], x["l"] + 1), ("r", x["t"], x["l"] + 1, x["i"]), ("W", x["t"], x["i"]),
            *joint(x["t"], x["l"]), *joint(x["t"], x["l"] + 1),
        ],
        lambda x: [("delta", x["t"], x["l"], x["i"])],
    )
    lines = (six, seven, eight, nine)
    loops = tuple(Loop("i", tuple(agents), (line,)) for line in lines) if parallel else (
        Loop("i", tuple(agents), lines),
    )
    gossip = Line(
        "12-13", lambda x: [("delta", x["t"], k, j) for k in range(M) for j in agents],
        lambda x: [("gossiped", x["t"], k, j) for k in range(M) for j in agents],
    )
    update = Line(
        "16-17",
        lambda x: [
            ("theta", x["t"], x["i"]),
            *((name, x["t"], k, x["i"]) for k in range(M) for name in ("gossiped", "psi")),
        ],
        lambda x: [("theta", x["t"] + 1, x["i"])],
    )
    body = (critic, Loop("l", tuple(range(M)), loops), gossip, Loop("i", tuple(agents), (update,)))
    return (Loop("t", tuple(range(T)), body),)


def _defects(
    kind: Defect, *, parallel: bool, action: bool = False, sample: bool = True, observe: bool = True
) -> Evidence:
    """Undefined reads of one kind over all sizes; the smallest listing that has one is the witness."""
    counts, first = 0, None
    for T, M, N in SIZES:
        listing = algorithm_1(T, M, N, parallel=parallel, action=action, sample=sample, observe=observe)
        found = [u for u in undefined_reads(listing, [("theta", 0, j) for j in range(N)]) if kind(u)]
        counts += len(found)
        if found and first is None:
            first = Witness(
                f"T = {T}, M = {M}, N = {N} (agents from 0): line {found[0].line} reads a cell not written yet",
                {"cell": str(found[0].cell), "loop variables": str(found[0].index)},
            )
    return exact_evidence(
        "reads of a cell before it is written", counts, 0, Relation.EQUAL, instances=len(SIZES), witness=first
    )
