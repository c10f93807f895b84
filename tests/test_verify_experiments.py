"""The exact critic recursion against Monte Carlo, and sweeps whose bits do not depend on the workers."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from algorithms import CACSteps
from rates import sweep
from verify.experiments.cac import run_cac
from verify.zeng2022.theorem.rates import two_state_error


def test_recursion_matches_simulated_td() -> None:
    """20,000 independent TD(0) runs on the two-state chain, against the recursion; |z| below 4."""
    rng, runs, horizon, gamma = np.random.default_rng(0), 20_000, 400, 0.5
    _, beta, _ = CACSteps().at(horizon)
    omega, total = np.zeros(runs), np.zeros(runs)
    for _ in range(horizon):
        total += (omega - 4 / 3) ** 2
        s, t = rng.integers(0, 2, (2, runs))
        phi_s, phi_t = 1.0 - s, 1.0 - t
        omega += beta * (phi_s + gamma * phi_t * omega - phi_s * omega) * phi_s
    measured = total / horizon
    exact = two_state_error(horizon)
    assert abs(measured.mean() - exact) < 4 * measured.std() / np.sqrt(runs)


def test_recursion_against_another_target_adds_the_squared_gap() -> None:
    assert two_state_error(10**12, "omega_td_error") == pytest.approx(1 / 9, rel=1e-4)


def test_cac_sweep_gives_the_same_bits_for_one_and_two_workers() -> None:
    run = partial(run_cac, "ring3", "double")
    one, two = (sweep(run, [200, 400], 3, seed=5, jobs=jobs) for jobs in (1, 2))
    assert one.identical(two)
