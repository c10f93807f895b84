"""Lines of a proof beside their bounds: what `algorithms.neural.decomposition` returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

TIGHT = 0.5
"""Share of its bound from which a line counts as tight; ours."""

ROUNDING = 1e-9
"""Relative excess that counts as rounding; ours."""


@dataclass(frozen=True)
class Line:
    """One line of the proof: a quantity and what the paper bounds it by.

    Attributes:
        equation: number in zhang2025 Appendix C.
        quantity: in words.
        value: exact given the critics.
        bound: right-hand side.
        order: whether the bound's constant is hidden in an O(...), and one is taken for it.
    """

    equation: str
    quantity: str
    value: float
    bound: float
    order: bool = False

    @property
    def outcome(self) -> str:
        """``wrong``, ``tight`` or ``loose``; ``above`` if only an order, with constant one, is exceeded."""
        if self.value > self.bound * (1 + ROUNDING) + ROUNDING**2:
            return "above" if self.order else "wrong"
        return "tight" if self.value >= TIGHT * self.bound else "loose"


@dataclass(frozen=True, eq=False)
class Decomposition:
    """The lines of the proof in one outer iteration.

    Attributes:
        t: number of the outer iteration, from 1.
        lines: in the paper's order.
        direction_error: ``E ||d_t - grad J(theta_t)||^2``, what it is all about.
        expected_alignment: cosine of ``E d_t`` with grad J; NaN if either is zero.
    """

    t: int
    lines: tuple[Line, ...]
    direction_error: float
    expected_alignment: float

    def table(self) -> str:
        """A line per step: equation, value, bound, outcome, quantity."""
        head = f"t = {self.t}: E||d - grad J||^2 = {self.direction_error:.6g}, cosine {self.expected_alignment:.4f}"
        rows = [
            f"{s.equation:>8}  {s.value:12.6g}  {'O' if s.order else ' '}{s.bound:12.6g}  {s.outcome:<6} {s.quantity}"
            for s in self.lines
        ]
        return "\n".join([head, f"{'equation':>8}  {'value':>12}   {'bound':>12}  {'is':<6} quantity", *rows])


def dataset(decompositions: Sequence[Decomposition]) -> xr.Dataset:
    """The same as labelled arrays over ``t`` and ``line``.

    Args:
        decompositions: of one run, at least one.

    Raises:
        ValueError: no decompositions.
    """
    if not decompositions:
        raise ValueError("decompositions is empty; a table needs at least one")
    lines = decompositions[0].lines
    data: dict[str, Any] = {
        name: (("t", "line"), [[getattr(s, name) for s in d.lines] for d in decompositions])
        for name in ("value", "bound", "outcome")
    }
    data["direction_error"] = ("t", [d.direction_error for d in decompositions])
    data["expected_alignment"] = ("t", [d.expected_alignment for d in decompositions])
    coordinates = {
        "t": [d.t for d in decompositions],
        "equation": ("line", [s.equation for s in lines]),
        "quantity": ("line", [s.quantity for s in lines]),
    }
    return xr.Dataset(data, coords=coordinates)
