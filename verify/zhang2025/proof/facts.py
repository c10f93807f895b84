"""zhang2025 Remark 2 and Fact C.1: what agents must observe, and the norm of a stacked vector."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product

import sympy
from flint import fmpq

from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence


@statement("zhang2025", "remark-2")
def remark_2() -> tuple[Variant, ...]:
    r"""Global states and actions are needed, and observing them is not always restrictive.

    .. math:: \hat Q(s, a; W^i), \qquad a = (a^1, \dots, a^N)

    *Needed*: true. With one state and two agents the Q of the mean reward depends on the other agent's action, so no
    function of (s, a^i) equals it.

    *Not always restrictive*: an existence claim, true. The remark's example is carrier sensing, and for two devices
    it is right: each hears whether the other transmits, or learns it from the fate of its own packet. All joint
    actions are enumerated against what one device learns: its own action, and the channel's outcome (idle, success,
    collision).

    As a general rule for that example it is false: with three devices, one that transmits into a collision does not
    learn who else did. By hand: (1, 1, 0) and (1, 0, 1) look alike to device 1. Hearing the sender of every packet, of
    collided ones as well, repairs it.

    Hypotheses: a slotted channel with feedback idle, success or collision; each device knows its own action.

    Consequence: none for the theorems, which assume global observation; the example does not reach three devices.
    """
    return (
        printed(_depends, "Q depends on the other agents' actions", "needed", part="needed"),
        printed(
            lambda c: _ambiguous_actions(2, _outcome), "two devices on a channel learn the joint action", "example",
            part="not always restrictive",
        ),
        reading(lambda c: _ambiguous_actions(3, _outcome), "three devices on a channel do, too", "three devices"),
        control(
            lambda c: _ambiguous_actions(2, _silent), "two devices that cannot hear while they send", "no feedback"
        ),
    )


def _depends(context: Context) -> Evidence:
    """Least change of Q with the other agent's action: one state, local rewards r_i(a_i), gamma = 1/2."""
    gamma, rewards = fmpq(1, 2), ((fmpq(0), fmpq(1)), (fmpq(0), fmpq(3)))
    mean = [[(x + y) / 2 for y in rewards[1]] for x in rewards[0]]
    V = sum((x for row in mean for x in row), fmpq(0)) / 4 / (1 - gamma)
    Q = [[x + gamma * V for x in row] for row in mean]
    change = min(*(abs(Q[a][1] - Q[a][0]) for a in (0, 1)), *(abs(Q[1][b] - Q[0][b]) for b in (0, 1)))
    return exact_evidence(
        "least change of Q with the other agent's action", change, fmpq(1, 2), Relation.AT_LEAST, instances=1,
        witness=Witness("one state, uniform policies, r_1 = (0, 1), r_2 = (0, 3)", {"Q(a_1, a_2)": Q}),
    )


Actions = tuple[int, ...]


def _outcome(actions: Actions) -> str:
    return ("idle", "success")[sum(actions)] if sum(actions) < 2 else "collision"


def _silent(actions: Actions) -> str:
    return _outcome(actions) if not actions[0] else "deaf"


def _ambiguous_actions(devices: int, outcome: Callable[[Actions], str]) -> Evidence:
    """Pairs of joint actions that look alike to device 1; the success of another device carries its name."""
    views: dict[tuple[int, str, int], list[Actions]] = {}
    for actions in product((0, 1), repeat=devices):
        heard = outcome(actions)
        sender = actions.index(1) if heard == "success" else -1
        views.setdefault((actions[0], heard, sender), []).append(actions)
    alike = [pair for group in views.values() for pair in combinations(group, 2)]
    return exact_evidence(
        "pairs of joint actions that look alike to device 1", len(alike), 0, Relation.EQUAL, instances=2**devices,
        witness=Witness("joint actions, 1 for sending", {"alike": [list(a) for a in alike[0]]}) if alike else None,
    )


@statement("zhang2025", "fact-c.1")
def fact_c_1() -> tuple[Variant, ...]:
    r"""The squared norm of a stacked vector is the sum of its blocks' squared norms.

    .. math:: \|v\|^2 = \sum_{i \in \mathcal{N}} \|v^i\|^2, \qquad v^i \in \mathbb{R}^{m(m+d+1)}

    True for blocks of any length k. Induction on N, with F(n) the sum of the first n squares: the blocks add up to
    ``G(N) = sum_i (F((i+1)k) - F(ik))``; ``G(0) = F(0) = 0``, and if ``G(N) = F(Nk)`` then
    ``G(N+1) = F(Nk) + F((N+1)k) - F(Nk) = F((N+1)k)``. The program checks base and step with F a symbol.

    The length printed here, m(m+d+1), is that of Sec. 3.2, m(Dm+d+1), only for D = 1 (entry eq-5-dimension).

    Hypotheses: Euclidean norm; blocks in the order of the agents.

    Consequence: the last line of Eq. (15) may sum over agents; the slip in the length does no harm, since the fact does
    not depend on it.
    """
    return (
        printed(lambda c: (_stacked(c, 2), _block_induction(0)), "blocks of any length"),
        reading(_lengths, "the length of the blocks is that of Sec. 3.2 for every depth", "length"),
        control(lambda c: _stacked(c, 1), "norms added without squares", "no squares"),
        control(lambda c: _block_induction(1), "blocks that overlap in one entry", "overlap"),
    )


def _block_induction(overlap: int) -> Evidence:
    N, k = sympy.symbols("N k", integer=True, nonnegative=True)
    F = sympy.Function("F")
    # G(N) = F(N k) is assumed, and block N starts `overlap` entries early
    following = F(N * k) + F((N + 1) * k) - F(N * k - overlap)
    step = sympy.simplify(following - F((N + 1) * k)) == 0
    base = sympy.simplify(F(N * k).subs(N, 0) - F(0)) == 0
    return exact_evidence(
        "parts of the induction that fail", 2 - int(step) - int(base), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC,
        scope=Scope.CLASS,
    )


def _stacked(context: Context, power: int) -> Evidence:
    """Squared norm minus the sum of squared blocks, on integer vectors whose blocks have whole norms."""
    rng, worst = context.rng(3115), 0
    for _ in range(context.profile.n_rational):
        scales = rng.integers(1, 9, size=int(rng.integers(2, 6)))
        blocks = [[3 * int(s), 4 * int(s)] for s in scales]
        whole = sum(x**2 for block in blocks for x in block)
        norms = [5 * int(s) for s in scales]
        # power 1 compares the norm itself, squared so as to stay whole
        claimed = sum(n**2 for n in norms) if power == 2 else sum(norms) ** 2
        worst = max(worst, abs(whole - claimed))
    return exact_evidence(
        "squared norm minus what the blocks give, worst", worst, 0, Relation.EQUAL,
        instances=context.profile.n_rational, corroborates=True,
    )


def _lengths(context: Context) -> Evidence:
    m, d, depth = 1, 1, 2
    return exact_evidence(
        "m(Dm+d+1) - m(m+d+1)", m * (depth * m + d + 1) - m * (m + d + 1), 0, Relation.EQUAL, instances=1,
        witness=Witness("lengths 4 and 3", {"m": m, "d": d, "D": depth}),
    )
