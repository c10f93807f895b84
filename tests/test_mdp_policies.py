"""Policy classes: scores against complex steps, proven constants against what is found, exact rational twins."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from mdp import Features, FiniteMDP, LogLinearPolicy, Policy, Problem, RationalPoint, Schedule, exact, full_average
from mdp.compatible import joint_scores
from mdp.families import random_problem, random_rational_point
from mdp.fisher import (
    consensual_map,
    fisher,
    fisher_blocks,
    fisher_consensual,
    log_linear_null_space,
    spectrum,
    tabular_null_vectors,
)
from mdp.linear import rational_array, to_float
from mdp.policies import CircularPolicy, NeuralPolicy, ReducedSoftmaxPolicy

SEEDS = st.integers(0, 2**32 - 1)
Built = tuple[Any, np.ndarray]


def neural(**options: Any) -> Callable[[np.random.Generator], Built]:
    return lambda rng: NeuralPolicy.draw(3, (3, 3), width=4, seed=rng, logit_scale=0.2, **{"depth": 3, **options})


def circular_features(rng: np.random.Generator) -> Built:
    policy = CircularPolicy((3, 5), tuple(rng.normal(size=(2, 4, 3))), 0.7, 1.3, n_shared=1)
    return policy, rng.normal(size=(2, 3))


CLASSES: dict[str, Callable[[np.random.Generator], Built]] = {
    "reduced": lambda rng: (ReducedSoftmaxPolicy(3, (3, 3)), rng.normal(size=(2, 6))),
    "reduced-two-actions": lambda rng: (ReducedSoftmaxPolicy(2, (2, 2, 2), shared=True), rng.normal(size=(3, 2))),
    "circular": lambda rng: (CircularPolicy.tabular(4, (3, 4), radius=0.9), rng.normal(size=(2, 4))),
    "circular-features": circular_features,
    "neural": neural(),
    "neural-all": neural(trainable="all"),
    "neural-action-input": neural(head="action-input", depth=1),
    "neural-action-input-all": neural(head="action-input", trainable="all", depth=2),
}


@pytest.fixture(params=CLASSES.values(), ids=CLASSES.keys())
def built(request: pytest.FixtureRequest, rng: np.random.Generator) -> Built:
    return request.param(rng)


def complex_table(policy: Any, agent: int, row: np.ndarray) -> np.ndarray:
    if isinstance(policy, ReducedSoftmaxPolicy):
        return policy._table(row)
    if isinstance(policy, CircularPolicy):
        return policy._table(agent, row)
    weights = np.exp(policy._logits(agent, row))
    return weights / weights.sum(axis=1, keepdims=True)


def problem_with(policy: Policy, rng: np.random.Generator, gamma: float = 0.8) -> Problem:
    S, A, N = policy.n_states, prod(policy.n_actions), len(policy.n_actions)
    mdp = FiniteMDP(
        rng.dirichlet(np.ones(S), size=(S, A)), rng.uniform(-1, 1, (N, S, A)), np.full(S, 1 / S), gamma,
        policy.n_actions,
    )
    features = Features(np.eye(S), np.full((S, A, 1), 0.5))
    return Problem(mdp, policy, features, Schedule.static(full_average(N)))


def test_tables_are_probabilities_and_scores_have_mean_zero(built: Built) -> None:
    policy, theta = built
    assert isinstance(policy, Policy)
    assert theta.shape == (len(policy.n_actions), policy.n_parameters)
    for width, table, score in zip(
        policy.n_actions, policy.probabilities(theta), policy.log_jacobian(theta), strict=True
    ):
        assert table.shape == (policy.n_states, width)
        assert score.shape == (policy.n_states, width, policy.n_parameters)
        assert table.sum(axis=1) == pytest.approx(1, abs=1e-14)
        assert (table > 0).all()
        assert np.abs((table[:, :, None] * score).sum(axis=1)).max() < 1e-13


def test_log_jacobian_matches_complex_steps(built: Built) -> None:
    policy, theta = built
    step = 1e-30
    for i, score in enumerate(policy.log_jacobian(theta)):
        table = policy.probabilities(theta)[i]
        for k in range(policy.n_parameters):
            row = theta[i].astype(complex)
            row[k] += 1j * step
            derivative = complex_table(policy, i, row).imag / step / table
            assert derivative == pytest.approx(score[:, :, k], abs=1e-12)


def test_log_jacobian_matches_differences_of_public_probabilities(built: Built) -> None:
    policy, theta = built
    direction = np.random.default_rng(3).normal(size=theta.shape)
    step = 1e-5
    up, down = policy.probabilities(theta + step * direction), policy.probabilities(theta - step * direction)
    for i, score in enumerate(policy.log_jacobian(theta)):
        assert (np.log(up[i]) - np.log(down[i])) / (2 * step) == pytest.approx(score @ direction[i], abs=2e-7)


def test_gradient_of_J_agrees_on_every_class(built: Built, rng: np.random.Generator) -> None:
    policy, theta = built
    view = exact(problem_with(policy, rng), theta)
    assert np.abs(view.grad_J - view.grad_J_by_solve).max() < 1e-11


# --- circular -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("radius", [1e-4, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("actions", [3, 4, 5, 8])
def test_circular_angle_constants_are_proved_and_attained(actions: int, radius: float) -> None:
    policy = CircularPolicy.tabular(1, (actions,), radius=radius)
    low, high = policy.angle_information(0)
    # extremes lie where cos(A t) is 1 or -1: both are on this grid; the score's is where cos t = -c
    extra = [np.arccos(-radius)]
    found = []
    score_norms = []
    for t in [*np.linspace(0, 2 * np.pi, 8 * actions + 1), *extra]:
        theta = np.array([[t]])
        table, score = policy.probabilities(theta)[0], policy.log_jacobian(theta)[0]
        found.append(float((table * score[:, :, 0] ** 2).sum()))
        score_norms.append(np.abs(score).max())
        w, z = np.sqrt(1 - radius**2), (-radius / (1 + np.sqrt(1 - radius**2))) ** actions
        closed = 1 - w * (1 - z**2) / (1 - 2 * z * np.cos(actions * t) + z**2)
        assert found[-1] == pytest.approx(closed, rel=1e-9, abs=1e-15)
    assert min(found) == pytest.approx(low, rel=1e-9)
    assert max(found) == pytest.approx(high, rel=1e-9)
    assert low >= radius**2 / (2 * (1 + radius)) * (1 - 1e-12)
    assert max(score_norms) == pytest.approx(policy.score_bound(), rel=1e-12)


@given(SEEDS, st.booleans(), st.floats(0.05, 0.95))
@settings(max_examples=40, deadline=None)
def test_circular_bounds_hold_for_every_theta(seed: int, consensual: bool, radius: float) -> None:
    rng = np.random.default_rng(seed)
    policy = CircularPolicy((3, 4), tuple(rng.normal(size=(2, 3, 2))), radius, n_shared=1)
    policy = policy.normalised(consensual=consensual)
    assert policy.score_bound(consensual=consensual) == pytest.approx(1, rel=1e-12)
    problem = problem_with(policy, rng)
    view = exact(problem, rng.normal(scale=10, size=(2, 2)))
    scores, information = joint_scores(view), fisher(view)
    if consensual:
        scores, information = scores @ consensual_map(2, 2, 1), fisher_consensual(view, 1)
    assert np.linalg.norm(scores, axis=-1).max() <= 1 + 1e-12
    floor = policy.fisher_bound((1 - view.gamma) / 3)
    assert floor > 0
    assert np.linalg.eigvalsh(information)[0] >= floor * (1 - 1e-9)
    assert min(t.min() for t in view.tables) >= policy.min_probability - 1e-15


def test_circular_fisher_bound_is_attained(rng: np.random.Generator) -> None:
    """One state: the law is one, and the bound is the least information of the angle, at t = 0 or pi / A."""
    policy = CircularPolicy.tabular(1, (3, 4), radius=0.8)
    problem = problem_with(policy, rng)
    least = min(
        float(np.linalg.eigvalsh(fisher(exact(problem, np.array([[t], [u]]))))[0])
        for t in (0.0, np.pi / 3) for u in (0.0, np.pi / 4)
    )
    assert least == pytest.approx(policy.fisher_bound(1.0), rel=1e-12)


def test_a_circle_through_two_actions_would_be_degenerate() -> None:
    """Why three actions: (1 + c cos t)/2 has no information at t = 0."""
    with pytest.raises(ValueError, match="three actions"):
        CircularPolicy.tabular(2, (3, 2))
    radius, w = 0.6, 0.8
    z = (radius / (1 + w)) ** 2
    assert 1 - w * (1 + z) / (1 - z) == pytest.approx(0, abs=1e-15)


# --- reduced softmax ----------------------------------------------------------------------------------------
def test_reduced_softmax_is_identifiable(rng: np.random.Generator) -> None:
    policy = ReducedSoftmaxPolicy(3, (4, 4))
    theta = rng.normal(size=(2, 9))
    assert policy.theta_of(policy.probabilities(theta)) == pytest.approx(theta, abs=1e-13)
    log_linear = LogLinearPolicy(policy.psi)
    for ours, theirs in zip(policy.log_jacobian(theta), log_linear.log_jacobian(theta), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-15)


def test_reduced_softmax_information_has_the_stated_determinant_exactly() -> None:
    p = [fmpq(1, 2), fmpq(1, 3), fmpq(1, 6)]
    point = RationalPoint(
        P=[[[1], [1], [1]]], r=[[[0, 1, 2]]], initial=[1], gamma=fmpq(1, 2), tables=([p],),
        psi=ReducedSoftmaxPolicy(1, (3,)).psi, phi_state=[[1]], phi_joint=[[[1], [1], [1]]],
    )
    F = fisher(point.exact())
    assert fmpq_mat(2, 2, list(F.ravel())).det() == p[0] * p[1] * p[2]
    assert not spectrum(F).singular
    inverse = fmpq_mat(2, 2, list(F.ravel())).inv()
    assert inverse == fmpq_mat(2, 2, [1 / p[0] + 1 / p[2], 1 / p[2], 1 / p[2], 1 / p[1] + 1 / p[2]])


@given(SEEDS, st.floats(0.1, 6))
@settings(max_examples=40, deadline=None)
def test_reduced_softmax_fisher_bound(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    policy = ReducedSoftmaxPolicy(2, (3, 3))
    view = exact(problem_with(policy, rng), rng.normal(scale=spread, size=(2, 4)))
    theta = policy.theta_of(list(view.tables))
    bound = policy.fisher_bound(theta, view.visitation)
    least = float(np.linalg.eigvalsh(fisher(view))[0])
    assert 0 < bound <= least + 1e-15
    assert least <= 2 * bound + 1e-15  # blocks of order two: the trace of an inverse is at most twice its norm


@pytest.mark.parametrize("corner", [0, 1, 2])
def test_reduced_softmax_is_not_uniformly_nondegenerate(corner: int, rng: np.random.Generator) -> None:
    policy = ReducedSoftmaxPolicy(1, (3,))
    problem = problem_with(policy, rng)
    direction = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])[corner]
    least = [float(np.linalg.eigvalsh(fisher(exact(problem, scale * direction[None])))[0]) for scale in (0, 5, 10, 20)]
    assert all(value > 0 for value in least)
    assert all(b < a / 10 for a, b in pairwise(least))


# --- Fisher information -------------------------------------------------------------------------------------
def brute_force_fisher(view: Any, law: Any) -> np.ndarray:
    weight = (view.law(law)[:, None] * view.pi).ravel()
    flat = joint_scores(view).reshape(len(weight), -1)
    return sum(w * np.outer(x, x) for w, x in zip(weight, flat, strict=True))


@pytest.mark.parametrize("law", ["visitation", "stationary"])
def test_fisher_is_block_diagonal_over_agents(law: Any, rng: np.random.Generator) -> None:
    problem, theta = random_problem(rng, n_agents=3)
    view = exact(problem, theta)
    full = brute_force_fisher(view, law)
    assert fisher(view, law) == pytest.approx(full, abs=1e-14)
    C = consensual_map(3, 3, 1)
    assert fisher_consensual(view, 1, law) == pytest.approx(C.T @ full @ C, abs=1e-13)
    assert fisher_consensual(view, 1, law)[0, 0] == pytest.approx(fisher_blocks(view, law)[:, 0, 0].sum())
    assert np.linalg.eigvalsh(fisher_consensual(view, 1, law))[0] >= np.linalg.eigvalsh(full)[0] - 1e-15


def test_rational_fisher_is_the_brute_force_sum_exactly() -> None:
    point = random_rational_point(np.random.default_rng(8))
    view = point.exact()
    F = fisher(view)
    assert (brute_force_fisher(view, "visitation") == F).all()
    certified, floats = spectrum(F), spectrum(fisher(point.to_floats()))
    assert (certified.rank, certified.least) == (floats.rank, 0.0)
    assert not (F @ certified.null != 0).any()
    assert certified.largest == pytest.approx(floats.largest, rel=1e-12)
    assert np.abs(to_float(F) @ floats.null).max() < 1e-12


@pytest.mark.parametrize("shared", [False, True], ids=["personal", "shared"])
def test_tabular_softmax_is_always_singular(shared: bool, rng: np.random.Generator) -> None:
    policy = LogLinearPolicy.tabular(3, (2, 2), shared=shared)
    view = exact(problem_with(policy, rng), rng.normal(scale=3, size=(2, 6)))
    vectors = tabular_null_vectors(3, (2, 2)).reshape(6, -1)
    assert np.abs(joint_scores(view) @ vectors.T).max() < 1e-15
    assert spectrum(fisher(view)).rank == 6
    assert spectrum(fisher_consensual(view, policy.n_shared)).rank == (3 if shared else 6)


def test_log_linear_null_space_does_not_depend_on_theta(rng: np.random.Generator) -> None:
    psi = rng.normal(size=(2, 3, 5))
    psi[:, :, 4] = 2 * psi[:, :, 1] + np.array([[3.0], [-1.0]])  # differs from a multiple by a function of the state
    null = log_linear_null_space(psi)
    assert null.shape == (5, 1)
    assert null[:, 0] / null[4, 0] == pytest.approx([0, -2, 0, 0, 1], abs=1e-12)
    policy = LogLinearPolicy((psi,))
    for scale in (0.1, 1.0, 3.0):
        found = spectrum(fisher(exact(problem_with(policy, rng), scale * rng.normal(size=(1, 5)))))
        assert found.null.shape == (5, 1)
        assert np.abs(np.abs(found.null[:, 0] @ null[:, 0]) - 1) < 1e-8
    integers = np.rint(3 * psi)
    integers[:, :, 4] = integers[:, :, 0]
    exact_null = log_linear_null_space(rational_array(integers))
    assert list(exact_null[:, 0]) == [fmpq(-1), 0, 0, 0, 1]


# --- neural -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("head", "trainable", "count"),
    [("per-action", "W", 3 * 16), ("per-action", "all", 4 * (12 + 2 + 3)), ("action-input", "all", 4 * (12 + 6 + 1))],
)
def test_neural_parameter_counts(head: Any, trainable: Any, count: int) -> None:
    policy, theta = NeuralPolicy.draw(2, (3,), width=4, depth=3, seed=0, head=head, trainable=trainable)
    assert policy.n_parameters == theta.shape[1] == count
    d = 2 if head == "per-action" else 6
    assert policy.paper_dimension == 4 * (3 * 4 + d + 1)
    assert (count == policy.paper_dimension) == (head == "action-input")


@pytest.mark.parametrize("head", ["per-action", "action-input"])
def test_neural_euler_identity_and_null_vectors(head: Any, rng: np.random.Generator) -> None:
    """Logits have degree one in each layer, so theta . d logits / d theta = depth times the logits."""
    policy, theta = NeuralPolicy.draw(3, (3, 3), width=5, depth=3, seed=4, head=head, logit_scale=0.2)
    for i in range(2):
        logits = policy._logits(i, theta[i])
        assert policy.logit_jacobian(i, theta[i]) @ theta[i] == pytest.approx(3 * logits, rel=1e-12)
    view = exact(problem_with(policy, rng), theta)
    null = policy.homogeneity_null_vectors(theta)
    assert null.shape == (4, 2, 75)
    assert np.linalg.norm(null.reshape(4, -1), axis=1).min() > 1
    assert np.abs(joint_scores(view) @ null.reshape(4, -1).T).max() < 1e-12
    assert spectrum(fisher(view)).rank <= 2 * 3 * 2  # at most S (A_i - 1) per agent


def test_neural_logits_have_variance_twice_the_width() -> None:
    """The printed initialisation: a softmax of logits with standard deviation sqrt(2 m)."""
    width, draws = 16, 600
    logits = []
    for seed in range(draws):
        policy, theta = NeuralPolicy.draw(1, (2,), width=width, depth=2, seed=seed)
        logits.append(policy._logits(0, theta[0])[0, 0])
    # fourth moments: given x_D the logit is Gaussian with variance |x_D|^2, itself spread by about 4/sqrt(width)
    assert np.mean(np.square(logits)) == pytest.approx(2 * width, rel=0.35)
    assert abs(np.mean(logits)) < 4 * np.sqrt(2 * width / draws)


def test_neural_forward_pass_by_hand() -> None:
    """m = 2, D = 1, one state: x0 = (3, -1), W x0 = (2, -4), x1 = (2, 0)/sqrt 2, logits (sqrt 2, 2 sqrt 2)."""
    policy = NeuralPolicy(
        (np.ones((1, 1)),), (2,), (np.array([[3.0], [-1.0]]),), (np.array([[1.0, 5.0], [2.0, 7.0]]),), depth=1
    )
    table = policy.probabilities(np.array([[1.0, 1.0, -1.0, 1.0]]))[0]
    assert table[0, 1] / table[0, 0] == pytest.approx(np.exp(np.sqrt(2)), rel=1e-14)
    score = policy.log_jacobian(np.array([[1.0, 1.0, -1.0, 1.0]]))[0]
    # d logit_a / d W[0, :] = b_a[0] x0 / sqrt 2, nothing for the sleeping unit
    assert score[0, 1] == pytest.approx(table[0, 0] * np.array([3.0, -1.0, 0.0, 0.0]) / np.sqrt(2), abs=1e-14)


# --- bad input ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ReducedSoftmaxPolicy(2, (2, 3)), "equal action counts"),
        (lambda: ReducedSoftmaxPolicy(2, ()), "at least one agent"),
        (lambda: ReducedSoftmaxPolicy(2, (1,)), "nothing to parameterise"),
        (lambda: ReducedSoftmaxPolicy(0, (2,)), "n_states is 0"),
        (lambda: ReducedSoftmaxPolicy(2, (2,)).probabilities(np.zeros((1, 3))), r"theta has shape \(1, 3\)"),
        (lambda: ReducedSoftmaxPolicy(2, (2,)).log_jacobian(np.array([[0, np.nan]])), r"theta\[0, 1\] is nan"),
        (lambda: ReducedSoftmaxPolicy(1, (2,)).theta_of([np.array([[0.0, 1.0]])]), "probability 0"),
        (lambda: CircularPolicy.tabular(2, (3,), radius=1.0), "radius is 1.0"),
        (lambda: CircularPolicy((3,), (np.eye(2), np.eye(2))), "2 tables for 1 agents"),
        (lambda: CircularPolicy((3, 3), (np.eye(2), np.eye(3))), r"features\[1\] has shape \(3, 3\)"),
        (lambda: CircularPolicy((3,), (np.eye(2),), scale=0.0), "scale is 0.0"),
        (lambda: CircularPolicy((3,), (np.eye(2),), n_shared=3), "n_shared is 3"),
        (lambda: CircularPolicy.tabular(2, (3,)).fisher_bound(2.0), "min_state_probability is 2.0"),
        (lambda: NeuralPolicy.draw(2, (2,), width=3, depth=0, seed=0), "depth 0"),
        (lambda: NeuralPolicy.draw(2, (2,), width=3, depth=1, seed=0, head="x"), "head is 'x'"),  # type: ignore[arg-type]
        (lambda: NeuralPolicy.draw(2, (2,), width=3, depth=1, seed=0, trainable="b"), "trainable"),  # type: ignore[arg-type]
        (lambda: NeuralPolicy.draw(2, (2, 3), width=3, depth=1, seed=0, trainable="all"), "agent 1 has"),
        (lambda: NeuralPolicy((2 * np.eye(2),), (2,), (np.eye(2),), (np.eye(2),), 1), r"inputs\[0\]\[0\] has norm 2"),
        (lambda: NeuralPolicy((np.eye(2),), (2,), (np.eye(2),), (np.eye(3),), 1), r"b\[0\] has shape \(3, 3\)"),
        (lambda: consensual_map(2, 3, 4), "n_shared is 4"),
        (lambda: tabular_null_vectors(2, (2, 3)), "equal action counts"),
    ],
)
def test_bad_input_is_named(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
