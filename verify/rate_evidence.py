"""Evidence from rate fits and from statistical comparisons of means."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import xarray as xr

from rates.fit import RateFit, RateOutcome, fit_rate
from verify.evidence import Evidence, Relation, Rigor

Z_95 = 1.96
"""Two-sided 95 % normal quantile."""


def rate_evidence(
    dataset: xr.Dataset, metric: str, claimed: float, where: str, *, floor: float = 0.0, note: str = ""
) -> Evidence:
    """Evidence for ``metric - floor = O(T^-claimed)``: the tail slope with its interval, judged one-sided.

    Args:
        dataset: a sweep.
        metric: variable.
        claimed: p.
        where: the instance and sampling, for the report.
        floor: known limit.
        note: a remark for the report.
    """
    fit = fit_rate(dataset, metric, claimed, floor=floor)
    if fit.outcome is RateOutcome.BELOW_FLOOR:
        note = f"{note}; {fit.outcome.value}".removeprefix("; ")
        return replace(mean_at_last_horizon(dataset, metric, floor, Relation.AT_MOST, where, note=note), fit=fit)
    decided = fit.outcome in (RateOutcome.CONSISTENT, RateOutcome.REFUTED)
    above = f" above {floor:.4g}" if floor else ""
    return Evidence(
        quantity=f"log-log slope of {metric}{above}, {where}",
        measured=_or_zero(fit.slope),
        low=_or_zero(fit.low),
        high=_or_zero(fit.high),
        claimed=-claimed,
        relation=Relation.NOT_SLOWER,
        rigor=Rigor.STATISTICAL,
        instances=int(np.isfinite(dataset[metric]).sum()),  # fewer seeds at long horizons leave NaN
        undecided="" if decided else fit.outcome.value,
        note=note or _range(fit),
        fit=fit,
    )


def mean_at_last_horizon(
    dataset: xr.Dataset, metric: str, claimed: float, relation: Relation, where: str, *, note: str = ""
) -> Evidence:
    """Mean over seeds at the largest horizon, with a 95 % interval, against a number.

    Args:
        dataset: a sweep.
        metric: variable.
        claimed: what it is compared with.
        relation: how.
        where: the instance and sampling, for the report.
        note: a remark for the report.
    """
    values = dataset[metric].isel(horizon=-1).dropna("seed").values
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    return Evidence(
        quantity=f"time-averaged {metric} at T = {int(dataset['horizon'][-1]):,}, {where}",
        measured=mean,
        low=mean - Z_95 * error,
        high=mean + Z_95 * error,
        claimed=claimed,
        relation=relation,
        rigor=Rigor.STATISTICAL,
        instances=len(values),
        note=note,
    )


def _or_zero(value: float) -> float:
    return 0.0 if isnan(value) else value


def _range(fit: RateFit) -> str:
    first, last = int(fit.horizons[fit.tail]), int(fit.horizons[-1])
    return f"fitted over T = {first:,} to {last:,}; over all T the slope is {fit.overall_slope:.3f}"
