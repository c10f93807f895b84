"""Settings in which the listing of zeng2022 Algorithm 1 runs: exact ones, and those of the compiled code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import fmpq

from algorithms import CACSteps, cac
from mdp.exact import exact
from mdp.families import random_problem
from mdp.problem import Problem
from mdp.rational import RationalPoint
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, exact_evidence
from verify.identities import FLOAT_TOLERANCE, largest
from verify.zeng2022.listing.listing import Draw, Sample, Setting, final, run

STEPS = (fmpq(1, 3), fmpq(1, 2), fmpq(2, 5))
"""alpha, beta and zeta of the exact runs; ours: different, so that exchanged steps show."""


def exact_setting(point: RationalPoint, W: Sequence[np.ndarray], draw: Draw) -> Setting:
    """An exact setting whose projections are a nonlinear map and whose score depends on theta.

    Args:
        point: the problem.
        W: consensus matrices, used in turn, (N, N) each.
        draw: the samples.
    """
    scores = point.exact().scores

    def bend(x: np.ndarray) -> np.ndarray:
        bent: np.ndarray = x / (1 + (x * x).sum())
        return bent

    return Setting(
        W=W, steps=STEPS, gamma=point.gamma, n_shared=1, r=point.r,
        phi_state=point.phi_state, phi_joint=point.phi_joint, n_actions=point.n_actions,
        score=lambda i, s, a, theta: scores[i][s, a] * (1 + theta[0]) + theta, project_omega=bend,
        project_lambda=lambda x: bend(2 * x), draw=draw,
    )


def against_kernel(context: Context, double: bool) -> Evidence:
    """The listing in floats against the compiled code, from the same random draws; small radii, so that they bind.

    Args:
        context: randomness.
        double: whether the actors have samples of their own.
    """
    rng, count, horizon = context.rng(2261, int(double)), 12, 6
    return exact_evidence(
        f"iterates of the listing minus those of the compiled code after {horizon} iterations",
        largest(kernel_gap(rng, double, horizon) for _ in range(count)), FLOAT_TOLERANCE, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=count, corroborates=True,
    )


def kernel_gap(rng: np.random.Generator, double: bool, horizon: int) -> float:
    """Largest difference of the listing's iterates from the compiled code's, one random problem, the same draws.

    Args:
        rng: draws the problem, the start and the seed.
        double: whether the actors have samples of their own.
        horizon: iterations.
    """
    problem, theta = random_problem(rng)
    seed, radius = int(rng.integers(2**31)), 0.3
    trace = cac(
        problem, horizon, seed, sampling="double" if double else "single", radius_omega=radius, radius_lambda=radius,
        theta_0=theta,
    )
    features, N = problem.features, len(theta)
    start = (theta, np.zeros((N, features.phi_state.shape[1])), np.zeros((N, features.phi_joint.shape[2])))
    setting = _float_setting(problem, horizon, radius, np.random.default_rng(seed), double)
    parts = zip(final(run(setting, start, horizon), N, horizon), ("theta", "omega", "lam"), strict=True)
    return max(float(np.abs(mine - trace[name].values).max()) for mine, name in parts)


def _float_setting(
    problem: Problem, horizon: int, radius: float, rng: np.random.Generator, double: bool
) -> Setting:
    def pick(law: np.ndarray) -> int:
        return int(np.searchsorted(np.cumsum(law[:-1]), rng.random(), side="right"))

    def draw(visited: bool) -> Draw:
        def sample(t: int, theta: np.ndarray) -> Sample:
            view = exact(problem, theta)
            s = pick(view.visitation if visited else view.stationary)
            actions = tuple(pick(table[s]) for table in view.tables)
            joint = int(np.ravel_multi_index(actions, problem.mdp.n_actions))
            return Sample(s, actions, pick(view.P[s, joint]))

        return sample

    def score(i: int, s: int, a: int, theta: np.ndarray) -> np.ndarray:
        rows = np.zeros((problem.mdp.n_agents, len(theta)))
        rows[i] = theta
        found: np.ndarray = problem.policy.log_jacobian(rows)[i][s, a]
        return found

    def onto_ball(x: np.ndarray) -> np.ndarray:
        norm = float(np.linalg.norm(x))
        return x * (radius / norm) if norm > radius else x

    return Setting(
        W=list(problem.schedule.matrices), steps=CACSteps().at(horizon), gamma=problem.mdp.gamma,
        n_shared=problem.policy.n_shared, r=problem.mdp.r, phi_state=problem.features.phi_state,
        phi_joint=problem.features.phi_joint, n_actions=problem.mdp.n_actions, score=score, project_omega=onto_ball,
        project_lambda=onto_ball, draw=draw(False), draw_actor=draw(True) if double else None,
    )
