"""Mixing constants by direct powers, TD stability against closed forms and simulation, approximation errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from mdp import Features, Problem, exact, ring3
from mdp.approximation import (
    actor_bias,
    approximation_error,
    approximation_errors,
    attractor_floors,
    bias_bounds,
    floors,
    sampling_mismatch,
)
from mdp.chain import PeriodicChainError, ReducibleChainError, stationary_law
from mdp.families import random_problem, random_rational_point
from mdp.linear import rational, rational_array, to_float
from mdp.mixing import (
    Mixing,
    NoMixingBoundError,
    doeblin_mixing,
    measured_mixing,
    spectral_mixing,
    tv_decay,
    uniform_minorisation,
    uniform_mixing,
)
from mdp.policy import joint_probabilities
from mdp.td_stability import (
    bisect_step_range,
    definiteness,
    mean_square_range,
    moment_map,
    off_policy_counterexample,
    td_matrix_under,
)
from verify.zeng2022.setting.lower_level import two_state_chain

SEEDS = st.integers(0, 2**32 - 1)
HORIZON = 24


def rational_chain(rng: np.random.Generator, size: int, zeros: float = 0.0) -> np.ndarray:
    """Irreducible (a cycle is kept) and aperiodic (state 0 may stay), small integers over their sum."""
    weights = rng.integers(1, 6, (size, size)) * (rng.random((size, size)) >= zeros)
    weights[np.arange(size), (np.arange(size) + 1) % size] += 1
    weights[0, 0] += 1
    chain = rational_array(weights)
    return chain / chain.sum(axis=1)[:, None]


def reversible_chain(rng: np.random.Generator, size: int) -> np.ndarray:
    weights = rng.integers(1, 6, (size, size))
    flow = rational_array(weights + weights.T)
    return flow / flow.sum(axis=1)[:, None]


def assert_valid(mixing: Mixing, chain: np.ndarray, horizon: int = HORIZON) -> None:
    """Exact powers of a rational chain against the bound, the floats kappa and rho taken as the rationals they are."""
    kappa, rho = rational(mixing.kappa), rational(mixing.rho)
    distance, _ = tv_decay(chain, horizon)
    for t in range(horizon + 1 if mixing.all_times else mixing.steps + 1):
        assert distance[t] <= kappa * rho**t, (mixing, t)


@given(SEEDS, st.integers(2, 5), st.sampled_from([0.0, 0.5]))
@settings(max_examples=12, deadline=None)
def test_every_method_bounds_the_exact_distance(seed: int, size: int, zeros: float) -> None:
    chain = rational_chain(np.random.default_rng(seed), size, zeros)
    spectral = spectral_mixing(chain)
    bounds = [spectral, doeblin_mixing(chain), doeblin_mixing(chain, steps=2 * size * size)]
    bounds += [measured_mixing(chain, fmpq(k, 20), horizon=HORIZON) for k in (2, 14, 19)]
    for mixing in bounds:
        assert_valid(mixing, chain)
        assert 0 <= mixing.rho < 1


@given(SEEDS, st.integers(2, 5))
@settings(max_examples=6, deadline=None)
def test_float_and_rational_chains_agree(seed: int, size: int) -> None:
    chain = rational_chain(np.random.default_rng(seed), size)
    for method in (spectral_mixing, doeblin_mixing, lambda c: measured_mixing(c, 0.9)):
        exact, floating = method(rational_array(chain)), method(to_float(chain))
        assert floating.kappa == pytest.approx(exact.kappa, rel=1e-9)
        assert floating.rho == pytest.approx(exact.rho, rel=1e-9)


def test_reversible_rate_is_the_second_eigenvalue(rng: np.random.Generator) -> None:
    for size in (2, 3, 5):
        chain = reversible_chain(rng, size)
        mixing = spectral_mixing(chain)
        modulus = np.sort(np.abs(np.linalg.eigvals(to_float(chain))))[-2]
        assert mixing.method == "reversible"
        assert mixing.rho == pytest.approx(modulus, abs=1e-10)
        assert_valid(mixing, chain)


def test_reversibilisation_rate_is_its_second_eigenvalue(rng: np.random.Generator) -> None:
    """Fill's matrix P P~, formed from its definition, against the singular value used here."""
    chain = rational_chain(rng, 4)
    law = stationary_law(chain)
    reversed_chain = chain.T * law[None, :] / law[:, None]
    eigenvalues = np.sort(np.linalg.eigvals(to_float(chain @ reversed_chain)).real)
    mixing = spectral_mixing(chain, steps=1)
    assert mixing.method == "reversibilisation"
    assert mixing.rho**2 == pytest.approx(eigenvalues[-2], abs=1e-9)
    assert mixing.kappa == pytest.approx(0.5 * np.sqrt(1 / to_float(law).min() - 1))


