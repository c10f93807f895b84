"""Error certificates: how far a float result can be from the exact quantity, rounding of the bound included.

Which exact quantity? The inputs of an `Exact` view are floats, that is, dyadic rationals, and rows of a float
kernel add up to one only up to rounding (`Certificate.row_defect` says how far off they are). Two readings:

``"given"``
    The inputs are what they are. ``P_pi = sum_a pi P`` is not renormalised; V, Q, grad J, visitation and the
    least-squares solutions solve their systems with that matrix; the stationary laws are those of the chain
    with its off-diagonal entries (the diagonal makes rows sum to one), which is what GTH elimination reads.
``"rounded"``
    Every input is some real number rounded once to nearest, rows of the unrounded kernel and laws add up to
    one exactly, zeros are zeros. The bound covers every problem with these roundings: that is what a float
    view of a rational problem needs to be compared with the rational twin.

Two methods. ``"enclosure"`` evaluates the quantity in ball arithmetic (`mdp.enclose`) and measures the distance:
tight, and O(S^3) operations of some 128 bits. ``"residual"`` needs a few float matrix-vector products: it is
for quantities that a contraction or the subtraction-free GTH elimination controls, at sizes where ball
arithmetic is slow. It assumes that no float operation underflowed.

The file is long because the two methods answer the same question and are read side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import fsum
from typing import Any, Literal

import numpy as np
from flint import arb, ctx
from jaxtyping import Float

from mdp import chain
from mdp.enclose import ENCLOSED, BallView, balls, enclose, upper_float
from mdp.exact import Exact, exact
from mdp.linear import is_exact
from mdp.problem import Problem

Inputs = Literal["given", "rounded"]
Method = Literal["enclosure", "residual"]
Kind = Literal["exact", "enclosure", "residual", "a-priori"]

UNIT_ROUNDOFF = 2.0**-53
"""Relative error of one correctly rounded float64 operation. Source: Higham (2002), Sec. 2.2."""

SMALLEST_NORMAL = 2.0**-1022
"""Below it rounding is absolute, not relative, and every bound here would be wrong. Source: IEEE 754."""

PRECISIONS = (128, 256, 512, 1024, 2048)
"""Working precisions tried in turn, in bits; ours: 128 serves ordinary problems, 1024 condition 1e250."""

TARGET_BITS = 70
"""An enclosure is narrow enough at this many relative bits: invisible beside float64's 53. Ours."""

RESIDUAL_NAMES = ("stationary", "restart_stationary", "visitation", "V", "Q", "J")
"""Quantities with a residual or a-priori certificate."""

