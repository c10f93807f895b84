"""zeng2022 Sec. 5: the equilibria of the coordination game, for every number of agents."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations_with_replacement

import sympy

from verify.claim import Variant, control, printed, reading, statement
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.experiments.coordination.runs import game_equilibria

ACTIONS = tuple(range(8))
"""Source: zeng2022 Sec. 5."""

Counts = tuple[int, ...]
"""How many agents play each action: all that a symmetric game needs to know about a profile."""

ENUMERATED = range(2, 9)
"""Numbers of agents whose profiles are enumerated up to permutation, ours: C(15, 7) = 6435 of them at N = 8."""

DENSE = (2, 3, 4)
"""Numbers of agents whose 8^N profiles are enumerated one by one, by the library's own routine; ours."""


@statement("zeng2022", "coordination-optima")
def coordination_optima() -> tuple[Variant, ...]:
    r"""The coordination game has several Nash equilibria, and the two optimal ones are all-0 and all-7.

    .. math:: r_i(a) = (a_i - 3.5)^2 + \sum_{j \ne i} I\{a_j = a_i\}, \qquad a_i \in \{0, 1, \dots, 7\}

    True, for every number of agents N >= 2. Each agent earns at most ``49/4 + (N - 1)``, and that with an action 0 or
    7 shared by everyone only: all-0 and all-7 are best for every agent at once, hence equilibria and the
    only maximisers of the mean reward.

    All pure equilibria, for every N: let ``v_x = (x - 7/2)^2`` and n_x agents play x. If x and y are both played,
    neither side gains by changing only if ``v_x + n_x - 1 >= v_y + n_y`` and ``v_y + n_y - 1 >= v_x + n_x``; the sum of
    the two says -2 >= 0. So all play the same x, and then ``v_x + N - 1 >= 49/4``. That gives two equilibria for N up
    to 6, four from N = 7 (all-1 and all-6), six from N = 11, and all eight from N = 13. Second opinions: enumeration
    of all profiles up to permutation for N = 2 to 8, and of all 8^N profiles for N = 2 to 4 by another routine.

    The game in which each agent maximises the mean reward, which is what CAC climbs, has more: a change from all-x
    costs the others too, and all-1 is an equilibrium of it from N = 4 on. (The noise has one mean for all
    actions and changes nothing.)

    Hypotheses: pure strategies, one round, mean rewards. Mixed equilibria exist beside these.

    Consequence: the share of runs that end at all-0 or all-7 is the right measure of success in `coordination-figure`.
    With few agents there is no other pure equilibrium of the agents' own game to be trapped in, so what a run of
    independent learners that ends elsewhere has found is no equilibrium, or one of the team's game.
    """
    return (
        printed(lambda c: (*_always_equilibria((0, 7)), _two_at_least()), "there are multiple Nash equilibria",
                "multiple", part="multiple equilibria"),
        printed(lambda c: (_optimal((0, 7)), _optimal_by_enumeration((0, 7))),
                "the two optimal ones are all-0 and all-7", "optimal", part="two optimal"),
        reading(lambda c: (_mixed_profiles(), _thresholds(), _second_opinion()),
                "in every pure equilibrium all play one x, with v_x + N - 1 >= 49/4", "all equilibria"),
        reading(lambda c: _only_two(range(2, 7), team=False), "for N up to 6 there are no others", "only two, N <= 6"),
        reading(lambda c: _only_two(ENUMERATED, team=False), "for no N are there others", "only two"),
        reading(lambda c: _only_two(range(2, 7), team=True),
                "the team's game has no others for N up to 6", "only two, team"),
        control(lambda c: _optimal((0, 6)), "all-0 and all-6 are the optimal ones", "all-0 and all-6"),
        control(lambda c: _always_equilibria((0, 1)), "all-0 and all-1 are equilibria for every N", "all-1"),
    )  # fmt: skip


def value(action: int) -> Fraction:
    """``(x - 7/2)^2``.

    Args:
        action: x.
    """
    return (action - Fraction(7, 2)) ** 2


def profiles(n_agents: int) -> Iterator[Counts]:
    """All profiles up to permutation.

    Args:
        n_agents: N.
    """
    for played in combinations_with_replacement(ACTIONS, n_agents):
        yield tuple(played.count(x) for x in ACTIONS)


def gain(counts: Counts, x: int, y: int, *, team: bool = False) -> Fraction:
    """What an agent that plays x gains, or the sum of all agents' rewards, if it changes to y.

    Args:
        counts: the profile, with somebody at x.
        x: the action left.
        y: the action taken, another one.
        team: the sum instead of its own reward.
    """
    matches = counts[y] - (counts[x] - 1)
    return value(y) - value(x) + (2 if team else 1) * matches


def is_equilibrium(counts: Counts, *, team: bool = False) -> bool:
    """Whether no single agent gains by a change.

    Args:
        counts: the profile.
        team: judged by the sum of all rewards.
    """
    played = [x for x in ACTIONS if counts[x]]
    return all(gain(counts, x, y, team=team) <= 0 for x in played for y in ACTIONS if y != x)


def _all_at(x: int, n_agents: int) -> Counts:
    return tuple(n_agents if y == x else 0 for y in ACTIONS)


