"""Exact second moments of decentralised linear TD and reward regression, to T = 10^12 and beyond."""

from rates.moments.build import linear_moments, moments_of_view
from rates.moments.leading import LeadingCoefficients, leading_coefficients
from rates.moments.linear import LinearMoments, UnstableStepError
from rates.moments.slopes import CriticSlopes, critic_slopes
from rates.moments.stability import AgentsStepRange, step_range
from rates.moments.values import MomentValue

__all__ = [
    "AgentsStepRange",
    "CriticSlopes",
    "LeadingCoefficients",
    "LinearMoments",
    "MomentValue",
    "UnstableStepError",
    "critic_slopes",
    "leading_coefficients",
    "linear_moments",
    "moments_of_view",
    "step_range",
]
