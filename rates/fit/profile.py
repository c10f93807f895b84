r"""Statistics that test a value of p, or of the floor, in ``mean = C T^-p + f``, and the intervals they invert to.

Each is the component of the means along one derivative of the model that the other parameters do not explain, so it
has mean zero under the tested value and Student's law up to the noise of the variances. See `rates.fit.floor`.
"""

from __future__ import annotations

import numpy as np

from rates.fit.contrast import Contrast, contrast, orthogonal
from rates.fit.data import Moments

EXPONENTS = np.geomspace(0.02, 4.0, 240)
"""Candidates for p; ours. At 0.02 the decay over six decades is logarithmic to within 4 %, at 4 only the first horizon
stands out from the floor. An interval that reaches an end is reported as unbounded there."""

DERIVATIVE_STEP = 1e-4
"""Relative step of a central difference in p; ours: its error and its rounding are both near 1e-8."""


def exponent_contrast(p: np.ndarray, x: np.ndarray, data: Moments, precision: np.ndarray) -> Contrast:
    """The statistic that has mean zero at the true exponent; positive where the data decay more slowly than p.

    Args:
        p: candidates, shape (...), broadcast against the batch axes.
        x: centred log T, shape (H,).
        data: moments over seeds.
        precision: weights of the fit, shape (..., H).
    """
    decay = np.exp(-p[..., None] * x)
    return contrast(orthogonal(x * decay, (np.ones_like(decay), decay), precision), data)


