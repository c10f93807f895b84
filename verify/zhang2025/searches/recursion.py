"""Searches for zhang2025 Eqs. (8)-(10) and (37): normalised steps and their recursion.

Claims are generic over floats and rationals; square roots and cosines of rationals are enclosures.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import cos, pi, sin
from typing import Any

import numpy as np
from flint import arb, fmpq

from verify.search import Inequality
from verify.search.joined import Pair, Raw, norm, root
from verify.search.shapes import Array, Arrays

Named = Mapping[str, np.ndarray]
"""Arrays by name."""

# --- Eq. (8), second line --------------------------------------------------------------------------

DIRECTIONS = Arrays(
    (("N", 3), ("w", 2)), (Array("g", ("N", "w"), -1), Array("d", ("N", "w"), -1), Array("a"))
)
"""Gradients and directions of N agents with w parameters each; a in [0, 1]."""


def listed_step(tenths: int = 10) -> Inequality:
    """``-<g, u> <= -a ||g|| + (tenths/10) (sqrt(N) + a) ||e||``, over ``||g|| + ||e||``; 10 is the repaired form.

    Args:
        tenths: ten times the share of the last term.
    """

    def sides(instance: Named) -> Pair | None:
        g, d, a = instance["g"], instance["d"], instance["a"][()]
        if not (d != 0).any(axis=1).all():
            return None  # 0/0 in the listing
        inner = sum((gi * di).sum() / norm(di) for gi, di in zip(g, d, strict=True))
        size, error = norm(g), norm(d - g)
        if not size + error > 0:
            return None
        many = root(_like(len(g), a))
        return (-inner + a * size - (many + a) * error * tenths / 10) / (size + error), 0

    return Inequality(f"-<g, u> <= -a ||g|| + {tenths}/10 (sqrt(N) + a) ||e||, scaled", sides)


# --- Eq. (9) ---------------------------------------------------------------------------------------

CIRCLES = Arrays(
    (("arms", 3),),
    (
        Array("r", ("arms",)), Array("c", (), Fraction(1, 50), Fraction(49, 50)), Array("speed", (), Fraction(1, 100)),
        Array("gamma", (), 0, Fraction(19, 20)), Array("angle", (), -4, 4), Array("alpha", (), Fraction(1, 1000), 4),
        Array("d", (), -1),
    ),
    least=(("arms", 3),),
)  # fmt: skip
"""Three-armed bandits with a circular class (`verify.zhang2025.assumptions.circle`): any rewards, angle, step, speed.

