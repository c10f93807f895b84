"""Figure 4 of zhang2025 run again: rewards by episode with intervals, and the exact miniature beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from jaxtyping import Float

from verify.experiments.coordination.summary import student_interval
from verify.experiments.rlhf.summary import gains
from verify.report.figures import _STYLE, BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION, Figure, _csv, _pixels, _svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = {0: (BLACK, "-", 1.9), 1: (BLUE, "--", 1.1), 2: (ORANGE, "-.", 1.1), 3: (GREEN, ":", 1.5)}
"""Colour (Okabe and Ito 2008), dashes and width by agent; 0 is their mean."""

MINIATURE = {"printed": (VERMILION, "--"), "repaired": (BLUE, "-")}
"""The same for the miniature's curves, by direction."""

WINDOW = 5
"""Episodes of a mean. Source: zhang2025 Fig. 4, "moving average was applied over every 5 episodes"."""

POINTS = 20
"""Most points of a curve, ours: longer runs are drawn as means over longer blocks; the CSV has blocks of `WINDOW`."""

COLUMNS = ("line", "agent", "first_episode", "last_episode", "reward", "low", "high", "runs")
"""Names of the entries of `curve_rows`; agent 0 is the mean of the three."""

MINI_COLUMNS = ("direction", "seed", "episode", "J", "J_star")
"""Names of the columns of the miniature's data."""


def blocks(rewards: Float[np.ndarray, "R E ..."], window: int = WINDOW) -> Float[np.ndarray, "R B ..."]:
    """Means over successive blocks of episodes; what does not fill a block at the end is left out.

    Args:
        rewards: by run and episode.
        window: episodes of a block; at most all of them are.
    """
    window = min(window, rewards.shape[1])
    count = rewards.shape[1] // window
    cut = rewards[:, : count * window]
    found: np.ndarray = cut.reshape(len(cut), count, window, *cut.shape[2:]).mean(axis=2)
    return found


def curve_rows(data: xr.Dataset, window: int = WINDOW) -> list[tuple[object, ...]]:
    """The curves as rows in the order of `COLUMNS`, with pointwise 95 % Student intervals over runs.

    Args:
        data: what `verify.experiments.rlhf.runs.run_lines` returned.
        window: episodes of a block.
    """
    rows: list[tuple[object, ...]] = []
    for name in data["line"].values:
        for agent in (0, *data["agent"].values):
            curves = blocks(_curves(data, str(name), int(agent)), window)
            mean, half = student_interval(curves)
            for k in range(curves.shape[1]):
                ends = (k * window + 1, (k + 1) * window)
                values = (float(mean[k]), float(mean[k] - half[k]), float(mean[k] + half[k]))
                rows.append((str(name), int(agent), *ends, *values, len(curves)))
    return rows


