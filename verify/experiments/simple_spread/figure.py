"""Simple Spread in pictures: a panel per algorithm and kind of rewards, a curve with its interval per setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from verify.experiments.simple_spread.lines import EXACT, TITLES
from verify.experiments.simple_spread.summary import COLUMNS, curve, curve_rows, interval, spread_summaries
from verify.report.figures import (
    _STYLE,
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    Figure,
    _csv,
    _pixels,
    _svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = ((BLUE, "-"), (VERMILION, "--"), (GREEN, "-."), (ORANGE, ":"), (PURPLE, (0, (5, 1, 1, 1, 1, 1))))
"""Colour (Okabe and Ito 2008) and dashes, in turn: the colour is never the only cue."""

LEVELS = (("best", "best policy", "-"), ("own_landmark", "own landmark", "--"), ("uniform", "uniform", ":"))
"""Horizontal lines: entry of the dataset, name, dashes."""

COLUMNS_OF_LEGEND = 2
"""Of the entries below the panels."""

REGRET = "8"
"""The figure that shows regret, best minus reward, since the best depends on N."""


def spread_figure(data: xr.Dataset, figure: str) -> Figure:
    """One panel per algorithm and kind of rewards (what stands before the colon of a label), a curve per line of it.

    Args:
        data: what `verify.experiments.simple_spread.runs.run_lines` returned.
        figure: its number.
    """
    import matplotlib.style
    from matplotlib.figure import Figure as Canvas

    names = [str(n) for n in data["line"].values]
    panels = list(dict.fromkeys(n.split(": ")[0] for n in names))
    labels = sorted(dict.fromkeys(n.split(": ")[1] for n in names), key=lambda label: label.endswith(EXACT))
    looks = _looks(labels)
    rows, horizon = -(-len(panels) // 2), int(data["t"][-1])
    width, height = 5.2, 2.2 * rows + 0.4 + 0.2 * -(-(len(labels) + 1) // COLUMNS_OF_LEGEND)
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        grid = canvas.subplots(rows, -(-len(panels) // rows), squeeze=False, sharex=True, sharey=True)
        for axes, panel in zip(grid.ravel(), panels, strict=True):
            for name in names:
                if name.split(": ")[0] == panel:
                    label = name.split(": ")[1]
                    _draw(axes, data.sel(line=name), label, looks[label], regret=figure == REGRET)
            axes.set_title(_title(panel, named=figure == "5"), fontsize=9)
            if figure != REGRET:
                _draw_levels(axes, data, named=axes in grid[:, -1])
        grid[0, 0].set_ylim(*_limits(data, regret=figure == REGRET))
        for axes in grid[-1]:
            axes.set_xlabel("outer iteration")
            axes.set_xticks([0, horizon // 2, horizon])
        for axes in grid[:, 0]:
            axes.set_ylabel("regret per step" if figure == REGRET else "reward per step")
        found = {
            label: handle
            for axes in grid.ravel()
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        order = [label for label in [*labels, UNIFORM] if label in found]
        canvas.legend([found[label] for label in order], order, loc="outside lower center", ncols=COLUMNS_OF_LEGEND)
        svg = _svg(canvas)
    alt = _alt(data, regret=figure == REGRET)
    return Figure(svg, _csv(COLUMNS, curve_rows(data)), alt, _caption(data, figure), *_pixels(width, height))


UNIFORM = "uniform policies"
"""Label of the dotted lines among regrets."""


def _looks(labels: Sequence[str]) -> dict[str, tuple[str, object]]:
    """The exact critic is black wherever it stands alone; among signals it has colours like the others."""
    alone = sum(label.endswith(EXACT) for label in labels) == 1
    colours = iter(LOOKS)
    return {x: (BLACK, (0, (1, 1))) if alone and x.endswith(EXACT) else next(colours) for x in labels}


def _title(panel: str, *, named: bool) -> str:
    """The kind of rewards is named where a figure has both."""
    reading, _, kind = panel.partition(", ")
    return f"{reading}, {kind or 'shared'} rewards" if named or kind else reading


def _draw(axes: Axes, part: xr.Dataset, label: str, look: tuple[str, object], *, regret: bool) -> None:
    times, rewards, _ = curve(part)
    best, (colour, dashes) = float(part["best"]), look
    triples = np.minimum(np.array([interval(values) for values in rewards]), best)  # no policy earns more
    if regret:
        triples = best - triples[:, [0, 2, 1]]
        if not label.endswith(EXACT):  # it has the same level as the networks of its N
            axes.axhline(best - float(part["uniform"]), color=colour, lw=0.8, ls=":")
        axes.plot([], [], color=GREY, lw=0.8, ls=":", label=UNIFORM)
    axes.fill_between(times, triples[:, 1], triples[:, 2], color=colour, alpha=0.18, lw=0)
    axes.plot(times, triples[:, 0], color=colour, ls=dashes, label=label)


def _limits(data: xr.Dataset, *, regret: bool) -> tuple[float, float]:
    """From the best to the lowest mean, with half of that for intervals: those of very few runs reach beyond."""
    depths, lows = [], []
    for name in data["line"].values:
        part = data.sel(line=name)
        means, ends = np.array([interval(values)[:2] for values in curve(part)[1]]).T
        depths.append(float(part["best"]) - np.nanmin(means, initial=float(part["uniform"])))
        lows.append(float(part["best"]) - np.nanmin(ends, initial=float(part["uniform"])))
    deep, best = min(1.04 * max(lows), 1.5 * max(depths)), float(data["best"][0])
    return (-0.02 * deep, deep) if regret else (best - deep, best + 0.05 * deep)


def _draw_levels(axes: Axes, data: xr.Dataset, *, named: bool) -> None:
    for entry, name, dashes in LEVELS:
        level = float(data[entry][0])
        axes.axhline(level, color=GREY, lw=0.9, ls=dashes, zorder=1)
        if named:
            axes.annotate(
                name, (1, level), xycoords=("axes fraction", "data"), xytext=(3, 0), textcoords="offset points",
                va="center", color=GREY, fontsize=8.5, annotation_clip=False,
            )  # fmt: skip


def _caption(data: xr.Dataset, figure: str) -> str:
    exact = {bool(curve(data.sel(line=name))[2]) for name in data["line"].values}
    rewards = "exact for the policies at that time" if exact == {True} else (
        "exact for the policies at that time with two agents, and what the runs earned with more"
    )  # fmt: skip
    levels = (
        "Dotted: the exact regret of uniform policies."
        if figure == REGRET
        else "Grey, exact: the best joint policy, agents that each walk to a landmark of their own, uniform policies."
    )
    return (
        f"Figure {figure} of zhang2025 run again ({TITLES[figure]}), {data.sizes['run']} repetitions, with pointwise "
        f"95 % Student intervals. Rewards are {rewards}. {levels}"
    )


def _alt(data: xr.Dataset, *, regret: bool) -> str:
    parts = []
    for s in spread_summaries(data):
        values = (s.regret, s.regret_low, s.regret_high) if regret else (s.reward, s.reward_low, s.reward_high)
        final = "final {} {:.3f}, 95 % interval {:.3f} to {:.3f}".format("regret" if regret else "reward", *values)
        parts.append(f"{s.line}: {final}, best {s.best:.3f}.")
    return " ".join(parts)
