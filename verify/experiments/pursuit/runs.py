"""Runs of the pursuit experiment: side by side in processes, saved after every wave; exact ones on the miniature.

The calling process keeps the states and writes the files; workers only compute. A result does not depend on how many
there are, nor on how often the experiment was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from algorithms.deep.pursuit.extras import require_extra
from algorithms.deep.pursuit.settings import Miniature
from mdp.instances.pursuit import mini_pursuit
from mdp.optimal import J_star
from rates.workers import in_workers
from verify.experiments.pursuit.folder import create, read_run, write_run
from verify.experiments.pursuit.plan import Line, Plan

if TYPE_CHECKING:
    from algorithms.deep.pursuit.trainer import RunState

MEASURED = ("J", "trained", "exact_critic", "anchored", "agreement")
"""Exactly computed on the miniature after every wave: J, three cosines (`algorithms.deep.pursuit.anchor.Alignment`),
and the largest difference between the two ways to find grad J."""


@dataclass(frozen=True, eq=False)
class LineResult:
    """What a line's runs gave.

    Attributes:
        line: which.
        returns: mean over agents and copies of the summed rewards, per run and block of episodes.
        measured: exact quantities by name, (runs, waves + 1), the first before any update; empty on PettingZoo's
            board.
        optimum: J* on the miniature, else NaN.
    """

    line: Line
    returns: Float[np.ndarray, "run episode"]
    measured: dict[str, Float[np.ndarray, "run wave"]]
    optimum: float


def run_plan(
    plan: Plan,
    *,
    jobs: int = 1,
    device: str = "cpu",
    folder: Path | None = None,
    on_blocks: Callable[[int], None] = lambda blocks: None,
) -> list[LineResult]:
    """Run, or go on with, an experiment.

    Args:
        plan: what to run.
        jobs: worker processes.
        device: torch device, see `algorithms.deep.pursuit.trainer.require_device`.
        folder: keeps the runs; one that holds this plan is gone on with.
        on_blocks: called with the number of blocks of episodes just finished, or found in the folder.

    Raises:
        MissingExtraError: the extra ``lemmata[pursuit]`` is not installed.
        CheckpointError: the folder holds something else, or damaged files.
        ValueError: fewer than one worker, an unknown device.
        FloatingPointError: a run left the floats.
        OSError: the folder cannot be written.
    """
    require_extra()
    from algorithms.deep.pursuit.trainer import require_device, start

    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; it is at least one")
    target = str(require_device(device))
    if folder is not None:
        create(folder, plan, target)
    states: dict[tuple[int, int], tuple[RunState, list[dict[str, float]]]] = {}
    for k, line in enumerate(plan.lines):
        for run in range(line.runs):
            saved = None if folder is None else read_run(folder, plan, line, run)
            fresh = start(line.algorithm, line.settings, seed=plan.seed, run=run)
            states[k, run] = saved or (fresh, [measure(line, fresh)] if line.exact else [])
            on_blocks(states[k, run][0].episode)
    for k, run, state, numbers in _waves(plan, states, jobs, target):
        before, measured = states[k, run]
        states[k, run] = state, [*measured, *([numbers] if plan.lines[k].exact else [])]
        if folder is not None:
            write_run(folder, plan.lines[k], *states[k, run])
        on_blocks(state.episode - before.episode)
    return [_result(line, [states[k, run] for run in range(line.runs)]) for k, line in enumerate(plan.lines)]


def measure(line: Line, state: RunState) -> dict[str, float]:
    """Exact quantities at the state's networks, by the names of `MEASURED`.

    Args:
        line: on the miniature.
        state: of a run of it.
    """
    from algorithms.deep.pursuit.anchor import alignment, exact_J, gradient_gap, mini_problem

    problem = mini_problem(line.settings)
    cosines = alignment(line.settings, state.actor, state.critic)
    return {
        "J": exact_J(problem, state.actor),
        **vars(cosines),
        "agreement": gradient_gap(problem, state.actor),
    }


def _waves(
    plan: Plan, states: dict[tuple[int, int], Any], jobs: int, device: str
) -> Iterator[tuple[int, int, RunState, dict[str, float]]]:
    """Every unfinished run by one wave, again and again."""
    while True:
        pending = [(k, run) for (k, run), (s, _) in states.items() if s.episode < plan.lines[k].settings.episodes]
        if not pending:
            return
        tasks = [(_advanced, k, run, plan.lines[k], states[k, run][0], device) for k, run in pending]
        yield from in_workers(tasks, "loky", jobs) if jobs > 1 else (f(*rest) for f, *rest in tasks)


def _advanced(
    k: int, run: int, line: Line, state: RunState, device: str
) -> tuple[int, int, RunState, dict[str, float]]:
    from algorithms.deep.pursuit.trainer import advance

    blocks = line.wave - state.episode % line.wave  # waves end at the same blocks after an interruption
    state = advance(state, line.settings, blocks, device=device)
    return k, run, state, measure(line, state) if line.exact else {}


def _result(line: Line, found: list[tuple[RunState, list[dict[str, float]]]]) -> LineResult:
    returns = np.stack([state.returns for state, _ in found])
    names = MEASURED if line.exact else ()
    measured = {name: np.array([[point[name] for point in points] for _, points in found]) for name in names}
    game = line.settings.game
    optimum = _optimum(game.rows, game.columns, line.settings.gamma) if isinstance(game, Miniature) else float("nan")
    return LineResult(line, returns, measured, optimum)


@lru_cache
def _optimum(rows: int, columns: int, gamma: float) -> float:
    return float(J_star(mini_pursuit(rows, columns, gamma).mdp).J)
