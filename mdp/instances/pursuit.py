"""Mini pursuit: two pursuers must meet at the evader's cell, small enough to be exact."""

from __future__ import annotations

from itertools import product

import numpy as np

from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule, full_average
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem

MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""Stay, up, down, left, right."""

CATCH_REWARD, NEAR_REWARD = 1.0, 0.1
"""Both pursuers on the evader, and one of them on it; ours, in the ratio of SISL pursuit's tag to catch rewards."""


def mini_pursuit(rows: int = 2, columns: int = 3, gamma: float = 0.9) -> Problem:
    """Two pursuers and one evader on a grid; the evader moves at random and is caught when both arrive.

    Good for: an exact anchor of the pursuit-evasion experiment (zeng2022 Sec. 5): J, its gradient and J* are known.
    State: the cells of pursuer 0, pursuer 1 and evader, pursuer 0 slowest. Moves off the board stay. After a catch
    all three are placed uniformly at random. Each pursuer's reward is its own: 1/10 for standing on the evader, 1 for
    a catch.

    Policies: logits linear in the sign of the evader's offset along each move, shared, plus a personal bias per move.

    Args:
        rows: height of the grid.
        columns: width; rows times columns at most 9 (729 states), as kernels are dense.
        gamma: discount factor.

    Raises:
        ValueError: the grid is empty, a single cell, or has more than nine cells.
    """
    cells = list(product(range(rows), range(columns)))
    if not 2 <= len(cells) <= 9:
        raise ValueError(f"{rows} x {columns} has {len(cells)} cells; the dense pursuit takes 2 to 9")
    place = {cell: k for k, cell in enumerate(cells)}
    moved = np.array([[place.get((i + di, j + dj), place[i, j]) for di, dj in MOVES] for i, j in cells])
    C, A = len(cells), len(MOVES) ** 2
    states = list(product(range(C), repeat=3))
    index = np.arange(len(states)).reshape(C, C, C)
    P, r = np.zeros((len(states), A, len(states))), np.zeros((2, len(states), A))
    for s, (x, y, e) in enumerate(states):
        if x == y == e:  # caught: pay, and place everyone afresh
            P[s] = 1.0 / len(states)
            r[:, s] = CATCH_REWARD
            continue
        r[0, s], r[1, s] = NEAR_REWARD * (x == e), NEAR_REWARD * (y == e)
        for a, (first, second) in enumerate(product(range(len(MOVES)), repeat=2)):
            for k in range(len(MOVES)):
                P[s, a, index[moved[x, first], moved[y, second], moved[e, k]]] += 1.0 / len(MOVES)
    mdp = FiniteMDP(P, r, np.full(len(states), 1 / len(states)), gamma, (len(MOVES),) * 2, name="mini-pursuit")
    policy = LogLinearPolicy(tuple(_toward_evader(cells, states, i) for i in (0, 1)), n_shared=1)
    schedule = Schedule.static(full_average(2))
    return Problem(mdp, policy, _features(cells, states, r), schedule, name=mdp.name)


def _toward_evader(cells: list[tuple[int, int]], states: list[tuple[int, ...]], agent: int) -> np.ndarray:
    """Policy features (S, 5, 1 + 4): progress of each move towards the evader, then a bias per move but staying."""
    psi = np.zeros((len(states), len(MOVES), len(MOVES)))
    for s, state in enumerate(states):
        offset = np.sign(np.subtract(cells[state[2]], cells[state[agent]]))
        for k, move in enumerate(MOVES):
            psi[s, k, 0] = offset @ np.array(move)
            if k:
                psi[s, k, k] = 1.0
    return psi


def _features(cells: list[tuple[int, int]], states: list[tuple[int, ...]], r: np.ndarray) -> Features:
    """Critic: constant, the two distances, caught. Reward: constant and the team reward itself."""
    at = np.array([[cells[k] for k in state] for state in states], dtype=float)
    distances = np.abs(at[:, :2] - at[:, 2:]).sum(axis=2)
    caught = (distances.sum(axis=1) == 0).astype(float)
    critic = np.column_stack([np.ones(len(states)), distances / max(1.0, distances.max()), caught]) / 2
    team = r.mean(axis=0)
    joint = np.stack([np.full_like(team, 0.5), team / 2], axis=2)
    return Features(critic, joint)
