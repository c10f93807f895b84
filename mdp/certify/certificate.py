"""What a certificate says, and how it is read off balls."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from flint import arb, ctx

from mdp.enclose.arithmetic import distances, lower_float, upper_float
from mdp.validate import require_shape

if TYPE_CHECKING:
    from mdp.exact import Exact

Inputs = Literal["given", "rounded"]
Method = Literal["enclosure", "residual"]
Kind = Literal["exact", "enclosure", "residual", "a-priori"]


@dataclass(frozen=True, eq=False)
class Certificate:
    """A proved bound on the error of one float quantity.

    Attributes:
        name: the quantity, by its name in `mdp.exact.Exact` or `mdp.certify.FORMULAS`.
        value_error: largest ``|float - exact|`` over the entries.
        entry_error: the bound entry by entry (broadcastable to the quantity).
        relative_error: largest ``|float - exact| / |exact|``; infinite when an exact value may be zero.
        kind: ``"exact"`` (rational view: zero), ``"enclosure"``, ``"residual"`` or ``"a-priori"``.
        inputs: ``"given"`` or ``"rounded"``: which exact problem (see `mdp.certify`).
        how: the argument in one sentence.
        row_defect: largest ``|row sum - 1|`` of P, the policy tables and the initial law, as given.
        low: floats at or below the exact entries.
        high: floats at or above the exact entries: the safe form of a constant that bounds something.
    """

    name: str
    value_error: float
    entry_error: np.ndarray
    relative_error: float
    kind: Kind
    inputs: Inputs
    how: str
    row_defect: float
    low: np.ndarray
    high: np.ndarray


def from_balls(
    name: str, values: Any, enclosed: np.ndarray, precision: int, inputs: Inputs, how: str, row_defect: float
) -> Certificate:
    """Certificate of floats by their distance to balls around the exact numbers.

    Args:
        name: what the quantity is called.
        values: the floats.
        enclosed: balls, of the same shape.
        precision: bits at which the balls were computed.
        inputs: which exact problem.
        how: the argument.
        row_defect: see `Certificate`.

    Raises:
        ValueError: values of another shape.
    """
    given = np.asarray(values, dtype=float)
    require_shape(name, given, enclosed.shape, "the shape of the enclosure")
    errors = distances(enclosed, given, precision)
    relative = 0.0
    low, high = np.empty(enclosed.shape), np.empty(enclosed.shape)
    with ctx.workprec(precision):
        for index, ball in np.ndenumerate(enclosed):
            low[index], high[index] = lower_float(ball), upper_float(ball)
            if errors[index] > 0:
                bottom = ball.abs_lower()
                ratio = upper_float(arb(float(errors[index])) / bottom) if bottom > 0 else np.inf
                relative = max(relative, ratio)
    how = f"{how} at {precision} bits, distance to the float result"
    worst = float(errors.max()) if errors.size else 0.0
    return Certificate(name, worst, errors, relative, "enclosure", inputs, how, row_defect, low, high)


def row_defect(view: Exact) -> float:
    """Largest ``|row sum - 1|`` among the rows of P, the tables and the initial law, rounded up.

    Args:
        view: quantities over floats.
    """
    worst = 0.0
    for table in (view.P, view.initial, *view.tables):
        for row in np.asarray(table).reshape(-1, np.shape(table)[-1]).tolist():
            worst = max(worst, abs(fsum([*row, -1.0])))  # fsum rounds the exact sum once
    return float(np.nextafter(worst, np.inf)) if worst else 0.0
