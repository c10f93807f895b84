"""The two games, several copies in lockstep: PettingZoo's pursuit, and the miniature whose every value is known."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from algorithms.deep.pursuit.extras import require_extra
from algorithms.deep.pursuit.settings import CATCHERS, MOVES, Board, Miniature, Settings
from mdp.instances.pursuit import mini_pursuit
from mdp.problem import Problem

CHANNELS = 3
"""Layers of a view: walls and what is beyond the board, pursuers, evaders."""

GAME_ID = "sisl/pursuit-v5"
"""PettingZoo's name of the game; v5 differs from v4 in offering the state of the whole board."""

Views = Float[np.ndarray, "E N 3 R R"]


class Lockstep(Protocol):
    """Copies of a game that step together."""

    def reset(self, seeds: np.random.SeedSequence) -> Views:
        """Start an episode in every copy.

        Args:
            seeds: all randomness of the episodes.
        """
        ...

    def step(self, actions: Int[np.ndarray, "E N"]) -> tuple[Views, Float[np.ndarray, "E N"], np.ndarray]:
        """One joint step in every copy.

        Args:
            actions: moves.

        Returns:
            Views after it, local rewards, and (E,) booleans: which copies have reached a terminal state.
        """
        ...


def make_game(settings: Settings) -> Lockstep:
    """The game of the settings.

    Args:
        settings: which, and how many copies.

    Raises:
        MissingExtraError: PettingZoo's pursuit without its packages.
    """
    game = settings.game
    return PettingZooPursuit(game, settings.n_envs) if isinstance(game, Board) else MiniPursuit(game, settings.n_envs)


class PettingZooPursuit:
    """Copies of PettingZoo's pursuit with the paper's rule of catching, driven through its agent-by-agent API.

    The reward of a joint step is the sum over the agents' turns, as PettingZoo's parallel wrapper adds it up (a test
    compares with it; the wrapper itself costs as much again as the game).

    Args:
        board: size, agents, rewards.
        n_envs: copies.

    Raises:
        MissingExtraError: pettingzoo or pygame is not installed.
    """

    def __init__(self, board: Board, n_envs: int) -> None:
        require_extra(("pettingzoo", "pygame"))
        from pettingzoo import make

        arguments = pettingzoo_arguments(board)
        self._envs = [make("aec", GAME_ID, **arguments).unwrapped for _ in range(n_envs)]
        self._board = board
        self._over = np.zeros(n_envs, dtype=bool)

    def reset(self, seeds: np.random.SeedSequence) -> Views:
        """Start an episode in every copy.

        Args:
            seeds: gives each copy the integer that seeds it.
        """
        for env, seed in zip(self._envs, seeds.generate_state(len(self._envs)), strict=True):
            env.reset(seed=int(seed))
        self._over[:] = False
        return self._views()

    def step(self, actions: Int[np.ndarray, "E N"]) -> tuple[Views, Float[np.ndarray, "E N"], np.ndarray]:
        """One joint step; a copy without evaders stands still and pays nothing.

        Args:
            actions: moves, 0 to 4.

        Returns:
            Views after it, local rewards, and (E,) booleans: which copies have no evaders left.
        """
        rewards = np.zeros(actions.shape)
        for e, env in enumerate(self._envs):
            if self._over[e]:
                continue
            agents = env.possible_agents
            for move in actions[e]:
                env.step(int(move))
                rewards[e] += [env.rewards[agent] for agent in agents]
            self._over[e] = any(env.terminations.values())
        return self._views(), rewards, self._over.copy()

    def _views(self) -> Views:
        stacked = [[env.observe(agent) for agent in env.possible_agents] for env in self._envs]
        return np.moveaxis(np.asarray(stacked, dtype=np.float32), -1, 2)


def pettingzoo_arguments(board: Board) -> dict[str, object]:
    """Keyword arguments of PettingZoo's pursuit for a board.

    Args:
        board: size, agents, rewards.
    """
    return {
        "x_size": board.x_size, "y_size": board.y_size, "n_pursuers": board.n_pursuers, "n_evaders": board.n_evaders,
        "obs_range": board.obs_range, "max_cycles": board.horizon, "tag_reward": board.tag_reward,
        "catch_reward": board.catch_reward, "urgency_reward": board.urgency_reward,
        "surround": False, "n_catch": CATCHERS, "shared_reward": False,
    }  # fmt: skip


class MiniPursuit:
    """Copies of `mdp.instances.mini_pursuit`; it never ends, and pays r_i(s, a) exactly as the finite MDP does.

    Args:
        miniature: size of the grid.
        n_envs: copies.
    """

    def __init__(self, miniature: Miniature, n_envs: int) -> None:
        self.problem: Problem = mini_pursuit(miniature.rows, miniature.columns)
        self.images = views_of_states(miniature)
        self._n_envs = n_envs
        self._cdf, self._initial_cdf = self.problem.mdp.P.cumsum(axis=-1), self.problem.mdp.initial.cumsum()
        self._rng = np.random.default_rng(0)
        self.states = np.zeros(n_envs, dtype=np.int64)

    def reset(self, seeds: np.random.SeedSequence) -> Views:
        """Place everyone at random in every copy.

        Args:
            seeds: of the generator that also draws all transitions of the episode.
        """
        self._rng = np.random.default_rng(seeds)
        self.states = _draw(np.broadcast_to(self._initial_cdf, (self._n_envs, len(self._initial_cdf))), self._rng)
        return self.images[self.states]

    def step(self, actions: Int[np.ndarray, "E N"]) -> tuple[Views, Float[np.ndarray, "E N"], np.ndarray]:
        """One transition of the MDP in every copy.

        Args:
            actions: moves, 0 to 4, in the order of `mdp.instances.pursuit.MOVES`.

        Returns:
            Views after it, local rewards, and (E,) booleans, none of them true: no copy is ever over.
        """
        joint = np.ravel_multi_index(tuple(actions.T), (MOVES,) * CATCHERS)
        rewards = self.problem.mdp.r[:, self.states, joint].T
        self.states = _draw(self._cdf[self.states, joint], self._rng)
        return self.images[self.states], rewards, np.zeros(self._n_envs, dtype=bool)


def views_of_states(miniature: Miniature) -> Float[np.ndarray, "S N 3 R R"]:
    """What each pursuer sees in every state of the miniature: the layers of PettingZoo's views, centred on itself.

    Args:
        miniature: size of the grid.
    """
    rows, columns, R = miniature.rows, miniature.columns, miniature.view
    half, cells = R // 2, rows * columns
    images = np.zeros((cells, cells, cells, CATCHERS, CHANNELS, R, R), dtype=np.float32)
    images[..., 0, :, :] = 1.0
    for placed in np.ndindex(cells, cells, cells):
        at = [divmod(cell, columns) for cell in placed]
        for i in range(CATCHERS):
            top, left = half - at[i][0], half - at[i][1]  # where cell (0, 0) appears
            view = images[placed][i]
            view[0, top : top + rows, left : left + columns] = 0.0
            for layer, (row, column) in zip((1, 1, 2), at, strict=True):
                view[layer, top + row, left + column] += 1.0
    return images.reshape(cells**3, CATCHERS, CHANNELS, R, R)


def _draw(cdf: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One index per row of cumulated probabilities."""
    # scaled by the last entry: a sum of 1 - 1e-16 must not leave room past the last state
    chosen: np.ndarray = (rng.random(len(cdf))[:, None] * cdf[:, -1:] >= cdf).sum(axis=1)
    return chosen
