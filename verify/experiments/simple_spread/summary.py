"""Simple Spread in numbers: final rewards, gains and regrets with Student intervals, curves as rows, JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from verify.experiments.coordination.summary import CONFIDENCE, student_interval
from verify.experiments.simple_spread.lines import OPEN, TITLES

COLUMNS = (
    "line", "agents", "iteration", "reward", "low", "high", "exact", "runs", "best", "own_landmark", "uniform",
)  # fmt: skip
"""Names of the entries of `curve_rows`. ``exact`` is 1 for exact rewards of the policies, 0 for rewards earned."""


@dataclass(frozen=True)
class LineSummary:
    """What one line of a figure came to.

    Attributes:
        line: its label.
        agents: N.
        runs: repetitions that stayed finite.
        failed: repetitions that left the floating point range.
        exact: whether the reward at the end is the exact one of the last policies; else what was earned since the
            last checkpoint but one.
        reward: mean reward per step at the end.
        reward_low: its 95 % Student interval, lower end.
        reward_high: upper end.
        gain: the same minus that of the first policies, which are the untrained ones; NaN where not exact.
        gain_low: lower end.
        gain_high: upper end.
        best: exact mean reward per step of the best joint policy.
        regret: best minus reward.
        regret_low: lower end.
        regret_high: upper end.
        without_step: share of agent-iterations whose direction was zero (0/0 in the listing).
    """

    line: str
    agents: int
    runs: int
    failed: int
    exact: bool
    reward: float
    reward_low: float
    reward_high: float
    gain: float
    gain_low: float
    gain_high: float
    best: float
    regret: float
    regret_low: float
    regret_high: float
    without_step: float


def spread_summaries(data: xr.Dataset) -> list[LineSummary]:
    """One summary per line.

    Args:
        data: what `verify.experiments.simple_spread.runs.run_lines` returned.
    """
    found = []
    for name in data["line"].values:
        part = data.sel(line=name)
        agents, failed, best = int(part["agents"]), int(part["failed"].sum()), float(part["best"])
        last = part.isel(checkpoint=-1)
        exact = bool(np.isfinite(last["exact"].values).any())
        rewards = last["exact" if exact else "earned"].values
        mean, low, high = interval(rewards)
        gain = interval(last["exact"].values - part["start"].values)
        steps = float(part["zero_directions"].mean()) / (agents * int(data["t"][-1]))
        found.append(LineSummary(
            str(name), agents, len(rewards) - failed, failed, exact, mean, low, high, *gain,
            best, best - mean, best - high, best - low, steps,
        ))  # fmt: skip
    return found


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean of the finite values with its 95 % Student interval; NaN of fewer than two.

    Args:
        values: one per run.
    """
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return (float("nan"),) * 3
    mean, half = (float(x) for x in student_interval(finite))
    return mean, mean - half, mean + half


def curve(part: xr.Dataset) -> tuple[np.ndarray, np.ndarray, bool]:
    """Times, rewards by time and run, and whether they are exact; then the start is among the times.

    Args:
        part: one line of the dataset, with C checkpoints and R runs.

    Returns:
        Times (T,), rewards (T, R), and whether they are exact: T is C + 1 if so, else C.
    """
    times = part["t"].values
    exact = part["exact"].transpose("checkpoint", "run").values
    if not np.isfinite(exact[0]).any():
        return times, part["earned"].transpose("checkpoint", "run").values, False
    return np.append(0, times), np.vstack([part["start"].values, exact]), True


def curve_rows(data: xr.Dataset) -> list[tuple[object, ...]]:
    """The curves as rows in the order of `COLUMNS`.

    Args:
        data: what `verify.experiments.simple_spread.runs.run_lines` returned.
    """
    rows: list[tuple[object, ...]] = []
    for name in data["line"].values:
        part = data.sel(line=name)
        times, rewards, exact = curve(part)
        known = [float(part[level]) for level in COLUMNS[-3:]]
        for t, values in zip(times, rewards, strict=True):
            finite = int(np.isfinite(values).sum())
            rows.append((str(name), int(part["agents"]), int(t), *interval(values), int(exact), finite, *known))
    return rows


def spread_json(data: xr.Dataset, figure: str, **settings: Any) -> dict[str, Any]:
    """The summary for programs; numbers that are not finite are None.

    Args:
        data: what `verify.experiments.simple_spread.runs.run_lines` returned.
        figure: its number.
        **settings: what the runs were asked for.
    """
    rows = [
        {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in asdict(s).items()}
        for s in spread_summaries(data)
    ]
    head = {"figure": figure, "varies": TITLES[figure], "confidence": CONFIDENCE}
    return {**head, "settings": settings, "open": list(OPEN), "results": rows}
