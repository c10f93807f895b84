"""How fast one round of averaging brings agents together, beside the bounds of both papers."""

from __future__ import annotations

import matplotlib.style
import networkx as nx
import numpy as np
from matplotlib.figure import Figure as Canvas

from mdp.networks.bounds import path_bound, quadratic_bound
from mdp.networks.schedule import disagreement_norm
from verify.report.figures import _STYLE, BLACK, BLUE, GREEN, ORANGE, VERMILION, Figure, _csv, _pixels, _svg

WEIGHT = 1 / 3
"""Weight of every link and least self weight; the largest for which the sharp bound is attained on a path."""

AGENTS = tuple(range(3, 21))
"""Numbers of agents; ours."""

SERIES = (
    ("path", "path, measured", BLUE, "o", ""),
    ("ring", "ring, measured", GREEN, "s", ""),
    ("sharp", "repaired, sharp: 4c sin²(π/2N)", BLACK, "", "-"),
    ("cited", "zeng2022's source: 1 − √(1 − c/2N²)", ORANGE, "", "--"),
    ("printed", "zhang2025 as printed: c^(N−1)", VERMILION, "", ":"),
)
"""Column, label, colour, marker and line."""


def contraction_gaps(n_agents: int) -> dict[str, float]:
    """One minus the contraction factor of a round, measured and promised.

    Args:
        n_agents: N, at least 3.

    Returns:
        By column of `SERIES`. The measured factor is the spectral norm of W - 11^T/N for W = I - c L, L the Laplacian.
    """

    def measured(graph: nx.Graph) -> float:
        laplacian = nx.laplacian_matrix(graph).toarray()
        return 1 - disagreement_norm(np.eye(n_agents) - WEIGHT * laplacian)

    return {
        "path": measured(nx.path_graph(n_agents)),
        "ring": measured(nx.cycle_graph(n_agents)),
        "sharp": 1 - path_bound(n_agents, WEIGHT),
        "cited": 1 - quadratic_bound(n_agents, WEIGHT),
        "printed": WEIGHT ** (n_agents - 1),
    }


def consensus_figure() -> Figure:
    """Gap of one round against the number of agents, measured on paths and rings, and three lower bounds."""
    gaps = [contraction_gaps(N) for N in AGENTS]
    width, height = 5.2, 4.6
    with matplotlib.style.context(["default", _STYLE]):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        axes = canvas.add_subplot(yscale="log")
        for column, label, colour, marker, line in SERIES:
            values = [gap[column] for gap in gaps]
            axes.plot(AGENTS, values, marker=marker, ls=line or "none", color=colour, label=label, ms=5)
        axes.set_xlabel("number of agents N")
        axes.set_ylabel("1 − contraction per round")
        axes.set_xticks(range(4, AGENTS[-1] + 1, 4))
        axes.grid(which="major", color="#d9d9d9", lw=0.5)
        axes.set_axisbelow(True)
        canvas.legend(loc="outside lower left")
        svg = _svg(canvas)
    names = [column for column, *_ in SERIES]
    rows = [(N, *(repr(float(gap[name])) for name in names)) for N, gap in zip(AGENTS, gaps, strict=True)]
    last = gaps[-1]
    alt = (
        f"Gap of one round for N from {AGENTS[0]} to {AGENTS[-1]}, links of weight 1/3, logarithmic. At N = "
        f"{AGENTS[-1]}: path {last['path']:.3g}, the sharp bound {last['sharp']:.3g}; ring {last['ring']:.3g}; "
        f"bound of zeng2022's source {last['cited']:.2g}; bound printed in zhang2025 {last['printed']:.1g}."
    )
    caption = (
        "One minus the factor by which a round of W = I − L/3 shrinks disagreement (higher is faster), exact, and what "
        "is promised for any connected graph of least weight c = 1/3. Both graphs keep all three promises; the printed "
        "one loses a factor of 3 per agent, the sharp one is attained on the path."
    )
    return Figure(svg, _csv(("agents", *names), rows), alt, caption, *_pixels(width, height))
