"""CAC: the kernel against its NumPy twin, the sampling laws, projections, reproducibility, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import chisquare

from algorithms import METRICS, CACSteps, cac
from algorithms._cac_kernel import _draw_tuple
from algorithms._linalg import _gth, _solve_in_place
from algorithms.cac import DRIFT_METRICS, SAMPLINGS, Sampling
from algorithms.reference import cac_reference
from mdp.chain import PeriodicChainError, ReducibleChainError, stationary_law
from mdp.exact import exact
from mdp.families import random_problem
from mdp.features import Features
from mdp.instances import coordination_game, garnet, ring3, ring3_nonrealisable
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule, full_average
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem
from mdp.sensitivity import local_lipschitz, omega_td_jacobian, omega_td_lipschitz

P_VALUE = 1e-4
"""Seeds are fixed, so a test below this threshold fails for ever or never; ours."""


def uneven_actions() -> Problem:
    """Also a schedule of asymmetric matrices, without which W and its transpose could be confused."""
    problem, _ = random_problem(np.random.default_rng(2), n_states=4, n_agents=3, gamma=0.9)
    assert len(set(problem.mdp.n_actions)) > 1
    to_the_next = 0.7 * np.eye(3) + 0.3 * np.roll(np.eye(3), 1, axis=1)
    return replace(problem, schedule=Schedule.periodic([to_the_next, np.eye(3)]))


def one_agent() -> Problem:
    return random_problem(np.random.default_rng(5), n_states=3, n_agents=1, gamma=0.5)[0]


def tabular(P: np.ndarray | None = None, *, shared: bool = False) -> Problem:
    """Two agents, two actions each, everything one-hot: a single step shows what was sampled."""
    rng = np.random.default_rng(11)
    S = 3 if P is None else len(P)
    P = rng.dirichlet(np.ones(S), size=(S, 4)) if P is None else P
    mdp = FiniteMDP(P, rng.uniform(1, 2, (2, S, 4)), np.eye(S)[0], 0.8, (2, 2))
    policy = LogLinearPolicy.tabular(S, (2, 2), shared=shared)
    return Problem(mdp, policy, Features.tabular(S, 4), Schedule.static(full_average(2)), name="tabular")


PROBLEMS = {
    "ring3": ring3,
    "ring3-nonrealisable": ring3_nonrealisable,
    "coordination-noisy": partial(coordination_game, 2, noise=True),
    "uneven-actions": uneven_actions,
    "one-agent": one_agent,
    "all-shared": partial(tabular, shared=True),
    "all-personal": tabular,
}


def start(problem: Problem, seed: int = 0) -> dict[str, np.ndarray]:
    rng, N = np.random.default_rng(seed), problem.mdp.n_agents
    return {
        "theta_0": rng.normal(size=(N, problem.policy.n_parameters)),
        "omega_0": rng.normal(size=(N, problem.features.phi_state.shape[1])),
        "lambda_0": rng.normal(size=(N, problem.features.phi_joint.shape[2])),
    }


def assert_same_trace(got: xr.Dataset, want: xr.Dataset, rtol: float = 1e-9) -> None:
    assert set(got.data_vars) == set(want.data_vars)
    assert got.attrs == want.attrs
    np.testing.assert_array_equal(got.t, want.t)
    for name in want.data_vars:
        assert got[name].dims == want[name].dims
        # disagreement contracts to the square of the rounding: below 1e-20 there is no digit to compare
        np.testing.assert_allclose(got[name], want[name], rtol=rtol, atol=1e-20, err_msg=str(name))


# --- the kernel against its twin --------------------------------------------------------------------
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_kernel_follows_twin(make: Callable[[], Problem], sampling: Sampling) -> None:
    problem = make()
    options = {"sampling": sampling, "n_checkpoints": 6, **start(problem)}
    assert_same_trace(cac(problem, 120, 7, **options), cac_reference(problem, 120, 7, **options))


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("metric_every", [2, 7, 1000])
def test_kernel_follows_twin_with_thinned_metrics(metric_every: int, sampling: Sampling) -> None:
    options = {"sampling": sampling, "n_checkpoints": 5, "metric_every": metric_every}
    problem = ring3_nonrealisable()
    assert_same_trace(cac(problem, 100, 3, **options), cac_reference(problem, 100, 3, **options))


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_kernel_follows_twin_on_the_projection_balls(sampling: Sampling) -> None:
    options = {"sampling": sampling, "radius_omega": 0.3, "radius_lambda": 0.2, "n_checkpoints": 3}
    problem, steps = uneven_actions(), CACSteps(alpha_0=2.0, beta_0=3.0, zeta_0=3.0, sigma_1=0.3, sigma_2=0.5)
    trace = cac(problem, 200, 5, steps=steps, **options)
    assert_same_trace(trace, cac_reference(problem, 200, 5, steps=steps, **options))
    free = cac(problem, 200, 5, steps=steps, sampling=sampling)
    assert all(np.abs(trace[name] - free[name]).max() > 1e-3 for name in ("omega", "lam"))


def test_twin_tells_the_samplings_apart() -> None:
    thetas = [cac_reference(ring3(), 50, 7, sampling=s)["theta"].values for s in SAMPLINGS]
    assert all(np.abs(x - y).max() > 1e-3 for x, y in combinations(thetas, 2))


@pytest.mark.parametrize("make", [ring3, uneven_actions], ids=["ring3", "uneven-actions"])
def test_metrics_of_the_first_step_are_the_exact_ones(make: Callable[[], Problem]) -> None:
    problem = make()
    first = start(problem)
    point, H = exact(problem, first["theta_0"]), problem.policy.n_shared
    trace = cac(problem, 1, 0, **first)
    omega, lam, shared = first["omega_0"], first["lambda_0"], first["theta_0"][:, :H]
    want = {
        "critic_error_td": ((omega - point.omega_td) ** 2).sum(),
        "critic_error_bellman": ((omega - point.omega_bellman) ** 2).sum(),
        "critic_error_td_error": ((omega - point.omega_td_error) ** 2).sum(),
        "reward_error": ((lam - point.lambda_star) ** 2).sum(),
        "shared_disagreement": ((shared - shared.mean(axis=0)) ** 2).sum(),
        "shared_gradient": len(omega) * (point.grad_J_by_solve[:, :H].mean(axis=0) ** 2).sum(),
        "personal_gradient": (point.grad_J_by_solve[:, H:] ** 2).sum(),
        "J": point.J,
        "critic_drift": ((exact(problem, trace["theta"].values).omega_td - point.omega_td) ** 2).sum(),
        "actor_move": ((trace["theta"].values - first["theta_0"]) ** 2).sum(),
    }
    assert tuple(want) == METRICS + DRIFT_METRICS
    for name, value in want.items():
        np.testing.assert_allclose([trace[name][0], trace[f"{name}_now"][0]], value, rtol=1e-9, err_msg=name)


# --- reproducibility ----------------------------------------------------------------------------------
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_same_seed_same_bits(sampling: Sampling) -> None:
    seeds = (4, 4, np.random.SeedSequence(4), np.random.default_rng(4))
    first, *others = (cac(ring3(), 500, seed, sampling=sampling, n_checkpoints=4) for seed in seeds)
    for other in others:
        xr.testing.assert_identical(first, other)
    assert not first.equals(cac(ring3(), 500, 5, sampling=sampling, n_checkpoints=4))


def test_measuring_does_not_disturb_the_run() -> None:
    runs = [cac(ring3(), 400, 1, metric_every=k, n_checkpoints=c) for k, c in ((1, 1), (3, 9), (1000, 2))]
    for name in ("theta", "omega", "lam"):
        for run in runs[1:]:
            np.testing.assert_array_equal(run[name], runs[0][name])


def test_a_generator_is_consumed_and_arguments_are_left_alone() -> None:
    rng, first = np.random.default_rng(0), start(ring3())
    kept = {name: value.copy() for name, value in first.items()}
    one, two = (cac(ring3(), 20, rng, **first) for _ in range(2))
    assert not one["theta"].equals(two["theta"])
    for name, value in first.items():
        np.testing.assert_array_equal(value, kept[name])


@pytest.mark.parametrize("number", [np.int64(50), np.float32(50), 50.0], ids=["int64", "float32", "float"])
def test_kind_of_whole_number_does_not_matter(number: float) -> None:
    xr.testing.assert_identical(cac(ring3(), number, 1), cac(ring3(), 50, 1))


def test_checkpoints_end_at_the_horizon_and_do_not_repeat() -> None:
    assert cac(ring3(), 1000, 0, n_checkpoints=3).t.values.tolist() == [10, 100, 1000]
    assert cac(ring3(), 5, 0, n_checkpoints=50).t.values.tolist() == [1, 2, 3, 4, 5]


# --- projections and a frozen actor -------------------------------------------------------------------
@pytest.mark.parametrize("horizon", [1, 2, 10, 300])
def test_projection_radii_are_respected_and_active(horizon: int) -> None:
    radii = {"radius_omega": 0.05, "radius_lambda": 0.02}
    trace = cac(ring3(), horizon, 2, steps=CACSteps(beta_0=5.0, zeta_0=5.0), **radii)
    for name, radius in (("omega", radii["radius_omega"]), ("lam", radii["radius_lambda"])):
        norms = np.linalg.norm(trace[name], axis=1)
        assert norms.max() <= radius * (1 + 1e-12)
        assert norms.max() >= radius * (1 - 1e-12), f"the ball of {name} is never reached"


def test_large_radii_do_nothing() -> None:
    near, far = (cac(ring3(), 200, 2, radius_omega=R, radius_lambda=R) for R in (1e3, np.inf))
    xr.testing.assert_identical(near, far)


def test_frozen_actor_only_mixes_the_shared_part() -> None:
    problem, steps = ring3(), CACSteps(alpha_0=0.0)
    theta_0 = start(problem)["theta_0"]
    shared = theta_0[:, :1]
    for t in range(7):
        shared = problem.schedule.matrices[t % 3] @ shared
    theta = cac(problem, 7, 0, steps=steps, theta_0=theta_0)["theta"].values
    np.testing.assert_array_equal(theta[:, 1:], theta_0[:, 1:])
    np.testing.assert_allclose(theta[:, :1], shared, rtol=1e-14)
    assert not cac(problem, 300, 0, steps=steps)["theta"].any()


# --- sampling laws ------------------------------------------------------------------------------------
def assert_follows(counts: np.ndarray, law: np.ndarray) -> None:
    assert chisquare(counts, counts.sum() * law).pvalue > P_VALUE


@pytest.mark.parametrize("sampling", ["single", "double"])
def test_one_step_runs_sample_the_laws_of_the_listing(sampling: Sampling) -> None:
    """With one-hot features lambda_1 shows (s, a) of the critics' tuple and theta_1 that of the actors'."""
    problem, rng = tabular(), np.random.default_rng(0)
    theta_0 = np.random.default_rng(1).normal(size=(2, 6))
    point = exact(problem, theta_0)
    actor_law = point.stationary if sampling == "single" else point.visitation
    critic, actor, agree, runs = np.zeros((3, 4)), np.zeros((3, 4)), 0, 3000
    for _ in range(runs):
        trace = cac(problem, 1, rng, sampling=sampling, theta_0=theta_0, lambda_0=np.ones((2, 12)))
        here = divmod(int(np.flatnonzero(trace["lam"][0].values != 1.0)[0]), 4)
        moved = (trace["theta"].values - theta_0).reshape(2, 3, 2)
        states = np.flatnonzero(np.abs(moved[0]).sum(axis=1))
        assert len(states) == 1
        there = int(states[0]), 2 * int(moved[0, states[0]].argmax()) + int(moved[1, states[0]].argmax())
        critic[here] += 1
        actor[there] += 1
        agree += here == there
    assert_follows(critic.ravel(), (point.stationary[:, None] * point.pi).ravel())
    assert_follows(actor.ravel(), (actor_law[:, None] * point.pi).ravel())
    if sampling == "single":
        assert agree == runs
    else:  # the two tuples are independent, and the two laws far enough apart for the test to tell
        chance = ((point.stationary * actor_law)[:, None] * point.pi**2).sum()
        assert_follows(np.array([agree, runs - agree]), np.array([chance, 1 - chance]))
        law = (point.stationary[:, None] * point.pi).ravel()
        assert chisquare(actor.ravel(), runs * law).pvalue < P_VALUE


@pytest.mark.parametrize("make", [ring3, uneven_actions], ids=["ring3", "uneven-actions"])
def test_draw_tuple_follows_state_policy_and_kernel(make: Callable[[], Problem]) -> None:
    problem, rng, runs = make(), np.random.default_rng(3), 40_000
    point = exact(problem, start(problem)["theta_0"])
    n_actions = np.array(problem.mdp.n_actions)
    tables = np.zeros((len(n_actions), point.P.shape[0], n_actions.max()))
    for i, table in enumerate(point.tables):
        tables[i, :, : table.shape[1]] = table
    counts, local = np.zeros(point.P.shape), np.zeros(len(n_actions), dtype=np.int64)
    for _ in range(runs):
        s, a, s_next = _draw_tuple(rng, point.stationary, tables, n_actions, point.P, local)
        assert a == np.ravel_multi_index(tuple(local), problem.mdp.n_actions)
        counts[s, a, s_next] += 1
    law = point.stationary[:, None, None] * point.pi[:, :, None] * point.P
    assert not counts[law == 0].any()
    # cells expected less than five times, below which chi-square is not trusted, are counted as one
    rare = (law * runs < 5) & (law > 0)
    cells = [*np.flatnonzero((law > 0) & ~rare)]
    got, want = [*counts.ravel()[cells], counts[rare].sum()], [*law.ravel()[cells], law[rare].sum()]
    assert_follows(*(np.array(x) if rare.any() else np.array(x[:-1]) for x in (got, want)))


# --- Markovian sampling ---------------------------------------------------------------------------------
def visits(problem: Problem, sampling: Sampling, steps: int, seed: int) -> tuple[list[int], list[int]]:
    """States of the critics' and the actors' tuples along one run, read off the increments of one-hot models.

    A run of T steps repeats one of T - 1 with one step more: constant steps need sigma tiny for that.
    """
    scale = CACSteps(alpha_0=1e-3, beta_0=1e-3, zeta_0=1e-3, sigma_1=1e-9, sigma_2=1e-9)
    options = {"sampling": sampling, "steps": scale, "lambda_0": np.ones((2, 12)), "metric_every": 1000}
    runs = [cac(problem, t, seed, **options) for t in range(1, steps + 1)]
    critic, actor = [], []
    lam, theta = np.ones(12), np.zeros(6)
    for run in runs:  # both agents agree on lam up to their rewards: agent 0 is enough
        after, moved = run["lam"][0].values, run["theta"][0].values
        critic.append(int(np.abs(after - lam).argmax()) // 4)
        actor.append(int(np.abs(moved - theta).argmax()) // 2)
        lam, theta = after, moved
    return critic, actor


def cyclic() -> Problem:
    """Three states that follow one another with probability 0.98: a trajectory is seen at a glance."""
    ring = 0.98 * np.roll(np.eye(3), 1, axis=1) + 0.01
    problem = tabular(np.repeat((ring / ring.sum(axis=1, keepdims=True))[:, None], 4, axis=1))
    mdp = replace(problem.mdp, r=problem.mdp.r + 3.0)
    return replace(problem, mdp=mdp)


def test_markovian_critics_follow_one_trajectory() -> None:
    problem = cyclic()
    critic, actor = visits(problem, "markov", 60, 0)
    assert critic[0] == 0  # the initial law is a point
    assert np.mean((np.diff(critic) - 1) % 3 == 0) > 0.9
    assert critic == actor
    loose, _ = visits(problem, "single", 60, 0)  # the control: fresh draws follow one another a third of the time
    assert np.mean((np.diff(loose) - 1) % 3 == 0) < 0.7


def test_markovian_actors_follow_the_restart_chain() -> None:
    problem = cyclic()  # gamma is 0.8 and restarts are in state 0
    critic, actor = visits(problem, "markov-double", 150, 1)
    assert critic[0] == actor[0] == 0
    assert np.mean((np.diff(critic) - 1) % 3 == 0) > 0.9
    point = exact(problem, np.zeros((2, 6)))
    chance = (point.visitation[:, None] * point.restart_P_pi)[np.arange(3), (np.arange(3) + 1) % 3].sum()
    assert 0.8 < chance < 0.9
    onward = np.mean((np.diff(actor) - 1) % 3 == 0)
    assert abs(onward - chance) < 4 * np.sqrt(chance * (1 - chance) / 149)
    assert np.array_equal(critic, actor) is False


@pytest.mark.parametrize("sampling", ["markov", "markov-double"])
def test_trajectories_reach_the_listing_fixed_points(sampling: Sampling) -> None:
    """With the policy frozen, long averages of critic errors tend to zero against the same targets as i.i.d. draws."""
    steps = CACSteps(alpha_0=0.0, beta_0=2.0, zeta_0=4.0)
    short, long = (cac(ring3(), T, 0, steps=steps, sampling=sampling, metric_every=10) for T in (1_000, 100_000))
    assert long["critic_error_td"][0] < short["critic_error_td"][0] / 3
    nothing = cac(ring3(), 1, 0, steps=steps, sampling=sampling)["critic_error_td"][0]
    assert long["critic_error_td"][0] < nothing / 10


# --- schedules and special cases ---------------------------------------------------------------------------
def shared_split(problem: Problem, n_shared: int) -> Problem:
    assert isinstance(problem.policy, LogLinearPolicy)
    return replace(problem, policy=LogLinearPolicy(problem.policy.psi, n_shared))


def test_federated_every_step_is_the_static_full_average() -> None:
    first = start(ring3())
    problems = [replace(ring3(), schedule=s) for s in (Schedule.federated(3, 1), Schedule.static(full_average(3)))]
    runs = [cac(problem, 300, 3, **first, n_checkpoints=3) for problem in problems]
    xr.testing.assert_identical(*runs)


def test_federated_agents_meet_once_a_round() -> None:
    """A frozen actor shows the mixing alone: nothing for four steps, exact agreement at the fifth."""
    problem, first = replace(ring3(), schedule=Schedule.federated(3, 5)), start(ring3())
    steps, theta_0 = CACSteps(alpha_0=0.0), first["theta_0"]
    for horizon in (1, 4):
        np.testing.assert_array_equal(cac(problem, horizon, 0, steps=steps, theta_0=theta_0)["theta"], theta_0)
    theta = cac(problem, 5, 0, steps=steps, theta_0=theta_0)["theta"].values
    np.testing.assert_array_equal(theta[:, 0], theta[0, 0])
    np.testing.assert_allclose(theta[0, 0], theta_0[:, 0].mean(), rtol=1e-15)
    np.testing.assert_array_equal(theta[:, 1], theta_0[:, 1])
    # before the first meeting the server does not exist: runs agree with those of a longer round, to the bit
    longer = replace(ring3(), schedule=Schedule.federated(3, 50))
    for horizon, same in ((4, True), (5, False)):
        one, other = (cac(p, horizon, 0, **first) for p in (problem, longer))
        assert one["lam"].equals(other["lam"]) is same


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_federated_kernel_follows_twin(sampling: Sampling) -> None:
    problem = replace(ring3(), schedule=Schedule.federated(3, 4))
    options = {"sampling": sampling, "n_checkpoints": 3, **start(problem)}
    assert_same_trace(cac(problem, 101, 1, **options), cac_reference(problem, 101, 1, **options))


def test_without_sharing_theta_is_never_mixed() -> None:
    """Only agent 0 has a signal: the others' parameters keep their bits, unless the first column is shared."""
    first, only_first = start(ring3()), np.array([[1.0], [0.0], [0.0]])
    first["omega_0"], first["lambda_0"] = first["omega_0"] * only_first, first["lambda_0"] * only_first
    for n_shared, untouched in ((0, True), (1, False)):
        theta = cac(shared_split(ring3(), n_shared), 1, 0, **first)["theta"].values
        assert np.array_equal(theta[1:], first["theta_0"][1:]) is untouched
        assert not np.array_equal(theta[0], first["theta_0"][0])
    trace = cac(shared_split(ring3(), 0), 500, 0, n_checkpoints=4)
    assert not trace["shared_disagreement"].any()
    assert not trace["shared_gradient"].any()
    assert trace["personal_gradient"].all()