def _always_equilibria(pair: tuple[int, int]) -> tuple[Evidence, Evidence]:
    """Gain of leaving all-x at N = 2, where it is largest: it falls by one with every further agent, for symbolic N."""
    worst = max(((gain(_all_at(x, 2), x, y), x, y) for x in pair for y in ACTIONS if y != x), key=lambda g: g[0])
    N = sympy.symbols("N", integer=True, positive=True)
    slopes = {sympy.simplify(gain(_all_at(x, N + 1), x, y) - gain(_all_at(x, N), x, y))
              for x in pair for y in ACTIONS if y != x}  # fmt: skip
    falls = exact_evidence(
        "largest change of that gain with one more agent, for every N", Fraction(int(max(slopes))), 0, Relation.AT_MOST,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, instances=14,
    )
    largest_gain = exact_evidence(
        f"largest gain by leaving all-{pair[0]} or all-{pair[1]} at N = 2 (it is v_y - v_x - (N - 1))", worst[0], 0,
        Relation.AT_MOST, scope=Scope.CLASS, instances=14,
        witness=Witness(f"from all-{worst[1]} to {worst[2]}, N = 2", {"v": [value(x) for x in ACTIONS]}),
    )
    return largest_gain, falls


def _two_at_least() -> Evidence:
    least = min(sum(is_equilibrium(p) for p in profiles(N)) for N in range(2, 6))
    return exact_evidence("least number of equilibria, N = 2 to 5, by enumeration", least, 2, Relation.AT_LEAST,
                          instances=4, corroborates=True)  # fmt: skip


def _optimal(claimed: tuple[int, int]) -> Evidence:
    """Actions that attain the largest v: with all agents at one of them each earns max v + N - 1, and only there."""
    best = max(value(x) for x in ACTIONS)
    attained = tuple(x for x in ACTIONS if value(x) == best)
    return exact_evidence(
        f"actions on which {{{claimed[0]}, {claimed[1]}}} and the maximisers of (x - 7/2)^2 disagree",
        len(set(claimed) ^ set(attained)), 0, Relation.EQUAL, scope=Scope.CLASS, instances=len(ACTIONS),
        witness=Witness(
            "an agent earns v_x + matches, at most max v + (N - 1), with equality only if all play the same maximiser",
            {"v": [value(x) for x in ACTIONS], "maximisers": list(attained)},
        ),
    )


def _optimal_by_enumeration(claimed: tuple[int, int]) -> Evidence:
    """The same for N = 2 to 5 from the sums of rewards over all profiles up to permutation."""
    wrong = 0
    for N in range(2, 6):
        total = {p: sum((n * (value(x) + n - 1) for x, n in enumerate(p)), Fraction(0)) for p in profiles(N)}
        best = max(total.values())
        wrong += {p for p, t in total.items() if t == best} != {_all_at(x, N) for x in claimed}
    return exact_evidence("N from 2 to 5 with other maximisers of the mean reward", wrong, 0, Relation.EQUAL,
                          instances=4, corroborates=True)  # fmt: skip


def _mixed_profiles() -> Evidence:
    """Sum of the gains of the two changes between two played actions, for all values and counts."""
    v_x, v_y, n_x, n_y = sympy.symbols("v_x v_y n_x n_y")
    total = sympy.simplify((v_y - v_x + n_y - (n_x - 1)) + (v_x - v_y + n_x - (n_y - 1)))
    return exact_evidence(
        "gain of x to y plus gain of y to x, both actions played (an equilibrium needs it to be at most 0)",
        Fraction(int(total)), 2, Relation.EQUAL, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, instances=1,
        note="for every N, so no equilibrium mixes actions",
    )


def _thresholds() -> Evidence:
    """From all-x the best change is to 0 or 7 and gains ``49/4 - v_x - (N - 1)``: an equilibrium from some N on."""
    found = {x: next(N for N in range(1, 20) if value(x) + N - 1 >= value(0)) for x in ACTIONS}
    wrong = sum(is_equilibrium(_all_at(x, N)) != (found[x] <= N) for x in ACTIONS for N in range(2, 31))
    return exact_evidence(
        "pairs (x, N), N = 2 to 30, at which all-x is an equilibrium against the threshold", wrong, 0, Relation.EQUAL,
        instances=8 * 29, corroborates=True,
        witness=Witness("all-x is an equilibrium from N on", {f"x = {x}": N for x, N in found.items()}),
    )  # fmt: skip


def _second_opinion() -> Evidence:
    """Equilibria by counts against the library's enumeration of all 8^N profiles, both games."""
    wrong = 0
    for N in DENSE:
        found = game_equilibria(N)
        for group, team in ((found.nash, False), (found.team_nash, True)):
            counted = {tuple([a for (a,) in p].count(x) for x in ACTIONS) for p in group}
            wrong += counted != {p for p in profiles(N) if is_equilibrium(p, team=team)}
    return exact_evidence("games on which the two enumerations differ", wrong, 0, Relation.EQUAL,
                          instances=2 * len(DENSE), corroborates=True)  # fmt: skip


def _only_two(agents: range, *, team: bool) -> Evidence:
    """Equilibria other than all-0 and all-7, by enumeration up to permutation."""
    others = [
        (N, p) for N in agents for p in profiles(N) if is_equilibrium(p, team=team) and p[0] < N and p[7] < N
    ]  # fmt: skip
    witness = None
    if others:
        N, p = others[0]
        x = next(x for x in ACTIONS if p[x])
        witness = Witness(
            f"N = {N}: all play {x}; the best change is to 0 or 7",
            {"own reward at all-x": value(x) + N - 1, "alone at 0": value(0),
             "gain of that change": gain(p, x, 0, team=team)},
        )  # fmt: skip
    return exact_evidence(
        f"further equilibria{' of the team game' if team else ''}, N = {agents[0]} to {agents[-1]}", len(others), 0,
        Relation.EQUAL, instances=len(agents), witness=witness,
    )
