"""Where runs of Simple Spread ended, by setting: exact rewards with intervals, beside the best there is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import matplotlib.style
import numpy as np
import xarray as xr
from matplotlib.figure import Figure as Canvas

from verify.experiments.coordination.summary import student_interval
from verify.report.figures import _STYLE, BLACK, BLUE, GREY, Figure, _csv, _pixels, _svg

PREFIX = "spread-N-"
"""How the keys of these datasets begin; the settings that differ from the printed ones follow."""


def spread_ends(datasets: Mapping[str, xr.Dataset]) -> list[tuple[str, Figure]]:
    """A figure per number of agents: last exact reward by setting, with 95 % intervals, start and optimum.

    Args:
        datasets: of a run; those of other experiments are passed over.

    Returns:
        Title and figure.
    """
    groups: dict[int, list[tuple[str, xr.Dataset]]] = {}
    for key, data in sorted(datasets.items()):
        if key.startswith(PREFIX) and {"exact", "start", "best"} <= set(data.data_vars):
            agents = int(data["agents"].values.ravel()[0])
            if np.isfinite(_ends(data)).sum() > 1:
                groups.setdefault(agents, []).append((key, data))
    return [(f"Where runs of {agents} agents ended", _ends_figure(agents, rows)) for agents, rows in groups.items()]


def _ends(data: xr.Dataset) -> np.ndarray:
    return np.asarray(data["exact"].isel(line=0, checkpoint=-1).values)


def _setting(key: str, agents: int) -> str:
    """What a key says beside the number of agents, in words."""
    rest = key.removeprefix(f"{PREFIX}{agents}").strip("-")
    rest = rest.replace("actor-softmax", "softmax").replace("Q-value", "Q value").replace("_", " ")
    rest = re.sub(r"(reading|rewards|critic(?: iterations)?|batch|depth|width|radius|gossip rounds)-", r"\1 ", rest)
    return rest.replace(",-", ", ").replace("-", ", ") or "network actors"


def _ends_figure(agents: int, group: Sequence[tuple[str, xr.Dataset]]) -> Figure:
    rows = []
    for key, data in group:
        ends, starts = _ends(data), np.asarray(data["start"].isel(line=0).values)
        ends, finite = ends[np.isfinite(ends)], starts[np.isfinite(starts)]
        mean, half = (float(x) for x in student_interval(ends))
        start = float(finite.mean()) if finite.size else float("nan")
        rows.append((_setting(key, agents), len(ends), mean, mean - half, mean + half, start))
    best = float(group[0][1]["best"].values.ravel()[0])
    width, height = 5.2, 0.42 * len(rows) + 1.2
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        axes = canvas.add_subplot()
        for k, (name, count, mean, low, high, start) in enumerate(rows):
            axes.plot([low, high], [k, k], color=BLUE, lw=1.6)
            axes.plot(mean, k, "o", color=BLUE, ms=5.5, label="mean at the end, 95 % interval" if k == 0 else None)
            axes.plot(start, k, "|", color=GREY, ms=11, mew=1.6, label="mean at the start" if k == 0 else None)
            axes.text(
                0, k - 0.2, f"{name} (n = {count})", transform=axes.get_yaxis_transform(), va="bottom", fontsize=8.5,
                parse_math=False,
            )  # fmt: skip
        axes.axvline(best, color=BLACK, lw=1.6)
        axes.plot([], [], color=BLACK, lw=1.6, label="best reward")
        axes.set_ylim(len(rows) - 0.4, -0.8)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("exact expected reward per step")
        canvas.legend(loc="outside lower left", ncols=2)
        svg = _svg(canvas)
    table = _csv(("setting", "runs", "mean", "low", "high", "start", "best"),
                 [(*row, best) for row in rows])  # fmt: skip
    words = "; ".join(f"{name}: {mean:.3f} [{low:.3f}, {high:.3f}]" for name, _, mean, low, high, _ in rows)
    alt = f"Exact reward per step at the end, {agents} agents, means with 95 % intervals. {words}. Best: {best:.3f}."
    caption = (
        "Exact expected reward per step of the last policies, mean over runs with 95\N{NO-BREAK SPACE}% Student "
        "intervals; grey: the same at the start; black: the best reward of any policies. Names say what differs from "
        "the printed defaults."
    )
    return Figure(svg, table, alt, caption, *_pixels(width, height))
