"""The table of policy classes against assumptions, and the bounds it quotes, tried on random thetas."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from mdp import exact, ring3
from mdp.fisher import fisher
from mdp.problem import Problem
from verify.assumptions import CHECKS, _least_visitation, _score_norm, assumption_table, policy_classes
from verify.cli import app

FISHER = "zhang2025 Assumption 5.5, Fisher at least mu_f I"


def test_only_the_circular_class_meets_every_assumption() -> None:
    rows = assumption_table(draws=10)
    classes = policy_classes(ring3().mdp)
    assert len(rows) == len(CHECKS) * len(classes)
    complete = {name for name in classes if all(r.met == "yes" for r in rows if r.policy_class == name)}
    assert complete == {"circular"}
    assert {r.policy_class for r in rows if r.assumption == FISHER and r.met == "no"} == set(classes) - {"circular"}


@pytest.mark.parametrize("seed", range(5))
def test_circular_bounds_hold_on_random_thetas(seed: int) -> None:
    mdp, rng = ring3().mdp, np.random.default_rng(seed)
    problem = Problem(mdp, policy_classes(mdp)["circular"], ring3().features, ring3().schedule)
    floor = _least_visitation(mdp)
    bound = problem.policy.fisher_bound(floor)  # type: ignore[attr-defined]
    for _ in range(20):
        theta = 10 * rng.normal(size=(3, problem.policy.n_parameters))
        view = exact(problem, theta)
        assert view.visitation.min() >= floor - 1e-12
        assert np.linalg.eigvalsh(fisher(view))[0] >= bound
        assert _score_norm(problem, theta) <= 1 + 1e-12


def test_least_visitation_is_attained_by_some_deterministic_policy() -> None:
    """Enumerate constant joint actions per state: none visits a state less, and the least is reached."""
    mdp = ring3().mdp
    floor, least = _least_visitation(mdp), np.inf
    extremes = [0, mdp.n_joint_actions - 1]  # all push back, all push forward: the extreme kernels of ring3
    for choice in np.ndindex(2, 2, 2):
        P = np.stack([mdp.P[s, extremes[c]] for s, c in enumerate(choice)])
        d = np.linalg.solve((np.eye(3) - mdp.gamma * P).T, (1 - mdp.gamma) * mdp.initial)
        least = min(least, d.min())
    assert least == pytest.approx(floor, abs=1e-12)


def test_cli_prints_the_table() -> None:
    rows = json.loads(CliRunner().invoke(app, ["assumptions", "--json"]).stdout)
    assert {"policy_class", "assumption", "met", "constant"} == set(rows[0])
