"""Settings of the pursuit experiment: the board, the networks, the steps. Nothing here needs an optional package."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any, Literal, get_args

import numpy as np

from algorithms.baselines import MDAC_BATCH

Algorithm = Literal["CAC", "DAC", "MDAC"]
"""The three of zeng2022 Fig. 1, right panels."""

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

Signal = Literal["own", "mean"]
"""Reward in the actor's TD error: the agent's own, or the mean over agents (what a perfect reward model says)."""

MOVES = 5
"""Left, right, up, down, stay."""

CATCHERS = 2
"""Pursuers that must stand on the evader together. Source: zeng2022 Sec. 5."""

OBSTACLE = ((0.3, 0.7), (0.2, 0.8))
"""Open intervals of x / x_size and y / y_size that the wall in the middle fills. Source: PettingZoo, rectangle_map."""


@dataclass(frozen=True)
class Board:
    """PettingZoo's SISL pursuit, as the paper's text describes it: two pursuers on the evader's cell catch it.

    The environment's own rule (``surround=True``: all free neighbours of the evader are occupied, ``n_catch`` unused)
    and its own reward sharing (``shared_reward=True``: all agents see one reward) are switched off: the text says "if
    two pursuers simultaneously arrive at the evader's location", and rewards r_i are local.

    Attributes:
        x_size: width of the board.
        y_size: height of the board.
        n_pursuers: N, at least two.
        n_evaders: evaders, at least one.
        obs_range: side of the square that a pursuer sees, centred on itself; odd, at least 5 for two convolutions.
        horizon: joint steps per episode, ``max_cycles`` of the environment.
        tag_reward: for an evader on one of the four cells beside a pursuer, per joint step.
        catch_reward: for each pursuer on the cell of a caught evader.
        urgency_reward: for every agent and joint step.

    Raises:
        ValueError: on construction, naming the argument and its value; also when PettingZoo could not place the
            agents: it keeps those of a kind apart and searches for ever when no cell is left.

    Source: zeng2022 Sec. 5; PettingZoo documentation, SISL pursuit (v5: rewards as in v4).
    """

    x_size: int = 16
    y_size: int = 16
    n_pursuers: int = 8
    n_evaders: int = 30
    obs_range: int = 7
    horizon: int = 500
    tag_reward: float = 0.01
    catch_reward: float = 5.0
    urgency_reward: float = -0.1

    def __post_init__(self) -> None:
        least = {"x_size": 3, "y_size": 3, "n_pursuers": CATCHERS, "n_evaders": 1, "obs_range": 5, "horizon": 1}
        for name, floor in least.items():
            _require_whole(name, getattr(self, name), floor)
        if self.obs_range % 2 == 0:
            raise ValueError(f"obs_range is {self.obs_range}; it is odd, so that the pursuer is in the middle")
        for name in ("tag_reward", "catch_reward", "urgency_reward"):
            if not isfinite(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)}; rewards are finite")
        for name, count in (("n_pursuers", self.n_pursuers), ("n_evaders", self.n_evaders)):
            # a placed agent closes its own cell and the four beside it to others of its kind
            if self.open_cells - 5 * (count - 1) < 1:
                most = (self.open_cells - 1) // 5 + 1
                where = f"{self.x_size} x {self.y_size} board with {self.open_cells} free cells"
                raise ValueError(f"{name} is {count}; a {where} surely takes {most}")

    @property
    def open_cells(self) -> int:
        """Cells outside the wall."""
        (left, right), (low, high) = OBSTACLE
        wall_x = sum(left < x / self.x_size < right for x in range(self.x_size))
        wall_y = sum(low < y / self.y_size < high for y in range(self.y_size))
        return self.x_size * self.y_size - wall_x * wall_y

    @property
    def n_agents(self) -> int:
        """N."""
        return self.n_pursuers

    @property
    def view(self) -> int:
        """Side of a pursuer's view."""
        return self.obs_range


