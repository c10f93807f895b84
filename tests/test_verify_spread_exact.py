"""Exact rewards and the exact optimum of Simple Spread: against generic recursions, bounds and hand counts."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from algorithms.neural.spread import spread_view
from mdp.large import EPISODE, SimpleSpread, episode, episode_optimum, simple_spread
from verify.experiments.simple_spread.exact import (
    best_reward,
    counted_reward,
    distances,
    own_landmark_reward,
    policy_reward,
    uniform_reward,
)
from verify.experiments.simple_spread.runs import game_of, levels

TIMES = ("before", "after")


def costs(game: SimpleSpread) -> np.ndarray:
    """Mean distance over an episode of an agent that walks straight to a landmark, (N landmarks, C cells)."""
    first = 1 if game.reward_time == "after" else 0
    steps = np.arange(first, first + EPISODE)
    found: np.ndarray = np.maximum(0, distances(game)[:, :, None] - steps).mean(axis=2)
    return found


def solo_reward(game: SimpleSpread) -> float:
    """No joint policy earns more per step: every landmark has all agents to itself."""
    total = 0.0
    for row in costs(game):
        values, counts = np.unique(row, return_counts=True)
        least = np.diff(1.0 - (1.0 - np.append(0.0, np.cumsum(counts) / len(row))) ** game.n_agents)
        total -= float(values @ least)
    return total


def assignment_reward(game: SimpleSpread, starts: int, rng: np.random.Generator) -> tuple[float, float]:
    """A joint policy earns at least this: agents share the landmarks out at the least cost. Mean, standard error."""
    table = costs(game)
    values = []
    for row in rng.integers(game.n_cells, size=(starts, game.n_agents)):
        here = table[:, row]
        values.append(-here[linear_sum_assignment(here)].sum())
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(starts))


@given(
    st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.sampled_from(TIMES), st.integers(0, 2**32 - 1)
)
@settings(max_examples=40, deadline=None)
def test_reward_and_optimum_are_those_of_generic_recursions(
    length: int, width: int, agents: int, time: str, seed: int
) -> None:
    if agents > length * width:
        return
    game = simple_spread(length, width, agents, seed=seed, reward_time=time)  # type: ignore[arg-type]
    tables = np.random.default_rng(seed).dirichlet(np.full(5, 0.5), size=(agents, game.n_cells))
    assert policy_reward(game, tables) == pytest.approx(episode(spread_view(game, tables)).mean_reward, abs=1e-12)
    assert float(best_reward(game)) == pytest.approx(episode_optimum(game).mean_reward, abs=1e-12)


@pytest.mark.parametrize("time", TIMES)
def test_four_agents_on_a_small_board(time: str) -> None:
    game = simple_spread(3, 2, 4, reward_time=time)  # type: ignore[arg-type]
    tables = np.random.default_rng(1).dirichlet(np.ones(5), size=(4, 6))
    assert policy_reward(game, tables) == pytest.approx(episode(spread_view(game, tables)).mean_reward, abs=1e-13)
    assert float(best_reward(game)) == pytest.approx(episode_optimum(game).mean_reward, abs=1e-13)


@pytest.mark.parametrize("agents", [2, 3])
def test_optimum_of_the_paper_s_board(agents: int) -> None:
    assert float(levels(agents).best) == pytest.approx(episode_optimum(game_of(agents)).mean_reward, abs=1e-12)


@pytest.mark.slow
def test_optimum_of_four_agents_lies_between_bounds_that_need_no_table() -> None:
    best, game = levels(4).best, game_of(4)
    assert best == Fraction(-293443563, 178506250)
    low, error = assignment_reward(game, 5_000, np.random.default_rng(0))
    assert low - 4 * error <= best <= solo_reward(game)


@pytest.mark.parametrize("agents", [2, 3])
@pytest.mark.parametrize("time", TIMES)
def test_bounds_hold_the_exact_optimum(agents: int, time: str) -> None:
    game = simple_spread(5, 3, agents, reward_time=time)  # type: ignore[arg-type]
    low, error = assignment_reward(game, 2_000, np.random.default_rng(0))
    assert low - 4 * error <= best_reward(game) <= solo_reward(game)
    assert own_landmark_reward(game) <= best_reward(game)


def test_one_agent_walks_to_its_landmark_and_nobody_does_better() -> None:
    game = simple_spread(13, 5, 1, landmarks=[(2, 1)], reward_time="after")
    total = sum(max(0, abs(x - 2) + abs(y - 1) - h) for x in range(13) for y in range(5) for h in range(1, 11))
    assert best_reward(game) == own_landmark_reward(game) == -Fraction(total, 65 * 10)


def test_rationals_and_floats_agree() -> None:
    for agents in (2, 3, 4):
        game = game_of(agents)
        uniform = np.full((agents, game.n_cells, 5), 0.2)
        assert policy_reward(game, uniform) == pytest.approx(float(uniform_reward(game)), abs=1e-12)
    chosen = np.random.default_rng(3).multinomial(4, [0.2] * 5, size=(2, 6))
    game = simple_spread(3, 2, 2, reward_time="before")
    assert policy_reward(game, chosen / 4) == pytest.approx(float(counted_reward(game, chosen)), abs=1e-13)


def test_uniform_reward_by_every_path() -> None:
    """Two agents, four cells, two landmarks: one step before and one after a move are counted by hand."""
    game = simple_spread(2, 2, 2, landmarks=[(0, 0), (1, 1)], reward_time="before")
    far = distances(game)
    first = -Fraction(sum(int(far[k, [c, d]].min()) for k in range(2) for c in range(4) for d in range(4)), 16)
    # on this board uniform moves keep the uniform law: every cell is entered from itself 3 times and from 2 others once
    assert all(np.bincount(game.moves.ravel(), minlength=4) == 5)
    assert uniform_reward(game) == first


def test_policies_of_the_state_go_the_generic_way() -> None:
    game = simple_spread(3, 2, 2, reward_time="after")
    cells = game.cells(np.arange(game.n_states))
    own = np.random.default_rng(0).dirichlet(np.ones(5), size=(2, 6))
    whole = np.stack([own[i][cells[i]] for i in range(2)])
    assert policy_reward(game, whole) == pytest.approx(policy_reward(game, own), abs=1e-13)
    assert np.isnan(policy_reward(game, np.full((2, 6, 5), np.nan)))


def test_wrong_tables_are_named() -> None:
    game = simple_spread(3, 2, 2)
    with pytest.raises(ValueError, match=r"tables has shape \(2, 7, 5\)"):
        policy_reward(game, np.full((2, 7, 5), 0.2))
    uneven = np.ones((2, 6, 5), dtype=int)
    uneven[1, 2, 3] = 2
    with pytest.raises(ValueError, match="chosen has sums from 5 to 6"):
        counted_reward(game, uneven)


def test_solo_bound_against_every_start() -> None:
    game = simple_spread(3, 2, 2, reward_time="after")
    total = 0.0
    for landmark in game.landmarks:
        d = [abs(x - landmark[0]) + abs(y - landmark[1]) for x in range(3) for y in range(2)]
        for c, e in itertools.product(d, d):
            total -= sum(max(0, min(c, e) - h) for h in range(1, 11)) / 10 / 36
    assert solo_reward(game) == pytest.approx(total, rel=1e-12)
