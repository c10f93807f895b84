"""Wrong input is a clear error that names the place and the value, before anything is computed."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from mdp import (
    DisconnectedScheduleError,
    Features,
    FiniteMDP,
    LogLinearPolicy,
    PeriodicChainError,
    Problem,
    RationalPoint,
    ReducibleChainError,
    Schedule,
    exact,
    full_average,
    metropolis_weights,
    ring3,
)
from mdp.instances import coordination_game


def two_state(**changes: object) -> FiniteMDP:
    fields: dict[str, object] = {
        "P": [[[0.5, 0.5], [0.25, 0.75]], [[1.0, 0.0], [0.5, 0.5]]],
        "r": [[[1.0, 0.0], [0.0, 2.0]]],
        "initial": [1.0, 0.0],
        "gamma": 0.5,
        "n_actions": (2,),
    }
    return FiniteMDP(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"P": [[[0.5, 0.5], [0.25, 0.75]], [[1.0, 0.1], [0.5, 0.5]]]}, r"P\[1, 0\] sums to 1.1, not 1"),
        ({"P": [[[0.5, 0.5], [-0.25, 1.25]], [[1.0, 0.0], [0.5, 0.5]]]}, r"P\[0, 1, 0\] is -0.25"),
        ({"P": [[[0.5, 0.5], [np.nan, 1.0]], [[1.0, 0.0], [0.5, 0.5]]]}, r"P\[0, 1, 0\] is nan"),
        ({"P": [[[0.5, 0.5], [1.0]], [[1.0, 0.0], [0.5, 0.5]]]}, "P is ragged"),
        ({"P": [[0.5, 0.5], [0.5, 0.5]]}, r"P has 2 dimensions"),
        ({"r": [[[1.0, 0.0], [0.0, np.inf]]]}, r"r\[0, 1, 1\] is inf"),
        ({"r": [[[1.0, 0.0]]]}, r"r has shape \(1, 1, 2\)"),
        ({"initial": [0.5, 0.4]}, "initial sums to 0.9, not 1"),
        ({"gamma": 1.0}, r"gamma is 1; the discount factor lies in \[0, 1\)"),
        ({"gamma": -0.1}, "gamma is -0.1"),
        ({"gamma": float("nan")}, "gamma is nan"),
        ({"n_actions": (3,)}, r"P has shape \(2, 2, 2\)"),
        ({"n_actions": ()}, r"n_actions is \(\)"),
        ({"reward_noise": "cauchy"}, "reward_noise is 'cauchy'"),
    ],
)
def test_mdp(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        two_state(**changes)


def _chain_problem(P: list[list[float]]) -> Problem:
    S = len(P)
    mdp = FiniteMDP(np.array(P)[:, None, :], np.ones((1, S, 1)), np.eye(S)[0], 0.5, (1,))
    features = Features(np.eye(S), np.eye(S)[:, None, :])
    return Problem(mdp, LogLinearPolicy.tabular(S, (1,)), features, Schedule.static(np.ones((1, 1))))


def test_reducible_chain_names_its_classes() -> None:
    view = exact(_chain_problem([[1, 0, 0], [0.5, 0, 0.5], [0, 0, 1]]), np.zeros((1, 3)))
    with pytest.raises(ReducibleChainError, match=r"closed \{0\}, \{2\}"):
        _ = view.stationary
    assert view.visitation.sum() == pytest.approx(1)  # discounted quantities need no mixing


def test_periodic_chain_names_its_classes() -> None:
    view = exact(_chain_problem([[0, 1, 0], [0, 0, 1], [1, 0, 0]]), np.zeros((1, 3)))
    with pytest.raises(PeriodicChainError, match=r"period 3: cyclic classes \{0\}, \{1\}, \{2\}"):
        _ = view.stationary


def test_rank_deficient_features_give_a_null_vector() -> None:
    with pytest.raises(ValueError, match=r"phi_state has rank 1 with 2 columns.*v = "):
        Features(np.array([[0.5, 0.25], [0.5, 0.25]]), np.ones((2, 1, 1)) / 2)


def test_long_feature_names_its_index() -> None:
    with pytest.raises(ValueError, match=r"phi_state\[1\] has norm 2"):
        Features(np.diag([1.0, 2.0]), np.ones((2, 1, 1)) / 2)


@pytest.mark.parametrize(
    ("W", "message"),
    [
        ([[0.5, 0.5], [0.4, 0.6]], r"column 0 sums to 0.9, not 1"),
        ([[0.5, 0.4], [0.5, 0.6]], r"row 0 sums to 0.9, not 1"),
        ([[1.5, -0.5], [-0.5, 1.5]], r"\[0, 1\] is -0.5"),
        ([[0.0, 1.0], [1.0, 0.0]], r"\[0, 0\] is 0; every agent keeps"),
        ([[1.0, 0.0]], "consensus matrices are square"),
        ([[np.nan, 0.5], [0.5, 0.5]], r"W\[0, 0\] is nan"),
    ],
)
def test_consensus_matrix(W: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule.static(np.array(W))


def test_disconnected_schedule_names_its_groups() -> None:
    graph = nx.Graph([(0, 1), (2, 3)])
    with pytest.raises(DisconnectedScheduleError, match=r"agents \{0, 1\}, \{2, 3\} never exchange"):
        Schedule.static(metropolis_weights(graph))


def test_schedule_connected_only_over_its_period_is_fine() -> None:
    halves = [metropolis_weights(_one_edge(i)) for i in (0, 1)]
    assert Schedule.periodic(halves).contraction < 1


def _one_edge(i: int) -> nx.Graph:
    graph = nx.empty_graph(3)
    graph.add_edge(i, i + 1)
    return graph


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Schedule.federated(3, 0), "every is 0"),
        (lambda: Schedule.periodic([]), "at least one matrix"),
        (lambda: metropolis_weights(nx.DiGraph([(0, 1)])), "undirected"),
        (lambda: metropolis_weights(nx.Graph([(1, 2)])), r"not 0..1"),
        (lambda: LogLinearPolicy(()), "psi is empty"),
        (lambda: LogLinearPolicy((np.ones((2, 2, 1)), np.ones((3, 2, 1)))), r"psi\[1\] has shape"),
        (lambda: LogLinearPolicy((np.ones((2, 2, 1)),), n_shared=2), "n_shared is 2"),
        (lambda: LogLinearPolicy.tabular(2, (2, 3)), "equal action counts"),
        (lambda: coordination_game(1), "n_agents is 1"),
        (lambda: exact(ring3(), np.zeros((2, 2))), r"theta has shape \(2, 2\)"),
        (lambda: exact(ring3(), np.full((3, 2), np.nan)), r"theta\[0, 0\] is nan"),
        (lambda: exact(ring3(), np.zeros((3, 2))).law("mu"), "law is 'mu'"),
    ],
)
def test_other_input(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_problem_parts_must_agree() -> None:
    problem = ring3()
    with pytest.raises(ValueError, match="agents of the schedule: 2, but the MDP has 3"):
        Problem(problem.mdp, problem.policy, problem.features, Schedule.static(full_average(2)))
    features = Features(np.eye(2), np.ones((2, 27, 1)) / 2)
    with pytest.raises(ValueError, match="rows of phi_state: 2"):
        Problem(problem.mdp, problem.policy, features, problem.schedule)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": 1}, "gamma is 1"),
        ({"initial": [0.1, 0.9]}, r"initial\[\] sums to .*, not 1"),
        ({"tables": ([[1, 0], [0.5, 0.5]],)}, r"tables\[0\] has a zero"),
        ({"r": [[[1, 0]]]}, "r has shape"),
    ],
)
def test_rational_point(changes: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {
        "P": [[[0.5, 0.5], [0.25, 0.75]], [[1, 0], [0.5, 0.5]]],
        "r": [[[1, 0], [0, 2]]],
        "initial": [1, 0],
        "gamma": 0.5,
        "tables": ([[0.5, 0.5], [0.5, 0.5]],),
        "psi": ([[[1], [0]], [[1], [0]]],),
        "phi_state": [[1], [0]],
        "phi_joint": [[[1], [0]], [[0], [1]]],
    }
    with pytest.raises(ValueError, match=message):
        RationalPoint(**{**fields, **changes})


def test_arrays_are_copied_and_read_only() -> None:
    P = np.array([[[0.5, 0.5], [0.25, 0.75]], [[1.0, 0.0], [0.5, 0.5]]])
    mdp = two_state(P=P)
    P[0, 0, 0] = 7.0
    assert mdp.P[0, 0, 0] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        mdp.P[0, 0, 0] = 1.0