def exponent_error(
    p: np.ndarray, x: np.ndarray, data: Moments, precision: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Standard error of the fitted exponent, from the slope of its statistic there, and its degrees of freedom.

    Args:
        p: fitted exponents, shape (...).
        x: centred log T, shape (H,).
        data: moments over seeds, shape (..., H).
        precision: weights of the fits, shape (..., H).
    """
    here = exponent_contrast(p, x, data, precision)
    above = exponent_contrast(p * (1 + DERIVATIVE_STEP), x, data, precision)
    below = exponent_contrast(p * (1 - DERIVATIVE_STEP), x, data, precision)
    gradient = np.abs(above.value - below.value) / (2 * DERIVATIVE_STEP * p)
    with np.errstate(divide="ignore"):
        return here.error / gradient, here.degrees


def misfit_contrast(p: np.ndarray, x: np.ndarray, data: Moments, precision: np.ndarray) -> Contrast:
    """Curvature along ``T^-p log^2 T`` beyond what C, f and p can follow, near enough insensitive to an error of p.

    Args:
        p: fitted exponent, shape (...).
        x: centred log T, shape (H,).
        data: moments over seeds.
        precision: weights of the fit, shape (..., H).
    """
    decay = np.exp(-p[..., None] * x)
    return contrast(orthogonal(x**2 * decay, (np.ones_like(decay), decay, x * decay), precision), data)


def floor_contrast(floor: np.ndarray, x: np.ndarray, data: Moments, precision: np.ndarray) -> Contrast:
    """The statistic that has mean zero, to first order in the error of p, at the true floor.

    Args:
        floor: candidates, shape (F,), with one data set; or shape (1,), with a batch.
        x: centred log T, shape (H,).
        data: moments over seeds, shape (H,) or (R, H).
        precision: weights of the fit, shape (H,) or (R, H).
    """
    p = best_without_floor(floor, x, data, precision)
    decay = np.exp(-p[:, None] * x)
    shifted = Moments(data.mean - floor[:, None], data.variance, data.counts, data.kurtosis)
    return contrast(orthogonal(np.ones_like(decay), (decay, x * decay), precision), shifted)


def best_exponent(
    x: np.ndarray, data: Moments, precision: np.ndarray, grid: np.ndarray = EXPONENTS
) -> np.ndarray:
    """Exponent of the least weighted squares on a grid, moved to the zero of the statistic next to it.

    Args:
        x: centred log T, shape (H,).
        data: moments over seeds, shape (..., H).
        precision: weights of the fit, shape (..., H).
        grid: increasing candidates, shape (G,).
    """
    decay = np.exp(-grid[:, None] * x)
    mean, weight = data.mean[..., None, :], precision[..., None, :]
    explained = (orthogonal(decay, (np.ones_like(decay),), weight) * mean).sum(axis=-1) ** 2
    k = explained.argmax(axis=-1)
    near = grid[np.clip(np.stack([k - 1, k, k + 1], axis=-1), 0, grid.size - 1)]
    score = exponent_contrast(near, x, _spread(data), weight).value
    left = np.where(score[..., 0] * score[..., 1] <= 0, 0, 1)[..., None]
    a, b = np.take_along_axis(near, left, -1)[..., 0], np.take_along_axis(near, left + 1, -1)[..., 0]
    at_a, at_b = np.take_along_axis(score, left, -1)[..., 0], np.take_along_axis(score, left + 1, -1)[..., 0]
    crosses = at_a * at_b < 0
    step = np.where(crosses, at_a / np.where(crosses, at_a - at_b, 1.0), 0.0)
    best: np.ndarray = np.where(crosses, a + step * (b - a), near[..., 1])
    return best


def exponent_interval(
    x: np.ndarray, data: Moments, precision: np.ndarray, confidence: float, grid: np.ndarray = EXPONENTS
) -> tuple[float, float]:
    """Hull of the exponents that are not rejected; zero or infinity where it reaches an end of `EXPONENTS`.

    Args:
        x: centred log T, shape (H,).
        data: moments over seeds, shape (H,).
        precision: weights of the fit, shape (H,).
        confidence: level of the interval.
        grid: increasing candidates, shape (G,).
    """
    tested = exponent_contrast(grid, x, data, precision)
    return hull(grid, tested, confidence, at_start=0.0, at_end=np.inf)


def batch_intervals(
    x: np.ndarray, data: Moments, precision: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """`exponent_interval` of many data sets, on the coarse grid.

    Args:
        x: centred log T, shape (H,).
        data: moments over seeds, shape (R, H).
        precision: weights of the fits, shape (R, H).
        confidence: level of the intervals.
    """
    tested = exponent_contrast(EXPONENTS, x, _spread(data), precision[:, None, :])
    rows = [Contrast(*row) for row in zip(tested.value, tested.error, tested.degrees, strict=True)]
    ends = np.array([hull(EXPONENTS, row, confidence, at_start=0.0, at_end=np.inf) for row in rows])
    return ends[:, 0], ends[:, 1]


def hull(
    grid: np.ndarray, tested: Contrast, confidence: float, at_start: float, at_end: float
) -> tuple[float, float]:
    """First and last point where the quotient enters and leaves Student's quantile, interpolated linearly.

    Args:
        grid: increasing candidates, shape (G,).
        tested: their statistics.
        confidence: level of the interval.
        at_start: returned for the lower end if the first candidate is not rejected.
        at_end: the same at the other end.
    """
    quotient, limit = tested.quotient, tested.half_width(confidence) / np.where(tested.error > 0, tested.error, 1.0)
    inside = np.abs(quotient) <= limit
    # an interval narrower than a step shows as a change of sign only
    crossed = (quotient[:-1] * quotient[1:] < 0) | inside[:-1] | inside[1:]
    steps = np.flatnonzero(crossed)
    if steps.size == 0:  # no candidate and no change of sign: the least squares are at an end of the grid
        return at_start, at_end
    return (
        at_start if inside[0] else _entry(grid, quotient, limit, steps[0], 1),
        at_end if inside[-1] else _entry(grid, quotient, limit, steps[-1] + 1, -1),
    )


def _entry(grid: np.ndarray, quotient: np.ndarray, limit: np.ndarray, outer: int, step: int) -> float:
    sign = np.sign(quotient[outer])
    if not np.isfinite(quotient[outer]):  # no noise at all: the crossing of zero is somewhere in this step
        return float(grid[outer])
    a, b = (sign * quotient[k] - limit[k] for k in (outer, outer + step))
    return float(grid[outer] + (grid[outer + step] - grid[outer]) * a / (a - b))


def best_without_floor(floor: np.ndarray, x: np.ndarray, data: Moments, precision: np.ndarray) -> np.ndarray:
    """Exponent of the least squares of ``C T^-p`` against ``mean - floor`` for every floor, by a parabola in log p.

    Args:
        floor: candidates, as for `floor_contrast`, shape (F,) or (1,).
        x: centred log T, shape (H,).
        data: moments over seeds.
        precision: weights of the fit, shape (H,) or (R, H).
    """
    decay = np.exp(-EXPONENTS[:, None] * x)
    explained = ((data.mean - floor[:, None]) * precision @ decay.T) ** 2 / (precision @ (decay**2).T)
    k = np.clip(explained.argmax(axis=-1), 1, EXPONENTS.size - 2)
    left, middle, right = (np.take_along_axis(explained, (k + i)[:, None], -1)[:, 0] for i in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(bend < 0, (left - right) / (2 * np.where(bend < 0, bend, -1.0)), 0.0)
    best: np.ndarray = EXPONENTS[k] * (EXPONENTS[1] / EXPONENTS[0]) ** np.clip(shift, -1, 1)
    return best


def _spread(data: Moments) -> Moments:
    return Moments(data.mean[..., None, :], data.variance[..., None, :], data.counts, data.kurtosis[..., None])
