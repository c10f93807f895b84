"""CAC: the kernel against its NumPy twin, the sampling laws, projections, reproducibility, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import chisquare

from algorithms import METRICS, CACSteps, cac
from algorithms._cac_kernel import _draw_tuple
from algorithms._linalg import _gth, _solve_in_place
from algorithms.cac import Sampling
from algorithms.reference import cac_reference
from mdp.chain import PeriodicChainError, ReducibleChainError, stationary_law
from mdp.exact import exact
from mdp.families import random_problem
from mdp.features import Features
from mdp.instances import coordination_game, ring3, ring3_nonrealisable
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule, full_average
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem

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
@pytest.mark.parametrize("sampling", ["single", "double"])
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_kernel_follows_twin(make: Callable[[], Problem], sampling: Sampling) -> None:
    problem = make()
    options = {"sampling": sampling, "n_checkpoints": 6, **start(problem)}
    assert_same_trace(cac(problem, 300, 7, **options), cac_reference(problem, 300, 7, **options))


@pytest.mark.parametrize("sampling", ["single", "double"])
@pytest.mark.parametrize("metric_every", [2, 7, 1000])
def test_kernel_follows_twin_with_thinned_metrics(metric_every: int, sampling: Sampling) -> None:
    options = {"sampling": sampling, "n_checkpoints": 5, "metric_every": metric_every}
    problem = ring3_nonrealisable()
    assert_same_trace(cac(problem, 100, 3, **options), cac_reference(problem, 100, 3, **options))


@pytest.mark.parametrize("sampling", ["single", "double"])
def test_kernel_follows_twin_on_the_projection_balls(sampling: Sampling) -> None:
    options = {"sampling": sampling, "radius_omega": 0.3, "radius_lambda": 0.2, "n_checkpoints": 3}
    problem, steps = uneven_actions(), CACSteps(alpha_0=2.0, beta_0=3.0, zeta_0=3.0, sigma_1=0.3, sigma_2=0.5)
    trace = cac(problem, 200, 5, steps=steps, **options)
    assert_same_trace(trace, cac_reference(problem, 200, 5, steps=steps, **options))
    free = cac(problem, 200, 5, steps=steps, sampling=sampling)
    assert all(np.abs(trace[name] - free[name]).max() > 1e-3 for name in ("omega", "lam"))


def test_twin_tells_the_samplings_apart() -> None:
    single, double = (cac_reference(ring3(), 50, 7, sampling=s) for s in ("single", "double"))
    assert np.abs(single["theta"] - double["theta"]).max() > 1e-3


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
    }
    assert tuple(want) == METRICS
    for name, value in want.items():
        np.testing.assert_allclose([trace[name][0], trace[f"{name}_now"][0]], value, rtol=1e-9, err_msg=name)


# --- reproducibility ----------------------------------------------------------------------------------
@pytest.mark.parametrize("sampling", ["single", "double"])
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


def test_sampling_is_single_or_double() -> None:
    with pytest.raises(ValueError, match="sampling is 'x', not 'single' or 'double'"):
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
