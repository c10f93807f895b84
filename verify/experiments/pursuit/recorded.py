"""Recorded runs on PettingZoo's board, shipped as data, and a slice of them run again where torch is installed.

The file has the returns of every block of episodes of every run, with settings, seed and versions; what is concluded
from them is computed by who reads it. `python -m verify.experiments.pursuit.recorded FOLDER` writes the file anew from
a folder that ``lemmata experiment pursuit --seed 4000 --runs 40 --out FOLDER`` has finished.

The batch was registered before it was run (the history of this file has the text): 40 runs with seed 4000, all else as
in two smaller batches that had left the lead of CAC over DAC open, no run left out, and no further batch whatever came
out.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from algorithms.deep.pursuit.extras import MissingExtraError, require_extra
from algorithms.deep.pursuit.settings import Settings
from rates.atomic import DamagedFileError, replacing, seal, unseal

DATA = Path(__file__).parents[2] / "data" / "pursuit-runs.json"
"""The recorded runs."""

DIGITS = 6
"""Decimals kept of a return; ours."""

SLICE = 2
"""Blocks of episodes of run 0 that are run again, per algorithm; ours: a second of computing."""

TOLERANCE = 1e-4
"""Largest difference of a return run again; ours. A single other move changes a return by more than this; rounding of
networks in single precision on another processor changes none of the first moves."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """Runs of several algorithms under the same settings, paired by their index.

    Attributes:
        settings: of every run.
        seed: root of all randomness.
        versions: of the libraries that ran them.
        returns: by algorithm, (runs, blocks of episodes).
    """

    settings: Settings
    seed: int
    versions: dict[str, str]
    returns: dict[str, Float[np.ndarray, "run episode"]]


def write_recorded(runs: Recorded, path: Path = DATA) -> None:
    """Write a file of recorded runs, with a checksum.

    Args:
        runs: what to write.
        path: replaced as a whole.
    """
    rounded = {name: np.round(table, DIGITS).tolist() for name, table in runs.returns.items()}
    content = {"settings": runs.settings.as_json(), "seed": runs.seed, "versions": runs.versions, "returns": rounded}
    with replacing(path) as temporary:
        temporary.write_bytes(seal(content))


def read_recorded(path: Path = DATA) -> Recorded:
    """The recorded runs.

    Args:
        path: what `write_recorded` wrote.

    Raises:
        ValueError: the file is damaged, or its tables do not fit each other.
    """
    try:
        content = unseal(path.read_bytes())
    except DamagedFileError as error:
        raise ValueError(f"{path.name}: {error}") from None
    settings = Settings.from_json(content["settings"])
    returns = {name: np.array(rows, dtype=float) for name, rows in content["returns"].items()}
    shapes = {table.shape for table in returns.values()}
    if len(shapes) != 1 or next(iter(shapes))[1:] != (settings.episodes,):
        raise ValueError(f"{path.name}: tables of shapes {sorted(shapes)} for {settings.episodes} blocks of episodes")
    return Recorded(settings, int(content["seed"]), dict(content["versions"]), returns)


def run_again(runs: Recorded, blocks: int = SLICE) -> Mapping[str, float] | None:
    """Largest difference between recorded returns and those of the first blocks of run 0, run again here.

    Args:
        runs: what was recorded.
        blocks: how many.

    Returns:
        By algorithm; None where the extra ``lemmata[pursuit]`` is not installed.
    """
    try:
        require_extra()
    except MissingExtraError:
        return None
    from algorithms.deep.pursuit.trainer import advance, start

    found = {}
    for name, table in runs.returns.items():
        state = advance(start(name, runs.settings, seed=runs.seed, run=0), runs.settings, blocks)  # type: ignore[arg-type]
        found[name] = float(np.abs(state.returns - table[0, :blocks]).max())
    return found


def from_folder(folder: Path) -> Recorded:
    """The runs on PettingZoo's board of a finished experiment.

    Args:
        folder: what ``lemmata experiment pursuit --out`` wrote.

    Raises:
        ValueError: no such folder, a run that is missing or not finished, or lines of different settings.
    """
    from verify.experiments.pursuit.command import RUNS_FOLDER
    from verify.experiments.pursuit.folder import read_plan, read_run, versions

    plan, _ = read_plan(folder / RUNS_FOLDER)
    board = [line for line in plan.lines if not line.exact]
    returns: dict[str, Any] = {}
    for line in board:
        if line.settings != board[0].settings or line.runs != board[0].runs:
            raise ValueError(f"{line.name} has other settings or another number of runs than {board[0].name}")
        saved = [read_run(folder / RUNS_FOLDER, plan, line, run) for run in range(line.runs)]
        unfinished = [k for k, found in enumerate(saved) if found is None or found[0].episode < line.settings.episodes]
        if unfinished:
            raise ValueError(f"run {unfinished[0]} of {line.name} is not finished")
        returns[line.name] = np.stack([found[0].returns for found in saved if found is not None])
    return Recorded(board[0].settings, plan.seed, versions(), returns)


if __name__ == "__main__":
    write_recorded(from_folder(Path(sys.argv[1])))