The speed s is given as a share of the largest that Assumption 5.5 allows."""


def one_step(b_tenths: int = 20, floor_tenths: int = 10) -> Inequality:
    """(9) repaired: ``Delta' <= (1 - alpha sqrt(mu)) Delta + 2 alpha ||e|| + K alpha^2/2 + alpha sqrt(mu) floor``.

    With ``floor = sqrt(eps_bias)/(1 - gamma)`` and eps_bias at the current angle, which is at most the paper's (its
    supremum): what holds here holds there. Divided by the sum of all terms that move the gap.

    Args:
        b_tenths: ten times the coefficient of the error, 20 in the repaired form.
        floor_tenths: ten times the share of the floor.
    """

    def sides(instance: Named) -> Pair | None:
        r, (c, speed, gamma, angle, alpha, d) = instance["r"], (instance[k][()] for k in _SCALARS)
        spread = max(r) - min(r)
        if not spread > 0 or d == 0:
            return None
        w = root(1 - c**2)
        s = speed * w / c
        gap, slope, floor = _on_circle(r, c, s, angle)
        turned = _on_circle(r, c, s, angle + s * alpha * (1 if d > 0 else -1))[0]
        Z = ((1 - w) / c) ** 3
        root_mu = s**2 * (1 - w * (1 + Z) / (1 - Z)) / root(_like(2, c))
        error = abs(d - slope / (1 - gamma))
        # the largest |sum_k r_k cos(t - 2 pi k/3)|
        amplitude = root(((r[0] - r[1]) ** 2 + (r[1] - r[2]) ** 2 + (r[2] - r[0]) ** 2) / 2)
        smoothness = s**2 * c * amplitude / (3 * (1 - gamma))
        added = b_tenths * alpha * error / 10 + smoothness * alpha**2 / 2
        added += alpha * root_mu * floor * floor_tenths / (10 * (1 - gamma))
        less = alpha * root_mu * gap / (1 - gamma)
        if not added + less > _like(1, c) / 10**6:
            return None  # the step is lost in the rounding of the gaps
        return ((turned - gap) / (1 - gamma) + less - added) / (added + less), 0

    return Inequality(
        f"(9) with b = {b_tenths}/10 and {floor_tenths}/10 of its floor, over the sum of its terms", sides
    )


_SCALARS = ("c", "speed", "gamma", "angle", "alpha", "d")


def _on_circle(r: np.ndarray, c: Any, s: Any, angle: Any) -> tuple[Any, Any, Any]:
    """Gap and slope of the mean reward (times 1 - gamma), and sqrt(eps_bias), at an angle."""
    exact = isinstance(c, (fmpq, arb))
    third = 2 * arb.pi() / 3 if exact else 2 * pi / 3
    turns = [(arb(angle) if exact else angle) - k * third for k in range(3)]
    cosines = [t.cos() if exact else cos(t) for t in turns]
    sines = [t.sin() if exact else sin(t) for t in turns]
    p, dp = [(1 + c * x) / 3 for x in cosines], [-s * c * x / 3 for x in sines]
    mean = sum(x * y for x, y in zip(p, r, strict=True))
    slope = sum(x * y for x, y in zip(dp, r, strict=True))
    information = sum(y * y / x for x, y in zip(p, dp, strict=True))
    best = max(range(3), key=lambda k: r[k])
    gap = r[best] - mean
    return gap, slope, abs(gap - slope / information * dp[best] / p[best])


# --- Eqs. (10) and (37) ----------------------------------------------------------------------------

ANY_STEPS = Arrays(
    (("steps", 6),),
    (Array("step", ("steps",)), Array("error", ("steps",)), Array("slack", ("steps",), -1), Array("gap"),
     Array("floor"), Array("L"), Array("root mu", (), Fraction(1, 20), Fraction(7, 10))),
)  # fmt: skip
"""Steps of (9) with any contraction ``alpha_t sqrt(mu) / 3`` in [0, 1]; slack above zero makes (9) an inequality."""


def unrolled(numerator: int = 8, denominator: int = 3) -> Raw:
    """(10) repaired: the gap that steps of (9) leave, and the product and weighted sum that should bound it.

    Args:
        numerator: of the coefficient of the errors.
        denominator: of it; 8/3 in the repaired form.
    """

    def raw(instance: Named) -> Pair:
        gap, floor, L, mu = (instance[k][()] for k in ("gap", "floor", "L", "root mu"))
        shares, errors, slack = (instance[k] for k in ("step", "error", "slack"))
        alphas = [3 * a / mu for a in shares]
        left = gap
        for a, alpha, error, less in zip(shares, alphas, errors, slack, strict=True):
            left = (1 - a) * left + 8 * alpha * error / 3 + L * alpha**2 + alpha * floor / 3
            left = left * (1 - less) if less > 0 else left
        right = gap * _product(1 - a for a in shares)
        for k in range(len(shares)):
            weight = _product(1 - shares[-1 - i] for i in range(k))
            alpha, error = alphas[-1 - k], errors[-1 - k]
            right = right + weight * (numerator * alpha * error / denominator + alpha * floor / 3 + L * alpha**2)
        return left, right

    return raw


RUNS = Arrays(
    (("pattern", 4),),
    (Array("error", ("pattern",)), Array("slack", ("pattern",), -1), Array("gap"), Array("floor"), Array("L"),
     Array("root mu", (), Fraction(1, 20), Fraction(7, 10)), Array("T", (), 3, 80)),
)  # fmt: skip
"""Runs of (9) with ``alpha_t = 7 / (2 sqrt(mu) t)``, errors and slacks that repeat, and T up to 80."""


def final_bound(square: int = 6, numerator: int = 8, denominator: int = 3) -> Raw:
    """(37) repaired: ``Delta_T <= (Delta_2 + 6 L alpha^2 + (8 alpha/3) sum ||e||) / (T - 1) + eps'/sqrt(mu)``.

    Args:
        square: coefficient of ``L alpha^2``.
        numerator: of the coefficient of the errors.
        denominator: of it.
    """

    def raw(instance: Named) -> Pair:
        left, floor, L, mu = (instance[k][()] for k in ("gap", "floor", "L", "root mu"))
        errors, slack, T = instance["error"], instance["slack"], int(instance["T"][()])
        alpha, total, start = 7 / (2 * mu), left * 0, left
        for t in range(2, T):
            error, less = errors[t % len(errors)], slack[t % len(slack)]
            left = left - 7 * left / (6 * t) + (8 * alpha * error + alpha * floor) / (3 * t) + L * alpha**2 / t**2
            left = left * (1 - less) if less > 0 else left
            total = total + error
        sums = start + square * L * alpha**2 + numerator * alpha * total / denominator
        return left, sums / (T - 1) + floor / mu

    return raw


def _product(factors: Any) -> Any:
    found: Any = 1
    for factor in factors:
        found = found * factor
    return found


def _like(value: int, other: Any) -> Any:
    """A whole number as a rational or an enclosure's, where the other one is."""
    return fmpq(value) if isinstance(other, (fmpq, arb)) else float(value)
