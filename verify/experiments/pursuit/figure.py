"""The figure of the pursuit experiment: returns on PettingZoo's board, and J against J* on the miniature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from verify.experiments.coordination.summary import student_interval
from verify.experiments.pursuit.plan import LISTING, WITH_ENTROPY
from verify.experiments.pursuit.runs import LineResult
from verify.experiments.pursuit.summary import Interval, curve, end_of, gain
from verify.report.figures import _STYLE, BLACK, BLUE, GREEN, GREY, PURPLE, VERMILION, Figure, _csv, _pixels, _svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOK = {
    "CAC": (BLUE, "-"), "DAC": (GREEN, "--"), "MDAC": (VERMILION, "-."),
    LISTING: (PURPLE, "--"), WITH_ENTROPY: (BLUE, "-"),
}  # fmt: skip
"""Colour and line of every line of the figure; the colour is never the only cue."""

COLUMNS = ("line", "quantity", "tuples", "mean", "low", "high", "runs")
"""Of the CSV file."""


def pursuit_figure(found: Sequence[LineResult]) -> Figure:
    """Returns of the three algorithms, exact J of CAC on the miniature below J*, and the cosines to grad J there.

    Args:
        found: what `verify.experiments.pursuit.runs.run_plan` returned.

    Raises:
        ValueError: nothing to draw.
    """
    import matplotlib.style
    from matplotlib.figure import Figure as Canvas

    if not found:
        raise ValueError("there are no lines to draw")
    board, exact = [r for r in found if not r.line.exact], [r for r in found if r.line.exact]
    panels = bool(board) + 2 * bool(exact)
    width, height = max(4.2, 3.2 * panels), 3.4
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        axes = list(canvas.subplots(1, panels, squeeze=False)[0])
        if board:
            _draw_returns(axes.pop(0), board)
        if exact:
            _draw_exact(axes[0], exact)
            _draw_cosines(axes[1], exact)
        svg = _svg(canvas)
    caption = (
        "Pursuit-evasion of zeng2022 Sec. 5 with convolutional actors and critics; bands are pointwise 95 % Student "
        "intervals over runs."
    )
    if board:
        caption += f" {'Left: m' if exact else 'M'}ean return of an episode on PettingZoo's board."
    if exact:
        caption += (
            " Exact J on the miniature; the grey line is J*. Right: cosine of the angle between the exact mean update "
            "(its entropy term aside) and grad J there, with the run's own critics and with the exact values in their "
            "place."
        )
    return Figure(svg, _csv(COLUMNS, _rows(found)), _alt(found), caption, *_pixels(width, height))


def _draw_returns(axes: Axes, board: Sequence[LineResult]) -> None:
    for result in board:
        blocks, mean, half = curve(result.returns)
        _band(axes, result, blocks * result.line.settings.samples_per_episode, mean, half)
    axes.set_xlabel("tuples (joint steps)")
    axes.set_ylabel("return of an episode")
    axes.set_title("PettingZoo pursuit")
    axes.legend()


def _draw_exact(axes: Axes, exact: Sequence[LineResult]) -> None:
    best = exact[0].optimum
    axes.axhline(best, color=GREY, lw=0.8)
    axes.annotate(
        f"J* = {best:.3f}", (0.02, best), (0, -10), xycoords=("axes fraction", "data"), textcoords="offset points",
        color=GREY,
    )  # fmt: skip
    for result in exact:
        mean, half = student_interval(result.measured["J"])
        _band(axes, result, waves(result), mean, half, ceiling=result.optimum)
    axes.set_xlabel("tuples (joint steps)")
    axes.set_ylabel("exact J")
    axes.set_ylim(bottom=min(-0.4, axes.get_ylim()[0]))  # room for the legend
    axes.set_title("miniature: learned against optimal")
    axes.legend(loc="lower right")


def _draw_cosines(axes: Axes, exact: Sequence[LineResult]) -> None:
    shown = exact[-1]
    for name, label, colour, line in (
        ("exact_critic", "exact values", BLACK, "-"), ("trained", "own critics", LOOK[shown.line.name][0], "--")
    ):  # fmt: skip
        mean, half = student_interval(shown.measured[name])
        x = waves(shown)
        axes.fill_between(x, np.maximum(mean - half, -1), np.minimum(mean + half, 1), color=colour, alpha=0.18, lw=0)
        axes.plot(x, mean, color=colour, ls=line, label=label)
    axes.set_ylim(-1.02, 1.05)
    axes.set_xlabel("tuples (joint steps)")
    axes.set_ylabel("cosine to grad J")
    axes.set_title(f"mean update of {shown.line.name}")
    axes.legend(loc="lower right")


def waves(result: LineResult) -> np.ndarray:
    """Tuples drawn by each exact measurement, one number per measurement.

    Args:
        result: a line on the miniature.
    """
    line, points = result.line, result.measured["J"].shape[1]
    return np.minimum(np.arange(points) * line.wave, line.settings.episodes) * line.settings.samples_per_episode


def _band(
    axes: Axes, result: LineResult, x: np.ndarray, mean: np.ndarray, half: np.ndarray, ceiling: float = np.inf
) -> None:
    colour, line = LOOK[result.line.name]
    axes.fill_between(x, mean - half, np.minimum(mean + half, ceiling), color=colour, alpha=0.18, lw=0)
    axes.plot(x, mean, color=colour, ls=line, label=result.line.name)


def _rows(found: Sequence[LineResult]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for result in found:
        line = result.line
        blocks, mean, half = curve(result.returns)
        series = [("return", blocks * line.settings.samples_per_episode, mean, half)]
        for name, values in result.measured.items():
            series.append((name, waves(result), *student_interval(values)))
        for name, x, middle, width in series:
            for t, m, h in zip(x, middle, width, strict=True):
                rows.append((line.name, name, int(t), float(m), float(m - h), float(m + h), line.runs))
    return rows


def _alt(found: Sequence[LineResult]) -> str:
    parts = []
    for result in found:
        if result.line.exact:
            J = Interval.of(result.measured["J"][:, -1])
            parts.append(f"{result.line.name} on the miniature: J at the end {J} of {result.optimum:.3f}.")
        else:
            end = Interval.of(end_of(result.returns))
            parts.append(f"{result.line.name}: return at the end {end}, gain {gain(result.returns)}.")
    return " ".join(parts) + " In brackets 95 % intervals."
