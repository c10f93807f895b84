"""The terms of zhang2025 Theorem 5.10 one by one, every other ingredient exact: data for figures and rate verdicts.

Each function returns a dataset over one parameter (T, M, N, t_gossip, eta or K), under the printed and the repaired
direction. All numbers are exact up to rounding; nothing is sampled. What the width and the depth of the network do is
in `verify.experiments.terms.sizes`, the floors are in `verify.experiments.terms.floors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import networkx as nx
import numpy as np
import xarray as xr
from jaxtyping import Float

from algorithms.neural import PRINTED, UNDISCOUNTED, Reading, expected_direction
from algorithms.neural.critic_moments import averaged_td
from algorithms.neural.oracles import batch_law, pair_chain, signals
from mdp.exact import Exact, exact
from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks import Schedule
from mdp.networks.bounds import path_bound
from mdp.networks.schedule import full_average
from mdp.policies import CircularPolicy
from mdp.policy import LogLinearPolicy, Policy
from mdp.problem import Problem
from verify.experiments.valley import Valley, circle_gaps, descend

READINGS: dict[str, Reading] = {"printed": PRINTED, "repaired": UNDISCOUNTED}
"""The two directions that are compared."""


CLASSES = ("circle", "softmax")
"""The circular class can meet the theorem's assumptions, softmax classes cannot (`assumption-5.5`)."""


def term_1(times: Sequence[int] = (100, 1_000, 10_000, 100_000), first: int = 20) -> xr.Dataset:
    """Gap to the class's best by T, everything exact: printed and repaired direction, on a circle and in a valley.

    Args:
        times: T.
        first: t of the first step.
    """
    # the repaired direction is a multiple of the gradient; the printed one is zero
    # (`verify.zhang2025.listing.direction`): the policy stays where it is
    softmax = descend(Valley(), 7.0, (3.0, 0.1), first, times)
    circle = circle_gaps(6.0, 1.0, first, times)
    still = np.ones(len(times))
    return _table("T", times, {
        "printed, circle": still * (1 - np.cos(1.0)) / 6, "repaired, circle": circle.gaps,
        "printed, softmax": still * float(Valley().gap(3.0, 0.1)), "repaired, softmax": softmax.gaps,
    })  # fmt: skip


def term_4(problem: Problem, theta: Float[np.ndarray, "N P"], sizes: Sequence[int]) -> xr.Dataset:
    """Root mean square of ``h - g`` by M with an exact critic, Markovian samples, printed and repaired.

    Args:
        problem: a dense problem.
        theta: parameters.
        sizes: M.
    """
    view, restart = _views(problem, theta)
    data, average = {}, full_average(problem.mdp.n_agents)
    for name, reading in READINGS.items():
        Q = _exact_critic(view, restart, reading)
        law = batch_law(signals(Q, view, restart, reading), view, restart, reading, average)
        aim = restart if reading.target_kernel == "restart" else view
        target = view.score_expectation(view.restart_stationary, aim.advantage).ravel()
        data[name] = [np.sqrt(law.mean_square(M, target)) for M in sizes]
        data[f"{name} variance"] = [np.sqrt(law.variance(M)) for M in sizes]
    return _table("M", sizes, data)


def term_4_agents(kind: str, counts: Sequence[int], size: int = 10) -> xr.Dataset:
    """The same by N at fixed M: one state, uniform policies, the reward the parity of the actions.

    On the circle the scores of all agents together have norm at most one, as Assumption 5.5 asks; the softmax agents
    have scores 1 and -1 each, and attain N^(1/2).

    Args:
        kind: "circle" or "softmax".
        counts: N.
        size: M.

    Raises:
        ValueError: another class.
    """
    rows = [term_4(*parity_team(kind, N), (size,)) for N in counts]
    return _table("N", counts, {str(name): [float(row[name][0]) for row in rows] for name in rows[0].data_vars})


def parity_team(kind: str, n_agents: int) -> tuple[Problem, np.ndarray]:
    """N agents in one state, paid for an odd sum of action numbers; gamma = 1/2.

    Args:
        kind: "circle" (three actions each, angle 0.7) or "softmax" (two each, uniform).
        n_agents: N.

    Raises:
        ValueError: another class.
    """
    if kind not in CLASSES:
        raise ValueError(f"kind is {kind!r}, not one of {', '.join(CLASSES)}")
    n_actions = (3 if kind == "circle" else 2,) * n_agents
    A = int(np.prod(n_actions))
    parity = np.sum(np.unravel_index(np.arange(A), n_actions), axis=0) % 2
    mdp = FiniteMDP(np.ones((1, A, 1)), np.tile(parity.astype(float), (n_agents, 1, 1)), np.ones(1), 0.5, n_actions)
    if kind == "circle":
        policy = CircularPolicy.tabular(1, n_actions, radius=0.5).normalised()
        return _problem(mdp, policy), np.full((n_agents, 1), 0.7) / policy.scale
    signs = np.array([[[1.0], [-1.0]]])
    return _problem(mdp, LogLinearPolicy((signs,) * n_agents)), np.zeros((n_agents, 1))


