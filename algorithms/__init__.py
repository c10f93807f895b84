"""The papers' algorithms and their baselines."""

from algorithms.baselines import ConstantSteps, dac, iac, mdac
from algorithms.cac import DRIFT_METRICS, METRICS, SAMPLINGS, CACSteps, cac
from algorithms.drift import drift_coefficients
from algorithms.prediction import asymptoticity, ode_prediction

__all__ = [
    "DRIFT_METRICS",
    "METRICS",
    "SAMPLINGS",
    "CACSteps",
    "ConstantSteps",
    "asymptoticity",
    "cac",
    "dac",
    "drift_coefficients",
    "iac",
    "mdac",
    "ode_prediction",
]
