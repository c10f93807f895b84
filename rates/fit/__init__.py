"""Floor-aware, one-sided rate fits with calibrated intervals.

A bound ``C T^-p + floor`` is not a straight line in log-log coordinates, and an *upper* bound is met by anything at
least as fast. So: subtract the floor, known or fitted, fit the slope of what is above it, take its interval from the
spread over seeds, and ask only whether the tail is significantly slower than claimed.
"""

from rates.fit.data import combine_sweeps
from rates.fit.floor import FloorFit
from rates.fit.outcome import RateOutcome
from rates.fit.rate import assert_rate, fit_rate
from rates.fit.result import RateFit, power_at
from rates.fit.terms import TermFit, fit_terms

__all__ = [
    "FloorFit",
    "RateFit",
    "RateOutcome",
    "TermFit",
    "assert_rate",
    "combine_sweeps",
    "fit_rate",
    "fit_terms",
    "power_at",
]
