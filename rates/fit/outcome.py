"""What a rate fit can say, and the constants that decide it."""

from __future__ import annotations

from enum import Enum

SIGNAL_TO_NOISE = 3.0
"""Excess over the floor, in standard errors, below which a horizon carries no slope; ours, the usual three."""

RESOLUTION = 0.1
"""Difference of exponents that a verdict must resolve; ours. An interval with a larger half-width decides nothing,
and data slower than claimed by less than this may still be on their way to the claim."""

POWER = 0.9
"""Probability with which `RateFit.detectable_difference` would have been detected; ours, the usual 90 %."""

MISFIT_LEVEL = 0.01
"""Level of the test that a model fits at all; ours: one sound data set in a hundred is turned away."""

RESAMPLES = 2000
"""Bootstrap resamples; ours: the Monte Carlo error of a standard error is then below 2 %."""


class RateOutcome(Enum):
    """What a fit says about ``excess = O(T^-p)``; the value explains it."""

    CONSISTENT = "the tail is not significantly slower than claimed, and the interval resolves 0.1"
    BELOW_FLOOR = "the tail lies below the floor: the bound holds with no T-term at all"
    REFUTED = "over these horizons the tail is slower than claimed by more than 0.1, and is not steepening"
    SLOWER = "slower than claimed by less than 0.1, which a slow correction term can cause; larger T would decide"
    STEEPENING = "slower than claimed so far, but local slopes are still steepening; larger T would decide"
    NO_SIGNAL = "the excess over the floor is inside the noise; more seeds would decide"
    UNDERPOWERED = "the slope interval is too wide to tell exponents 0.1 apart; more seeds or horizons would decide"
    UNIDENTIFIABLE = "these data cannot tell the floor from the slope; knowing the floor, or larger T, would decide"
    MISFIT = "no C T^-p + f passes through these data within their noise; a later start of the fit would decide"

    @property
    def upholds(self) -> bool:
        """Whether the claimed bound stands on these data."""
        return self in (RateOutcome.CONSISTENT, RateOutcome.BELOW_FLOOR)

    @property
    def rejects(self) -> bool:
        """Whether the claimed exponent itself lies outside the interval, on the slow side."""
        return self in (RateOutcome.REFUTED, RateOutcome.SLOWER, RateOutcome.STEEPENING)


def judge(claimed: float, low: float, high: float, steepening: bool, detectable: float | None = None) -> RateOutcome:
    """The one-sided verdict on a slope above a known floor.

    Args:
        claimed: p of the claim ``O(T^-p)``.
        low: lower end of the interval of the slope.
        high: upper end.
        steepening: whether the local slopes fall significantly.
        detectable: smallest difference of exponents that the data would have shown; if given, the claim is not
            upheld on data that would have missed `RESOLUTION`.
    """
    if low > -claimed:
        if steepening:
            return RateOutcome.STEEPENING
        return RateOutcome.REFUTED if low > -claimed + RESOLUTION else RateOutcome.SLOWER
    if high > -claimed:
        too_wide = (high - low) / 2 > RESOLUTION
        if too_wide or (detectable is not None and detectable > RESOLUTION):
            return RateOutcome.UNDERPOWERED
    return RateOutcome.CONSISTENT


def judge_free_floor(
    claimed: float, low: float, high: float, misfit: bool, direction: int, detectable: float | None = None
) -> RateOutcome:
    """The one-sided verdict on a slope fitted jointly with its floor.

    Args:
        claimed: p of the claim.
        low: lower end of the interval of the slope ``-p``; minus infinity if p is unbounded.
        high: upper end; zero if p has no positive lower bound.
        misfit: whether the model itself is rejected.
        direction: 1 where the data fall towards the floor, -1 where they rise to it, 0 where neither is significant.
        detectable: as for `judge`.
    """
    if misfit:
        return RateOutcome.MISFIT
    if direction <= 0:
        return RateOutcome.BELOW_FLOOR if direction < 0 else RateOutcome.UNIDENTIFIABLE
    if low > -claimed:
        return RateOutcome.REFUTED if low > -claimed + RESOLUTION else RateOutcome.SLOWER
    too_wide = (high - low) / 2 > RESOLUTION or (detectable is not None and detectable > RESOLUTION)
    return RateOutcome.UNIDENTIFIABLE if too_wide and high > -claimed else RateOutcome.CONSISTENT
