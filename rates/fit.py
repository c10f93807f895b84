"""Floor-aware, one-sided rate fits.

A bound ``C T^-p + floor`` is not a straight line in log-log coordinates, and an *upper* bound is met by
anything at least as fast. So: subtract the known floor, fit the slope of what is above it, bootstrap over
seeds, and ask only whether the tail is significantly slower than claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import xarray as xr
from scipy.stats import norm as normal
from scipy.stats import t as student_t

from rates.sweep import require_horizons

SIGNAL_TO_NOISE = 3.0
"""Excess over the floor, in standard errors, below which a horizon carries no slope; ours, the usual three."""

RESOLUTION = 0.1
"""Difference of exponents that a verdict must resolve; ours. An interval with a larger half-width decides nothing,
and data slower than claimed by less than this may still be on their way to the claim."""

RESAMPLES = 2000
"""Bootstrap resamples; ours: the Monte Carlo error of a 95 % end point is then well below the interval."""


class RateOutcome(Enum):
    """What a fit says about ``excess = O(T^-p)``; the value explains it."""

    CONSISTENT = "the tail is not significantly slower than claimed, and the interval resolves 0.1"
    BELOW_FLOOR = "the tail lies below the floor: the bound holds with no T-term at all"
    REFUTED = "over these horizons the tail is slower than claimed by more than 0.1, and is not steepening"
    SLOWER = "slower than claimed by less than 0.1, which a slow correction term can cause; larger T would decide"
    STEEPENING = "slower than claimed so far, but local slopes are still steepening; larger T would decide"
    NO_SIGNAL = "the excess over the floor is inside the noise; more seeds would decide"
    UNDERPOWERED = "the slope interval is too wide to tell exponents 0.1 apart; more seeds or horizons would decide"

    @property
    def upholds(self) -> bool:
        """Whether the claimed bound stands on these data."""
        return self in (RateOutcome.CONSISTENT, RateOutcome.BELOW_FLOOR)


@dataclass(frozen=True, eq=False)
class RateFit:
    """Result of `fit_rate`.

    Attributes:
        metric: name of the variable.
        claimed: p of the claim ``O(T^-p)``, positive.
        floor: what was subtracted.
        horizons: T, shape (H,).
        mean: mean over seeds, shape (H,).
        standard_error: its standard error, shape (H,).
        slope: log-log slope of the excess over the tail.
        low: lower end of the bootstrap interval of `slope`.
        high: upper end.
        overall_slope: slope over all horizons.
        local_slopes: slopes between neighbouring horizons, shape (H - 1,).
        tail: index of the first horizon of the tail.
        outcome: the one-sided verdict.
    """

    metric: str
    claimed: float
    floor: float
    horizons: np.ndarray
    mean: np.ndarray
    standard_error: np.ndarray
    slope: float
    low: float
    high: float
    overall_slope: float
    local_slopes: np.ndarray
    tail: int
    outcome: RateOutcome

    @property
    def excess(self) -> np.ndarray:
        """``mean - floor``, shape (H,)."""
        return self.mean - self.floor

    def table(self) -> str:
        """The fit as plain text: one line per horizon, then the slopes and the outcome."""
        lines = [f"{self.metric}: claimed O(T^-{self.claimed:g}) above a floor of {self.floor:.6g}"]
        lines.append(f"{'T':>12} {'mean':>12} {'s.e.':>10} {'excess':>12} {'local slope':>12}")
        for k, T in enumerate(self.horizons):
            local = f"{self.local_slopes[k - 1]:12.3f}" if k else " " * 12
            lines.append(
                f"{T:12d} {self.mean[k]:12.5g} {self.standard_error[k]:10.2g} {self.excess[k]:12.5g} {local}"
            )
        lines.append(
            f"tail slope (T >= {self.horizons[self.tail]}): {self.slope:.3f}, "
            f"95 % interval [{self.low:.3f}, {self.high:.3f}]; over all T: {self.overall_slope:.3f}"
        )
        lines.append(f"{self.outcome.name}: {self.outcome.value}")
        return "\n".join(lines)


def fit_rate(
    dataset: xr.Dataset,
    metric: str,
    claimed: float,
    *,
    floor: float = 0.0,
    confidence: float = 0.95,
    seed: int = 0,
) -> RateFit:
    """Fit the decay of a metric above a known floor and judge a claimed upper rate.

    The tail is the upper half of the horizons (at least three). The interval is a percentile bootstrap over
    seeds, independently per horizon, widened for few seeds by ``sqrt(n / (n - 1))`` and by the ratio of Student's
    quantile (with ``n - 1`` degrees of freedom per tail horizon) to the normal one. A finite range of T never refutes
    an asymptotic bound by itself: ``REFUTED`` speaks of these horizons, and a theorem is refuted by an exact limit.

    Args:
        dataset: from `rates.sweep.sweep`, dimensions ``horizon`` and ``seed``.
        metric: variable to fit.
        claimed: p in the claim ``excess = O(T^-p)``; positive.
        floor: known limit to subtract; computed elsewhere, exactly if possible.
        confidence: level of the interval.
        seed: of the bootstrap.

    Raises:
        ValueError: unknown metric (the known ones are listed), fewer than three horizons or two seeds, p or
            confidence out of range, NaN in the data, or a floor above all data.

    Source: the one-sided reading of zeng2022 Theorem 3 and zhang2025 Theorem 5.10.
    """
    values = _validated(dataset, metric, claimed, floor, confidence)
    horizons = np.array(require_horizons(list(dataset["horizon"].values)), dtype=np.int64)
    n_horizons, n_seeds = values.shape
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(n_seeds)
    excess = mean - floor
    tail = min(n_horizons // 2, n_horizons - 3)
    common = {
        "metric": metric,
        "claimed": claimed,
        "floor": floor,
        "horizons": horizons,
        "mean": mean,
        "standard_error": error,
        "tail": tail,
    }
    level = (1 + confidence) / 2
    degrees = (n_seeds - 1) * (n_horizons - tail)
    below = (excess[tail:] + student_t.ppf(level, n_seeds - 1) * error[tail:] <= 0).all()
    if below or (excess[tail:] <= SIGNAL_TO_NOISE * error[tail:]).any() or (excess <= 0).any():
        nan = float("nan")
        return RateFit(
            **common, slope=nan, low=nan, high=nan, overall_slope=nan, local_slopes=np.full(n_horizons - 1, nan),
            outcome=RateOutcome.BELOW_FLOOR if below else RateOutcome.NO_SIGNAL,
        )
    x = np.log(horizons)
    local = np.diff(np.log(excess)) / np.diff(x)
    slope, overall = _slope(x[tail:], np.log(excess[tail:])), _slope(x, np.log(excess))
    resampled = _bootstrap(values, floor, np.random.default_rng(seed))
    logs = np.log(np.maximum(resampled, np.finfo(float).tiny))
    widen = np.sqrt(n_seeds / (n_seeds - 1)) * student_t.ppf(level, degrees) / normal.ppf(level)
    tail_slopes = slope + widen * (_slope(x[tail:], logs[:, tail:]) - slope)
    low, high = np.percentile(tail_slopes, [100 * (1 - level), 100 * level])
    trend = _slope_trend(x[tail:], logs[:, tail:])
    outcome = _judge(claimed, float(low), float(high), bool(np.percentile(trend, 100 * level) < 0))
    return RateFit(
        **common, slope=float(slope), low=float(low), high=float(high), overall_slope=float(overall),
        local_slopes=local, outcome=outcome,
    )


def assert_rate(
    dataset: xr.Dataset, metric: str, claimed: float, *, floor: float = 0.0, seed: int = 0
) -> RateFit:
    """Assert that ``metric - floor = O(T^-claimed)`` is consistent with the data.

    Args:
        dataset: from `rates.sweep.sweep`.
        metric: variable.
        claimed: p.
        floor: known limit.
        seed: of the bootstrap.

    Returns:
        The fit.

    Raises:
        AssertionError: the outcome is not consistent; the message is the table and what would decide.
        ValueError: as `fit_rate`.
    """
    fit = fit_rate(dataset, metric, claimed, floor=floor, seed=seed)
    if not fit.outcome.upholds:
        raise AssertionError(fit.table())
    return fit


def _validated(
    dataset: xr.Dataset, metric: str, claimed: float, floor: float, confidence: float
) -> np.ndarray:
    if metric not in dataset:
        raise ValueError(f"metric {metric!r} is not in the dataset; it has {sorted(map(str, dataset.data_vars))}")
    if not claimed > 0:
        raise ValueError(f"claimed is {claimed}; a rate T^-p has p > 0")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, not between 0 and 1")
    values = dataset[metric].transpose("horizon", "seed").values
    if values.shape[0] < 3 or values.shape[1] < 2:
        raise ValueError(f"{values.shape[0]} horizons and {values.shape[1]} seeds; a fit needs 3 and 2")
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        raise ValueError(f"{metric}[horizon {bad[0][0]}, seed {bad[0][1]}] is {values[tuple(bad[0])]}")
    if not np.isfinite(floor) or floor > values.max():
        raise ValueError(f"floor {floor:g} lies above all data of {metric} (largest {values.max():g})")
    return np.asarray(values, dtype=float)


def _judge(claimed: float, low: float, high: float, steepening: bool) -> RateOutcome:
    if low > -claimed:
        if steepening:
            return RateOutcome.STEEPENING
        return RateOutcome.REFUTED if low > -claimed + RESOLUTION else RateOutcome.SLOWER
    if (high - low) / 2 > RESOLUTION and high > -claimed:
        return RateOutcome.UNDERPOWERED
    return RateOutcome.CONSISTENT


def _slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    centred = x - x.mean()
    slope: np.ndarray = (y @ centred) / (centred @ centred)
    return slope


def _slope_trend(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Second-order coefficient of a quadratic fit: negative where the decay is steepening."""
    centred = x - x.mean()
    basis = np.stack([np.ones_like(x), centred, centred**2], axis=1)
    trend: np.ndarray = (np.linalg.pinv(basis) @ y.T)[2]
    return trend


def _bootstrap(values: np.ndarray, floor: float, rng: np.random.Generator) -> np.ndarray:
    n_horizons, n_seeds = values.shape
    picks = rng.integers(0, n_seeds, size=(RESAMPLES, n_horizons, n_seeds))
    means: np.ndarray = np.take_along_axis(values[None], picks, axis=2).mean(axis=2)
    return means - floor
