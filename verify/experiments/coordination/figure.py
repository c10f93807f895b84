"""The figure of the coordination game: reward curves with intervals, and where the runs ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from verify.experiments.coordination.summary import CURVE_COLUMNS, Summary, curve_rows, student_interval, summaries
from verify.report.figures import (
    _STYLE,
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Figure,
    _csv,
    _pixels,
    _svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOK = {
    "CAC": (BLUE, "-", "o"),
    "IAC": (ORANGE, ":", "v"),
    "DAC": (GREEN, "--", "s"),
    "MDAC": (VERMILION, "-.", "D"),
    "IAC, model": (PURPLE, ":", "^"),
    "DAC, before": (SKY, "--", "P"),
    "MDAC, model": (BLACK, "-.", "X"),
    "MDAC, 5 x 1": (GREY, "-.", "*"),
}
"""Colour, line and marker of each algorithm and reading: the colour (Okabe and Ito 2008) is never the only cue."""


def coordination_figure(data: xr.Dataset) -> Figure:
    """Curves of the exact expected team reward above, shares of efficient endings with Wilson intervals below.

    Args:
        data: what `verify.experiments.coordination.runs.coordination` returned.
    """
    import matplotlib.style
    from matplotlib.figure import Figure as Canvas

    agents, found = [int(N) for N in data["agents"].values], summaries(data)
    width, height = max(5.2, 3.4 * len(agents)), 3.9 + 0.18 * len(data["algorithm"])
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        grid = canvas.subplots(2, len(agents), squeeze=False, height_ratios=[3, 1.4])
        for k, N in enumerate(agents):
            _draw_curves(grid[0, k], data.sel(agents=N), N)
            _draw_shares(grid[1, k], [s for s in found if s.agents == N])
        grid[0, 0].set_ylabel("expected team reward")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside upper center", ncols=4)
        svg = _svg(canvas)
    pixels = _pixels(width, height)
    runs = data.sizes["run"]
    caption = (
        f"Coordination game of zeng2022 Sec. 5, {runs} runs. Above: mean exact expected team reward per step with "
        "pointwise 95 % Student intervals; the grey line is the best any profile earns. Below: share of runs that "
        "ended at an efficient equilibrium with 95 % Wilson intervals."
    )
    return Figure(svg, _csv(CURVE_COLUMNS, curve_rows(data)), _alt(found), caption, *pixels)


def _draw_curves(axes: Axes, data: xr.Dataset, agents: int) -> None:
    times = data["t"].values + 1
    best = float(data["best"])
    axes.axhline(best, color=GREY, lw=0.8)
    for name in data["algorithm"].values:
        colour, line, _ = LOOK[str(name)]
        mean, half = student_interval(data["reward"].sel(algorithm=name).transpose("run", "checkpoint").values)
        axes.fill_between(times, mean - half, np.minimum(mean + half, best), color=colour, alpha=0.18, lw=0)
        axes.plot(times, mean, color=colour, ls=line, label=str(name))
    axes.set_xscale("log")
    axes.set_xlabel("iteration")
    axes.set_title(f"N = {agents}", fontsize=9)


def _draw_shares(axes: Axes, found: list[Summary]) -> None:
    for k, s in enumerate(found):
        colour, _, marker = LOOK[s.algorithm]
        axes.plot([s.low, s.high], [-k, -k], color=colour, lw=1.6)
        axes.plot([s.probability], [-k], marker, color=colour, ms=5, clip_on=False)
    axes.set_yticks([-k for k in range(len(found))], [s.algorithm for s in found])
    axes.set_ylim(0.5 - len(found), 0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share ending efficient")


def _alt(found: list[Summary]) -> str:
    parts = [
        f"N = {s.agents}, {s.algorithm}: final reward {s.reward:.2f} of {s.best:.2f}, efficient in {s.counts[0]} of "
        f"{s.runs} runs, 95 % interval {s.low:.2f} to {s.high:.2f}."
        for s in found
    ]
    return " ".join(parts)
