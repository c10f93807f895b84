"""The public strategies: valid, readable when shrunk, and as varied as they say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from math import prod
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from mdp import FiniteMDP, Problem, RationalPoint, Schedule, exact
from mdp.chain import PeriodicChainError, ReducibleChainError, period, require_aperiodic, require_irreducible
from mdp.io import RationalMDP
from mdp.linear import rational_array, to_float
from mdp.policy import joint_probabilities
from mdp.testing import (
    consensus_matrices,
    features,
    mdps,
    policies,
    problems,
    rational_consensus,
    rational_features,
    rational_mdps,
    rational_points,
    rationals,
    schedules,
    thetas,
)

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shrunk(strategy: st.SearchStrategy[Any], condition: Callable[[Any], bool]) -> Any:
    """The minimal example, the same in every run."""
    once = settings(max_examples=1000, derandomize=True, database=None, phases=(Phase.generate, Phase.shrink))
    return find(strategy, condition, settings=once)


# --- valid ----------------------------------------------------------------------------------------------------
@given(mdps(n_states=(1, 5), n_agents=(1, 3), n_actions=(1, 2)))
@FEW
def test_mdps_keep_their_sizes(mdp: FiniteMDP) -> None:
    assert 1 <= mdp.n_states <= 5
    assert 1 <= mdp.n_agents <= 3
    assert set(mdp.n_actions) <= {1, 2}
    assert np.abs(mdp.r).max() <= 3


@given(rational_mdps(n_states=3, n_actions=[2, 3], gamma=0, largest_weight=2, reward_bound=1))
@FEW
def test_fixed_sizes_and_exact_rows(mdp: RationalMDP) -> None:
    assert mdp.P.shape == (3, 6, 3)
    assert mdp.n_actions == (2, 3)
    assert (mdp.P.sum(axis=-1) == 1).all()
    assert mdp.initial.sum() == 1
    assert max(x.q for x in mdp.P.ravel()) <= 6
    assert mdp.gamma == 0


@given(st.data())
@FEW
def test_features_are_independent_and_bounded(data: st.DataObject) -> None:
    S, A = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    phi_state, phi_joint = data.draw(rational_features(S, A))
    for table in (phi_state, phi_joint.reshape(S * A, -1)):
        assert np.linalg.matrix_rank(to_float(table)) == table.shape[1]
        assert max((row**2).sum() for row in table) <= 1
    data.draw(features(S, A, K=1, L=min(2, S * A)))  # constructs, hence passes the validation of Features


@given(st.integers(1, 5).flatmap(lambda n: rational_consensus(n)), st.integers(1, 4).flatmap(
    lambda n: rational_consensus(n, symmetric=True, connected=False)))
@FEW
def test_consensus_matrices_are_doubly_stochastic_exactly(W: np.ndarray, symmetric: np.ndarray) -> None:
    for matrix in (W, symmetric):
        assert (matrix.sum(axis=0) == 1).all()
        assert (matrix.sum(axis=1) == 1).all()
        assert (matrix >= 0).all()
        assert (np.diag(matrix) > 0).all()
    assert (symmetric == symmetric.T).all()
    assert nx.is_strongly_connected(nx.from_numpy_array(to_float(W), create_using=nx.DiGraph))


@given(st.integers(1, 4).flatmap(lambda n: schedules(n, max_period=4)))
@FEW
def test_schedules_are_valid(schedule: Schedule) -> None:
    assert 1 <= schedule.period <= 4
    assert schedule.n_agents == 1 or schedule.contraction < 1


# --- chains -----------------------------------------------------------------------------------------------------
def some_chain(mdp: RationalMDP, data: st.DataObject) -> np.ndarray:
    """The chain of a drawn deterministic joint policy."""
    A = prod(mdp.n_actions)
    actions = [data.draw(st.integers(0, A - 1)) for _ in mdp.initial]
    return mdp.P[np.arange(len(actions)), actions]


@given(rational_mdps(), st.data())
@FEW
def test_ergodic_under_every_policy(mdp: RationalMDP, data: st.DataObject) -> None:
    chain = some_chain(mdp, data)
    require_irreducible(chain)
    require_aperiodic(chain)


@given(rational_mdps(chains="periodic"), st.data())
@FEW
def test_periodic_under_every_policy(mdp: RationalMDP, data: st.DataObject) -> None:
    chain = some_chain(mdp, data)
    require_irreducible(chain)
    assert period(chain) == 2


@given(rational_mdps(chains="reducible"), st.data())
@FEW
def test_reducible_under_every_policy(mdp: RationalMDP, data: st.DataObject) -> None:
    with pytest.raises(ReducibleChainError):
        require_irreducible(some_chain(mdp, data))


def fails(check: Callable[..., None], error: type[Exception], chain: np.ndarray) -> bool:
    """Whether `check` raises `error`."""
    try:
        check(chain)
    except error:
        return True
    return False


def test_any_chains_cover_both_traps_and_ergodic_ones_have_zeros() -> None:
    alone = {"n_states": (2, 3), "n_agents": 1, "n_actions": 1}
    anything = rational_mdps(chains="any", **alone)
    shrunk(anything, lambda m: fails(require_irreducible, ReducibleChainError, m.P[:, 0]))
    periodic = shrunk(anything, lambda m: not fails(require_irreducible, ReducibleChainError, m.P[:, 0])
                      and fails(require_aperiodic, PeriodicChainError, m.P[:, 0]))
    assert periodic.P[:, 0].tolist() == [[0, 1], [1, 0]]
    sparse = shrunk(rational_mdps(n_states=(2, 4)), lambda m: (m.P == 0).any())
    assert len(sparse.initial) == 2


# --- shrinking ----------------------------------------------------------------------------------------------------
def test_everything_shrinks_to_the_trivial_problem() -> None:
    problem: Problem = shrunk(problems(n_states=(1, 2), n_actions=(1, 2)), lambda _: True)
    assert problem.mdp.P.tolist() == [[[1.0]]]
    assert problem.mdp.r.tolist() == [[[0.0]]]
    assert (problem.mdp.gamma, problem.mdp.n_actions, problem.schedule.period) == (0.0, (1,), 1)
    assert problem.features.phi_state.tolist() == [[1.0]]
    assert shrunk(rationals(), lambda _: True) == 0
    policy = shrunk(policies(2, (2,)), lambda _: True)
    assert not shrunk(thetas(policy), lambda _: True).any()


def test_a_false_claim_shrinks_to_a_readable_counterexample() -> None:
    """'Values are at most the largest reward' fails once gamma > 0: one state, reward 1, discount 1/2, value 2."""
    def beaten(mdp: RationalMDP) -> bool:
        values = mdp.tabular_uniform().exact().V
        return bool(max(values) > max(mdp.r.sum(axis=0).ravel() / len(mdp.r)))

    witness = shrunk(rational_mdps(n_states=(1, 2), n_actions=(1, 2)), beaten)
    assert witness.P.tolist() == [[[1]]]
    assert witness.r.tolist() == [[[1]]]
    assert str(witness.gamma) == "1/2"


def test_gradients_shrink_to_one_state_two_actions() -> None:
    small = rational_points(n_states=(1, 2), n_agents=1, n_actions=(1, 2))
    point: RationalPoint = shrunk(small, lambda p: bool((p.exact().grad_J != 0).any()))
    assert point.P.shape == (1, 2, 1)
    assert [str(x) for x in point.tables[0].ravel()] == ["1/2", "1/2"]
    assert sum(abs(x) for x in point.r.ravel()) == 1


def test_consensus_shrinks_to_halves() -> None:
    """Two agents average; three pass their values round a ring; at the other end, a path of thirds."""
    assert (shrunk(rational_consensus(2), lambda _: True) == rational_array([[1, 1], [1, 1]]) / 2).all()
    ring = shrunk(rational_consensus(3), lambda W: W[0, 1] > 0 and W[1, 0] == 0)
    assert (2 * ring == rational_array([[1, 1, 0], [0, 1, 1], [1, 0, 1]])).all()
    path = shrunk(rational_consensus(3, symmetric=True), lambda W: W[0, 2] == 0)
    assert (3 * path == rational_array([[2, 1, 0], [1, 1, 1], [0, 1, 2]])).all()
    gossip = shrunk(schedules(3), lambda s: s.period == 2 and all((W == 0).any() for W in s.matrices))
    assert gossip.period == 2
    assert shrunk(consensus_matrices(1), lambda _: True).tolist() == [[1.0]]


# --- identities -----------------------------------------------------------------------------------------------------
@given(rational_points(n_states=(1, 3), n_actions=(1, 2)))
@FEW
def test_exact_identities(point: RationalPoint) -> None:
    """Policy gradient two ways, visitation as a stationary law, the Bellman equation: equal, not close."""
    view = point.exact()
    assert (view.grad_J == view.grad_J_by_solve).all()
    assert (view.visitation == view.restart_stationary).all()
    assert (view.stationary @ view.P_pi == view.stationary).all()
    assert (view.r_pi + view.gamma * (view.P_pi @ view.V) == view.V).all()
    assert view.J * (1 - view.gamma) == (view.visitation * view.r_pi).sum()


@given(st.data())
@FEW
def test_float_identities(data: st.DataObject) -> None:
    problem = data.draw(problems())
    theta = data.draw(thetas(problem.policy))
    view = exact(problem, theta)
    assert np.abs(view.grad_J - view.grad_J_by_solve).max() < 1e-8
    assert np.abs(view.visitation - view.restart_stationary).max() < 1e-12
    assert joint_probabilities(view.tables).sum(axis=1) == pytest.approx(1.0)


# --- refusals -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("options", "message"), [
    ({"chains": "wild"}, "chains is 'wild'"), ({"n_states": 0}, "n_states is 0; it is at least 1 here"),
    ({"chains": "periodic", "n_states": 1}, "n_states is 1; it is at least 2 here"),
    ({"n_actions": (3, 2)}, r"n_actions is \(3, 2\)"),
], ids=["chains", "states", "periodic", "range"])
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shrunk(rational_mdps(**options), lambda _: True)


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a fresh interpreter."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_package_does_not_import_optional_packages() -> None:
    loaded = run("import sys, mdp, mdp.io; print([n for n in "
                 "('hypothesis', 'quantecon', 'gymnasium', 'pettingzoo', 'stormpy') if n in sys.modules])")
    assert loaded.stdout.strip() == "[]", loaded.stderr


def test_without_hypothesis_the_error_names_the_extra() -> None:
    missing = run("import sys; sys.modules['hypothesis'] = None; import mdp.testing")
    assert missing.returncode != 0
    assert "mdp.testing needs hypothesis, which is optional: pip install \"lemmata[testing]\"" in missing.stderr
