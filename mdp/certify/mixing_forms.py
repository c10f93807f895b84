"""Ball forms of the mixing constants of `mdp.mixing`, before any outward rounding.

Source: as in `mdp.mixing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb

from mdp.enclose.arithmetic import ball_array, least, square_root, symmetric_eigenvalues
from mdp.enclose.view import BallView
from mdp.linear import rational


def completed(kernel: np.ndarray) -> np.ndarray:
    """The stochastic kernel with the entries of `kernel` off the diagonal (any number of actions in the middle).

    Args:
        kernel: (S, S) or (S, A, S) balls.
    """
    out = np.array(kernel)
    for index in np.ndindex(kernel.shape[:-1]):
        own = (*index, index[0])
        out[own] = arb(0)
        out[own] = 1 - out[index].sum()
    return out


MIXING_FLOOR = rational(2.0**-52)
"""Least contraction of several steps, as in `mdp.mixing`: a power that has mixed fully would make kappa infinite."""


def mixing_contraction(view: BallView, method: str, steps: int) -> tuple[Any, Any]:
    """Contraction of total variation over `steps` steps and the distance it starts from.

    Args:
        view: ball twin.
        method: ``"doeblin"``, ``"uniform"`` or ``"spectral"``, as in `mdp.mixing`.
        steps: m.

    Raises:
        ArithmeticError: spectral: a stationary probability that cannot be told from zero.
    """
    unit = ball_array(np.eye(len(view.initial), dtype=int))
    if method == "uniform":
        kernel, reach = completed(view.P), unit
        for _ in range(steps):
            step = kernel @ reach
            reach = np.array([[least(column) for column in rows.T] for rows in step], dtype=object)
        return (1 - sum(least(column) for column in reach.T)).nonnegative_part(), arb(1)
    matrix, power = completed(view.P_pi), unit
    for _ in range(steps):
        power = power @ matrix
    if method == "doeblin":
        return (1 - sum(least(column) for column in power.T)).nonnegative_part(), arb(1)
    mu = view.stationary
    if not all(x > 0 for x in mu):
        raise ArithmeticError("a stationary probability cannot be told from zero")
    root = np.array([x.sqrt() for x in mu], dtype=object)
    centred = root[:, None] * (power - mu) / root
    contraction = square_root(symmetric_eigenvalues(centred @ centred.T)[-1])
    return contraction, square_root(1 / least(mu) - 1) / 2


def mixing_constant(view: BallView, part: str, method: str, steps: int) -> Any:
    """Constant or rate, by the formulas of `mdp.mixing`, without its outward rounding.

    Args:
        view: ball twin.
        part: ``"kappa"`` or ``"rho"``.
        method: as in `mixing_contraction`.
        steps: m.
    """
    contraction, start = mixing_contraction(view, method, steps)
    if steps > 1:
        contraction = contraction.max(arb(MIXING_FLOOR))
    rho = contraction.root(steps) if steps > 1 else contraction
    if part == "rho":
        return rho
    return start / rho ** (steps - 1) if steps > 1 else start
