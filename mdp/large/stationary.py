"""Stationary law of a large chain by power iteration, with a certificate from a one-column minorisation.

If ``P^m(s, j) >= delta > 0`` for every s, then ``P^m`` contracts differences of laws by ``1 - delta`` in the sum norm
(Doeblin), so the chain has one stationary law mu, and for any law x
``sum_s |x - mu| <= sum_s |x P^m - x| / delta <= m sum_s |x P - x| / delta``. The column is m products with P away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mdp.large.solvers import EPSILON, ConvergenceError, Solution

Map = Callable[[np.ndarray], np.ndarray]

CHECK_EVERY = 25
"""Products between looks at the residual; ours: a look costs one sum, a product hundreds."""

GOOD_FRACTION = 0.5
"""The column is good enough once its least entry is this fraction of mu(j): more products gain at most a factor two."""


def solve_stationary(
    apply: Map, apply_transposed: Map, start: np.ndarray, additions: int, *, tolerance: float, max_products: int
) -> Solution:
    """Stationary law of P from products with it.

    Args:
        apply: ``v -> P v``, (S,) to (S,).
        apply_transposed: ``x -> x P``, (S,) to (S,).
        start: initial guess, a law (S,).
        additions: rounding steps behind one entry of a product, for the certificate.
        tolerance: sum norm of ``x P - x`` to reach.
        max_products: limit on all products together.

    Returns:
        The law, ``residual = sum |x P - x|``, ``error`` a bound on ``sum |x - mu|``.

    Raises:
        ConvergenceError: the residual does not fall (a periodic chain), or no column becomes positive (a reducible
            one), within `max_products`; the message says which.

    Source: Doeblin minorisation, as `mdp.mixing.doeblin_mixing`.
    """
    x, spent, residual = start / start.sum(), 0, np.inf
    while residual > tolerance:
        if spent >= max_products:
            raise ConvergenceError(
                f"after {spent} products sum |x P - x| is {residual:.3g}, above {tolerance:.3g}: the chain is periodic "
                "or mixes too slowly for power iteration"
            )
        for _ in range(CHECK_EVERY):
            y = apply_transposed(x)
            y /= y.sum()
            residual, x = float(np.abs(y - x).sum()), y
        spent += CHECK_EVERY
    column, steps = np.zeros(len(x)), 0
    target = int(x.argmax())
    column[target] = 1.0
    least = 0.0
    while least < GOOD_FRACTION * x[target]:
        if spent >= max_products:
            if least > 0:
                break
            raise ConvergenceError(
                f"after {steps} steps some state still cannot be at state {target}, the most likely one: the chain is "
                "reducible or periodic, and its stationary law is not certified"
            )
        column, steps, spent = apply(column), steps + 1, spent + 1
        least = float(column.min())
    rounding = (additions + 4) * EPSILON  # of one product of laws, relative to its sum of one
    sure = least * (1 - 2 * steps * rounding)
    return Solution(x, residual, steps * (residual + rounding) / sure, spent)
