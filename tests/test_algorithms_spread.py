"""Algorithm 1 on the board of zhang2025 Appendix D.1: kernels against plain Python, actors, holes, bad input."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from algorithms._linalg import compiled
from algorithms.neural import CriticNetwork
from algorithms.neural._critics import _value
from algorithms.neural._policies import _add_score, _fill
from algorithms.neural._state import _reward, _successor
from algorithms.neural.spread import SpreadSettings, _critic, board, spread_run, spread_view
from algorithms.neural.spread_actors import spread_actor
from mdp.large import SimpleSpread, episode, episode_optimum, simple_spread
from mdp.networks.schedule import DisconnectedScheduleError, full_average
from mdp.policies import NeuralPolicy


@pytest.fixture(scope="module")
def small() -> SimpleSpread:
    return simple_spread(3, 2, 2, landmarks=[(0, 0), (2, 1)], reward_time="after")


@compiled
def _probe(rng, env, i, s, a):  # type: ignore[no-untyped-def]
    return _reward(rng, env, i, s, a), _successor(rng, env, s, a)


@compiled
def _critic_value(critic, w, s, a):  # type: ignore[no-untyped-def]
    return _value(critic, w, s, a)


@pytest.mark.parametrize("time", ["before", "after"])
def test_moves_and_rewards_of_the_kernel_are_those_of_the_model(time: str) -> None:
    game = simple_spread(3, 2, 2, landmarks=[(0, 0), (2, 1)], reward_time=time)  # type: ignore[arg-type]
    rng, successors = np.random.default_rng(0), game.successors(np.arange(game.n_states))
    shared, local = board(game), board(game, "local")
    for s, a in itertools.product(range(game.n_states), range(game.n_joint_actions)):
        rewards = [_probe(rng, local, i, s, a)[0] for i in range(2)]
        reward, after = _probe(rng, shared, 1, s, a)
        assert after == successors[s, a]
        assert reward == game.r_bar[s, a]
        assert np.mean(rewards) == game.r_bar[s, a]


def test_critic_inputs_are_unit_one_hot_rows(small: SimpleSpread) -> None:
    rng = np.random.default_rng(1)
    settings = SpreadSettings(width=6, depth=3)
    critic = _critic(small, settings, np.random.default_rng(1))
    N, C = small.n_agents, small.n_cells
    net = CriticNetwork.draw(np.eye(1, N * (C + 5)), width=6, depth=3, seed=rng)
    for s, a in ((0, 0), (7, 13), (35, 24)):
        x = np.zeros(N * (C + 5))
        cells, moves = divmod(s, C), divmod(a, 5)
        for i in range(N):
            x[i * C + cells[i]] = x[N * C + i * 5 + moves[i]] = 1 / np.sqrt(2 * N)
        layer = net.H @ x
        for W in net.W0:
            layer = np.maximum(W @ layer, 0) / np.sqrt(6)
        assert _critic_value(critic, net.W0, s, a) == pytest.approx(float(net.b @ layer), rel=1e-12)


def test_exact_reward_is_what_frozen_policies_earn(small: SimpleSpread) -> None:
    settings = SpreadSettings(actor="softmax", alpha=0.0, width=2, depth=1)
    trace = spread_run(small, settings, 40_000, 3)
    assert (trace.tables(0) == trace.tables(-1)).all()
    exact = episode(spread_view(small, trace.tables(0))).mean_reward
    assert trace.reward[0] == pytest.approx(exact, abs=0.03)  # about 4 standard errors


@pytest.mark.parametrize("actor", ["softmax", "cell network", "network"])
def test_one_reward_for_all_leaves_gossip_nothing_to_change(small: SimpleSpread, actor: str) -> None:
    def end(rounds: int, rewards: str) -> np.ndarray:
        settings = SpreadSettings(
            actor=actor, gossip_rounds=rounds, rewards=rewards, width=4, depth=2, alpha=0.05,  # type: ignore[arg-type]
        )  # fmt: skip
        return spread_run(small, settings, 500, 0, consensus=full_average(2)).theta

    assert (end(0, "shared") == end(10, "shared")).all()
    assert (end(0, "local") != end(10, "local")).any()


@compiled
def _probabilities_and_score(policy, theta, i, s, a, out, d):  # type: ignore[no-untyped-def]
    _fill(policy, theta, i, s, out)
    _add_score(policy, theta, i, s, a, out, 1.0, d)


def _as_finite_policy(game: SimpleSpread, settings: SpreadSettings, seed: int) -> tuple[NeuralPolicy, np.ndarray]:
    """The network of the state with the dense class: explicit inputs of every state."""
    N, C = game.n_agents, game.n_cells
    policy, theta = NeuralPolicy.draw(
        N * C, game.n_actions, width=settings.width, depth=settings.depth, seed=np.random.default_rng(seed)
    )
    inputs, cells = np.zeros((game.n_states, N * C)), game.cells(np.arange(game.n_states))
    for j in range(N):
        inputs[np.arange(game.n_states), j * C + cells[j]] = 1 / np.sqrt(N)
    return replace(policy, inputs=(inputs,) * N), theta


def test_network_of_the_state_is_the_dense_one_with_one_hot_cells(small: SimpleSpread) -> None:
    settings = SpreadSettings(width=5, depth=3)
    actor = spread_actor(small, settings, np.random.default_rng(4))
    policy, theta = _as_finite_policy(small, settings, 4)
    assert (actor.start == theta).all()
    assert actor.sees_state
    expected, scores = policy.probabilities(theta), policy.log_jacobian(theta)
    np.testing.assert_allclose(actor.tables(theta), np.stack(expected), atol=1e-14)
    for i, s, a in itertools.product(range(2), range(small.n_states), range(5)):
        out, d = np.zeros((2, 5)), np.zeros_like(theta)
        _probabilities_and_score(actor.kernel, theta, i, s, a, out, d)
        np.testing.assert_allclose(out[i], expected[i][s], rtol=1e-9, atol=1e-300)
        np.testing.assert_allclose(d[i], scores[i][s, a], atol=1e-9 * np.abs(scores[i][s]).max())
        assert not d[1 - i].any()


def test_own_cell_networks_do_not_see_the_others(small: SimpleSpread) -> None:
    for actor, sees, shape in (("cell network", False, (2, 6, 5)), ("network", True, (2, 36, 5))):
        found = spread_actor(small, SpreadSettings(actor=actor, width=4, depth=1), np.random.default_rng(0))  # type: ignore[arg-type]
        assert found.sees_state is sees
        assert found.tables(found.start).shape == shape


def test_a_policy_of_too_many_states_has_no_table() -> None:
    game = simple_spread(n_agents=4)
    actor = spread_actor(game, SpreadSettings(width=2, depth=1), np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"17,850,625 states, above 1,000,000"):
        actor.tables(actor.start)


def _share_of_positive_errors(depth: int, draws: int) -> float:
    """TD errors Q - r - gamma Q' of W(0) at uniform pairs of the paper's board, by NumPy."""
    game, rng, shares = simple_spread(reward_time="after"), np.random.default_rng(0), []
    for seed in range(draws):
        critic = _critic(game, SpreadSettings(depth=depth), np.random.default_rng(seed))

        def value(s: np.ndarray, a: np.ndarray, critic=critic) -> np.ndarray:  # type: ignore[no-untyped-def]
            cells, moves = game.cells(s), divmod(a, 5)
            layer = sum(critic.inputs.cell[i][cells[i]] + critic.inputs.move[i][moves[i]] for i in range(2))
            for W in critic.centre:
                layer = np.maximum(layer @ W.T, 0) / np.sqrt(len(critic.b))
            return np.asarray(layer @ critic.b)

        s, (a, after) = rng.integers(game.n_states, size=2_000), rng.integers(25, size=(2, 2_000))
        target = game.successors(s)[np.arange(2_000), a]
        error = value(s, a) - game.position_reward[target] - game.gamma * value(target, after)
        shares.append((error > 0).mean())
    return float(np.mean(shares))


@pytest.mark.parametrize(("depth", "least"), [(5, 0.9), (40, 0.95)])
def test_the_first_critic_s_td_error_is_nearly_always_positive(depth: int, least: float) -> None:
    """Then a normalised step at M = 1 makes more likely whatever was sampled (figure-2-10)."""
    assert least < _share_of_positive_errors(depth, 40) < 1


def test_a_zero_direction_is_counted_and_moves_nothing() -> None:
    """One cell, every landmark covered, no reward: the exact critic is zero, and line 17 divides zero by zero."""
    game = simple_spread(1, 1, 1, landmarks=[(0, 0)], reward_time="after")
    trace = spread_run(game, SpreadSettings(critic="exact", reading="repaired", actor="softmax"), 7, 0)
    assert trace.zero_directions == 7
    assert (trace.thetas == 0).all()


def test_alpha_over_t_starts_at_one(small: SimpleSpread) -> None:
    settings = SpreadSettings(actor="softmax", width=4, depth=1, alpha=0.6, alpha_exponent=1.0)
    thetas = spread_run(small, settings, 3, 0, checkpoints=3).thetas
    lengths = np.linalg.norm(np.diff(thetas, axis=0), axis=2)
    np.testing.assert_allclose(lengths, [[0.6] * 2, [0.3] * 2, [0.2] * 2], rtol=1e-12)


def test_a_run_that_leaves_the_floats_is_reported(small: SimpleSpread) -> None:
    trace = spread_run(small, SpreadSettings(reading="repaired", beta=1e200, width=4, depth=2), 50, 0, checkpoints=5)
    assert "not finite" in trace.failure
    assert np.isnan(trace.tables(-1)).all()


@pytest.mark.parametrize(
    ("name", "critic", "least", "most"),
    [("repaired", "exact", 0.8, 1.0), ("printed", "exact", -1.0, 0.05), ("printed", "network", -1.0, 0.05)],
)
def test_only_the_repaired_direction_learns(
    small: SimpleSpread, name: str, critic: str, least: float, most: float
) -> None:
    settings = SpreadSettings(reading=name, critic=critic, actor="softmax", width=4, depth=1, alpha=0.05)  # type: ignore[arg-type]
    trace = spread_run(small, settings, 4_000, 0)
    first, last = (episode(spread_view(small, trace.tables(k))).mean_reward for k in (0, -1))
    gap = episode_optimum(small).mean_reward - first
    assert least * gap < last - first < most * gap


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reading": "other"}, "reading is 'other'"), ({"rewards": "mine"}, "rewards is 'mine'"),
        ({"actor": "tree"}, "actor is 'tree'"), ({"depth": 0}, "depth is 0"), ({"width": 0}, "width is 0"),
        ({"depth": float("nan")}, "depth is nan"), ({"width": float("inf")}, "width is inf"),
        ({"critic_iterations": 0}, "critic_iterations is 0"), ({"beta": -1.0}, "beta is -1"),
        ({"radius": 0.0}, "radius is 0"), ({"radius": -1.0}, "radius is -1"),
        ({"radius": float("nan")}, "radius is nan"),
        ({"gossip_rounds": -1}, "gossip_rounds is -1"), ({"batch": 0}, "batch is 0"), ({"alpha": -1.0}, "alpha is -1"),
        ({"critic": "perfect"}, "critic is 'perfect'"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpreadSettings(**change)  # type: ignore[arg-type]


def test_wrong_runs_are_named(small: SimpleSpread) -> None:
    with pytest.raises(ValueError, match="horizon is 5 and checkpoints 6"):
        spread_run(small, SpreadSettings(), 5, 0, checkpoints=6)
    with pytest.raises(ValueError, match="consensus"):
        spread_run(small, SpreadSettings(), 5, 0, consensus=full_average(3))
    with pytest.raises(ValueError, match="not uniform"):
        spread_run(simple_spread(3, 2, 2, start=[(0, 0), (1, 1)]), SpreadSettings(), 5, 0)
    with pytest.raises(ValueError, match="horizon is nan"):
        spread_run(small, SpreadSettings(), float("nan"), 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"critic is 'exact'.* above 1,000,000"):
        spread_run(simple_spread(n_agents=3), SpreadSettings(critic="exact"), 5, 0)


def test_gossip_needs_a_connected_graph_unless_there_is_none(small: SimpleSpread) -> None:
    with pytest.raises(DisconnectedScheduleError, match=r"agents \{0\}, \{1\}"):
        spread_run(small, SpreadSettings(), 5, 0, consensus=np.eye(2))
    spread_run(small, SpreadSettings(gossip_rounds=0), 5, 0, consensus=np.eye(2))


