"""`lemmata mdp instances`, `check` and `exact`: bundled problems and files, validated and evaluated exactly."""

from __future__ import annotations

import inspect
import zipfile
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import inf, nextafter, prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verify.commands import names
from verify.commands.common import EXIT_CODES, Bare, Json, Quiet, console, emit, say
from verify.suggest import did_you_mean

if TYPE_CHECKING:
    from mdp import FiniteMDP, Problem
    from mdp.exact import Exact
    from mdp.features import Features
    from mdp.large import LargeMDP
    from mdp.rational import RationalPoint

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Bundled MDPs, and those in files.")

MOST_EXACT = 4096
"""Entries of P up to which a file is evaluated in fractions; ours: two seconds for 64 states with probabilities of
three digits. Twice as many states take ten times as long, since the fractions grow too."""

MOST_DIGITS = 60
"""Longest exact number printed beside its double; ours. JSON has them all."""

LABELS = {"J_error": "J error at most", "restart_residual": "restart law residual", "J_star": "J* between"}
"""Keys of the JSON document as people read them, where the two differ."""

File = Annotated[
    str,
    typer.Argument(
        help="A .json, .npz or .drn file (see mdp.io), or a bundled instance by its name.",
        autocompletion=names.complete_mdp,
    ),
]


@app.command(short_help="The bundled MDPs, small and large.", epilog="Exit codes: 0 done.")
def instances(quiet: Bare = False, as_json: Json = False) -> None:
    """List the bundled instances, small and large, with their default sizes and what they are.

    With --quiet, their names alone.

    Example: lemmata mdp instances
    """
    from rich.table import Table

    from mdp.instances import INSTANCES
    from mdp.large import LARGE_INSTANCES

    if quiet and not as_json:
        for name in (*INSTANCES, *LARGE_INSTANCES):
            say(name)
        return
    rows = [_instance_row(name, "dense", build) for name, build in INSTANCES.items()]
    rows += [_instance_row(name, "large", build) for name, build in LARGE_INSTANCES.items()]
    if as_json:
        emit("mdp-instances", {"instances": rows})
        return
    table = Table(title="Bundled instances (default sizes)")
    for column in ("name", "kind", "states", "actions", "gamma", "what it is"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            row["name"], row["kind"], f"{row['states']:,}", " x ".join(map(str, row["actions"])),
            f"{row['gamma']:g}", row["summary"],
        )  # fmt: skip
    console().print(table)


def _instance_row(name: str, kind: str, build: Callable[..., Problem | LargeMDP]) -> dict[str, Any]:
    from mdp import Problem

    built = build()
    mdp = built.mdp if isinstance(built, Problem) else built
    return {
        "name": name, "kind": kind, "states": mdp.n_states, "actions": list(mdp.n_actions),
        "gamma": float(mdp.gamma), "summary": (inspect.getdoc(build) or "").splitlines()[0],
    }  # fmt: skip


@app.command(short_help="Validate a file.", epilog="Exit codes: 0 valid; 2 not valid, or no such file.")
def check(file: File, quiet: Quiet = False, as_json: Json = False) -> None:
    """Validate a file, or a bundled instance, and say what is in it.

    Example: lemmata mdp check problem.json
    """
    loaded = _read(file)
    mdp, kind = _mdp_and_kind(loaded)
    if as_json:
        emit("mdp-check", {
            "file": file, "kind": kind, "states": mdp.n_states, "actions": list(mdp.n_actions),
            "gamma": float(mdp.gamma),
        })  # fmt: skip
    elif not quiet:
        say(
            f"{file}: a valid {kind}: {mdp.n_states} states, {len(mdp.n_actions)} agents "
            f"with actions {mdp.n_actions}, {prod(mdp.n_actions)} joint actions, gamma = {float(mdp.gamma):g}"
        )


