"""The coordination game's runs in numbers: shares with Wilson intervals, curves with Student intervals, JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import binomtest
from scipy.stats import t as student

from algorithms.baselines import MDAC_BATCH, ConstantSteps
from mdp.equilibria import Profile
from verify.experiments.coordination.runs import ENDED, OPEN, OUTCOMES, game_equilibria

CONFIDENCE = 0.95
"""Of all intervals."""


@dataclass(frozen=True)
class Summary:
    """Where the runs of one algorithm on one game ended.

    Attributes:
        agents: N.
        algorithm: its name.
        runs: how many.
        counts: runs by outcome, in the order of `OUTCOMES`.
        probability: share of runs at an efficient equilibrium.
        low: Wilson interval, lower end.
        high: Wilson interval, upper end.
        reward: mean over runs of the exact expected team reward at the end.
        reward_low: its Student interval, lower end.
        reward_high: its Student interval, upper end.
        best: the largest team reward of any profile.
    """

    agents: int
    algorithm: str
    runs: int
    counts: tuple[int, ...]
    probability: float
    low: float
    high: float
    reward: float
    reward_low: float
    reward_high: float
    best: float


def summaries(data: xr.Dataset) -> list[Summary]:
    """Probabilities of ending at an efficient equilibrium with Wilson intervals, and final rewards.

    Args:
        data: what `coordination` returned.
    """
    found = []
    for N in data["agents"].values:
        for name in data["algorithm"].values:
            part = data.sel(agents=N, algorithm=name)
            counts = tuple(int((part["outcome"] == k).sum()) for k in range(len(OUTCOMES)))
            runs = int(part.sizes["run"])
            test = binomtest(counts[0], runs)
            wilson = test.proportion_ci(confidence_level=CONFIDENCE, method="wilson")
            mean, half = student_interval(part["final_reward"].values)
            reward = (float(mean), float(mean - half), float(mean + half))
            share = (counts[0] / runs, float(wilson.low), float(wilson.high))
            found.append(Summary(int(N), str(name), runs, counts, *share, *reward, float(part["best"])))
    return found


def student_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first axis and half the width of its Student interval at `CONFIDENCE`.

    Args:
        values: (R, ...), independent runs along the first axis, at least two.

    Returns:
        Both of the shape of one run.
    """
    runs = len(values)
    quantile = float(student.ppf(0.5 + CONFIDENCE / 2, runs - 1))
    return values.mean(axis=0), quantile * values.std(axis=0, ddof=1) / np.sqrt(runs)


def curve_rows(data: xr.Dataset) -> list[tuple[object, ...]]:
    """The curves as rows: agents, algorithm, iteration, samples, mean reward, interval ends, runs.

    Args:
        data: what `coordination` returned.
    """
    rows: list[tuple[object, ...]] = []
    for N in data["agents"].values:
        for name in data["algorithm"].values:
            part = data.sel(agents=N, algorithm=name)
            mean, half = student_interval(part["reward"].transpose("run", "checkpoint").values)
            for t, samples, m, h in zip(data["t"].values, part["samples"].values, mean, half, strict=True):
                interval = (float(m), float(m - h), float(m + h))
                rows.append((int(N), str(name), int(t), int(samples), *interval, part.sizes["run"]))
    return rows


CURVE_COLUMNS = ("agents", "algorithm", "iteration", "samples", "reward", "low", "high", "runs")
"""Names of the entries of `curve_rows`."""


def as_json(data: xr.Dataset) -> dict[str, Any]:
    """The summary for programs: settings, what is open, equilibria, and the outcome of every algorithm.

    Args:
        data: what `coordination` returned.
    """
    games = {}
    for N in (int(n) for n in data["agents"].values):
        found = game_equilibria(N)
        groups = {name: getattr(found, name) for name in ("nash", "strict", "team_nash", "efficient")}
        games[str(N)] = {name: [list(_joint(p)) for p in group] for name, group in groups.items()}
    alpha, beta, zeta = ConstantSteps().at(1)
    settings = {"actor_step": alpha, "critic_step": beta, "reward_model_step": zeta, "mdac_batch": MDAC_BATCH}
    choices = {"ended": ENDED, "confidence": CONFIDENCE, "outcomes": list(OUTCOMES)}
    return {
        "settings": {**data.attrs, **settings, **choices},
        "open": list(OPEN),
        "equilibria": games,
        "results": [asdict(s) for s in summaries(data)],
    }


def _joint(profile: Profile) -> tuple[int, ...]:
    return tuple(actions[0] for actions in profile)
