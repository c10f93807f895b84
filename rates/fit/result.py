"""The result of a rate fit, its table, and what would decide an open one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from rates.fit.contrast import slope_weights
from rates.fit.floor import FloorFit
from rates.fit.outcome import POWER, RESOLUTION, SIGNAL_TO_NOISE, RateOutcome

FARTHEST = 40
"""Further horizons that advice looks ahead; ours: twenty decades on a half-decade grid."""


@dataclass(frozen=True, eq=False)
class RateFit:
    """Result of `fit_rate`.

    Attributes:
        metric: name of the variable.
        claimed: p of the claim ``O(T^-p)``, positive.
        floor: what was subtracted: the known floor, or the fitted one.
        horizons: T, shape (H,).
        mean: mean over seeds, shape (H,).
        standard_error: its standard error, shape (H,).
        slope: log-log slope of the excess over the tail.
        low: lower end of the interval of `slope`.
        high: upper end.
        overall_slope: slope over all horizons; nan if an excess is not positive.
        local_slopes: slopes between neighbouring horizons, shape (H - 1,); nan beside an excess that is not positive.
        tail: index of the first horizon of the tail.
        outcome: the one-sided verdict.
        counts: seeds, shape (H,).
        confidence: level of the interval.
        slope_error: standard error of `slope` (of the fit whose interval is given).
        degrees: its Satterthwaite degrees of freedom.
        bootstrap_error: standard error of `slope` by resampling seeds; nan with an unknown floor.
        detectable_difference: by how much a claim must exceed the true exponent to be refused with probability 0.9.
        trend: second-order coefficient of the log excess in log T over the tail; negative while it steepens.
        floor_fit: the joint fit, if the floor was unknown.
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
    counts: np.ndarray
    confidence: float
    slope_error: float
    degrees: float
    bootstrap_error: float
    detectable_difference: float
    trend: float
    floor_fit: FloorFit | None = None

    @property
    def excess(self) -> np.ndarray:
        """``mean - floor``, shape (H,)."""
        return self.mean - self.floor

    def table(self) -> str:
        """The fit as plain text: one line per horizon, then slopes, power, outcome, and what would decide."""
        kind = "a floor of" if self.floor_fit is None else "an unknown floor, fitted as"
        lines = [f"{self.metric}: claimed O(T^-{self.claimed:g}) above {kind} {self.floor:.6g}"]
        lines.append(f"{'T':>12} {'seeds':>6} {'mean':>12} {'s.e.':>10} {'excess':>12} {'local slope':>12}")
        for k, T in enumerate(self.horizons):
            local = f"{self.local_slopes[k - 1]:12.3f}" if k else " " * 12
            lines.append(
                f"{T:12d} {self.counts[k]:6d} {self.mean[k]:12.5g} {self.standard_error[k]:10.2g} "
                f"{self.excess[k]:12.5g} {local}"
            )
        lines.append(
            f"tail slope (T >= {self.horizons[self.tail]}): {self.slope:.3f}, "
            f"{100 * self.confidence:g} % interval [{self.low:.3f}, {self.high:.3f}]; "
            f"over all T: {self.overall_slope:.3f}"
        )
        if self.floor_fit is not None:
            lines.append(self.floor_fit.line())
        resampled = "" if np.isnan(self.bootstrap_error) else f", bootstrap {self.bootstrap_error:.4f}"
        if np.isfinite(self.slope_error):
            lines.append(
                f"exponents {self.detectable_difference:.3f} apart are told apart {100 * POWER:g} % of the time "
                f"(standard error {self.slope_error:.4f}{resampled})"
            )
        lines += [f"{self.outcome.name}: {self.outcome.value}", f"what would decide: {self.what_would_decide()}"]
        return "\n".join(lines)

    def what_would_decide(self) -> str:
        """How many more seeds, or which T, would turn this outcome into a decided one."""
        if self.outcome.upholds:
            return "nothing more is needed at these horizons"
        if self.outcome is RateOutcome.REFUTED:
            return "decided at these horizons; for T to infinity an exact limit would decide"
        if self.outcome is RateOutcome.NO_SIGNAL:
            return self._signal_advice()
        if self.outcome in (RateOutcome.SLOWER, RateOutcome.STEEPENING):
            return self._larger_horizon_advice()
        if self.outcome is RateOutcome.MISFIT:
            later = self.horizons[min(self.tail + 1, len(self.horizons) - 1)]
            return f"fit from a later start (start={later}), or a model with a second power (fit_terms)"
        return self._width_advice()

    def _signal_advice(self) -> str:
        tail, noise = slice(self.tail, None), SIGNAL_TO_NOISE * self.standard_error
        at = self.horizons[tail][(self.excess <= 0)[tail]]
        if at.size or (self.excess <= 0).any():
            T = at[0] if at.size else self.horizons[self.excess <= 0][0]
            return f"the mean at T = {T} is not above the floor; check the floor, or start the grid at smaller T"
        factor = float(((noise / self.excess)[tail] ** 2).max())
        worst = self.tail + int((noise / self.excess)[tail].argmax())
        return (
            f"about {_times(factor)} the seeds at T = {self.horizons[worst]} "
            f"({int(np.ceil(factor * self.counts[worst]))} in all)"
        )

    def _larger_horizon_advice(self) -> str:
        x, missing = np.log(self.horizons[self.tail :].astype(float)), self.slope + self.claimed
        if self.trend < 0:
            # the local slope of a quadratic falls by 2 trend per unit of log T, from `slope` at the centre of the tail
            reach = np.exp(min(x.mean() + missing / (-2 * self.trend), 700.0))
            reach = max(reach, float(self.horizons[-1]))
            return f"at its present pace the local slope reaches -{self.claimed:g} near T = {reach:.1g}; run beyond it"
        return (
            f"the local slopes do not steepen up to T = {self.horizons[-1]}; a decade more, to T = "
            f"{10 * int(self.horizons[-1])}, would show whether they begin to; an exact limit would decide"
        )

    def _width_advice(self) -> str:
        half = (self.high - self.low) / 2
        wanted = half / RESOLUTION if half > RESOLUTION else self.detectable_difference / RESOLUTION
        ways = []
        if np.isfinite(wanted):
            ways.append(f"about {_times(wanted**2)} the seeds ({int(np.ceil(wanted**2 * self.counts.min()))} or more)")
        if self.floor_fit is None:
            reach = self._horizon_for(self.slope_error / max(wanted, 1.0))
            if reach is not None:
                ways.append(f"the same seeds up to T = {reach:.2g}")
        else:
            ways.append(f"knowing the floor (here {self.floor:.4g} by the fit)")
            ways.append("larger T, which would show the floor itself")
        return ", or ".join(ways)

    def _horizon_for(self, error: float) -> float | None:
        """Where a longer tail, with the seeds and the relative noise of its last horizon, has this standard error."""
        x = np.log(self.horizons[self.tail :].astype(float))
        variance = (self.standard_error / self.excess)[self.tail :] ** 2
        for more in range(1, FARTHEST + 1):
            longer = np.concatenate([x, x[-1] + (x[-1] - x[-2]) * np.arange(1, more + 1)])
            noise = np.concatenate([variance, np.full(more, variance[-1])])
            if np.sqrt(slope_weights(longer) ** 2 @ noise) <= error:
                return float(np.exp(longer[-1]))
        return None


def power_at(fit: RateFit, difference: float) -> float:
    """Probability that these data refuse a claim that exceeds the true exponent by `difference`.

    Args:
        fit: a fit with an interval.
        difference: of exponents, at least zero.

    Returns:
        The power of the one-sided test, or nan without an interval.

    Raises:
        ValueError: a negative difference.
    """
    if difference < 0:
        raise ValueError(f"difference is {difference}; a claim that is met is not refused")
    with np.errstate(divide="ignore"):
        shift = np.divide(difference, fit.slope_error)
    return float(student_t.cdf(shift - student_t.ppf((1 + fit.confidence) / 2, fit.degrees), fit.degrees))


def _times(factor: float) -> str:
    return f"{max(factor, 1.1):.1f} times" if factor < 10 else f"{factor:.0f} times"