SLACK = 1.0 + 2.0**-20
"""Covers the rounding of a residual bound itself: a few thousand float operations on nonnegative numbers."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """A proved bound on the error of one float quantity.

    Attributes:
        name: the quantity, by its name in `mdp.exact.Exact`.
        value_error: largest ``|float - exact|`` over the entries.
        entry_error: the bound entry by entry (broadcastable to the quantity).
        relative_error: largest ``|float - exact| / |exact|``; infinite when an exact value may be zero.
        kind: ``"exact"`` (rational view: zero), ``"enclosure"``, ``"residual"`` or ``"a-priori"``.
        inputs: ``"given"`` or ``"rounded"``: which exact problem (module docstring).
        how: the argument in one sentence.
        row_defect: largest ``|row sum - 1|`` of P, the policy tables and the initial law, as given.
    """

    name: str
    value_error: float
    entry_error: np.ndarray
    relative_error: float
    kind: Kind
    inputs: Inputs
    how: str
    row_defect: float


def certificate(
    view: Exact, name: str, *, inputs: Inputs = "given", method: Method = "enclosure"
) -> Certificate:
    """Error certificate of one quantity of a view.

    Args:
        view: quantities over floats (over rationals every error is zero).
        name: one of `mdp.enclose.ENCLOSED` or ``"grad_J_by_solve"``; for ``"residual"``, one of `RESIDUAL_NAMES`.
        inputs: ``"given"`` or ``"rounded"``.
        method: ``"enclosure"`` or ``"residual"`` (which has ``inputs="given"`` only).

    Returns:
        The bound, rounded up.

    Raises:
        ValueError: unknown name, method or inputs; a residual bound asked for where there is none; sparse
            tables; subnormal inputs where relative rounding matters (``"rounded"`` and ``"residual"``).
        ArithmeticError: a linear system too ill-conditioned to certify with these inputs.
        mdp.chain.ReducibleChainError, mdp.chain.PeriodicChainError: as the quantity itself.
    """
    if inputs not in ("given", "rounded"):
        raise ValueError(f"inputs is {inputs!r}, not 'given' or 'rounded'")
    if method not in ("enclosure", "residual"):
        raise ValueError(f"method is {method!r}, not 'enclosure' or 'residual'")
    allowed = (*ENCLOSED, "grad_J_by_solve") if method == "enclosure" else RESIDUAL_NAMES
    if name not in allowed:
        raise ValueError(f"no {method} certificate of {name!r}; there is one of {', '.join(allowed)}")
    if is_exact(view.P):
        shape = np.shape(getattr(view, name))
        return Certificate(name, 0.0, np.zeros(shape), 0.0, "exact", inputs, "rational arithmetic", 0.0)
    if method == "enclosure":
        return certificates(view, (name,), inputs=inputs)[name]
    _require_dense(view)
    _require_normal(view)
    if inputs == "rounded":
        raise ValueError("residual certificates are for inputs='given'; use method='enclosure'")
    return _residual_certificate(view, name)


def certificates(
    view: Exact, names: Sequence[str] = ENCLOSED, *, inputs: Inputs = "given"
) -> dict[str, Certificate]:
    """Enclosure certificates of several quantities of a float view, sharing the ball arithmetic.

    Args:
        view: quantities over floats.
        names: quantities, as in `certificate`.
        inputs: ``"given"`` or ``"rounded"``.

    Raises:
        ValueError, ArithmeticError: as in `certificate`.
    """
    if inputs not in ("given", "rounded"):
        raise ValueError(f"inputs is {inputs!r}, not 'given' or 'rounded'")
    _require_dense(view)
    if inputs == "rounded":
        _require_normal(view)
    exactly = lru_cache(lambda bits: _twin(view, bits, 0.0, None))
    widened = lru_cache(lambda bits: _twin(view, bits, UNIT_ROUNDOFF, exactly(bits)))
    found = {}
    for name in names:
        enclosed = _narrow(exactly, name)
        if inputs == "rounded":
            enclosed = widened(enclosed.precision)
        found[name] = _from_balls(enclosed, view, name, inputs, "ball arithmetic on the tables")
    return found


def certificate_from_theta(problem: Problem, theta: Float[np.ndarray, "N D"], name: str) -> Certificate:
    """Error certificate that counts the softmax too: the exact quantity is that of the float theta itself.

    Args:
        problem: a problem with a log-linear policy.
        theta: parameters, (N, H + G).
        name: as in `certificate`.

    Raises:
        TypeError: another policy class.
        ValueError, ArithmeticError: as in `certificate`.
    """
    view = exact(problem, theta)
    _require_dense(view)
    return _from_balls(
        _narrow(lambda bits: enclose(problem, theta, precision=bits), name),
        view, name, "given", "ball arithmetic from theta, softmax included",
    )  # fmt: skip


def _twin(view: Exact, bits: int, spread: float, center: BallView | None) -> BallView:
    def lift(table: Any) -> np.ndarray:
        return balls(np.asarray(table, dtype=float), bits, spread)

    return BallView(
        P=lift(view.P), r=lift(view.r), initial=lift(view.initial), gamma=lift(view.gamma)[()],
        tables=tuple(lift(t) for t in view.tables), scores=tuple(lift(s) for s in view.scores),
        phi_state=lift(view.phi_state), phi_joint=lift(view.phi_joint),
        precision=bits, spread=spread, center=center,
    )  # fmt: skip


def _narrow(build: Any, name: str) -> BallView:
    """The view at the first precision whose balls have `TARGET_BITS` relative bits, entry by entry."""
    failure: ArithmeticError | None = None
    for bits in PRECISIONS:
        view: BallView = build(bits)
        try:
            value = view.value(name).ravel()
        except ArithmeticError as error:
            failure = error
            continue
        # a sum that cancels to zero has no relative accuracy: half the digits of it are as good as zero. The
        # probabilities of a stationary law are positive, however small
        zero = 0.0 if name in ("stationary", "restart_stationary") else 2.0 ** (-bits / 2)
        if all(x.rel_accuracy_bits() > TARGET_BITS or upper_float(abs(x)) <= zero for x in value):
            return view
    if failure is not None:
        raise ArithmeticError(f"{name} has no certificate: {failure}") from failure
    return view


def _from_balls(enclosed: BallView, view: Exact, name: str, inputs: Inputs, how: str) -> Certificate:
    errors = enclosed.distance(name, getattr(view, name))
    relative = 0.0
    with ctx.workprec(enclosed.precision):
        for error, ball in zip(errors.ravel(), enclosed.value(name).ravel(), strict=True):
            if error > 0:
                low = ball.abs_lower()
                relative = max(relative, upper_float(arb(float(error)) / low) if low > 0 else np.inf)
    how = f"{how} at {enclosed.precision} bits, distance to the float result"
    return Certificate(name, float(errors.max()), errors, relative, "enclosure", inputs, how, _row_defect(view))


# --- residual and a-priori bounds ---------------------------------------------------------------------
def _gamma(operations: int) -> float:
    """``n u / (1 - n u)``: relative error of n roundings. Source: Higham (2002), Lemma 3.1."""
    amount = operations * UNIT_ROUNDOFF
    return amount / (1 - amount)


def _residual_certificate(view: Exact, name: str) -> Certificate:
    kind: Kind = "residual"
    if name in ("stationary", "restart_stationary"):
        law = np.asarray(getattr(view, name))
        relative = _gth_relative_error(view, restart=name == "restart_stationary")
        how, kind = "GTH elimination: entrywise relative error by the Markov chain tree theorem", "a-priori"
        errors = relative * (1 + relative) * law * SLACK
        return Certificate(
            name, float(errors.max()), errors, relative, kind, "given", how, _row_defect(view)
        )
    error, how = _contraction_error(view, name)
    value = np.asarray(getattr(view, name), dtype=float)
    low = float(np.abs(value).min()) - error
    relative = error / low if low > 0 else (0.0 if error == 0 else np.inf)
    return Certificate(
        name, error, np.full(value.shape, error), relative, kind, "given", how, _row_defect(view)
    )


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
    `mdp.enclose`). Substituting back, entry k is a weighted sum of k - 1 entries with nonnegative weights:
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


def _inputs(view: Exact) -> list[tuple[str, Any]]:
    named = [(name, getattr(view, name)) for name in ("P", "r", "initial", "phi_state", "phi_joint")]
    for name in ("tables", "scores"):
        named += [(f"{name}[{i}]", table) for i, table in enumerate(getattr(view, name))]
    return named


def _require_dense(view: Exact) -> None:
    for name, table in _inputs(view):
        if not isinstance(table, np.ndarray):
            raise ValueError(f"{name} is a {type(table).__name__}; certificates take dense arrays")


def _require_normal(view: Exact) -> None:
    for name, table in _inputs(view):
        small = np.argwhere((table != 0) & (np.abs(table) < SMALLEST_NORMAL))
        if small.size:
            where = ", ".join(str(int(k)) for k in small[0])
            raise ValueError(f"{name}[{where}] is {table[tuple(small[0])]:g}, below the smallest normal number")


def _row_defect(view: Exact) -> float:
    """Largest ``|row sum - 1|`` among the rows of P, the tables and the initial law, rounded up."""
    worst = 0.0
    for table in (view.P, view.initial, *view.tables):
        for row in np.asarray(table).reshape(-1, np.shape(table)[-1]).tolist():
            worst = max(worst, abs(fsum([*row, -1.0])))  # fsum rounds the exact sum once
    return float(np.nextafter(worst, np.inf)) if worst else 0.0
