"""Monte Carlo checks the exact moments: twenty comparisons, all fixed in advance, each with |z| below three.

The list was written down, seeds included, before any of it was run, and must not be edited after a failure: a failure
is to be explained. Half of the runs go through the public `algorithms.cac` with a frozen actor, half through a plain
simulator below, which also walks the chain.

One failure so far, at the first run: z = -39 and 7 on garnet. The initial parameters were drawn with shared columns
that differ between agents, and line 4 of Algorithm 1 mixes those at alpha_0 = 0 too, so that the policy moved. The runs
through `cac` now start with equal shared columns; list and seeds are as they were. The mistake is kept as a control.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pytest

from algorithms.cac import CACSteps, cac
from mdp import coordination_game, exact, garnet, ring3, ring3_nonrealisable
from rates.moments import linear_moments

PROBLEMS = {
    "ring3": ring3, "nonrealisable": ring3_nonrealisable, "garnet": lambda: garnet(6, 2, 3, 4, seed=1),
    "game": lambda: coordination_game(2),
}  # fmt: skip
METRICS = {
    "omega_td": "critic_error_td", "omega_bellman": "critic_error_bellman", "omega_td_error": "critic_error_td_error",
    "lambda_star": "reward_error",
}  # fmt: skip
CAC_SEEDS, WALKS = 400, 4000


class Case(NamedTuple):
    problem: str
    target: str
    averaged: bool
    beta: float
    horizon: int
    seed: int


THROUGH_CAC = (
    Case("ring3", "omega_td", True, 0.10, 100, 101),
    Case("ring3", "lambda_star", True, 0.30, 100, 102),
    Case("ring3", "omega_td", False, 0.50, 60, 103),
    Case("nonrealisable", "omega_td", True, 0.30, 100, 104),
    Case("nonrealisable", "omega_bellman", True, 0.30, 100, 105),
    Case("nonrealisable", "omega_td_error", False, 0.80, 100, 106),
    Case("garnet", "omega_td", True, 0.20, 60, 107),
    Case("garnet", "lambda_star", False, 0.50, 60, 108),
    Case("game", "omega_td", True, 0.30, 40, 109),
    Case("game", "lambda_star", False, 0.40, 40, 110),
)
PLAIN = (
    ("markov", Case("ring3", "omega_td", True, 0.10, 200, 201)),
    ("markov", Case("ring3", "omega_td", False, 0.50, 100, 202)),
    ("markov", Case("ring3", "lambda_star", True, 0.30, 100, 203)),
    ("markov", Case("nonrealisable", "omega_td", False, 0.30, 200, 204)),
    ("markov", Case("nonrealisable", "omega_bellman", True, 0.80, 100, 205)),
    ("markov", Case("nonrealisable", "omega_td_error", False, 1.00, 100, 206)),
    ("markov", Case("garnet", "omega_td", True, 0.20, 100, 207)),
    ("markov", Case("garnet", "lambda_star", False, 0.50, 50, 208)),
    ("visitation", Case("nonrealisable", "omega_td", False, 0.50, 100, 209)),
    ("visitation", Case("garnet", "lambda_star", True, 0.30, 50, 210)),
)


def kind_of(case):
    return "reward" if case.target == "lambda_star" else "critic"


def point(case, *, agreed=True):
    """The problem, theta and the start, all from the case's seed; shared columns agree in runs through `cac`."""
    problem = PROBLEMS[case.problem]()
    rng = np.random.default_rng(case.seed)
    theta = 0.5 * rng.normal(size=(problem.mdp.n_agents, problem.policy.n_parameters))
    if agreed and case in THROUGH_CAC:
        theta[:, : problem.policy.n_shared] = theta[:, : problem.policy.n_shared].mean(axis=0)
    features = problem.features.phi_joint if kind_of(case) == "reward" else problem.features.phi_state
    return problem, theta, rng.normal(size=(problem.mdp.n_agents, features.shape[-1]))


def z_score(samples, expected):
    return (samples.mean() - expected) / (samples.std(ddof=1) / np.sqrt(len(samples)))