def test_two_state_chain_by_hand() -> None:
    """P = [[1-a, a], [b, 1-b]]: d(t) = max(a, b) / (a + b) |1 - a - b|^t; here a = 1/4, b = 1/2."""
    chain = rational_array([[fmpq(3, 4), fmpq(1, 4)], [fmpq(1, 2), fmpq(1, 2)]])
    distance, between = tv_decay(chain, 5)
    assert list(distance) == [fmpq(2, 3) * fmpq(1, 4) ** t for t in range(6)]
    assert list(between) == [fmpq(1, 4) ** t for t in range(6)]
    measured = measured_mixing(chain, fmpq(1, 4))
    assert (measured.kappa, measured.rho, measured.all_times) == (pytest.approx(2 / 3), 0.25, True)
    assert spectral_mixing(chain).rho == pytest.approx(0.25)
    assert spectral_mixing(chain).kappa == pytest.approx(0.5 * np.sqrt(2))
    assert (doeblin_mixing(chain, steps=1).rho, doeblin_mixing(chain, steps=1).minorisation) == (0.25, 0.75)
    assert measured.time(0.25) == 1
    assert measured.time(0.01) == 4  # 2/3 4^-3 is 0.0104
    assert Mixing("doeblin", 1.0, 0.0, 1).time(0.1) == 1


def test_measured_kappa_is_the_smallest_and_admits_when_unproved() -> None:
    chain = rational_array([[fmpq(3, 4), fmpq(1, 4)], [fmpq(1, 2), fmpq(1, 2)]])
    mixing = measured_mixing(chain, fmpq(1, 8), horizon=10)  # faster than the chain: no proof beyond the horizon
    assert not mixing.all_times
    assert mixing.kappa == pytest.approx(2 / 3 * 2**10)
    distance, _ = tv_decay(chain, 11)
    assert distance[11] > rational(mixing.kappa) * rational(mixing.rho) ** 11
    proved = measured_mixing(rational_chain(np.random.default_rng(2), 4), fmpq(9, 10))
    assert proved.all_times
    distance, _ = tv_decay(rational_chain(np.random.default_rng(2), 4), 40)
    smallest = max(distance[t] / fmpq(9, 10) ** t for t in range(41))
    assert abs(rational(proved.kappa) - smallest) < fmpq(1, 10**12)


def test_a_power_is_needed_when_one_step_does_not_contract() -> None:
    """0 -> 1 -> 2 -> {0, 2}: one step is a permutation on part of L2(mu), so sigma = 1; some power contracts."""
    half = fmpq(1, 2)
    chain = rational_array([[0, 1, 0], [0, 0, 1], [half, 0, half]])
    for method in (spectral_mixing, doeblin_mixing):
        with pytest.raises(NoMixingBoundError):
            method(chain, steps=1)
        assert method(chain).steps > 1
        assert_valid(method(chain), chain, 40)


def test_a_rank_one_chain_mixes_in_one_step() -> None:
    chain = rational_array([[fmpq(1, 3), fmpq(2, 3)]] * 2)
    mixing = doeblin_mixing(chain)
    assert (mixing.rho, mixing.kappa, mixing.steps) == (0.0, 1.0, 1)
    assert_valid(mixing, chain)
    assert_valid(doeblin_mixing(chain, steps=3), chain)


