"""The figure of zhang2025 Theorem 5.10's terms, each measured alone, under the printed and the repaired direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from verify.experiments.terms.study import Study
from verify.experiments.terms.verdicts import TermVerdict, exact_verdicts
from verify.report.figures import (
    _STYLE,
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
    Figure,
    _csv,
    _pixels,
    _svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIRECTIONS = {"printed": VERMILION, "repaired": BLUE}
CLASSES = {"circle": ("o", "-"), "softmax": ("s", ":")}
"""Marker and line of a class; the colour is that of the direction."""

SIZES = {"printed network": (VERMILION, "Eq. (5)"), "output / sqrt(m)": (BLUE, "/ sqrt(m)")}

TITLES = {
    "(1) T": "term (1): gap to the class's best",
    "(4) M": "term (4): batch error", "(4) N": "term (4): batch error, M = 10",
    "(5) t_gossip": "term (5): gossip error", "(5) eta": "term (5): gossip error, 5 rounds",
    "(7) K": "term (7): direction to gradient",
}
"""What each panel of the exact tables shows."""

PREFIXES = {"(7) K": "{} to gradient, {}"}
"""Column of a direction and a class, where it is not "direction, class"."""

GUIDES = {"(1) T": -1.0, "(4) M": -0.5, "(4) N": 0.5, "(7) K": -0.25}
"""Printed powers, drawn as guides."""


LOOK = {"legend.fontsize": 7.2, "axes.titlesize": 9.5, "legend.handlelength": 2.2}


def terms_figure(tables: Mapping[str, xr.Dataset]) -> Figure:
    """The exact tables, one panel each: terms (1), (4), (5) and (7) in what they are printed to depend on.

    Args:
        tables: what `verify.experiments.terms.runs.all_terms` returned.

    Raises:
        ValueError: a table without a panel here.
    """
    import matplotlib.style
    from matplotlib.figure import Figure as Canvas

    if unknown := sorted(set(tables) - set(TITLES)):
        raise ValueError(f"tables has {unknown}; there are panels for {', '.join(TITLES)}")
    width, height = 10.2, 7.2
    with matplotlib.style.context(["default", _STYLE, LOOK]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        for axes, (term, table) in zip(canvas.subplots(2, 3).ravel(), tables.items(), strict=False):
            _exact_panel(axes, term, table)
        svg = _svg(canvas)
    csv = _csv(("term", "series", "parameter", "low", "value", "high"), _exact_rows(tables))
    return Figure(svg, csv, _alt(exact_verdicts(tables)), EXACT_CAPTION, *_pixels(width, height))


EXACT_CAPTION = (
    "Terms (1), (4), (5) and (7) of zhang2025 Theorem 5.10, every other ingredient exact; nothing is sampled. "
    "Colour is the direction; circles and full lines are the circular class, squares and dots softmax. The printed "
    "direction has mean zero with an exact critic: it makes no step, and neither M nor K brings it nearer to the "
    "gradient."
)


def study_figure(study: Study) -> Figure:
    """Fifteen panels: the exact tables, the sizes of the network, what is left of the gradient, and the two floors.

    Args:
        study: what `verify.experiments.terms.study.run_study` returned.
    """
    import matplotlib.style
    from matplotlib.figure import Figure as Canvas

    width, height = 10.2, 17.5
    agents = {"agents": "W-bar to V-bar", "ball": "the ball"}
    with matplotlib.style.context(["default", _STYLE, LOOK]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        panels = canvas.subplots(5, 3).ravel()
        for axes, (term, table) in zip(panels[:6], study.exact.items(), strict=True):
            _exact_panel(axes, term, table)
        _size_panel(panels[6], study, "m", agents, 1 / 32, "term (6)")
        _size_panel(panels[7], study, "D", agents, -11 / 2, "term (6)")
        _size_panel(panels[8], study, "m", {"critic": "V-bar to W*", "star": "Q - Q_0 at W*"}, -1 / 24, "term (7)")
        _size_panel(panels[9], study, "D", {"critic": "V-bar to W*"}, -7 / 2, "term (7)")
        curvature = {"star": "Q - Q_0 at W*", "worst": "worst Q - Q_0"}
        _size_panel(panels[10], study, "D, B = 1", curvature, None, "term (7)")
        _size_panel(panels[11], study, "m", {"worst": "worst Q - Q_0"}, -1 / 24, "term (7)")
        _direction_panel(panels[12], study)
        _bias_panel(panels[13], study)
        _size_panel(panels[14], study, "m", {"floor": "W* to Q"}, None, "floor (3)")
        svg = _svg(canvas)
    caption = (
        f"{EXACT_CAPTION} From the third row on: the network critic under exact expected updates, typical draw and "
        "middle 80 % of draws, circular class, printed target; red the network of Eq. (5), blue the one with its "
        "output divided by sqrt(m). Dashed: the printed order."
    )
    rows = [*_exact_rows(study.exact), *_size_rows(study.sizes), *_floor_rows(study.floors)]
    csv = _csv(("term", "series", "parameter", "low", "value", "high"), rows)
    return Figure(svg, csv, _alt(study.verdicts), caption, *_pixels(width, height))


def _exact_panel(axes: Axes, term: str, table: xr.Dataset) -> None:
    name = str(next(iter(table.dims)))
    x = table[name].values.astype(float)
    for direction, colour in DIRECTIONS.items():
        for kind, (marker, line) in CLASSES.items():
            y = table[PREFIXES.get(term, "{}, {}").format(direction, kind)].values
            axes.plot(x, np.where(y > 1e-17, y, np.nan), color=colour, marker=marker, ms=4, ls=line,
                      label=f"{direction}, {kind}", alpha=0.85)
    if term == "(4) M":
        y = table["printed variance, circle"].values
        axes.plot(x, y, color=ORANGE, marker="^", ms=4, ls="-", label="printed, noise alone")
    if term.startswith("(5)"):
        for rate, colour, label in (("printed rate", GREY, "1 - eta^(N-1)"), ("sharp rate", BLACK, "sharp rate")):
            axes.plot(x, table[rate], color=colour, ls="--", label=label)
    else:
        _guide(axes, x, GUIDES[term], float(table[PREFIXES.get(term, "{}, {}").format("repaired", "softmax")][0]) * 2)
    axes.set_yscale("log")
    if name not in ("t_gossip", "eta", "N"):
        axes.set_xscale("log")
    if name == "N":
        axes.set_xticks(x)
    axes.set_xlabel(name)
    axes.set_title(TITLES[term])
    _legend_below(axes)


def _guide(axes: Axes, x: np.ndarray, power: float, start: float) -> None:
    axes.plot(x, start * (x / x[0]) ** power, color=GREY, ls="--", label=f"printed {power:.3g}")


def _ticks(axes: Axes, x: np.ndarray) -> None:
    axes.set_xticks(x, [f"{v:.0f}" for v in x])
    axes.set_xticks([], minor=True)


def _legend_below(axes: Axes) -> None:
    """Legends hide data wherever they are put inside; below the axis they hide nothing."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.18), ncols=2, columnspacing=0.9)