@lru_cache
def cac_samples(case, agreed=True):
    """The case's metric in every seed of `cac`."""
    problem, theta, x_0 = point(case, agreed=agreed)
    sizes = {"beta_0": case.beta * case.horizon**0.4, "zeta_0": case.beta * case.horizon**0.4}
    start = {"lambda_0" if kind_of(case) == "reward" else "omega_0": x_0}
    name = METRICS[case.target] + ("" if case.averaged else "_now")
    return np.array(
        [
            float(
                cac(
                    problem, case.horizon, seed, steps=CACSteps(alpha_0=0.0, sigma_2=0.4, **sizes), theta_0=theta,
                    metric_every=1, **start,
                )[name][-1]
            )
            for seed in np.random.SeedSequence(case.seed).spawn(CAC_SEEDS)
        ]
    )  # fmt: skip


def exact_value(case, sampling="iid", law="stationary", beta=None, agreed=True):
    problem, theta, x_0 = point(case, agreed=agreed)
    options = {"kind": kind_of(case), "sampling": sampling, "law": law, "x_0": x_0}
    model = linear_moments(problem, theta, beta=beta or case.beta, **options)
    # `cac` measures before it updates: its last measurement is that of time T - 1
    value = model.average(case.horizon) if case.averaged else model.at(case.horizon - 1)
    return value.total(case.target)


@pytest.mark.parametrize("case", THROUGH_CAC, ids=lambda c: f"{c.problem}-{c.target}-{c.seed}")
def test_frozen_cac_agrees(case) -> None:
    assert abs(z_score(cac_samples(case), exact_value(case))) < 3


@lru_cache
def plain_samples(sampling, case):
    """The case's metric in every one of `WALKS` independent runs, side by side."""
    problem, theta, x_0 = point(case)
    view, rng, W = exact(problem, theta), np.random.default_rng(case.seed), problem.schedule.matrices
    N, A = problem.mdp.n_agents, view.P.shape[1]
    law = np.cumsum(view.visitation if sampling == "visitation" else start_law(view))
    policy, kernel = np.cumsum(view.pi, axis=1), np.cumsum(view.P, axis=2).reshape(-1, view.P.shape[2])
    x, target, sums = np.repeat(x_0[None], WALKS, axis=0), getattr(view, case.target), np.zeros(WALKS)
    s = np.searchsorted(law, rng.random(WALKS) * law[-1], side="right")
    for t in range(case.horizon):
        error = ((x - target) ** 2).sum(axis=(1, 2))
        sums += error
        a = (rng.random((WALKS, 1)) * policy[s, -1:] >= policy[s]).sum(axis=1)
        rows = kernel[s * A + a]
        u = (rng.random((WALKS, 1)) * rows[:, -1:] >= rows).sum(axis=1)
        g = view.phi_joint[s, a] if kind_of(case) == "reward" else view.phi_state[s]
        h = -g if kind_of(case) == "reward" else view.gamma * view.phi_state[u] - g
        reward = view.r[:, s, a].T
        assert reward.shape == (WALKS, N)
        delta = reward + np.einsum("rk,rik->ri", h, x)
        x = np.einsum("ij,rjk->rik", W[t % len(W)], x) + case.beta * delta[:, :, None] * g[:, None, :]
        s = u if sampling == "markov" else np.searchsorted(law, rng.random(WALKS) * law[-1], side="right")
    return sums / case.horizon if case.averaged else error


def start_law(view):
    """A first state far from stationarity."""
    return np.eye(view.P.shape[0])[0]


@pytest.mark.parametrize(("sampling", "case"), PLAIN, ids=lambda c: getattr(c, "problem", c))
def test_plain_simulation_agrees(sampling, case) -> None:
    law = "visitation" if sampling == "visitation" else start_law(exact(*point(case)[:2]))
    expected = exact_value(case, "markov" if sampling == "markov" else "iid", law)
    assert abs(z_score(plain_samples(sampling, case), expected)) < 3


def test_monte_carlo_has_the_power_to_refute() -> None:
    """Controls stand out: a step off by a fifth, i.i.d. samples taken for Markovian ones, a policy that moves."""
    case = THROUGH_CAC[0]
    assert abs(z_score(cac_samples(case), exact_value(case, beta=1.2 * case.beta))) > 5
    scores = [z_score(plain_samples("markov", case), exact_value(case)) for s, case in PLAIN if s == "markov"]
    assert max(abs(z) for z in scores) > 5
    moving = next(c for c in THROUGH_CAC if c.problem == "garnet")
    assert abs(z_score(cac_samples(moving, False), exact_value(moving, agreed=False))) > 5
    # and twenty scores that are all tiny would mean that errors are overstated
    honest = [z_score(cac_samples(c), exact_value(c)) for c in THROUGH_CAC]
    assert max(abs(z) for z in honest) > 0.2
