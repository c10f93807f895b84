"""All of zhang2025 Theorem 5.10, term by term: the exact tables, the sizes of the network, the floors, the verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mdp.exact import exact
from mdp.policies import CircularPolicy
from mdp.problem import Problem
from verify.experiments.terms.floors import floor_along, worst_bias_floor
from verify.experiments.terms.runs import READINGS, all_terms, teams
from verify.experiments.terms.sizes import PROFILES, Profile, by_size
from verify.experiments.terms.verdicts import TermVerdict, exact_verdicts, size_verdicts


@dataclass(frozen=True, eq=False)
class Study:
    """What `lemmata experiment terms` shows.

    Attributes:
        exact: tables without sampling, by term and parameter.
        sizes: sweeps over width and depth, by (axis, class, reading, network).
        floors: floor (2) along a ray of parameters, by class.
        worst: the largest floor (2) found in the class, by class.
        gradients: ``(1 - gamma) ||grad J||`` at the parameters of the sweeps, by class.
        verdicts: one per series.
    """

    exact: Mapping[str, xr.Dataset]
    sizes: Mapping[tuple[str, str, str, str], xr.Dataset]
    floors: Mapping[str, xr.Dataset]
    worst: Mapping[str, float]
    gradients: Mapping[str, float]
    verdicts: list[TermVerdict]


def run_study(profile: Profile | str = "quick", *, seed: int = 0, jobs: int = 1) -> Study:
    """Measure everything.

    Args:
        profile: sizes and draws, or a name of `PROFILES`.
        seed: root of the networks' weights.
        jobs: processes; the numbers do not depend on it.

    Raises:
        ValueError: an unknown profile.
    """
    if isinstance(profile, str):
        if profile not in PROFILES:
            raise ValueError(f"profile is {profile!r}, not one of {', '.join(PROFILES)}")
        profile = PROFILES[profile]
    tables, team = all_terms(), teams()
    sizes = by_size(team, READINGS, profile, seed=seed, jobs=jobs)
    gradients = {
        kind: (1 - problem.mdp.gamma) * float(np.linalg.norm(exact(problem, theta).grad_J))
        for kind, (problem, theta) in team.items()
    }
    floors = {kind: floor_along(problem, theta, _scales(problem)) for kind, (problem, theta) in team.items()}
    worst = {kind: _worst(*team[kind], floors[kind]) for kind in team}
    return Study(tables, sizes, floors, worst, gradients, [*exact_verdicts(tables), *size_verdicts(sizes)])


def _scales(problem: Problem) -> np.ndarray:
    """Half a turn of the circle, and as far as softmax policies still move."""
    return np.linspace(0, 6.0 if isinstance(problem.policy, CircularPolicy) else 4.0, 61)


def _worst(problem: Problem, theta: np.ndarray, along: xr.Dataset) -> float:
    """From the worst point of the ray, from theta and from its negative."""
    scale = float(along["theta"].values[along["floor"].values.argmax()])
    reach = 6.0 / float(np.abs(theta).max())  # the search's box
    return worst_bias_floor(problem, np.stack([min(scale, reach) * theta, theta, -theta])).floor
