"""zhang2025's algorithm: kernels against their twin, readings, oracles, holes of the listing, bad input."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import networkx as nx
import numpy as np
import pytest

from algorithms.neural import (
    METRICS,
    PRINTED,
    REPAIRED,
    UNDISCOUNTED,
    CriticNetwork,
    Oracles,
    PairInputs,
    Reading,
    Steps,
    actor_critic,
    critic_fixed_point,
    expected_direction,
)
from algorithms.neural.loop import gossip_matrix
from algorithms.neural.reference import ReferenceRun
from algorithms.neural.run import cosine
from algorithms.neural.train import _split
from mdp import DisconnectedScheduleError, Problem, exact, metropolis_weights
from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule
from mdp.policies import CircularPolicy, NeuralPolicy
from mdp.policy import LogLinearPolicy, Policy

S, ACTIONS = 3, (3, 4)
WIDTH, DEPTH = 6, 2


@cache
def small_mdp(noise: str = "none") -> FiniteMDP:
    rng, A = np.random.default_rng(5), 12
    P = rng.dirichlet(np.ones(S), size=(S, A))
    return FiniteMDP(
        P / P.sum(axis=-1, keepdims=True), rng.normal(size=(2, S, A)), np.array([0.5, 0.25, 0.25]), 0.8, ACTIONS,
        noise,  # type: ignore[arg-type]
    )  # fmt: skip


def policies() -> dict[str, tuple[Policy, np.ndarray]]:
    rng = np.random.default_rng(6)
    loglinear = LogLinearPolicy(tuple(rng.normal(size=(S, k, 3)) for k in ACTIONS))
    circular = CircularPolicy(ACTIONS, tuple(rng.normal(size=(S, 2)) for _ in ACTIONS), 0.6, 1.3)
    sizes = {"width": 4, "depth": 2, "logit_scale": 0.3}
    return {
        "log-linear": (loglinear, rng.normal(size=(2, 3))),
        "circular": (circular, rng.normal(size=(2, 2))),
        "neural": NeuralPolicy.draw(S, ACTIONS, seed=7, **sizes),  # type: ignore[arg-type]
        "neural pairs": NeuralPolicy.draw(S, ACTIONS, seed=8, head="action-input", **sizes),  # type: ignore[arg-type]
        "neural all": NeuralPolicy.draw(S, (3, 3), seed=9, trainable="all", **sizes),  # type: ignore[arg-type]
    }


def small(policy: str = "log-linear", noise: str = "none") -> tuple[Problem, np.ndarray]:
    chosen, theta = policies()[policy]
    mdp = small_mdp(noise)
    if chosen.n_actions != ACTIONS:
        mdp = replace(mdp, P=mdp.P[:, :9], r=mdp.r[:, :, :9], n_actions=chosen.n_actions)
    features = Features(np.eye(S) / 2, np.eye(S * mdp.n_joint_actions).reshape(S, mdp.n_joint_actions, -1) / 2)
    W = np.array([[0.7, 0.3], [0.3, 0.7]])
    return Problem(mdp, chosen, features, Schedule.static(W), "small"), theta


def network(problem: Problem, seed: int = 3) -> CriticNetwork:
    n = problem.mdp.n_states * problem.mdp.n_joint_actions
    return CriticNetwork.draw(np.eye(n), width=WIDTH, depth=DEPTH, seed=seed)


CASES = {
    "printed": (PRINTED, {}),
    "repaired": (REPAIRED, {}),
    "undiscounted": (UNDISCOUNTED, {"batch": 3}),
    "v flipped": (Reading(td_form="v", flipped=True, normalisation="stacked"), {}),
    "q mixed kernels": (Reading(target_kernel="original", normalisation="none"), {"batch": 2}),
    "original": (Reading("original", "original"), {"episode": 3}),
    "q-value": (Reading(actor_signal="q"), {"gossip_rounds": 0}),
    "warm last": (Reading(critic_start="previous", hand_over="last"), {"alpha_exponent": 0.0}),
    "original data, restart target": (Reading("original", "restart", "v"), {"radius": np.inf}),
}


@pytest.mark.parametrize("linearised", [False, True], ids=["network", "linearised"])
@pytest.mark.parametrize("case", CASES)
def test_the_kernel_is_its_twin_under_every_reading(case: str, linearised: bool) -> None:
    reading, options = CASES[case]
    compare(small()[0], small()[1], reading, linearised, options)


@pytest.mark.parametrize("policy", [name for name in policies() if name != "log-linear"])
def test_the_kernel_is_its_twin_for_every_policy_class(policy: str) -> None:
    compare(*small(policy), PRINTED, False, {"batch": 2})


def test_the_kernel_is_its_twin_with_noisy_rewards_and_pair_inputs() -> None:
    problem, theta = small(noise="gumbel")
    rng = np.random.default_rng(1)
    inputs = PairInputs(rng.normal(size=(S, 2)), rng.normal(size=(12, 3)))
    compare(problem, theta, PRINTED, False, {}, CriticNetwork.draw(inputs, width=WIDTH, depth=DEPTH, seed=3))


def compare(
    problem: Problem, theta: np.ndarray, reading: Reading, linearised: bool, options: dict,
    net: CriticNetwork | None = None, horizon: int = 25,
) -> None:  # fmt: skip
    """Run both for `horizon` iterations with every loop longer than one and an active ball."""
    options = {"critic_iterations": 3, "gossip_rounds": 2, "radius": 0.5, "beta": 0.1, "alpha": 0.7} | options
    net = net or network(problem)
    trace = actor_critic(
        problem, horizon, 11, reading=reading, critic="linearised" if linearised else "network", network=net,
        centralised="matched", theta_0=theta, n_checkpoints=2, **options,
    )  # fmt: skip
    steps = Steps(**options)
    gossip = gossip_matrix(problem.schedule, problem.mdp.n_agents, steps.gossip_rounds)
    twin = ReferenceRun(
        problem, net, reading, steps, gossip, theta, _split(11)[1], linearised, steps.critic_iterations
    )
    for _ in range(horizon):
        twin.advance()
    assert np.abs(twin.theta - theta).max() > 1e-3  # something moved
    np.testing.assert_allclose(trace.theta, twin.theta, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(trace.W, twin.W, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(trace.direction, twin.direction, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(trace.distance, twin.distance, rtol=1e-8, atol=1e-10)
    assert trace.zero_directions[-1] == twin.zero_directions


@pytest.mark.parametrize("reading", [REPAIRED, UNDISCOUNTED], ids=["advantage", "undiscounted"])
def test_repaired_expected_direction_is_the_gradient_and_the_printed_one_is_zero(reading: Reading) -> None:
    problem, theta = small()
    view, restart = exact(problem, theta), exact(replace(problem, mdp=problem.mdp.restart()), theta)
    average, both = np.full((2, 2), 0.5), np.stack([view.Q] * 2)
    found = expected_direction(both, view, restart, reading, average)
    np.testing.assert_allclose(found, (1 - view.gamma) * view.grad_J, atol=1e-14)
    flipped = expected_direction(both, view, restart, replace(reading, flipped=True), average)
    assert cosine(flipped, view.grad_J) < -0.999
    printed = expected_direction(np.stack([restart.Q] * 2), view, restart, PRINTED, average)
    np.testing.assert_allclose(printed, 0, atol=1e-14)
    assert np.abs(found).max() > 1e-2


@pytest.mark.parametrize("form", ["q", "v", "advantage", "undiscounted"])
def test_batches_average_to_the_expected_direction(form: str) -> None:
    """One long batch with a frozen exact critic, within five standard errors by batch means of 20 runs."""
    problem, theta = small()
    reading = Reading("restart", "original", form, normalisation="none")  # type: ignore[arg-type]
    options = {"reading": reading, "critic": "exact", "alpha": 0.0, "theta_0": theta, "batch": 20_000}
    runs = np.stack([actor_critic(problem, 1, seed, **options).direction for seed in range(20)])  # type: ignore[arg-type]
    oracle = actor_critic(problem, 1, 0, **(options | {"batch": 1, "oracles": Oracles(expectation=True)}))  # type: ignore[arg-type]
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert np.abs((runs.mean(axis=0) - oracle.direction.values) / error).max() < 5
    wrong = oracle.direction.values + 0.05  # what the test would notice
    assert np.abs((runs.mean(axis=0) - wrong) / error).max() > 5


def test_the_direction_oracle_climbs_and_has_cosine_one() -> None:
    problem, theta = small()
    reading = replace(PRINTED, normalisation="stacked")
    trace = actor_critic(
        problem, 60, 0, reading=reading, critic="exact", oracles=Oracles(direction=True), theta_0=theta, alpha=0.3,
        n_checkpoints=4,
    )  # fmt: skip
    np.testing.assert_allclose(trace.cosine, 1, atol=1e-9)
    assert trace.gap[-1] < trace.gap[0]
    assert float(trace.critic_error[-1]) < 1e-12


def test_the_average_oracle_leaves_no_disagreement() -> None:
    problem, theta = small()
    options = {"gossip_rounds": 1, "theta_0": theta, "width": WIDTH, "depth": DEPTH, "beta": 0.1}
    exactly = actor_critic(problem, 20, 0, oracles=Oracles(average=True), **options)  # type: ignore[arg-type]
    assert float(exactly.disagreement[-1]) < 1e-12
    assert float(actor_critic(problem, 20, 0, **options).disagreement[-1]) > 1e-3  # type: ignore[arg-type]


def test_tabular_critic_learns_q_of_the_target_kernel() -> None:
    problem, theta = small()[0], np.zeros((2, 3))
    trace = actor_critic(
        problem, 1, 0, reading=Reading("restart", "original"), critic="tabular", theta_0=theta, alpha=0.0,
        critic_iterations=1_000_000, radius=np.inf, beta=0.05,
    )  # fmt: skip
    restarted = exact(replace(problem, mdp=problem.mdp.restart()), theta).Q
    apart = float(np.abs(restarted - exact(problem, theta).Q).max())
    assert float(trace.critic_error[0]) < 0.5 * apart, apart  # nearer to the Q it aims at than to the other


# --- holes of the listing ------------------------------------------------------------------------------------


def test_a_zero_direction_makes_no_step_and_is_counted() -> None:
    problem, theta = small()
    silent = replace(problem, mdp=replace(problem.mdp, r=np.zeros_like(problem.mdp.r)))
    trace = actor_critic(silent, 7, 0, critic="exact", theta_0=theta)
    np.testing.assert_array_equal(trace.theta, theta)
    assert int(trace.zero_directions[-1]) == 7 * 2
    assert np.isnan(trace.cosine[-1])


def test_the_first_step_has_length_alpha_and_the_third_a_third_of_it() -> None:
    problem, theta = small()
    options = {"theta_0": theta, "alpha": 0.6, "width": WIDTH, "depth": DEPTH}
    ends = [actor_critic(problem, T, 0, **options).theta.values for T in (1, 2, 3)]  # type: ignore[arg-type]
    np.testing.assert_allclose(np.linalg.norm(ends[0] - theta, axis=1), 0.6, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(ends[2] - ends[1], axis=1), 0.2, rtol=1e-12)


def test_with_one_critic_iteration_nothing_learnt_survives_the_printed_start() -> None:
    problem, theta = small()
    options = {"theta_0": theta, "alpha": 0.0, "width": WIDTH, "depth": DEPTH, "radius": np.inf, "beta": 0.01}
    net = network(problem)
    far = {}
    for start in ("initial", "previous"):
        W = actor_critic(problem, 300, 0, reading=Reading(critic_start=start), network=net, **options).W  # type: ignore[arg-type]
        far[start] = float(np.linalg.norm(W[0].values - net.W0.ravel()))
    assert far["previous"] > 3 * far["initial"]


def test_a_run_that_leaves_the_floats_says_where() -> None:
    problem, theta = small()
    with pytest.raises(FloatingPointError, match=r"critic's TD error .*outer iteration 0, agent 0"):
        actor_critic(problem, 5, 0, theta_0=theta, beta=1e150, radius=np.inf, critic_iterations=9)
    with pytest.raises(FloatingPointError, match=r"the direction d .*outer iteration 1, agent 1"):
        actor_critic(problem, 9, 0, theta_0=theta, alpha=1.7e308, width=WIDTH, depth=DEPTH)


def test_same_seed_same_bits_for_any_number_of_workers_and_checkpoints() -> None:
    problem, theta = small()

    def run(seed: int, n_checkpoints: int = 1) -> np.ndarray:
        return actor_critic(problem, 50, seed, theta_0=theta, n_checkpoints=n_checkpoints).W.values

    alone = [run(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, range(4)))
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(alone[0], run(0, 5))
    np.testing.assert_array_equal(
        alone[0], actor_critic(problem, 50, np.random.SeedSequence(0), theta_0=theta).W.values
    )
    assert np.abs(alone[0] - alone[1]).max() > 1e-6


def test_metrics_are_those_of_the_exact_layer() -> None:
    problem, theta = small()
    trace = actor_critic(problem, 40, 0, theta_0=theta, n_checkpoints=3)
    view = exact(problem, trace.theta.values)
    assert set(METRICS) <= set(trace)
    assert float(trace.J[-1]) == pytest.approx(float(view.J), abs=1e-13)
    assert float(trace.gradient_norm[-1]) == pytest.approx(float(np.linalg.norm(view.grad_J)), abs=1e-13)
    assert (trace.gap > 0).all()


def test_without_projection_the_linear_critics_average_is_the_centralised_one() -> None:
    problem, theta = small()

    def largest(**options: object) -> float:
        sizes = {"critic": "linearised", "critic_iterations": 6, "beta": 0.05, "width": WIDTH, "depth": DEPTH}
        trace = actor_critic(problem, 30, 0, theta_0=theta, **(sizes | options))  # type: ignore[arg-type]
        return float(trace.distance.max())

    assert largest(centralised="matched", radius=np.inf) < 1e-12
    assert largest(centralised="matched", radius=0.02) > 1e-4  # the projection breaks it
    assert largest(centralised="printed", radius=np.inf) > 1e-4  # so does the missing iteration
    assert largest(centralised="matched", radius=np.inf, critic="network") > 1e-4  # and the network is not linear


def test_lockstep_distances_are_those_of_the_returned_weights() -> None:
    problem, theta = small()
    net, options = network(problem), {"theta_0": theta, "radius": 0.3, "alpha": 0.0, "critic": "linearised"}
    trace = actor_critic(problem, 1, 0, network=net, centralised="matched", critic_iterations=30_000, **options)  # type: ignore[arg-type]
    early = actor_critic(problem, 1, 0, network=net, centralised="matched", critic_iterations=3, **options)  # type: ignore[arg-type]
    view, restart = exact(problem, theta), exact(replace(problem, mdp=problem.mdp.restart()), theta)
    star = critic_fixed_point(net, view, restart, PRINTED, 0.3)
    bar = trace.W.values.mean(axis=0)
    assert float(trace.distance_bar_star[0]) == pytest.approx(float(np.linalg.norm(bar - star.weights.ravel())))
    assert float(trace.distance_central_bar[0]) == float(trace.distance[0])
    sides = [float(trace[f"distance_{name}"][0]) for name in ("central_bar", "central_star", "bar_star")]
    assert max(sides) <= sum(sides) - max(sides) + 1e-12  # the triangle of Eq. (21)
    law = (view.restart_stationary[:, None] * view.pi).ravel()

    def miss(weights: np.ndarray) -> float:
        return float(np.sqrt(law @ (net.linearised(weights) - star.values) ** 2))

    assert miss(bar) < 0.2 * miss(early.W.values.mean(axis=0))  # Algorithm 2 does tend to it
    assert float(trace.fixed_point_error[0]) < 1e-3


# --- bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth is 0"),
        ({"width": 0}, "width is 0"),
        ({"radius": 0.0}, "radius is 0"),
        ({"radius": -1.0}, "radius is -1"),
        ({"radius": np.nan}, "radius is nan"),
        ({"batch": 0}, "batch is 0"),
        ({"critic_iterations": 0}, "critic_iterations is 0"),
        ({"critic_iterations": 1.5}, "critic_iterations is 1.5"),
        ({"gossip_rounds": -1}, "gossip_rounds is -1"),
        ({"alpha": np.inf}, "alpha is inf"),
        ({"beta": 0.0}, "beta is 0"),
        ({"consensus": np.full((3, 3), 1 / 3)}, r"consensus has shape \(3, 3\)"),
        ({"consensus": np.array([[0.5, 0.5], [0.4, 0.6]])}, "consensus is not doubly stochastic"),
        ({"reading": "right"}, "reading is 'right'"),
        ({"critic": "oracle"}, "critic is 'oracle'"),
        ({"critic": "tabular", "centralised": "printed"}, "centralised is 'printed'"),
        ({"inputs": 2 * np.eye(36)}, r"inputs\[0\] has norm 2, not 1"),
        ({"inputs": np.eye(35)}, "inputs: the network has 35"),
        ({"theta_0": np.zeros((2, 4))}, "theta_0 has shape"),
        ({"n_checkpoints": 0}, "n_checkpoints is 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_arguments_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        actor_critic(small()[0], 2, 0, **options)


def test_gossip_needs_a_connected_graph_unless_there_is_none() -> None:
    with pytest.raises(DisconnectedScheduleError, match=r"agents \{0\}, \{1\}"):
        actor_critic(small()[0], 2, 0, consensus=np.eye(2))
    actor_critic(small()[0], 2, 0, consensus=np.eye(2), gossip_rounds=0, width=WIDTH, depth=DEPTH)
    path = metropolis_weights(nx.path_graph(4))
    np.testing.assert_allclose(gossip_matrix(path, 4, 7), np.linalg.matrix_power(path, 7), atol=1e-15)


def test_readings_refuse_unknown_values_and_oracles_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="td_form is 'sarsa'"):
        Reading(td_form="sarsa")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expectation and direction"):
        Oracles(expectation=True, direction=True)


def test_one_agent_runs_and_improves() -> None:
    mdp = FiniteMDP(np.ones((1, 2, 1)), np.array([[[0.0, 1.0]]]), np.ones(1), 0.5, (2,))
    problem = Problem(
        mdp, LogLinearPolicy.tabular(1, (2,)), Features(np.ones((1, 1)), np.eye(2)[None]), Schedule.static(np.eye(1))
    )
    trace = actor_critic(problem, 200, 0, reading="repaired", critic="exact", batch=4, alpha=0.05, alpha_exponent=0.0)
    assert float(trace["J"][-1]) > 1.8  # J* is 2, and J of the uniform start is 1
