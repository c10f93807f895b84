"""The recursion (9)-(11) of zhang2025 as an object: products, worst cases, sharp constants."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import sympy
from flint import fmpq
from scipy.special import gamma

from rates.recursion import PRINTED_C, GapRecursion

CASES = [(PRINTED_C, 2), (Fraction(2), 2), (Fraction(11, 10), 2), (Fraction(5, 2), 3), (Fraction(4), 7)]
IDS = [f"c={c}, start={s}" for c, s in CASES]


def test_first_worst_cases_by_hand() -> None:
    # t = 3: P = 5/12 * 11/18 = 55/216; S = (11/18)/4 + 1/9 = 19/72; U = (11/18)/2 + 1/3 = 23/36
    worst = GapRecursion().worst(3)
    assert worst.initial == 3 * Fraction(55, 216)
    assert worst.squared_step == 3 * Fraction(19, 72)
    assert worst.floor == Fraction(23, 36)
    assert worst.error == 1


@pytest.mark.parametrize(("c", "start"), CASES, ids=IDS)
def test_products_agree_with_gamma_functions_twice(c: Fraction, start: int) -> None:
    recursion = GapRecursion(c, start)
    for first, last in ((start + 1, start + 1), (start + 1, start + 30), (start + 5, start + 4), (start + 2, 90)):
        exact = recursion.product(first, last)
        enclosure = recursion.product_by_gamma(first, last)
        assert enclosure.contains(fmpq(exact.numerator, exact.denominator))
        assert float(enclosure.rad()) < 1e-10 * abs(float(exact)) + 1e-300
        by_scipy = gamma(last + 1 - float(c)) * gamma(first) / (gamma(last + 1) * gamma(first - float(c)))
        assert by_scipy == pytest.approx(float(exact), rel=1e-10)


@pytest.mark.parametrize(("c", "start"), CASES, ids=IDS)
def test_weights_are_what_unit_impulses_leave(c: Fraction, start: int) -> None:
    recursion, t = GapRecursion(c, start), start + 9
    weights = recursion.weights(t)
    assert list(weights) == list(range(start, t + 1))
    for j in weights:
        impulse = [Fraction(int(k == j), j) for k in range(start, t + 1)]
        assert recursion.run(Fraction(0), impulse)[-1] == weights[j]
    assert recursion.run(Fraction(1), [Fraction(0)] * (t - start + 1))[-1] == recursion.product(start, t)


@pytest.mark.parametrize(("c", "start"), CASES, ids=IDS)
def test_worst_cases_stay_below_the_sharp_constants(c: Fraction, start: int) -> None:
    recursion = GapRecursion(c, start)
    sharp = recursion.sharp
    for t in [*range(start, start + 30), 150, 400]:
        worst = recursion.worst(t)
        assert worst.initial <= sharp.initial
        assert worst.error == sharp.error
        assert worst.squared_step <= recursion.squared_step_bound(t) < sharp.squared_step
        assert c * worst.floor == 1 - recursion.product(start, t)
        assert worst.floor <= sharp.floor
        assert sharp.squared_step - worst.squared_step == recursion.squared_step_shortfall(t)


def test_squared_step_constant_is_six_and_approached_slowly() -> None:
    recursion = GapRecursion()
    assert recursion.sharp.squared_step == 6
    values = [recursion.worst(t).squared_step for t in range(2, 60)]
    assert all(a < b for a, b in pairwise(values))
    assert values[2] < 1 < values[3]  # t = 4 and t = 5: the printed constant is one
    # independent: float recursion to t = 10^6; the shortfall times t^(1/6) settles
    S, scaled = 0.0, {}
    for t in range(2, 1_000_001):
        S = (1 - 7 / 6 / t) * S + 1 / t**2
        if t in (10_000, 100_000, 1_000_000):
            scaled[t] = (6 - t * S) * t ** (1 / 6)
    assert scaled[100_000] == pytest.approx(scaled[10_000], rel=1e-3)
    assert scaled[1_000_000] == pytest.approx(scaled[100_000], rel=1e-4)


def test_induction_steps_of_the_docstring() -> None:
    t, c = sympy.symbols("t c")
    step = (1 - c / t) * (t - 2) / ((c - 1) * (t - 1) ** 2) + 1 / t**2
    slack = (t - 1) / ((c - 1) * t**2) - step
    assert sympy.simplify(slack - (t - c) / ((c - 1) * t**2 * (t - 1) ** 2)) == 0
    forcing = 1 / ((c - 1) * t) - (1 - c / t) / ((c - 1) * (t - 1)) - 1 / t**2
    assert sympy.simplify(forcing - 1 / (t**2 * (t - 1))) == 0


def test_random_forcing_never_beats_the_constants() -> None:
    rng, recursion, t = np.random.default_rng(0), GapRecursion(), 25
    for _ in range(50):
        gap, errors = Fraction(int(rng.integers(0, 9))), [Fraction(int(x), 8) for x in rng.integers(0, 9, t - 1)]
        floor, step = Fraction(int(rng.integers(0, 9)), 4), Fraction(int(rng.integers(0, 9)), 4)
        forcing = [e / j + floor / j + step / j**2 for j, e in enumerate(errors, start=2)]
        last, s = recursion.run(gap, forcing)[-1], recursion.sharp
        bound = s.initial * gap / t + s.error * sum(errors) / t + s.floor * floor + s.squared_step * step / t
        assert last <= bound


@pytest.mark.parametrize(
    ("c", "start", "error", "match"),
    [
        (1.5, 2, TypeError, "c is 1.5"),
        (Fraction(1), 2, ValueError, "c is 1; the constants"),
        (Fraction(5, 2), 2, ValueError, "c is 5/2"),
        (Fraction(7, 6), 1, ValueError, "start is 1"),
    ],
)
def test_bad_constants(c: Fraction, start: int, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        GapRecursion(c, start)


@pytest.mark.parametrize("name", ["weights", "worst", "squared_step_bound", "squared_step_shortfall"])
def test_bad_index(name: str) -> None:
    with pytest.raises(ValueError, match="t is 1; it is at least 2"):
        getattr(GapRecursion(), name)(1)


def test_bad_products() -> None:
    recursion = GapRecursion()
    with pytest.raises(ValueError, match="first is 0"):
        recursion.product(0, 3)
    with pytest.raises(ValueError, match="first is 1; the Gamma form"):
        recursion.product_by_gamma(1, 3)
    with pytest.raises(ValueError, match="last is 1"):
        recursion.product_by_gamma(4, 1)
