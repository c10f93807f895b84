"""The yardstick in C follows the kernel's trajectory, and can be seen not to."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.neural_c import LIMIT, MICROSECONDS, TOLERANCE, Case, compare, compiled, trajectory_gap

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not on the path")


@needs_gcc
def test_c_and_numba_give_one_trajectory() -> None:
    case = Case.default()
    with compiled() as function:
        assert trajectory_gap(case, function) < TOLERANCE
        longer = replace(case, steps=replace(case.steps, batch=3, critic_iterations=4, beta=0.01))
        assert trajectory_gap(longer, function) < TOLERANCE
        ours = case.in_numba(1, 300)[1]
        other = replace(case, steps=replace(case.steps, beta=0.002)).in_c(function, 1, 300)[1]
        assert np.abs(ours - other).max() > 1e-4  # what a wrong step size would look like


@needs_gcc
@pytest.mark.slow
def test_the_kernel_keeps_up_with_c() -> None:
    with compiled() as function:
        microseconds, ratios = compare(Case.default(), function)
    assert microseconds < MICROSECONDS
    assert float(np.median(ratios)) < LIMIT