def rlhf_figure(data: xr.Dataset, anchor: xr.Dataset | None = None, window: int | None = None) -> Figure:
    """A panel per line, with a curve per agent and one for their mean, and one for the miniature.

    Args:
        data: what `verify.experiments.rlhf.runs.run_lines` returned.
        anchor: what `algorithms.deep.rlhf.anchor.anchor_curves` returned.
        window: episodes of a mean; by default the paper's, or more, so that there are at most `POINTS` of them.
    """
    import matplotlib.style
    from matplotlib.figure import Figure as Canvas

    names = [str(n) for n in data["line"].values]
    count = len(names) + (anchor is not None)
    width, height = 0.6 + 2.7 * count, 3.7
    window = window or max(WINDOW, data.sizes["episode"] // POINTS)
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        axes = canvas.subplots(1, count, squeeze=False)[0]
        for axis, name in zip(axes, names, strict=False):
            axis.sharey(axes[0])
            _draw(axis, data, name, window)
        axes[0].set_ylabel("scaled reward per turn")
        handles, labels = axes[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower left", ncols=4)
        if anchor is not None:
            _draw_anchor(axes[-1], anchor)
        svg = _svg(canvas)
    caption = (
        f"Figure 4 of zhang2025 run again, {data.sizes['run']} runs: scaled reward per turn of three language models, "
        f"each paid by a reward model of its own, as means over {window} episodes with pointwise 95 % Student "
        "intervals over runs."
    )
    if anchor is not None:
        caption += (
            f" Right: the same loop on a dialogue that is a finite MDP: exact J of its policies in "
            f"{anchor.sizes['seed']} runs (thin) and their mean, and the best that any policy reaches (grey)."
        )
    return Figure(svg, _csv(COLUMNS, curve_rows(data)), _alt(data, anchor), caption, *_pixels(width, height))


def miniature_csv(anchor: xr.Dataset) -> str:
    """The miniature's curves as CSV, columns `MINI_COLUMNS`.

    Args:
        anchor: what `algorithms.deep.rlhf.anchor.anchor_curves` returned.
    """
    best = repr(float(anchor.attrs["J_star"]))
    rows = [
        (str(name), int(seed), int(episode), repr(float(anchor["J"].sel(direction=name, seed=seed, episode=episode))),
         best)
        for name in anchor["direction"].values
        for seed in anchor["seed"].values
        for episode in anchor["episode"].values
    ]  # fmt: skip
    return _csv(MINI_COLUMNS, rows)


def _curves(data: xr.Dataset, name: str, agent: int) -> Float[np.ndarray, "R E"]:
    table = data["reward"].sel(line=name).transpose("run", "episode", "agent").values
    curves: np.ndarray = table[:, :, agent - 1] if agent else table.mean(axis=2)
    return curves


def _draw(axis: Axes, data: xr.Dataset, name: str, window: int) -> None:
    for agent, (colour, dashes, width) in LOOKS.items():
        curves = blocks(_curves(data, name, agent), window)
        times = (np.arange(curves.shape[1]) + 0.5) * min(window, data.sizes["episode"])
        mean, half = student_interval(curves)
        axis.fill_between(times, mean - half, mean + half, color=colour, alpha=0.13, lw=0)
        label = f"agent {agent}" if agent else "mean of the agents"
        axis.plot(times, mean, color=colour, ls=dashes, lw=width, label=label, zorder=4 - agent)
    axis.axhline(float(_start(data)), color=GREY, lw=0.7)
    axis.set_title(name, fontsize=9)
    axis.set_xlabel("episode")


def _start(data: xr.Dataset) -> float:
    """Mean reward of all runs at the start: all begin as the same models."""
    return float(np.mean([g.start for g in gains(data) if g.agent == 0]))


def _draw_anchor(axis: Axes, anchor: xr.Dataset) -> None:
    episodes = anchor["episode"].values
    for name in anchor["direction"].values:
        colour, dashes = MINIATURE[str(name)]
        curves = anchor["J"].sel(direction=name).transpose("seed", "episode").values
        for curve in curves:
            axis.plot(episodes, curve, color=colour, ls=dashes, lw=0.6, alpha=0.6)
        axis.plot(episodes, curves.mean(axis=0), color=colour, ls=dashes, label=str(name))
    axis.axhline(anchor.attrs["J_star"], color=GREY, lw=0.9)
    axis.annotate(
        "J*", (0.02, anchor.attrs["J_star"]), xycoords=("axes fraction", "data"), xytext=(0, -3),
        textcoords="offset points", color=GREY, va="top",
    )
    axis.margins(y=0.1)
    axis.set_title("miniature, exact J", fontsize=9)
    axis.set_xlabel("episode")
    axis.legend(loc="center right")


def _alt(data: xr.Dataset, anchor: xr.Dataset | None) -> str:
    parts: Sequence[str] = [
        f"{g.line}, {f'agent {g.agent}' if g.agent else 'mean of the agents'}: from {g.start:.3f} to {g.end:.3f}, gain "
        f"{g.gain:.3f}, 95 % interval {g.gain_low:.3f} to {g.gain_high:.3f}."
        for g in gains(data)
    ]
    if anchor is None:
        return " ".join(parts)
    ends = [
        f"{name} from {float(part.isel(episode=0).mean()):.4f} to {float(part.isel(episode=-1).mean()):.4f}"
        for name in anchor["direction"].values
        for part in [anchor["J"].sel(direction=name)]
    ]
    return " ".join([*parts, f"Miniature, exact J: {', '.join(ends)}; best {anchor.attrs['J_star']:.4f}."])
