"""The folder of a pursuit experiment: its plan, and a sealed file per run from which the run goes on bit for bit.

No pickle: parameters are the base64 text of their bytes in JSON with a checksum in front (`rates.atomic`). There is
no state of a generator or of the game to keep; see `algorithms.deep.pursuit.trainer`.
"""

from __future__ import annotations

import base64
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rates.atomic import DamagedFileError, replacing, seal, unseal
from verify.experiments.pursuit.plan import Line, Plan

if TYPE_CHECKING:
    from algorithms.deep.pursuit.trainer import RunState

FORMAT = "lemmata pursuit 1"
"""First entry of every file; another one is not read."""

PLAN_FILE = "plan.json"


class CheckpointError(ValueError):
    """A folder or file from which the experiment cannot go on; the message says why."""


def versions() -> dict[str, str]:
    """Versions of what decides the bits of a run."""
    return {name: version(name) for name in ("torch", "numpy", "pettingzoo")}


def create(folder: Path, plan: Plan, device: str) -> None:
    """Make the folder and write the plan, or check that it holds the same one.

    Args:
        folder: where.
        plan: what will be run.
        device: torch device.

    Raises:
        CheckpointError: the folder holds another experiment, or was begun on another device.
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / PLAN_FILE).exists():
        found, begun_on = read_plan(folder)
        if begun_on != device:
            raise CheckpointError(f"{folder} was begun on {begun_on}, and this is {device}: other bits")
        if found != plan:
            raise CheckpointError(f"{folder} holds another experiment ({difference(found, plan)}); take another folder")
        return
    _write(folder / PLAN_FILE, {"plan": plan.as_json(), "device": device, "versions": versions()})


def read_plan(folder: Path) -> tuple[Plan, str]:
    """The plan of a folder, and its device.

    Args:
        folder: what `create` made.

    Raises:
        CheckpointError: no such folder, no plan in it, a damaged one, or one of other versions of the libraries.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder")
    content = _read(folder / PLAN_FILE)
    if content["versions"] != versions():
        were, are = (", ".join(f"{k} {v}" for k, v in table.items()) for table in (content["versions"], versions()))
        raise CheckpointError(f"{folder} was begun with {were}, and this is {are}: the bits would not be the same")
    try:
        return Plan.from_json(content["plan"]), str(content["device"])
    except ValueError as error:
        raise CheckpointError(f"{folder / PLAN_FILE}: {error}") from None


def difference(found: Plan, asked: Plan) -> str:
    """Where two plans differ first, in words.

    Args:
        found: the one in the folder.
        asked: the other.
    """
    one, other = _flat(found.as_json()), _flat(asked.as_json())
    for key in [*one, *(k for k in other if k not in one)]:
        if one.get(key) != other.get(key):
            return f"{key} is {one.get(key, 'absent')!r} there and {other.get(key, 'absent')!r} here"
    return "no difference"


def write_run(folder: Path, line: Line, state: RunState, measured: list[dict[str, float]]) -> None:
    """Save a run; the file is whole or the old one.

    Args:
        folder: of the experiment.
        line: the run's line.
        state: of the run.
        measured: exact quantities so far, on the miniature.

    Raises:
        OSError: it cannot be written.
    """
    networks = {
        name: [{"shape": list(t.shape), "float32": base64.b64encode(t.numpy().tobytes()).decode()} for t in network]
        for name, network in (("actor", state.actor), ("critic", state.critic))
    }
    _write(
        folder / _file_name(line, state.run),
        {
            "line": line.name, "seed": state.seed, "run": state.run, "returns": state.returns.tolist(),
            "measured": measured, **networks,
        },
    )  # fmt: skip


def read_run(folder: Path, plan: Plan, line: Line, run: int) -> tuple[RunState, list[dict[str, float]]] | None:
    """A saved run, or None if it has not been saved yet.

    Args:
        folder: of the experiment.
        plan: of the experiment.
        line: the run's line.
        run: its index.

    Raises:
        CheckpointError: the file is damaged, or is not of this run.
    """
    from algorithms.deep.pursuit.trainer import start

    path = folder / _file_name(line, run)
    if not path.exists():
        return None
    content = _read(path)
    fresh = start(line.algorithm, line.settings, seed=plan.seed, run=run)
    if (content["line"], content["seed"], content["run"]) != (line.name, plan.seed, run):
        raise CheckpointError(f"{path} is run {content['run']} of {content['line']}, seed {content['seed']}")
    if len(content["returns"]) > line.settings.episodes:
        raise CheckpointError(f"{path} has {len(content['returns'])} episodes of {line.settings.episodes}")
    actor, critic = (
        _network(path, content[name], like) for name, like in (("actor", fresh.actor), ("critic", fresh.critic))
    )
    returns = np.array(content["returns"], dtype=float)
    return type(fresh)(line.algorithm, plan.seed, run, actor, critic, returns), content["measured"]


def _network(path: Path, stored: list[dict[str, Any]], like: tuple[Any, ...]) -> tuple[Any, ...]:
    import torch

    if [tuple(entry["shape"]) for entry in stored] != [tuple(t.shape) for t in like]:
        raise CheckpointError(f"{path} holds networks of other sizes than the plan's")
    arrays = [np.frombuffer(base64.b64decode(entry["float32"]), np.float32) for entry in stored]
    return tuple(torch.tensor(a).reshape(t.shape) for a, t in zip(arrays, like, strict=True))


def _file_name(line: Line, run: int) -> str:
    return f"{line.name.replace(', ', '-')}-{run:03d}.json"


def _write(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(seal({"format": FORMAT, **content}))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = unseal(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing: no pursuit experiment was begun there") from None
    except DamagedFileError as error:
        raise CheckpointError(f"{path}: {error}; delete it, and that run starts afresh") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a file of {FORMAT!r}")
    return content


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in _flat(inner, f"{prefix}{key}.").items()}
    if isinstance(value, list):
        return {k: v for i, inner in enumerate(value) for k, v in _flat(inner, f"{prefix}{i}.").items()}
    return {prefix.rstrip("."): value}
