"""The sparse layer against the dense one, against plain NumPy, and against itself with other threads and solvers."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array, csr_array

from mdp import Exact, FiniteMDP, LogLinearPolicy, exact
from mdp.families import random_problem
from mdp.large import (
    EPISODE,
    MOVES,
    BlockLogLinear,
    ObservedLogLinear,
    SimpleSpread,
    SparseExact,
    SparseMDP,
    episode,
    episode_optimum,
    optimum,
    simple_spread,
    solvers,
    sparse_exact,
    sparse_exact_from_tables,
)
from mdp.large.blocks import SERIAL_PAIRS

SEEDS = st.integers(0, 2**32 - 1)


def dense_exact(mdp: FiniteMDP, policy: LogLinearPolicy, theta: np.ndarray) -> Exact:
    tables, scores = policy.probabilities(theta), policy.log_jacobian(theta)
    nothing = np.ones((mdp.n_states, 1)), np.ones((mdp.n_states, mdp.n_joint_actions, 1))
    return Exact(mdp.P, mdp.r, mdp.initial, mdp.gamma, tuple(tables), tuple(scores), *nothing)


def value_iteration(mdp: FiniteMDP) -> np.ndarray:
    """Plain NumPy, no certificate, no tricks: iterate until nothing moves in double precision."""
    V = np.zeros(mdp.n_states)
    for _ in range(100_000):
        better = (mdp.r_bar + mdp.gamma * mdp.P @ V).max(axis=1)
        if np.abs(better - V).max() <= 1e-13 * max(1.0, np.abs(V).max()):
            return better
        V = better
    raise AssertionError("value iteration did not settle")


def board(n_agents: int = 2, **options: object) -> SimpleSpread:
    return simple_spread(3, 2, n_agents, **{"gamma": 0.9, "seed": 3, **options})  # type: ignore[arg-type]


def cell_policy(spread: SimpleSpread, columns: int = 3) -> tuple[ObservedLogLinear, np.ndarray]:
    rng = np.random.default_rng(11)
    tables = tuple(rng.normal(size=(spread.n_cells, 5, columns)) for _ in range(spread.n_agents))
    policy = ObservedLogLinear(tables, tuple(spread.cells(np.arange(spread.n_states))))
    return policy, rng.normal(size=(spread.n_agents, columns))


# --- the model ---------------------------------------------------------------------------------------------
def kernel(**changes: float) -> csr_array:
    """Two states, two actions; `changes` overwrite entries of the CSR data by position, as in ``at2=0.7``."""
    data = np.array([0.5, 0.5, 1.0, 0.25, 0.75, 1.0])
    for name, value in changes.items():
        data[int(name[2:])] = value
    return csr_array((data, [0, 1, 0, 0, 1, 1], [0, 2, 3, 5, 6]), shape=(4, 2))


def model(P: object = None, r: object = 0.0, initial: object = (0.5, 0.5), gamma: float = 0.9) -> SparseMDP:
    return SparseMDP(kernel() if P is None else P, r, initial, gamma, (2,))  # type: ignore[arg-type]


def with_column(column: int) -> csr_array:
    P = kernel()
    P.indices[3] = column
    return P


def decreasing() -> csr_array:
    P = kernel()
    P.indptr[2] = 1
    return P


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"P": kernel(at3=0.35)}, r"P\[s=1, a=0\] sums to 1\.1, not 1", id="row-sum"),
        pytest.param({"P": kernel(at2=-0.25)}, r"P\[s=0, a=1, t=0\] is -0\.25; probabilities", id="negative"),
        pytest.param({"P": kernel(at5=np.nan)}, r"P\[s=1, a=1, t=1\] is nan, not a finite", id="nan"),
        pytest.param({"P": with_column(2)}, r"P\[s=1, a=0\] has column 2; successors lie between 0 and 1", id="column"),
        pytest.param({"P": with_column(-1)}, r"P\[s=1, a=0\] has column -1", id="negative-column"),
        pytest.param({"P": decreasing()}, r"P\[s=0, a=1\] has a negative length", id="indptr"),
        pytest.param({"P": csc_array(kernel())}, r"sparse csc matrix, not scipy CSR", id="csc"),
        pytest.param({"P": np.eye(2)}, r"P is a ndarray, not scipy CSR", id="dense"),
        pytest.param({"P": kernel().astype(np.float32)}, r"dtype float32, not float64", id="dtype"),
        pytest.param({"P": kernel()[:3]}, r"P has shape \(3, 2\), not \(S A, S\)", id="shape"),
        pytest.param({"r": [[[0.0, np.inf]]]}, r"r\[0, 0, 1\] is inf", id="reward"),
        pytest.param({"r": np.zeros((1, 3, 2))}, r"r does not fit \(N, S, A\) = \(1, 2, 2\)", id="reward-shape"),
        pytest.param({"initial": [0.5, 0.6]}, r"initial sums to 1\.1, not 1", id="initial"),
        pytest.param({"gamma": 1.0}, r"gamma is 1; the discount factor lies in \[0, 1\)", id="gamma"),
    ],
)
def test_bad_input_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(**arguments)  # type: ignore[arg-type]


def test_nothing_large_is_copied() -> None:
    P, r = kernel(), np.arange(2.0).reshape(1, 2, 1)
    mdp = model(P, r)
    assert np.shares_memory(mdp.P.data, P.data)
    assert np.shares_memory(mdp.P.indices, P.indices)
    assert np.shares_memory(mdp.r, r)
    assert mdp.r.shape == (1, 2, 2)
    assert mdp.r_bar.strides[1] == 0
    with pytest.raises(ValueError, match="read-only"):
        mdp.P.data[0] = 1.0
    P.data[0] = 0.5  # the caller's array stays the caller's


def test_round_trip_with_the_dense_model(rng: np.random.Generator) -> None:
    dense = random_problem(rng, n_states=5, n_agents=2)[0].mdp
    back = SparseMDP.from_dense(dense).to_dense()
    for name in ("P", "r", "initial", "gamma", "n_actions"):
        assert np.array_equal(getattr(back, name), getattr(dense, name)), name
    with pytest.raises(ValueError, match="40,000,000,000 entries, above the limit"):
        simple_spread(40, 5, 2).sparse().to_dense()
    with pytest.raises(ValueError, match="mean rewards only"):
        SparseMDP.from_dense(replace(dense, reward_noise="gumbel"))


# --- quantities at a policy -----------------------------------------------------------------------------------
@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_agrees_with_the_dense_layer_within_its_certificates(seed: int) -> None:
    problem, theta = random_problem(np.random.default_rng(seed))
    dense, large = exact(problem, theta), sparse_exact(SparseMDP.from_dense(problem.mdp), problem.policy, theta)
    rounding = 1e-13 * max(1.0, np.abs(dense.V).max()) / (1 - dense.gamma)  # of the dense solution
    assert np.abs(large.V - dense.V).max() <= large.value_solution.error + rounding
    assert np.abs(large.visitation - dense.visitation).sum() <= large.visitation_solution.error + 1e-13
    assert abs(large.J - dense.J) <= large.J_error + rounding
    assert np.abs(large.grad_J - dense.grad_J).max() <= large.grad_J_error + rounding / (1 - dense.gamma)
    assert large.J_error < 1e-9 / (1 - dense.gamma)
    assert np.allclose(large.P_pi.toarray(), dense.P_pi, rtol=0, atol=1e-15)
    assert np.allclose(large.Q, dense.Q, rtol=0, atol=1e-9)
    assert large.J_by_visitation == pytest.approx(dense.J, abs=1e-9)
    assert np.abs(large.restart_stationary - dense.restart_stationary).max() < 1e-12
    assert large.restart_residual() < 1e-12
    restarted = replace(problem, mdp=problem.mdp.restart())
    assert np.abs(large.restart_V - exact(restarted, theta).V).max() < 1e-9


def test_restart_residual_sees_a_wrong_law() -> None:
    spread = board()
    view = sparse_exact(spread, *cell_policy(spread))
    wrong = replace(view.visitation_solution, x=np.roll(view.visitation, 1))
    view.__dict__["visitation_solution"] = wrong
    assert view.restart_residual() > 1e-3


def test_policies_with_the_same_features_agree() -> None:
    spread = board()
    observed, theta = cell_policy(spread)
    psi = tuple(table[row] for table, row in zip(observed.tables, observed.observation, strict=True))
    full = LogLinearPolicy(psi)
    blocks = BlockLogLinear(lambda i, states: psi[i][states], spread.n_states, spread.n_actions, 3, block=7)
    reference = sparse_exact(spread, observed, theta)
    for policy in (full, blocks):
        view = sparse_exact(spread, policy, theta)
        assert np.allclose(view.grad_J, reference.grad_J, rtol=1e-11, atol=1e-12)
        assert pytest.approx(reference.J, rel=1e-12) == view.J
        assert view.grad_J_error == pytest.approx(reference.grad_J_error, rel=1e-2)


def test_gradient_matches_finite_differences() -> None:
    spread = board(3, start=[(0, 0), (2, 1), (0, 1)])
    policy, theta = cell_policy(spread, 2)
    gradient, step = sparse_exact(spread, policy, theta).grad_J, 1e-5
    for index in np.ndindex(theta.shape):
        change = np.zeros_like(theta)
        change[index] = step
        up, down = (sparse_exact(spread, policy, theta + sign * change).J for sign in (1, -1))
        assert (up - down) / (2 * step) == pytest.approx(gradient[index], rel=1e-6, abs=1e-7)


def test_gradient_without_a_policy_class_is_refused() -> None:
    spread = board()
    view = sparse_exact_from_tables(spread, [np.full((36, 5), 0.2)] * 2)
    assert view.logit_gradient[0].sum() == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ValueError, match="grad_J needs a policy class"):
        _ = view.grad_J
    table = np.full((36, 5), 0.2)
    table[4, 0] = 0.4
    with pytest.raises(ValueError, match=r"tables\[1\]\[4\] sums to 1\.2, not 1"):
        sparse_exact_from_tables(spread, [np.full((36, 5), 0.2), table])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99, 0.9999])
def test_plain_iteration_and_krylov_agree(gamma: float, monkeypatch: pytest.MonkeyPatch) -> None:
    spread = board(gamma=gamma, start=[(0, 0), (1, 1)])
    policy, theta = cell_policy(spread)
    krylov = sparse_exact(spread, policy, theta)
    _ = krylov.V, krylov.visitation  # before the patch: views are lazy
    monkeypatch.setattr(solvers, "KRYLOV_ROUNDS", 0)
    plain = sparse_exact(spread, policy, theta)
    assert np.abs(krylov.V - plain.V).max() <= krylov.value_solution.error + plain.value_solution.error
    gap = np.abs(krylov.visitation - plain.visitation).sum()
    assert gap <= krylov.visitation_solution.error + plain.visitation_solution.error
    if gamma == 0.99:
        assert krylov.value_solution.products < plain.value_solution.products / 5


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    spread = simple_spread(16, 10, 2)  # 640,000 pairs: above SERIAL_PAIRS
    assert spread.n_states * spread.n_joint_actions > SERIAL_PAIRS
    policy, theta = cell_policy(spread)
    for mdp in (spread, spread.sparse()):
        one, three = (sparse_exact(mdp, policy, theta, workers=k) for k in (1, 3))
        for name in ("V", "visitation", "grad_J", "r_pi"):
            assert np.array_equal(getattr(one, name), getattr(three, name)), name
        first, second = (optimum(mdp, workers=k) for k in (1, 3))
        assert np.array_equal(first.V, second.V)
        assert np.array_equal(first.actions, second.actions)


# --- the optimum ---------------------------------------------------------------------------------------------
@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_optimum_of_random_problems(seed: int) -> None:
    dense = random_problem(np.random.default_rng(seed))[0].mdp
    found, V = optimum(SparseMDP.from_dense(dense)), value_iteration(dense)
    slack = 1e-12 * max(1.0, np.abs(V).max()) / (1 - dense.gamma)
    assert np.abs(found.V - V).max() <= found.error + slack
    assert found.error < 1e-8
    assert pytest.approx(dense.initial @ V, abs=1e-8) == found.J


@pytest.mark.parametrize("reward_time", ["before", "after"])
@pytest.mark.parametrize("n_agents", [1, 2, 3])
def test_optimum_of_small_boards(n_agents: int, reward_time: str) -> None:
    spread = board(n_agents, reward_time=reward_time)
    found, V = optimum(spread), value_iteration(spread.sparse().to_dense())
    assert np.abs(found.V - V).max() < 1e-10
    assert found.error < 1e-10
    followed = spread.chosen(found.actions)
    reward = spread.r_bar[np.arange(spread.n_states), found.actions]
    assert np.allclose(found.V, reward + spread.gamma * followed @ found.V, rtol=0, atol=1e-11)


@pytest.mark.parametrize("seed", range(6))
def test_certificates_cover_errors_that_can_be_seen(seed: int) -> None:
    """Loose solves: the true errors are many digits above rounding, so a bound that is too small shows."""
    problem, theta = random_problem(np.random.default_rng(seed), n_states=40, n_agents=2, gamma=0.97)
    mdp, dense = SparseMDP.from_dense(problem.mdp), exact(problem, theta)
    view = sparse_exact(mdp, problem.policy, theta, tolerance=1e-4)
    value = np.abs(view.V - dense.V).max()
    assert 1e-9 < value <= view.value_solution.error
    assert 1e-12 < np.abs(view.visitation - dense.visitation).sum() <= view.visitation_solution.error
    assert abs(view.J - dense.J) <= view.J_error
    assert 1e-9 < np.abs(view.grad_J - dense.grad_J).max() <= view.grad_J_error
    best, V = optimum(mdp, tolerance=1e-4), value_iteration(problem.mdp)
    assert 1e-9 < np.abs(best.V - V).max() <= best.error


def test_optimum_where_it_is_known() -> None:
    """One agent walks d steps to its landmark: V* = -sum_k gamma^k (d - k), written out by hand."""
    spread = simple_spread(7, 4, 1, landmarks=[(5, 1)], gamma=0.75)
    distance = np.abs(spread.positions - (5, 1)).sum(axis=1)
    expected = [-sum(0.75**k * (d - k) for k in range(d)) for d in distance]
    assert pytest.approx(np.array(expected), abs=1e-13) == optimum(spread).V
    covered = simple_spread(6, 6, 2, landmarks=[(0, 5), (3, 3)], start=[(3, 3), (0, 5)])
    assert optimum(covered).J == 0.0


# --- Simple Spread ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("reward_time", ["before", "after"])
@pytest.mark.parametrize("n_agents", [1, 2, 3])
def test_structured_equals_generic_equals_dense(n_agents: int, reward_time: str) -> None:
    spread = board(n_agents, reward_time=reward_time)
    policy, theta = cell_policy(spread)
    psi = tuple(table[row] for table, row in zip(policy.tables, policy.observation, strict=True))
    dense = dense_exact(spread.sparse().to_dense(), LogLinearPolicy(psi), theta)
    for mdp in (spread, spread.sparse()):
        view: SparseExact = sparse_exact(mdp, policy, theta)
        for name in ("V", "Q", "visitation", "restart_stationary", "grad_J", "J"):
            assert np.allclose(getattr(view, name), getattr(dense, name), rtol=1e-11, atol=1e-12), name


def test_board_by_hand() -> None:
    """Every (state, action) of a 3 x 2 board, from coordinates, with no index arithmetic shared with the code."""
    spread = board(2, landmarks=[(0, 1), (2, 0)])
    P, r = spread.sparse().to_dense().P, spread.r_bar
    cells = list(product(range(3), range(2)))
    vector = {"Up": (0, 1), "Down": (0, -1), "Left": (-1, 0), "Right": (1, 0), "Stay": (0, 0)}
    for s, here in enumerate(product(cells, repeat=2)):
        distance = sum(min(abs(x - lx) + abs(y - ly) for x, y in here) for lx, ly in [(0, 1), (2, 0)])
        for a, move in enumerate(product(MOVES, repeat=2)):
            there = []
            for (x, y), name in zip(here, move, strict=True):
                moved = (x + vector[name][0], y + vector[name][1])
                there.append(moved if moved in cells else (x, y))
            target = cells.index(there[0]) * 6 + cells.index(there[1])
            assert P[s, a, target] == 1.0
            assert r[s, a] == -distance


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"length": 0}, "each is at least 1", id="empty"),
        pytest.param({"length": 2, "width": 1, "n_agents": 3}, "a 2 x 1 board has 2", id="too-many-agents"),
        pytest.param({"n_agents": 5}, "1,160,290,625 joint positions, above", id="too-large"),
        pytest.param({"landmarks": [(0, 0), (13, 0)]}, r"landmarks\[1\] is \(13, 0\), off the 13 x 5", id="off"),
        pytest.param({"landmarks": [(1, 1), (1, 1)]}, r"landmarks\[1\] is \(1, 1\), like landmarks\[0\]", id="twice"),
        pytest.param({"start": [(0, 0)]}, "start has 1 entries for 2 agents", id="start"),
        pytest.param({"start": [(0, 0), (0.5, 1)]}, r"start\[1\] is \(0\.5, 1\), not \(column, row\)", id="fraction"),
        pytest.param({"reward_time": "during"}, "not 'before' or 'after'", id="reward-time"),
        pytest.param({"gamma": 1.0}, "gamma is 1", id="gamma"),
    ],
)
def test_impossible_boards_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simple_spread(**arguments)  # type: ignore[arg-type]


def test_landmarks_are_drawn_distinct_and_by_seed() -> None:
    drawn = [simple_spread(3, 2, 4, seed=k).landmarks for k in range(20)]
    assert all(len(set(places)) == 4 for places in drawn)
    assert len(set(drawn)) > 10
    assert drawn[7] == simple_spread(3, 2, 4, seed=7).landmarks


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_episode_against_matrix_powers(discount: float) -> None:
    spread = board(2)
    view = sparse_exact(spread, *cell_policy(spread))
    P, r = sparse_exact(spread.sparse(), *cell_policy(spread)).P_pi.toarray(), view.r_pi
    value = episode(view, discount=discount)
    expected = sum(discount**k * np.linalg.matrix_power(P, k) @ r for k in range(EPISODE))
    assert np.abs(value.V - expected).max() <= value.error + 1e-13
    assert pytest.approx(expected.mean(), abs=1e-12) == value.J


def test_episode_optimum_against_a_dense_recursion_and_a_fixed_policy() -> None:
    spread = board(2)
    mdp, best = spread.sparse().to_dense(), episode_optimum(spread)
    V = np.zeros(mdp.n_states)
    for _ in range(EPISODE):
        V = (mdp.r_bar + mdp.P @ V).max(axis=1)
    assert np.array_equal(best.V, V)  # integers
    assert best.actions is not None
    V = np.zeros(mdp.n_states)
    rows = np.arange(mdp.n_states)
    for actions in best.actions[::-1]:
        V = mdp.r_bar[rows, actions] + spread.chosen(actions) @ V
    assert np.array_equal(best.V, V)
    assert best.J > episode(sparse_exact(spread, *cell_policy(spread))).J
    assert best.mean_reward == best.J / EPISODE


def test_repeated_episodes_are_the_mdp_with_a_clock() -> None:
    """J of episodes without end is J of a dense MDP whose state carries the step and resets after the last."""
    spread, horizon, gamma = simple_spread(2, 2, 2, gamma=0.8, seed=1), 3, 0.8
    dense = spread.sparse().to_dense()
    S, A = dense.n_states, dense.n_joint_actions
    P = np.zeros((horizon, S, A, horizon, S))
    for step in range(horizon - 1):
        P[step, :, :, step + 1] = dense.P
    P[-1, :, :, 0] = dense.initial
    initial = np.concatenate([dense.initial, np.zeros((horizon - 1) * S)])
    clock = FiniteMDP(P.reshape(horizon * S, A, -1), np.tile(dense.r, (1, horizon, 1)), initial, gamma, dense.n_actions)
    policy, theta = cell_policy(spread)
    psi = tuple(table[row] for table, row in zip(policy.tables, policy.observation, strict=True))
    reference = dense_exact(clock, LogLinearPolicy(tuple(np.tile(p, (horizon, 1, 1)) for p in psi)), theta)
    value = episode(sparse_exact(spread, policy, theta), horizon, discount=gamma)
    assert value.J_repeated == pytest.approx(reference.J, rel=1e-12)
    best = episode_optimum(spread, horizon, discount=gamma)
    assert best.J_repeated == pytest.approx(clock.initial @ value_iteration(clock), rel=1e-11)
    with pytest.raises(ValueError, match=r"discount is 0\.8; the reward per step"):
        _ = value.mean_reward
    with pytest.raises(ValueError, match="diverges"):
        _ = episode_optimum(spread).J_repeated


def test_thirteen_by_five_with_two_agents_agrees_on_both_paths() -> None:
    spread = simple_spread()
    policy, theta = cell_policy(spread)
    structured, generic = sparse_exact(spread, policy, theta), sparse_exact(spread.sparse(), policy, theta)
    assert spread.n_states == 4225
    assert abs(structured.J - generic.J) <= structured.J_error + generic.J_error
    assert np.abs(structured.grad_J - generic.grad_J).max() <= structured.grad_J_error + generic.grad_J_error
    assert structured.restart_residual() < 1e-13
    assert abs(optimum(spread).J - optimum(spread.sparse()).J) < 1e-9


@pytest.mark.slow
def test_three_agents_on_the_board_of_the_paper() -> None:
    """274,625 states and 125 joint actions: both paths to J, the restart residual, and J* above J."""
    spread = simple_spread(n_agents=3)
    policy, theta = cell_policy(spread)
    view = sparse_exact(spread, policy, theta)
    assert abs(view.J - view.J_by_visitation) <= view.J_error + 1e-12 * abs(view.J) / (1 - spread.gamma)
    assert view.restart_residual() < 1e-13
    step = 1e-4
    change = np.zeros_like(theta)
    change[1, 2] = step
    up, down = (sparse_exact(spread, policy, theta + sign * change).J for sign in (1, -1))
    assert (up - down) / (2 * step) == pytest.approx(view.grad_J[1, 2], rel=1e-5)
    best = optimum(spread)
    assert best.error < 1e-8
    assert best.J - best.error > view.J + view.J_error
