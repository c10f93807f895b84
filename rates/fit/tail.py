"""Slope of the tail above a known floor: estimate, interval, trend and bootstrap error, for one data set or a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm as normal
from scipy.stats import t as student_t

from rates.fit.contrast import Contrast, contrast, log_excess, slope_weights, trend_weights
from rates.fit.data import Moments
from rates.fit.outcome import POWER, RESAMPLES, SIGNAL_TO_NOISE


@dataclass(frozen=True, eq=False)
class TailFit:
    """Slope of the log excess over the tail.

    Attributes:
        slope: least-squares slope, its error and degrees of freedom.
        low: lower end of the interval.
        high: upper end.
        trend: second-order coefficient of the log excess in log T.
        steepening: whether the trend is negative at the same level, one-sided.
    """

    slope: Contrast
    low: np.ndarray
    high: np.ndarray
    trend: Contrast
    steepening: np.ndarray


def default_tail(n_horizons: int) -> int:
    """Index of the first horizon of the upper half, which has at least three.

    Args:
        n_horizons: H, at least three.
    """
    return min(n_horizons // 2, n_horizons - 3)


def fit_tail(x: np.ndarray, tail: Moments, floor: float, confidence: float) -> TailFit:
    """Slope of ``log(mean - floor)`` over all given horizons.

    The interval is that of a contrast of independent log means (`rates.fit.contrast`). The bias of a log mean,
    ``-v / 2``, is left in: it cancels where the relative noise is the same at both ends, and elsewhere it is of the
    order of the square of the error.

    Args:
        x: log T of the tail, shape (H,).
        tail: moments over seeds of the tail; every excess positive.
        floor: known limit.
        confidence: level of the interval.
    """
    logs = log_excess(tail, floor)
    slope, trend = contrast(slope_weights(x), logs), contrast(trend_weights(x), logs)
    half = slope.half_width(confidence)
    steepening = trend.value + trend.half_width(confidence) < 0
    return TailFit(slope, slope.value - half, slope.value + half, trend, steepening)


def below_floor(tail: Moments, floor: float, confidence: float) -> np.ndarray:
    """Whether all means lie significantly below the floor, one value per data set.

    Args:
        tail: moments over seeds of the tail.
        floor: known limit.
        confidence: level of the (two-sided) interval of each mean.
    """
    quantile = student_t.ppf((1 + confidence) / 2, tail.counts - 1)
    below: np.ndarray = (tail.mean - floor + quantile * np.sqrt(tail.variance) <= 0).all(axis=-1)
    return below


def without_signal(data: Moments, tail: int, floor: float) -> np.ndarray:
    """Whether an excess is not positive, or one of the tail is inside the noise, one value per data set.

    Args:
        data: moments over seeds of all horizons.
        tail: index of the first horizon of the tail.
        floor: known limit.
    """
    excess, error = data.mean - floor, np.sqrt(data.variance)
    noisy: np.ndarray = (excess[..., tail:] <= SIGNAL_TO_NOISE * error[..., tail:]).any(axis=-1)
    return noisy | (excess <= 0).any(axis=-1)


def bootstrap_error(
    values: np.ndarray, counts: np.ndarray, x: np.ndarray, floor: float, rng: np.random.Generator
) -> np.ndarray:
    """Standard error of the tail slope from resampled seeds, horizon by horizon.

    Deviations of the resampled means are stretched by ``sqrt(n / (n - 1))``, since resampling n seeds reproduces the
    variance with denominator n. The error is half the central 95 % range over 1.96: a few resampled means that
    touch the floor would spoil a standard deviation of logarithms.

    Args:
        values: shape (..., H, S), rows valid up to their counts.
        counts: seeds of each horizon, shape (H,).
        x: log T, shape (H,).
        floor: known limit.
        rng: of the resamples; every data set of a batch sees the same ones.

    Source: Efron and Tibshirani (1993), chapter 6; the stretch as in Davison and Hinkley (1997), Sec. 2.3.
    """
    slopes = np.zeros((*values.shape[:-2], RESAMPLES))
    for h, weight in enumerate(slope_weights(x)):
        n = int(counts[h])
        resampled = resampled_means(values[..., h, :n], rng) - floor
        slopes += weight * np.log(np.maximum(resampled, np.finfo(float).tiny))
    low, high = np.quantile(slopes, [0.025, 0.975], axis=-1)
    error: np.ndarray = (high - low) / (2 * normal.ppf(0.975))
    return error


def resampled_means(seeds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means of seeds drawn with replacement, with deviations stretched by ``sqrt(n / (n - 1))``.

    Args:
        seeds: shape (..., n), at least two.
        rng: of the draws; every data set of a batch sees the same ones.

    Returns:
        Shape (..., RESAMPLES).
    """
    n = seeds.shape[-1]
    picks = rng.integers(0, n, size=(RESAMPLES, n)) + n * np.arange(RESAMPLES)[:, None]
    times = np.bincount(picks.ravel(), minlength=RESAMPLES * n).reshape(RESAMPLES, n)
    mean = seeds.mean(axis=-1, keepdims=True)
    means: np.ndarray = mean + (seeds - mean) @ times.T / np.sqrt(n * (n - 1))
    return means


def detectable_difference(error: np.ndarray, degrees: np.ndarray, confidence: float) -> np.ndarray:
    """Smallest excess of a claimed exponent over the true one that is refused with probability `POWER`, one per error.

    The claim is refused when the interval excludes it: ``slope - t error > -claimed``. With a slope that is normal
    about the truth this happens with probability 0.9 at a difference of ``(t(level) + t(0.9)) error``.

    Args:
        error: standard error of the slope, any shape.
        degrees: degrees of freedom of the interval, of the same shape.
        confidence: its level.
    """
    both = student_t.ppf((1 + confidence) / 2, degrees) + student_t.ppf(POWER, degrees)
    difference: np.ndarray = error * both
    return difference
