"""What a check may use: budgets, randomness, and experiments shared between statements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from rates.sweep import geometric_horizons

DENSE = 1_000_000
"""Longest horizon with all seeds; ours: beyond it a run costs seconds, and varies little."""


@dataclass(frozen=True)
class Profile:
    """How much work a run of the ledger does.

    Attributes:
        name: ``quick`` or ``full``.
        n_float: random problems per float identity.
        n_rational: random problems per exact identity.
        n_search: random candidates per adversarial search.
        last_horizon: largest T of a sweep.
        n_seeds: repetitions per horizon of the main sweep, up to T = 10^6; others are multiples of it.
        far_seeds: the same beyond 10^6.
    """

    name: str
    n_float: int
    n_rational: int
    n_search: int
    last_horizon: int
    n_seeds: int
    far_seeds: int

    @property
    def horizons(self) -> list[int]:
        """Horizons of a sweep: half decades from 1e3."""
        return geometric_horizons(1_000, self.last_horizon, per_decade=2)

    def seeds(self, factor: float) -> dict[int, int]:
        """Repetitions by horizon of a sweep.

        Args:
            factor: relative to the main sweep.
        """
        return {T: round(factor * (self.n_seeds if T <= DENSE else self.far_seeds)) for T in self.horizons}


PROFILES = {
    # ours: the whole quick ledger stays under three minutes on two cores
    "quick": Profile("quick", 500, 50, 400, last_horizon=1_000_000, n_seeds=16, far_seeds=8),
    # ours: every search tries more than 10^4 problems, and the whole full ledger stays under an hour
    "full": Profile("full", 5_000, 500, 12_000, last_horizon=10_000_000, n_seeds=24, far_seeds=8),
}
"""Budgets by name."""


@dataclass
class Context:
    """Handed to every check.

    Attributes:
        profile: budgets.
        seed: root of all randomness.
        jobs: worker processes for sweeps.
        on_progress: called with a short text when a long computation advances.
        datasets: sweeps done so far, by key; statements that need the same sweep share it.
    """

    profile: Profile
    seed: int = 0
    jobs: int = 1
    on_progress: Callable[[str], None] = lambda text: None
    datasets: dict[str, xr.Dataset] = field(default_factory=dict)

    def rng(self, *key: int) -> np.random.Generator:
        """A Generator that depends only on the root seed and `key`.

        Args:
            *key: integers that name the use.
        """
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def dataset(self, key: str, compute: Callable[[], xr.Dataset]) -> xr.Dataset:
        """The dataset stored under `key`, computed on first use.

        Args:
            key: stable name, also the file name in the report.
            compute: produces it.
        """
        if key not in self.datasets:
            self.datasets[key] = compute()
        return self.datasets[key]
