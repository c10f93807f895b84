"""CAC on realisable and other problems, single and double sampling: slopes, floors, and how asymptotic the runs are.

The sweeps are those of zeng2022 Theorem 3 and Corollary 1 with their step exponents; every number stands beside what is
computed without sampling: the floor (where the expected direction rests) and the leading coefficient (slow ODE).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from algorithms.cac import Sampling
from algorithms.prediction import asymptoticity, ode_prediction
from mdp.instances import INSTANCES
from rates.fit import FloorFit, RateFit, fit_rate
from rates.sweep import geometric_horizons, sweep
from verify.experiments.cac import METRIC_EVERY, STEPS, floor, run_cac

CASES: tuple[tuple[str, Sampling], ...] = (
    ("ring3", "single"), ("ring3", "double"), ("ring3-nonrealisable", "single"), ("ring3-nonrealisable", "double"),
)
"""Realisable and not, single and double sampling."""

CLAIMED = 0.4
"""p of zeng2022 Theorem 3 and Corollary 1."""

FIRST = 1_000
"""Shortest horizon."""

DENSE_SEEDS = 1_000_000
"""Longest horizon with all seeds; beyond it `Budget.far_seeds`."""


@dataclass(frozen=True)
class Budget:
    """How much work the experiment does.

    Attributes:
        last: longest horizon.
        seeds: runs per horizon up to `DENSE_SEEDS`.
        far_seeds: runs per horizon beyond it.
    """

    last: int
    seeds: int
    far_seeds: int

    @property
    def horizons(self) -> list[int]:
        """Half decades from `FIRST`."""
        return geometric_horizons(FIRST, self.last, per_decade=2)

    @property
    def n_seeds(self) -> dict[int, int]:
        """Runs by horizon."""
        return {T: self.seeds if T <= DENSE_SEEDS else self.far_seeds for T in self.horizons}


BUDGETS = {"quick": Budget(100_000, 16, 16), "full": Budget(10_000_000, 24, 8)}
"""By profile; ours: quick takes under a minute on two cores, full under 25."""


@dataclass(frozen=True, eq=False)
class CaseResult:
    """One instance under one sampling.

    Attributes:
        instance: its name.
        sampling: single or double.
        data: the sweep.
        critic: fit of the critic error against the TD fixed point, floor 0.
        floor: exact limit of the stationarity violation.
        actor: its fit above that floor.
        fitted: its fit with the floor unknown, which knows nothing of the exact one.
        leading_ratio: measured excess over the leading term at the longest horizon; 1 when the run is asymptotic.
        leading_low: lower end of its 95 % interval.
        leading_high: upper end.
        elapsed: ``alpha T`` there, in time constants of the slow ODE.
    """

    instance: str
    sampling: Sampling
    data: xr.Dataset
    critic: RateFit
    floor: float
    actor: RateFit
    fitted: RateFit
    leading_ratio: float
    leading_low: float
    leading_high: float
    elapsed: float

    @property
    def fitted_floor(self) -> FloorFit | None:
        """The unknown floor with its interval."""
        return self.fitted.floor_fit

    def row(self) -> dict[str, object]:
        """The numbers that a table shows, JSON-ready."""
        unknown = self.fitted_floor
        return {
            "instance": self.instance, "sampling": self.sampling, "last_horizon": int(self.data["horizon"][-1]),
            "critic_slope": [self.critic.slope, self.critic.low, self.critic.high],
            "critic_outcome": self.critic.outcome.name,
            "exact_floor": self.floor,
            "fitted_floor": None if unknown is None else [unknown.floor, unknown.floor_low, unknown.floor_high],
            "actor_slope": [self.actor.slope, self.actor.low, self.actor.high],
            "actor_outcome": self.actor.outcome.name,
            "leading_ratio": [self.leading_ratio, self.leading_low, self.leading_high],
            "time_constants": self.elapsed,
        }


def run_case(
    instance: str, sampling: Sampling, budget: Budget, *, seed: int = 0, jobs: int = 1, out: Path | None = None,
    on_cell: Callable[[], None] | None = None,
) -> CaseResult:
    """Sweep one case and fit it.

    Args:
        instance: name of a bundled instance.
        sampling: single or double.
        budget: horizons and runs.
        seed: root of all randomness.
        jobs: worker processes.
        out: folder in which the sweep can be resumed; None keeps it in memory.
        on_cell: called after each finished cell.

    Raises:
        KeyError: no such instance.
        ValueError, rates.sweep.SweepWriteError, rates.sweep.SweepInterrupted: as `rates.sweep.sweep`.
    """
    data = sweep(
        partial(run_cac, instance, sampling), budget.horizons, budget.n_seeds, seed=seed, jobs=jobs,
        out=None if out is None else out / f"{instance}-{sampling}",
        config={"steps": STEPS, "metric_every": METRIC_EVERY}, on_cell=on_cell,
    )
    limit = floor(instance, sampling).floor
    last = int(data["horizon"][-1])
    violation = (data["shared_gradient"] + data["personal_gradient"]).isel(horizon=-1).dropna("seed").values
    prediction = ode_prediction(INSTANCES[instance](), None, STEPS, last, sampling=sampling, closure=False)
    found = asymptoticity(prediction, np.asarray(violation))
    return CaseResult(
        instance, sampling, data, fit_rate(data, "critic_total_td", CLAIMED), limit,
        fit_rate(data, "stationarity", CLAIMED, floor=limit),
        fit_rate(data, "stationarity", CLAIMED, floor="unknown"),
        found.leading_ratio, found.low, found.high, prediction.elapsed,
    )