# --- uniform over policies ------------------------------------------------------------------------------
def rational_kernel(rng: np.random.Generator, size: int, actions: int, zeros: float = 0.0) -> np.ndarray:
    weights = rng.integers(1, 5, (size, actions, size)) * (rng.random((size, actions, size)) >= zeros)
    weights[:, :, 0] += 1  # state 0 cannot be avoided
    kernel = rational_array(weights)
    return kernel / kernel.sum(axis=2)[:, :, None]


@given(SEEDS, st.integers(2, 4), st.sampled_from([0.0, 0.4]))
@settings(max_examples=15, deadline=None)
def test_uniform_constants_hold_for_many_policies(seed: int, size: int, zeros: float) -> None:
    """Deterministic policies are the extreme ones, random ones lie between."""
    rng = np.random.default_rng(seed)
    kernel = rational_kernel(rng, size, 3, zeros)
    bounds = [uniform_mixing(kernel, steps=1), uniform_mixing(kernel, steps=3), uniform_mixing(kernel)]
    for k in range(12):
        pi = rational_array(np.eye(3, dtype=int)[rng.integers(0, 3, size)] if k % 2 else rng.integers(1, 9, (size, 3)))
        pi = pi / pi.sum(axis=1)[:, None]
        chain = np.stack([pi[s] @ kernel[s] for s in range(size)])
        power = rational_array(np.eye(size, dtype=int))
        law = np.linalg.matrix_power(to_float(chain), 4096)[0]  # state 0 recurs: one closed class, aperiodic
        for t in range(12):
            distance = max(np.abs(to_float(power) - law).sum(axis=1)) / 2
            for mixing in bounds:
                assert distance <= mixing.bound(t) + 1e-12, (mixing, t)
            power = power @ chain


def test_uniform_minorisation_is_the_minimum_over_policies() -> None:
    """Two steps: brute force over all time-dependent deterministic policies attains the dynamic programme."""
    kernel = rational_kernel(np.random.default_rng(4), 3, 2, 0.4)
    choices = [np.array([(k >> s) & 1 for s in range(3)]) for k in range(8)]
    chains = [kernel[np.arange(3), c] for c in choices]
    least = np.min([first @ second for first in chains for second in chains], axis=0).min(axis=0)
    assert (uniform_minorisation(kernel, steps=2) == least).all()
    assert (uniform_minorisation(kernel, steps=1) == kernel.min(axis=(0, 1))).all()


@pytest.mark.parametrize("seed", range(5))
def test_restart_kernels_have_a_uniform_rate_of_at_most_gamma(seed: int) -> None:
    problem, theta = random_problem(np.random.default_rng(seed), gamma=0.8)
    mixing = uniform_mixing(problem.mdp.restart().P, steps=1)
    assert mixing.rho <= 0.8 + 1e-11
    assert mixing.kappa == 1
    chain = np.einsum(
        "sa,sat->st", joint_probabilities(problem.policy.probabilities(theta)), problem.mdp.restart().P
    )
    distance, _ = tv_decay(chain, 20)
    assert all(d <= mixing.bound(t) + 1e-13 for t, d in enumerate(distance))


def test_no_uniform_minorisation_when_states_can_be_avoided() -> None:
    """Stay or swap: one policy is periodic, another reducible, so no constants hold for all."""
    kernel = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    with pytest.raises(NoMixingBoundError, match="at the end of any number of steps"):
        uniform_mixing(kernel)
    with pytest.raises(NoMixingBoundError, match="at the end of 1 steps"):
        uniform_mixing(kernel, steps=1)


