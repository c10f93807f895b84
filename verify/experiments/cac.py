"""Experiments shared between statements: CAC sweeps on the bundled instances, and exact floors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

import numpy as np
import xarray as xr

from algorithms.cac import METRICS, CACSteps, Sampling, cac
from mdp.direction import Attractor, attractor
from mdp.exact import Law
from mdp.instances import INSTANCES
from rates.sweep import sweep
from verify.context import Context

STEPS = CACSteps(alpha_0=2.0, beta_0=4.0, zeta_0=8.0)
"""Scales of the steps; ours: at T = 1e3 the actor has moved for one slow time constant and all maps are stable."""

METRIC_EVERY = 20
"""Measure once in every so many iterations, in the middle of each block; ours: makes measuring cheaper than sampling,
and the midpoint rule keeps the bias of the thinned average at the order of (20 beta)^2 times its transient part."""

SEED_FACTORS = {("ring3", "single"): 3.0, ("ring3", "double"): 1.0}
"""Seeds relative to the profile's; ours. What is above the floor of ring3 under single sampling is small and noisy:
three times the seeds bring the half-width of its slope interval to about 0.05 in the quick profile. The
non-realisable sweeps (half the seeds) are judged by their critic errors, which vary little."""

LAWS: dict[Sampling, Law] = {"single": "stationary", "double": "visitation"}
"""State law of the actor's samples. Source: zeng2022 Algorithms 1 and 2."""


def cac_sweep(context: Context, instance: str, sampling: Sampling) -> xr.Dataset:
    """Time-averaged metrics of CAC with the step sizes of Theorem 3, over horizons and seeds.

    Besides `algorithms.METRICS` the dataset has ``critic_total_<omega>`` (omega plus lambda errors, the left
    side of Theorem 3's first display) and ``stationarity`` (that of its second display).

    Args:
        context: budget, seed, workers; the dataset is shared between statements.
        instance: name of a bundled instance.
        sampling: single or double.
    """
    key = f"cac-{instance}-{sampling}"

    def compute() -> xr.Dataset:
        profile = context.profile
        n_seeds = profile.seeds(SEED_FACTORS.get((instance, sampling), 0.5))
        total = sum(n_seeds.values())
        done = iter(range(1, total + 1))
        return sweep(
            partial(run_cac, instance, sampling),
            profile.horizons,
            n_seeds,
            seed=context.seed,
            jobs=context.jobs,
            on_cell=lambda: context.on_progress(f"{key}: {next(done)}/{total} runs"),
        )

    return context.dataset(key, compute)


@cache
def floor(instance: str, sampling: Sampling) -> Attractor:
    """Where the expected actor direction comes to rest from theta = 0, and the stationarity violation there.

    Args:
        instance: name of a bundled instance.
        sampling: single or double.
    """
    return attractor(INSTANCES[instance](), LAWS[sampling])


def run_cac(instance: str, sampling: Sampling, horizon: int, seed: np.random.SeedSequence) -> Mapping[str, float]:
    """One cell of `cac_sweep`: time-averaged metrics of a run.

    Args:
        instance: name of a bundled instance.
        sampling: single or double.
        horizon: T.
        seed: of the run.
    """
    trace = cac(
        INSTANCES[instance](), horizon, seed, steps=STEPS, sampling=sampling,
        metric_every=METRIC_EVERY,
    ).isel(checkpoint=-1)
    values = {name: float(trace[name]) for name in METRICS}
    for omega in ("td", "bellman", "td_error"):
        values[f"critic_total_{omega}"] = values[f"critic_error_{omega}"] + values["reward_error"]
    values["stationarity"] = (
        values["shared_disagreement"] + values["shared_gradient"] + values["personal_gradient"]
    )
    return values
