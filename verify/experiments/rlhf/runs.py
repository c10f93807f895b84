"""Runs of zhang2025's multi-agent RLHF: printed and repaired direction on the same models, over several seeds.

Nothing here imports PyTorch before a run starts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from rates.workers import in_order

if TYPE_CHECKING:
    from algorithms.deep.rlhf.materials import Materials
    from algorithms.deep.rlhf.settings import Settings

DIRECTIONS = ("printed", "repaired")
"""Directions of Algorithm 1 that the experiment compares."""

SIGNS = (*DIRECTIONS, "flipped")
"""These, and the printed one with the sign of line 17 reversed."""

GOSSIP = 20
"""t_gossip. Source: zhang2025 Appendix D.2."""

LORA_SCALE = 64.0
"""LoRA's alpha with the small models; ours. D.2 gives rank and step, not this; steps of 1e-4 then show in minutes."""

LORA_LAYERS = ("q_proj", "v_proj", "lm_head")
"""Layers with adapters in the small models: those of Hu et al. (2021), and, ours, the output layer."""

REAL_TOKENS = 64
"""Most tokens of a message of real models; ours."""

OPEN = (
    "models: the paper's have 1.1 to 8 billion parameters; by default small ones stand in, whose reward models know a "
    "rule, with the paper's scaling (Table 2)",
    "the opening question: a neutral one by default; --opening takes another (one that the models know)",
    "LoRA's scale and layers: not in the text; 64, and queries, values and the output layer (small models), or 16, and "
    "queries and values (real ones)",
    "number of episodes and of runs: not in the text; one curve is printed, we show intervals over runs",
    "the consensus matrix: not in the text for three agents; a random doubly stochastic one (by seed)",
    "K = M = 1, one turn is one outer iteration: critic and actor learn from the same tuple",
)
"""What the text leaves open, and what was taken."""


@dataclass(frozen=True)
class Budget:
    """Size of an experiment.

    Attributes:
        runs: repetitions per line.
        episodes: dialogues of three turns, one after another.

    Raises:
        ValueError: on construction: fewer than two runs or episodes, or a number that is not whole.
    """

    runs: int
    episodes: int

    def __post_init__(self) -> None:
        for name, least in (("runs", 2), ("episodes", 2)):
            value = getattr(self, name)
            if value != int(value) or value < least:
                raise ValueError(f"{name} is {value}; it is a whole number of at least {least}")


BUDGETS = {"quick": Budget(4, 150), "full": Budget(16, 1_000)}
"""By profile; ours."""


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        direction: of Algorithm 1, as `algorithms.deep.rlhf.direction` names it.
        gossip_rounds: t_gossip.
    """

    direction: str
    gossip_rounds: int = GOSSIP

    @property
    def label(self) -> str:
        """As legends show it."""
        return self.direction if self.gossip_rounds == GOSSIP else f"{self.direction}, t_gossip = {self.gossip_rounds}"


@dataclass(frozen=True)
class Checkpoints:
    """Real models in local folders.

    Attributes:
        actor: causal language model that all actors start from.
        user: causal language model that plays the user.
        rewards: three reward models, in the order of Table 2.
        tokenizer: the actors', if it is not beside the model.
    """

    actor: Path
    user: Path
    rewards: tuple[Path, ...]
    tokenizer: Path | None = None


@dataclass(frozen=True)
class Source:
    """Where the models come from.

    Attributes:
        models: folder of the small models, built on first use.
        size: of the small models.
        seed: of the small models.
        checkpoints: real models instead.
        opening: the question that dialogues begin with; None: the neutral one.
    """

    models: Path
    size: str = "small"
    seed: int = 0
    checkpoints: Checkpoints | None = None
    opening: str | None = None

    def load(self, on_progress: Callable[[str, float], object] = lambda text, share: None) -> Materials:
        """The models, built if they have to be.

        Args:
            on_progress: called with what is done and the share of the whole build.

        Raises:
            MaterialsError: they cannot be used.
        """
        from algorithms.deep.rlhf.materials import build_materials, load_checkpoints
        from algorithms.deep.rlhf.materials.corpus import OPENING

        opening = self.opening or OPENING
        if self.checkpoints is None:
            return build_materials(
                self.models, seed=self.seed, size=self.size, opening=opening, on_progress=on_progress
            )
        folders = self.checkpoints
        return load_checkpoints(
            actor=folders.actor, user=folders.user, rewards=folders.rewards, opening=opening,
            tokenizer=folders.tokenizer,
        )  # fmt: skip


def settings_of(source: Source, line: Line, budget: Budget, changes: dict[str, Any] | None = None) -> Settings:
    """The trainer's settings for one line: its own defaults, and for the small models our adapters.

    Args:
        source: the models.
        line: which.
        budget: number of episodes.
        changes: other settings by name.
    """
    from algorithms.deep.rlhf.settings import Settings

    base = Settings(episodes=budget.episodes, gossip_rounds=line.gossip_rounds)
    if source.checkpoints is None:
        base = replace(base, lora_scale=LORA_SCALE, lora_layers=LORA_LAYERS)
    else:
        base = replace(base, response_tokens=REAL_TOKENS, user_tokens=REAL_TOKENS)
    return replace(base, **(changes or {}))


def device_of(name: str) -> str:
    """The device that ``--device`` means.

    Args:
        name: ``"auto"``, or a device of PyTorch.

    Raises:
        ValueError: PyTorch does not know it, or it is not there.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, ImportError) as error:
        raise ValueError(f"device is {name!r}: {str(error).splitlines()[0]}") from None
    return name