def lazy_path(n_agents: int, weight: float) -> Float[np.ndarray, "N N"]:
    """``I - weight L`` on a path, where gossip is slowest.

    Args:
        n_agents: N.
        weight: eta, at most 1/3.
    """
    matrix: np.ndarray = np.eye(n_agents) - weight * nx.laplacian_matrix(nx.path_graph(n_agents)).toarray()
    return matrix


def term_5(
    problem: Problem, theta: Float[np.ndarray, "N P"], weight: float, rounds: Sequence[int]
) -> xr.Dataset:
    """Root mean square of ``d* - h`` by t_gossip on a lazy path with an exact critic, and the rates set against it.

    Args:
        problem: a dense problem.
        theta: parameters.
        weight: eta.
        rounds: t_gossip.
    """
    view, restart = _views(problem, theta)
    N = problem.mdp.n_agents
    A, average = lazy_path(N, weight), full_average(N)
    data = {}
    for name, reading in READINGS.items():
        delta = signals(_exact_critic(view, restart, reading), view, restart, reading)
        laws = [
            batch_law(delta, view, restart, reading, np.linalg.matrix_power(A, t) - average) for t in rounds
        ]
        data[name] = [np.sqrt(law.mean_square(1)) for law in laws]
    data["printed rate"] = [(1 - weight ** (N - 1)) ** t for t in rounds]
    data["sharp rate"] = [path_bound(N, weight) ** t for t in rounds]
    return _table("t_gossip", rounds, data)


def term_5_weights(kind: str, weights: Sequence[float], rounds: int = 5) -> xr.Dataset:
    """Term (5) by eta: three agents on a lazy path, t_gossip rounds, rewards of their own.

    Args:
        kind: "circle" or "softmax".
        weights: eta, at most 1/3.
        rounds: t_gossip.

    Raises:
        ValueError: another class.
    """
    problem, theta = parity_team(kind, 3)
    A = problem.mdp.n_joint_actions
    own = np.random.default_rng(2025).uniform(0, 1, (3, 1, A))
    problem = replace(problem, mdp=replace(problem.mdp, r=own))
    rows = [term_5(problem, theta, weight, (rounds,)) for weight in weights]
    names = [str(name) for name in rows[0].data_vars]
    return _table("eta", weights, {name: [float(row[name][0]) for row in rows] for name in names})


def term_7(problem: Problem, theta: Float[np.ndarray, "N P"], iterations: Sequence[int]) -> xr.Dataset:
    """Tabular averaged TD by K: root mean square error of Q, of ``E d - E d*``, and of ``E d - (1 - gamma) grad J``.

    The table starts at zero. The printed direction's last column does not fall: the better the critic, the closer the
    direction is to zero.

    Args:
        problem: a dense problem whose agents share one critic (exact averages).
        theta: parameters.
        iterations: K.
    """
    view, restart = _views(problem, theta)
    data: dict[str, list[float]] = {}
    Z, N = view.pi.size, problem.mdp.n_agents
    average, wanted = full_average(N), (1 - float(view.gamma)) * view.grad_J.ravel()
    for name, reading in READINGS.items():
        aim = restart if reading.target_kernel == "restart" else view
        # data and target of Algorithm 2 from one kernel: the critic's own chain is the aim's
        kernel = pair_chain(view, restart, replace(reading, data_kernel=reading.target_kernel))[0]
        linear = np.stack([_direction(e, view, restart, reading, average) for e in np.eye(Z)], axis=1)
        exact_direction = _direction(aim.Q.reshape(-1), view, restart, reading, average)
        # the direction is affine in the critic: its constant part is what a zero critic gives
        linear -= _direction(np.zeros(Z), view, restart, reading, average)[:, None]
        for K in iterations:
            moments = averaged_td(np.eye(Z), kernel, aim.r_bar.reshape(-1), float(view.gamma), K, np.zeros(Z))
            spread = float(np.trace(linear @ moments.second @ linear.T))
            bias = exact_direction - wanted
            error = spread + 2 * float(bias @ linear @ moments.mean) + float(bias @ bias)
            data.setdefault(f"{name} Q", []).append(np.sqrt(moments.value_error))
            data.setdefault(f"{name} direction", []).append(np.sqrt(spread))
            data.setdefault(f"{name} to gradient", []).append(np.sqrt(max(error, 0.0)))
    return _table("K", iterations, data)


