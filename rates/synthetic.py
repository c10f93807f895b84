"""Synthetic sweeps with known exponent, floor and noise, to measure what a fit makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rates.sweep import geometric_horizons

Noise = Literal["log-normal", "gamma", "inverse gamma"]
"""Law of a seed's factor, mean one. The inverse gamma has the heaviest tail: at 50 % noise its sixth moment is
infinite."""

NOISES: tuple[Noise, ...] = ("log-normal", "gamma", "inverse gamma")

EXPONENT = 0.4
"""True exponent of the synthetic data."""

FULL = "24, 8 beyond 10^6"

SEEDS: dict[str, tuple[int, int]] = {"8": (8, 8), "24": (24, 24), FULL: (24, 8)}
"""Seeds up to T = 10^6 and beyond; the last is meant for the full profile."""


@dataclass(frozen=True)
class Setting:
    """One row: how the data are made.

    Attributes:
        noise: law of the seeds' factors.
        spread: standard deviation of a seed over the mean excess.
        seeds: key of `SEEDS`.
        floor: true floor, with a unit coefficient of the power.
        known: whether the fit is told the floor.
        all_horizons: whether a fit above a known floor starts at the first horizon, not at the upper half.
    """

    noise: Noise
    spread: float
    seeds: str
    floor: float = 0.0
    known: bool = True
    all_horizons: bool = False


def horizons() -> np.ndarray:
    """The horizons of the full profile: half decades from 10^3 to 10^7, (H,)."""
    return np.array(geometric_horizons(1_000, 10_000_000))


def synthetic(setting: Setting, replications: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Data sets ``floor + T^-0.4 X`` with independent factors X of mean one.

    Args:
        setting: noise, seeds and floor.
        replications: number of data sets.
        rng: of the factors.

    Returns:
        Values, shape (replications, H, S), and the number of seeds of each horizon, shape (H,).
    """
    T, (many, few) = horizons(), SEEDS[setting.seeds]
    counts = np.where(T <= 1_000_000, many, few)
    shape, c = (replications, T.size, int(counts.max())), setting.spread
    if setting.noise == "log-normal":
        factor = rng.lognormal(-np.log1p(c**2) / 2, np.sqrt(np.log1p(c**2)), size=shape)
    elif setting.noise == "gamma":
        factor = rng.gamma(1 / c**2, c**2, size=shape)
    else:
        factor = (1 + 1 / c**2) / rng.gamma(2 + 1 / c**2, 1.0, size=shape)
    return setting.floor + T[:, None] ** -EXPONENT * factor, counts