def one_run(
    source: Source, line: Line, budget: Budget, seed: int, device: str = "cpu", folder: Path | None = None,
    changes: dict[str, Any] | None = None, ticks: Path | None = None,
) -> np.ndarray:  # fmt: skip
    """One run of one line, in this process.

    Args:
        source: the models, which must be built already.
        line: which.
        budget: number of episodes.
        seed: of the run.
        device: of the models.
        folder: for checkpoints; a run that was interrupted goes on from there.
        changes: other settings by name.
        ticks: file that grows by a byte per step, for whoever watches.

    Returns:
        Mean reward per turn by episode and agent, (E, 3).
    """
    from algorithms.deep.rlhf.trainer import train

    def tick(done: int, total: int, rewards: np.ndarray) -> None:
        if ticks is not None:
            with ticks.open("ab") as file:
                file.write(b".")

    settings = settings_of(source, line, budget, changes)
    data = train(
        source.load(), settings, direction=line.direction, seed=seed, device=device, out=folder, on_step=tick
    )
    return np.asarray(data["episode_reward"].values)


def run_lines(
    source: Source, lines: Sequence[Line], budget: Budget, *, seed: int = 0, jobs: int = 1, device: str = "cpu",
    out: Path | None = None, changes: dict[str, Any] | None = None,
    on_share: Callable[[float], object] = lambda share: None,
) -> xr.Dataset:  # fmt: skip
    """Every line with every seed. Repetition k has the same seed on every line: adapters and matrix are the same.

    Args:
        source: the models; built before anything runs.
        lines: what to run.
        budget: repetitions and episodes.
        seed: of the first repetition; the others count on from it.
        jobs: worker processes; results do not depend on it.
        device: of the models.
        out: folder for checkpoints.
        changes: other settings by name.
        on_share: called with the share of the steps that are done.

    Returns:
        ``reward`` (line, run, episode, agent), the mean of an episode's turns, with the labels and seeds as
        coordinates.
    """
    source.load()
    cells = [(line, seed + k) for k in range(budget.runs) for line in lines]
    steps = settings_of(source, lines[0], budget, changes).steps * len(cells)
    with tempfile.TemporaryDirectory() as place, _watched(Path(place), steps, on_share):
        tasks = (
            (
                one_run, source, line, budget, number, device,
                None if out is None else out / f"{line.direction}-{line.gossip_rounds}-{number}", changes,
                Path(place) / str(k),
            )
            for k, (line, number) in enumerate(cells)
        )  # fmt: skip
        rewards = in_order(tasks, jobs)
    table = np.array(rewards).reshape(budget.runs, len(lines), *rewards[0].shape).swapaxes(0, 1)
    return xr.Dataset(
        {"reward": (("line", "run", "episode", "agent"), table)},
        coords={
            "line": [line.label for line in lines], "run": [seed + k for k in range(budget.runs)],
            "episode": np.arange(1, table.shape[2] + 1), "agent": np.arange(1, table.shape[3] + 1),
        },
    )  # fmt: skip


def run_anchor(
    *, jobs: int = 1, seeds: Sequence[int] = (0, 1, 2), changes: dict[str, Any] | None = None,
    on_share: Callable[[float], object] = lambda share: None,
) -> xr.Dataset:  # fmt: skip
    """The miniature's exact learning curves, printed and repaired.

    Args:
        jobs: worker processes; results do not depend on it.
        seeds: of its runs.
        changes: other settings by name.
        on_share: called with the share of the runs that are done.

    Returns:
        As `algorithms.deep.rlhf.anchor.anchor_curves`.
    """
    from algorithms.deep.rlhf.anchor import ANCHOR, anchor_curves

    settings = replace(ANCHOR, **(changes or {}))
    pieces = ((partial(anchor_curves, settings, directions=DIRECTIONS, seeds=(number,)),) for number in seeds)
    parts = in_order(pieces, jobs, lambda done: on_share(done / len(seeds)))
    whole: xr.Dataset = xr.concat(parts, "seed", join="exact", combine_attrs="identical")
    return whole


@contextmanager
def _watched(folder: Path, steps: int, on_share: Callable[[float], object]) -> Iterator[None]:
    """Report twice a second what share of the steps the files in a folder count."""
    over = Event()

    def watch() -> None:
        while not over.wait(0.5):
            on_share(sum(path.stat().st_size for path in folder.iterdir()) / steps)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
