"""Exact rewards on the board for any number of agents, and the exact optimum, in whole numbers.

Two facts make four agents (17.9 million joint positions, 625 joint actions) as easy as two:

- Policies in the agents' own cells, moves that concern the mover alone and independent uniform starts leave the agents
  *independent* between resets. The mean of the least of N independent distances is a sum of products of tails,
  ``E min_j d_j = sum_{x >= 0} prod_j P(d_j > x)``, so the reward of a policy needs the N laws over cells only.
- A joint action is one move per agent, so the best of all joint actions is found agent by agent:
  ``max_{a_1..a_N} V(s_1', .., s_N') = max_{a_1} .. max_{a_N} V``, 5 N comparisons in place of 5^N. Rewards are whole
  numbers, and so is the optimum of an episode from every start.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from jaxtyping import Float

from algorithms.neural.spread import spread_view
from mdp.large import EPISODE, SimpleSpread, episode
from mdp.validate import require_shape

N_MOVES = 5
"""Up, down, left, right, stay."""


def policy_reward(game: SimpleSpread, tables: Float[np.ndarray, "N X 5"]) -> float:
    """Mean team reward per step of fixed policies, with uniform resets every ten steps; exact but for rounding.

    Args:
        game: the board.
        tables: probabilities by agent, own cell or state (X is C or S), and move; NaN gives NaN (a run that failed).

    Raises:
        ValueError: tables of another shape.

    Source: zhang2025 Appendix D.1; for policies in the own cell the sum of products of tails (see the module).
    """
    if not np.isfinite(tables).all():
        return float("nan")
    if tables.shape[1] == game.n_states:
        return episode(spread_view(game, tables)).mean_reward
    N, C = game.n_agents, game.n_cells
    require_shape("tables", tables, (N, C, N_MOVES), "(N, C, 5) or (N, S, 5)")
    chain = np.zeros((N, C, C))
    for move in range(N_MOVES):
        chain[:, np.arange(C), game.moves[:, move]] += tables[:, :, move]
    law, total = np.full((N, 1, C), 1.0 / C), 0.0
    beyond = _beyond(game).astype(np.float64)
    for step in range(EPISODE + 1):
        if step in _rewarded(game):
            total -= float((law[:, 0] @ beyond.T).prod(axis=0).sum())
        law = law @ chain
    return total / EPISODE


def counted_reward(game: SimpleSpread, chosen: np.ndarray) -> Fraction:
    """The same in rationals, for policies that choose among listed moves with equal probabilities.

    Args:
        game: the board.
        chosen: whole numbers by agent, own cell and move, (N, C, 5), with the same sum k in every cell: a move has
            probability ``chosen / k``. All ones are uniform policies.

    Raises:
        ValueError: another shape, or sums that differ.
    """
    require_shape("chosen", chosen, (game.n_agents, game.n_cells, N_MOVES), "(N, C, 5)")
    sums = chosen.sum(axis=2)
    if sums.min() < 1 or sums.min() != sums.max():
        raise ValueError(f"chosen has sums from {sums.min()} to {sums.max()}; every cell has the same sum, at least 1")
    k, total = int(sums[0, 0]), Fraction(0)
    counts = np.ones((game.n_agents, game.n_cells), dtype=object)
    for step in range(EPISODE + 1):
        if step in _rewarded(game):
            tails = counts @ _beyond(game).T.astype(object)  # of every agent, times C k^step
            total -= Fraction(int(tails.prod(axis=0).sum()), (game.n_cells * k**step) ** game.n_agents)
        after = np.zeros_like(counts)
        for move in range(N_MOVES):
            for i in range(game.n_agents):
                np.add.at(after[i], game.moves[:, move], counts[i] * chosen[i, :, move])
        counts = after
    return total / EPISODE


def uniform_reward(game: SimpleSpread) -> Fraction:
    """Exact mean reward per step of uniform policies.

    Args:
        game: the board.
    """
    return counted_reward(game, np.ones((game.n_agents, game.n_cells, N_MOVES), dtype=np.int64))


def own_landmark_reward(game: SimpleSpread) -> Fraction:
    """Exact mean reward per step when agent i walks straight to landmark i: what policies in the own cell can reach.

    A lower bound on the best of such policies; they cannot divide the landmarks by who is closest.

    Args:
        game: the board.
    """
    chosen = np.zeros((game.n_agents, game.n_cells, N_MOVES), dtype=np.int64)
    for i, row in enumerate(distances(game)):
        chosen[i, np.arange(game.n_cells), row[game.moves].argmin(axis=1)] = 1
    return counted_reward(game, chosen)


def best_reward(game: SimpleSpread) -> Fraction:
    """Exact best mean reward per step over all joint policies, which may see everything, the step included.

    Backward recursion over an episode in whole numbers, the best joint move agent by agent; four agents take 0.2 GB.

    Args:
        game: the board; resets to uniform positions every ten steps.

    Source: Puterman (1994), Markov Decision Processes, Sec. 4.5; agent by agent is ours (see the module).
    """
    N, C, after = game.n_agents, game.n_cells, game.reward_time == "after"
    largest = EPISODE * N * (game.length + game.width)
    reward = _position_rewards(game, np.int16 if largest < np.iinfo(np.int16).max else np.int64)
    V = np.zeros_like(reward)
    for _ in range(EPISODE):
        if after:
            V += reward
        for i in range(N):
            V = _best_move(V.reshape(C**i, game.length, game.width, -1))
        V = V.reshape(reward.shape)
        if not after:
            V += reward
    return Fraction(int(V.sum(dtype=np.int64)), EPISODE * C**N)


def distances(game: SimpleSpread) -> np.ndarray:
    """l1 distance of every landmark from every cell, (N landmarks, C cells), whole numbers.

    Args:
        game: the board.
    """
    found: np.ndarray = np.abs(game.positions[None] - np.array(game.landmarks)[:, None]).sum(axis=2)
    return found


def _rewarded(game: SimpleSpread) -> range:
    """Numbers of moves after which the ten rewards of an episode are earned."""
    first = 1 if game.reward_time == "after" else 0
    return range(first, first + EPISODE)


def _beyond(game: SimpleSpread) -> np.ndarray:
    """Whether a cell is farther than x from a landmark: a row per landmark and x, (rows, C)."""
    far = distances(game)
    rows: np.ndarray = far[:, None, :] > np.arange(far.max())[None, :, None]
    return rows.reshape(-1, game.n_cells)


def _position_rewards(game: SimpleSpread, kind: type) -> np.ndarray:
    """Minus the summed distances of landmarks from their nearest agents, by the cells of all agents, (C, .., C)."""
    total: np.ndarray = np.zeros((game.n_cells,) * game.n_agents, dtype=kind)
    for row in distances(game).astype(kind):
        grids = np.meshgrid(*[row] * game.n_agents, indexing="ij", sparse=True)
        nearest = grids[0]
        for grid in grids[1:]:
            nearest = np.minimum(nearest, grid)
        total -= nearest
    return total


def _best_move(V: np.ndarray) -> np.ndarray:
    """Largest of V where the agent whose column and row are axes 1 and 2 stays, or moves by one; (a, L, W, b)."""
    best = V.copy()
    whole, low, high = slice(None), slice(None, -1), slice(1, None)
    for axis in (1, 2):
        for to, come in ((low, high), (high, low)):
            at, target = [whole] * 4, [whole] * 4
            at[axis], target[axis] = to, come
            np.maximum(best[tuple(at)], V[tuple(target)], out=best[tuple(at)])
    return best
