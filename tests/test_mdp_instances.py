"""Bundled instances against their closed forms."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from mdp import INSTANCES, PeriodicChainError, ReducibleChainError, exact
from mdp.chain import period
from mdp.instances import (
    absorbing_trap,
    garnet,
    mini_pursuit,
    nearly_decomposable,
    periodic_trap,
    random_walk,
    two_state,
    xor_team,
)
from mdp.large import LARGE_INSTANCES, LargeMDP, optimum, sparse_exact_from_tables
from mdp.problem import Problem
from verify.cli import app


def at_zero(problem: Problem) -> np.ndarray:
    return np.zeros((problem.mdp.n_agents, problem.policy.n_parameters))


@pytest.mark.parametrize("name", INSTANCES)
def test_every_instance_has_two_equal_gradients(name: str) -> None:
    problem = INSTANCES[name]()
    theta = np.random.default_rng(1).normal(size=at_zero(problem).shape) / 2
    view = exact(problem, theta)
    assert np.abs(view.grad_J - view.grad_J_by_solve).max() < 1e-9
    assert view.restart_stationary == pytest.approx(view.visitation, abs=1e-12)
    assert "Good for" in (INSTANCES[name].__doc__ or "")


@pytest.mark.parametrize(("p", "q"), [(0.25, 0.5), (0.1, 0.9), (0.3, 0.3)])
def test_two_state_stationary_law(p: float, q: float) -> None:
    problem = two_state(p, q)
    theta = np.array([[60.0, 0.0, 60.0, 0.0]])  # action 0 up to 1e-26
    view = exact(problem, theta)
    assert view.stationary == pytest.approx(np.array([q, p]) / (p + q), rel=1e-12)
    assert sorted(np.linalg.eigvals(view.P_pi).real)[0] == pytest.approx(1 - p - q, abs=1e-12)


@pytest.mark.parametrize("n_inner", [1, 5, 19])
@pytest.mark.parametrize("gamma", [0.5, 0.99])
def test_random_walk_values(n_inner: int, gamma: float) -> None:
    problem = random_walk(n_inner, gamma)
    view = exact(problem, at_zero(problem))
    x, k = np.arccosh(1 / gamma), np.arange(n_inner + 1)
    assert view.V[:-1] == pytest.approx(np.sinh(k * x) / (gamma * np.sinh((n_inner + 1) * x)), abs=1e-12)
    with pytest.raises(ReducibleChainError):
        _ = view.stationary


def test_random_walk_tends_to_the_textbook_values() -> None:
    """Sutton and Barto, Example 6.2: 1/6, ..., 5/6 without discount."""
    problem = random_walk(5, 1 - 1e-9)
    assert exact(problem, at_zero(problem)).V[1:-1] == pytest.approx(np.arange(1, 6) / 6, abs=1e-6)


@pytest.mark.parametrize("coupling", [1e-3, 1e-9, 1e-12, 1e-15])
def test_nearly_decomposable_chain_keeps_every_digit(coupling: float) -> None:
    problem = nearly_decomposable(coupling)
    view = exact(problem, at_zero(problem))
    # 0.5 - coupling is rounded, and so are its rows; detailed balance only involves the symmetric off-diagonals
    assert view.stationary == pytest.approx(np.full(4, 0.25), rel=1e-14)


def test_traps() -> None:
    absorbing, periodic = absorbing_trap(), periodic_trap(4)
    with pytest.raises(ReducibleChainError, match=r"closed \{2\}"):
        _ = exact(absorbing, at_zero(absorbing)).stationary
    view = exact(periodic, at_zero(periodic))
    assert period(view.P_pi) == 4
    with pytest.raises(PeriodicChainError, match="period 4"):
        _ = view.stationary
    assert view.restart_stationary.sum() == pytest.approx(1)


def test_xor_team_is_best_at_one_half() -> None:
    problem = xor_team(0.5)
    for logit in (-2.0, 0.0, 0.7):
        p = 1 / (1 + np.exp(-logit))
        assert pytest.approx(4 * p * (1 - p)) == exact(problem, np.full((2, 1), logit)).J
    assert np.abs(exact(problem, np.zeros((2, 1))).grad_J).max() < 1e-15


def test_mini_pursuit_catches_pay_and_restart() -> None:
    problem = mini_pursuit(1, 3)
    P, r = problem.mdp.P, problem.mdp.r
    caught = [k * 9 + k * 3 + k for k in range(3)]
    assert (r[:, caught] == 1).all()
    assert P[caught[1], 0] == pytest.approx(1 / 27)
    beside = 0 * 9 + 1 * 3 + 1  # pursuer 1 stands on the evader, pursuer 0 does not
    assert r[0, beside, 0] == 0
    assert r[1, beside, 0] == 0.1
    chase, flee = (np.array([[k, 0, 0, 0, 0]] * 2) for k in (2.0, -2.0))
    assert exact(problem, chase).J > exact(problem, flee).J


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_walk(0), "n_inner is 0"),
        (lambda: nearly_decomposable(0.6), "coupling is 0.6"),
        (lambda: periodic_trap(1), "length is 1"),
        (lambda: mini_pursuit(4, 4), "16 cells"),
        (lambda: garnet(branching=11), "branching is 11"),
        (lambda: garnet(n_agents=0), "n_agents is 0"),
    ],
)
def test_instances_reject_wrong_arguments(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_garnet_is_a_function_of_its_seed() -> None:
    assert (garnet(seed=3).mdp.P == garnet(seed=3).mdp.P).all()
    assert (garnet(seed=3).mdp.P != garnet(seed=4).mdp.P).any()
    assert ((garnet(branching=2).mdp.P > 0).sum(axis=-1) <= 4).all()


@pytest.mark.parametrize("name", LARGE_INSTANCES)
def test_large_instances_are_large_mdps(name: str) -> None:
    build = LARGE_INSTANCES[name]
    assert isinstance(build(), LargeMDP)
    assert name not in INSTANCES
    assert "Good for" in (build.__doc__ or "") + (sys.modules[build.__module__].__doc__ or "")


def test_every_instance_is_listed_with_its_size() -> None:
    done = CliRunner().invoke(app, ["mdp", "instances", "--json"])
    assert done.exit_code == 0, done.output
    rows = {row["name"]: row for row in json.loads(done.stdout)["instances"]}
    assert list(rows) == [*INSTANCES, *LARGE_INSTANCES]
    assert (rows["garnet"]["states"], rows["garnet"]["actions"]) == (10, [2, 2, 2, 2])
    assert (rows["simple-spread"]["states"], rows["simple-spread"]["kind"]) == (65**2, "large")
    assert all(row["summary"].endswith(".") for row in rows.values())
    table = CliRunner().invoke(app, ["mdp", "instances"])
    assert all(name in table.output for name in rows)


def test_commands_take_names_of_instances() -> None:
    """Small: J by `exact`. Large: the J* bounds contain the library's, and a name that is none is refused."""
    run = CliRunner().invoke
    found = json.loads(run(app, ["mdp", "exact", "two-state", "--json"]).stdout)["values"]
    assert found["J"] == pytest.approx(exact(two_state(), np.zeros((1, 4))).J, rel=1e-12)
    large = json.loads(run(app, ["mdp", "exact", "simple-spread", "--json"]).stdout)["values"]
    mdp = LARGE_INSTANCES["simple-spread"]()
    low, high = large["J_star"]
    assert low <= optimum(mdp).J <= high
    assert high - low < 1e-6
    tables = [np.full((mdp.n_states, 5), 0.2)] * 2
    assert large["J"] == pytest.approx(sparse_exact_from_tables(mdp, tables).J, abs=1e-6)
    assert large["J"] < low
    refused = run(app, ["mdp", "check", "nowhere"])
    assert refused.exit_code == 2
    assert "neither a file nor a bundled instance" in " ".join(refused.output.replace("│", "").split())
