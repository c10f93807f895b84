"""Sweeps over horizons, floor-aware rate fits, and exponent programs. Knows no algorithm."""

from rates.exponents import ExponentCertificate, Power, fastest_decay, power
from rates.fit import RateFit, RateOutcome, assert_rate, fit_rate
from rates.sweep import geometric_horizons, load, save, sweep

__all__ = [
    "ExponentCertificate",
    "Power",
    "RateFit",
    "RateOutcome",
    "assert_rate",
    "fastest_decay",
    "fit_rate",
    "geometric_horizons",
    "load",
    "power",
    "save",
    "sweep",
]
