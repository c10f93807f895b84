"""The papers' algorithms and their baselines."""

from algorithms.baselines import ConstantSteps, dac, iac, mdac
from algorithms.cac import DRIFT_METRICS, METRICS, SAMPLINGS, CACSteps, cac
from algorithms.drift import drift_coefficients
from algorithms.neural import actor_critic
from algorithms.prediction import asymptoticity, ode_prediction

__all__ = [
    "DRIFT_METRICS",
    "METRICS",
    "SAMPLINGS",
    "CACSteps",
    "ConstantSteps",
    "actor_critic",
    "asymptoticity",
    "cac",
    "dac",
    "drift_coefficients",
    "iac",
    "mdac",
    "ode_prediction",
]
