"""Fits of several powers with known exponents, to say how asymptotic data are.

``mean = sum_k C_k T^-p_k + floor`` with known p is linear in its coefficients. The share of the leading term at the
last horizon says how far the data are from a pure power, and the fit predicts the T from which the leading term
dominates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from scipy.optimize import brentq

from rates.fit.contrast import Contrast, contrast, orthogonal, smooth_precision
from rates.fit.data import Moments, SeedTable, read_table
from rates.fit.outcome import MISFIT_LEVEL
from rates.fit.tail import resampled_means

ILL_CONDITIONED = 1e7
"""Condition number of the scaled design beyond which coefficients are rounding; ours: about 1 / sqrt(epsilon)."""

LOG_T_MAX = 690.0
"""Largest log T looked at: e^690 is near the largest float."""


@dataclass(frozen=True, eq=False)
class TermFit:
    """Result of `fit_terms`.

    Attributes:
        metric: name of the variable.
        exponents: p_k, increasing, shape (K,).
        coefficients: C_k, shape (K,).
        low: lower ends of their intervals.
        high: upper ends.
        floor: known or fitted.
        floor_low: lower end of its interval; the floor itself if known.
        floor_high: upper end.
        horizons: T, shape (H,).
        share: part of the leading term in ``sum_k |C_k| T^-p_k`` at the last horizon.
        share_low: lower end of its bootstrap interval.
        share_high: upper end.
        condition: condition number of the weighted design, columns of unit length.
        misfit: whether a slope of the leading term other than ``-p_1`` is significant, or None with as many
            parameters as horizons.
        confidence: level of the intervals.
    """

    metric: str
    exponents: np.ndarray
    coefficients: np.ndarray
    low: np.ndarray
    high: np.ndarray
    floor: float
    floor_low: float
    floor_high: float
    horizons: np.ndarray
    share: float
    share_low: float
    share_high: float
    condition: float
    misfit: bool | None
    confidence: float

    def share_at(self, horizon: float) -> float:
        """Part of the leading term in ``sum_k |C_k| T^-p_k``.

        Args:
            horizon: T, positive.
        """
        return float(_share(self.coefficients, self.exponents, np.log(horizon)))

    def dominates_from(self, share: float = 0.9) -> float:
        """The T from which the leading term has at least this share; infinite beyond the floats.

        Args:
            share: between 0 and 1.

        Raises:
            ValueError: a share outside (0, 1).
        """
        if not 0 < share < 1:
            raise ValueError(f"share is {share}, not between 0 and 1")
        # the share increases in T, since every other power falls faster than the leading one
        gap = lambda x: float(_share(self.coefficients, self.exponents, x)) - share  # noqa: E731
        if gap(LOG_T_MAX) < 0:
            return float("inf")
        return 1.0 if gap(0.0) >= 0 else float(np.exp(brentq(gap, 0.0, LOG_T_MAX)))

    def table(self) -> str:
        """The terms as plain text, and how asymptotic the data are."""
        level = f"{100 * self.confidence:g} % interval"
        lines = [f"{self.metric}: {len(self.exponents)} powers above a floor, T = {self.horizons[0]} to "
                 f"{self.horizons[-1]}"]
        for p, C, low, high in zip(self.exponents, self.coefficients, self.low, self.high, strict=True):
            lines.append(f"  T^-{p:<8g} {C:12.5g}  {level} [{low:.4g}, {high:.4g}]")
        lines.append(f"  floor      {self.floor:12.5g}  {level} [{self.floor_low:.4g}, {self.floor_high:.4g}]")
        lines.append(
            f"the leading term is {100 * self.share:.0f} % of the powers at T = {self.horizons[-1]} "
            f"({level} [{100 * self.share_low:.0f}, {100 * self.share_high:.0f}] %); it is 90 % from T = "
            f"{self.dominates_from():.2g}"
        )
        if self.misfit:
            lines.append("these powers do not pass through the data within their noise")
        return "\n".join(lines)


def fit_terms(
    dataset: xr.Dataset,
    metric: str,
    exponents: Sequence[float],
    *,
    floor: float | Literal["unknown"] = 0.0,
    start: int | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> TermFit:
    """Fit the coefficients of powers of T with known exponents.

    Weighted least squares with smoothed weights; intervals from the spread over seeds of each coefficient, which is
    a contrast of the means. The interval of the share is a percentile bootstrap over seeds.

    Args:
        dataset: dimensions ``horizon`` and ``seed``, as for `fit_rate`.
        metric: variable to fit.
        exponents: p_k, positive and strictly increasing: the leading term first.
        floor: known limit, or ``"unknown"``.
        start: smallest T of the fit; all by default.
        confidence: level of the intervals.
        seed: of the bootstrap.

    Raises:
        ValueError: exponents not positive and increasing, fewer horizons than parameters, powers that these horizons
            cannot tell apart, or as `fit_rate`.
    """
    p = np.array(exponents, dtype=float)
    if p.ndim != 1 or p.size < 1 or not (p > 0).all() or not (np.diff(p) > 0).all():
        raise ValueError(f"exponents are {list(exponents)}; they must be positive and strictly increasing")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, not between 0 and 1")
    if isinstance(floor, str) and floor != "unknown":
        raise ValueError(f"floor is {floor!r}; it is a number or 'unknown'")
    unknown = isinstance(floor, str)
    table = read_table(dataset, metric, min_horizons=p.size + unknown)
    keep = table.horizons >= (start or 0)
    table = SeedTable(table.metric, table.horizons[keep], table.counts[keep], table.values[keep])
    if keep.sum() < p.size + unknown:
        raise ValueError(f"start is {start}: {keep.sum()} horizons are left for {p.size + unknown} parameters")
    known = 0.0 if isinstance(floor, str) else float(floor)
    if not np.isfinite(known) or (known and known > table.values.max()):
        raise ValueError(f"floor {known:g} lies above all data of {metric} (largest {table.values.max():g})")
    return _fit(table, p, known, unknown, confidence, np.random.default_rng(seed))


def _fit(
    table: SeedTable, p: np.ndarray, known: float, unknown: bool, confidence: float, rng: np.random.Generator
) -> TermFit:
    raw, x = table.moments(), np.log(table.horizons)
    data = Moments(raw.mean - known, raw.variance, raw.counts, raw.kurtosis)
    centred, precision = x - x.mean(), smooth_precision(raw, x)
    basis = np.exp(-p[:, None] * centred)
    design = np.concatenate([basis, np.ones((1, x.size))]) if unknown else basis
    rows = _least_squares_rows(design, precision, p)
    rows[: p.size] *= np.exp(p * x.mean())[:, None]  # back from centred powers
    fits = [contrast(row, data) for row in rows]
    values, half = np.array([f.value for f in fits]), np.array([f.half_width(confidence) for f in fits])
    shares = _share((rows[: p.size] @ _resampled(table, known, rng)).T, p, x[-1])
    tails = 50 * (1 - confidence)
    share_low, share_high = np.percentile(shares, [tails, 100 - tails])
    misfit = _misfit(design, centred, data, precision)
    ends = (values[-1], half[-1]) if unknown else (known, 0.0)
    scaled = design * np.sqrt(precision)
    return TermFit(
        metric=table.metric, exponents=p, coefficients=values[: p.size], low=(values - half)[: p.size],
        high=(values + half)[: p.size], floor=float(ends[0]), floor_low=float(ends[0] - ends[1]),
        floor_high=float(ends[0] + ends[1]), horizons=table.horizons,
        share=float(_share(values[: p.size], p, x[-1])), share_low=float(share_low), share_high=float(share_high),
        condition=float(np.linalg.cond(scaled / np.linalg.norm(scaled, axis=1, keepdims=True))),
        misfit=None if misfit is None else bool(misfit.excludes_zero(MISFIT_LEVEL)), confidence=confidence,
    )


def _least_squares_rows(design: np.ndarray, precision: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Rows of the weighted pseudo-inverse: each parameter as a contrast of the means."""
    scaled = design * np.sqrt(precision)
    length = np.linalg.norm(scaled, axis=1)
    condition = np.linalg.cond(scaled / length[:, None])
    if condition > ILL_CONDITIONED:
        raise ValueError(f"these horizons cannot tell the powers {p.tolist()} apart (condition {condition:.1e})")
    rows: np.ndarray = np.linalg.pinv((scaled / length[:, None]).T) * np.sqrt(precision) / length[:, None]
    return rows


def _misfit(design: np.ndarray, x: np.ndarray, data: Moments, precision: np.ndarray) -> Contrast | None:
    if len(design) >= x.size:
        return None
    return contrast(orthogonal(x * design[0], tuple(design), precision), data)


def _resampled(table: SeedTable, known: float, rng: np.random.Generator) -> np.ndarray:
    """Means over resampled seeds above the floor, shape (H, RESAMPLES)."""
    return np.stack([resampled_means(row[:n], rng) - known for row, n in zip(table.values, table.counts, strict=True)])


def _share(coefficients: np.ndarray, p: np.ndarray, x: float) -> np.ndarray:
    # relative to the leading power, so that T^-p does not underflow at large T
    terms = np.abs(coefficients) * np.exp(-(p - p[0]) * x)
    share: np.ndarray = terms[..., 0] / terms.sum(axis=-1)
    return share
