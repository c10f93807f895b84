"""Property tests of the papers' assumptions: who meets what, on drawn problems, policies and schedules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mdp import CircularPolicy, LogLinearPolicy, NeuralPolicy, ReducedSoftmaxPolicy, exact, path_bound
from mdp.compatible import eps_bias
from mdp.features import Features
from mdp.fisher import fisher, log_linear_null_space, tabular_null_vectors
from mdp.mixing import NoMixingBoundError, tv_decay, uniform_mixing
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule
from mdp.optimal import J_star
from mdp.policy import Policy
from mdp.problem import Problem
from mdp.smoothness import policy_constants
from mdp.testing import mdps, problems, schedules
from verify.assumptions import CLASSES as TABLE_CLASSES
from verify.assumptions import policy_on
from verify.assumptions.objective import compatible_error, lipschitz_objective
from verify.assumptions.scores import fisher_floor, score_bound
from verify.assumptions.search import Setting

ACTIONS = 3
CLASSES = ("tabular softmax", "log-linear", "reduced softmax", "circular", "neural")
SEEDS = st.integers(0, 2**32 - 1)
SETTINGS = settings(max_examples=20, deadline=None)
"""Examples per property; ours: all classes together stay below ten seconds."""


def policy_of(name: str, n_states: int, n_agents: int, seed: int) -> Policy:
    n_actions, rng = (ACTIONS,) * n_agents, np.random.default_rng(seed)
    if name == "tabular softmax":
        return LogLinearPolicy.tabular(n_states, n_actions)
    if name == "log-linear":
        return LogLinearPolicy(tuple(rng.normal(size=(n_states, ACTIONS, 3)) for _ in n_actions), n_shared=1)
    if name == "reduced softmax":
        return ReducedSoftmaxPolicy(n_states, n_actions)
    if name == "circular":
        return CircularPolicy.tabular(n_states, n_actions).normalised()
    return NeuralPolicy.draw(n_states, n_actions, width=3, depth=2, seed=seed, logit_scale=0.4)[0]


def problem_of(mdp: FiniteMDP, policy: Policy) -> Problem:
    features = Features.tabular(mdp.n_states, mdp.n_joint_actions)
    return Problem(mdp, policy, features, Schedule.federated(mdp.n_agents, 1))


def score_norm(policy: Policy, theta: np.ndarray) -> float:
    """Largest norm of the joint score: blocks of different agents add in squares."""
    return float(np.sqrt(sum((g**2).sum(axis=2).max(axis=1) for g in policy.log_jacobian(theta)).max()))


@pytest.mark.parametrize("name", CLASSES)
@given(mdp=mdps(n_actions=[ACTIONS, ACTIONS], n_agents=2), seed=SEEDS, spread=st.sampled_from([0.1, 1.0, 5.0]))
@SETTINGS
def test_support_and_scores(name: str, mdp: FiniteMDP, seed: int, spread: float) -> None:
    """zhang2025 Assumption 5.2 (support), zeng2022 Assumption 5 (bounded score), 5.5 (score at most one)."""
    policy = policy_of(name, mdp.n_states, mdp.n_agents, seed)
    theta = spread * np.random.default_rng(seed).normal(size=(mdp.n_agents, policy.n_parameters))
    for table, score in zip(policy.probabilities(theta), policy.log_jacobian(theta), strict=True):
        assert (table > 0).all()
        assert np.abs((table[:, :, None] * score).sum(axis=1)).max() < 1e-10 * max(1.0, np.abs(score).max())
    if isinstance(policy, CircularPolicy):
        assert min(t.min() for t in policy.probabilities(theta)) >= policy.min_probability - 1e-12
        assert score_norm(policy, theta) <= 1 + 1e-12
    elif not isinstance(policy, NeuralPolicy):  # C1 is half the largest distance of two features of an agent
        assert score_norm(policy, theta) <= 2 * policy_constants(policy).first * np.sqrt(mdp.n_agents) + 1e-12


@pytest.mark.parametrize("name", CLASSES)
@given(mdp=mdps(n_actions=[ACTIONS], n_agents=1), seed=SEEDS)
@SETTINGS
def test_fisher_information(name: str, mdp: FiniteMDP, seed: int) -> None:
    """zhang2025 Assumption 5.5: bounded below for the circular class, singular or unbounded below for the others."""
    policy = policy_of(name, mdp.n_states, 1, seed)
    theta = np.random.default_rng(seed).normal(size=(1, policy.n_parameters))
    view = exact(problem_of(mdp, policy), theta)
    matrix = fisher(view)
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert eigenvalues[0] >= -1e-12 * max(1.0, eigenvalues[-1])
    if isinstance(policy, CircularPolicy):
        assert eigenvalues[0] >= policy.fisher_bound(float(view.visitation.min())) - 1e-14
    elif name == "tabular softmax":
        null = tabular_null_vectors(mdp.n_states, policy.n_actions).reshape(-1, matrix.shape[0])
        assert np.abs(null @ matrix).max() < 1e-12
    elif isinstance(policy, NeuralPolicy):
        null = policy.homogeneity_null_vectors(theta).reshape(-1, matrix.shape[0])
        assert np.abs(null @ matrix).max() < 1e-9 * max(1.0, np.abs(null).max() * eigenvalues[-1])
    else:  # far out along a ray the policy is nearly deterministic, and the information is gone
        far = fisher(exact(problem_of(mdp, policy), 40 * theta))
        assert np.linalg.eigvalsh(far)[0] <= max(eigenvalues[0], 1e-12)


@pytest.mark.parametrize("name", TABLE_CLASSES)
@given(problem=problems(n_agents=(1, 2), n_states=(1, 3), n_actions=[ACTIONS, ACTIONS]), seed=SEEDS)
@SETTINGS
def test_what_the_table_proves_holds_at_drawn_thetas(name: str, problem: Problem, seed: int) -> None:
    """Constants for every theta (Assumption 5; 5.5, 5.6, 5.8) are not exceeded at a theta that was not searched."""
    policy = policy_on(name, problem)
    assert not isinstance(policy, str)
    tried = Problem(problem.mdp, policy, problem.features, problem.schedule)
    setting, bound = Setting(tried, draws=1), score_bound(policy)
    theta = 2 * np.random.default_rng(seed).normal(size=(problem.mdp.n_agents, policy.n_parameters))
    view, reward = exact(tried, theta), float(np.abs(problem.mdp.r).max())
    assert bound is None or score_norm(policy, theta) <= bound * (1 + 1e-12) + 1e-12
    steepest = lipschitz_objective(setting)
    if steepest.met == "yes":
        assert steepest.value is not None
        assert np.linalg.norm(view.grad_J) <= steepest.value + 1e-9 * (1 + reward)
    floor, error = fisher_floor(setting), compatible_error(setting)
    if floor.met == "yes":
        assert floor.value is not None
        assert np.linalg.eigvalsh(fisher(view))[0] >= floor.value - 1e-14
    if error.value is not None and view.pi.min() > 1e-8:
        assert float(eps_bias(view, J_star(problem.mdp).occupancy)) <= error.value + 1e-6 * (1 + reward**2)


@given(problem=problems(), seed=SEEDS)
@SETTINGS
def test_uniform_mixing_holds_for_every_policy(problem: Problem, seed: int) -> None:
    """zeng2022 Assumption 6, zhang2025 Lemma 5.4: constants that no theta violates."""
    try:
        mixing = uniform_mixing(problem.mdp.P)
    except NoMixingBoundError:
        assume(False)
    theta = np.random.default_rng(seed).normal(size=(problem.mdp.n_agents, problem.policy.n_parameters))
    distance, _ = tv_decay(exact(problem, theta).P_pi, 30)
    assert all(distance[t] <= mixing.bound(t) + 1e-12 for t in range(len(distance)))


@given(problem=problems())
@SETTINGS
def test_rewards_and_features_are_bounded(problem: Problem) -> None:
    """zeng2022 Assumptions 3-4, zhang2025 Assumption 5.3 (after an affine change of the reward)."""
    features = problem.features
    assert np.isfinite(problem.mdp.r).all()
    for table in (features.phi_state, features.phi_joint.reshape(-1, features.phi_joint.shape[-1])):
        assert np.linalg.norm(table, axis=1).max() <= 1 + 1e-12
        assert np.linalg.matrix_rank(table) == table.shape[1]


@given(data=st.data(), n_agents=st.integers(2, 5))
@SETTINGS
def test_schedules_meet_the_consensus_assumptions(data: st.DataObject, n_agents: int) -> None:
    """zeng2022 Assumptions 1-2, zhang2025 Assumption 5.1, and what follows: contraction over a period."""
    schedule = data.draw(schedules(n_agents))
    for W in schedule.matrices:
        assert W.sum(axis=0) == pytest.approx(np.ones(n_agents), abs=1e-12)
        assert W.sum(axis=1) == pytest.approx(np.ones(n_agents), abs=1e-12)
        assert (np.diag(W) >= schedule.min_weight).all()
    assert schedule.contraction <= path_bound(n_agents, schedule.min_weight) + 1e-12


def test_log_linear_singularity_does_not_depend_on_theta() -> None:
    """Tabular features leave one idle direction per state; generic ones leave none."""
    tabular, generic = policy_of("tabular softmax", 3, 1, 0), policy_of("log-linear", 3, 1, 0)
    assert isinstance(tabular, LogLinearPolicy)
    assert isinstance(generic, LogLinearPolicy)
    assert log_linear_null_space(tabular.psi[0]).shape[-1] >= 3 or len(log_linear_null_space(tabular.psi[0])) >= 3
    assert log_linear_null_space(generic.psi[0]).size == 0
