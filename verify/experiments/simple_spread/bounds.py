"""Bounds on the best reward of Simple Spread that need no table over joint positions."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from mdp.large import EPISODE, SimpleSpread


def _costs(game: SimpleSpread) -> np.ndarray:
    """Mean distance over an episode of an agent that walks straight to a landmark, (N landmarks, C cells)."""
    first = 1 if game.reward_time == "after" else 0
    distance = np.abs(game.positions[None] - np.array(game.landmarks)[:, None]).sum(axis=2)
    steps = np.arange(first, first + EPISODE)
    costs: np.ndarray = np.maximum(0, distance[:, :, None] - steps).mean(axis=2)
    return costs


def solo_reward(game: SimpleSpread) -> float:
    """No joint policy earns more per step: every landmark has all agents to itself.

    The agent that is closest at the start can be closest at every step, at distance max(0, d - h) after h moves, and d
    is the least of N independent uniform cells' distances.

    Args:
        game: the board; resets to uniform positions every ten steps.
    """
    total = 0.0
    for row in _costs(game):
        costs, counts = np.unique(row, return_counts=True)  # the least of the agents' costs, for the nearest agent
        reached = np.append(0.0, np.cumsum(counts) / len(row))
        least = np.diff(1.0 - (1.0 - reached) ** game.n_agents)
        total -= float(costs @ least)
    return total


def assignment_reward(game: SimpleSpread, starts: int, rng: np.random.Generator) -> tuple[float, float]:
    """A joint policy earns at least this: at each reset agents share the landmarks out at the least total cost.

    Args:
        game: the board; resets to uniform positions every ten steps.
        starts: random positions to average over.
        rng: of the positions.

    Returns:
        Mean reward per step, and its standard error.
    """
    costs = _costs(game)
    cells = rng.integers(game.n_cells, size=(starts, game.n_agents))
    values = np.empty(starts)
    for k, row in enumerate(cells):
        table = costs[:, row]
        values[k] = -table[linear_sum_assignment(table)].sum()
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(starts))
