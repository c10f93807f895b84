"""Recorded runs of multi-agent RLHF: one JSON file that is read without the extra, and how it was made.

``python -m verify.experiments.rlhf.record FILE MODELS`` makes it again (half an hour of one core).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from verify.experiments.rlhf.figure import WINDOW, blocks
from verify.experiments.rlhf.runs import GOSSIP, SIGNS, Budget, Line, Source, run_lines, settings_of

FORMAT = "lemmata-figure-4-runs-1"
"""First entry of the file."""

RECORDED = Path(__file__).parents[2] / "data" / "figure-4-runs.json"
"""The file of this project."""

DIGITS = 4
"""Decimals of block means; ours: a hundredth of what separates runs."""

FIRST = 4
"""Episodes at the start of every run that are kept to the last bit, so that a repetition can be compared; ours."""

LINES = tuple(Line(direction, rounds) for rounds in (GOSSIP, 0) for direction in SIGNS)
"""Lines of the project's file: both directions and the printed one with its sign reversed, with gossip and without."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """Runs from a file.

    Attributes:
        lines: what was run.
        seeds: of the runs, the same on every line.
        rewards: mean reward per turn over blocks of `WINDOW` episodes, (lines, runs, blocks, agents).
        first: the same by episode, for the first `FIRST` of them, to the last bit.
        about: settings, models and versions, for the record.
    """

    lines: tuple[Line, ...]
    seeds: tuple[int, ...]
    rewards: Float[np.ndarray, "L R B N"]
    first: Float[np.ndarray, "L R F N"]
    about: dict[str, Any]

    def of(self, line: Line) -> Float[np.ndarray, "R B N"]:
        """Rewards of one line.

        Args:
            line: one of `lines`.
        """
        found: np.ndarray = self.rewards[self.lines.index(line)]
        return found

    def curves(self, lines: Sequence[Line]) -> xr.Dataset:
        """The runs as `rlhf_figure` wants them: every episode has the mean of its block.

        Args:
            lines: some of `lines`.
        """
        table = np.stack([np.repeat(self.of(line), WINDOW, axis=1) for line in lines])
        coords = {
            "line": [line.direction for line in lines], "run": list(self.seeds),
            "episode": np.arange(1, table.shape[2] + 1), "agent": np.arange(1, table.shape[3] + 1),
        }
        return xr.Dataset({"reward": (("line", "run", "episode", "agent"), table)}, coords=coords)


def read(path: Path = RECORDED) -> Recorded:
    """Runs from a file.

    Args:
        path: written by `write`.

    Raises:
        ValueError: another format, or shapes that do not belong together.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    if data.get("format") != FORMAT:
        raise ValueError(f"{path.name} has format {data.get('format')!r}, not {FORMAT!r}")
    lines = tuple(Line(**entry) for entry in data["lines"])
    rewards, first = np.array(data["rewards"], dtype=float), np.array(data["first"], dtype=float)
    shape = (len(lines), len(data["seeds"]))
    for name, table in (("rewards", rewards), ("first", first)):
        if table.ndim != 4 or table.shape[:2] != shape or not np.isfinite(table).all():
            raise ValueError(f"{path.name}: {name} has shape {table.shape}; it starts with (lines, seeds) = {shape}")
    return Recorded(lines, tuple(data["seeds"]), rewards, first, data["about"])


def write(path: Path, data: xr.Dataset, lines: Sequence[Line], about: dict[str, Any]) -> None:
    """Write runs.

    Args:
        path: of the file.
        data: what `verify.experiments.rlhf.runs.run_lines` returned.
        lines: what was run, in its order.
        about: settings, models and versions.
    """
    table = data["reward"].transpose("line", "run", "episode", "agent").values
    rounded = [blocks(part).round(DIGITS).tolist() for part in table]
    content = {
        "format": FORMAT, "about": about, "lines": [asdict(line) for line in lines],
        "seeds": [int(k) for k in data["run"].values], "window": WINDOW, "first": table[:, :, :FIRST].tolist(),
    }  # fmt: skip
    text = json.dumps(content, indent=1)[:-2] + ',\n "rewards": ' + json.dumps(rounded, separators=(",", ":")) + "\n}\n"
    path.write_text(text, encoding="utf-8")


def about_of(source: Source, line: Line, budget: Budget) -> dict[str, Any]:
    """What the recorded runs depend on: settings, models, versions, the kind of processor.

    Args:
        source: the models.
        line: one of those that were run.
        budget: their size.
    """
    from importlib.metadata import version

    import torch

    materials = source.load()
    packages = ("torch", "transformers", "peft", "tokenizers", "numpy")
    return {
        "settings": asdict(settings_of(source, line, budget)), "models": materials.provenance,
        "opening": materials.opening, "versions": {name: version(name) for name in packages},
        "processor": torch.backends.cpu.get_cpu_capability(),
    }  # fmt: skip


def record(path: Path, models: Path, budget: Budget, jobs: int, folder: Path | None = None) -> None:
    """Run all `LINES` and write them.

    Args:
        path: of the file.
        models: folder of the small models.
        budget: size.
        jobs: worker processes.
        folder: for checkpoints.
    """
    source = Source(models)
    data = run_lines(source, LINES, budget, jobs=jobs, out=folder)
    write(path, data, LINES, about_of(source, LINES[0], budget))


if __name__ == "__main__":
    record(Path(sys.argv[1]), Path(sys.argv[2]), Budget(8, 150), jobs=2)
