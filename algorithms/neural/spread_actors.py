"""Actors of the Simple Spread experiment: the kernels' policy, where it starts, and its exact tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from algorithms.neural import _spread_kernel
from algorithms.neural._policies import policy_arrays
from algorithms.neural.spread_settings import SpreadSettings
from mdp.large import SimpleSpread
from mdp.policies import NeuralPolicy

TABLE_LIMIT = 1_000_000
"""Most joint positions for the tables of a policy of the state; ours: four agents would take 2.9 GB."""


@dataclass(frozen=True, eq=False)
class SpreadActor:
    """A policy class on the board, with one draw of its fixed layers.

    Attributes:
        kernel: arrays for the kernels.
        start: initial parameters, (N, P).
        sees_state: whether agents see every agent's cell; else their own.
        tables: from parameters to probabilities by agent, state (or own cell) and move, (N, S or C, 5).
    """

    kernel: Any
    start: Float[np.ndarray, "N P"]
    sees_state: bool
    tables: Callable[[np.ndarray], np.ndarray]


def spread_actor(game: SimpleSpread, settings: SpreadSettings, rng: np.random.Generator) -> SpreadActor:
    """The actor of a run.

    Args:
        game: the board.
        settings: its `actor`, `width` and `depth` count.
        rng: of the fixed layers and the start.
    """
    N, C, moves = game.n_agents, game.n_cells, game.n_actions[0]
    counts, place = np.array(game.n_actions, dtype=np.int64), place_values(game)
    if settings.actor == "softmax":
        kernel = _spread_kernel.CellSoftmax(place, C, counts)
        return SpreadActor(kernel, np.zeros((N, C * moves)), False, _softmax_tables(N, C, moves))
    layers = {"width": settings.width, "depth": settings.depth, "seed": rng}
    if settings.actor == "cell network":
        policy, theta = NeuralPolicy.draw(C, game.n_actions, **layers)  # type: ignore[arg-type]
        inner = _spread_kernel.Cells(policy_arrays(policy), place, C, counts)
        return SpreadActor(inner, theta, False, lambda x: np.stack(policy.probabilities(x)))
    policy, theta = NeuralPolicy.draw(N * C, game.n_actions, **layers)  # type: ignore[arg-type]
    m, depth = settings.width, settings.depth
    columns = np.stack(policy.H).transpose(0, 2, 1).reshape(N, N, C, m) / np.sqrt(N)
    network = _spread_kernel.StateNetwork(
        np.ascontiguousarray(columns), np.stack(policy.b), counts, place, np.zeros((depth + 1, m)), np.zeros((2, m))
    )
    return SpreadActor(network, theta, True, _state_tables(game, network))


def place_values(game: SimpleSpread) -> np.ndarray:
    """Place value of each agent's digit in a state number, (N,), agent 0 leading.

    Args:
        game: the board.
    """
    values: np.ndarray = game.n_cells ** np.arange(game.n_agents - 1, -1, -1, dtype=np.int64)
    return values


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _softmax_tables(n_agents: int, n_cells: int, n_moves: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda theta: _softmax(theta.reshape(n_agents, n_cells, n_moves))


def _state_tables(game: SimpleSpread, network: _spread_kernel.StateNetwork) -> Callable[[np.ndarray], np.ndarray]:
    depth, m = len(network.layers) - 1, network.b.shape[2]

    def tables(theta: np.ndarray) -> np.ndarray:
        if game.n_states > TABLE_LIMIT:
            raise ValueError(f"{game.name} has {game.n_states:,} states, above {TABLE_LIMIT:,} for a policy's table")
        cells, found = game.cells(np.arange(game.n_states)), []
        for columns, b, row in zip(network.columns, network.b, theta, strict=True):
            layer = sum(columns[j][cells[j]] for j in range(game.n_agents))
            for W in row.reshape(depth, m, m):
                layer = np.maximum(layer @ W.T, 0.0) / np.sqrt(m)
            found.append(_softmax(layer @ b.T))
        return np.stack(found)

    return tables
