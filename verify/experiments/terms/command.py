"""`lemmata experiment terms` and `proof`: zhang2025 Theorem 5.10 term by term, and its proof along a run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from verify.commands.common import (
    Jobs,
    Json,
    ProfileName,
    Quiet,
    Seed,
    emit,
    one_of,
    progress,
    require_folder,
    require_whole,
    say,
    workers,
)
from verify.commands.names import complete

if TYPE_CHECKING:
    from verify.experiments.terms.study import Study


READING_NAMES = ("printed", "repaired", "undiscounted")
"""Keys of `algorithms.neural.READINGS`, for the shell to complete."""


def terms_command(
    out: Annotated[Path | None, typer.Option(help="Write figure, data and verdicts into this folder.")] = None,
    profile: ProfileName = "quick",
    jobs: Jobs = 0,
    seed: Annotated[int, typer.Option(help="Root of the networks' initial weights.")] = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Every term of zhang2025 Theorem 5.10 measured alone, and its two floors.

    Terms (1), (4), (5) and (7) in K are exact: an oracle takes the place of every other ingredient. Terms (6) and (7)
    in width and depth follow the exact expected updates of random networks. Printed and repaired direction side by
    side, on a circular class, which can meet the theorem's assumptions, and on softmax policies, which cannot.

    Example: lemmata experiment terms --out out/terms
    """
    from verify.experiments.terms.sizes import PROFILES
    from verify.experiments.terms.study import run_study

    one_of("profile", profile, PROFILES)
    require_whole("seed", seed, 0)
    n_jobs = workers(jobs)
    require_folder(out)
    with progress(quiet or as_json) as bar:
        bar.add_task("terms of Theorem 5.10", total=None)
        study = run_study(profile, seed=seed, jobs=n_jobs)
    if as_json:
        emit("experiment-terms", {"profile": profile, "seed": seed, **_data(study)})
    for line in _tables(study) if not (quiet or as_json) else ():
        say(line)
    if out is not None:
        from verify.experiments.terms.figure import study_figure

        figure = study_figure(study)
        verdicts = "\n".join(",".join(f'"{cell}"' for cell in verdict.row()) for verdict in study.verdicts)
        head = '"term","series","printed","measured","outcome"'
        _write(out, figure.files("terms") | {"verdicts.csv": f"{head}\n{verdicts}\n"})
        if not (quiet or as_json):
            say(f"\nfigure, data and verdicts: {out / 'terms'}.svg, {out / 'terms'}.csv, {out / 'verdicts'}.csv")


def _data(study: Study) -> dict[str, Any]:
    """The exact tables, the floors and the verdicts, JSON-ready."""
    tables = {}
    for term, table in study.exact.items():
        axis = str(next(iter(table.dims)))
        series = {str(name): table[name].values.tolist() for name in table.data_vars}
        tables[term] = {"axis": axis, "values": table[axis].values.tolist(), "series": series}
    columns = ("term", "series", "printed", "measured", "outcome")
    return {
        "exact": tables, "floor_2": {kind: float(worst) for kind, worst in study.worst.items()},
        "verdicts": [dict(zip(columns, verdict.row(), strict=True)) for verdict in study.verdicts],
    }  # fmt: skip


def _tables(study: Study) -> list[str]:
    """Exact tables with local slopes, the floors, and one line per verdict."""
    from verify.experiments.terms.runs import local_slopes

    lines = []
    for term, table in study.exact.items():
        slopes, axis = local_slopes(table), str(next(iter(table.dims)))
        names = [str(name) for name in table.data_vars if not str(name).startswith("repaired variance")]
        powers = not term.startswith("(5)")
        lines.append(f"\n{term}" + ("; local slopes in brackets" if powers else ""))
        lines.append(f"{axis:>9} " + " ".join(f"{name:>31}" for name in names))
        for k, x in enumerate(table[axis].values):
            cells = []
            for name in names:
                slope = float(slopes[name].values[k - 1]) if k and powers else float("nan")
                cells.append(f"{float(table[name].values[k]):.5g}" + (f" [{slope:.3f}]" if np.isfinite(slope) else ""))
            lines.append(f"{x:>9g} " + " ".join(f"{cell:>31}" for cell in cells))
    lines.append("\nfloor (2), sqrt(eps_bias)/(1 - gamma): largest found in the class, and J* - J on the same ray")
    for kind, floor in study.worst.items():
        along = study.floors[kind]
        ranges = (f"{float(along[name].min()):.5g} to {float(along[name].max()):.5g}" for name in ("floor", "gap"))
        lines.append(f"{kind:>9} {floor:.5g}; on the ray " + ", gap ".join(ranges))
    lines.append("\nfloor (3), eps_critic at one policy: typical largest |Q-hat(W*) - Q|, printed target")
    for (axis, kind, reading, network), data in study.sizes.items():
        if reading == "printed":
            cells = np.exp(np.log(data["floor"].values).mean(axis=1))
            shown = ", ".join(f"{x}: {y:.3g}" for x, y in zip(data["horizon"].values, cells, strict=True))
            lines.append(f"{kind:>9}, {network}, by {axis}: {shown}")
    lines.append("\nverdicts: printed order, measured order [interval], outcome over these sizes")
    rows = [verdict.row() for verdict in study.verdicts]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines += ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return lines


def proof_command(
    times: Annotated[str, typer.Option(help="Outer iterations to decompose, increasing, such as 1,10,30.")] = "1,30",
    reading: Annotated[
        str, typer.Option(help="printed, repaired or undiscounted.", autocompletion=complete(READING_NAMES))
    ] = "printed",
    width: Annotated[int, typer.Option(help="Width m of the critic networks.")] = 20,
    depth: Annotated[int, typer.Option(help="Depth D of the critic networks.")] = 2,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """The proof of zhang2025 Theorem 5.10 along a run: every bound of Eqs. (15)-(36) beside what it bounds.

    Each line is tight, loose or wrong; "above" means that an O(.) was taken with constant one and is exceeded.

    Example: lemmata experiment proof --times 1,10,100 --reading undiscounted
    """
    from algorithms.neural import READINGS, CriticNetwork, Steps, decompose
    from verify.experiments.terms.runs import instances

    one_of("reading", reading, READINGS)
    require_whole("seed", seed, 0)
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
    if as_json:
        steps = [{
            "t": d.t, "direction_error": d.direction_error, "expected_alignment": d.expected_alignment,
            "lines": [asdict(line) | {"outcome": line.outcome} for line in d.lines],
        } for d in found]  # fmt: skip
        emit("experiment-proof", {"reading": reading, "seed": seed, "steps": steps})
    for decomposition in found if not (quiet or as_json) else ():
        say(f"\n{decomposition.table()}")


def _write(out: Path, files: dict[str, str]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write into {out}: {error.strerror}") from None
