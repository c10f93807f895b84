"""Simple Spread for the kernels of `algorithms.neural`: moves, rewards, critic inputs and policies, no table of S.

A state is the number whose digits in base C (cells) are the agents' cells, agent 0 leading, as in `mdp.large`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from algorithms.neural._critics import _first_layer
from algorithms.neural._network import _backward_step, _layer
from algorithms.neural._policies import JIT, _add_score, _fill
from algorithms.neural._state import _reward, _start, _successor


class Board(NamedTuple):
    """The environment.

    Attributes:
        moves: next cell after each move, (C, 5).
        place: place value of each agent's digit, (N,).
        distance: l1 distance of each landmark from each cell, (N, C).
        local: agent i earns its own landmark's term, N times; else each earns the sum over landmarks.
        after: the reward is that of the successor; else that of the state.
    """

    moves: np.ndarray
    place: np.ndarray
    distance: np.ndarray
    local: bool
    after: bool


class CellInputs(NamedTuple):
    """Critic inputs: every agent's cell and move one-hot, over sqrt(2 N); multiplied by H agent by agent.

    Attributes:
        cell: H x by agent and cell, (N, C, m).
        move: H x by agent and move, (N, 5, m).
        place: as of `Board`.
    """

    cell: np.ndarray
    move: np.ndarray
    place: np.ndarray


class CellSoftmax(NamedTuple):
    """Softmax with a logit per own cell and move: theta (N, 5 C)."""

    place: np.ndarray
    n_cells: int
    n_actions: np.ndarray


class Cells(NamedTuple):
    """A policy in what each agent observes: its own cell, and `inner` is a policy whose states are cells."""

    inner: Any
    place: np.ndarray
    n_cells: int
    n_actions: np.ndarray


class StateNetwork(NamedTuple):
    """A network per agent in the whole state, every cell one-hot; theta (N, D m^2) holds its inner layers.

    Attributes:
        columns: columns of agent i's input layer for every agent's cell, over sqrt(N), (N, N, C, m).
        b: output layers, (N, 5, m).
        n_actions: moves of each agent, (N,).
        place: as of `Board`.
        layers: scratch, (D + 1, m).
        back: scratch, (2, m).
    """

    columns: np.ndarray
    b: np.ndarray
    n_actions: np.ndarray
    place: np.ndarray
    layers: np.ndarray
    back: np.ndarray


@overload(_start, jit_options=JIT)
def _start_board(rng, env):  # type: ignore[no-untyped-def]
    def start(rng, env):  # type: ignore[no-untyped-def]
        n_states = env.place[0] * env.moves.shape[0]
        return min(int(rng.random() * n_states), n_states - 1)

    return start if env.instance_class is Board else None


@overload(_successor, jit_options=JIT)
def _successor_board(rng, env, s, a):  # type: ignore[no-untyped-def]
    def successor(rng, env, s, a):  # type: ignore[no-untyped-def]
        after = 0
        for i in range(len(env.place) - 1, -1, -1):
            cell = s // env.place[i] % env.moves.shape[0]
            after += env.place[i] * env.moves[cell, a % env.moves.shape[1]]
            a //= env.moves.shape[1]
        return after

    return successor if env.instance_class is Board else None


@overload(_reward, jit_options=JIT)
def _reward_board(rng, env, i, s, a):  # type: ignore[no-untyped-def]
    def reward(rng, env, i, s, a):  # type: ignore[no-untyped-def]
        N = len(env.place)
        if env.after:
            s = _successor(rng, env, s, a)
        total = 0.0
        for landmark in range(N):
            if env.local and landmark != i:
                continue
            nearest = np.inf
            for j in range(N):
                nearest = min(nearest, env.distance[landmark, s // env.place[j] % env.moves.shape[0]])
            total -= nearest
        return N * total if env.local else total

    return reward if env.instance_class is Board else None


@overload(_first_layer, jit_options=JIT)
def _first_of_cells(inputs, s, a, layers):  # type: ignore[no-untyped-def]
    def first(inputs, s, a, layers):  # type: ignore[no-untyped-def]
        N, C, m = inputs.cell.shape
        for k in range(m):
            layers[0, k] = 0.0
        for i in range(N - 1, -1, -1):
            cell, move = s // inputs.place[i] % C, a % inputs.move.shape[1]
            a //= inputs.move.shape[1]
            for k in range(m):
                layers[0, k] += inputs.cell[i, cell, k] + inputs.move[i, move, k]

    return first if inputs.instance_class is CellInputs else None


@overload(_fill, jit_options=JIT)
def _fill_cells(policy, theta, i, s, out):  # type: ignore[no-untyped-def]
    def fill(policy, theta, i, s, out):  # type: ignore[no-untyped-def]
        _fill(policy.inner, theta, i, s // policy.place[i] % policy.n_cells, out)

    return fill if policy.instance_class is Cells else None


@overload(_add_score, jit_options=JIT)
def _score_cells(policy, theta, i, s, a, out, weight, d):  # type: ignore[no-untyped-def]
    def score(policy, theta, i, s, a, out, weight, d):  # type: ignore[no-untyped-def]
        _add_score(policy.inner, theta, i, s // policy.place[i] % policy.n_cells, a, out, weight, d)

    return score if policy.instance_class is Cells else None


@overload(_fill, jit_options=JIT)
def _fill_softmax(policy, theta, i, s, out):  # type: ignore[no-untyped-def]
    def fill(policy, theta, i, s, out):  # type: ignore[no-untyped-def]
        A = policy.n_actions[i]
        first = s // policy.place[i] % policy.n_cells * A
        top, total = theta[i, first : first + A].max(), 0.0
        for a in range(A):
            out[i, a] = np.exp(theta[i, first + a] - top)
            total += out[i, a]
        for a in range(A):
            out[i, a] /= total

    return fill if policy.instance_class is CellSoftmax else None


@overload(_add_score, jit_options=JIT)
def _score_softmax(policy, theta, i, s, a, out, weight, d):  # type: ignore[no-untyped-def]
    def score(policy, theta, i, s, a, out, weight, d):  # type: ignore[no-untyped-def]
        A = policy.n_actions[i]
        first = s // policy.place[i] % policy.n_cells * A
        for b in range(A):
            d[i, first + b] += weight * ((1.0 if b == a else 0.0) - out[i, b])

    return score if policy.instance_class is CellSoftmax else None


def _forward_state(policy: Any, theta: np.ndarray, i: int, s: int) -> None:
    """Layers of agent i's network in state s."""
    raise NotImplementedError("kernels only")


