"""J*, the in-class optimum, eps_bias and smoothness: enumeration, closed forms, independent solvers, exact twins."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from mdp import Features, FiniteMDP, LogLinearPolicy, Policy, Problem, RationalPoint, Schedule, exact, full_average
from mdp.compatible import eps_bias, joint_scores, policy_occupancy
from mdp.exact import Exact
from mdp.families import random_problem, random_rational_point
from mdp.fisher import fisher
from mdp.linear import rational_array, solve, to_float
from mdp.optimal import J_class_star, J_star, deterministic_tables, occupancy_lp
from mdp.policies import CircularPolicy, NeuralPolicy, ReducedSoftmaxPolicy
from mdp.policy import joint_probabilities
from mdp.smoothness import PolicyConstants, check_smoothness, hessian, policy_constants, smoothness

SEEDS = st.integers(0, 2**32 - 1)


def dyadic_mdp(rng: np.random.Generator, S: int, n_actions: tuple[int, ...], gamma: float) -> FiniteMDP:
    """Every entry a multiple of 2^-10: floats and rationals are the same problem."""
    A = prod(n_actions)
    cuts = np.sort(rng.integers(0, 1025, size=(S, A, S - 1)), axis=2)
    P = np.diff(np.concatenate([np.zeros((S, A, 1)), cuts, np.full((S, A, 1), 1024)], axis=2), axis=2) / 1024
    r = rng.integers(-64, 65, size=(len(n_actions), S, A)) / 64
    return FiniteMDP(P, r, np.eye(S)[0], gamma, n_actions)


def as_rational(mdp: FiniteMDP) -> RationalPoint:
    tables = tuple(np.full((mdp.n_states, k), Fraction(1, k), dtype=object) for k in mdp.n_actions)
    A = mdp.n_joint_actions
    return RationalPoint(
        P=mdp.P, r=mdp.r, initial=mdp.initial, gamma=mdp.gamma, tables=tables,
        psi=tuple(np.eye(mdp.n_states * k, dtype=int).reshape(mdp.n_states, k, -1) for k in mdp.n_actions),
        phi_state=np.eye(mdp.n_states, dtype=int), phi_joint=np.ones((mdp.n_states, A, 1), dtype=int),
    )


def problem_with(mdp: FiniteMDP, policy: Policy) -> Problem:
    S, A = mdp.n_states, mdp.n_joint_actions
    features = Features(np.eye(S), np.full((S, A, 1), 0.5))
    return Problem(mdp, policy, features, Schedule.static(full_average(mdp.n_agents)))


def bandit(rewards: list[float], n_actions: tuple[int, ...], gamma: float = 0.0) -> FiniteMDP:
    """One state, team reward as given."""
    r = np.broadcast_to(np.array(rewards), (len(n_actions), 1, len(rewards)))
    return FiniteMDP(np.ones((1, len(rewards), 1)), r, np.ones(1), gamma, n_actions)


# --- J* -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(6))
def test_policy_iteration_matches_enumeration_exactly(seed: int) -> None:
    point = random_rational_point(np.random.default_rng(seed), n_states=3, n_actions=(2, 2))
    best = None
    r_bar = point.r.sum(axis=0) / 2
    for actions in product(range(4), repeat=3):
        rows, chosen = np.arange(3), np.array(actions)
        identity = rational_array(np.eye(3, dtype=int))
        V = solve(identity - point.gamma * point.P[rows, chosen], r_bar[rows, chosen])
        J = (point.initial * V).sum()
        best = J if best is None or best < J else best
    found = J_star(point)
    assert found.J == found.low == found.high == best
    assert (found.Q.max(axis=1) == found.V).all()
    assert found.occupancy.sum() == 1
    assert (found.occupancy * r_bar).sum() == (1 - point.gamma) * best


@given(SEEDS, st.sampled_from([0.0, 0.5, 0.875, 1 - 2.0**-10, 1 - 2.0**-20]))
@settings(max_examples=40, deadline=None)
def test_float_bracket_contains_the_rational_optimum(seed: int, gamma: float) -> None:
    rng = np.random.default_rng(seed)
    mdp = dyadic_mdp(rng, int(rng.integers(2, 5)), (2, 2), gamma)
    truth, found = J_star(as_rational(mdp)).J, J_star(mdp)
    assert fmpq(*found.low.as_integer_ratio()) <= truth <= fmpq(*found.high.as_integer_ratio())
    scale = 1 / (1 - gamma)
    assert found.high - found.low < 1e-11 * scale**2
    assert pytest.approx(float(Fraction(int(truth.p), int(truth.q))), abs=1e-12 * scale**2) == found.J


def test_two_state_example_of_puterman() -> None:
    """Puterman (1994), Sec. 3.1, discount 0.95: V* = (-60/7, -20); staying in s1 is optimal."""
    half = fmpq(1, 2)
    point = RationalPoint(
        P=[[[half, half], [0, 1]], [[0, 1], [0, 1]]], r=[[[5, 10], [-1, -1]]], initial=[1, 0], gamma=fmpq(19, 20),
        tables=([[half, half], [half, half]],), psi=([[[1], [0]], [[0], [1]]],),
        phi_state=[[1, 0], [0, 1]], phi_joint=rational_array(np.ones((2, 2, 1), dtype=int)),
    )
    found = J_star(point)
    assert list(found.V) == [fmpq(-60, 7), fmpq(-20)]
    assert list(found.actions) == [0, 0]
    assert list(found.ties) == [1, 2]  # the two actions of s2 are one action
    assert not found.unique


@pytest.mark.parametrize("seed", range(4))
def test_optimum_agrees_with_quantecon(seed: int) -> None:
    markov = pytest.importorskip("quantecon.markov")
    problem, _ = random_problem(np.random.default_rng(seed), n_states=5, n_agents=2, gamma=0.95)
    theirs = markov.DiscreteDP(problem.mdp.r_bar, problem.mdp.P, 0.95).solve(method="policy_iteration")
    ours = J_star(problem.mdp)
    assert pytest.approx(theirs.v, abs=1e-10) == ours.V
    assert (ours.actions == theirs.sigma).all()


def test_nearly_undiscounted_problem_stops_and_is_bracketed() -> None:
    """Gains of 1e-12 at gamma = 1 - 2^-30 are at rounding level: no endless switching, and the bracket is honest."""
    mdp = FiniteMDP(
        np.full((2, 2, 2), 0.5), np.array([[[0.0, 1e-12], [1.0, 1.0 - 1e-12]]]), np.array([0.5, 0.5]), 1 - 2.0**-30,
        (2,),
    )
    found = J_star(mdp)
    truth = J_star(as_rational(mdp)).J
    assert fmpq(*found.low.as_integer_ratio()) <= truth <= fmpq(*found.high.as_integer_ratio())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sign", [1, -1], ids=["as-drawn", "negated-reward"])
def test_occupancy_lp_brackets_the_optimum(seed: int, sign: int) -> None:
    mdp = dyadic_mdp(np.random.default_rng(seed), 4, (2, 3), 0.875)
    mdp = FiniteMDP(mdp.P, sign * mdp.r, mdp.initial, mdp.gamma, mdp.n_actions)
    lp, truth = occupancy_lp(mdp), J_star(mdp)
    assert lp.low <= truth.high
    assert truth.low <= lp.high
    assert lp.high - lp.low < 1e-5
    assert abs(lp.gap) < 1e-5
    inflow = (1 - mdp.gamma) * mdp.initial + mdp.gamma * np.einsum("sa,sat->t", lp.occupancy, mdp.P)
    assert lp.occupancy.sum(axis=1) == pytest.approx(inflow, abs=1e-6)
    assert pytest.approx(truth.V, abs=1e-4) == lp.V or lp.occupancy.sum(axis=1).min() < 1e-8
    with pytest.raises(TypeError, match="J_star is exact"):
        occupancy_lp(as_rational(mdp))


def test_occupancy_lp_with_value_zero_finds_the_sign_of_its_duals() -> None:
    mdp = bandit([0.0, -1.0], (2,), 0.5)
    lp = occupancy_lp(mdp)
    assert (lp.low, lp.high) == pytest.approx((0, 0), abs=1e-6)


def test_deterministic_tables_multiply_back() -> None:
    actions = np.array([0, 5, 3, 4])
    joint = joint_probabilities(deterministic_tables(actions, (2, 3)))
    assert (joint == np.eye(6)[actions]).all()


# --- J* of a class ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("reduced", [False, True], ids=["tabular", "reduced"])
def test_softmax_reaches_J_star_at_infinity(reduced: bool) -> None:
    mdp = dyadic_mdp(np.random.default_rng(2), 3, (2, 2), 0.5)
    policy = ReducedSoftmaxPolicy(3, (2, 2)) if reduced else LogLinearPolicy.tabular(3, (2, 2))
    found = J_class_star(problem_with(mdp, policy), starts=6, seed=1)
    assert 0 <= found.gap < 1e-7
    assert found.at_infinity
    assert pytest.approx(J_star(mdp).J, abs=1e-7) == found.J
    assert len(found.values) == 6


@pytest.mark.parametrize("rewards", [[1.0, 0.0, 0.0], [3.0, -1.0, 0.5, 0.25], [0.0, 0.0, 2.0, 1.0, -1.0]])
def test_circular_bandit_optimum_in_closed_form(rewards: list[float]) -> None:
    """``max_t sum_k p_k r_k = mean r + (c / A) |sum_k r_k exp(2 pi i k / A)|``, attained inside."""
    A, c = len(rewards), 0.6
    phases = np.exp(2j * np.pi * np.arange(A) / A)
    expected = np.mean(rewards) + c / A * abs(np.sum(rewards * phases))
    found = J_class_star(problem_with(bandit(rewards, (A,)), CircularPolicy.tabular(1, (A,), radius=c)), starts=4)
    assert pytest.approx(expected, rel=1e-12) == found.J
    assert not found.at_infinity
    assert found.gradient_norm < 1e-6
    assert found.upper == pytest.approx(max(rewards))
    assert found.upper > found.J


def test_log_linear_interior_optimum_is_not_at_infinity() -> None:
    """Three actions with logits (-x, 0, x): the middle one is best, and x = 0 gives it only 1/3."""
    psi = np.array([[[-1.0], [0.0], [1.0]]])
    problem = problem_with(bandit([0.0, 1.0, 0.0], (3,)), LogLinearPolicy((psi,)))
    found = J_class_star(problem, starts=5, spread=2.0)
    assert pytest.approx(1 / 3, abs=1e-12) == found.J
    assert found.theta[0, 0] == pytest.approx(0, abs=1e-5)
    assert not found.at_infinity


def test_consensual_optimum_is_below_the_stacked_one() -> None:
    """Two agents that must differ: r = 1 when actions differ; one common logit allows only 1/2."""
    psi = np.array([[[1.0], [0.0]]])
    problem = problem_with(bandit([0.0, 1.0, 1.0, 0.0], (2, 2)), LogLinearPolicy((psi, psi), n_shared=1))
    common = J_class_star(problem, consensual=True)
    apart = J_class_star(problem, seed=3)
    assert pytest.approx(0.5, abs=1e-12) == common.J
    assert common.theta[0] == pytest.approx(common.theta[1])
    assert pytest.approx(1, abs=1e-9) == apart.J
    assert apart.at_infinity


def test_further_starts_are_used() -> None:
    """From theta = 0 the gradient of the differing game vanishes; a start off the saddle gets away."""
    psi = np.array([[[1.0], [0.0]]])
    problem = problem_with(bandit([0.0, 1.0, 1.0, 0.0], (2, 2)), LogLinearPolicy((psi, psi)))
    stuck = J_class_star(problem, starts=1)
    helped = J_class_star(problem, starts=1, initial_thetas=np.array([[[1.0], [-1.0]]]))
    assert pytest.approx(0.5) == stuck.J
    assert pytest.approx(1, abs=1e-9) == helped.J
    with pytest.raises(ValueError, match=r"not \(k, N, D\)"):
        J_class_star(problem, initial_thetas=np.zeros((1, 2)))
    with pytest.raises(ValueError, match="starts is 0"):
        J_class_star(problem, starts=0)


# --- eps_bias ---------------------------------------------------------------------------------------------------
def test_tabular_error_is_the_interaction_of_the_advantage_exactly() -> None:
    """Scores of tabular product policies span sums of local functions: what is left is Adv - sum_i E[Adv | s, a_i]."""
    point = random_rational_point(np.random.default_rng(3), n_states=2, n_actions=(2, 3))
    view, star = point.exact(), J_star(point)
    adv = view.advantage.reshape(2, 2, 3)
    first = (adv * view.tables[1][:, None, :]).sum(axis=2)
    second = (adv * view.tables[0][:, :, None]).sum(axis=1)
    rest = (adv - first[:, :, None] - second[:, None, :]).reshape(2, 6)
    expected = (star.occupancy * rest * rest).sum()
    assert eps_bias(view, star.occupancy) == expected
    assert expected > 0
    other = policy_occupancy(view)
    assert eps_bias(view, other) == (other * rest * rest).sum()


def test_single_agent_tabular_softmax_has_no_bias() -> None:
    point = random_rational_point(np.random.default_rng(4), n_states=3, n_actions=(3,))
    assert eps_bias(point.exact(), J_star(point).occupancy) == 0


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_eps_bias_agrees_with_the_printed_formula(seed: int) -> None:
    """``(1 - gamma) F^+ grad J`` written out with a dense pseudo-inverse."""
    problem, theta = random_problem(np.random.default_rng(seed), gamma=0.9)
    view, star = exact(problem, theta), J_star(problem.mdp)
    F = fisher(view)
    values = np.linalg.eigvalsh(F)
    if values[0] < 1e-7 * values[-1]:
        return  # the pseudo-inverse squares the condition number; the comparison needs it small
    prediction = joint_scores(view) @ ((1 - view.gamma) * np.linalg.pinv(F) @ view.grad_J.ravel())
    expected = (star.occupancy * (view.advantage - prediction) ** 2).sum()
    assert eps_bias(view, star.occupancy) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    reached = policy_occupancy(view)
    best = eps_bias(view, reached)  # under its own law the fit is a projection: nothing does better
    shift = joint_scores(view) @ np.random.default_rng(seed).normal(size=theta.size)
    assert best <= (reached * (view.advantage - prediction - 0.1 * shift) ** 2).sum() + 1e-12


@pytest.mark.parametrize("law", ["visitation", "stationary"])
@pytest.mark.parametrize("reading", ["expectation", "printed"])
def test_rational_and_float_eps_bias_agree(law: Any, reading: Any) -> None:
    for seed in range(4):
        point = random_rational_point(np.random.default_rng(seed), n_states=2)
        star = J_star(point)
        truth = eps_bias(point.exact(), star.occupancy, reading=reading, law=law)
        found = eps_bias(point.to_floats(), to_float(star.occupancy), reading=reading, law=law)
        assert found == pytest.approx(float(Fraction(int(truth.p), int(truth.q))), rel=1e-9)


def test_printed_reading_by_hand() -> None:
    """One state, two actions, pi = (1/4, 3/4), r = (1, 0), gamma = 1/2.

    Adv = (3/4, -1/4); scores of the one logit: (3/4, -1/4); grad J = 2 (1/4)(3/4) = 3/8. The printed F gives
    predictions (1/2)(3/8)/score = (1/4, -3/4); the optimal policy plays action 0: (3/4 - 1/4)^2 = 1/4.
    """
    point = RationalPoint(
        P=[[[1], [1]]], r=[[[1, 0]]], initial=[1], gamma=fmpq(1, 2), tables=([[fmpq(1, 4), fmpq(3, 4)]],),
        psi=([[[1], [0]]],), phi_state=[[1]], phi_joint=[[[1], [1]]],
    )
    view, star = point.exact(), J_star(point)
    assert view.grad_J[0, 0] == fmpq(3, 8)
    assert eps_bias(view, star.occupancy, reading="printed") == fmpq(1, 4)
    assert eps_bias(view, star.occupancy) == 0


def test_eps_bias_does_not_depend_on_the_parameterisation(rng: np.random.Generator) -> None:
    """Tabular and reduced softmax at the same policy: F is singular in one, regular in the other."""
    mdp = dyadic_mdp(rng, 3, (2, 2), 0.75)
    tabular, reduced = LogLinearPolicy.tabular(3, (2, 2)), ReducedSoftmaxPolicy(3, (2, 2))
    theta = rng.normal(size=(2, 6))
    star = J_star(mdp)
    one = exact(problem_with(mdp, tabular), theta)
    other = exact(problem_with(mdp, reduced), reduced.theta_of(tabular.probabilities(theta)))
    assert eps_bias(one, star.occupancy) == pytest.approx(eps_bias(other, star.occupancy), rel=1e-10)


def test_eps_bias_of_a_zero_score_is_the_advantage() -> None:
    """Parameters that do not matter: F = 0, F^+ = 0, and the whole advantage is error, in both readings."""
    mdp = bandit([1.0, 0.0], (2,), 0.5)
    view = exact(problem_with(mdp, LogLinearPolicy((np.ones((1, 2, 1)),))), np.zeros((1, 1)))
    for reading in ("expectation", "printed"):
        assert eps_bias(view, J_star(mdp).occupancy, reading=reading) == pytest.approx(0.25)  # type: ignore[arg-type]


def test_eps_bias_refuses_wrong_input() -> None:
    view: Exact = random_rational_point(np.random.default_rng(0)).exact()
    with pytest.raises(ValueError, match="occupancy has shape"):
        eps_bias(view, np.ones((2, 2)))
    with pytest.raises(ValueError, match="reading is 'other'"):
        eps_bias(view, view.pi, reading="other")  # type: ignore[arg-type]


# --- smoothness -------------------------------------------------------------------------------------------------
def circular(rng: np.random.Generator) -> tuple[Policy, tuple[int, ...]]:
    return CircularPolicy((3, 4), tuple(rng.normal(size=(2, 2, 2))), 0.8, 1.5), (3, 4)


def log_linear(rng: np.random.Generator) -> tuple[Policy, tuple[int, ...]]:
    return LogLinearPolicy(tuple(rng.normal(size=(2, k, 2)) for k in (3, 2))), (3, 2)


SMOOTH = {
    "log-linear": log_linear,
    "tabular": lambda rng: (LogLinearPolicy.tabular(2, (2, 2)), (2, 2)),
    "reduced": lambda rng: (ReducedSoftmaxPolicy(2, (3, 3)), (3, 3)),
    "circular": circular,
}


@pytest.mark.parametrize("name", SMOOTH)
def test_policy_constants_bound_derivatives_of_the_joint_policy(name: str, rng: np.random.Generator) -> None:
    policy, n_actions = SMOOTH[name](rng)
    constants = policy_constants(policy)
    shape, step, found = (len(n_actions), policy.n_parameters), 1e-4, [0.0, 0.0]
    for _ in range(400):
        theta, u = rng.normal(scale=rng.choice([0.3, 1, 3]), size=shape), rng.normal(size=shape)
        u /= np.linalg.norm(u)
        mid, up, down = (joint_probabilities(policy.probabilities(theta + k * step * u)) for k in (0, 1, -1))
        found[0] = max(found[0], float(np.abs((up - down) / (2 * step)).sum(axis=1).max()))
        found[1] = max(found[1], float(np.abs((up - 2 * mid + down) / step**2).sum(axis=1).max()))
    assert found[0] <= constants.first
    assert found[1] <= constants.second + 1e-6
    assert found[0] > constants.first / 6  # a bound that is orders too large would be of no use
    assert found[1] > constants.second / 20


@pytest.mark.parametrize(
    "gamma", [0.5, pytest.param(0.0, marks=pytest.mark.slow), pytest.param(0.9, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", SMOOTH)
def test_smoothness_bounds_are_not_violated(name: str, gamma: float, rng: np.random.Generator) -> None:
    policy, n_actions = SMOOTH[name](rng)
    check = check_smoothness(problem_with(dyadic_mdp(rng, 2, n_actions, gamma), policy), starts=10)
    assert not check.violated
    assert check.gradient > 0
    assert check.hessian > 0
    assert min(check.slack) >= 1


@pytest.mark.parametrize(
    ("policy", "rewards", "theta"),
    [
        (LogLinearPolicy.tabular(1, (2,)), [1.0, 0.0], [[0.0, 0.0]]),
        (ReducedSoftmaxPolicy(1, (2,)), [1.0, 0.0], [[0.0]]),
    ],
    ids=["tabular", "reduced"],
)
def test_lipschitz_bound_is_attained(policy: Policy, rewards: list[float], theta: list[list[float]]) -> None:
    mdp = bandit(rewards, (2,))
    view = exact(problem_with(mdp, policy), np.array(theta))
    bound = smoothness(mdp, policy_constants(policy)).lipschitz
    assert np.linalg.norm(view.grad_J) == pytest.approx(bound, rel=1e-12)


def test_softmax_constants_by_hand() -> None:
    """Tabular softmax: distance sqrt 2, so C1 = 1/sqrt 2 and C2 = 1; below the 8/(1-gamma)^3 of the literature."""
    constants = policy_constants(LogLinearPolicy.tabular(2, (3, 3)))
    assert (constants.first, constants.second) == pytest.approx((np.sqrt(0.5), 1.0))
    mdp = bandit([1.0, 0.0, 0.0], (3,), 0.75)
    found = smoothness(mdp, policy_constants(LogLinearPolicy.tabular(1, (3,))))
    assert found.lipschitz == pytest.approx(np.sqrt(0.5) * 16 / 2)
    assert found.smooth == pytest.approx(16 / 2 + 0.75 * 0.5 * 64)
    assert found.smooth < 8 * 64
    common = constants.consensual(2)
    assert (common.first, common.second) == pytest.approx((1.0, 2.0))


def test_hessian_of_a_logistic_bandit() -> None:
    """J = sigma(x - y): second derivatives sigma'' (1, -1; -1, 1)."""
    problem = problem_with(bandit([1.0, 0.0], (2,)), LogLinearPolicy.tabular(1, (2,)))
    sigma = 1 / (1 + np.exp(-0.7))
    second = sigma * (1 - sigma) * (1 - 2 * sigma)
    expected = second * np.array([[1, -1], [-1, 1]])
    assert hessian(problem, np.array([[0.7, 0.0]])) == pytest.approx(expected, abs=1e-9)


def test_bounded_scores_give_constants_and_unbounded_ones_are_refused() -> None:
    constants = PolicyConstants.from_scores(1.0, 0.5)
    assert (constants.first, constants.second) == (1.0, 1.5)
    with pytest.raises(ValueError, match="score is nan"):
        PolicyConstants.from_scores(float("nan"), 1.0)
    policy, _ = NeuralPolicy.draw(2, (2,), width=2, depth=1, seed=0)
    with pytest.raises(TypeError, match="NeuralPolicy has no known bounds"):
        policy_constants(policy)
    with pytest.raises(ValueError, match="starts is 0"):
        check_smoothness(problem_with(bandit([1.0, 0.0], (2,)), LogLinearPolicy.tabular(1, (2,))), starts=0)
