"""The coordination game of zeng2022 Sec. 5: CAC against IAC, DAC and MDAC, with exact rewards and equilibria.

The steps, the actions, the noise, the graph and the number of runs are the paper's; `OPEN` lists what its text does
not say and what was taken. The curves show the *exact* expected team reward of the current policies, (1 - gamma) J, at
log-spaced times: the sampled rewards of the paper's Fig. 1 are this plus noise of mean zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from joblib import Parallel, delayed

from algorithms.baselines import MDAC_BATCH, ConstantSteps, dac, iac, mdac
from algorithms.cac import cac
from mdp.equilibria import Equilibria, Profile, pure_equilibria
from mdp.instances import coordination_game
from mdp.policy import joint_probabilities
from mdp.problem import Problem

ALGORITHMS: dict[str, Callable[..., xr.Dataset]] = {"CAC": cac, "IAC": iac, "DAC": dac, "MDAC": mdac}
"""The four algorithms of the figure, CAC first."""

READINGS: dict[str, Callable[..., xr.Dataset]] = {
    "IAC, model": partial(iac, reward="model"),
    "DAC, before": partial(dac, mixing="before"),
    "MDAC, model": partial(mdac, reward="model"),
    "MDAC, 5 x 1": partial(mdac, batch=1, critic_steps=MDAC_BATCH),
}
"""Other readings of the three baselines, on request: a reward model in the actor's signal, mixing before the step, and
five critic steps on a tuple each, so that the graph is complete once before every actor step: see
`algorithms.baselines`."""

OUTCOMES = ("efficient", "other equilibrium", "no equilibrium", "undecided")
"""Where a run ended: at a pure profile (see `ENDED`) that maximises the team reward and is a Nash equilibrium of the
agents' own rewards, at another such equilibrium, at a profile that is none, or at no profile yet."""

ENDED = 0.9
"""Probability of one joint action from which a policy counts as having ended there; ours."""

METRIC_EVERY = 5
"""Iterations between measurements of J; ours. One period of the graph."""

AGENTS = (3, 5)
"""Two values of N; ours."""

PAPER_RUNS = 10
"""Monte Carlo runs. Source: zeng2022, caption of Fig. 1."""

OPEN = (
    "N of the two panels of Fig. 1: not in the text; 3 and 5 here",
    "discount factor: not in the text; 0 here (one state, a repeated one-shot game), --gamma sets another",
    "length of the runs and start: not in the text; uniform policies and zero critics here",
    "split of the policy into shared and personal parts: not in the text; one shared and one personal logit per action "
    "here, both local to the agent in IAC, DAC and MDAC",
    "features: not in the text; a constant for the critic, and for the reward model a constant, the mean square and "
    "the mean number of matches, so that the team reward is represented exactly",
    "step of the reward model: not in the text; the critic's 0.1 here",
    "update rules of IAC, DAC and MDAC: named, not listed; see algorithms.baselines for what was assumed (--readings "
    "runs other readings; whether MDAC averages rewards over a graph that is mostly empty decides how it does)",
    "an iteration of MDAC draws 6 tuples (5 for the critic, 1 for the actor), of the others 1; the CSV has both counts",
)
"""What the paper's text leaves open, and what was taken. Its Appendix A, said to have details, was not at hand."""


@dataclass(frozen=True)
class Budget:
    """Size of the experiment.

    Attributes:
        runs: Monte Carlo runs per algorithm and N.
        horizon: iterations per run.
        checkpoints: log-spaced times at which J is reported.
    """

    runs: int
    horizon: int
    checkpoints: int


BUDGETS = {"quick": Budget(PAPER_RUNS, 2_000, 40), "full": Budget(200, 4_000, 80)}
"""By profile. Quick has the paper's ten runs; full has more, the first ten with the seeds of quick."""


def coordination(
    agents: Sequence[int] = AGENTS,
    *,
    budget: Budget = BUDGETS["quick"],
    seed: int = 0,
    gamma: float = 0.0,
    readings: bool = False,
    jobs: int = 1,
    on_run: Callable[[], None] | None = None,
) -> xr.Dataset:
    """Run all four algorithms on the coordination game.

    Args:
        agents: distinct values of N, each from 2 to 6.
        budget: runs, horizon, checkpoints; at least two runs, for the intervals.
        seed: root of all randomness; a run's stream depends on it, N, the algorithm and the index of the run alone.
        gamma: discount factor.
        readings: run `READINGS` too.
        jobs: worker threads (the kernels release the interpreter).
        on_run: called after each run, for progress bars.

    Returns:
        Dataset with dimensions ``agents, algorithm, run, checkpoint``: ``reward``, the exact expected team reward per
        step at iteration ``t``, its coordinate; ``samples`` drawn by then; and per run ``final_reward``,
        ``certainty`` (the largest probability of a joint action), ``profile`` (that action) and ``outcome`` (an index
        into `OUTCOMES`); ``best``, the largest team reward of any profile.

    Raises:
        ValueError: no or repeated agents, an N that the dense game refuses, fewer than two runs, a negative seed,
            fewer than one worker, gamma outside [0, 1).

    Source: zeng2022 Sec. 5.
    """
    _require(agents, budget, seed, jobs)
    problems = {N: coordination_game(N, gamma=gamma) for N in agents}
    equilibria = {N: game_equilibria(N) for N in agents}
    names = [*ALGORITHMS, *(READINGS if readings else ())]
    cells = [(N, k, run) for N in sorted(agents, reverse=True) for k in range(len(names)) for run in range(budget.runs)]
    tasks = (delayed(_run)(problems[N], names[k], budget, (seed, N, k, run)) for N, k, run in cells)
    traces = Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(tasks)
    data: xr.Dataset | None = None
    for (N, k, run), trace in zip(cells, traces, strict=True):
        if data is None:
            data = _empty(list(agents), names, budget, trace, {"seed": seed, "gamma": gamma, "horizon": budget.horizon})
        where = {"agents": list(agents).index(N), "algorithm": k, "run": run}
        _store(data, where, problems[N], equilibria[N], trace)
        if on_run is not None:
            on_run()
    assert data is not None
    return data