@dataclass(frozen=True)
class Miniature:
    """The exactly solved `mdp.instances.mini_pursuit`, seen through images like those of the large board.

    Attributes:
        rows: height of the grid.
        columns: width of the grid.
        horizon: steps per episode; then all are placed afresh.

    Raises:
        ValueError: on construction, naming the argument and its value.
    """

    rows: int = 2
    columns: int = 3
    horizon: int = 40

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "horizon"):
            _require_whole(name, getattr(self, name), 1)
        if max(self.rows, self.columns) < 3:
            raise ValueError(f"the grid is {self.rows} x {self.columns}; one side of at least 3 fits two convolutions")

    @property
    def n_agents(self) -> int:
        """N, two pursuers."""
        return CATCHERS

    @property
    def view(self) -> int:
        """Side of a pursuer's view: wide enough for the whole grid, so that the view determines the state."""
        return 2 * max(self.rows, self.columns) - 1


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run but its algorithm and seed.

    Attributes:
        game: the board, or the miniature.
        episodes: blocks of ``n_envs`` episodes in lockstep.
        gamma: discount factor in [0, 1).
        actor_step: alpha.
        critic_step: beta.
        channels: filters of the two 3 x 3 convolutions, of actor and critic alike.
        n_envs: episodes side by side.
        segment: steps between updates; the batch of an update has ``n_envs * segment`` tuples.
        graph: communication graph with Metropolis weights, ``"ring"`` or ``"complete"``.
        signal: reward in the actor's TD error.
        mdac_batch: segments in a critic step of MDAC; an actor step takes one more.
        radius: projection radius of each agent's critic parameters.
        entropy: weight of the entropy of the policies in the actors' objective; 0 is the listing.
        output_scale: size of the output layers at the start, relative to the usual uniform law.

    Raises:
        ValueError: on construction, naming the argument and its value.
    """

    game: Board | Miniature = field(default_factory=Board)
    episodes: int = 100
    gamma: float = 0.95
    actor_step: float = 0.05
    critic_step: float = 0.1
    channels: tuple[int, int] = (8, 16)
    n_envs: int = 4
    segment: int = 5
    graph: Literal["ring", "complete"] = "ring"
    signal: Signal = "own"
    mdac_batch: int = MDAC_BATCH
    radius: float = 1e3
    entropy: float = 0.0
    output_scale: float = 0.1

    def __post_init__(self) -> None:
        for name in ("episodes", "n_envs", "segment", "mdac_batch"):
            _require_whole(name, getattr(self, name), 1)
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma is {self.gamma}; it lies in [0, 1)")
        for name in ("actor_step", "critic_step", "radius"):
            value = getattr(self, name)
            if not (value > 0 and isfinite(value)):
                raise ValueError(f"{name} is {value}; it is positive and finite")
        for name in ("entropy", "output_scale"):
            value = getattr(self, name)
            if not (value >= 0 and isfinite(value)):
                raise ValueError(f"{name} is {value}; it is finite and not negative")
        if len(self.channels) != 2 or min(self.channels) < 1:
            raise ValueError(f"channels is {self.channels}; there are two convolutions with at least one filter each")
        for name, value, allowed in (
            ("graph", self.graph, ("ring", "complete")), ("signal", self.signal, get_args(Signal))
        ):  # fmt: skip
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}, not one of {', '.join(allowed)}")
        if self.game.horizon % self.round_steps:
            raise ValueError(
                f"horizon is {self.game.horizon}; a multiple of segment * (mdac_batch + 1) = {self.round_steps} lets "
                "every algorithm end its last update with the episode"
            )

    @property
    def round_steps(self) -> int:
        """Steps of one iteration of MDAC: ``mdac_batch`` segments for the critic and one for the actor."""
        return self.segment * (self.mdac_batch + 1)

    @property
    def samples_per_episode(self) -> int:
        """Tuples (s, a, s') of one block of episodes, early endings aside."""
        return self.n_envs * self.game.horizon

    def as_json(self) -> dict[str, Any]:
        """The settings as JSON can hold them, the kind of game included."""
        return {**asdict(self), "channels": list(self.channels), "game": self._game()}

    def _game(self) -> dict[str, Any]:
        return {"kind": "board" if isinstance(self.game, Board) else "miniature", **asdict(self.game)}

    @classmethod
    def from_json(cls, text: dict[str, Any]) -> Settings:
        """The settings that `as_json` wrote.

        Args:
            text: what `as_json` returned.

        Raises:
            ValueError: a key missing or unknown, or a value out of range.
        """
        try:
            game = dict(text["game"])
            kind = {"board": Board, "miniature": Miniature}[game.pop("kind")]
            return cls(**{**text, "channels": tuple(text["channels"]), "game": kind(**game)})
        except (KeyError, TypeError) as error:
            raise ValueError(f"these are no settings of the pursuit experiment: {error}") from None


def weights(settings: Settings) -> np.ndarray:
    """The consensus matrix W, (N, N): Metropolis weights of the graph.

    Args:
        settings: the graph and N.
    """
    import networkx as nx

    from mdp.networks.schedule import metropolis_weights

    N = settings.game.n_agents
    return metropolis_weights(nx.cycle_graph(N) if settings.graph == "ring" and N > 2 else nx.complete_graph(N))


def _require_whole(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is {value!r}; it is a whole number of at least {least}")
