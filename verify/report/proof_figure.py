"""Lines of a proof along a run: value over bound, and the same as rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import matplotlib.style
from matplotlib.figure import Figure as Canvas

from algorithms.neural.proof_lines import Decomposition, Line
from verify.report.figures import _STYLE, BLACK, BLUE, ORANGE, VERMILION, Figure, _csv, _pixels, _svg

LOOKS = ((BLUE, "o"), (ORANGE, "D"))
"""Colour and marker by outer iteration; a wrong line is vermilion whatever its iteration."""

LEAST = 1e-6
"""Ratios below this are drawn at the left edge; ours."""


def proof_figure(found: Sequence[Decomposition], reading: str) -> Figure:
    """Value over bound for every line of the proof, one marker per outer iteration; filled where no O(.) is involved.

    Args:
        found: decompositions of one run, with the same lines, at least one and at most `LOOKS`.
        reading: name of the algorithm's reading.

    Raises:
        ValueError: none, or more than there are markers for.
    """
    if not 0 < len(found) <= len(LOOKS):
        raise ValueError(f"found has {len(found)} decompositions; there are markers for 1 to {len(LOOKS)}")
    lines = found[0].lines
    width, height = 5.2, 0.21 * len(lines) + 1.1
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        axes = canvas.add_subplot(xscale="log")
        for k, ((colour, marker), one) in enumerate(zip(LOOKS, found, strict=False)):
            for row, line in enumerate(one.lines):
                drawn = VERMILION if line.outcome == "wrong" else colour
                axes.plot(
                    _ratio(line.value, line.bound), row + 0.24 * (k - 0.5), marker, ms=5, color=drawn,
                    mfc="white" if line.order else drawn, clip_on=False,
                )  # fmt: skip
            axes.plot([], [], marker, color=colour, label=f"t = {one.t}")
        axes.plot([], [], "o", color=BLACK, mfc="white", label="bound is an O(.)")
        axes.axvline(1, color=BLACK, lw=1.2, ls="--")
        axes.set_yticks(range(len(lines)), [f"({line.equation.strip('()')})" for line in lines], fontsize=8)
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.set_xlim(left=LEAST)
        axes.set_xlabel("value over bound; dashed: the bound")
        axes.grid(axis="both", which="major", color="#d9d9d9", lw=0.5)
        axes.set_axisbelow(True)
        canvas.legend(loc="outside upper left", ncols=3)
        svg = _svg(canvas)
    every = [(one.t, line) for one in found for line in one.lines]
    rows = [(t, s.equation, s.quantity, s.value, s.bound, int(s.order), s.outcome) for t, s in every]
    table = _csv(("t", "equation", "quantity", "value", "bound", "order", "outcome"), rows)
    counts = Counter(line.outcome for _, line in every)
    words = ", ".join(f"{counts[name]} {name}" for name in ("tight", "loose", "above", "wrong") if counts[name])
    alt = f"Value over bound for {len(lines)} lines of the proof, the {reading} algorithm at t = " + (
        f"{' and '.join(str(one.t) for one in found)}: {words}."
    )
    caption = (
        f"Value over bound for each line, the {reading} algorithm; lines of one equation in the order of the table. "
        f"Filled marks have their constants, open ones hide one in an O(.). Ratios below {LEAST:g}, zero among them, "
        "stand at the left edge."
    )
    return Figure(svg, table, alt, caption, *_pixels(width, height))


def proof_rows(one: Decomposition) -> tuple[tuple[str, ...], ...]:
    """Equation, quantity, value, bound and outcome of every line.

    Args:
        one: a decomposition.
    """
    def row(line: Line) -> tuple[str, ...]:
        bound = f"{'O ' if line.order else ''}{line.bound:.4g}"
        return f"({line.equation.strip('()')})", line.quantity, f"{line.value:.4g}", bound, line.outcome

    return tuple(map(row, one.lines))


def _ratio(value: float, bound: float) -> float:
    if bound <= 0:
        return 1.0 if value <= 0 else float("inf")
    return max(value / bound, LEAST)
