"""zhang2025, setting and listings: the witnesses computed by hand, and the exact tools behind the checks."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from flint import fmpq
from scipy.optimize import minimize

from mdp.linear import rational_array, to_float
from verify.zhang2025.listing.dataflow import Line, Loop, undefined_reads
from verify.zhang2025.setting.pairs import box_solutions, full_rank_integers, positive_definite


def test_the_mixed_operator_moves_q() -> None:
    gamma, V1 = Fraction(1, 2), Fraction(2)  # state 1 absorbs with reward 1
    V0 = gamma * V1
    after = gamma * (gamma * V1 + (1 - gamma) * V0)
    assert (V0, after) == (1, Fraction(3, 4))


def test_restarting_changes_the_better_policy() -> None:
    gamma = Fraction(1, 2)
    stay, go = 1 / (1 - gamma), gamma * 3 / (1 - gamma)
    assert go > stay
    # V0 = gamma (gamma V1 + (1 - gamma) V0), V1 = 3 + gamma (gamma V1 + (1 - gamma) V0)
    V0 = Fraction(3, 2)
    V1 = 3 + V0
    assert gamma * (gamma * V1 + (1 - gamma) * V0) == V0
    assert 3 + gamma * (gamma * V1 + (1 - gamma) * V0) == V1
    assert stay > V0  # staying earns 1 in every step, restarts or not


def test_the_restart_gradient_has_the_wrong_sign() -> None:
    """One logit, half a chance each; state 1 absorbs; r(0, .) = (1, 0), r(1, .) = (0, 2), gamma = 1/2."""
    gamma, p = Fraction(1, 2), Fraction(1, 2)
    # the next state is 1 whatever the action; under restart it is 0 or 1 with probability 1/2 from either state
    # V_s = r_s + gamma (V_0 + V_1)/2, with r_0 = p and r_1 = 2 (1 - p), has V_0 + V_1 = 2 (r_0 + r_1)
    gradient = (1 + gamma * Fraction(1)) * p * (1 - p) - gamma * 2 * p * (1 - p)
    assert gradient == Fraction(1, 8)  # r_0 counts 1 + 1/2 times, r_1 once a half
    nu = (Fraction(1, 2), Fraction(1, 2))
    gaps = (Fraction(1), Fraction(-2))  # advantage of action 1 over action 2 in the two states
    assert sum(w * p * (1 - p) * g for w, g in zip(nu, gaps, strict=True)) == Fraction(-1, 8)


def test_a_negative_network_cannot_find_q() -> None:
    errors = {z: (-z * (1 - Fraction(1, 2)) - 1) ** 2 for z in map(Fraction, (0, 0.125, 1, 2, 5))}
    assert min(errors, key=lambda z: errors[z]) == 0  # the value 0, while Q = 2


def test_two_closest_functions_give_two_errors() -> None:
    target = Fraction(1) + Fraction(1, 2) * Fraction(1, 2)  # reward 1, gamma 1/2, mean value 1/2 at W = 1
    assert target == Fraction(5, 4)
    first, second = (Fraction(1) - target) ** 2 / 2, (Fraction(1) + target**2) / 2
    assert (first, second) == (Fraction(1, 32), Fraction(41, 32))


def test_the_network_at_a_stationary_point_is_not_the_optimum() -> None:
    network = Fraction(3, 2) * Fraction(3, 2)
    assert 1 + Fraction(1, 2) + Fraction(1, 2) == 2  # Q_0 = Q = 1 / (1 - 1/2)
    assert (network - (1 + network / 2)) ** 2 == Fraction(1, 64)


def test_the_expected_printed_step_goes_down() -> None:
    p, rewards, gamma = Fraction(3, 4), (Fraction(1), Fraction(0)), Fraction(1, 3)
    pi = (p, 1 - p)
    V = sum(w * r for w, r in zip(pi, rewards, strict=True)) / (1 - gamma)
    Q = [r + gamma * V for r in rewards]
    score = (1 - p, -p)
    step = Fraction(0)
    for a, b in product((0, 1), repeat=2):
        d = (Q[a] - rewards[a] - gamma * Q[b]) * score[a]
        step += pi[a] * pi[b] * ((d > 0) - (d < 0))
    assert step == -((2 * p - 1) ** 2) == Fraction(-1, 4)


@pytest.mark.parametrize(
    ("features", "signal", "signs"), [((3, 1, -4), (3, -4, 1), Fraction(-1, 3)), ((1, 1, -2), (2, -1, -1), None)],
    ids=["advantage", "reversed"],
)
def test_three_arms(features: tuple[int, ...], signal: tuple[int, ...], signs: Fraction | None) -> None:
    assert sum(features) == sum(signal) == 0
    products = [x * y for x, y in zip(features, signal, strict=True)]
    assert sum(products) > 0
    if signs is not None:
        assert Fraction(sum(np.sign(products).tolist()), 3) == signs
    else:
        assert sum(np.sign(features).tolist()) * sum(np.sign(signal).tolist()) < 0


def test_the_two_critics_differ_by_one_iterate() -> None:
    W0 = Fraction(1)
    W1 = W0 - 1 * (W0 - 0 - Fraction(1, 2) * W0)
    assert (W0 + W1) / 2 == Fraction(3, 4) != W0


def test_the_advantage_can_have_more_variance() -> None:
    with_q = Fraction(4, 5) * (Fraction(1, 5) * 1) ** 2
    p, q = Fraction(4, 5), Fraction(1, 5)
    with_adv = p * (q * q) ** 2 + q * (p * p) ** 2
    assert (with_q, with_adv) == (Fraction(4, 125), Fraction(52, 625))
    assert with_adv > with_q


def test_undefined_reads_are_found_in_order() -> None:
    body = (
        Line("1", lambda x: [("x", x["k"])], lambda x: [("y", x["k"])]),
        Line("2", lambda x: [("y", x["k"])], lambda x: [("x", x["k"] + 1)]),
    )
    listing = (Loop("k", (0, 1, 2), body),)
    found = undefined_reads(listing, [])
    assert [(u.line, u.cell) for u in found] == [("1", ("x", 0))]
    assert undefined_reads(listing, [("x", 0)]) == []


@pytest.mark.parametrize("seed", range(5))
def test_box_solutions_match_a_float_optimiser(seed: int) -> None:
    rng = np.random.default_rng(seed)
    design, target = full_rank_integers(rng, 4, 3), rational_array(rng.integers(-4, 5, size=4))
    (w,) = box_solutions(design.T @ design, -(design.T @ target), fmpq(1, 2))
    X, y = to_float(design), to_float(target)
    fit = minimize(lambda v: float(((X @ v - y) ** 2).sum()), np.zeros(3), bounds=[(-0.5, 0.5)] * 3, tol=1e-12)
    assert to_float(w) == pytest.approx(fit.x, abs=1e-4)


def test_positive_definite() -> None:
    assert positive_definite(rational_array([[2, 3], [-3, 2]]))
    assert not positive_definite(rational_array([[1, 3], [1, 1]]))
    with pytest.raises(ValueError, match="columns is 3"):
        full_rank_integers(np.random.default_rng(0), 2, 3)
