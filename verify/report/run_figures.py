"""Figures and tables of experiments from a run of the ledger: the registry in `verify.report.experiments` names them.

Nothing here is measured for the report alone, except what is exact and takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verify.report.experiment_data import ExperimentFigure, ExperimentTable, Run
from verify.report.figures import Figure

Made = tuple[Sequence[ExperimentFigure], Sequence[ExperimentTable]]
"""Figures and tables."""

PROOF_TIMES = (1, 30)
"""Outer iterations at which the proof is taken apart; ours, those of `lemmata experiment proof`."""

PROOF_NETWORK = {"width": 20, "depth": 2, "seed": 0}
"""Critic networks of that run; ours, likewise."""


def rates(run: Run) -> Made:
    """Every rate fit of the run that is no negative control, each once, with the statements it is evidence for.

    Args:
        run: the run.
    """
    drawn: dict[str, tuple[str, Figure, list[str]]] = {}
    for key, section in run.sections.items():
        for placed in section.figures:
            if placed is section.strip:
                continue
            name = placed.name.split(", ", 1)[-1]
            drawn.setdefault(placed.svg, (name, placed.figure, []))[2].append(key)
    return [ExperimentFigure(name, figure, tuple(dict.fromkeys(keys))) for name, figure, keys in drawn.values()], ()


def consensus(run: Run) -> Made:
    """Contraction on paths and rings beside the bounds of both papers.

    Args:
        run: the run.
    """
    from verify.report.consensus_figure import consensus_figure

    keys = tuple(k for k in ("zeng2022/consensus", "zhang2025/consensus-rate") if k in run.sections)
    return [ExperimentFigure("One round of averaging", consensus_figure(), keys)], ()


def terms(run: Run) -> Made:
    """Terms of zhang2025 Theorem 5.10, each alone.

    Args:
        run: the run.
    """
    from verify.experiments.terms.figure import terms_figure
    from verify.experiments.terms.runs import all_terms

    return [ExperimentFigure("Each term alone", terms_figure(all_terms()))], ()


def proof(run: Run) -> Made:
    """Lines of the proof of zhang2025 Theorem 5.10 beside their bounds, along a printed and a repaired run.

    Args:
        run: the run.
    """
    from algorithms.neural import CriticNetwork, Steps, decompose
    from verify.experiments.terms.runs import instances
    from verify.report.proof_figure import proof_figure, proof_rows

    problem, theta = instances()[0]
    pairs = problem.mdp.n_states * problem.mdp.n_joint_actions
    network = CriticNetwork.draw(np.eye(pairs), **PROOF_NETWORK)
    tables, figures = [], []
    for reading in ("printed", "repaired"):
        found = decompose(
            problem, list(PROOF_TIMES), 0, network=network, reading=reading, steps=Steps(), theta_0=theta
        )
        figures.append(ExperimentFigure(f"The {reading} algorithm", proof_figure(found, reading)))
        for one in found:
            caption = (
                f"The {reading} algorithm at t = {one.t}. E||d - grad J||^2 is {one.direction_error:.4g}; the expected "
                f"direction has cosine {one.expected_alignment:.3f} with the gradient. O: an O(.) with constant one."
            )
            columns = ("Equation", "Quantity", "Value", "Bound", "Is")
            tables.append(ExperimentTable(f"{reading} t = {one.t}", caption, columns, proof_rows(one)))
    return figures, tables


def coordination(run: Run) -> Made:
    """Curves and endings of the coordination game.

    Args:
        run: the run.
    """
    from verify.experiments.coordination.figure import coordination_figure

    figures = []
    for key, data in sorted(run.context.datasets.items()):
        if key.startswith("coordination-") and "algorithm" in data.dims:
            name = f"{', '.join(str(int(n)) for n in data['agents'].values)} agents"
            figures.append(ExperimentFigure(name, coordination_figure(data), ("zeng2022/coordination-figure",)))
    return figures, ()


def spread(run: Run) -> Made:
    """Last rewards of Simple Spread by setting, and what the statements make of them.

    Args:
        run: the run.
    """
    from verify.report.spread_figure import spread_ends

    figures = [ExperimentFigure(name, figure) for name, figure in spread_ends(run.context.datasets)]
    ablations = ("d1-defaults", "figure-5", "figure-6", "figure-7", "figure-8", "figure-9", "figure-2-10")
    return [*figures, *_strips(run, *(f"zhang2025/{id}" for id in ablations))], ()


def pursuit(run: Run) -> Made:
    """Learning curves of the runs that are shipped, on PettingZoo's board.

    Args:
        run: the run.
    """
    from verify.experiments.pursuit.figure import pursuit_figure
    from verify.experiments.pursuit.plan import Line
    from verify.experiments.pursuit.recorded import read_recorded
    from verify.experiments.pursuit.runs import LineResult

    key, recorded = "zeng2022/pursuit-figure", read_recorded()
    found = [
        LineResult(Line(name, name, recorded.settings, len(table)), table, {}, float("nan"))  # type: ignore[arg-type]
        for name, table in recorded.returns.items()
    ]
    return [ExperimentFigure("The recorded runs", pursuit_figure(found), (key,)), *_strips(run, key)], ()


def rlhf(run: Run) -> Made:
    """Learning curves of the runs that are shipped, with gossip and without.

    Args:
        run: the run.
    """
    from verify.experiments.rlhf.figure import WINDOW, rlhf_figure
    from verify.experiments.rlhf.record import read

    key, figures, recorded = "zhang2025/figure-4", [], read()
    for gossips in (True, False):
        lines = [line for line in recorded.lines if (line.gossip_rounds > 0) is gossips]
        name = "The recorded runs" if gossips else "The same without gossip"
        figures.append(ExperimentFigure(name, rlhf_figure(recorded.curves(lines), window=WINDOW), (key,)))
    return [*figures, *_strips(run, key)], ()


def _strips(run: Run, *keys: str) -> list[ExperimentFigure]:
    """Values over the runs behind statements, where they have some."""
    found = []
    for key in keys:
        section = run.sections.get(key)
        if section is not None and section.strip:
            found.append(ExperimentFigure(f"Runs behind {section.claim.id}", section.strip.figure, (key,)))
    return found
