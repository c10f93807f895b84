"""The papers' algorithms and their baselines."""

from algorithms.baselines import ConstantSteps, dac, iac, mdac
from algorithms.cac import METRICS, CACSteps, cac

__all__ = ["METRICS", "CACSteps", "ConstantSteps", "cac", "dac", "iac", "mdac"]
