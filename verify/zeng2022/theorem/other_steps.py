"""CAC on ring3 at step exponents other than Theorem 3's, for the propositions that allow any pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr

from algorithms.cac import METRICS, CACSteps, Sampling, cac
from mdp.instances import INSTANCES
from rates.sweep import geometric_horizons, sweep
from verify.context import Context
from verify.experiments.cac import METRIC_EVERY, STEPS

HORIZONS = {"quick": 100_000, "full": 1_000_000}
"""Last horizon by profile; ours: two seconds in the quick one."""

INSTANCE = "ring3"


def steps_of(sigma_1: float, sigma_2: float) -> CACSteps:
    """The scales of the shared sweeps with other exponents.

    Args:
        sigma_1: actor exponent.
        sigma_2: critic exponent.
    """
    return replace(STEPS, sigma_1=sigma_1, sigma_2=sigma_2)


def other_sweep(context: Context, steps: CACSteps, sampling: Sampling = "double") -> xr.Dataset:
    """Critic error against the TD target, and stationarity violation, over horizons and seeds.

    Args:
        context: budget, seed, workers; the dataset is shared between statements.
        steps: step sizes.
        sampling: single or double.
    """
    key = f"cac-{INSTANCE}-{sampling}-{steps.sigma_1:g}-{steps.sigma_2:g}"
    horizons = geometric_horizons(1_000, HORIZONS.get(context.profile.name, 100_000), per_decade=2)
    return context.dataset(
        key,
        lambda: sweep(
            partial(run_steps, steps, sampling), horizons, context.profile.n_seeds, seed=context.seed,
            jobs=context.jobs, on_cell=lambda: context.on_progress(key),
        ),
    )  # fmt: skip


def run_steps(steps: CACSteps, sampling: Sampling, horizon: int, seed: np.random.SeedSequence) -> Mapping[str, float]:
    """One cell of `other_sweep`: time averages of a run.

    Args:
        steps: step sizes.
        sampling: single or double.
        horizon: T.
        seed: of the run.
    """
    trace = cac(
        INSTANCES[INSTANCE](), horizon, seed, steps=steps, sampling=sampling, metric_every=METRIC_EVERY
    ).isel(checkpoint=-1)
    found = {name: float(trace[name]) for name in METRICS}
    return {
        "critic_total_td": found["critic_error_td"] + found["reward_error"],
        "stationarity": found["shared_disagreement"] + found["shared_gradient"] + found["personal_gradient"],
    }