def _mdp_and_kind(loaded: FiniteMDP | Problem | LargeMDP) -> tuple[FiniteMDP | LargeMDP, str]:
    from mdp import FiniteMDP, Problem
    from mdp.large import SparseMDP

    kinds = {Problem: "problem", FiniteMDP: "MDP", SparseMDP: "sparse MDP"}
    return (loaded.mdp if isinstance(loaded, Problem) else loaded), kinds.get(type(loaded), "large MDP")


@app.command("exact", short_help="Exact values and laws, and the optimum.", epilog=EXIT_CODES)
def exact_command(file: File, quiet: Bare = False, as_json: Json = False) -> None:
    """Exact quantities at the uniform policy, and the optimum, with error bounds.

    Fractions and decimals of a small JSON or DRN file are taken as they stand there. Otherwise (large or binary files,
    rows that sum to one up to rounding only, bundled instances) the numbers rounded to doubles are the problem that the
    error bounds are about.

    Quantities that do not exist (a stationary law of a chain that does not mix) say why. With --quiet, a line
    "name TAB number TAB number ..." for each that exists, with all digits.

    Example: lemmata mdp exact problem.json --json
    """
    from mdp import FiniteMDP, J_star, Problem

    loaded = _read(file)
    mdp, _ = _mdp_and_kind(loaded)
    if not isinstance(mdp, FiniteMDP):
        _print(_large_quantities(mdp), {}, {}, quiet, as_json)
        return
    stated = _as_stated(file, mdp)
    if stated is not None:
        _print(*_exact_quantities(stated), quiet, as_json)
        return
    view = _at_uniform(mdp, loaded.features if isinstance(loaded, Problem) else None)
    found: dict[str, Any] = {"J": view.J, "J_error": view.error("J").value_error}
    values, missing = _values_and_laws(view)
    best = J_star(mdp)
    _print(found | values | {"J_star": [best.low, best.high]}, missing, {}, quiet, as_json)


def _values_and_laws(view: Exact) -> tuple[dict[str, Any], dict[str, str]]:
    """Values and laws of a view as lists of floats, and why one does not exist."""
    from mdp.chain import PeriodicChainError, ReducibleChainError
    from mdp.linear import to_float

    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name in ("V", "visitation", "restart_stationary", "stationary"):
        try:
            found[name] = to_float(getattr(view, name)).tolist()
        except (ReducibleChainError, PeriodicChainError) as error:
            found[name], missing[name] = None, str(error)
    return found, missing


def _as_stated(file: str, mdp: FiniteMDP) -> RationalPoint | None:
    """The MDP of a small file with its fractions and decimals as they stand there, at the uniform policy.

    None for bundled instances, binary and large files, and rows that sum to one up to rounding only: there the doubles
    are the problem.
    """
    from mdp.io import FormatError, read_drn, read_json_exact

    path = Path(file)
    if mdp.P.size > MOST_EXACT or path.suffix not in (".json", ".drn"):
        return None
    try:
        rational = read_drn(path) if path.suffix == ".drn" else read_json_exact(path)
        return rational.tabular_uniform()
    except (FormatError, ValueError):  # what can be said against the file has been said when it was read
        return None


