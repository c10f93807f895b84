"""Simple Spread of zhang2025 Appendix D.1: its ablations, printed and repaired, with exact rewards beside the runs.

The rewards in figures are exact where the board allows it: the mean team reward per step of the current policies when
every ten steps all agents go to random positions (two and three agents), and otherwise the mean of what a run earned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr
from joblib import Parallel, delayed

from algorithms.neural.spread import Actor, SpreadSettings, spread_run, spread_view
from mdp.large import SimpleSpread, episode, episode_optimum, simple_spread
from verify.experiments.simple_spread.bounds import assignment_reward, solo_reward

HORIZON = 20_000
"""T. Source: zhang2025 Appendix D.1."""

EXACT_AGENTS = 3
"""Most agents for exact rewards: four have 17.9 million joint positions, and a policy's tables would take 2.9 GB."""

RADIUS = 10.0
"""B of the repaired runs; ours, the paper gives none. Without a ball their TD steps leave the floating point range."""

ASSIGNMENT_STARTS = 5_000
"""Starts behind the lower bound on the best reward of four agents; ours."""

PAPER_RUNS = 100
"""Repetitions. Source: zhang2025 Appendix D.1."""

OPEN = (
    "learning rates are bounds (alpha <= 0.005, beta <= 0.001): taken constant, at their bounds",
    "the projection radius B, landmarks' places, inputs of the networks, and whether a reward is that of the positions "
    "before or after the move: not in the text; no ball (printed) or B = 10 (repaired), one draw of landmarks, one-hot "
    "cells and moves, after the move",
    "the actors' input: not in the text; each agent's own cell, as a softmax with a logit per cell and move, or as the "
    "network of Eq. (5) with --actor network (its softmax is nearly deterministic at the start)",
    "four agents are run as printed only: the repaired signal sums over joint actions, 625 of them",
    "one outer iteration draws K + M tuples, and all of them count towards the ten steps of an episode",
)
"""What the text leaves open, and what was taken."""

FIGURES = ("5", "6", "7", "8", "9", "2")
"""Figures by their numbers; Figure 10 shows the same comparison as Figure 2."""

TITLES = {
    "5": "gossip rounds",
    "6": "width of the networks",
    "7": "depth of the networks",
    "8": "number of agents",
    "9": "critic iterations K and batch M",
    "2": "TD error against Q-value",
}
"""What a figure varies."""


@dataclass(frozen=True)
class Budget:
    """Size of an experiment.

    Attributes:
        runs: repetitions per line.
        horizon: outer iterations.
        checkpoints: evenly spaced times at which rewards are reported.
    """

    runs: int
    horizon: int = HORIZON
    checkpoints: int = 10

    def __post_init__(self) -> None:
        for name in ("runs", "horizon", "checkpoints"):
            value = getattr(self, name)
            if value != int(value) or value < 1 + (name == "runs"):
                raise ValueError(f"{name} is {value}; it is a whole number of at least {1 + (name == 'runs')}")
        if self.checkpoints > self.horizon:
            raise ValueError(f"checkpoints is {self.checkpoints}, above the horizon {self.horizon}")


BUDGETS = {"quick": Budget(10), "full": Budget(PAPER_RUNS, checkpoints=20)}
"""By profile."""


@dataclass(frozen=True)
class Line:
    """One line of a figure.

    Attributes:
        label: what is varied, as the legend shows it.
        settings: the algorithm's.
        agents: N.
    """

    label: str
    settings: SpreadSettings
    agents: int = 2


def lines_of(figure: str, actor: Actor = "softmax") -> tuple[Line, ...]:
    """The lines of a figure: as printed, then repaired.

    Args:
        figure: one of `FIGURES`.
        actor: the policy class.

    Raises:
        ValueError: an unknown figure.
    """
    if figure not in FIGURES:
        raise ValueError(f"figure is {figure!r}, not one of {', '.join(FIGURES)}")
    printed = SpreadSettings(actor=actor)
    repaired = replace(printed, reading="repaired", radius=RADIUS)
    if figure == "2":
        ours = (
            Line("printed: TD, flipped", replace(printed, reading="printed, flipped")),
            Line("printed: TD, exact critic", replace(printed, critic="exact")),
            Line("repaired: TD, exact critic", replace(repaired, critic="exact")),
            Line("repaired: Q, exact critic", replace(repaired, reading="repaired, Q-value", critic="exact")),
        )
        return tuple(
            Line(f"{name}: {kind}", replace(base, reading=name + rest))
            for name, base in (("printed", printed), ("repaired", repaired))
            for kind, rest in (("TD", ""), ("Q", ", Q-value"))
        ) + ours
    found: list[Line] = []
    for name, base in (("printed", printed), ("repaired", repaired)):
        for label, change in _ablation(figure):
            agents = change.pop("agents", 2)
            if name == "repaired" and agents > EXACT_AGENTS:
                continue  # E_pi Q is a sum over 625 joint actions: minutes per run
            found.append(Line(f"{name}: {label}", replace(base, **change), agents))
            if figure == "5":
                found.append(Line(f"{name}, local: {label}", replace(base, rewards="local", **change), agents))
    return tuple(found)


