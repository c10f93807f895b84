"""Forms of claims for adversarial searches: inequalities without units, equalities by relative gaps, ratios.

A claim is given by its two sides. `scale_free` turns ``lhs <= rhs`` into a violation between -1 and 1 that does not
depend on units, so that a search is not drawn to large rewards; `identity` does the same for ``lhs = rhs``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
from flint import arb, fmpq

from mdp.linear import is_exact, rational, solve
from verify.search import Inequality

FLOOR = fmpq(1, 10**4)
"""Sides far below this (both of order one where rewards are) count as zero; ours: ten decades above rounding, which
is 1e-14 after solves with 1 - gamma of 1/20."""

Pair = tuple[Any, Any]
"""Two sides, nonnegative; floats, rationals or enclosures."""

Raw = Callable[[Any], Pair | None]
"""Both sides of a claim at an instance; None where its hypotheses fail."""


def root(value: Any) -> Any:
    """Square root of a nonnegative number: a float, or an enclosure.

    Args:
        value: float, rational or enclosure.
    """
    return arb(value).sqrt() if isinstance(value, (fmpq, arb)) else sqrt(max(float(value), 0.0))


def norm(values: np.ndarray) -> Any:
    """Euclidean norm of all entries: a float, or an enclosure.

    Args:
        values: floats or rationals, any shape.
    """
    return root((values * values).sum())


def times(share: Any, value: Any) -> Any:
    """A rational constant times a float, a rational or an enclosure.

    Args:
        share: the constant, such as ``Fraction(9, 10)``.
        value: what it multiplies.
    """
    return rational(share) * value if isinstance(value, (fmpq, arb)) else float(share) * value


def small(like: Any) -> Any:
    """`FLOOR` as a float or a rational.

    Args:
        like: decides the kind.
    """
    return FLOOR if isinstance(like, (fmpq, arb)) else float(FLOOR.p) / float(FLOOR.q)


def scaled(pair: Pair) -> Any:
    """``(lhs - rhs) / (lhs + rhs)``.

    Args:
        pair: both sides, not both zero.
    """
    left, right = pair
    return (left - right) / (left + right)


def worst(pairs: Iterable[Pair]) -> Pair:
    """The pair that is violated most, or nearest to it, among those above `FLOOR`; the first if there are none.

    Args:
        pairs: both sides of several claims.
    """
    given = list(pairs)
    telling = [pair for pair in given if not _nothing(pair)]
    return max(telling, key=lambda pair: float(_middle(scaled(pair)))) if telling else given[0]


def scale_free(text: str, raw: Raw) -> Inequality:
    """``lhs <= rhs`` as ``(lhs - rhs) / (lhs + rhs) <= 0``; undefined where the sum of the sides is below `FLOOR`.

    There rounding decides, and a search would settle where both sides vanish.

    Args:
        text: the claim in words.
        raw: both sides, nonnegative.
    """

    def sides(instance: Any) -> Pair | None:
        pair = raw(instance)
        return None if pair is None or _nothing(pair) else (scaled(pair), 0)

    return Inequality(text, sides)


def ratio(text: str, raw: Raw) -> Inequality:
    """``lhs <= rhs`` for `verify.search.worst_ratio`: instances where rhs is below `FLOOR` are left out.

    Args:
        text: the claim in words.
        raw: both sides, nonnegative.
    """

    def sides(instance: Any) -> Pair | None:
        pair = raw(instance)
        return None if pair is None or not pair[1] > small(pair[1]) else pair

    return Inequality(text, sides)


def relative_gap(left: np.ndarray, right: np.ndarray, size: Any) -> Any:
    """``max |left - right| / size``, zero for a size of zero.

    Args:
        left: floats or rationals, any shape.
        right: of the same shape.
        size: magnitude of the terms that make up the sides; rounding errors are a few 1e-16 of it.
    """
    gap = abs(np.atleast_1d(left - right)).max()
    return gap / size if size > 0 else gap


def identity(text: str, gap: Callable[[Any], Any]) -> Inequality:
    """``lhs = rhs`` as ``gap <= 0``.

    Args:
        text: the claim in words.
        gap: a `relative_gap`; None where the hypotheses fail.
    """

    def sides(instance: Any) -> Pair | None:
        value = gap(instance)
        return None if value is None else (value, 0)

    return Inequality(text, sides)


def least_squares(design: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted least squares, generic: by factorisation over floats, by normal equations over rationals.

    Args:
        design: (n, k).
        target: (n,).
        weight: (n,), nonnegative.
    """
    if is_exact(design):
        weighted = design * weight[:, None]
        return solve(weighted.T @ design, weighted.T @ target)
    scale = np.sqrt(weight)
    found: np.ndarray = np.linalg.lstsq(design * scale[:, None], target * scale, rcond=None)[0]
    return found


def same_span(features: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Features with the same span: for floats orthonormal under the weight, so that solves lose no digits.

    A search that maximises a violation would otherwise end where columns are nearly dependent and rounding is large.

    Args:
        features: (..., K); the leading axes are states or pairs.
        weight: of the shape of the leading axes; for floats positive, or the features are returned as they are.
    """
    if is_exact(features) or not weight.min() > 0:
        return features
    scale = np.sqrt(weight).reshape(-1, 1)
    basis, _ = np.linalg.qr(features.reshape(len(scale), -1) * scale)
    found: np.ndarray = (basis / scale).reshape(*features.shape[:-1], -1)
    return found


def _nothing(pair: Pair) -> bool:
    return bool(pair[0] + pair[1] < small(pair[0]))


def _middle(value: Any) -> Any:
    if isinstance(value, arb):
        return value.mid()
    return Fraction(int(value.p), int(value.q)) if isinstance(value, fmpq) else value
