"""Enclosures from theta for every policy class: floats inside, scores against differences at 400 bits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx, fmpq

from mdp import CircularPolicy, LogLinearPolicy, NeuralPolicy, Problem, ReducedSoftmaxPolicy, exact
from mdp.certify import certificate_from_theta
from mdp.compatible import policy_occupancy
from mdp.enclose import ENCLOSED, enclose, policy_balls
from mdp.enclose.policies import independent_columns
from mdp.families import random_problem
from mdp.linear import rational_array
from mdp.policy import Policy
from mdp.rational import RationalPoint

WIDTH = 3
CLASSES = (
    "log-linear", "reduced", "circular", "circular-scaled", "neural-1", "neural-2", "neural-all", "neural-pairs",
    "neural-pairs-all",
)  # fmt: skip


def policy_and_theta(name: str, n_states: int = 3, n_agents: int = 2) -> tuple[Policy, np.ndarray]:
    """A policy of the class with three actions for each agent, and a theta away from kinks."""
    rng, n_actions = np.random.default_rng(17), (3,) * n_agents
    policy: Policy
    if name == "log-linear":
        policy = LogLinearPolicy(tuple(rng.normal(size=(n_states, 3, 4)) for _ in n_actions), n_shared=1)
    elif name == "reduced":
        policy = ReducedSoftmaxPolicy(n_states, n_actions)
    elif name == "circular":
        policy = CircularPolicy.tabular(n_states, n_actions, radius=0.7)
    elif name == "circular-scaled":
        features = tuple(rng.normal(size=(n_states, 2)) for _ in n_actions)
        policy = CircularPolicy(n_actions, features, radius=0.3).normalised()
    else:
        depth, pairs, everything = int(name == "neural-2") + 1, "pairs" in name, "all" in name
        return NeuralPolicy.draw(
            n_states, n_actions, width=WIDTH, depth=depth, seed=5, logit_scale=0.3,
            head="action-input" if pairs else "per-action", trainable="all" if everything else "W",
        )  # fmt: skip
    return policy, rng.normal(size=(n_agents, policy.n_parameters))


def problem_with(name: str, seed: int = 0) -> tuple[Problem, np.ndarray]:
    for k in range(seed, seed + 100):  # the first random problem with three actions for both agents
        problem, _ = random_problem(np.random.default_rng(k), n_states=3, n_agents=2, gamma=0.9)
        if problem.mdp.n_actions == (3, 3):
            policy, theta = policy_and_theta(name)
            return Problem(problem.mdp, policy, problem.features, problem.schedule), theta
    raise AssertionError("no such problem")


@pytest.mark.parametrize("name", CLASSES)
def test_floats_are_close_and_precision_narrows(name: str) -> None:
    problem, theta = problem_with(name)
    view = exact(problem, theta)
    coarse, fine = (enclose(problem, theta, precision=bits) for bits in (80, 160))
    with ctx.workprec(200):
        for i, table in enumerate(view.tables):
            for floats, wide, narrow in (
                (table, coarse.tables[i], fine.tables[i]),
                (view.scores[i], coarse.scores[i], fine.scores[i]),
            ):
                balls = list(zip(wide.ravel(), narrow.ravel(), strict=True))
                assert all(arb(x).contains(arb(y)) and arb(y).rad() < 1e-35 for x, y in balls)
                assert all(abs(arb(y) - arb(float(x))) < 1e-13 for x, (_, y) in zip(floats.ravel(), balls, strict=True))
            assert all((1 - sum(row)).contains(0) for row in fine.tables[i])
    for quantity in ("V", "grad_J", "stationary", "omega_td"):
        proof = certificate_from_theta(problem, theta, quantity)
        assert proof.value_error < 1e-11, quantity
        assert (proof.entry_error <= fine.distance(quantity, getattr(view, quantity)) + 1e-30).all(), quantity


@pytest.mark.parametrize("name", CLASSES)
def test_scores_are_derivatives(name: str) -> None:
    """Central differences of log pi with step 2^-100 at 400 bits err by about 2^-200."""
    policy, theta = policy_and_theta(name)
    base, step = rational_array(theta), fmpq(1, 2**100)
    scores = policy_balls(policy, base, 400).scores
    with ctx.workprec(400):
        for i, k in ((0, 0), (0, policy.n_parameters - 1), (1, policy.n_parameters // 2)):
            shift = base * 0
            shift[i, k] = step
            up, down = (policy_balls(policy, base + sign * shift, 400).tables[i] for sign in (1, -1))
            for index in np.ndindex(up.shape):
                difference = (up[index].log() - down[index].log()) / (2 * arb(step))
                assert abs(difference - scores[i][(*index, k)]) < 1e-55, (i, k, index)
                assert not abs(difference - scores[i][(*index, k)] - arb("1e-50")) < 1e-55


@pytest.mark.parametrize("name", CLASSES)
def test_directions_span_the_scores(name: str) -> None:
    """The exact rank of the directions is the numerical rank of the scores; null vectors kill every score."""
    policy, theta = policy_and_theta(name)
    found = policy_balls(policy, theta, 128)
    for directions, score in zip(found.directions, policy.log_jacobian(theta), strict=True):
        D = score.shape[2]
        columns = independent_columns(directions.reshape(-1, D))
        assert len(columns) == np.linalg.matrix_rank(score.reshape(-1, D), tol=1e-10)
        assert np.linalg.matrix_rank(score.reshape(-1, D)[:, columns], tol=1e-10) == len(columns)


@pytest.mark.parametrize("name", CLASSES)
def test_compatible_error_from_theta(name: str) -> None:
    """The exact rank also where the class is degenerate: reduced softmax is not, a deep network always is."""
    problem, theta = problem_with(name)
    occupancy = policy_occupancy(exact(problem, theta))[::-1].copy()
    proof = certificate_from_theta(problem, theta, "eps_bias", occupancy=occupancy)
    assert proof.value_error < 1e-9 * max(1.0, float(proof.high))
    wrong = certificate_from_theta(
        problem, theta, "eps_bias", occupancy=occupancy, values=float(proof.low) + 1e-6
    )
    assert wrong.value_error > 0.9e-6


def test_circular_policy_against_a_closed_form() -> None:
    """Angle pi / 3 needs pi, so a rational angle: t = 1/2, three actions, c = 1/2, digits by the cosine series."""
    policy = CircularPolicy.tabular(1, (3,), radius=0.5)
    table = policy_balls(policy, [[Fraction(1, 2)]], 200).tables[0]
    series, term = Fraction(0), Fraction(1)
    for n in range(1, 40):
        series += term
        term *= Fraction(-1, 4) / ((2 * n - 1) * (2 * n))
    expected = fmpq(series.numerator, series.denominator)
    with ctx.workprec(200):
        assert abs(table[0, 0] - (1 + arb(expected) / 2) / 3) < 1e-55
        assert not abs(table[0, 1] - (1 + arb(expected) / 2) / 3) < 1e-3


def test_reduced_softmax_at_rational_odds() -> None:
    """At theta = 0 probabilities are 1/3, and every quantity is that of the rational point."""
    problem, theta = problem_with("reduced")
    mdp, features = problem.mdp, problem.features
    third = fmpq(1, 3)
    enclosed = enclose(problem, 0 * theta)
    kernel = rational_array(mdp.P)
    kernel[:, :, 0] += 1 - kernel.sum(axis=2)  # exact rows; the difference is the rounding of the float rows
    start = rational_array(mdp.initial)
    start[0] += 1 - start.sum()
    point = RationalPoint(
        kernel, mdp.r, start, mdp.gamma, [[[third] * 3] * 3] * 2,
        problem.policy.psi, features.phi_state, features.phi_joint,  # type: ignore[attr-defined]
    ).exact()  # fmt: skip
    with ctx.workprec(200):
        for name in ENCLOSED:
            exactly = np.asarray(getattr(point, name), dtype=object).ravel()
            pairs = zip(enclosed.value(name).ravel(), exactly, strict=True)
            assert all(abs(x - arb(y)) < 1e-12 for x, y in pairs), name
        assert all(x.contains(arb(third)) for table in enclosed.tables for x in table.ravel())


def test_a_kink_is_decided_exactly() -> None:
    """Unit 0 is exactly at its kink: no score; a hair above, the full one."""
    one, zero = np.ones((1, 1)), np.zeros((1, 1))
    policy = NeuralPolicy((np.ones((1, 1)),), (2,), (one,), (np.array([[1.0], [-1.0]]),), 1)
    at, above = (policy_balls(policy, [[value]], 128).scores[0] for value in (0, Fraction(1, 10**40)))
    assert policy.log_jacobian(zero)[0][0, 0, 0] == 0
    with ctx.workprec(128):
        assert all(arb(x).is_zero() for x in at.ravel())
        assert abs(above[0, 0, 0] - 1) < 1e-30


def test_other_policies_are_refused() -> None:
    class Other:
        n_states, n_actions, n_shared, n_parameters = 1, (2,), 0, 1

    with pytest.raises(TypeError, match="the policy is Other"):
        policy_balls(Other(), [[0]], 64)  # type: ignore[arg-type]
    problem, _ = problem_with("circular")
    with pytest.raises(ValueError, match=r"theta has shape \(1, 1\)"):
        enclose(problem, [[0]])