def _ablation(figure: str) -> list[tuple[str, dict[str, Any]]]:
    """Labels and changed settings. Source: zhang2025 Appendix D.1."""
    if figure == "5":
        return [(f"t_gossip = {k}", {"gossip_rounds": k}) for k in (0, 10, 20)]
    if figure == "6":
        return [(f"m = {m}", {"width": m}) for m in (10, 20, 40)]
    if figure == "7":
        return [(f"D = {D}", {"depth": D}) for D in (5, 20, 40)]
    if figure == "8":
        return [(f"N = {N}", {"agents": N}) for N in (2, 3, 4)]
    return [
        (f"(K, M) = ({K}, {M})", {"critic_iterations": K, "batch": M}) for K, M in ((1, 1), (1, 5), (5, 1))
    ]


@lru_cache(maxsize=3)
def game_of(agents: int) -> SimpleSpread:
    """The 13 x 5 board with one fixed draw of landmarks; the reward is that of the positions after the move.

    Args:
        agents: N.
    """
    return simple_spread(n_agents=agents, reward_time="after")


@dataclass(frozen=True)
class Best:
    """Best mean reward per step over all joint policies when positions are random again every ten steps.

    Attributes:
        low: a policy earns at least this (the optimum itself up to three agents).
        high: none earns more.
    """

    low: float
    high: float


@lru_cache(maxsize=3)
def best_of(agents: int) -> Best:
    """The optimum by backward recursion, or bounds for four agents.

    Args:
        agents: N.
    """
    game = game_of(agents)
    if agents <= EXACT_AGENTS:
        optimum = episode_optimum(game)
        return Best(optimum.mean_reward, optimum.mean_reward)
    low, error = assignment_reward(game, ASSIGNMENT_STARTS, np.random.default_rng(0))
    return Best(low - 3.0 * error, solo_reward(game))


def exact_reward(game: SimpleSpread, tables: np.ndarray) -> float:
    """Mean team reward per step under fixed policies and resets every ten steps; NaN for a run that failed.

    Args:
        game: the board.
        tables: policies by own cell, (N, C, 5).
    """
    if not np.isfinite(tables).all():
        return float("nan")
    return episode(spread_view(game, tables)).mean_reward


def run_lines(
    lines: Sequence[Line], budget: Budget, *, seed: int = 0, jobs: int = 1,
    on_run: Callable[[], object] = lambda: None,
) -> xr.Dataset:
    """Run every line of a figure. Repetition k has the same seed on every line.

    Args:
        lines: what to run.
        budget: repetitions, horizon, checkpoints.
        seed: root of all randomness.
        jobs: worker threads; results do not depend on it.
        on_run: called after each run.

    Returns:
        Dataset with dimensions ``line`` (its label), ``run`` and ``checkpoint`` (coordinate ``t``): ``earned``, mean
        team reward of the tuples since the last checkpoint; ``exact``, exact mean reward of the policies (NaN where
        not computed), and ``start``, the same before the first step; ``zero_directions``; ``failed``; and per line
        ``agents``, ``best_low`` and ``best_high``.
    """
    roots = [np.random.SeedSequence(seed, spawn_key=(k,)) for k in range(budget.runs)]
    for N in {line.agents for line in lines}:
        game_of(N).moves, best_of(N)

    def one(line: Line, root: np.random.SeedSequence) -> tuple[np.ndarray, np.ndarray, int, str]:
        game = game_of(line.agents)
        trace = spread_run(game, line.settings, budget.horizon, root, checkpoints=budget.checkpoints)
        exact = np.full(len(trace.tables), np.nan)
        for k in range(len(exact)) if line.agents == 2 else (len(exact) - 1,) * (line.agents <= EXACT_AGENTS):
            exact[k] = exact_reward(game, trace.tables[k])
        return trace.reward, exact, trace.zero_directions, trace.failure

    cells = [(line, root) for line in lines for root in roots]
    parallel = Parallel(n_jobs=jobs, prefer="threads", return_as="generator")
    found = []
    for result in parallel(delayed(one)(*cell) for cell in cells):
        found.append(result)
        on_run()
    shape, dims = (len(lines), budget.runs), ("line", "run")
    exact = np.stack([row[1] for row in found]).reshape(*shape, -1)
    best = [best_of(line.agents) for line in lines]
    times = np.linspace(0, budget.horizon, budget.checkpoints + 1).round().astype(np.int64)[1:]
    return xr.Dataset(
        {
            "earned": ((*dims, "checkpoint"), np.stack([row[0] for row in found]).reshape(*shape, -1)),
            "exact": ((*dims, "checkpoint"), exact[..., 1:]),
            "start": (dims, exact[..., 0]),
            "zero_directions": (dims, np.array([row[2] for row in found]).reshape(shape)),
            "failed": (dims, np.array([bool(row[3]) for row in found]).reshape(shape)),
            "agents": ("line", [line.agents for line in lines]),
            "best_low": ("line", [b.low for b in best]),
            "best_high": ("line", [b.high for b in best]),
        },
        coords={"line": [line.label for line in lines], "t": ("checkpoint", times)},
    )