def _size_panel(
    axes: Axes, study: Study, axis: str, metrics: Mapping[str, str], power: float | None, term: str
) -> None:
    styles = (("o", "-"), ("^", ":"))
    for network, (colour, short) in SIZES.items():
        data = study.sizes[axis, "circle", "printed", network]
        x = data["horizon"].values.astype(float)
        for (metric, label), (marker, line) in zip(metrics.items(), styles, strict=False):
            typical, low, high = typical_draw(data, metric)
            seen = typical > 1e-9 * data["start"].values.mean()
            y = np.where(seen, typical, np.nan)
            axes.plot(x, y, color=colour, marker=marker, ms=4, ls=line, label=f"{short}: {label}")
            axes.vlines(x[seen], low[seen], high[seen], color=colour, lw=0.8, alpha=0.6)
    if power is not None:
        printed = study.sizes[axis, "circle", "printed", "printed network"]
        _guide(axes, x, power, float(typical_draw(printed, next(iter(metrics)))[2][0]))
    axes.set_yscale("log")
    axes.set_xscale("log")
    _ticks(axes, x)
    axes.set_xlabel({"m": "width m", "D": "depth D, B = m^(1/32) D^-6", "D, B = 1": "depth D, B = 1"}[axis])
    axes.set_title(f"{term}: network critic, by {'width' if axis == 'm' else 'depth'}")
    _legend_below(axes)


