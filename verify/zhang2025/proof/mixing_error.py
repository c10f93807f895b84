"""zhang2025 Appendix C, Step 2(c), Eqs. (31)-(32): mixing of the cross terms."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from flint import fmpq

from verify.claim import Kind, Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.zhang2025.proof.batch_chain import Batch, batch, bounded_points, coin, switch
from verify.zhang2025.proof.batch_error import KEY
from verify.zhang2025.proof.batch_lines import Cases, Sides, compare, line_variant, repaired_cases

LAGS = (1, 2)
"""Distances between two samples that are compared; ours."""


@statement("zhang2025", "eq-31-32", uses=("eq-30", "lemma-5.4"))
def eq_31_32() -> tuple[Variant, ...]:
    r"""The cross terms decay like kappa rho^(l2 - l1).

    .. math:: \| E[\hat A\psi | F_{l_1}] - g \| \le \sum_{s,a} \|\hat A\psi\| \, |P^{l_2-l_1} - \nu|
        \le C \| P^{l_2-l_1} - \nu \|_{TV} \le C \kappa \rho^{l_2-l_1}, \qquad
        E\langle x_{l_1}, x_{l_2}\rangle \le 2 C^2 \kappa \rho^{l_2-l_1}

    (The display conditions on F_(l2) in two places; F_(l1) is meant.) The sum is a triangle inequality. *C times the
    total variation* is right even with the smaller convention, half the L1 distance, although a factor 2 seems to be
    missing: actions are drawn from pi in both laws, so ``sum |A^ psi| |P - nu| <= 2 TV max_s E_pi|A^|``, and a mean
    absolute deviation is at most half the range ``r_max/(1-gamma) + 2 epsilon``. *Mixing*: Lemma 5.4 takes the worst
    state at l1. If F knows the state only, the power is l2 - l1. If it knows the action too, one step is lost; for
    (30) it must know the next state as well (a V-based TD error; again d(l2 - l1 - 1) is left) and, for the Q-based
    one that is printed, the next action, which leaves d(l2 - l1 - 2) and nothing at lag 1. In the switch (the next
    state is the action, both equally likely) the states are independent, kappa = 3/4 and any rho satisfy the lemma,
    but given the action the distance after one step is 1/4 = gamma / 2.

    *(32) is wrong*, whatever the constants: it inherits the last equality of (30). In one state with two actions,
    ``E <x_l1, x_l2> = ||g||^2 = 1/4`` for every lag, with an exact critic.

    Repaired, with ``d(t) = max_s TV(P^t(s, .), nu)``, which is at most ``kappa rho^t`` for all constants that Lemma 5.4
    holds with: given state and action the pair is within ``d(l2 - l1 - 1)`` of nu, because the law after one step is a
    mixture of laws that start in a state; and for the undiscounted TD error of (30), ``|E <x_l1, x_l2>| <= X b d(l2 -
    l1 - 1)`` with ``b = r_max/(1-gamma)`` and ``X = r_max ((2-gamma) + 1/2)/(1-gamma)``, the bound on ``|delta| +
    |g|``. The restart chain has kappa = 1 and rho = gamma for every policy, because it starts afresh with probability 1
    - gamma. Both are checked against d itself, not against gamma^t, so with the least constants that an instance
    allows. The first is attained (two states, deterministic moves); the second is not nearly (see its sharpness).

    Second opinion: the coin's cross term by enumerating four actions in plain fractions, the switch by hand (tests).

    Hypotheses: Lemma 5.4 for the state chain, with whatever kappa and rho.

    Consequence: the cross terms are what makes a batch useful or not. For the printed TD error they tend to
    ``||g||^2``; for the repaired one they decay as the paper says, one step later.
    """
    P = Kind.PRINTED
    return (
        line_variant(P, "a triangle inequality over pairs", "sum", _triangle, key=KEY, part="sum"),
        line_variant(P, "C times the total variation, half the L1 distance", "half L1", _constant, key=KEY,
                     part="constant"),
        line_variant(P, "C times the total variation, the L1 distance", "L1",
                     lambda b, i: _scaled(_constant(b, i), 2), key=KEY, part="constant"),
        line_variant(P, "kappa rho^(l2 - l1) given the state at l1", "given the state",
                     _given_the_state, key=KEY, part="mixing"),
        printed(_given_the_action, "kappa rho^(l2 - l1) given state and action at l1", "given the pair", part="mixing"),
        printed(_constant_cross_terms, "(32), the printed TD error with an exact critic", "(32)", part="(32)"),
        repaired(lambda c: compare("E<x, x'> minus X b d(lag - 1)", _repaired_cross, repaired_problems(c)),
                 "(32) for the undiscounted TD error, one step later"),
        line_variant(Kind.REPAIRED, "d(l2 - l1 - 1) given state and action at l1", "one step later",
                     lambda b, i: _given_the_pair(b, 1), key=KEY),
        line_variant(Kind.CONTROL, "C / 20 times the total variation", "C / 20",
                     lambda b, i: _scaled(_constant(b, i), fmpq(1, 20)), key=KEY),
        control(lambda c: compare("E<x, x'> minus X b gamma^(lag - 1), the coin at lag 10", _coin_cross,
                                  [(coin(), batch(coin()))]),
                "the repaired (32) for the printed TD error", "printed TD error"),
        line_variant(Kind.CONTROL, "d(l2 - l1) given state and action at l1", "no step later",
                     lambda b, i: _given_the_pair(b, 0), key=KEY),
    )


def repaired_problems(context: Context) -> Cases:
    """Batches of the undiscounted TD error: coin, switch, then random problems.

    Args:
        context: budget and randomness.
    """
    return repaired_cases([coin(), switch(), *bounded_points(context)])


def _scaled(sides: Sides, factor: fmpq | int) -> Sides:
    return sides[0], sides[1] * factor


def _laws_given_state(b: Batch, steps: int) -> list[np.ndarray]:
    """Law of the pair after `steps` steps, for each state to start from."""
    laws = []
    for s in sorted(set(b.states)):
        inside = b.states == s
        weight = b.law * inside
        # states that nu never visits have no conditional law of the action here; the next pair has one
        if weight.sum() == 0:
            continue
        row = weight / weight.sum()
        for _ in range(steps):
            row = row @ b.kernel
        laws.append(row)
    return laws


def _variation(b: Batch, row: np.ndarray) -> fmpq:
    return np.abs(row - b.law).sum() / 2


def _triangle(b: Batch, i: int) -> Sides:
    """The worst state and lag: ``|sum A psi (P - nu)|`` against ``sum |A psi| |P - nu|``."""
    value = b.advantage * b.score[i]
    pairs = [(abs((value * (row - b.law)).sum()), (np.abs(value) * np.abs(row - b.law)).sum())
             for lag in LAGS for row in _laws_given_state(b, lag)]
    return max(pairs, key=lambda pair: pair[0] - pair[1])


def _constant(b: Batch, i: int) -> Sides:
    """``sum |A psi| |P - nu|`` against C TV."""
    value = np.abs(b.advantage * b.score[i])
    pairs = [((value * np.abs(row - b.law)).sum(), b.bound * _variation(b, row))
             for lag in LAGS for row in _laws_given_state(b, lag)]
    return max(pairs, key=lambda pair: pair[0] - pair[1])


def _given_the_state(b: Batch, i: int) -> Sides:
    """Total variation after a lag, given the state, against gamma^lag."""
    pairs = [(_variation(b, row), b.gamma**lag) for lag in LAGS for row in _laws_given_state(b, lag)]
    return max(pairs, key=lambda pair: pair[0] - pair[1])


def state_distances(b: Batch, steps: int) -> list[fmpq]:
    """``d(t)``, t = 0..steps: largest total variation between the state after t steps and nu.

    The largest over states that some pair leads to. Any kappa and rho that Lemma 5.4 holds with have
    ``d(t) <= kappa rho^t``, so a bound by d is one by every such kappa and rho; ``d(t) <= gamma^t`` always.

    Args:
        b: a batch.
        steps: the last t.
    """
    arriving = b.kernel.sum(axis=0)
    reached = [s for s in sorted(set(b.states)) if arriving[b.states == s].sum() > 0]
    # every row that reaches a state has the policy's probabilities there, so their sum has them as well
    rows = np.stack([arriving * (b.states == s).astype(int) for s in reached])
    rows, found = rows / rows.sum(axis=1)[:, None], []
    for _ in range(steps + 1):
        # given the state, actions are drawn from pi in both laws: pairs are as far apart as states
        found.append(max(_variation(b, row) for row in rows))
        rows = rows @ b.kernel
    return found


def _given_the_pair(b: Batch, lost: int) -> Sides:
    """Total variation after a lag, given state and action, against ``d(lag - lost)``: the worst pair and lag."""
    distance, power, pairs = state_distances(b, max(LAGS)), b.kernel, []
    for lag in LAGS:
        pairs += [(_variation(b, row), distance[lag - lost]) for row in power]
        power = power @ b.kernel
    return max(pairs, key=lambda pair: pair[0] - pair[1])


def _given_the_action(context: Context) -> tuple[Evidence, Evidence]:
    """The switch: the lemma's constants kappa = 3/4, rho = 1/4 are checked first, then used given the pair."""
    b, kappa, rho = batch(switch()), Fraction(3, 4), Fraction(1, 4)
    lemma = max(Fraction(str(_variation(b, row))) - kappa * rho**t for t in range(6) for row in _laws_given_state(b, t))
    given_pair = max(Fraction(str(_variation(b, row))) for row in b.kernel)
    return (
        exact_evidence("TV given the state minus 3/4 (1/4)^t, t up to 5", lemma, 0, Relation.AT_MOST, instances=1,
                       corroborates=True),
        exact_evidence(
            "TV after one step, given state and action", given_pair, kappa * rho, Relation.AT_MOST, instances=1,
            witness=Witness(
                "two states, the next state is the action, both equally likely, restart in state 0 with gamma = 1/2",
                {"kernel of pairs": b.kernel, "nu(s, a)": b.law, "kappa": kappa, "rho": rho, "TV": given_pair},
            ),
        ),
    )


