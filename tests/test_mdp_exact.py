"""Exact quantities: identities, closed forms worked by hand, independent computations, the rational twin."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mdp import Exact, Problem, RationalPoint, coordination_game, exact, ring3
from mdp.certify import certificates
from mdp.chain import period, stationary_law
from mdp.direction import READINGS, actor_direction, attractor, direction, undiscounted_direction
from mdp.families import random_problem, random_rational_point
from mdp.linear import rational_array, to_float
from verify.zeng2022.setting.lower_level import two_state_chain

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_float_identities(seed: int) -> None:
    problem, theta = random_problem(np.random.default_rng(seed))
    view = exact(problem, theta)
    assert pytest.approx(view.r_pi + view.gamma * view.P_pi @ view.V, abs=1e-10) == view.V
    assert np.abs(view.grad_J - view.grad_J_by_solve).max() < 1e-10
    assert np.abs(view.visitation - view.restart_stationary).max() < 1e-12
    assert np.abs(view.stationary @ view.P_pi - view.stationary).max() < 1e-14
    assert np.abs((view.pi * view.advantage).sum(axis=1)).max() < 1e-10
    assert view.value_residual() < 1e-10
    assert pytest.approx((view.visitation * view.r_pi).sum() / (1 - view.gamma), abs=1e-9) == view.J


@given(SEEDS, st.sampled_from([(1, (2,)), (2, (2, 2)), (3, (2, 3))]))
@settings(max_examples=25, deadline=None)
def test_rational_twin_agrees_with_floats(seed: int, size: tuple[int, tuple[int, ...]]) -> None:
    point = random_rational_point(np.random.default_rng(seed), n_states=size[0], n_actions=size[1])
    exact_view, float_view = point.exact(), point.to_floats()
    names = ("stationary", "visitation", "restart_stationary", "V", "Q", "advantage", "grad_J", "grad_J_by_solve",
             "omega_td", "omega_bellman", "omega_td_error", "lambda_star", "td_matrix")
    for name in names:
        reference = to_float(np.asarray(getattr(exact_view, name), dtype=object))
        scale = max(1.0, np.abs(reference).max())
        # the lower-level solutions may be badly conditioned: compare through their own residual size
        assert np.abs(getattr(float_view, name) - reference).max() < 1e-7 * scale, name
    assert (exact_view.grad_J == exact_view.grad_J_by_solve).all()


def test_three_omegas_by_hand() -> None:
    """The docstring of `two_state_chain` works them out: 4/3, 6/5 and 1."""
    view = two_state_chain().exact()
    assert (view.omega_td[0], view.omega_bellman[0], view.omega_td_error[0]) == (fmpq(4, 3), fmpq(6, 5), fmpq(1))
    assert list(view.stationary) == [fmpq(1, 2)] * 2
    assert view.td_matrix[0, 0] == fmpq(-3, 8)


def test_lower_level_solutions_minimise_their_objectives(ring: Problem) -> None:
    """Against a general-purpose optimiser on the objectives written out sample by sample."""
    theta = np.array([[0.3, -0.2], [0.1, 0.4], [-0.5, 0.2]])
    view = exact(ring, theta)
    phi, S = view.phi_state, len(view.initial)
    pair = view.stationary[:, None] * view.pi

    def td_error(omega: np.ndarray) -> float:
        values = phi @ omega
        residual = view.r_bar[:, :, None] + view.gamma * values - values[:, None, None]
        return float((pair[:, :, None] * view.P * residual**2).sum())

    def bellman(omega: np.ndarray) -> float:
        values = phi @ omega
        residual = [view.pi[s] @ (view.r_bar[s] + view.gamma * view.P[s] @ values) - values[s] for s in range(S)]
        return float(view.stationary @ np.square(residual))

    def regression(lam: np.ndarray) -> float:
        return float((pair * (view.r_bar - view.phi_joint @ lam) ** 2).sum())

    for objective, solution in (
        (td_error, view.omega_td_error), (bellman, view.omega_bellman), (regression, view.lambda_star),
    ):
        found = minimize(objective, np.zeros(len(solution)), tol=1e-14).x
        assert found == pytest.approx(solution, abs=2e-4)
        assert objective(solution) <= objective(found) + 1e-12


def test_td_fixed_point_solves_the_projected_bellman_equation(ring: Problem) -> None:
    view = exact(ring, np.full((3, 2), 0.2))
    values = view.phi_state @ view.omega_td
    backup = view.r_pi + view.gamma * view.P_pi @ values
    root = np.sqrt(view.stationary)
    projected = view.phi_state @ np.linalg.lstsq(view.phi_state * root[:, None], backup * root, rcond=None)[0]
    assert projected == pytest.approx(values, abs=1e-12)


def test_gth_is_accurate_on_a_nearly_decomposable_chain() -> None:
    """Coupling 1e-12: the answer is known in closed form, and a plain eigenvector loses most digits."""
    e = 1e-12
    P = np.array([[1 - e, e, 0], [e, 0.5 - e, 0.5], [0, 0.25, 0.75]])
    P[0, 0], P[1, 1] = 1 - P[0, 1], 1 - P[1, 0] - P[1, 2]
    law = stationary_law(P)
    ratio = P[1, 2] / P[2, 1]
    expected = np.array([1.0, 1.0, ratio])  # detailed balance of a birth-death chain
    assert law == pytest.approx(expected / expected.sum(), rel=1e-13)


@pytest.mark.parametrize(("size", "step", "expected"), [(4, 1, 4), (4, 2, 2), (5, 2, 5)])
def test_period_of_a_cycle_with_a_chord(size: int, step: int, expected: int) -> None:
    P = np.roll(np.eye(size), 1, axis=1)
    if step == 2 and size == 4:
        P = np.array([[0, 0.5, 0, 0.5], [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0.5, 0, 0.5, 0]])
    assert period(P) == expected


def test_scores_match_finite_differences_of_log_probabilities(rng: np.random.Generator) -> None:
    problem, theta = random_problem(rng, n_agents=2)
    scores, step = problem.policy.log_jacobian(theta), 1e-6
    for i, k in np.ndindex(theta.shape):
        up, down = theta.copy(), theta.copy()
        up[i, k] += step
        down[i, k] -= step
        logs = [np.log(problem.policy.probabilities(t)[i]) for t in (up, down)]
        assert (logs[0] - logs[1]) / (2 * step) == pytest.approx(scores[i][:, :, k], abs=1e-8)


def test_value_matches_simulation(ring: Problem) -> None:
    """Monte Carlo of the discounted return; |z| below 4."""
    view = exact(ring, np.full((3, 2), 0.3))
    rng, runs, length = np.random.default_rng(5), 4000, 60
    P_cdf, pi_cdf = view.P.cumsum(axis=2), view.pi.cumsum(axis=1)
    states, total = np.zeros(runs, dtype=int), np.zeros(runs)
    for t in range(length):
        actions = (rng.random(runs)[:, None] > pi_cdf[states]).sum(axis=1)
        total += view.gamma**t * view.r_bar[states, actions]
        states = (rng.random(runs)[:, None] > P_cdf[states, actions]).sum(axis=1)
    error = total.std() / np.sqrt(runs)
    assert abs(total.mean() - view.J) < 4 * error + view.gamma**length * 20


def test_restart_mdp_is_the_restart_chain(ring: Problem) -> None:
    theta = np.full((3, 2), 0.3)
    view = exact(ring, theta)
    restarted = exact(Problem(ring.mdp.restart(), ring.policy, ring.features, ring.schedule), theta)
    assert restarted.P_pi == pytest.approx(view.restart_P_pi, abs=1e-15)
    assert restarted.stationary == pytest.approx(view.visitation, abs=1e-14)


def test_printed_direction_vanishes_when_kernels_match() -> None:
    """The Bellman equation makes E[delta | s, a] zero: zhang2025 Algorithm 1 as printed, exactly."""
    for seed in range(10):
        point = random_rational_point(np.random.default_rng(seed), point_start=True)
        original, restart = point.exact(), point.restart()
        for reading in READINGS:
            expected = direction(original, restart, reading)
            if reading.form == "q" and reading.data == reading.critic:
                assert not (expected != 0).any(), reading.label
        assert (undiscounted_direction(original) == (1 - point.gamma) * original.grad_J_by_solve).all()


def test_antiparallel_witness_worked_by_hand() -> None:
    """Two states, two actions: with restart data and the original Q the printed direction opposes grad J."""
    half = fmpq(1, 2)
    point = RationalPoint(
        P=[[[half, half], [half, half]], [[half, half], [0, 1]]],
        r=[[[0, 0], [1, 0]]], initial=[1, 0], gamma=half,
        tables=([[half, half], [half, half]],), psi=([[[1, 0], [0, 0]], [[0, 1], [0, 0]]],),
        phi_state=[[1], [0]], phi_joint=rational_array(np.ones((2, 2, 1), dtype=int)),
    )
    original = point.exact()
    printed = next(r for r in READINGS if r.label == "q, restart data, original critic")
    expected = direction(original, point.restart(), printed)
    assert (expected * original.grad_J).sum() < 0


def test_actor_direction_is_scaled_gradient_when_realisable() -> None:
    view = exact(ring3(), np.full((3, 2), 0.4))
    assert actor_direction(view, "visitation") == pytest.approx((1 - view.gamma) * view.grad_J, abs=1e-12)


@pytest.mark.parametrize(("law", "positive"), [("visitation", False), ("stationary", True)])
def test_floor_of_ring3_is_due_to_sampling_alone(law: str, positive: bool) -> None:
    rest = attractor(ring3(), law)  # type: ignore[arg-type]
    assert rest.slowest < 0
    assert (rest.floor > 0.1) == positive
    assert positive or rest.floor < 1e-20


def test_floor_is_the_squared_bias(ring: Problem) -> None:
    """At rest (1 - gamma) grad J = (1 - gamma) grad J - direction, over the free parameters."""
    rest = attractor(ring, "stationary")
    view = exact(ring, rest.theta)
    bias = actor_direction(view, "stationary") - (1 - view.gamma) * view.grad_J
    shared = 3 * (bias[:, :1].mean(axis=0) ** 2).sum()
    assert (shared + (bias[:, 1:] ** 2).sum()) / (1 - view.gamma) ** 2 == pytest.approx(rest.floor, rel=1e-9)


def test_coordination_game_rewards_are_those_of_the_paper() -> None:
    quiet = coordination_game(3, noise=False)
    r = quiet.mdp.r.reshape(3, 8, 8, 8)
    assert r[0, 0, 0, 0] == 3.5**2 + 2
    assert r[1, 3, 7, 7] == 3.5**2 + 1
    assert r[2, 1, 2, 3] == 0.25
    noisy = coordination_game(3, noise=True)
    assert noisy.mdp.r - quiet.mdp.r == pytest.approx(np.euler_gamma)
    assert quiet.schedule.period == 5
    view = exact(quiet, np.zeros((3, 16)))
    residual = view.r_bar - view.phi_joint @ view.lambda_star
    assert np.abs(residual).max() < 1e-12  # the reward is in the span of the features


def residuals_within_certificates(view: Exact) -> None:
    """Two computations of one quantity differ by no more than their certificates together.

    Both certificates speak of any problem whose once-rounded data these floats are; for one with rows that sum to one
    exactly the two quantities coincide.
    """
    pairs = (("grad_J", "grad_J_by_solve"), ("visitation", "restart_stationary"))
    errors = certificates(view, [name for pair in pairs for name in pair], inputs="rounded")
    for one, other in pairs:
        gap = np.abs(getattr(view, one) - getattr(view, other)).max()
        assert gap <= errors[one].value_error + errors[other].value_error, (one, other)


@pytest.mark.parametrize("seed", range(5))
def test_residuals_are_within_certificates(seed: int) -> None:
    problem, theta = random_problem(np.random.default_rng(seed))
    residuals_within_certificates(exact(problem, theta))


@pytest.mark.slow
def test_ten_thousand_problems_are_within_certificates() -> None:
    rng = np.random.default_rng(11)
    for _ in range(10_000):
        problem, theta = random_problem(rng)
        residuals_within_certificates(exact(problem, theta))