def _exact_quantities(point: RationalPoint) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Quantities of an exact problem: doubles with what they were rounded by, reasons, and exact numbers as text."""
    from mdp import J_star

    view = point.exact()
    J, best = _fraction(view.J), _fraction(J_star(point).J)
    off = abs(Fraction(float(J)) - J)
    values, missing = _values_and_laws(view)
    found = {"J": float(J), "J_error": nextafter(float(off), inf) if off else 0.0, **values}
    found["J_star"] = [
        x if Fraction(x) == best else nextafter(x, end) for x, end in ((float(best), -inf), (float(best), inf))
    ]
    return found, missing, {"J": str(J), "J_star": str(best)}


def _fraction(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _large_quantities(mdp: LargeMDP) -> dict[str, Any]:
    """J at the uniform policy and J*, without any dense array."""
    import numpy as np

    from mdp.large import optimum, sparse_exact_from_tables
    from mdp.large.solvers import EPSILON
    from mdp.large.view import MEAN_ADDITIONS

    view = sparse_exact_from_tables(mdp, [np.full((mdp.n_states, k), 1.0 / k) for k in mdp.n_actions])
    best = optimum(mdp)
    error = best.error + MEAN_ADDITIONS * EPSILON * float(np.abs(best.V).max())
    return {
        "J": view.J, "J_error": view.J_error, "restart_residual": view.restart_residual(),
        "J_star": [best.J - error, best.J + error],
    }  # fmt: skip


def _print(
    found: Mapping[str, Any], missing: Mapping[str, str], exactly: Mapping[str, str], quiet: bool, as_json: bool
) -> None:
    import numpy as np

    if as_json:
        emit("mdp-exact", {"policy": "uniform", "values": found, "missing": missing, "exactly": exactly})
        return
    if not quiet:
        say("at the uniform policy, and J* over all policies:")
    for name, value in found.items():
        if quiet:
            numbers = value if isinstance(value, list) else [value]
            if name not in missing:
                say("\t".join([name, *map(repr, map(float, numbers))]))
        elif name in missing:
            say(f"{LABELS.get(name, name)}: none: {missing[name]}")
        elif name == "J_star":  # rounded for the eye it would no longer enclose
            say(f"{LABELS[name]}: {float(value[0])!r} and {float(value[1])!r}{_is(exactly.get(name, ''))}")
        else:
            text = np.array2string(np.array(value), precision=6) if isinstance(value, list) else value
            say(f"{LABELS.get(name, name)}: {text}{_is(exactly.get(name, ''))}")


def _is(exact: str) -> str:
    """An exact number beside its double, if it is short enough to read."""
    return f"   exactly {exact}" if 0 < len(exact) <= MOST_DIGITS else ""


def _at_uniform(mdp: FiniteMDP, features: Features | None) -> Exact:
    """Exact view at the uniform policy; scores are left empty, features default to a constant."""
    import numpy as np

    from mdp.exact import Exact

    S, A = mdp.n_states, mdp.n_joint_actions
    tables = tuple(np.full((S, k), 1.0 / k) for k in mdp.n_actions)
    return Exact(
        P=mdp.P, r=mdp.r, initial=mdp.initial, gamma=mdp.gamma, tables=tables,
        scores=tuple(np.zeros((S, k, 1)) for k in mdp.n_actions),
        phi_state=features.phi_state if features else np.ones((S, 1)),
        phi_joint=features.phi_joint if features else np.ones((S, A, 1)),
    )  # fmt: skip


def _read(file: str) -> FiniteMDP | Problem | LargeMDP:
    from mdp.io import FormatError, RationalMDP, read_drn, read_json, read_npz

    path = Path(file)
    readers = {".json": read_json, ".npz": read_npz, ".drn": read_drn}
    if path.suffix == "" and not path.exists():
        return _bundled(file)
    if path.is_dir():
        raise typer.BadParameter(f"{file!r} is a folder, not a {', '.join(readers)} file")
    if path.suffix not in readers:
        raise typer.BadParameter(f"{file!r} is none of {', '.join(readers)}, and no bundled instance")
    try:
        loaded = readers[path.suffix](path)  # type: ignore[operator]
    except (FormatError, ValueError, OSError, RecursionError, zipfile.BadZipFile) as error:
        text = f"{file}: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)
        raise typer.BadParameter(text) from None
    return loaded.to_mdp() if isinstance(loaded, RationalMDP) else loaded


def _bundled(name: str) -> Problem | LargeMDP:
    from mdp.instances import INSTANCES
    from mdp.large import LARGE_INSTANCES

    if name in INSTANCES:
        return INSTANCES[name]()
    if name in LARGE_INSTANCES:
        return LARGE_INSTANCES[name]()
    known = [*INSTANCES, *LARGE_INSTANCES]
    near = did_you_mean(name, known, f"; the latter are {', '.join(known)}")
    raise typer.BadParameter(f"{name!r} is neither a file nor a bundled instance{near}")