def _direction_panel(axes: Axes, study: Study) -> None:
    for reading, colour in DIRECTIONS.items():
        for kind, (marker, line) in CLASSES.items():
            data = study.sizes["m", kind, reading, "printed network"]
            typical, low, high = typical_draw(data, "to gradient")
            axes.plot(data["horizon"], typical, color=colour, marker=marker, ms=4, ls=line, label=f"{reading}, {kind}")
            axes.vlines(data["horizon"], low, high, color=colour, lw=0.8, alpha=0.6)
    for kind, (_, line) in CLASSES.items():
        axes.axhline(study.gradients[kind], color=GREY, ls=line, lw=1, label=f"the gradient itself, {kind}")
    axes.set_yscale("log")
    axes.set_xscale("log")
    _ticks(axes, data["horizon"].values)
    axes.set_xlabel("width m")
    axes.set_title("Eq. (5): expected direction to gradient")
    _legend_below(axes)


def _bias_panel(axes: Axes, study: Study) -> None:
    for kind, colour in (("circle", GREEN), ("softmax", ORANGE)):
        data = study.floors[kind]
        axes.plot(data["theta"], data["floor"], color=colour, label=f"floor, {kind}")
        axes.plot(data["theta"], data["gap"], color=colour, ls=":", label=f"gap, {kind}")
        axes.axhline(study.worst[kind], color=colour, ls="--", lw=0.8)
    axes.set_xlabel("scale of theta (dashed: largest found)")
    axes.set_ylim(bottom=0)
    axes.set_title("floor (2): sqrt(eps_bias)/(1 - gamma), and J* - J")
    _legend_below(axes)


def typical_draw(data: xr.Dataset, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Geometric mean over draws, and the 10 % and 90 % quantiles, by size.

    Args:
        data: as of `verify.experiments.terms.sizes.sweep_sizes`.
        metric: one of its variables.

    Returns:
        Three arrays with one number per size.
    """
    values = data[metric].transpose("horizon", "seed").values
    typical = np.exp(np.log(np.maximum(values, np.finfo(float).tiny)).mean(axis=1))
    return typical, np.quantile(values, 0.1, axis=1), np.quantile(values, 0.9, axis=1)


def _exact_rows(tables: Mapping[str, xr.Dataset]) -> list[tuple[object, ...]]:
    return [
        (term, str(name), float(x), float(y), float(y), float(y))
        for term, table in tables.items()
        for name in table.data_vars
        for x, y in zip(table[str(next(iter(table.dims)))].values, table[name].values, strict=True)
    ]


def _size_rows(sizes: Mapping[tuple[str, str, str, str], xr.Dataset]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for (axis, kind, reading, network), data in sizes.items():
        for name in map(str, data.data_vars):
            for x, y, low, high in zip(data["horizon"].values, *typical_draw(data, name), strict=True):
                rows.append((f"sizes by {axis}", f"{name}, {network}, {reading}, {kind}", int(x), low, y, high))
    return rows


def _floor_rows(floors: Mapping[str, xr.Dataset]) -> list[tuple[object, ...]]:
    return [
        ("(2)", f"{name}, {kind}", float(x), float(y), float(y), float(y))
        for kind, data in floors.items()
        for name in data.data_vars
        for x, y in zip(data["theta"].values, data[name].values, strict=True)
    ]


def _alt(verdicts: list[TermVerdict]) -> str:
    """Measured against printed order, series by series, for the printed and the repaired direction on circles."""
    shown = [v for v in verdicts if v.series.endswith("circle") and "output" not in v.series]
    return "Measured orders. " + "; ".join(f"{v.term}, {v.series}: {v.row()[3]} for {v.row()[2]}" for v in shown) + "."
