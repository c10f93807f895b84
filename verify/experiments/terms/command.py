"""`lemmata experiment terms` and `proof`: zhang2025 Theorem 5.10 term by term, and its proof along a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer


def terms_command(
    out: Annotated[Path | None, typer.Option(help="Write figure and data into this folder.")] = None,
) -> None:
    """Terms (1), (4), (5) and (7) of zhang2025 Theorem 5.10, each measured alone and exactly.

    Every other ingredient is exact: an oracle takes its place. Printed and repaired direction side by side.

    Example: lemmata experiment terms --out terms
    """
    from verify.experiments.terms.runs import all_terms, local_slopes

    tables = all_terms()
    for term, table in tables.items():
        slopes = local_slopes(table)
        axis = str(next(iter(table.dims)))
        typer.echo(f"\nterm {term}, by {axis}; local slopes in brackets")
        names = list(map(str, table.data_vars))
        typer.echo(f"{axis:>10} " + " ".join(f"{name:>24}" for name in names))
        for k, x in enumerate(table[axis].values):
            cells = []
            for name in names:
                slope = float(slopes[name].values[k - 1]) if k else float("nan")
                cells.append(f"{float(table[name].values[k]):.5g}" + (f" [{slope:.3f}]" if np.isfinite(slope) else ""))
            typer.echo(f"{int(x):>10} " + " ".join(f"{cell:>24}" for cell in cells))
    if out is not None:
        from verify.experiments.terms.figure import terms_figure

        figure = terms_figure(tables)
        _write(out, {"terms.svg": figure.svg, "terms.csv": figure.csv})
        typer.echo(f"\nfigure and data: {out / 'terms'}.svg, .csv")


def proof_command(
    times: Annotated[str, typer.Option(help="Outer iterations to decompose, increasing, such as 1,10,30.")] = "1,30",
    reading: Annotated[str, typer.Option(help="printed, repaired or undiscounted.")] = "printed",
    width: Annotated[int, typer.Option(help="Width m of the critic networks.")] = 20,
    depth: Annotated[int, typer.Option(help="Depth D of the critic networks.")] = 2,
    seed: Annotated[int, typer.Option(help="Root of all randomness.")] = 0,
) -> None:
    """The proof of zhang2025 Theorem 5.10 along a run: every bound of Eqs. (15)-(36) beside what it bounds.

    Each line is tight, loose or wrong; "above" means that an O(.) was taken with constant one and is exceeded.

    Example: lemmata experiment proof --times 1,10,100 --reading undiscounted
    """
    from algorithms.neural import READINGS, CriticNetwork, Steps, decompose
    from verify.experiments.terms.runs import instances

    if reading not in READINGS:
        raise typer.BadParameter(f"reading {reading!r} is not one of {', '.join(READINGS)}")
    try:
        chosen = [int(part) for part in times.split(",")]
    except ValueError:
        raise typer.BadParameter(f"times is {times!r}; it is whole numbers with commas") from None
    (problem, theta), _ = instances()
    S, A = problem.mdp.n_states, problem.mdp.n_joint_actions
    try:
        network = CriticNetwork.draw(np.eye(S * A), width=width, depth=depth, seed=seed)
        found = decompose(problem, chosen, seed, network=network, reading=reading, steps=Steps(), theta_0=theta)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    for decomposition in found:
        typer.echo(f"\n{decomposition.table()}")


def _write(out: Path, files: dict[str, str]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write into {out}: {error.strerror}") from None
