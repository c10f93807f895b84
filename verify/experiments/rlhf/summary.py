"""Multi-agent RLHF in numbers: rewards at the start and at the end of the runs, per agent and mean, with intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from verify.experiments.coordination.summary import CONFIDENCE, student_interval
from verify.experiments.rlhf.runs import OPEN

SHARE = 0.1
"""Share of the episodes that count as the start, and as the end; ours."""


@dataclass(frozen=True)
class Gain:
    """What one line came to for one agent, or for their mean.

    Attributes:
        line: its label.
        agent: 1 to 3; 0 for the mean over agents.
        runs: repetitions.
        start: mean reward over the first tenth of the episodes.
        end: over the last tenth.
        gain: end minus start.
        gain_low: its 95 % Student interval over runs, lower end.
        gain_high: upper end.
    """

    line: str
    agent: int
    runs: int
    start: float
    end: float
    gain: float
    gain_low: float
    gain_high: float


def ends(rewards: Float[np.ndarray, "R E"], share: float = SHARE) -> tuple[np.ndarray, np.ndarray]:
    """Mean rewards at the start and at the end of every run.

    Args:
        rewards: by run and episode (or block of episodes).
        share: of the episodes, at least one of them.

    Returns:
        Both (R,).
    """
    window = max(1, round(share * rewards.shape[1]))
    return rewards[:, :window].mean(axis=1), rewards[:, -window:].mean(axis=1)


def gains(data: xr.Dataset) -> list[Gain]:
    """The mean over agents and every agent, line by line.

    Args:
        data: what `verify.experiments.rlhf.runs.run_lines` returned.
    """
    found = []
    for name in data["line"].values:
        table = data["reward"].sel(line=name).transpose("run", "episode", "agent").values
        for agent in range(table.shape[2] + 1):
            curve = table[:, :, agent - 1] if agent else table.mean(axis=2)
            start, end = ends(curve)
            mean, half = (float(x) for x in student_interval(end - start))
            found.append(Gain(
                str(name), agent, len(start), float(start.mean()), float(end.mean()), mean, mean - half, mean + half
            ))  # fmt: skip
    return found


def as_json(data: xr.Dataset, anchor: xr.Dataset | None = None, **settings: Any) -> dict[str, Any]:
    """The summary for programs.

    Args:
        data: what `verify.experiments.rlhf.runs.run_lines` returned.
        anchor: what `verify.experiments.rlhf.runs.run_anchor` returned.
        **settings: what the runs were asked for.
    """
    rows = [asdict(gain) for gain in gains(data)]
    miniature = [] if anchor is None else _miniature(anchor)
    head = {"confidence": CONFIDENCE, "settings": settings, "open": list(OPEN)}
    return {**head, "results": rows, "miniature": miniature}


def _miniature(anchor: xr.Dataset) -> list[dict[str, Any]]:
    """Exact J at both ends of the miniature's runs, by direction; the interval is over its runs."""
    rows = []
    for name in anchor["direction"].values:
        curves = anchor["J"].sel(direction=name).transpose("seed", "episode").values
        mean, half = (float(x) for x in student_interval(curves[:, -1]))
        rows.append({
            "direction": str(name), "runs": len(curves), "start": float(curves[:, 0].mean()), "end": mean,
            "low": mean - half, "high": mean + half, "best": float(anchor.attrs["J_star"]),
        })  # fmt: skip
    return rows
