"""What the pursuit experiment runs: lines, profiles, and what the paper's text leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from algorithms.deep.pursuit.settings import ALGORITHMS, Algorithm, Board, Miniature, Settings

BOARD = Settings(
    Board(x_size=6, y_size=6, n_pursuers=3, n_evaders=4, obs_range=7, horizon=48),
    episodes=80, gamma=0.9, actor_step=0.3, critic_step=0.03, n_envs=4, segment=4, entropy=0.1,
)  # fmt: skip
"""The small board of the quick profile. Ours: steps and entropy weight were chosen on runs of CAC alone (seeds 900 and
2022), by how soon and how surely it learns, and serve all three algorithms; the recorded runs have another seed."""

MINIATURE = Settings(
    Miniature(horizon=36), episodes=160, gamma=0.9, actor_step=1.0, critic_step=0.1, n_envs=16, segment=3, entropy=0.05
)  # fmt: skip
"""The miniature with an entropy term, ours. Without one even exact gradient ascent rests near J = 0.9."""

DEFAULT_BOARD = Settings(
    Board(horizon=480), episodes=120, gamma=0.95, actor_step=0.3, critic_step=0.03, n_envs=4, segment=4, entropy=0.1
)
"""PettingZoo's default board, with 480 steps for 500: the algorithms' batches end with the episode."""

WAVES = 20
"""How often a run is stopped, saved and measured; ours."""

LISTING, WITH_ENTROPY = "CAC, listing", "CAC, entropy"
"""Names of the lines on the miniature."""

OPEN = (
    "networks: two 3 x 3 convolutions with 8 and 16 filters, ReLU, a linear output layer; the paper's Fig. 2 (layouts) "
    "is in a technical report that was not at hand",
    "board, agents, horizon, discount, steps: not in the text; PettingZoo's defaults in the full profile, a 6 x 6 "
    "board with three pursuers and four evaders in the quick one",
    "catching: two pursuers on the evader's cell (surround=False, n_catch=2), as the text says; PettingZoo's default "
    "asks for all free neighbours of the evader. Rewards are local (shared_reward=False)",
    "what a network sees: its agent's view, 7 x 7 cells around it, as PettingZoo has it; the paper's theory has the "
    "global state, which the view is on the miniature only",
    "reward model: none, as the text gives each agent two networks; the actor's TD error has the agent's own reward "
    "(MDAC: averaged over neighbours once). PettingZoo's board pays what the last move earned, own and mean differ",
    "communication graph: not in the text; a ring with Metropolis weights in every round",
    "batches: an update has the tuples of 4 steps in 4 episodes side by side (the listing: one tuple); an iteration of "
    "MDAC has 5 such batches for the critic and one for the actor, so six times the samples",
    "the actors' objective has an entropy term that the listing does not have: without it some runs end early in a "
    "policy that looks at nothing (the miniature shows both)",
    "steps are constant and plain, no optimiser; agents start with equal networks",
)
"""What the paper's text leaves open, and what was taken."""


@dataclass(frozen=True)
class Line:
    """One line of the figure: several runs of an algorithm under the same settings.

    Attributes:
        name: unique.
        algorithm: which of the three.
        settings: of its runs.
        runs: how many, at least two.
    """

    name: str
    algorithm: Algorithm
    settings: Settings
    runs: int

    @property
    def exact(self) -> bool:
        """Whether the game is the miniature."""
        return isinstance(self.settings.game, Miniature)

    @property
    def wave(self) -> int:
        """Blocks of episodes between two saved states."""
        return max(1, -(-self.settings.episodes // WAVES))


@dataclass(frozen=True)
class Plan:
    """An experiment.

    Attributes:
        lines: what to run.
        seed: root of all randomness.

    Raises:
        ValueError: on construction: no lines, a line with fewer than two runs, two of one name, a negative seed.
    """

    lines: tuple[Line, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        names = [line.name for line in self.lines]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"the lines are {names}; at least one, with distinct names")
        for line in self.lines:
            if line.runs < 2:
                raise ValueError(f"runs is {line.runs}; an interval needs at least two")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it is not negative")

    @property
    def blocks(self) -> int:
        """Blocks of episodes in all."""
        return sum(line.runs * line.settings.episodes for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON can hold it."""
        rows = [{**vars(line), "settings": line.settings.as_json()} for line in self.lines]
        return {"seed": self.seed, "lines": rows}

    @classmethod
    def from_json(cls, text: dict[str, Any]) -> Plan:
        """The plan that `as_json` wrote.

        Args:
            text: what `as_json` returned.

        Raises:
            ValueError: not such a text.
        """
        try:
            lines = [Line(**{**row, "settings": Settings.from_json(row["settings"])}) for row in text["lines"]]
            return cls(tuple(lines), text["seed"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no plan of the pursuit experiment: {error}") from None


PROFILES = {"quick": (BOARD, 10, 4), "full": (DEFAULT_BOARD, 10, 10)}
"""By profile: settings on PettingZoo's board, runs per algorithm there (the paper has 10), runs on the miniature."""


def make_plan(
    profile: str = "quick",
    algorithms: Sequence[str] = ALGORITHMS,
    *,
    runs: int | None = None,
    episodes: int | None = None,
    seed: int = 0,
) -> Plan:
    """The plan of a profile.

    Args:
        profile: a key of `PROFILES`.
        algorithms: those to run on PettingZoo's board, distinct; with CAC the miniature is run too.
        runs: of every line, in place of the profile's.
        episodes: blocks of every run, in place of the profile's.
        seed: root of all randomness.

    Raises:
        ValueError: an unknown or repeated name, or a number out of range.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile {profile!r} is not one of {', '.join(PROFILES)}")
    for name in algorithms:
        if name not in ALGORITHMS:
            raise ValueError(f"algorithm {name!r} is not one of {', '.join(ALGORITHMS)}")
    settings, board_runs, mini_runs = PROFILES[profile]

    def sized(chosen: Settings) -> Settings:
        return chosen if episodes is None else replace(chosen, episodes=episodes)

    lines = [Line(name, name, sized(settings), runs or board_runs) for name in algorithms]  # type: ignore[arg-type]
    if "CAC" in algorithms:
        for name, entropy in ((LISTING, 0.0), (WITH_ENTROPY, MINIATURE.entropy)):
            lines.append(Line(name, "CAC", sized(replace(MINIATURE, entropy=entropy)), runs or mini_runs))
    if runs is not None and runs < 2:
        raise ValueError(f"runs is {runs}; an interval needs at least two")
    return Plan(tuple(lines), seed)