def _constant_cross_terms(context: Context) -> Evidence:
    """The coin at lag 8, kappa = 1, rho = 1/2: 1/4 against 2 * 16 / 256 = 1/8."""
    b, lag, kappa, rho = batch(coin()), 8, fmpq(1), fmpq(1, 2)
    cross, right = b.cross(0, lag), 2 * b.bound**2 * kappa * rho**lag
    return exact_evidence(
        f"E<x_l1, x_l2> at lag {lag}", cross, right, Relation.AT_MOST, instances=1,
        witness=Witness(
            "one state, two equally likely actions, rewards 1 and 0, scores 1 and -1, gamma = 1/2, exact critic: "
            "x_l = -gamma Adv(a_(l+1)) psi(a_l) - g and the first part has mean zero given the past",
            {"g": b.target, "E<x, x'>": cross, "C": b.bound, "kappa": kappa, "rho": rho, "right side": right},
        ),
        note="the same for every lag, while the right side tends to zero",
    )


def repaired_bounds(b: Batch) -> tuple[fmpq, fmpq]:
    """X and b of the repaired form of (32).

    Args:
        b: a batch of the undiscounted TD error.
    """
    value = b.reward_range / (1 - b.gamma)
    return (2 - b.gamma) * value + value / 2, value


def _repaired_cross(b: Batch, i: int) -> Sides:
    (X, width), distance = repaired_bounds(b), state_distances(b, max(LAGS))
    pairs = [(abs(b.cross(i, lag)), X * width * distance[lag - 1]) for lag in LAGS]
    return max(pairs, key=lambda pair: pair[0] - pair[1])


def _coin_cross(b: Batch, i: int, lag: int = 10) -> Sides:
    """One state: d is zero, and the control keeps the larger ``gamma^(lag - 1)``."""
    X, width = repaired_bounds(b)
    return abs(b.cross(i, lag)), X * width * b.gamma ** (lag - 1)
