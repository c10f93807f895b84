"""`fit_rate` and `assert_rate`: from a dataset to a one-sided verdict on a claimed exponent."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from rates.fit.contrast import slope_weights, smooth_precision
from rates.fit.data import Moments, SeedTable, read_table
from rates.fit.floor import fit_floor
from rates.fit.outcome import RateOutcome, judge, judge_free_floor
from rates.fit.profile import exponent_error
from rates.fit.result import RateFit
from rates.fit.tail import (
    below_floor,
    bootstrap_error,
    default_tail,
    detectable_difference,
    fit_tail,
    without_signal,
)

UNKNOWN_FLOOR_HORIZONS = 5
"""Horizons a fit with unknown floor needs: three parameters, one test that the model fits, one to spare."""


def fit_rate(
    dataset: xr.Dataset,
    metric: str,
    claimed: float,
    *,
    floor: float | Literal["unknown"] = 0.0,
    start: int | None = None,
    strict: bool = False,
    confidence: float = 0.95,
    seed: int = 0,
) -> RateFit:
    """Fit the decay of a metric above its floor and judge a claimed upper rate.

    With a known floor the slope is that of the log excess over the tail, by default the upper half of the horizons
    (at least three); its interval is that of a contrast of independent means, with Student's quantile at
    Satterthwaite's degrees of freedom. With ``floor="unknown"`` the model ``C T^-p + f`` is fitted over all horizons,
    the interval of p comes from its profile (`rates.fit.floor`) and is as wide as the unknown floor makes it; an
    interval that resolves nothing is ``UNIDENTIFIABLE``. ``docs/rate-fitting.md`` has the measured coverage and power.

    A finite range of T never refutes an asymptotic bound by itself: ``REFUTED`` speaks of these horizons, and a
    theorem is refuted by an exact limit.

    Args:
        dataset: from `rates.sweep.sweep`, dimensions ``horizon`` and ``seed``; ``n_seeds(horizon)`` declares cells
            that were never run (see `combine_sweeps`).
        metric: variable to fit.
        claimed: p in the claim ``excess = O(T^-p)``; positive.
        floor: known limit to subtract, computed elsewhere, exactly if possible; or ``"unknown"``.
        start: smallest T of the fit, instead of the default.
        strict: uphold a claim only on data that would have refused one 0.1 too high nine times in ten.
        confidence: level of the interval.
        seed: of the bootstrap standard error.

    Returns:
        The fit, with its verdict in ``outcome``.

    Raises:
        ValueError: unknown metric (the known ones are listed), horizons not increasing, fewer than three horizons
            (five with unknown floor) or two seeds, p or confidence out of range, NaN in a cell not declared missing,
            or a floor above all data.

    Source: the one-sided reading of zeng2022 Theorem 3 and zhang2025 Theorem 5.10.
    """
    if not claimed > 0:
        raise ValueError(f"claimed is {claimed}; a rate T^-p has p > 0")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, not between 0 and 1")
    if isinstance(floor, str) and floor != "unknown":
        raise ValueError(f"floor is {floor!r}; it is a number or 'unknown'")
    table = read_table(dataset, metric, min_horizons=UNKNOWN_FLOOR_HORIZONS if isinstance(floor, str) else 3)
    if isinstance(floor, str):
        return _unknown_floor(table, claimed, _first(table, start, UNKNOWN_FLOOR_HORIZONS, 0), strict, confidence)
    largest = table.moments().mean.max()
    if not np.isfinite(floor) or floor > table.values[np.arange(table.values.shape[1]) < table.counts[:, None]].max():
        raise ValueError(f"floor {floor:g} lies above all data of {metric} (largest mean {largest:g})")
    tail = _first(table, start, 3, default_tail(len(table.horizons)))
    return _known_floor(table, claimed, float(floor), tail, strict, confidence, seed)


def assert_rate(
    dataset: xr.Dataset,
    metric: str,
    claimed: float,
    *,
    floor: float | Literal["unknown"] = 0.0,
    start: int | None = None,
    strict: bool = False,
    confidence: float = 0.95,
    seed: int = 0,
) -> RateFit:
    """Assert that ``metric - floor = O(T^-claimed)`` is consistent with the data.

    Args:
        dataset: from `rates.sweep.sweep`.
        metric: variable.
        claimed: p.
        floor: known limit, or ``"unknown"``.
        start: smallest T of the fit.
        strict: demand the power to refuse an exponent 0.1 too high; see `fit_rate`.
        confidence: level of the interval.
        seed: of the bootstrap standard error.

    Returns:
        The fit.

    Raises:
        AssertionError: the outcome does not uphold the claim; the message is the table and what would decide.
        ValueError: as `fit_rate`.
    """
    __tracebackhide__ = True  # pytest then shows the line of the user's test and the table
    fit = fit_rate(
        dataset, metric, claimed, floor=floor, start=start, strict=strict, confidence=confidence, seed=seed
    )
    if not fit.outcome.upholds:
        raise AssertionError(fit.table())
    return fit


def _first(table: SeedTable, start: int | None, needed: int, default: int) -> int:
    if start is None:
        return default
    first = int(np.searchsorted(table.horizons, start))
    if len(table.horizons) - first < needed:
        raise ValueError(
            f"start is {start}: {len(table.horizons) - first} horizons of {table.metric} are left, "
            f"a fit needs {needed}"
        )
    return first


def _known_floor(
    table: SeedTable, claimed: float, floor: float, tail: int, strict: bool, confidence: float, seed: int
) -> RateFit:
    data = table.moments()
    last = data.since(tail)
    below = bool(below_floor(last, floor, confidence))
    if below or without_signal(data, tail, floor):
        outcome = RateOutcome.BELOW_FLOOR if below else RateOutcome.NO_SIGNAL
        return _result(table, data, claimed, floor, tail, confidence, outcome)
    x = np.log(table.horizons[tail:])
    fit = fit_tail(x, last, floor, confidence)
    resampled = float(
        bootstrap_error(table.values[tail:], last.counts, x, floor, np.random.default_rng(seed))
    )
    detectable = float(detectable_difference(np.array(resampled), fit.slope.degrees, confidence))
    low, high = float(fit.low), float(fit.high)
    outcome = judge(claimed, low, high, bool(fit.steepening), detectable if strict else None)
    return _result(
        table, data, claimed, floor, tail, confidence, outcome, slope=float(fit.slope.value), low=low, high=high,
        slope_error=float(fit.slope.error), degrees=float(fit.slope.degrees), bootstrap_error=resampled,
        detectable_difference=detectable, trend=float(fit.trend.value),
    )


def _unknown_floor(table: SeedTable, claimed: float, first: int, strict: bool, confidence: float) -> RateFit:
    data, x = table.moments(), np.log(table.horizons[first:])
    last, centred = data.since(first), x - x.mean()
    joint = fit_floor(x, last, confidence)
    errors = exponent_error(np.array(joint.exponent), centred, last, smooth_precision(last, centred))
    error, degrees = (float(number) for number in errors)
    detectable = float(detectable_difference(*errors, confidence))
    outcome = judge_free_floor(
        claimed, -joint.high, -joint.low, joint.misfit, joint.direction, detectable if strict else None
    )
    return _result(
        table, data, claimed, joint.floor, first, confidence, outcome, slope=-joint.exponent, low=-joint.high,
        high=-joint.low, slope_error=error, degrees=degrees, detectable_difference=detectable, floor_fit=joint,
    )


def _result(
    table: SeedTable, data: Moments, claimed: float, floor: float, tail: int, confidence: float,
    outcome: RateOutcome, **numbers: object,
) -> RateFit:
    nan = float("nan")
    x, excess = np.log(table.horizons), data.mean - floor
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(excess > 0, np.log(np.where(excess > 0, excess, 1.0)), nan)
    fields: dict[str, object] = {
        "slope": nan, "low": nan, "high": nan, "slope_error": nan, "degrees": nan, "bootstrap_error": nan,
        "detectable_difference": nan, "trend": nan,
    }
    return RateFit(
        metric=table.metric, claimed=claimed, floor=floor, horizons=table.horizons, mean=data.mean,
        standard_error=np.sqrt(data.variance), counts=table.counts, tail=tail, outcome=outcome, confidence=confidence,
        overall_slope=float(slope_weights(x) @ logs), local_slopes=np.diff(logs) / np.diff(x),
        **{**fields, **numbers},  # type: ignore[arg-type]
    )
