"""What counts as simpler: roundings of a float point, cheaper numbers, and smaller families."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from flint import fmpq

from verify.search.family import Family, cost

DENOMINATORS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 32, 50, 100, 1_000, 10**6)
"""Denominators tried in rounding, after which a float is taken at its exact dyadic value; ours."""

SIMPLER = 8
"""Simpler values tried per coordinate, the simplest first; ours."""

DESCENDANTS = 6
"""Smaller families that get evaluations of their own; ours."""


def descendants(family: Family) -> list[Family]:
    """Distinct families below one, fewest parameters first, `DESCENDANTS` at most.

    Args:
        family: where to start.
    """
    below: list[Family] = []
    queue = [family]
    while queue:
        parent = queue.pop(0)
        for child, _ in parent.smaller(parent.bounds[1]):
            if child not in below:
                below.append(child)
                queue.append(child)
    return sorted(below, key=lambda f: len(f.bounds[0]))[:DESCENDANTS]


def rounded(point: np.ndarray, denominator: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Nearest multiples of ``1 / denominator`` inside the box; the nearest end where the box has none, flat.

    Args:
        point: floats, a flat vector.
        denominator: positive.
        low: exact lower ends, a flat vector.
        high: exact upper ends, a flat vector.
    """
    out = np.empty(len(point), dtype=object)
    for k, x in enumerate(point):
        near = fmpq(round(float(x) * denominator), denominator)
        if near < low[k]:
            near += fmpq(1, denominator)
        elif near > high[k]:
            near -= fmpq(1, denominator)
        out[k] = min(max(near, low[k]), high[k])
    return out


def cheaper(value: fmpq, low: fmpq, high: fmpq) -> Iterator[fmpq]:
    """Numbers of the interval that cost less than `value`, cheapest first: a few simple ones, then near ones.

    Args:
        value: the number to replace.
        low: lower end.
        high: upper end.
    """
    simple = {fmpq(n, d) for d in range(1, 5) for n in range(-4, 5)}
    allowed = sorted((x for x in simple if low <= x <= high and cost(x) < cost(value)), key=cost)[:SIMPLER]
    yield from allowed
    if value.q > DENOMINATORS[-1]:  # what is left of a float: a power of ten may do as well
        powers = [x for d in (10, 100, 1_000) for x in (fmpq(1, d), 1 - fmpq(1, d))]
        yield from (x for x in powers if low <= x <= high and cost(x) < cost(value))
    for d in DENOMINATORS:
        if d >= value.q:
            return
        near = fmpq(int((value * d + fmpq(1, 2)).floor()), d)
        if low <= near <= high and near not in allowed and cost(near) < cost(value):
            yield near