def test_without_sharing_parameters_move_only_by_their_own_signal() -> None:
    """One step of agent i is alpha times a scalar times its score: its rows span one direction of the scores."""
    problem, first = shared_split(ring3(), 0), start(ring3())
    alpha = CACSteps().at(1)[0]
    theta = cac(problem, 1, 6, **first)["theta"].values
    rng, point = np.random.default_rng(6), exact(problem, first["theta_0"])
    s = int(np.searchsorted(np.cumsum(point.stationary), rng.random(), side="right"))
    actions = [int(np.searchsorted(np.cumsum(t[s]), rng.random(), side="right")) for t in point.tables]
    a = int(np.ravel_multi_index(actions, problem.mdp.n_actions))
    t = int(np.searchsorted(np.cumsum(point.P[s, a]), rng.random(), side="right"))
    phi, varphi = problem.features.phi_state, problem.features.phi_joint[s, a]
    for i in range(3):
        signal = varphi @ first["lambda_0"][i] + (problem.mdp.gamma * phi[t] - phi[s]) @ first["omega_0"][i]
        np.testing.assert_allclose(
            theta[i] - first["theta_0"][i], alpha * signal * point.scores[i][s, actions[i]], rtol=1e-9, atol=1e-14
        )


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_one_agent_is_single_agent_actor_critic(sampling: Sampling) -> None:
    """Alone, shared and personal parameters are the same thing, and nothing is mixed, to the bit."""
    problem = one_agent()
    first = start(problem)
    runs = [cac(shared_split(problem, H), 200, 4, sampling=sampling, **first) for H in (0, 1, 3)]
    for run in runs[1:]:
        for name in ("theta", "omega", "lam", "J", "critic_error_td", *DRIFT_METRICS):
            np.testing.assert_array_equal(run[name], runs[0][name])
    assert not any(run["shared_disagreement"].any() for run in runs)
    total = [float(run["shared_gradient"][0] + run["personal_gradient"][0]) for run in runs]
    np.testing.assert_allclose(total, total[0], rtol=1e-12)


