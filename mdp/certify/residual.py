"""Residual and a-priori certificates: a few float products instead of ball arithmetic."""

from __future__ import annotations

import numpy as np

from mdp import chain
from mdp.certify.certificate import Certificate, Kind, row_defect
from mdp.certify.twins import UNIT_ROUNDOFF
from mdp.exact import Exact

RESIDUAL_NAMES = ("stationary", "restart_stationary", "visitation", "V", "Q", "J")
"""Quantities with a residual or a-priori certificate."""

SLACK = 1.0 + 2.0**-20
"""Covers the rounding of a residual bound itself: a few thousand float operations on nonnegative numbers."""


def _gamma(operations: int) -> float:
    """``n u / (1 - n u)``: relative error of n roundings. Source: Higham (2002), Lemma 3.1."""
    amount = operations * UNIT_ROUNDOFF
    return amount / (1 - amount)


def residual_certificate(view: Exact, name: str) -> Certificate:
    """Residual or a-priori certificate of one quantity, for inputs as given.

    Args:
        view: quantities over floats, dense and without subnormal inputs.
        name: one of `RESIDUAL_NAMES`.

    Raises:
        ArithmeticError: gamma times the largest row sum is not below one.
    """
    kind: Kind = "residual"
    if name in ("stationary", "restart_stationary"):
        law = np.asarray(getattr(view, name))
        relative = _gth_relative_error(view, restart=name == "restart_stationary")
        how, kind = "GTH elimination: entrywise relative error by the Markov chain tree theorem", "a-priori"
        errors = relative * (1 + relative) * law * SLACK
        return _around(view, name, law, errors, relative, kind, how)
    error, how = _contraction_error(view, name)
    value = np.asarray(getattr(view, name), dtype=float)
    low = float(np.abs(value).min()) - error
    relative = error / low if low > 0 else (0.0 if error == 0 else np.inf)
    return _around(view, name, value, np.full(value.shape, error), relative, kind, how)


def _around(
    view: Exact, name: str, value: np.ndarray, errors: np.ndarray, relative: float, kind: Kind, how: str
) -> Certificate:
    ends = np.asarray(np.nextafter(value - errors, -np.inf)), np.asarray(np.nextafter(value + errors, np.inf))
    return Certificate(name, float(errors.max()), errors, relative, kind, "given", how, row_defect(view), *ends)


def _contraction_error(view: Exact, name: str) -> tuple[float, str]:
    """Residual over one minus the contraction modulus, every rounding of the residual added.

    The modulus uses the largest row sum of the matrix as it is. The float ``P_pi`` is a sum of A products of
    N + 1 nonnegative factors: its entries have relative error at most ``_gamma(A + N)``.
    """
    S, A = view.pi.shape
    matrix, g = np.asarray(view.P_pi, dtype=float), float(view.gamma)
    formed = _gamma(A + len(view.tables) + S + 8)
    modulus = g * float(matrix.sum(axis=1).max()) * (1 + 2 * formed)
    if not modulus < 1:
        raise ArithmeticError(f"{name}: gamma times the largest row sum is {modulus:.17g}, not below 1")
    if name == "visitation":
        x, right = np.asarray(view.visitation), (1 - g) * view.initial
        residual = right + g * (x @ matrix) - x
        rounding = formed * (np.abs(right) + g * (np.abs(x) @ matrix) + np.abs(x))
        error = float((np.abs(residual) + rounding).sum()) / (1 - modulus)
        return error * SLACK, "1-norm residual of d = (1 - gamma) initial + gamma d P over 1 - gamma max row sum"
    V, earned = np.asarray(view.V), np.abs(view.pi * np.abs(view.r).mean(axis=0)).sum(axis=1)
    residual = view.r_pi + g * (matrix @ V) - V
    rounding = _gamma(A + 2 * len(view.tables) + S + 10) * (earned + g * (matrix @ np.abs(V)) + np.abs(V))
    error = float((np.abs(residual) + rounding).max()) / (1 - modulus) * SLACK
    how = "sup-norm residual of the Bellman equation over 1 - gamma max row sum"
    if name == "J":
        size = float(view.initial @ np.abs(V))
        error = float(view.initial.sum()) * error + _gamma(S + 2) * size
        how = f"J averages V, whose error is bounded by the {how}"
    elif name == "Q":
        reach = float(view.P.sum(axis=2).max())
        size = np.abs(view.r).mean(axis=0) + g * (view.P @ np.abs(V))
        error = g * reach * error + _gamma(S + len(view.tables) + 4) * float(size.max())
        how = f"Q is one backup of V, whose error is bounded by the {how}"
    return error * SLACK, how


def _gth_relative_error(view: Exact, *, restart: bool) -> float:
    """Entrywise relative error of GTH on a float chain, with the formation of the chain itself.

    Let C_k be the computed chain on k states and censor it exactly to k - 1. The computed C_{k-1} differs from
    that entrywise by k + 2 roundings (k - 2 additions in the row sum, a division, a product, a sum), and a law
    moves by a factor ``((1 + e) / (1 - e))^(k - 2)`` when entries move by e (Markov chain tree theorem, see
    `mdp.enclose.view`). Substituting back, entry k is a weighted sum of k - 1 entries with nonnegative weights:
    2 k more roundings. Logarithms of these factors add up, to about ``2 n^3 / 3`` roundings.

    Source: ours, the induction of O'Cinneide (1993), Numerische Mathematik 65, with constants for this order
    of elimination.
    """
    A, factors = view.pi.shape[1], len(view.tables)
    if restart:
        n = len(chain.reachable(np.asarray(view.restart_P_pi), view.initial))
        # 1 - gamma is one rounding of a positive number, so no digits are lost beyond it
        formation = _gamma(A + factors + 4)
    else:
        n, formation = len(view.initial), _gamma(A + factors)
    total = _ratio_log(formation, n - 1)
    for k in range(2, n + 1):
        total += _ratio_log(_gamma(k + 2), k - 2) + _gamma(2 * k)
    return float(np.expm1(total + _gamma(2 * n + 2)) * SLACK)


def _ratio_log(relative: float, power: int) -> float:
    return power * float(np.log1p(relative) - np.log1p(-relative))
