"""Exact moments of batch, gossip and critic, and the proof of zhang2025 Theorem 5.10 along a run."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from algorithms.neural import (
    PRINTED,
    READINGS,
    CriticNetwork,
    Oracles,
    Reading,
    Steps,
    actor_critic,
    expected_direction,
)
from algorithms.neural.critic_moments import averaged_td
from algorithms.neural.decomposition import decompose, lipschitz_on_ball
from algorithms.neural.oracles import BatchLaw, batch_law, pair_chain, signals
from algorithms.neural.proof_lines import Decomposition, Line, dataset
from mdp.chain import stationary_law
from mdp.exact import exact
from mdp.families import random_problem
from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks import Schedule, full_average
from mdp.policies import CircularPolicy
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem
from verify.experiments.terms.figure import terms_figure
from verify.experiments.terms.runs import (
    all_terms,
    local_slopes,
    parity_team,
    term_1,
    term_4,
    term_4_agents,
    term_5,
    term_5_weights,
    term_7,
)
from verify.experiments.valley import Valley, descend
from verify.zhang2025.proof.linear_td import LinearTD, averaged_error

GOSSIP = np.array([[0.75, 0.25], [0.25, 0.75]])


def chain(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    P = np.random.default_rng(seed).dirichlet(np.ones(3), size=3)
    return P, stationary_law(P)


def weighted_paths(P: np.ndarray, law: np.ndarray, length: int) -> list[tuple[float, list[tuple[int, int]]]]:
    """Every path of `length` transitions with its probability: the slow route."""
    found = []
    for path in itertools.product(range(len(law)), repeat=length + 1):
        steps = list(itertools.pairwise(path))
        found.append((float(law[path[0]] * np.prod([P[i, j] for i, j in steps])), steps))
    return found


def circle_problem(n_states: int = 2, gamma: float = 0.5) -> Problem:
    rng = np.random.default_rng(3)
    S, A = n_states, 9
    mdp = FiniteMDP(
        rng.dirichlet(np.ones(S), size=(S, A)), rng.uniform(0, 1, (2, S, A)), rng.dirichlet(np.ones(S)), gamma, (3, 3)
    )
    policy = CircularPolicy.tabular(S, (3, 3), radius=0.5).normalised()
    features = Features(np.eye(S), np.eye(S * A).reshape(S, A, -1))
    return Problem(mdp, policy, features, Schedule.static(GOSSIP))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_batch_moments_are_sums_over_paths(size: int) -> None:
    P, law = chain()
    x = np.random.default_rng(1).normal(size=(3, 3, 2))
    batch = BatchLaw(P, law, x)
    target = np.array([0.3, -0.2])
    square = largest = 0.0
    for weight, steps in weighted_paths(P, law, size):
        square += weight * float(((np.mean([x[i, j] for i, j in steps], axis=0) - target) ** 2).sum())
        largest += weight * max(x[i, j, 0] for i, j in steps)
    assert batch.mean_square(size, target) == pytest.approx(square, abs=1e-13)
    assert batch.expected_maximum(x[:, :, 0], size) == pytest.approx(largest, abs=1e-13)


def test_batch_variance_tends_to_its_limit_over_m() -> None:
    P, law = chain(2)
    batch = BatchLaw(P, law, np.random.default_rng(4).normal(size=(3, 3, 1)))
    errors = [abs(M * batch.variance(M) - batch.limit()) for M in (10**3, 10**5)]
    assert errors[0] < 1e-2
    assert errors[1] == pytest.approx(errors[0] / 100, rel=0.01)  # the correction is of order 1/M
    assert batch.autocovariance(0) > 0


@pytest.mark.parametrize("name", READINGS)
def test_batch_mean_is_the_expected_direction(name: str) -> None:
    reading = READINGS[name]
    problem, theta = random_problem(np.random.default_rng(5))
    view, restart = exact(problem, theta), exact(replace(problem, mdp=problem.mdp.restart()), theta)
    N = len(theta)
    values = np.random.default_rng(6).normal(size=(N, *view.pi.shape))
    mixing = full_average(N)
    law = batch_law(signals(values, view, restart, reading), view, restart, reading, mixing)
    expected = expected_direction(values, view, restart, reading, mixing)
    assert np.abs(law.mean.reshape(expected.shape) - expected).max() < 1e-12
    kernel, weights = pair_chain(view, restart, reading)
    assert np.abs(weights @ kernel - weights).max() < 1e-12


def test_readings_with_two_successors_are_refused() -> None:
    problem, theta = random_problem(np.random.default_rng(5))
    view = exact(problem, theta)
    values = np.zeros((len(theta), *view.pi.shape))
    with pytest.raises(ValueError, match="successor apart"):
        signals(values, view, view, Reading(target_kernel="original"))


@pytest.mark.parametrize("markovian", [True, False])
def test_critic_moments_are_sums_over_samples(markovian: bool) -> None:
    P, law = chain()
    rng = np.random.default_rng(7)
    phi, rewards, start, K, gamma = rng.uniform(-1, 1, (3, 2)), rng.uniform(size=3), np.array([0.3, -0.2]), 3, 0.9
    found = averaged_td(phi, P, rewards, gamma, K, start, markovian=markovian)
    star = np.linalg.solve(phi.T @ (law[:, None] * (phi - gamma * P @ phi)), phi.T @ (law * rewards))
    if markovian:
        samples = weighted_paths(P, law, K)
    else:
        pairs = [(i, j) for i in range(3) for j in range(3)]
        samples = [
            (float(np.prod([law[i] * P[i, j] for i, j in steps])), list(steps))
            for steps in itertools.product(pairs, repeat=K)
        ]
    mean, second = np.zeros(2), np.zeros((2, 2))
    for weight, steps in samples:
        W = start.copy()
        average = W.copy()
        for k, (i, j) in enumerate(steps):
            W = W - K**-0.5 * (phi[i] @ W - rewards[i] - gamma * phi[j] @ W) * phi[i]
            average = (k + 1) / (k + 2) * average + W / (k + 2)
        mean, second = mean + weight * (average - star), second + weight * np.outer(average - star, average - star)
    assert np.abs(found.mean - mean).max() < 1e-12
    assert np.abs(found.second - second).max() < 1e-12


def test_critic_moments_agree_with_the_scalar_recursion_at_large_k() -> None:
    P, _ = chain()
    phi, rewards = np.array([0.5, -1.0, 0.8]), np.array([0.1, 0.9, 0.4])
    scalar, K = LinearTD(P, rewards, phi, 0.5), 10**6
    one = averaged_td(phi[:, None], P, rewards, 0.5, K, np.array([scalar.fixed_point + 1.0])).value_error
    # the scalar one averages W(0..K-1), line 9 W(0..K): a difference of order 1/K
    assert one == pytest.approx(averaged_error(scalar, K, start=1.0, markovian=True), rel=1e-4)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: averaged_td(np.eye(2), np.eye(2) / 2 + 0.25, np.ones(2), 0.5, 0, np.zeros(2)), "iterations is 0"),
        (lambda: averaged_td(np.eye(2), np.eye(2) / 2 + 0.25, np.ones(2), 0.5, 1, np.zeros(2), step=0.0), "step is 0"),
        (lambda: BatchLaw(np.eye(2), np.ones(3) / 3, np.ones((3, 3, 1))), "kernel has shape"),
        (lambda: BatchLaw(np.eye(1), np.ones(1), np.ones((1, 1, 1))).variance(0), "size is 0"),
        (lambda: BatchLaw(np.eye(1), np.ones(1), np.ones((1, 1, 1))).autocovariance(-1), "lag is -1"),
        (lambda: dataset([]), "decompositions is empty"),
        (lambda: descend(Valley(), 1.0, (1.0, 1.0), 5, (3, 9)), "times is"),
    ],
)
def test_bad_input(call: object, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()  # type: ignore[operator]


# --- the decomposition along a run ---------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["printed", "undiscounted"])
def along(request: pytest.FixtureRequest) -> tuple[Decomposition, ...]:
    network = CriticNetwork.draw(np.eye(18), width=6, depth=2, seed=0)
    steps = Steps(batch=3, critic_iterations=20, gossip_rounds=2, radius=3.0)
    return decompose(
        circle_problem(), (1, 12), 0, network=network, reading=request.param, steps=steps, theta_0=np.full((2, 2), 0.7)
    )


PROVED = {"(15)", "(17)", "(18)", "(19)", "(21)", "(22)", "(36)"}


def test_true_lines_hold_and_the_false_one_shows(along: tuple[Decomposition, ...]) -> None:
    for one in along:
        for line in one.lines:
            if line.equation in PROVED or "repaired" in line.quantity or "L_W" in line.quantity:
                assert line.outcome in ("tight", "loose"), line
            if "delta 1" in line.quantity:  # (26) puts delta 1 for the vector of the TD errors: zero
                assert line.bound < 1e-30
                assert line.outcome == "wrong"


def test_direction_error_by_paths() -> None:
    """The left side of (15) at M = 2, from the critics of the run and a sum over paths of pairs."""
    problem, network = circle_problem(1), CriticNetwork.draw(np.eye(9), width=4, depth=1, seed=1)
    steps, theta = Steps(batch=2, critic_iterations=5, gossip_rounds=1, radius=2.0), np.full((2, 1), 0.4)
    (one,) = decompose(problem, (1,), 3, network=network, steps=steps, theta_0=theta)
    from algorithms.neural.oracles import agent_scores
    from algorithms.neural.run import Run

    rng = np.random.default_rng(3)
    run = Run(problem, PRINTED, "network", network, Oracles(), steps, GOSSIP, theta, rng, 1, "none")
    view, restart = run.views()
    run.advance(1)
    Q, scores = run.values().reshape(2, 9), agent_scores(view)
    kernel, law = pair_chain(view, restart, PRINTED)
    total = 0.0
    for weight, pairs in weighted_paths(kernel, law, 2):
        d = np.zeros((2, 1))
        for z, t in pairs:
            delta = Q[:, z] - problem.mdp.r.reshape(2, 9)[:, z] - 0.5 * Q[:, t]
            d += (GOSSIP @ delta)[:, None] * scores[:, z] / 2
        total += weight * float(((d - view.grad_J) ** 2).sum())
    assert one.direction_error == pytest.approx(total, rel=1e-10)


def test_table_and_labelled_form(along: tuple[Decomposition, ...]) -> None:
    text, data = along[-1].table(), dataset(along)
    assert text.count("\n") == len(along[-1].lines) + 1
    assert dict(data.sizes) == {"t": 2, "line": len(along[0].lines)}
    assert float(data["value"][1, 0]) == along[1].lines[0].value
    assert Line("(1)", "", 2.0, 1.0).outcome == "wrong"
    assert Line("(1)", "", 2.0, 1.0, order=True).outcome == "above"


def test_lipschitz_constant_bounds_slopes_on_the_ball() -> None:
    rng, network = np.random.default_rng(0), CriticNetwork.draw(np.eye(4), width=5, depth=3, seed=2)
    bound = lipschitz_on_ball(network, 1.5)
    slopes = [
        np.linalg.norm(network.gradients(network.project(network.W0 + rng.normal(size=network.W0.shape), 1.5)), axis=1)
        for _ in range(50)
    ]
    assert np.max(slopes) <= bound
    one = CriticNetwork(np.eye(1), np.ones((1, 1)), np.ones((1, 1, 1)), np.array([2.0]))
    assert lipschitz_on_ball(one, 1.0) == pytest.approx(np.linalg.norm(one.gradients(one.W0)))  # one layer: exact


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"times": (3, 2)}, "times is"),
        ({"steps": Steps(radius=float("inf"))}, "infinite radius"),
        ({"reading": Reading(data_kernel="original")}, "original data"),
    ],
)
def test_decompose_refuses(options: dict[str, object], match: str) -> None:
    network = CriticNetwork.draw(np.eye(18), width=2, depth=1, seed=0)
    arguments = {"times": (1,), "network": network} | options
    with pytest.raises(ValueError, match=match):
        decompose(circle_problem(), seed=0, **arguments)  # type: ignore[arg-type]


# --- data of the terms -----------------------------------------------------------------------------------------


def test_valley_is_the_oracle_run_of_a_problem() -> None:
    """`descend` against Algorithm 1 with the exact direction on the MDP that the valley describes."""
    psi = np.zeros((2, 3, 2))
    psi[0, 0, 0], psi[1, 0, 1], psi[1, 2, 1] = 1, 1, -1
    rewards = np.array([[[1.0, 0, 0], [0, 1.0, 0]]] * 2)
    mdp = FiniteMDP(np.full((2, 3, 2), 0.5), rewards, np.full(2, 0.5), 0.0, (3, 1))  # the second agent has no choice
    features = Features(np.eye(2), np.eye(6).reshape(2, 3, 6))
    problem = Problem(mdp, LogLinearPolicy((psi, np.zeros((2, 1, 2)))), features, Schedule.static(GOSSIP))
    start, oracles = np.array([[1.0, 0.3], [0, 0]]), Oracles(direction=True)
    trace = actor_critic(problem, 60, 0, critic="exact", oracles=oracles, alpha=2.0, theta_0=start)
    run = descend(Valley(), 2.0, (1.0, 0.3), 1, (1, 61))
    assert 2 / 3 - float(trace["J"][-1]) == pytest.approx(float(run.gaps[-1]), abs=1e-12)


def test_valley_gradient_and_smoothness() -> None:
    valley, h = Valley(0.3, 1.5, 0.7), 1e-5
    for x, y in ((0.4, 0.9), (2.0, -0.1), (-1.0, 2.0)):
        along, across = valley.gradient(x, y)
        assert along == pytest.approx(-(valley.gap(x + h, y) - valley.gap(x - h, y)) / (2 * h), abs=1e-8)
        assert across == pytest.approx(-(valley.gap(x, y + h) - valley.gap(x, y - h)) / (2 * h), abs=1e-8)
    grid = np.linspace(-12, 12, 4001)
    curvature = [
        np.abs(np.gradient(valley.gradient(grid, grid)[0], grid)).max(),
        np.abs(np.gradient(valley.gradient(grid, grid)[1], grid)).max(),
    ]
    assert max(curvature) == pytest.approx(float(valley.smoothness), rel=1e-3)


def test_term_1_slopes() -> None:
    data = term_1((200, 2_000, 20_000))
    assert np.ptp(data["printed, circle"].values) == np.ptp(data["printed, softmax"].values) == 0
    slopes = local_slopes(data)
    assert float(slopes["repaired, softmax"][-1]) == pytest.approx(-1, abs=0.01)
    assert float(slopes["repaired, circle"][0]) < -2
    start = term_1((20, 200))  # before the first step nobody has moved
    for kind in ("circle", "softmax"):
        assert float(start[f"printed, {kind}"][0]) == pytest.approx(float(start[f"repaired, {kind}"][0]), abs=1e-15)


def test_terms_4_and_5_under_both_directions() -> None:
    problem, theta = circle_problem(), np.full((2, 2), 0.7)
    batch = term_4(problem, theta, (100, 10_000))
    assert float(local_slopes(batch)["repaired"][0]) == pytest.approx(-0.5, abs=1e-3)
    floors = (batch["printed"] ** 2 - batch["printed variance"] ** 2).values  # the square of g, at every M
    restarted = replace(problem, mdp=problem.mdp.restart())
    view, restart = exact(problem, theta), exact(restarted, theta)
    g = view.score_expectation(view.restart_stationary, restart.advantage)
    assert floors == pytest.approx([float((g**2).sum())] * 2, rel=1e-9)
    assert float((g**2).sum()) > 1e-4
    assert float(local_slopes(batch)["printed variance"][0]) == pytest.approx(-0.5, abs=1e-3)
    gossip = term_5(problem, theta, 0.2, (1, 5))
    for name in ("printed", "repaired"):  # two agents: the deviation has one eigenvalue, 1 - 2 eta
        assert float(gossip[name][1] / gossip[name][0]) == pytest.approx(0.6**4, rel=1e-10)
        assert float(gossip["sharp rate"][1] / gossip["sharp rate"][0]) == pytest.approx(0.6**4, rel=1e-10)


def test_term_7_under_both_directions() -> None:
    rng = np.random.default_rng(8)
    mdp = FiniteMDP(rng.dirichlet(np.ones(2), size=(2, 2)), rng.uniform(0, 1, (1, 2, 2)), np.full(2, 0.5), 0.5, (2,))
    features = Features(np.eye(2), np.eye(4).reshape(2, 2, 4))
    problem = Problem(mdp, LogLinearPolicy.tabular(2, (2,)), features, Schedule.static(np.eye(1)))
    theta = rng.normal(size=(1, 4))
    data = term_7(problem, theta, (10**4, 10**7))
    slopes = local_slopes(data)
    for name in ("printed", "repaired"):
        assert float(slopes[f"{name} Q"][-1]) == pytest.approx(-0.5, abs=0.01)
    assert float(slopes["repaired to gradient"][-1]) < -0.49
    gradient = 0.5 * float(np.linalg.norm(exact(problem, theta).grad_J))
    assert float(data["printed to gradient"][-1]) == pytest.approx(gradient, rel=1e-3)


def test_term_4_in_agents_is_the_ledgers_exact_value() -> None:
    """Scores 1 and -1 for each agent and the reward of parity: N/(2 M), as `theorem-5.10-term-4` proves."""
    data = term_4_agents("softmax", range(2, 6), size=10)
    assert data["repaired"].values**2 == pytest.approx(np.arange(2, 6) / 20, rel=1e-12)
    circle = term_4_agents("circle", range(2, 6))
    # Assumption 5.5 bounds the scores of all agents together: no growth with N
    assert np.diff(circle["repaired"].values).max() < 0
    with pytest.raises(ValueError, match="kind is 'square'"):
        parity_team("square", 2)


def test_term_5_by_weight_is_term_5() -> None:
    data = term_5_weights("softmax", (0.1, 0.3), rounds=5)
    ratio = (1 - 0.3) ** 5 / (1 - 0.1) ** 5  # three agents on a lazy path: the slower mode falls by 1 - eta
    assert float(data["sharp rate"][1] / data["sharp rate"][0]) == pytest.approx(ratio, rel=1e-12)
    for name in ("printed", "repaired"):
        assert float(data[name][1] / data[name][0]) < ratio  # and the faster one by more


def test_figure_shows_every_series() -> None:
    data = all_terms()
    figure = terms_figure(data)
    rows = figure.csv.strip().splitlines()[1:]
    assert len(rows) == sum(column.size for table in data.values() for column in table.data_vars.values())
    assert figure.svg.count("<svg") == 1
    assert "(1) T, repaired, circle: -9" in figure.alt
    assert "nan" not in figure.alt
    assert "(1) T, printed, circle: 0.000" in figure.alt
    with pytest.raises(ValueError, match="there are panels for"):
        terms_figure({"(9)": data["(1) T"]})