# --- drift ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_drift_is_within_the_lipschitz_bound(sampling: Sampling) -> None:
    problem = ring3_nonrealisable()
    trace = cac(problem, 2000, 0, sampling=sampling, steps=CACSteps(alpha_0=2.0), n_checkpoints=20)
    drift, move = trace["critic_drift_now"].values, trace["actor_move_now"].values
    assert (drift[1:] > 0).all()  # at t = 0 all models are zero, and nothing moves
    assert (drift <= omega_td_lipschitz(problem).constant ** 2 * move).all()
    # the control: a thousandth of the local constant is no bound
    local = local_lipschitz(omega_td_jacobian(exact(problem, trace["theta"].values)))
    assert (drift > (local / 1000) ** 2 * move).any()


# --- scratch linear algebra -------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_solver_and_stationary_law(size: int) -> None:
    rng = np.random.default_rng(size)
    matrix, rhs = rng.normal(size=(size, size)), rng.normal(size=size)
    matrix[0, 0] = 0.0 if size > 1 else 1.0  # without pivoting this divides by zero
    solution = rhs.copy()
    _solve_in_place(matrix.copy(), solution)
    np.testing.assert_allclose(matrix @ solution, rhs, atol=1e-12)
    chain, law = rng.dirichlet(np.ones(size), size=size), np.empty(size)
    _gth(chain, np.empty((size, size)), law)
    np.testing.assert_allclose(law, stationary_law(chain), rtol=1e-13)


