"""The papers' algorithms as fast kernels behind plain functions."""

from algorithms.cac import METRICS, CACSteps, cac

__all__ = ["METRICS", "CACSteps", "cac"]
