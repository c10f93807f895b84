"""The figure of zhang2025 Theorem 5.10's terms, each measured alone, under the printed and the repaired direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from verify.experiments.terms.runs import local_slopes
from verify.figures import _STYLE, BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION, Figure, _csv, _pixels, _svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOK = {
    "(1)": (
        ("printed", "printed: no step", VERMILION, "s"), ("valley", "exact direction, valley", BLUE, "o"),
        ("circle", "exact direction, circle", GREEN, "v"),
    ),
    "(4)": (
        ("printed", "printed, h - g", VERMILION, "s"), ("printed variance", "printed, noise alone", ORANGE, "^"),
        ("repaired", "repaired, h - g", BLUE, "o"),
    ),
    "(5)": (
        ("printed", "printed", VERMILION, "s"), ("repaired", "repaired", BLUE, "o"),
        ("printed rate", "1 - eta^(N-1)", GREY, ""), ("sharp rate", "1 - 4 eta sin^2(pi/2N)", BLACK, ""),
    ),
    "(7)": (
        ("printed Q", "critic, printed target", ORANGE, "^"),
        ("printed to gradient", "printed direction to gradient", VERMILION, "s"),
        ("repaired to gradient", "repaired direction to gradient", BLUE, "o"),
    ),
}  # fmt: skip
"""By term: variable, label, colour and marker; rates without a marker."""

TITLES = {"(1)": "gap to the class's best", "(4)": "batch error", "(5)": "gossip error", "(7)": "critic error"}
"""What each panel shows."""


def terms_figure(data: Mapping[str, xr.Dataset]) -> Figure:
    """Four panels, log scales except in t_gossip.

    Args:
        data: what `verify.experiments.terms.runs.all_terms` returned.

    Raises:
        ValueError: a term without a panel here.
    """
    import matplotlib.style
    from matplotlib.figure import Figure as Canvas

    if unknown := sorted(set(data) - set(LOOK)):
        raise ValueError(f"data has {unknown}; there are panels for {', '.join(LOOK)}")
    width, height = 7.2, 5.6
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        for axes, (term, table) in zip(canvas.subplots(2, 2).ravel(), data.items(), strict=False):
            _draw(axes, term, table)
        svg = _svg(canvas)
    rows = [
        (term, key, int(x), float(y))
        for term, table in data.items()
        for key, _, _, _ in LOOK[term]
        for x, y in zip(table[str(next(iter(table.dims)))].values, table[key].values, strict=True)
    ]
    caption = (
        "Terms (1), (4), (5) and (7) of zhang2025 Theorem 5.10, every other ingredient exact; nothing is sampled. The "
        "printed direction has mean zero with an exact critic: it makes no step, and neither M nor K brings it nearer "
        "to the gradient."
    )
    return Figure(
        svg, _csv(("term", "series", "parameter", "value"), rows), _alt(data), caption, *_pixels(width, height)
    )


def _draw(axes: Axes, term: str, table: xr.Dataset) -> None:
    name = str(next(iter(table.dims)))
    for key, label, colour, marker in LOOK[term]:
        shown = table[key].where(table[key] > 0)
        axes.plot(table[name], shown, color=colour, marker=marker or None, ls="-" if marker else "--", label=label)
    axes.set_yscale("log")
    if name != "t_gossip":
        axes.set_xscale("log")
    axes.set_xlabel(name)
    axes.set_title(f"term {term}: {TITLES[term]}")
    axes.legend()


def _alt(data: Mapping[str, xr.Dataset]) -> str:
    """Last local slopes of the series that have a power of their parameter; after an exact hit there is none."""
    parts = []
    for term, table in data.items():
        if term != "(5)":
            slopes = local_slopes(table)
            for key, label, _, _ in LOOK[term]:
                last = slopes[key].values[np.isfinite(slopes[key].values)][-1]
                parts.append(f"term {term}, {label}: {round(float(last), 2) + 0.0:.2f}")
    return "Log-log slopes at the right end. " + "; ".join(parts) + "."
