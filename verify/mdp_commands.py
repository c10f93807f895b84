"""`lemmata mdp check FILE` and `lemmata mdp exact FILE`: a file's problem, validated and evaluated exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from mdp import FiniteMDP, J_star
from mdp.chain import PeriodicChainError, ReducibleChainError
from mdp.exact import Exact
from mdp.features import Features
from mdp.io import FormatError, RationalMDP, read_drn, read_json, read_npz
from mdp.large import SparseMDP
from mdp.problem import Problem

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Read an MDP from a JSON, npz or DRN file.")

File = Annotated[Path, typer.Argument(help="A .json, .npz or .drn file (see mdp.io).")]


@app.command()
def check(file: File) -> None:
    """Validate a file and say what is in it.

    Example: lemmata mdp check problem.json
    """
    loaded = _read(file)
    mdp = loaded.mdp if isinstance(loaded, Problem) else loaded
    kind = "problem" if isinstance(loaded, Problem) else "sparse MDP" if isinstance(loaded, SparseMDP) else "MDP"
    typer.echo(
        f"{file}: a valid {kind}: {mdp.n_states} states, {mdp.n_agents} agents with actions {mdp.n_actions}, "
        f"{mdp.n_joint_actions} joint actions, gamma = {float(mdp.gamma):g}"
    )


@app.command("exact")
def exact_command(
    file: File,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Exact quantities at the uniform policy, and the optimum, with error bounds.

    Quantities that do not exist (a stationary law of a chain that does not mix) say why.

    Example: lemmata mdp exact problem.json --json
    """
    loaded = _read(file)
    mdp = loaded.mdp if isinstance(loaded, Problem) else loaded
    if isinstance(mdp, SparseMDP):
        raise typer.BadParameter(f"{file} holds a sparse MDP; evaluate it with mdp.sparse_exact")
    view = _at_uniform(mdp, loaded.features if isinstance(loaded, Problem) else None)
    found: dict[str, Any] = {"J": view.J, "J error at most": view.error("J").value_error}
    for name in ("V", "visitation", "restart_stationary", "stationary"):
        try:
            found[name] = getattr(view, name).tolist()
        except (ReducibleChainError, PeriodicChainError) as error:
            found[name] = f"none: {error}"
    best = J_star(mdp)
    found["J* between"] = [best.low, best.high]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        typer.echo(f"{name}: {np.array2string(np.array(value), precision=6) if isinstance(value, list) else value}")


def _at_uniform(mdp: FiniteMDP, features: Features | None) -> Exact:
    """Exact view at the uniform policy; scores are left empty, features default to a constant."""
    S, A = mdp.n_states, mdp.n_joint_actions
    tables = tuple(np.full((S, k), 1.0 / k) for k in mdp.n_actions)
    return Exact(
        P=mdp.P, r=mdp.r, initial=mdp.initial, gamma=mdp.gamma, tables=tables,
        scores=tuple(np.zeros((S, k, 1)) for k in mdp.n_actions),
        phi_state=features.phi_state if features else np.ones((S, 1)),
        phi_joint=features.phi_joint if features else np.ones((S, A, 1)),
    )


def _read(file: Path) -> FiniteMDP | Problem | SparseMDP:
    readers = {".json": read_json, ".npz": read_npz, ".drn": read_drn}
    if file.suffix not in readers:
        raise typer.BadParameter(f"{file} is none of {', '.join(readers)}")
    try:
        loaded = readers[file.suffix](file)  # type: ignore[operator]
    except (FormatError, ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    return loaded.to_mdp() if isinstance(loaded, RationalMDP) else loaded
