"""Simple Spread on a board (zhang2025 Appendix D.1), by its printed parameters.

Good for: exact J, J*, gradients and laws at the size of a published experiment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mdp.large.spread_model import Cell, RewardTime, SimpleSpread

STATE_LIMIT = 20_000_000
"""Most joint positions; ours: 160 MB per vector. Four agents on 13 x 5 have 17.9 million."""


def simple_spread(
    length: int = 13,
    width: int = 5,
    n_agents: int = 2,
    *,
    landmarks: Iterable[Sequence[int]] | None = None,
    seed: int = 0,
    start: Sequence[Sequence[int]] | None = None,
    gamma: float = 0.99,
    reward_time: RewardTime = "before",
) -> SimpleSpread:
    """Simple Spread of zhang2025 Appendix D.1: board 13 x 5, moves Up, Down, Left, Right, Stay, gamma 0.99.

    The reward is printed without saying whether it is earned before or after the move; `reward_time` takes
    either. The restart form of Sec. 3.1 is the same object: `mdp.large.SparseExact.restart_stationary` is the law
    of its chain. The form that resets every ten steps is `episode` and `episode_optimum`.

    Args:
        length: columns of the board.
        width: rows of the board.
        n_agents: N, agents and landmarks.
        landmarks: (column, row) of each; drawn without replacement if None.
        seed: of that draw.
        start: (column, row) of each agent at the start (s0 of Sec. 3.1); uniform positions if None.
        gamma: discount factor.
        reward_time: whether r(s, a) is the reward of s or of its successor.

    Raises:
        ValueError: an empty board, more agents than cells or states than `STATE_LIMIT`, a landmark off the board
            or twice in one place, a start off the board.
    """
    if min(length, width, n_agents) < 1:
        raise ValueError(f"length, width and n_agents are {length}, {width}, {n_agents}; each is at least 1")
    cells = length * width
    if n_agents > cells:
        raise ValueError(f"{n_agents} landmarks need distinct cells; a {length} x {width} board has {cells}")
    if cells**n_agents > STATE_LIMIT:
        raise ValueError(f"{cells}^{n_agents} = {cells**n_agents:,} joint positions, above {STATE_LIMIT:,}")
    if landmarks is None:
        drawn = np.random.default_rng(seed).choice(cells, size=n_agents, replace=False)
        places = tuple((int(cell) // width, int(cell) % width) for cell in drawn)
    else:
        places = _on_board("landmarks", landmarks, length, width, n_agents)
        for i, place in enumerate(places):
            if place in places[:i]:
                raise ValueError(f"landmarks[{i}] is {place}, like landmarks[{places.index(place)}]; they are distinct")
    S = cells**n_agents
    if start is None:
        initial = np.full(S, 1.0 / S)
    else:
        initial = np.zeros(S)
        at = [column * width + row for column, row in _on_board("start", start, length, width, n_agents)]
        initial[np.ravel_multi_index(at, (cells,) * n_agents)] = 1.0
    name = f"simple-spread-{length}x{width}-{n_agents}"
    return SimpleSpread(length, width, places, initial, gamma, reward_time, name)


def _on_board(name: str, places: Iterable[Sequence[int]], length: int, width: int, n_agents: int) -> tuple[Cell, ...]:
    found = []
    for i, place in enumerate(places):
        if len(place) != 2 or any(int(x) != x for x in place):
            raise ValueError(f"{name}[{i}] is {tuple(place)}, not (column, row)")
        column, row = int(place[0]), int(place[1])
        if not (0 <= column < length and 0 <= row < width):
            raise ValueError(f"{name}[{i}] is {(column, row)}, off the {length} x {width} board")
        found.append((column, row))
    if len(found) != n_agents:
        raise ValueError(f"{name} has {len(found)} entries for {n_agents} agents")
    return tuple(found)
