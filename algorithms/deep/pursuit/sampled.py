"""The trainer's sampled updates against their exact expectation on the miniature, coordinate by coordinate.

Source: ours; the updates are those of zeng2022 Algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from algorithms.deep.pursuit.anchor import (
    critic_values,
    entropy_gradient,
    expected_actor_direction,
    expected_critic_direction,
    mini_problem,
    training_law,
    values_view,
)
from algorithms.deep.pursuit.environments import make_game
from algorithms.deep.pursuit.networks import Network, flatten
from algorithms.deep.pursuit.settings import Miniature, Settings
from algorithms.deep.pursuit.trainer import collect
from algorithms.deep.pursuit.updates import actor_direction, critic_direction, signal_rewards

COORDINATES, RULE = 20, 2022
"""How many coordinates are compared, and the seed that names them; fixed before any of them was looked at."""


@dataclass(frozen=True)
class Comparison:
    """Sampled means of a direction beside its exact expectation.

    Attributes:
        coordinates: places in the direction, agents one after the other.
        expected: exact expectation there.
        measured: mean over the batches.
        error: standard error of that mean.
        batches: independent batches behind it.
    """

    coordinates: Int[np.ndarray, " K"]
    expected: Float[np.ndarray, " K"]
    measured: Float[np.ndarray, " K"]
    error: Float[np.ndarray, " K"]
    batches: int

    @property
    def z(self) -> Float[np.ndarray, " K"]:
        """``(measured - expected) / error``; 0 where a filter is off in every state, and all three are 0."""
        difference = self.measured - self.expected
        idle = (self.error == 0) & (np.abs(difference) < 1e-12)
        return np.where(idle, 0.0, difference / np.where(idle, 1.0, self.error))


def preregistered(size: int) -> Int[np.ndarray, " K"]:
    """The coordinates to compare: drawn without replacement from 0..size-1 with the seed `RULE`.

    Args:
        size: number of coordinates of the direction, all agents together.
    """
    return np.sort(np.random.default_rng(RULE).choice(size, COORDINATES, replace=False))


def compare(
    settings: Settings, actor: Network, critic: Network, *, batches: int, seed: int
) -> tuple[Comparison, Comparison]:
    """Actors' and critics' directions on the first batch of an episode: sampled by the trainer, and exact.

    Networks are frozen. The expectation is over a batch of ``n_envs`` copies and ``segment`` steps from a fresh start:
    the state law is the mean law of these steps, and the TD errors are those of the critics given.

    Args:
        settings: of a run on a `Miniature`.
        actor: parameters.
        critic: parameters.
        batches: independent batches, at least two.
        seed: of all sampling.

    Returns:
        The comparison for the actors, and for the critics.

    Raises:
        ValueError: fewer than two batches, or the game is not the miniature.
    """
    if batches < 2:
        raise ValueError(f"batches is {batches}; a standard error needs two")
    problem, theta = mini_problem(settings), flatten(actor)
    view = values_view(problem, theta)
    law = training_law(view, 0, settings.segment)
    up = expected_actor_direction(problem, theta, law, critic_values(problem, critic), settings.signal)
    up += settings.entropy * entropy_gradient(problem, theta, law)
    fit = expected_critic_direction(problem, view, law, critic, settings)
    places = [preregistered(exact_.size) for exact_ in (up, fit)]
    drawn = np.array([
        [flat.ravel()[place] for flat, place in zip(pair, places, strict=True)]
        for pair in _sampled(settings, actor, critic, batches, seed)
    ])  # fmt: skip
    found = [
        Comparison(place, exact_.ravel()[place], rows.mean(axis=0), rows.std(axis=0, ddof=1) / batches**0.5, batches)
        for exact_, place, rows in zip((up, fit), places, np.moveaxis(drawn, 1, 0), strict=True)
    ]
    return found[0], found[1]


def _sampled(
    settings: Settings, actor: Network, critic: Network, batches: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    assert isinstance(settings.game, Miniature)
    game, rng = make_game(settings), np.random.default_rng(seed)
    shape = (settings.segment, settings.n_envs, settings.game.n_agents)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for child in np.random.SeedSequence(seed, spawn_key=(1,)).spawn(batches):
        views, nobody = game.reset(child), np.zeros(settings.n_envs, dtype=bool)
        batch, _, _ = collect(game, actor, views, nobody, rng.random(shape))
        rewards = signal_rewards(batch, settings.signal)
        pair: tuple[list[Tensor], list[Tensor]] = (
            actor_direction(actor, critic, batch, settings.gamma, rewards, settings.entropy),
            critic_direction(critic, batch, settings.gamma),
        )
        found.append((flatten(pair[0]), flatten(pair[1])))
    return found