def instances() -> tuple[tuple[Problem, np.ndarray], tuple[Problem, np.ndarray]]:
    """Small problems: two agents on circles, and one softmax agent.

    Returns:
        Problem and parameters, twice: (2, 2) angles, (1, 4) logits. Two states, gamma = 1/2, rewards and kernels from a
        fixed seed.
    """
    rng, S = np.random.default_rng(2025), 2
    circles = CircularPolicy.tabular(S, (3, 3), radius=0.5).normalised()
    team = _problem(_random_mdp(rng, (3, 3)), circles), np.full((2, S), 0.7)
    single = _problem(_random_mdp(rng, (2,)), LogLinearPolicy.tabular(S, (2,)))
    return team, (single, rng.normal(size=(1, 2 * S)))


def teams() -> dict[str, tuple[Problem, np.ndarray]]:
    """Two agents in two states, by class, with parameters: (2, 2) angles on circles, (2, 4) logits."""
    rng = np.random.default_rng(2026)
    softmax = _problem(_random_mdp(rng, (2, 2)), LogLinearPolicy.tabular(2, (2, 2)))
    return {"circle": instances()[0], "softmax": (softmax, rng.normal(size=(2, 4)))}


def singles() -> dict[str, tuple[Problem, np.ndarray]]:
    """One agent in two states, by class, with parameters: a (1, 2) array of angles, or (1, 4) logits.

    Term (7) needs all second moments of a table.
    """
    rng = np.random.default_rng(2027)
    circle = _problem(_random_mdp(rng, (3,)), CircularPolicy.tabular(2, (3,), radius=0.5).normalised())
    return {"circle": (circle, np.full((1, 2), 0.7)), "softmax": instances()[1]}


def all_terms() -> dict[str, xr.Dataset]:
    """The exact tables, by term and parameter: what the figure shows. Some ten seconds."""
    team, single, weights = teams(), singles(), (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
    return {
        "(1) T": term_1((30, 100, 300, 1_000, 3_000, 10_000)),
        "(4) M": _both({kind: term_4(*team[kind], (1, 10, 100, 1_000, 10_000)) for kind in CLASSES}),
        "(4) N": _both({kind: term_4_agents(kind, range(1, 6)) for kind in CLASSES}),
        "(5) t_gossip": _both({kind: term_5(*team[kind], 0.2, range(1, 16)) for kind in CLASSES}),
        "(5) eta": _both({kind: term_5_weights(kind, weights) for kind in CLASSES}),
        "(7) K": _both({kind: term_7(*single[kind], (10**2, 10**4, 10**6)) for kind in CLASSES}),
    }


def _both(parts: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Columns of both classes side by side; rates, which do not depend on the class, once."""
    columns = {}
    for kind, table in parts.items():
        for name, column in table.data_vars.items():
            columns[str(name) if str(name).endswith("rate") else f"{name}, {kind}"] = column
    return xr.Dataset(columns)


def _random_mdp(rng: np.random.Generator, n_actions: tuple[int, ...], n_states: int = 2) -> FiniteMDP:
    S, A = n_states, int(np.prod(n_actions))
    P, r = rng.dirichlet(np.ones(S), size=(S, A)), rng.uniform(0, 1, (len(n_actions), S, A))
    return FiniteMDP(P, r, np.full(S, 1 / S), 0.5, n_actions)


def _problem(mdp: FiniteMDP, policy: Policy) -> Problem:
    S, A = mdp.n_states, mdp.n_joint_actions
    features = Features(np.eye(S), np.eye(S * A).reshape(S, A, S * A))
    return Problem(mdp, policy, features, Schedule.static(full_average(mdp.n_agents)))


def local_slopes(data: xr.Dataset) -> xr.Dataset:
    """Log-log slope between neighbours, for every variable; NaN where a value is zero, as of an exact hit.

    Args:
        data: a dataset over one dimension, of nonnegative values.
    """
    (name,) = data.dims
    x = np.log(data[name].values.astype(float))
    slopes = {}
    for key, column in data.items():
        y = np.log(column.values, where=column.values > 0, out=np.full(len(x), np.nan))
        slopes[key] = (name, np.diff(y) / np.diff(x))
    return xr.Dataset(slopes, coords={name: data[name].values[1:]})


def _direction(
    critic: np.ndarray, view: Exact, restart: Exact, reading: Reading, mixing: np.ndarray
) -> np.ndarray:
    values = np.broadcast_to(critic.reshape(view.pi.shape), (len(mixing), *view.pi.shape))
    return expected_direction(values, view, restart, reading, mixing).ravel()


def _views(problem: Problem, theta: np.ndarray) -> tuple[Exact, Exact]:
    return exact(problem, theta), exact(replace(problem, mdp=problem.mdp.restart()), theta)


def _exact_critic(view: Exact, restart: Exact, reading: Reading) -> np.ndarray:
    Q = (restart if reading.target_kernel == "restart" else view).Q
    return np.broadcast_to(Q, (len(view.tables), *Q.shape))


def _table(name: str, values: Sequence[float], data: Mapping[str, object]) -> xr.Dataset:
    return xr.Dataset({k: (name, np.asarray(v)) for k, v in data.items()}, coords={name: list(values)})
