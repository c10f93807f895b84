"""`lemmata mdp instances`, `check` and `exact`: bundled problems and files, validated and evaluated exactly."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from mdp import FiniteMDP, J_star
from mdp.chain import PeriodicChainError, ReducibleChainError
from mdp.exact import Exact
from mdp.features import Features
from mdp.instances import INSTANCES
from mdp.io import FormatError, RationalMDP, read_drn, read_json, read_npz
from mdp.large import LARGE_INSTANCES, LargeMDP, SparseMDP, optimum, sparse_exact_from_tables
from mdp.large.solvers import EPSILON
from mdp.large.view import MEAN_ADDITIONS
from mdp.problem import Problem

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Bundled MDPs, and those in files.")

File = Annotated[
    Path, typer.Argument(help="A .json, .npz or .drn file (see mdp.io), or a bundled instance by its name.")
]


@app.command()
def instances(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the bundled instances, small and large, with their default sizes and what they are.

    Example: lemmata mdp instances
    """
    rows = [_instance_row(name, "dense", build) for name, build in INSTANCES.items()]
    rows += [_instance_row(name, "large", build) for name, build in LARGE_INSTANCES.items()]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(title="Bundled instances (default sizes)")
    for column in ("name", "kind", "states", "actions", "gamma", "what it is"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            row["name"], row["kind"], f"{row['states']:,}", " x ".join(map(str, row["actions"])),
            f"{row['gamma']:g}", row["summary"],
        )  # fmt: skip
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)


def _instance_row(name: str, kind: str, build: Callable[..., Problem | LargeMDP]) -> dict[str, Any]:
    built = build()
    mdp = built.mdp if isinstance(built, Problem) else built
    return {
        "name": name, "kind": kind, "states": mdp.n_states, "actions": list(mdp.n_actions),
        "gamma": float(mdp.gamma), "summary": (inspect.getdoc(build) or "").splitlines()[0],
    }  # fmt: skip


@app.command()
def check(file: File) -> None:
    """Validate a file, or a bundled instance, and say what is in it.

    Example: lemmata mdp check problem.json
    """
    loaded = _read(file)
    mdp = loaded.mdp if isinstance(loaded, Problem) else loaded
    kinds = {Problem: "problem", FiniteMDP: "MDP", SparseMDP: "sparse MDP"}
    typer.echo(
        f"{file}: a valid {kinds.get(type(loaded), 'large MDP')}: {mdp.n_states} states, {len(mdp.n_actions)} agents "
        f"with actions {mdp.n_actions}, {prod(mdp.n_actions)} joint actions, gamma = {float(mdp.gamma):g}"
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
    if not isinstance(mdp, FiniteMDP):
        _print(_large_quantities(mdp), as_json)
        return
    view = _at_uniform(mdp, loaded.features if isinstance(loaded, Problem) else None)
    found: dict[str, Any] = {"J": view.J, "J error at most": view.error("J").value_error}
    for name in ("V", "visitation", "restart_stationary", "stationary"):
        try:
            found[name] = getattr(view, name).tolist()
        except (ReducibleChainError, PeriodicChainError) as error:
            found[name] = f"none: {error}"
    best = J_star(mdp)
    found["J* between"] = [best.low, best.high]
    _print(found, as_json)


def _large_quantities(mdp: LargeMDP) -> dict[str, Any]:
    """J at the uniform policy and J*, without any dense array."""
    view = sparse_exact_from_tables(mdp, [np.full((mdp.n_states, k), 1.0 / k) for k in mdp.n_actions])
    best = optimum(mdp)
    error = best.error + MEAN_ADDITIONS * EPSILON * float(np.abs(best.V).max())
    return {
        "J": view.J, "J error at most": view.J_error, "restart law residual": view.restart_residual(),
        "J* between": [best.J - error, best.J + error],
    }  # fmt: skip


def _print(found: dict[str, Any], as_json: bool) -> None:
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


def _read(file: Path) -> FiniteMDP | Problem | LargeMDP:
    if file.suffix == "" and not file.exists():
        return _bundled(str(file))
    readers = {".json": read_json, ".npz": read_npz, ".drn": read_drn}
    if file.suffix not in readers:
        raise typer.BadParameter(f"{file} is none of {', '.join(readers)}, and no bundled instance")
    try:
        loaded = readers[file.suffix](file)  # type: ignore[operator]
    except (FormatError, ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    return loaded.to_mdp() if isinstance(loaded, RationalMDP) else loaded


def _bundled(name: str) -> Problem | LargeMDP:
    if name in INSTANCES:
        return INSTANCES[name]()
    if name in LARGE_INSTANCES:
        return LARGE_INSTANCES[name]()
    known = ", ".join([*INSTANCES, *LARGE_INSTANCES])
    raise typer.BadParameter(f"{name} is neither a file nor a bundled instance; the latter are {known}")
