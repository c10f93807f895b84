"""What `lemmata sweep` can sweep, and how its options are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from algorithms.cac import METRICS
from rates.sweep import geometric_horizons, require_horizons
from verify.experiments.cac import METRIC_EVERY, STEPS, run_cac

MOST_HORIZON = 10**12
"""Longest horizon; ours: it takes a day at ten million iterations a second; a longer one is a slip of the keyboard."""

MOST_SEEDS = 10**6
"""Most runs at a horizon; ours: their standard errors are far below any effect that is asked about."""


@dataclass(frozen=True)
class Experiment:
    """What can be swept.

    Attributes:
        run: called with instance, sampling, horizon and seed.
        samplings: allowed values of ``--sampling``.
        metrics: what a run reports.
        config: further parameters that the results depend on.
        trial_horizon: shortest run, which shows at once whether the experiment suits the instance.
    """

    run: Callable[..., Mapping[str, float]]
    samplings: tuple[str, ...]
    metrics: tuple[str, ...]
    config: Mapping[str, Any]
    trial_horizon: int


EXPERIMENTS = {
    "cac": Experiment(
        run_cac, ("single", "double"),
        (*METRICS, "critic_total_td", "critic_total_bellman", "critic_total_td_error", "stationarity"),
        {"steps": STEPS, "metric_every": METRIC_EVERY}, METRIC_EVERY,
    )
}
"""Experiments by the name of their algorithm."""


def parse_horizons(text: str) -> list[int]:
    """A grid from ``first:last``, ``first:last:points per decade`` or ``T1,T2,...``; 1e6 is a number.

    Args:
        text: of the option.

    Raises:
        ValueError: not a grid, or not increasing.
    """
    if ":" not in text:
        return require_horizons([_whole("horizons", part, MOST_HORIZON) for part in text.split(",")])
    parts = [_whole("horizons", part, MOST_HORIZON) for part in text.split(":")]
    form = f"horizons is {text!r}; a grid is first:last or first:last:points per decade, as 1e3:1e6:2"
    if len(parts) not in (2, 3):
        raise ValueError(form)
    for name, part in zip(("first", "last", "points per decade"), parts, strict=False):
        if part < 1:
            raise ValueError(f"{form}; here {name} is {part}, and it is at least 1")
    return geometric_horizons(*parts)


def parse_seeds(text: str, horizons: list[int]) -> list[int]:
    """Seeds for each horizon from ``24`` or ``24:1e6,8`` (24 up to T = 1e6, 8 beyond; any number of steps).

    Args:
        text: of the option.
        horizons: the grid.

    Raises:
        ValueError: not such a text, limits not increasing, or no seeds.
    """
    *steps, last = text.split(",")
    limits: list[tuple[int, int]] = []
    for step in steps:
        count, colon, limit = step.partition(":")
        if not colon:
            raise ValueError(f"seeds is {text!r}; it is a number, or as 24:1e6,8 (24 up to T = 1e6, 8 beyond)")
        limits.append((_whole("seeds", limit, MOST_HORIZON), _whole("seeds", count, MOST_SEEDS)))
    if [T for T, _ in limits] != sorted({T for T, _ in limits}):
        raise ValueError(f"seeds is {text!r}; its horizons must increase")
    rest = _whole("seeds", last, MOST_SEEDS)
    if min([rest, *(n for _, n in limits)]) < 1:
        raise ValueError(f"seeds is {text!r}; a sweep needs at least one seed per horizon")
    return [next((n for limit, n in limits if limit >= T), rest) for T in horizons]


def _whole(name: str, text: str, most: int) -> int:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number) or number != int(number):
        raise ValueError(f"{name} contains {text.strip()!r}, which is not a whole number")
    if number > most:
        raise ValueError(f"{name} contains {text.strip()}; at most {most:.0e} makes sense")
    return int(number)
