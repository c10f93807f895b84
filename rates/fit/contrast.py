r"""Linear contrasts of means over seeds, with Student intervals.

Every interval of this package is that of a contrast ``sum_h c_h m_h`` of independent means. Its variance is
``V = sum_h c_h^2 v_h`` with ``v_h`` estimated from the seeds of horizon h, and the quotient is compared with Student's
t. The degrees of freedom follow Satterthwaite (1946): ``2 V^2 / sum_h c_h^4 Var(v_h)``, where
``Var(v_h) = v_h^2 (2 / (n_h - 1) + kurtosis / n_h)`` for seeds that need not be normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from rates.fit.data import Moments


@dataclass(frozen=True, eq=False)
class Contrast:
    """An estimated contrast, with any batch axes.

    Attributes:
        value: the estimate.
        error: its standard error.
        degrees: Satterthwaite's degrees of freedom; infinite where the error is zero.
    """

    value: np.ndarray
    error: np.ndarray
    degrees: np.ndarray

    def half_width(self, confidence: float) -> np.ndarray:
        """Half the two-sided interval, in the shape of `value`.

        Args:
            confidence: its level.
        """
        half: np.ndarray = self.error * student_t.ppf((1 + confidence) / 2, self.degrees)
        return half

    @property
    def quotient(self) -> np.ndarray:
        """Estimate over standard error; signed infinity where the error is zero, in the shape of `value`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.value == 0, 0.0, self.value / self.error)

    def excludes_zero(self, level: float) -> np.ndarray:
        """Whether the two-sided test at this level rejects zero, in the shape of `value`.

        Args:
            level: probability of a false alarm.
        """
        outside: np.ndarray = np.abs(self.quotient) > student_t.ppf(1 - level / 2, self.degrees)
        return outside


def contrast(weights: np.ndarray, data: Moments) -> Contrast:
    """Estimate ``weights @ mean``.

    Args:
        weights: shape (..., H), broadcast against the batch axes of `data`.
        data: means, their variances, seeds and kurtosis.

    Source: Satterthwaite (1946), with the variance of a sample variance for any fourth moment.
    """
    value = (weights * data.mean).sum(axis=-1)
    terms = weights**2 * data.variance
    variance = terms.sum(axis=-1)
    spread = 2 / (data.counts - 1) + np.asarray(data.kurtosis)[..., None] / data.counts
    noise = (terms**2 * spread).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = np.where(noise > 0, 2 * variance**2 / noise, np.inf)
    return Contrast(value, np.sqrt(variance), degrees)


def log_excess(data: Moments, floor: float) -> Moments:
    """Moments of ``log(mean - floor)`` to first order; every excess must be positive.

    Args:
        data: moments over seeds.
        floor: known limit.
    """
    excess = data.mean - floor
    return Moments(np.log(excess), data.variance / excess**2, data.counts, data.kurtosis)


def slope_weights(x: np.ndarray) -> np.ndarray:
    """Weights of the least-squares slope over `x`.

    Args:
        x: abscissae, shape (H,).
    """
    centred = x - x.mean()
    weights: np.ndarray = centred / (centred @ centred)
    return weights


def trend_weights(x: np.ndarray) -> np.ndarray:
    """Weights of the second-order coefficient of a quadratic fit: negative where the decay is steepening.

    Args:
        x: abscissae, shape (H,), at least three.
    """
    centred = x - x.mean()
    basis = np.stack([np.ones_like(x), centred, centred**2], axis=1)
    weights: np.ndarray = np.linalg.pinv(basis)[2]
    return weights


def orthogonal(direction: np.ndarray, basis: tuple[np.ndarray, ...], precision: np.ndarray) -> np.ndarray:
    """Weights that see a direction and none of the others: ``precision`` times its part orthogonal to the basis.

    The contrast with these weights has mean zero for every combination of the basis, whatever the coefficients.

    Args:
        direction: shape (..., H).
        basis: vectors of the same shape; Gram-Schmidt runs in this order.
        precision: weights of the inner product, shape (..., H), positive.
    """
    done: list[np.ndarray] = []
    for vector in (*basis, direction):
        rest = vector
        for _ in range(2):  # twice: T^-p is close to constant for small p, and once leaves rounding behind
            for unit in done:
                rest = rest - (precision * unit * rest).sum(axis=-1, keepdims=True) * unit
        done.append(rest / np.sqrt((precision * rest**2).sum(axis=-1, keepdims=True)))
    weights: np.ndarray = precision * done[-1]
    return weights


def smooth_precision(data: Moments, x: np.ndarray) -> np.ndarray:
    """Inverse variances of the means, smoothed: the log variance of a seed is taken as linear in log T.

    Eight seeds give a variance to within a factor of two, and weights that noisy spoil the fit they weigh. The
    smoothed ones cost efficiency where the noise is not a power of T, never validity: intervals use the raw variances.

    Args:
        data: moments over seeds, with any batch axes.
        x: log T, shape (H,).
    """
    tiny = (np.finfo(float).eps * (np.abs(data.mean) + np.finfo(float).tiny)) ** 2
    per_seed = np.log(np.maximum(data.variance, tiny) * data.counts)
    weights = (data.counts - 1) / (data.counts - 1).sum()
    centred = x - weights @ x
    slope = (per_seed * weights * centred).sum(axis=-1) / (weights @ centred**2)
    level = (per_seed * weights).sum(axis=-1)
    fitted = level[..., None] + slope[..., None] * centred
    precision: np.ndarray = data.counts * np.exp(fitted.min(axis=-1, keepdims=True) - fitted)
    return precision
