"""Sweeps over horizons, exact moments, floor-aware rate fits, and exponent programs. Knows no algorithm."""

from rates.exponents import ExponentCertificate, Power, fastest_decay, power
from rates.fit import (
    FloorFit,
    RateFit,
    RateOutcome,
    TermFit,
    assert_rate,
    combine_sweeps,
    fit_rate,
    fit_terms,
    power_at,
)
from rates.moments import critic_slopes, leading_coefficients, linear_moments, step_range
from rates.recursion import GapRecursion
from rates.sweep import (
    SweepConfigurationError,
    SweepInterrupted,
    SweepPlan,
    SweepProgress,
    SweepVersionWarning,
    SweepWriteError,
    geometric_horizons,
    load,
    plan,
    save,
    sweep,
)

__all__ = [
    "ExponentCertificate",
    "FloorFit",
    "GapRecursion",
    "Power",
    "RateFit",
    "RateOutcome",
    "SweepConfigurationError",
    "SweepInterrupted",
    "SweepPlan",
    "SweepProgress",
    "SweepVersionWarning",
    "SweepWriteError",
    "TermFit",
    "assert_rate",
    "combine_sweeps",
    "critic_slopes",
    "fastest_decay",
    "fit_rate",
    "fit_terms",
    "geometric_horizons",
    "leading_coefficients",
    "linear_moments",
    "load",
    "plan",
    "power",
    "power_at",
    "save",
    "step_range",
    "sweep",
]