def game_equilibria(n_agents: int) -> Equilibria:
    """All pure equilibria of the game, from its rewards without noise (whose mean shifts them all alike).

    Args:
        n_agents: N.
    """
    return pure_equilibria(coordination_game(n_agents, noise=False).mdp)


def _run(problem: Problem, name: str, budget: Budget, key: tuple[int, ...]) -> xr.Dataset:
    return (ALGORITHMS | READINGS)[name](
        problem, budget.horizon, np.random.SeedSequence(key[0], spawn_key=key[1:]), steps=ConstantSteps(),
        n_checkpoints=budget.checkpoints, metric_every=METRIC_EVERY,
    )  # fmt: skip


def _empty(
    agents: list[int], names: list[str], budget: Budget, trace: xr.Dataset, attributes: dict[str, Any]
) -> xr.Dataset:
    times, _ = measured(trace["t"].values)
    shape = (len(agents), len(names), budget.runs)
    runs = ("agents", "algorithm", "run")
    return xr.Dataset(
        {
            "reward": ((*runs, "checkpoint"), np.full((*shape, len(times)), np.nan)),
            "samples": (("algorithm", "checkpoint"), np.zeros((shape[1], len(times)), dtype=np.int64)),
            "final_reward": (runs, np.full(shape, np.nan)),
            "certainty": (runs, np.full(shape, np.nan)),
            "outcome": (runs, np.full(shape, -1)),
            "profile": (runs, np.full(shape, -1)),
            "best": (("agents",), np.full(len(agents), np.nan)),
        },
        coords={"agents": agents, "algorithm": names, "run": np.arange(shape[2]), "t": ("checkpoint", times)},
        attrs=attributes,
    )


def _store(data: xr.Dataset, where: dict[str, int], problem: Problem, found: Equilibria, trace: xr.Dataset) -> None:
    """Write one run into its place."""
    gamma = problem.mdp.gamma
    times, rows = measured(trace["t"].values)
    pi = joint_probabilities(problem.policy.probabilities(trace["theta"].values))[0]
    top = int(pi.argmax())
    per_iteration = int(trace["samples"][-1]) // int(trace["t"][-1]) if "samples" in trace.coords else 1
    data["reward"][where] = (1 - gamma) * trace["J_now"].values[rows]
    data["samples"][{"algorithm": where["algorithm"]}] = per_iteration * times
    data["final_reward"][where] = float(pi @ problem.mdp.r_bar[0])
    data["certainty"][where] = pi[top]
    data["profile"][where] = top
    data["best"][{"agents": where["agents"]}] = problem.mdp.r_bar.max()
    profile: Profile = tuple((int(a),) for a in np.unravel_index(top, problem.mdp.n_actions))
    data["outcome"][where] = outcome(found, profile, float(pi[top]))


def outcome(found: Equilibria, profile: Profile, certainty: float) -> int:
    """Index into `OUTCOMES` of a policy that plays `profile` with probability `certainty`.

    Args:
        found: equilibria of the game.
        profile: the most probable joint action.
        certainty: its probability.
    """
    if certainty < ENDED:
        return OUTCOMES.index("undecided")
    if profile in found.efficient_nash:
        return OUTCOMES.index("efficient")
    return OUTCOMES.index("other equilibrium" if profile in found.nash else "no equilibrium")


def measured(checkpoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct iterations at which the values reported at `checkpoints` were measured, and the rows that have them.

    A trace reports at each checkpoint the last value measured before it; early checkpoints can share one.

    Args:
        checkpoints: the coordinate ``t`` of a trace measured every `METRIC_EVERY` iterations, (C,), increasing.

    Returns:
        Iterations and rows, both (n,) with n at most C.
    """
    first = min(METRIC_EVERY // 2, int(checkpoints[0]) - 1)
    times = first + (checkpoints - 1 - first) // METRIC_EVERY * METRIC_EVERY
    distinct, rows = np.unique(times, return_index=True)
    return distinct, rows


def _require(agents: Sequence[int], budget: Budget, seed: int, jobs: int) -> None:
    if len(agents) == 0 or len(set(agents)) < len(agents):
        raise ValueError(f"agents is {list(agents)}; give distinct numbers of agents, at least one")
    for N in agents:
        if not 2 <= N <= 6:
            raise ValueError(f"agents has {N}; the dense coordination game takes 2 to 6")
    numbers = {"runs": (budget.runs, 2), "horizon": (budget.horizon, 1), "checkpoints": (budget.checkpoints, 1)}
    for name, (value, least) in (numbers | {"seed": (seed, 0), "jobs": (jobs, 1)}).items():
        if value < least:
            raise ValueError(f"{name} is {value}; it is a whole number of at least {least}")
