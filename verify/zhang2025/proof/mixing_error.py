"""zhang2025 Appendix C, Step 2(c), Eqs. (31)-(32): mixing of the cross terms."""

from __future__ import annotations

from collections.abc import Iterable
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
    state at l1. If F knows the state only, the power is l2 - l1. If it knows the action too, as it must for (30), one
    step is lost: in the switch (the next state is the action, both equally likely) the states are independent, kappa =
    3/4 and any rho satisfy the lemma, but given the action the distance after one step is 1/4 = gamma / 2.

    *(32) is wrong*, whatever the constants: it inherits the last equality of (30). In one state with two actions,
    ``E <x_l1, x_l2> = ||g||^2 = 1/4`` for every lag, with an exact critic.

    Repaired, for the undiscounted TD error of (30): ``|E <x_l1, x_l2>| <= X b kappa rho^(l2 - l1 - 1)`` with
    ``b = r_max/(1-gamma)`` and ``X = r_max ((2-gamma) + 1/2)/(1-gamma)``, the bound on ``|delta| + |g|``; the restart
    chain has kappa = 1 and rho = gamma for every policy, because it starts afresh with probability 1 - gamma.

    Hypotheses: Lemma 5.4 for the state chain; on the instances kappa = 1 and rho = gamma, which every restart chain
    has.

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
                     lambda b, i: _mixing(b, 0), key=KEY, part="mixing"),
        printed(_given_the_action, "kappa rho^(l2 - l1) given state and action at l1", "given the pair", part="mixing"),
        printed(_constant_cross_terms, "(32), the printed TD error with an exact critic", "(32)", part="(32)"),
        repaired(lambda c: compare("E<x, x'> minus X b gamma^(lag - 1)", _repaired_cross, repaired_problems(c)),
                 "(32) for the undiscounted TD error, one step later"),
        line_variant(Kind.REPAIRED, "kappa rho^(l2 - l1 - 1) given state and action at l1", "one step later",
                     lambda b, i: _mixing(b, 1), key=KEY),
        line_variant(Kind.CONTROL, "C / 20 times the total variation", "C / 20",
                     lambda b, i: _scaled(_constant(b, i), fmpq(1, 20)), key=KEY),
        control(lambda c: compare("E<x, x'> minus X b gamma^(lag - 1), the coin at lag 10",
                                  lambda b, i: _repaired_cross(b, i, (10,)), [(coin(), batch(coin()))]),
                "the repaired (32) for the printed TD error", "printed TD error"),
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


def _mixing(b: Batch, later: int) -> Sides:
    """Total variation after a lag against gamma^(lag - later), given the state, or the pair if `later` is one."""
    pairs = []
    for lag in LAGS:
        rows: Iterable[np.ndarray] = _laws_given_state(b, lag)
        if later:
            power = b.kernel
            for _ in range(lag - 1):
                power = power @ b.kernel
            rows = list(power)
        pairs += [(_variation(b, row), b.gamma ** (lag - later)) for row in rows]
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


def _repaired_cross(b: Batch, i: int, lags: tuple[int, ...] = LAGS) -> Sides:
    X, width = repaired_bounds(b)
    pairs = [(abs(b.cross(i, lag)), X * width * b.gamma ** (lag - 1)) for lag in lags]
    return max(pairs, key=lambda pair: pair[0] - pair[1])
