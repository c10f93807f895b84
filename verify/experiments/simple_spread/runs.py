"""Simple Spread of zhang2025 Appendix D.1: its ablations, printed and repaired, with exact rewards beside the runs.

The rewards in figures are exact: the mean team reward per step of the current policies when every ten steps all agents
go to random positions. The exceptions are networks of the whole state: with three agents their exact reward is computed
at the two ends of a run only, with four nowhere, and the curve is the mean of what the run earned.

Every line is a sweep (`rates.sweep`) with a folder of its own, so that runs which were killed go on where they stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from math import isfinite
from pathlib import Path

import numpy as np
import xarray as xr

from algorithms.neural.spread import SpreadSettings, spread_run
from mdp.large import SimpleSpread, simple_spread
from rates.sweep import SweepProgress, sweep
from verify.experiments.simple_spread.exact import best_reward, own_landmark_reward, policy_reward, uniform_reward
from verify.experiments.simple_spread.lines import HORIZON, PAPER_RUNS, Line

STATE_TABLE_AGENTS = 3
"""Most agents whose policies of the whole state have exact rewards; with four, the tables would take 2.9 GB."""

BOARD_SEED = 0
"""Of the one draw of landmarks per N; ours, the paper gives none."""


@dataclass(frozen=True)
class Budget:
    """Size of an experiment.

    Attributes:
        runs: repetitions per line.
        horizon: outer iterations.
        checkpoints: evenly spaced times at which rewards are reported.

    Raises:
        ValueError: on construction: fewer than two runs, no iteration, no checkpoint or more of them than iterations,
            or a number that is not whole.
    """

    runs: int
    horizon: int = HORIZON
    checkpoints: int = 10

    def __post_init__(self) -> None:
        for name in ("runs", "horizon", "checkpoints"):
            value = getattr(self, name)
            if not isfinite(value) or value != int(value) or value < 1 + (name == "runs"):
                raise ValueError(f"{name} is {value}; it is a whole number of at least {1 + (name == 'runs')}")
        if self.checkpoints > self.horizon:
            raise ValueError(f"checkpoints is {self.checkpoints}, above the horizon {self.horizon}")


BUDGETS = {"quick": Budget(10), "full": Budget(PAPER_RUNS)}
"""By profile."""


@dataclass(frozen=True)
class Levels:
    """Exact mean rewards per step of fixed policies when positions are random again every ten steps.

    Attributes:
        best: of the best joint policy, which may see everything.
        own_landmark: of agents that each walk straight to a landmark of their own.
        uniform: of uniform policies.
    """

    best: Fraction
    own_landmark: Fraction
    uniform: Fraction


@lru_cache(maxsize=3)
def game_of(agents: int) -> SimpleSpread:
    """The 13 x 5 board with one fixed draw of landmarks; the reward is that of the positions after the move.

    Args:
        agents: N, from 1 to 4.
    """
    return simple_spread(n_agents=agents, seed=BOARD_SEED, reward_time="after")


@lru_cache(maxsize=3)
def levels(agents: int) -> Levels:
    """What the rewards of runs are compared with; four agents take some seconds.

    Args:
        agents: N.
    """
    game = game_of(agents)
    return Levels(best_reward(game), own_landmark_reward(game), uniform_reward(game))


def run_once(
    settings: SpreadSettings, agents: int, checkpoints: int, horizon: int, seed: np.random.SeedSequence
) -> dict[str, float]:
    """One run, as `rates.sweep` wants it.

    Repetition k of a root seed has the same randomness at every horizon and on every line: the seed's root and its last
    key count, not the horizon.

    Args:
        settings: the algorithm's.
        agents: N.
        checkpoints: evenly spaced times.
        horizon: T.
        seed: of the repetition.

    Returns:
        ``earned k`` and ``exact k`` at checkpoints k = 1, 2, ... (``exact 0`` is the start); NaN where not computed, or
        once the run has failed; ``zero_directions``; ``failed``, 0 or 1.
    """
    game = game_of(agents)
    root = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key[-1:])
    trace = spread_run(game, settings, horizon, root, checkpoints=checkpoints)
    exact = np.full(checkpoints + 1, np.nan)
    wanted: Sequence[int] = range(checkpoints + 1)
    if trace.actor.sees_state and agents > 2:
        wanted = (0, checkpoints) if agents <= STATE_TABLE_AGENTS else ()
    for k in wanted:
        exact[k] = policy_reward(game, trace.tables(k))
    found = {f"exact {k}": float(x) for k, x in enumerate(exact)}
    found |= {f"earned {k}": float(x) for k, x in enumerate(trace.reward, start=1)}
    return found | {"zero_directions": float(trace.zero_directions), "failed": float(bool(trace.failure))}


def run_lines(
    lines: Sequence[Line], budget: Budget, *, seed: int = 0, jobs: int = 1, out: Path | None = None,
    on_run: Callable[[], object] = lambda: None,
) -> xr.Dataset:
    """Run every line of a figure. Repetition k has the same seed on every line.

    Args:
        lines: what to run; lines with equal settings and N are run once.
        budget: repetitions, horizon, checkpoints.
        seed: root of all randomness.
        jobs: worker threads; results do not depend on it.
        out: folder for finished runs, one folder per line; the same call resumes. None keeps them in memory.
        on_run: called for each run of each distinct line, also for those found in `out`.

    Returns:
        Dataset with dimensions ``line`` (its label), ``run`` and ``checkpoint`` (coordinate ``t``): ``earned``, mean
        team reward of the tuples since the last checkpoint; ``exact``, exact mean reward of the policies (NaN where
        not computed), and ``start``, the same before the first step; ``zero_directions``; ``failed``; and per line
        ``agents`` and the fields of `Levels`.

    Raises:
        ValueError: jobs below one.
        SweepConfigurationError: `out` holds runs with other settings.
        SweepWriteError: `out` cannot be written; finished runs are kept.
        SweepInterrupted: Ctrl-C; finished runs are kept.
    """
    for N in sorted({line.agents for line in lines}):
        game_of(N).moves, levels(N)  # before the threads start
    done = {
        (line.settings, line.agents): _sweep(line, budget, seed, jobs, out, on_run) for line in distinct(lines)
    }
    return _labelled(lines, budget, [done[line.settings, line.agents] for line in lines])


def _sweep(
    line: Line, budget: Budget, seed: int, jobs: int, out: Path | None, on_run: Callable[[], object]
) -> xr.Dataset:
    game, seen = game_of(line.agents), 0

    def count(progress: SweepProgress) -> None:
        nonlocal seen
        for _ in range(progress.done - seen):
            on_run()
        seen = progress.done

    return sweep(
        partial(run_once, line.settings, line.agents, budget.checkpoints), [budget.horizon], budget.runs,
        seed=seed, jobs=jobs, backend="threading", on_progress=count,
        out=None if out is None else out / line.slug,
        config={"board": game.name, "landmarks": game.landmarks, "reward_time": game.reward_time},
    )  # fmt: skip


def _labelled(lines: Sequence[Line], budget: Budget, found: Sequence[xr.Dataset]) -> xr.Dataset:
    """The sweeps side by side, with their metrics along ``checkpoint``."""

    def stacked(names: Sequence[str]) -> np.ndarray:
        return np.stack([np.stack([data[name].values[0] for name in names], axis=-1) for data in found])

    marks = range(1, budget.checkpoints + 1)
    times = np.linspace(0, budget.horizon, budget.checkpoints + 1).round().astype(np.int64)[1:]
    dims, known = ("line", "run"), [levels(line.agents) for line in lines]
    return xr.Dataset(
        {
            "earned": ((*dims, "checkpoint"), stacked([f"earned {k}" for k in marks])),
            "exact": ((*dims, "checkpoint"), stacked([f"exact {k}" for k in marks])),
            "start": (dims, stacked(["exact 0"])[..., 0]),
            "zero_directions": (dims, stacked(["zero_directions"])[..., 0].astype(np.int64)),
            "failed": (dims, stacked(["failed"])[..., 0] > 0),
            "agents": ("line", [line.agents for line in lines]),
            "best": ("line", [float(x.best) for x in known]),
            "own_landmark": ("line", [float(x.own_landmark) for x in known]),
            "uniform": ("line", [float(x.uniform) for x in known]),
        },
        coords={"line": [line.label for line in lines], "t": ("checkpoint", times)},
    )


def distinct(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The first line of each combination of settings and N; `run_lines` runs no more than these.

    Args:
        lines: of one figure, or of several.
    """
    found: dict[tuple[SpreadSettings, int], Line] = {}
    for line in lines:
        found.setdefault((line.settings, line.agents), line)
    return tuple(found.values())