def test_uniform_minorisation_can_need_several_steps() -> None:
    """0 -> {0, 1} or 1, 1 -> 2, 2 -> 2 or {1, 2}: a lazy tour where one step leaves every column with a zero."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, [0, 1]] = 0.5
    kernel[0, 1, 1] = 1
    kernel[1, :, 2] = 1
    kernel[2, 0, 2] = 1
    kernel[2, 1, [1, 2]] = 0.5
    with pytest.raises(NoMixingBoundError):
        uniform_mixing(kernel, steps=1)
    mixing = uniform_mixing(kernel)
    assert mixing.steps > 1
    assert mixing.rho < 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: doeblin_mixing(np.eye(2)), ReducibleChainError, "reducible"),
        (lambda: spectral_mixing(np.eye(2)[::-1]), PeriodicChainError, "period 2"),
        (lambda: doeblin_mixing(np.ones((2, 3))), ValueError, r"shape \(2, 3\), not \(S, S\)"),
        (lambda: measured_mixing(np.full((2, 2), 0.5), 1.0), ValueError, "rho is 1.0"),
        (lambda: tv_decay(np.full((2, 2), 0.5), -1), ValueError, "horizon is -1"),
        (lambda: uniform_mixing(np.ones((2, 2))), ValueError, r"\(S, A, S\)"),
        (lambda: doeblin_mixing(np.full((2, 2), 0.5), steps=0), ValueError, "steps is 0"),
        (lambda: Mixing("doeblin", 1.0, 0.5, 1).time(0.0), ValueError, "accuracy is 0"),
    ],
    ids=["reducible", "periodic", "not square", "rho", "horizon", "kernel", "steps", "accuracy"],
)
def test_bad_mixing_requests(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# --- stability of TD --------------------------------------------------------------------------------------
@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_mean_update_is_negative_definite_under_mu_and_visitation(seed: int) -> None:
    """Under d with modulus at most sqrt(gamma): gamma d P <= d. Under mu with modulus gamma."""
    problem, theta = random_problem(np.random.default_rng(seed), n_agents=1)
    view = exact(problem, theta)
    for law, modulus in ((view.stationary, view.gamma), (view.visitation, view.gamma**0.5)):
        found = definiteness(view, law)
        assert found.negative_definite
        assert found.hurwitz
        assert found.largest < 0
        assert found.modulus <= modulus + 1e-9
        values = np.random.default_rng(seed).normal(size=problem.features.phi_state.shape[1])
        second = law @ (view.phi_state @ values) ** 2
        assert values @ td_matrix_under(view, law) @ values <= -(1 - found.modulus) * second + 1e-12
    assert td_matrix_under(view, view.stationary) == pytest.approx(view.td_matrix, abs=1e-14)


def test_off_policy_law_makes_the_mean_update_diverge() -> None:
    point, law = off_policy_counterexample()
    view = point.exact()
    assert td_matrix_under(view, law)[0, 0] == fmpq(11, 256)
    found = definiteness(view, law)
    assert not found.negative_definite
    assert not found.hurwitz
    assert found.modulus > 1
    assert definiteness(view).negative_definite
    none = mean_square_range(view, law)
    assert (none.beta_max, none.high) == (0.0, 0.0)
    with pytest.raises(ValueError, match="not Hurwitz"):
        bisect_step_range(point.to_floats(), to_float(law))
    below = off_policy_counterexample(fmpq(20, 21) - fmpq(1, 100))
    assert definiteness(below[0].exact(), below[1]).negative_definite


def test_scalar_step_range_by_hand() -> None:
    """K = 1: beta_max = -2 A / E[A_t^2]. In the two-state chain of the three omegas, worked out exactly."""
    view = two_state_chain().exact()
    A, second = view.td_matrix[0, 0], view.gamma * 0
    for s in range(2):
        for t in range(2):
            step = view.phi_state[s, 0] * (view.gamma * view.phi_state[t, 0] - view.phi_state[s, 0])
            second += view.stationary[s] * view.P_pi[s, t] * step**2
    limit = -2 * A / second
    found = mean_square_range(view)
    assert found.beta_max == pytest.approx(float(limit.p) / float(limit.q), rel=1e-14)
    assert found.certified
    assert rational(found.low) < limit < rational(found.high)
    assert moment_map(view, limit)[0, 0] == 1


@pytest.mark.parametrize("seed", range(8))
def test_step_range_by_eigenvalue_and_by_bisection(seed: int) -> None:
    problem, theta = random_problem(np.random.default_rng(seed), n_states=2 + seed % 4, n_agents=1)
    view = exact(problem, theta)
    for law in (None, view.visitation):
        found = mean_square_range(view, law)
        assert found.beta_max == pytest.approx(bisect_step_range(view, law), rel=1e-9)
        assert found.certified
        assert found.low < found.beta_max < found.high < found.low * (1 + 1e-6)
        for beta, stable in ((0.5, True), (0.99, True), (1.01, False), (3.0, False)):
            radius = np.abs(np.linalg.eigvals(moment_map(view, beta * found.beta_max, law))).max()
            assert (radius < 1) == stable


@pytest.mark.parametrize(("factor", "grows"), [(0.8, False), (1.25, True)], ids=["below", "above"])
def test_simulated_second_moment_below_and_above_the_limit(factor: float, grows: bool) -> None:
    """Monte Carlo of omega <- omega + beta A_t omega against the moment map, |z| < 4, and its tail direction."""
    problem, theta = random_problem(np.random.default_rng(3), n_states=3, n_agents=1, gamma=0.5)
    view = exact(problem, theta)
    rng, runs, length = np.random.default_rng(17), 40_000, 6
    beta = factor * mean_square_range(view).beta_max
    pairs = (view.stationary[:, None] * view.P_pi).ravel()
    step = np.einsum("sk,stl->stkl", view.phi_state, view.gamma * view.phi_state - view.phi_state[:, None])
    matrices = np.eye(2) + beta * step.reshape(-1, 2, 2)
    omega = np.ones((runs, 2))
    for _ in range(length):
        omega = np.einsum("rkl,rl->rk", matrices[rng.choice(len(pairs), size=runs, p=pairs / pairs.sum())], omega)
    squares = (omega**2).sum(axis=1)
    power = np.linalg.matrix_power(moment_map(view, beta), length)
    expected = (power @ np.ones(4)).reshape(2, 2).trace()
    assert abs(squares.mean() - expected) < 4 * squares.std() / np.sqrt(runs)
    late = [(np.linalg.matrix_power(moment_map(view, beta), t) @ np.ones(4))[[0, 3]].sum() for t in (100, 200)]
    assert (late[1] > late[0]) == grows


def test_bad_stability_requests() -> None:
    view = two_state_chain().exact()
    with pytest.raises(ValueError, match=r"shape \(3,\), not \(S,\)"):
        td_matrix_under(view, np.ones(3))
    with pytest.raises(ValueError, match=r"law\[1\] is negative"):
        definiteness(view, rational_array([2, -1]))
    with pytest.raises(ValueError, match="tolerance is 1"):
        mean_square_range(view, tolerance=1.0)


# --- approximation and sampling errors ----------------------------------------------------------------------
def test_a_constant_feature_by_hand() -> None:
    """One constant critic feature: best under a law is the standard deviation of V, best in sup half its range."""
    problem, theta = random_problem(np.random.default_rng(6), n_states=4, n_agents=1, gamma=0.8)
    constant = Features(np.ones((4, 1)), problem.features.phi_joint)
    view = exact(Problem(problem.mdp, problem.policy, constant, problem.schedule), theta)
    for law in ("stationary", "visitation"):
        weight = view.law(law)
        deviation = np.sqrt(weight @ view.V**2 - (weight @ view.V) ** 2)
        assert approximation_error(view, "critic", law).error == pytest.approx(deviation, rel=1e-9)
    assert approximation_error(view, "critic", "sup").error == pytest.approx(np.ptp(view.V) / 2, rel=1e-7)
    # the TD fixed point of a constant feature is the mean reward under mu over 1 - gamma
    off = np.abs(view.V - view.stationary @ view.r_pi / 0.2).max()
    assert approximation_error(view, "critic", "sup", "omega_td").error == pytest.approx(off, rel=1e-9)


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_the_best_fit_is_the_best(seed: int) -> None:
    problem, theta = random_problem(np.random.default_rng(seed))
    errors = approximation_errors(exact(problem, theta))
    assert len(errors) == 18
    best = {(e.target, e.weighting): e.error for e in errors if e.solution == "best"}
    for e in errors:
        # the linear program of the sup norm is solved to about 1e-7
        assert best[e.target, e.weighting] <= e.error * (1 + 1e-6) + 1e-9, e
        assert best[e.target, e.weighting] <= best[e.target, "sup"] * (1 + 1e-6) + 1e-9
    regression = next(e for e in errors if (e.solution, e.weighting) == ("lambda_star", "stationary"))
    assert regression.error == pytest.approx(best["reward", "stationary"], abs=1e-9)


def test_realisable_problems_have_no_approximation_error() -> None:
    view = exact(ring3(), np.full((3, 2), 0.4))
    for e in approximation_errors(view):
        # the minimiser of the squared TD error is biased by the noise of s' even when V is in the span
        assert (e.error > 0.1) if e.solution == "omega_td_error" else (e.error < 1e-8), e
    bias = actor_bias(view, "stationary")
    assert np.abs(bias.approximation).max() < 1e-12
    assert np.abs(bias.sampling).max() > 1e-2
    assert np.abs(actor_bias(view, "visitation").total).max() < 1e-12


@pytest.mark.parametrize("law", ["stationary", "visitation"])
@pytest.mark.parametrize("under", ["stationary", "visitation"])
def test_bias_parts_add_up_exactly(law: Any, under: Any) -> None:
    for seed in range(6):
        view = random_rational_point(np.random.default_rng(seed), n_actions=(2, 2)).exact()
        bias = actor_bias(view, law, approximation_under=under)
        assert (bias.total == bias.approximation + bias.sampling).all()
        assert (bias.approximation == bias.critic + bias.reward).all()
        if law == under == "visitation":
            assert not (bias.sampling != 0).any()
        # agent by agent from the definition, sums written out
        direct = bias.total * 0
        values = view.phi_state @ view.omega_td
        for s, a in np.ndindex(view.pi.shape):
            model = view.phi_joint[s, a] @ view.lambda_star + view.gamma * (view.P[s, a] @ values) - values[s]
            for i, own in enumerate(np.unravel_index(a, (2, 2))):
                direct[i] += view.law(law)[s] * view.pi[s, a] * model * view.scores[i][s, own]
        assert (bias.total == direct - (1 - view.gamma) * view.grad_J_by_solve).all()


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_biases_are_within_the_bounds_from_the_errors(seed: int) -> None:
    problem, theta = random_problem(np.random.default_rng(seed))
    view = exact(problem, theta)
    for law in ("stationary", "visitation"):
        bias, (approximation, sampling) = actor_bias(view, law), bias_bounds(view, law)
        assert np.linalg.norm(bias.approximation, axis=1).max() <= approximation * (1 + 1e-9) + 1e-12
        assert np.linalg.norm(bias.sampling, axis=1).max() <= sampling * (1 + 1e-9) + 1e-12


def test_sampling_mismatch_by_hand() -> None:
    """Two states that swap with probability 1/2: mu uniform, d = (1 - gamma / 2, gamma / 2) from state 0."""
    view = two_state_chain().exact()
    d = to_float(view.visitation)
    found = sampling_mismatch(view)
    gap = abs(d[0] - 0.5)
    assert to_float(view.stationary) == pytest.approx([0.5, 0.5])
    assert found.total_variation == pytest.approx(gap)
    assert found.sup_norm == pytest.approx(gap)
    assert found.ratio == pytest.approx(2 * gap)
    assert found.chi_stationary == pytest.approx(2 * gap)


@pytest.mark.parametrize("law", ["stationary", "visitation"])
def test_floors_at_the_attractor_split_what_is_measured_there(ring: Problem, law: Any) -> None:
    rest, parts = attractor_floors(ring, law, flow_time=300)
    other = floors(ring, actor_bias(exact(ring, rest.theta), law, approximation_under="stationary"))
    for split in (parts, other):
        assert split.total == pytest.approx(rest.floor, rel=1e-8, abs=1e-16)
        assert split.total == pytest.approx(split.approximation + split.sampling + split.cross, rel=1e-10, abs=1e-16)
    assert parts.sampling == pytest.approx(0, abs=1e-20) if law == "visitation" else parts.sampling > 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("actor", "sup"), "target is 'actor'"),
        (("critic", "max"), "weighting is 'max'"),
        (("critic", "sup", "lambda_star"), "for the critic it is one of best, omega_td"),
    ],
    ids=["target", "weighting", "solution"],
)
def test_bad_approximation_requests(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        approximation_error(exact(ring3(), np.zeros((3, 2))), *arguments)
