"""What the baselines have in common around their kernels: checks, arrays, and the labelled trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from algorithms._inputs import _generator, _initial, _require_mixing, _tables, _whole
from algorithms.cac import METRICS, CACSteps
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem

Seed = int | np.random.SeedSequence | np.random.Generator


@dataclass(frozen=True, eq=False)
class Run:
    """A validated run: what the kernels read, and the arrays that they write."""

    problem: Problem
    rng: np.random.Generator
    tables: tuple[Any, ...]
    sampling: str
    rates: tuple[float, float, float]
    radii: tuple[float, float]
    theta: np.ndarray
    omega: np.ndarray
    lam: np.ndarray
    checkpoints: np.ndarray
    metric_every: int
    averages: np.ndarray
    instants: np.ndarray

    @property
    def double(self) -> bool:
        """Whether the actor has tuples of its own."""
        return self.sampling == "double"

    @property
    def rest(self) -> tuple[Any, ...]:
        """The last arguments of every kernel."""
        state = (self.theta, self.omega, self.lam)
        return (*self.rates, *self.radii, *state, self.checkpoints, self.metric_every, self.averages, self.instants)

    def trace(self, algorithm: str, tuples: int, **settings: str | int) -> xr.Dataset:
        """The labelled result; an iteration drew `tuples` tuples."""
        finals = {"theta": self.theta, "omega": self.omega, "lam": self.lam}
        lost = [name for name, value in finals.items() if not np.isfinite(value).all()]
        lost += [n for n, column in zip(METRICS, self.averages.T, strict=True) if not np.isfinite(column).all()]
        if lost:
            raise FloatingPointError(
                f"not finite at the end of the run: {', '.join(lost)}; the steps are too large, or the policy so "
                "close to deterministic that its probabilities underflow"
            )
        data: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
        for k, name in enumerate(METRICS):
            data[name] = (("checkpoint",), self.averages[:, k])
            data[f"{name}_now"] = (("checkpoint",), self.instants[:, k])
        columns = {"theta": "parameter", "omega": "critic_feature", "lam": "reward_feature"}
        data |= {name: (("agent", columns[name]), value) for name, value in finals.items()}
        times = {"t": (("checkpoint",), self.checkpoints), "samples": (("checkpoint",), tuples * self.checkpoints)}
        alpha, beta, zeta = self.rates
        known = {"problem": self.problem.name, "algorithm": algorithm, "sampling": self.sampling}
        return xr.Dataset(data, coords=times, attrs=known | {"alpha": alpha, "beta": beta, "zeta": zeta} | settings)


def prepare(
    problem: Problem, horizon: int, seed: Seed, steps: CACSteps | None, sampling: str,
    radius_omega: float, radius_lambda: float,
    theta_0: np.ndarray | None, omega_0: np.ndarray | None, lambda_0: np.ndarray | None,
    n_checkpoints: int, metric_every: int,
) -> Run:  # fmt: skip
    """Check what the three algorithms have in common, before any of it is computed with."""
    if not isinstance(problem.policy, LogLinearPolicy):
        raise TypeError(f"the baselines run on LogLinearPolicy, not {type(problem.policy).__name__}")
    one_of("sampling", sampling, ("single", "double"))
    horizon, metric_every = _whole("horizon", horizon), _whole("metric_every", metric_every)
    n_checkpoints = _whole("n_checkpoints", n_checkpoints)
    for name, radius in (("radius_omega", radius_omega), ("radius_lambda", radius_lambda)):
        if not radius > 0:
            raise ValueError(f"{name} is {radius:g}; projection radii are positive")
    _require_mixing(problem)
    N, features = problem.mdp.n_agents, problem.features
    checkpoints = np.unique(np.geomspace(1, horizon, n_checkpoints + 1).round().astype(np.int64)[1:])
    averages, instants = np.empty((2, len(checkpoints), len(METRICS)))
    return Run(
        problem=problem, rng=_generator(seed), tables=_tables(problem), sampling=sampling,
        rates=(steps or CACSteps()).at(horizon), radii=(float(radius_omega), float(radius_lambda)),
        theta=_initial("theta_0", theta_0, (N, problem.policy.n_parameters)),
        omega=_initial("omega_0", omega_0, (N, features.phi_state.shape[1])),
        lam=_initial("lambda_0", lambda_0, (N, features.phi_joint.shape[2])),
        checkpoints=checkpoints, metric_every=metric_every, averages=averages, instants=instants,
    )  # fmt: skip


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise unless `value` is one of the words `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, not {' or '.join(map(repr, allowed))}")
