r"""Fits of ``mean = C T^-p + f`` with an unknown floor, by variable projection over p.

For a given p the model is linear in C and f; projecting them out leaves one statistic, the component of the means
along the derivative in p that neither ``T^-p`` nor a constant explains. Under the model its mean is exactly zero at
the true p, however weakly p is identified, so the p whose statistic is inside Student's quantile form the interval
(a score interval of the profile likelihood). It is unbounded when the data cannot tell floor from slope, where an
interval from second derivatives would look finite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rates.fit.contrast import contrast, orthogonal, smooth_precision
from rates.fit.data import Moments
from rates.fit.outcome import MISFIT_LEVEL
from rates.fit.profile import (
    EXPONENTS,
    best_exponent,
    best_without_floor,
    exponent_interval,
    floor_contrast,
    hull,
    misfit_contrast,
)

REFINEMENTS = 3
"""Zooms of the grid onto a bounded interval; ours: each divides the error of linear interpolation by some 10^3."""


@dataclass(frozen=True, eq=False)
class FloorFit:
    """A joint fit of exponent, coefficient and floor.

    Attributes:
        exponent: p of the least weighted squares.
        low: lower end of its interval; zero if unbounded.
        high: upper end; infinite if unbounded.
        coefficient: C.
        floor: f.
        floor_low: lower end of the interval of f; minus infinity if unbounded.
        floor_high: upper end.
        direction: 1 if C is significantly positive, -1 if significantly negative, 0 if neither, at the fitted p.
        exponent_without_floor: p of the least squares with ``f = 0``.
        condition: condition number of the Jacobian in (C, f, p) at the fit, rows weighted, columns of unit length.
        misfit: whether curvature that no ``C T^-p + f`` has is significant.
    """

    exponent: float
    low: float
    high: float
    coefficient: float
    floor: float
    floor_low: float
    floor_high: float
    direction: int
    exponent_without_floor: float
    condition: float
    misfit: bool

    @property
    def zero_excluded(self) -> bool:
        """Whether ``f = 0`` is outside the interval of the floor."""
        return not self.floor_low <= 0 <= self.floor_high

    def line(self) -> str:
        """What the data say about the floor, in one line."""
        zero = "zero is excluded" if self.zero_excluded else "zero is not excluded"
        return (
            f"floor {self.floor:.4g}, 95 % interval [{self.floor_low:.4g}, {self.floor_high:.4g}] ({zero}; without a "
            f"floor the slope is {-self.exponent_without_floor:.3f}); condition number {self.condition:.3g}"
        )


def fit_floor(x: np.ndarray, data: Moments, confidence: float) -> FloorFit:
    """Fit ``C T^-p + f``.

    Args:
        x: log T, shape (H,), H at least five.
        data: moments over seeds, shape (H,).
        confidence: level of the intervals.
    """
    centred, precision = x - x.mean(), smooth_precision(data, x - x.mean())
    p = float(best_exponent(centred, data, precision))
    low, high = exponent_interval(centred, data, precision, confidence)
    step = p * np.log(EXPONENTS[1] / EXPONENTS[0])
    for _ in range(REFINEMENTS):
        margin = 0.1 * (high - low) + 0.1 * step
        grid = np.linspace(low - margin, high + margin, EXPONENTS.size) if 0 < low <= high < np.inf else EXPONENTS
        if not EXPONENTS[0] <= grid[0] < grid[-1] <= EXPONENTS[-1]:
            break
        zoomed = exponent_interval(centred, data, precision, confidence, grid)
        if not 0 < zoomed[0] <= zoomed[1] < np.inf:
            break
        (low, high), p, step = zoomed, float(best_exponent(centred, data, precision, grid)), grid[1] - grid[0]
    jacobian = np.stack([np.exp(-p * centred), np.ones_like(x), -centred * np.exp(-p * centred)])
    coefficient, floor = _linear(jacobian[:2], data.mean, precision)
    scaled = jacobian * np.sqrt(precision)
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
    floor_low, floor_high = _floor_interval(centred, data, precision, confidence, float(floor))
    decays = contrast(orthogonal(jacobian[0], (jacobian[1],), precision), data)
    without = best_without_floor(np.zeros(1), centred, data, precision)[0]
    return FloorFit(
        exponent=p, low=low, high=high, coefficient=float(coefficient * np.exp(p * x.mean())), floor=float(floor),
        floor_low=floor_low, floor_high=floor_high,
        direction=int(np.sign(decays.value) * decays.excludes_zero(1 - confidence)),
        exponent_without_floor=float(without), condition=float(np.linalg.cond(scaled)),
        misfit=bool(misfit_contrast(np.array(p), centred, data, precision).excludes_zero(MISFIT_LEVEL)),
    )


def _floor_interval(
    x: np.ndarray, data: Moments, precision: np.ndarray, confidence: float, floor: float
) -> tuple[float, float]:
    """Hull of the floors that are not rejected, on the floors that belong to `EXPONENTS` and a fine grid near f."""
    decay = np.exp(-EXPONENTS[:, None] * x)
    coarse = np.array([_linear(np.stack([d, np.ones_like(d)]), data.mean, precision)[1] for d in decay])
    tested = floor_contrast(np.sort(coarse), x, data, precision)
    low, high = hull(np.sort(coarse), tested, confidence, at_start=-np.inf, at_end=np.inf)
    if np.isfinite(low) and np.isfinite(high):
        margin = 0.2 * (high - low)
        fine = np.linspace(low - margin, high + margin, EXPONENTS.size)
        return hull(fine, floor_contrast(fine, x, data, precision), confidence, at_start=-np.inf, at_end=np.inf)
    return low, high


def _linear(basis: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    root = np.sqrt(precision)
    solution: np.ndarray = np.linalg.lstsq((basis * root).T, mean * root, rcond=None)[0]
    return solution