@overload(_forward_state, jit_options=JIT)
def _forward_state_overload(policy, theta, i, s):  # type: ignore[no-untyped-def]
    def forward(policy, theta, i, s):  # type: ignore[no-untyped-def]
        N, C, m = policy.columns.shape[1:]
        layers, depth = policy.layers, policy.layers.shape[0] - 1
        for k in range(m):
            layers[0, k] = 0.0
        for j in range(N):
            cell = s // policy.place[j] % C
            for k in range(m):
                layers[0, k] += policy.columns[i, j, cell, k]
        weights = theta[i].reshape(depth, m, m)
        for h in range(depth):
            _layer(weights, h, layers)

    return forward


@overload(_fill, jit_options=JIT)
def _fill_state_network(policy, theta, i, s, out):  # type: ignore[no-untyped-def]
    def fill(policy, theta, i, s, out):  # type: ignore[no-untyped-def]
        A, m, last = policy.n_actions[i], policy.b.shape[2], policy.layers.shape[0] - 1
        _forward_state(policy, theta, i, s)
        top, total = -np.inf, 0.0
        for a in range(A):
            out[i, a] = 0.0
            for k in range(m):
                out[i, a] += policy.b[i, a, k] * policy.layers[last, k]
            top = max(top, out[i, a])
        for a in range(A):
            out[i, a] = np.exp(out[i, a] - top)
            total += out[i, a]
        for a in range(A):
            out[i, a] /= total

    return fill if policy.instance_class is StateNetwork else None


@overload(_add_score, jit_options=JIT)
def _score_state_network(policy, theta, i, s, a, out, weight, d):  # type: ignore[no-untyped-def]
    def score(policy, theta, i, s, a, out, weight, d):  # type: ignore[no-untyped-def]
        m, depth, back = policy.b.shape[2], policy.layers.shape[0] - 1, policy.back
        _forward_state(policy, theta, i, s)  # the scratch holds another agent's layers by now
        for k in range(m):
            back[0, k] = 0.0
        for c in range(policy.n_actions[i]):
            pull = weight * ((1.0 if c == a else 0.0) - out[i, c])
            for k in range(m):
                back[0, k] += pull * policy.b[i, c, k]
        weights, steps = theta[i].reshape(depth, m, m), d[i].reshape(depth, m, m)
        for h in range(depth - 1, -1, -1):
            _backward_step(weights, steps, h, 1.0, policy.layers, back, h > 0)

    return score if policy.instance_class is StateNetwork else None
