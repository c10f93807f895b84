"""Figures of the report: SVG text, the data behind it as CSV, and a description in words with the numbers.

Everything is deterministic: no date, salted ids, default style, jitter from a fixed sequence.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from rates.fit import RateFit
from verify.claim import Kind
from verify.evidence import Number, Relation, Verdict, exact_text

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#595959"
# Okabe and Ito (2008), and a grey of contrast 7:1 on white

TONES = {
    Verdict.PROVED: "good", Verdict.HOLDS: "good", Verdict.CONSISTENT: "good",
    Verdict.REFUTED: "bad", Verdict.UNSATISFIABLE: "bad", Verdict.VACUOUS: "bad",
    Verdict.AMBIGUOUS: "open", Verdict.INCONCLUSIVE: "open", Verdict.OUT_OF_SCOPE: "aside",
}  # fmt: skip
"""Colour class of a verdict on the page and in figures; name and sign stand beside it."""

MARKS = {
    Kind.PRINTED: (BLUE, "o"),
    Kind.READING: (PURPLE, "v"),
    Kind.REPAIRED: (GREEN, "s"),
    Kind.SOURCE: (ORANGE, "D"),
    Kind.CONTROL: (VERMILION, "X"),
}
"""Colour and marker of a strip: the colour is never the only cue."""

RELATIONS = {
    Relation.AT_MOST: "at most",
    Relation.AT_LEAST: "at least",
    Relation.EQUAL: "equal to",
    Relation.NOT_SLOWER: "no slower than exponent",
}
"""Relations in words, as read before the claimed value."""

DRAWN = 600
"""Points drawn per strip, ours: more only thicken the file. The CSV has all of them."""

DECADES = 3.0
"""Spread of values, in decades, above which an axis is logarithmic; ours."""

NORMAL_95 = 1.96
"""Standard errors in half of a 95 % interval."""

_WIDTH = 5.2  # inches: at 400 px of screen the 9 pt labels are still 8 px high
_STYLE = {
    "svg.hashsalt": "lemmata",
    "svg.fonttype": "path",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.unicode_minus": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.4,
}


VISIBLE_FLOOR = 1e-9
"""Least floor, relative to the largest mean, that a figure draws; ours."""


@dataclass(frozen=True)
class Figure:
    """A finished figure.

    Attributes:
        svg: the picture.
        csv: the data behind it.
        alt: what it shows, in words and numbers.
        caption: how to read it.
        width: in CSS pixels.
        height: in CSS pixels.
    """

    svg: str
    csv: str
    alt: str
    caption: str
    width: int
    height: int

    def files(self, stem: str) -> dict[str, str]:
        """The picture, its data and its words by file name: what a report can be given with ``--experiments``.

        Args:
            stem: the names without ending.
        """
        words = json.dumps({"caption": self.caption, "alt": self.alt}, indent=1, ensure_ascii=False) + "\n"
        return {f"{stem}.svg": self.svg, f"{stem}.csv": self.csv, f"{stem}.json": words}


@dataclass(frozen=True)
class Strip:
    """One row of a strip plot: a quantity over the instances.

    Attributes:
        name: name of the variant.
        kind: kind of the variant.
        quantity: what the values are; strips of one quantity share an axis.
        relation: how they must compare with `claimed`.
        claimed: the claimed value.
        sample: the values, at least one.
    """

    name: str
    kind: Kind
    quantity: str
    relation: Relation
    claimed: Number
    sample: tuple[float, ...]

    @property
    def finite(self) -> np.ndarray:
        """The finite values in increasing order, (n,)."""
        values = np.sort(np.array(self.sample, dtype=float))
        return values[np.isfinite(values)]

    @property
    def line(self) -> float | None:
        """Where the claimed value is on the axis; None for a slope, which is no value of the sample."""
        claimed = float(self.claimed)
        return claimed if math.isfinite(claimed) and self.relation is not Relation.NOT_SLOWER else None


def rate_figure(fit: RateFit) -> Figure:
    """Excess over the floor against T on log-log axes, with the fitted tail and a guide of the claimed slope.

    Args:
        fit: a rate fit, with or without a slope.
    """
    height = 4.3 if _has_floor(fit) else 4.05
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(_WIDTH, height), layout="constrained")
        axes = canvas.add_subplot(xscale="log", yscale="log")
        _draw_rate(axes, fit)
        axes.set_xlabel("horizon T")
        above = _has_floor(fit) and (fit.excess > 0).any()
        quantity = f"{fit.metric} above its floor" if above else fit.metric
        axes.set_ylabel(_shorten(quantity, 52), parse_math=False)
        handles, labels = axes.get_legend_handles_labels()
        # matplotlib lists error bars last; they are the data and come first
        first = labels.index(_excess(fit)) if _excess(fit) in labels else 0
        order = [first, *(k for k in range(len(labels)) if k != first)]
        canvas.legend([handles[k] for k in order], [labels[k] for k in order], loc="outside lower left")
        svg = _svg(canvas)
    drawn_too = "; the raw mean and the floor are drawn too" if _has_floor(fit) else ""
    if not (fit.excess > 0).any():
        caption = f"Mean over seeds and its floor against T. Outcome of the fit: {fit.outcome.value}."
        return Figure(svg, _rate_csv(fit), _rate_alt(fit), caption, *_pixels(_WIDTH, height))
    caption = (
        f"{_excess(fit).capitalize()} against T, with 95\N{NO-BREAK SPACE}% error bars (1.96 standard errors "
        f"over seeds){drawn_too}. The guide has the claimed slope; it is moved off the data, only its "
        f"direction matters. Outcome of the fit: {fit.outcome.value}."
    )
    return Figure(svg, _rate_csv(fit), _rate_alt(fit), caption, *_pixels(_WIDTH, height))


def strip_figure(strips: Sequence[Strip]) -> Figure:
    """Values over the instances, one row per variant, one panel per quantity.

    Args:
        strips: the rows, at least one.

    Raises:
        ValueError: no strips.
    """
    if not strips:
        raise ValueError("a strip figure needs at least one strip")
    panels: dict[str, list[Strip]] = {}
    for strip in strips:
        panels.setdefault(strip.quantity, []).append(strip)
    heights = [0.48 * len(rows) + 0.62 for rows in panels.values()]
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(_WIDTH, sum(heights)), layout="constrained")
        grid = canvas.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (quantity, rows) in zip(grid, panels.items(), strict=True):
            _draw_strips(axes, quantity, rows)
        svg = _svg(canvas)
    caption = "One mark per instance, one row per form" + (
        ", one panel per quantity." if len(panels) > 1 else "."
    )
    if any(s.line is not None for s in strips):
        caption += " Dashed: the claimed value."
    if any(s.finite.size > DRAWN for s in strips):
        caption += f" {DRAWN} evenly spaced quantiles per row are drawn; the CSV has every value."
    rows_of_csv = [
        (s.name, s.quantity, k, repr(float(x)), exact_text(s.claimed))
        for s in strips
        for k, x in enumerate(s.sample)
    ]
    table = _csv(("variant", "quantity", "instance", "value", "claimed"), rows_of_csv)
    return Figure(svg, table, " ".join(map(_strip_alt, strips)), caption, *_pixels(_WIDTH, sum(heights)))


def _draw_rate(axes: Axes, fit: RateFit) -> None:
    T, excess, half = fit.horizons.astype(float), fit.excess, NORMAL_95 * fit.standard_error
    above = excess > 0
    drawn = [excess[above], (excess + half)[excess + half > 0], (excess - half)[excess - half > 0]]
    if _has_floor(fit):
        drawn += [fit.mean[fit.mean > 0], np.array([fit.floor])]
        axes.plot(T, fit.mean, "s", color=ORANGE, mfc="white", ms=5, label="raw mean over seeds", zorder=3)
        axes.axhline(fit.floor, color=GREY, ls=":", label=f"floor {fit.floor:.4g}")
        axes.annotate(
            "floor", (1, fit.floor), xycoords=("axes fraction", "data"), xytext=(3, 0),
            textcoords="offset points", va="center", color=GREY,
        )
    if above.any():
        axes.errorbar(
            T[above], excess[above], yerr=half[above], fmt="o", color=BLUE, ms=5, capsize=2.5, lw=1.1,
            label=_excess(fit), zorder=4,
        )
    below = ~above & (excess + half > 0)
    if above.any() and below.any():
        upper = (excess + half)[below]
        axes.plot(T[below], upper, "v", color=BLUE, mfc="white", label="upper end where the mean is below 0")
    fitted, guide = _lines(fit)
    if np.isfinite(fitted).any():
        slope, low, high = (_minus(f"{x:.3f}") for x in (fit.slope, fit.low, fit.high))
        tail = f"fitted tail: slope {slope}, 95 % interval [{low}, {high}]"
        axes.plot(T, fitted, color=BLACK, zorder=5, label=tail)
    if np.isfinite(guide).any():
        claim = f"guide of the claimed slope {_minus('-' + _exponent(fit.claimed))}"
        axes.plot(T, guide, color=VERMILION, ls="--", label=claim)
    values = np.concatenate(drawn)
    if values.size:
        # error bars that reach down to zero would otherwise stretch the axis over many empty decades
        means = [x.min() for x in (excess[above], fit.mean[fit.mean > 0]) if x.size]
        bottom = max(values.min(), min(means, default=0.0) / 10)
        axes.set_ylim(bottom / 1.6, values.max() * 2.2)
    axes.set_xlim(T[0] / 1.35, T[-1] * 1.35)
    axes.grid(which="major", color="#d9d9d9", lw=0.5)
    axes.set_axisbelow(True)


def _has_floor(fit: RateFit) -> bool:
    """Whether the floor is more than rounding: one of 1e-32 would stretch the axis over thirty empty decades."""
    return fit.floor > VISIBLE_FLOOR * float(fit.mean.max())


def _lines(fit: RateFit) -> tuple[np.ndarray, np.ndarray]:
    """Fitted line over the tail and guide over all T, NaN where there is none."""
    x = np.log(fit.horizons.astype(float))
    fitted, guide = np.full(x.size, np.nan), np.full(x.size, np.nan)
    tail, above = slice(fit.tail, None), fit.excess > 0
    if math.isfinite(fit.slope) and above[tail].all():  # an unknown floor may be fitted above some means
        centre = np.log(fit.excess[tail]).mean()
        fitted[tail] = np.exp(centre + fit.slope * (x[tail] - x[tail].mean()))
    if above.any():
        # ours: 1.7 above the start of the tail, off the fit; a slower tail crosses it
        start = fit.tail if above[fit.tail] else int(np.flatnonzero(above)[-1])
        guide = 1.7 * fit.excess[start] * np.exp(-fit.claimed * (x - x[start]))
    return fitted, guide


def _rate_csv(fit: RateFit) -> str:
    half = NORMAL_95 * fit.standard_error
    columns = (fit.mean, fit.standard_error, fit.excess, fit.excess - half, fit.excess + half, *_lines(fit))
    rows = [
        (int(T), repr(float(fit.floor)), *("" if math.isnan(c[k]) else repr(float(c[k])) for c in columns))
        for k, T in enumerate(fit.horizons)
    ]
    ends = ("excess_low", "excess_high")
    return _csv(("horizon", "floor", "mean", "standard_error", "excess", *ends, "fitted", "guide"), rows)


def _rate_alt(fit: RateFit) -> str:
    half = NORMAL_95 * fit.standard_error
    ends = [f"{fit.excess[k]:.3g} ± {half[k]:.2g} at T = {fit.horizons[k]:,}" for k in (0, -1)]
    text = f"Log-log plot over {len(fit.horizons)} horizons of the {_excess(fit)}: {ends[0]}, {ends[1]}. "
    if _has_floor(fit):
        text += f"The raw mean goes from {fit.mean[0]:.4g} to {fit.mean[-1]:.4g}. "
    if math.isfinite(fit.slope):
        text += (
            f"Slope of the tail from T = {fit.horizons[fit.tail]:,}: {fit.slope:.3f}, "
            f"95 % interval from {fit.low:.3f} to {fit.high:.3f}; "
        )
    else:
        text += "No slope could be fitted; "
    return _minus(text + f"claimed: -{_exponent(fit.claimed)}. Outcome: {fit.outcome.value}.")


def _draw_strips(axes: Axes, quantity: str, rows: Sequence[Strip]) -> None:
    shared = len({_claimed(s) for s in rows}) == 1
    lines = [s.line for s in rows if s.line is not None]
    everything = np.concatenate([*(s.finite for s in rows), np.array(lines)])
    scale = _scale(everything)
    if scale == "symlog":
        sizes = np.abs(everything[everything != 0])
        axes.set_xscale("symlog", linthresh=float(10.0 ** np.floor(np.log10(np.median(sizes)))))
    else:
        axes.set_xscale(scale)
    if everything.size and scale == "linear":
        low, high = everything.min(), everything.max()
        margin = 0.05 * (high - low) or max(abs(low), 1.0) * 0.05
        axes.set_xlim(low - margin, high + margin)
    for k, strip in enumerate(rows):
        y, (colour, marker) = -float(k), MARKS[strip.kind]
        values = _thin(strip.finite)
        # golden-ratio sequence: even and without chance
        jitter = ((np.arange(values.size) * 0.6180339887498949) % 1 - 0.5) * 0.4
        axes.plot(values, y - 0.1 + jitter, marker, color=colour, ms=3.6, mew=0, alpha=0.85, clip_on=False)
        if strip.line is not None:
            axes.plot([strip.line] * 2, [y - 0.38, y + 0.18], color=BLACK, ls="--", lw=1.2, zorder=5)
        label = f" ({'' if shared else _claimed(strip) + ', '}n = {len(strip.sample):,})"
        axes.text(
            0, y + 0.22, _shorten(strip.name, 76 - len(label)) + label,
            transform=axes.get_yaxis_transform(), va="bottom", fontsize=8.5, parse_math=False,
        )
    axes.set_ylim(-len(rows) + 0.5, 0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    claim = f" ({_claimed(rows[0])})" if shared else ""
    axes.set_xlabel(_shorten(quantity, 76 - len(claim)) + claim, parse_math=False)


def _scale(values: np.ndarray) -> str:
    """Linear, logarithmic, or (where signs mix) linear around zero and logarithmic outside."""
    sizes = np.abs(values[values != 0])
    # smallest normal double: the axis of subnormal numbers overflows
    if not sizes.size or sizes.min() < np.finfo(float).tiny:
        return "linear"
    if (values > 0).all():
        return "log" if np.log10(values.max()) - np.log10(values.min()) > DECADES else "linear"
    return "symlog" if np.log10(sizes.max()) - np.log10(np.median(sizes)) > DECADES else "linear"


def _thin(values: np.ndarray) -> np.ndarray:
    if values.size <= DRAWN:
        return values
    return values[np.linspace(0, values.size - 1, DRAWN).round().astype(int)]


def _strip_alt(strip: Strip) -> str:
    values = strip.finite
    spread = "none finite"
    if values.size:
        spread = f"from {values[0]:.4g} to {values[-1]:.4g}, median {np.median(values):.4g}"
    lost = len(strip.sample) - values.size
    more = f", {lost} not finite" if lost and values.size else ""
    text = f"{strip.name}, {strip.quantity}: {len(strip.sample):,} values {spread}{more}; {_claimed(strip)}."
    return _minus(text)


def _claimed(strip: Strip) -> str:
    exact = exact_text(strip.claimed)
    short = exact if len(exact) <= 16 else f"{float(strip.claimed):.6g}"
    return _minus(f"claimed {RELATIONS[strip.relation]} {short}")


def _excess(fit: RateFit) -> str:
    return f"mean excess over the floor {fit.floor:.4g}" if _has_floor(fit) else "mean over seeds (floor 0)"


def _exponent(value: float) -> str:
    near = Fraction(value).limit_denominator(12)
    return str(near) if abs(near - value) < 1e-9 else f"{value:.4g}"


def _minus(text: str) -> str:
    """Hyphens that stand before a digit or infinity, and after no word, as minus signs."""
    return re.sub(r"(?<![\w.)\]])-(?=\d|\.\d|inf)|(?<=\de)-(?=\d)", "−", text)


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return buffer.getvalue()


def _svg(canvas: Canvas) -> str:
    buffer = io.StringIO()
    # without a date two runs give the same bytes; the other entries only name foreign addresses
    canvas.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return buffer.getvalue()


def _pixels(width: float, height: float) -> tuple[int, int]:
    return round(96 * width), round(96 * height)