# --- bad input ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["horizon", "n_checkpoints", "metric_every"])
@pytest.mark.parametrize("value", [0, -3, 1.5, float("nan"), float("inf"), None, "ten"], ids=str)
def test_counts_are_whole(name: str, value: object) -> None:
    options = {"horizon": 10, name: value}
    with pytest.raises(ValueError, match=rf"{name} is .*whole number of at least 1"):
        cac(ring3(), seed=0, **options)


@pytest.mark.parametrize("name", ["radius_omega", "radius_lambda"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")], ids=str)
def test_radii_are_positive(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*projection radii are positive"):
        cac(ring3(), 10, 0, **{name: value})


def test_sampling_is_one_of_four() -> None:
    with pytest.raises(ValueError, match="sampling is 'x', not one of 'single', 'double', 'markov', 'markov-double'"):
        cac(ring3(), 10, 0, sampling="x")


@pytest.mark.parametrize("name", ["sigma_1", "sigma_2"])
@pytest.mark.parametrize("value", [0.0, 1.0, -0.5, float("nan")], ids=str)
def test_step_exponents_lie_inside_the_unit_interval(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*strictly between 0 and 1"):
        CACSteps(**{name: value})


@pytest.mark.parametrize("name", ["alpha_0", "beta_0", "zeta_0"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")], ids=str)
def test_step_scales_are_finite_and_not_negative(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*finite and positive"):
        CACSteps(**{name: value})


@pytest.mark.parametrize("name", ["beta_0", "zeta_0"])
def test_only_the_actor_may_be_frozen(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0"):
        CACSteps(**{name: 0.0})


@pytest.mark.parametrize("name", ["theta_0", "omega_0", "lambda_0"])
def test_initial_values_have_a_shape_and_no_nan(name: str) -> None:
    value = start(ring3())[name]
    with pytest.raises(ValueError, match=rf"{name} has shape \(3, {value.shape[1] + 1}\)"):
        cac(ring3(), 10, 0, **{name: np.zeros((3, value.shape[1] + 1))})
    with pytest.raises(ValueError, match=f"{name} has 1 dimensions"):
        cac(ring3(), 10, 0, **{name: value[0]})
    value[1, 0] = np.nan
    with pytest.raises(ValueError, match=rf"{name}\[1, 0\] is nan"):
        cac(ring3(), 10, 0, **{name: value})


def test_other_policy_classes_are_refused() -> None:
    problem = ring3()
    other = SimpleNamespace(n_states=3, n_actions=(3, 3, 3), n_shared=1, n_parameters=2)
    with pytest.raises(TypeError, match="LogLinearPolicy, not SimpleNamespace"):
        cac(Problem(problem.mdp, other, problem.features, problem.schedule), 10, 0)


def test_reducible_and_periodic_chains_are_refused() -> None:
    stay, swap = (np.repeat(M[:, None, :], 4, axis=1) for M in (np.eye(2), np.eye(2)[::-1]))
    with pytest.raises(ReducibleChainError, match=r"P_pi is reducible: communicating classes \{0\}, \{1\}"):
        cac(tabular(stay), 10, 0)
    with pytest.raises(PeriodicChainError, match="P_pi is periodic with period 2"):
        cac(tabular(swap), 10, 0)


def test_a_run_that_leaves_the_floats_says_so() -> None:
    steps = CACSteps(beta_0=1e6, zeta_0=1e6)
    with pytest.raises(FloatingPointError, match=r"not finite at the end of the run: theta, omega, lam"):
        cac(ring3(), 5000, 0, steps=steps, radius_omega=np.inf, radius_lambda=np.inf)


def test_a_policy_that_underflows_says_so() -> None:
    """In floats the first action has probability zero here, and with it the way from state 1 to state 0."""
    P = np.zeros((2, 4, 2))
    P[0, :, 1] = P[1, :, 1] = 1.0
    P[1, 0] = [1.0, 0.0]
    theta_0 = np.array([[0.0, 0.0, -2000.0, 0.0]] * 2)
    with pytest.raises(FloatingPointError, match=r"critic_error_td.* underflow"):
        cac(tabular(P), 10, 0, theta_0=theta_0)


def test_regeneration_is_another_stream_of_the_same_algorithm() -> None:
    problem, steps = ring3(), CACSteps(alpha_0=0.5, beta_0=0.5, zeta_0=0.5)
    options = {"steps": steps, "metric_every": 50}
    one = cac(problem, 400, 3, sampler="regenerate", **options)
    assert one.attrs["sampler"] == "regenerate"
    assert one.identical(cac(problem, 400, 3, sampler="regenerate", **options))
    assert not np.array_equal(one["theta"], cac(problem, 400, 3, **options)["theta"])


def test_auto_solves_where_regeneration_does_not_pay() -> None:
    assert cac(ring3(), 10, 0, sampler="auto").attrs["sampler"] == "solve"  # three states: elimination is cheap
    assert cac(garnet(20, 2, 20, 2, 0), 10, 0, sampler="auto").attrs["sampler"] == "regenerate"
    assert cac(ring3(), 10, 0, sampler="auto", sampling="markov").attrs["sampler"] == "solve"


@pytest.mark.parametrize(("options", "message"), [
    ({"sampler": "alias"}, "sampler is 'alias'"),
    ({"sampler": "regenerate", "sampling": "markov"}, "draws from stationary laws; sampling is 'markov'"),
])
def test_unknown_samplers_are_errors(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cac(ring3(), 10, 0, **options)
