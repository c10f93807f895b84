"""Simple Spread in numbers and pictures: curves with Student intervals, CSV, and a summary for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from verify.experiments.coordination.summary import CONFIDENCE, student_interval
from verify.experiments.simple_spread.runs import EXACT_AGENTS, OPEN, TITLES
from verify.figures import _STYLE, BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, Figure, _csv, _pixels, _svg

LOOKS = ((BLUE, "-"), (VERMILION, "--"), (GREEN, "-."), (ORANGE, ":"), (PURPLE, "-"), (SKY, "--"), (BLACK, "-."))
"""Colour (Okabe and Ito 2008) and dashes, in turn: the colour is never the only cue within a panel."""

COLUMNS = ("line", "agents", "iteration", "reward", "low", "high", "exact", "runs", "best_low", "best_high")
"""Names of the entries of `curve_rows`. ``exact`` is 1 for exact rewards of the policies, 0 for rewards earned."""


@dataclass(frozen=True)
class LineSummary:
    """What one line of a figure came to.

    Attributes:
        line: its label.
        agents: N.
        runs: repetitions that stayed finite.
        failed: repetitions that left the floating point range.
        reward: mean reward per step at the end, exact for the last policies up to three agents, else earned.
        reward_low: its 95 % Student interval, lower end.
        reward_high: upper end.
        gain: the same minus that of the first policies, which are the untrained ones; NaN where not exact.
        gain_low: lower end.
        gain_high: upper end.
        best_low: a policy earns at least this.
        best_high: no policy earns more.
        regret_low: best_low minus reward_high.
        regret_high: best_high minus reward_low.
        without_step: share of agent-iterations whose direction was zero (0/0 in the listing).
    """

    line: str
    agents: int
    runs: int
    failed: int
    reward: float
    reward_low: float
    reward_high: float
    gain: float
    gain_low: float
    gain_high: float
    best_low: float
    best_high: float
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
        agents, failed = int(part["agents"]), int(part["failed"].sum())
        last = part.isel(checkpoint=-1)
        rewards = last["exact" if agents <= EXACT_AGENTS else "earned"].values
        reward = _interval(rewards)
        gain = _interval(last["exact"].values - part["start"].values)
        low, high = float(part["best_low"]), float(part["best_high"])
        steps = float(part["zero_directions"].mean()) / (agents * int(data["t"][-1]))
        found.append(LineSummary(
            str(name), agents, len(rewards) - failed, failed, *reward, *gain, low, high, low - reward[2],
            high - reward[1], steps,
        ))  # fmt: skip
    return found


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return (float("nan"),) * 3
    mean, half = (float(x) for x in student_interval(finite))
    return mean, mean - half, mean + half


def curve_rows(data: xr.Dataset) -> list[tuple[object, ...]]:
    """The curves as rows in the order of `COLUMNS`.

    Args:
        data: what `verify.experiments.simple_spread.runs.run_lines` returned.
    """
    rows: list[tuple[object, ...]] = []
    for name in data["line"].values:
        part = data.sel(line=name)
        exact = _is_exact(part)
        curves = part["exact" if exact else "earned"].transpose("run", "checkpoint").values
        bounds = float(part["best_low"]), float(part["best_high"])
        for k, t in enumerate(data["t"].values):
            finite = int(np.isfinite(curves[:, k]).sum())
            rows.append((str(name), int(part["agents"]), int(t), *_interval(curves[:, k]), int(exact), finite, *bounds))
    return rows


def _is_exact(part: xr.Dataset) -> bool:
    return int(part["agents"]) == 2


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


def spread_figure(data: xr.Dataset, figure: str) -> Figure:
    """One panel per algorithm (what stands before the colon of a label), a curve per line of it.

    Args:
        data: what `verify.experiments.simple_spread.runs.run_lines` returned.
        figure: its number.
    """
    import matplotlib.style
    from matplotlib.figure import Figure as Canvas

    names = [str(n) for n in data["line"].values]
    panels = list(dict.fromkeys(n.split(":")[0] for n in names))
    width, height = 2.0 + 2.4 * len(panels), 3.4
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        axes = canvas.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for axis, panel in zip(axes, panels, strict=True):
            inside = [n for n in names if n.split(":")[0] == panel]
            for name, (colour, dashes) in zip(inside, LOOKS, strict=False):
                _draw(axis, data.sel(line=name), name.split(": ")[1], colour, dashes)
            axis.set_title(panel, fontsize=9)
            axis.set_xlabel("outer iteration")
            axis.legend(loc="center right")
        axes[0].set_ylabel("reward per step")
        svg = _svg(canvas)
    caption = (
        f"Figure {figure} of zhang2025 run again ({TITLES[figure]}), {data.sizes['run']} repetitions, with pointwise "
        "95 % Student intervals. With two agents rewards are exact for the policies at that time, with more they are "
        "what the runs earned. The grey lines are the best reward of any joint policy (bounds with four agents)."
    )
    return Figure(svg, _csv(COLUMNS, curve_rows(data)), _alt(data), caption, *_pixels(width, height))


def _draw(axis: Any, part: xr.Dataset, label: str, colour: str, dashes: str) -> None:
    curves = part["exact" if _is_exact(part) else "earned"].transpose("run", "checkpoint").values
    triples = np.array([_interval(column) for column in curves.T])
    times = part["t"].values
    for bound in {float(part["best_low"]), float(part["best_high"])}:
        axis.axhline(bound, color=GREY, lw=0.8)
    axis.fill_between(times, triples[:, 1], triples[:, 2], color=colour, alpha=0.18, lw=0)
    axis.plot(times, triples[:, 0], color=colour, ls=dashes, label=label)


def _alt(data: xr.Dataset) -> str:
    return " ".join(
        f"{s.line}: final reward {s.reward:.3f}, 95 % interval {s.reward_low:.3f} to {s.reward_high:.3f}, best "
        f"{s.best_low:.3f} to {s.best_high:.3f}." for s in spread_summaries(data)
    )
