"""zhang2025 Appendix C, Step 2(c), Eqs. (28)-(30): the batch error, its diagonal and its cross terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import sympy
from flint import fmpq

from verify.claim import Kind, Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.zhang2025.proof.batch_chain import Batch, bounded_points
from verify.zhang2025.proof.batch_lines import Line, Sides, compare, line_variant, repaired_cases

LAGS = (1, 2)
"""Distances between two samples that are compared; ours."""

KEY = 2901
"""Names the stream of critic errors, the same for all lines, so that they are about the same problems."""


@statement("zhang2025", "eq-28", uses=("eq-15",))
def eq_28() -> tuple[Variant, ...]:
    r"""The squared batch error is a sum of diagonal and of cross terms.

    .. math:: \Big\| \tfrac1M \sum_l \delta_l \psi_l^i - g^i \Big\|^2
        = \tfrac{1}{M^2} \sum_l \| \delta_l \psi_l^i - g^i \|^2 + \tfrac{1}{M^2} \sum_{l_1 \ne l_2}
        \langle \delta^i_{l_1} \psi_{l_1}^i - g^i, \delta^i_{l_2} \psi_{l_2}^i - g^i \rangle

    *As printed*, the cross terms carry delta^i, the TD error of agent i, and the rest carries delta, the average over
    the agents. The two are different as soon as rewards are, and the equality fails with two agents and two samples.
    *Repaired*, with the average throughout, as (30) has it: the square of a sum, multiplied out.

    Second opinion: both forms on random numbers (tests).

    Hypotheses: none; an identity between numbers.

    Consequence: a slip of the pen, without effect on Theorem 5.10: from (30) on the average is used.
    """
    return (
        printed(lambda c: _expansion(local=True), "the agent's own TD error in the cross terms"),
        repaired(lambda c: _expansion(local=False), "the team's TD error throughout"),
        control(lambda c: _expansion(local=False, power=1), "1/M for 1/M^2 before the cross terms", "1/M"),
    )


def _expansion(local: bool, power: int = 2) -> Evidence:
    """Difference of the sides for symbolic samples in the plane, M up to 4; for the local form two agents by hand."""
    differing, witness = 0, None
    for M in (2, 3, 4):
        team = [sympy.symbols(f"a{k} b{k}") for k in range(M)]  # delta_l psi_l - g
        own = [sympy.symbols(f"c{k} d{k}") for k in range(M)] if local else team  # the same with delta^i
        left = sum(sum(x[d] for x in team) ** 2 for d in (0, 1)) / sympy.Integer(M) ** 2
        diagonal = sum(x[d] ** 2 for x in team for d in (0, 1))
        cross = sum(own[j][d] * own[k][d] for j in range(M) for k in range(M) if j != k for d in (0, 1))
        right = diagonal / sympy.Integer(M) ** 2 + cross / sympy.Integer(M) ** power
        differing += sympy.expand(left - right) != 0
    if local:
        # TD errors 2 and 0 of two agents in both samples, psi = 1, g = 0: the average is 1
        first, second, average = Fraction(2), Fraction(0), Fraction(1)
        right_side = Fraction(1, 4) * 2 * average**2 + Fraction(1, 4) * 2 * first * first
        witness = Witness(
            "N = 2, M = 2, psi = 1, g = 0, TD errors 2 and 0 of the two agents in both samples",
            {"delta^1": first, "delta^2": second, "delta": average, "left side": average**2, "right side": right_side},
        )
    return exact_evidence(
        "batch sizes at which the sides differ as polynomials", differing, 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC,
        instances=3, witness=witness,
    )


# --- Eq. (29) ------------------------------------------------------------------------------------------------


@statement("zhang2025", "eq-29", uses=("assumption-5.5", "assumption-5.9", "assumption-5.3"))
def eq_29() -> tuple[Variant, ...]:
    r"""The diagonal terms are of the order of the squared critic error.

    .. math:: E\|\delta\psi - g\|^2 \le 2E[\|\delta\psi\|^2 + \|g\|^2] \le 2E[\delta^2\|\psi\|^2]
        + 2E[\hat A^2\|\psi\|^2] \le 2E\delta^2 + 2E\hat A^2 \le 4\max_l E\delta^2 \le 4C^2 = O(\epsilon^2),
        \qquad C = \Big(\tfrac{1+\gamma}{1-\gamma} + 1\Big) r_{\max} + 2\epsilon

    Here epsilon is epsilon_critic and A^ the estimated advantage. (a), the second line and (b) are right. *(c) is not*:
    it needs the advantage to be smaller in mean square than the TD error, and Assumption 5.9 says nothing of the kind.
    In one state with two equally likely actions and rewards 1 and 0, the TD error is ``-gamma Adv(a')``, so the ratio
    is gamma^2: ``5/8 <= 1/4`` is claimed at gamma = 1/2. (With the estimated advantage read as ``E[delta | s, a]``, and
    not as in Eq. (4), (c) is right; see `eq_30` for where the error then goes.) *4 C^2 is a bound all the same*, since
    both are at most C. *The last equality is wrong*: C contains r_max, so 4 C^2 does not vanish with epsilon_critic; in
    the same example the critic is exact and the left side is 5/16.

    Repaired: ``(3 r_max / (2 (1 - gamma)) + (2 + gamma) epsilon)^2``, because ``|delta| <= r_max/(1-gamma)
    + (1+gamma) epsilon`` (Q and gamma Q' + r lie between 0 and r_max/(1-gamma)), and ``|g| <= E|A^|``, which is at most
    half the range of Q^ (mean absolute deviation). With an exact critic of the data's own kernel delta has mean zero
    given (s, a), and ``(1 + gamma^2) / 4 (r_max/(1-gamma))^2`` is enough: ``E delta^2`` is gamma^2 times a conditional
    variance. The notes give the largest ratios found. The example has the ratio (1 - gamma)^2 to the second bound;
    it is attained in the limit of gamma to 0.

    Second opinion: the coin by enumerating its actions in plain fractions (tests).

    Hypotheses: Assumptions 5.3, 5.5 and 5.9; scores with one parameter per agent on the instances.

    Consequence: term (4) of Theorem 5.10 was claimed to be N^(1/2) M^(-1/2) times epsilon_critic inside the proof; the
    diagonal part is N^(1/2) M^(-1/2) times r_max/(1-gamma), which is what the theorem prints in the end.
    """
    P, C = Kind.PRINTED, Kind.CONTROL
    return (
        line_variant(P, "(a): |x - y|^2 against 2|x|^2 + 2|y|^2", "(a)", lambda b, i: (_diagonal(b, i),
                _two_squares(b, i)),
                     key=KEY, part="(a)"),
        line_variant(P, "second line: |E v|^2 against E|v|^2", "second", lambda b, i: (_two_squares(b, i), _inside(b,
                i)),
                     key=KEY, part="second"),
        line_variant(P, "(b): scores of at most one", "(b)", lambda b, i: (_inside(b, i), _without_scores(b)),
                     key=KEY, part="(b)"),
        line_variant(P, "(c): 2 E delta^2 + 2 E Adv^2 against 4 max E delta^2", "(c)",
                     lambda b, i: (_without_scores(b), 4 * b.mean(b.delta**2)), key=KEY, part="(c)"),
        line_variant(P, "4 E delta^2 against 4 C^2", "constant", lambda b, i: (4 * b.mean(b.delta**2), 4 * b.bound**2),
                     key=KEY, part="constant"),
        line_variant(P, "the diagonal term against any constant times epsilon^2, at epsilon = 0", "order",
                     lambda b, i: (_diagonal(b, i), fmpq(0)) if b.critic_error == 0 else None, key=KEY, part="order"),
        line_variant(Kind.READING, "the diagonal term against 4 C^2", "first and last", lambda b, i: (_diagonal(b, i),
                4 * b.bound**2),
                     key=KEY),
        line_variant(Kind.READING, "(c), the advantage read as E[delta | s, a]", "(c), mean TD error",
                     lambda b, i: (_without_scores(_mean_td(b)), 4 * b.mean(b.delta**2)), key=KEY),
        line_variant(Kind.REPAIRED, "(3 r_max / (2 (1 - gamma)) + (2 + gamma) epsilon)^2", "",
                     lambda b, i: (_diagonal(b, i), _repaired_diagonal(b)), key=KEY),
        line_variant(Kind.REPAIRED, "(1 + gamma^2) / 4 (r_max / (1 - gamma))^2 for an exact critic", "exact critic",
                     lambda b, i: (_diagonal(b, i), (1 + b.gamma**2) / 4 * (b.reward_range / (1 - b.gamma)) ** 2)
                     if b.critic_error == 0 else None, key=KEY),
        line_variant(C, "(a) with 1/2 for 2", "half", lambda b, i: (_diagonal(b, i), _two_squares(b, i) / 4), key=KEY),
        line_variant(C, "the constant 4 C^2 divided by 1000", "C^2 / 250",
                     lambda b, i: (_diagonal(b, i), 4 * b.bound**2 / 1000), key=KEY),
    )


def _diagonal(b: Batch, i: int) -> fmpq:
    return b.mean(b.sample(i) ** 2)


def _two_squares(b: Batch, i: int) -> fmpq:
    return 2 * b.mean(b.delta**2 * (b.score[i] ** 2)[:, None]) + 2 * b.target[i] ** 2


def _inside(b: Batch, i: int) -> fmpq:
    return 2 * b.mean(b.delta**2 * (b.score[i] ** 2)[:, None]) + 2 * b.mean(b.advantage**2 * b.score[i] ** 2)


def _mean_td(b: Batch) -> Batch:
    """The batch with the advantage read as ``E[delta | s, a]``, in g too."""
    return replace(b, advantage=(b.kernel * b.delta).sum(axis=1))


def _without_scores(b: Batch) -> fmpq:
    return 2 * b.mean(b.delta**2) + 2 * b.mean(b.advantage**2)


def _repaired_diagonal(b: Batch) -> fmpq:
    return (fmpq(3, 2) * b.reward_range / (1 - b.gamma) + (2 + b.gamma) * b.critic_error) ** 2


# --- Eq. (30) ------------------------------------------------------------------------------------------------


@statement("zhang2025", "eq-30", uses=("eq-28", "algorithm-1-direction"))
def eq_30() -> tuple[Variant, ...]:
    r"""In the cross terms the TD error may be replaced by the estimated advantage.

    .. math:: E[\langle x_{l_1}, x_{l_2} \rangle] = E[E[\langle x_{l_1}, x_{l_2} \rangle | F_{l_1}]]
        = E[\langle x_{l_1}, E[x_{l_2} | F_{l_1}] \rangle] \le 2C\, E\|E[\delta_{l_2}\psi_{l_2} | F_{l_1}] - g\|
        = 2C\, E\|E[\hat A(s_{l_2}, a_{l_2}) \psi_{l_2} | F_{l_1}] - g\|

    Here ``x_l = delta_l psi_l - g``. The tower property, the Cauchy-Schwarz inequality and the bound 2 C are right.
    *Taking x out of the inner expectation* needs x to be known at that time, and x_(l1) contains s_(l1+1) and a_(l1+1).
    With the samples up to (s, a) at l1 in F it fails; with those of the next step as well it is right, but then the
    chain has l2 - l1 - 1 steps left to mix, or fewer, not l2 - l1 as (31) has it.

    *The last equality is the error that matters.* With the exact Q of the data's kernel ``E[delta | s, a] = 0`` (the
    Bellman equation), while the advantage is not zero. In one state with two actions the norm before is ``|0 - 1/2|``
    and the norm after it 0. No choice of the filtration helps. Sec. 4 says that advantages "represent the expectation
    of TD-errors"; for this TD error that is what fails. Eq. (4) defines the advantage, and (34) needs that definition.
    If "estimated advantage" is read as ``E[delta | s, a]`` throughout, in g too, the equality and (c) of (29) are right
    (readings), but then g is zero for an exact critic and the first line of (34) has nothing to do with the gradient:
    the error moves from Step 2(c) to Step 2(d).

    Repaired: for the undiscounted ``delta = r + V(s') - V(s)`` with the original V on restart data,
    ``E[delta | s, a] = Adv + (1 - gamma) V(s0)``; scores have mean zero in every state, so
    ``E[delta psi | s] = E[Adv psi | s]``, exactly. It holds given the states up to s_(l1+1), and x_(l1) is known then,
    because this TD error does not contain a_(l1+1).

    Second opinion: the coin by enumerating its actions in plain fractions (tests).

    Hypotheses: data from the restart kernel; the critic is that of the same kernel, exact or with an error.

    Consequence: the batch error has a mean that no batch size removes: its limit is ``||g||`` with an exact critic
    (Eq. (33)). Theorem 5.10 is not established for the printed TD error, and its batch term is for the repaired one.
    """
    P, E = Kind.PRINTED, Relation.EQUAL
    return (
        line_variant(P, "tower property", "tower", _worst_lag(_by_paths, _given_next), key=KEY, part="tower",
                relation=E),
        line_variant(P, "x leaves the inner expectation, F up to (s, a) at l1", "up to the pair",
                     _worst_lag(_by_paths, _given_pair), key=KEY, part="taking out", relation=E),
        line_variant(P, "x leaves the inner expectation, F up to the next pair", "up to the next pair",
                     _worst_lag(_by_paths, _given_next), key=KEY, part="taking out", relation=E),
        line_variant(P, "Cauchy-Schwarz", "Cauchy-Schwarz", _worst_lag(_given_next, _norms), key=KEY,
                     part="Cauchy-Schwarz"),
        line_variant(P, "the first factor is at most 2 C", "2 C",
                     _worst_lag(_norms, lambda b, i, k: 2 * b.bound * _next_drift(b, i, k)), key=KEY, part="2 C"),
        line_variant(P, "TD error against estimated advantage", "advantage", _worst_lag(_td_drift, _advantage_drift),
                     key=KEY, part="advantage", relation=E),
        line_variant(Kind.READING, "TD error against its mean given (s, a), called the advantage", "mean TD error",
                     lambda b, i: _worst_lag(_td_drift, _advantage_drift)(_mean_td(b), i), key=KEY, relation=E),
        repaired(_undiscounted, "r + V(s') - V(s), undiscounted, has the conditional mean of the advantage"),
        line_variant(Kind.CONTROL, "the first factor is at most C / 20", "C / 20",
                     _worst_lag(_norms, lambda b, i, k: b.bound / 20 * _next_drift(b, i, k)), key=KEY),
        control(lambda c: _undiscounted(c, sign=-1), "the repaired TD error with its sign reversed", "sign"),
    )


Moment = Callable[[Batch, int, int], fmpq]
"""A number of a batch, an agent and a lag."""


def _worst_lag(left: Moment, right: Moment) -> Line:
    """Sides at the lag with the largest excess of the left one; for equalities at the one with the largest gap."""

    def sides(b: Batch, i: int) -> Sides:
        pairs = [(left(b, i, lag), right(b, i, lag)) for lag in LAGS]
        excess = [x - y for x, y in pairs]
        return pairs[excess.index(max(excess) if max(excess) > 0 else min(excess))]

    return sides


def _by_paths(b: Batch, i: int, lag: int) -> fmpq:
    """``E[x_l x_(l + lag)]`` forward in time: the law of the pair, weighted by x, carried along the chain."""
    x = b.sample(i)
    carried = ((b.law[:, None] * b.kernel) * x).sum(axis=0)  # over the next pair, weighted by x_l
    for _ in range(lag - 1):
        carried = carried @ b.kernel
    return (carried[:, None] * b.kernel * x).sum()


def _given_next(b: Batch, i: int, lag: int) -> fmpq:
    """``E[x_l E[x_(l+lag) | next pair]]``, backward in time."""
    return b.cross(i, lag)


def _given_pair(b: Batch, i: int, lag: int) -> fmpq:
    """``E[E[x_l | pair] E[x_(l+lag) | pair]]``."""
    mean = (b.kernel * b.sample(i)).sum(axis=1)
    return (b.law * mean * _later(b, mean, lag)).sum()


def _later(b: Batch, values: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        values = b.kernel @ values
    return values


def _norms(b: Batch, i: int, lag: int) -> fmpq:
    """``E[|x_l| |E[x_(l+lag) | next pair]|]``."""
    x = b.sample(i)
    return b.mean(np.abs(x) * np.abs(_later(b, (b.kernel * x).sum(axis=1), lag - 1))[None, :])


def _next_drift(b: Batch, i: int, lag: int) -> fmpq:
    """``E|E[x_(l+lag) | next pair]|``; the next pair has the stationary law, too."""
    return b.mean(np.abs(_later(b, (b.kernel * b.sample(i)).sum(axis=1), lag - 1)))


def _td_drift(b: Batch, i: int, lag: int) -> fmpq:
    """``E|E[x_(l+lag) | pair at l]|``."""
    return b.mean(np.abs(_later(b, (b.kernel * b.sample(i)).sum(axis=1), lag)))


def _advantage_drift(b: Batch, i: int, lag: int) -> fmpq:
    """The same for ``A^ psi - g``."""
    return b.mean(np.abs(_later(b, b.advantage * b.score[i] - b.target[i], lag)))


def _undiscounted(context: Context, sign: int = 1) -> Evidence:
    """``E[delta psi | s] - E[Adv psi | s]`` over states, the largest, for the undiscounted TD error."""

    def gap(b: Batch, i: int) -> Sides:
        weights = b.law * b.score[i]  # proportional to pi(a|s) psi in each state
        left, right = weights * (b.kernel * b.delta).sum(axis=1) * sign, weights * b.advantage
        gaps = [abs((left - right)[b.states == s].sum()) for s in set(b.states)]
        return max(gaps), fmpq(0)

    cases = repaired_cases(bounded_points(context))
    return compare("E[delta psi | s] - E[Adv psi | s], undiscounted", gap, cases, Relation.EQUAL)
