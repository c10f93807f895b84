r"""The exact anchor of multi-agent RLHF: the loop on the miniature against the finite MDP of `mdp`.

What is compared, at frozen actors and critics:

- *expected updates.* The mean of the loop's own updates over many dialogues with the exact mean by enumeration, at
  coordinates drawn by a fixed seed before anything is measured;
- *the gradient.* With the exact values as critics the exact mean is ``grad J`` times ``1 - gamma^turns`` (per dialogue)
  or ``1 - gamma`` (per step along the restart kernel) for the repaired direction, and zero for the printed one;
- *learning.* J at the policies that training visits, and J*.

Along a run the critic is one TD step fresher: with K = M = 1 it learns from the tuple that it then judges, which ties
critic and score together by a term of order beta. It is left out of the comparison by beta = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int

from algorithms.deep.rlhf.direction import rule_of
from algorithms.deep.rlhf.expectation import (
    differentiated_return,
    exact_critics,
    expected_update,
    restore_weights,
    view_of,
)
from algorithms.deep.rlhf.loop import Trainer
from algorithms.deep.rlhf.miniature import Miniature, miniature
from algorithms.deep.rlhf.settings import Data, Settings
from algorithms.deep.rlhf.trainer import consensus, one_thread
from mdp.optimal import J_star

__all__ = [
    "ANCHOR",
    "Comparison",
    "anchor_comparison",
    "anchor_curves",
    "compare_updates",
    "differentiated_return",
    "exact_critics",
    "expected_update",
    "registered_coordinates",
    "scattered",
]

REGISTERED = 20
"""Coordinates compared. Source: the requirement that this anchor answers."""

REGISTRATION = 20
"""Seed of the draw of coordinates, fixed before the first comparison."""

BURN_IN = 30
"""Steps after which a dialogue's law is that of the restart kernel up to gamma^30; ours."""

ACTOR_MOVE, CRITIC_MOVE = 0.3, 0.1
"""Standard deviations of the moves of `scattered`; ours."""

ANCHOR = Settings(
    episodes=150, turns=2, response_tokens=1, dialogues=32, alpha=0.01, beta=0.01, width=32, checkpoint_every=1
)
"""Settings of the learning curves; ours: the printed steps of 1e-4 are for models of a billion parameters."""


def registered_coordinates(n_agents: int, n_parameters: int) -> Int[np.ndarray, "c 2"]:
    """The coordinates that are compared: agent and parameter, drawn by `REGISTRATION` alone.

    Args:
        n_agents: N.
        n_parameters: P, at least `REGISTERED` / N.
    """
    drawn = np.random.default_rng(REGISTRATION).choice(n_agents * n_parameters, REGISTERED, replace=False)
    return np.stack(np.divmod(drawn, n_parameters), axis=1)


@dataclass(frozen=True, eq=False)
class Comparison:
    """The loop's updates against their exact mean.

    Attributes:
        expected: exact means at the registered coordinates.
        mean: of the loop's updates.
        error: standard error of `mean`, from independent batches of dialogues.
        gradient_cosine: of the exact mean update with grad J, over all coordinates; NaN if the mean is zero.
        largest: largest absolute entry of the exact mean update.
    """

    expected: Float[np.ndarray, " c"]
    mean: Float[np.ndarray, " c"]
    error: Float[np.ndarray, " c"]
    gradient_cosine: float
    largest: float

    @property
    def z(self) -> Float[np.ndarray, " c"]:
        """Deviations in standard errors."""
        score: np.ndarray = (self.mean - self.expected) / self.error
        return score


def compare_updates(mini: Miniature, trainer: Trainer, *, batches: int = 100) -> Comparison:
    """Run the loop from the same actors and critics again and again, and compare its mean update with the exact one.

    Args:
        mini: its settings have plain steps, ``alpha > 0`` and ``beta = 0``.
        trainer: on its world and actors.
        batches: independent batches of ``settings.dialogues`` dialogues.

    Raises:
        ValueError: settings under which an update is no direction, or under which the critic moves.

    Source: zhang2025 Algorithm 1.
    """
    settings = mini.settings
    if settings.optimiser != "plain" or settings.beta != 0 or not settings.alpha > 0:
        raise ValueError("optimiser, beta and alpha have to be 'plain', 0 and positive: d is read off the update")
    expected = expected_update(mini, trainer)
    where = registered_coordinates(*expected.shape)
    updates = np.stack([_batch(mini, trainer) for _ in range(batches)])[:, where[:, 0], where[:, 1]]
    gradient = differentiated_return(mini)[1]
    size = float(np.linalg.norm(expected) * np.linalg.norm(gradient))
    largest = float(np.abs(expected).max())
    cosine = float((expected * gradient).sum()) / size if largest > 1e-12 else float("nan")
    error = updates.std(axis=0, ddof=1) / np.sqrt(batches)
    return Comparison(expected[where[:, 0], where[:, 1]], updates.mean(axis=0), error, cosine, largest)


def scattered(mini: Miniature, trainer: Trainer, seed: int) -> None:
    """Move actors and critics off their start, where half of the gradient is zero and all critics are one.

    Args:
        mini: the miniature.
        trainer: on its world and actors.
        seed: of the moves.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = mini.actors.theta().shape
    mini.actors.set_theta(ACTOR_MOVE * torch.randn(shape, generator=generator, dtype=torch.float64))
    with torch.no_grad():
        for weight in trainer.critics.weights:
            weight.add_(CRITIC_MOVE * torch.randn(weight.shape, generator=generator, dtype=torch.float64))


def anchor_comparison(direction: str, *, data: Data = "episodes", seed: int = 0, batches: int = 50) -> Comparison:
    """A miniature, its actors and critics off their start: the loop's mean update against the exact one.

    Two rounds of gossip only, so that neither the critics nor the signals of the agents are one.

    Args:
        direction: a key of `direction.RULES`.
        data: dialogues of fixed length, or along the restart kernel.
        seed: of everything random but the coordinates.
        batches: independent batches of 64 dialogues.
    """
    settings = replace(ANCHOR, optimiser="plain", alpha=1.0, beta=0.0, dialogues=64, gossip_rounds=2, data=data)
    with one_thread():
        mini = miniature(settings, seed=seed)
        gossip = consensus(mini.world.n_agents, settings, seed)
        generator = torch.Generator().manual_seed(seed)
        trainer = Trainer(mini.world, mini.actors, settings, rule_of(direction), generator, gossip)
        scattered(mini, trainer, seed)
        return compare_updates(mini, trainer, batches=batches)


def anchor_curves(
    settings: Settings = ANCHOR,
    *,
    directions: Sequence[str] = ("printed", "repaired"),
    seeds: Sequence[int] = (0, 1, 2),
    every: int = 10,
    world_seed: int = 0,
) -> xr.Dataset:
    """Exact J of the policies that training visits on one miniature, and J*.

    Not every gap to J* is the algorithm's: for the default world ascent along the exact gradient levels off near 0.65,
    while J* = 0.745 gives up one agent's pay at the first turn for what the user says next.

    Args:
        settings: of the runs; those of the default tree.
        directions: which signals.
        seeds: of adapters, critics, consensus matrix and dialogues.
        every: episodes between two evaluations of J.
        world_seed: of the language models.

    Returns:
        ``J`` (direction, seed, episode), with ``episode`` from 0 on; attributes ``J_star`` with its bracket
        ``J_star_low`` and ``J_star_high``, and ``J_base``, that of the models without adapters.
    """
    with one_thread():
        curves = [[_curve(settings, name, seed, every, world_seed) for seed in seeds] for name in directions]
        best = J_star(miniature(settings, seed=world_seed).problem.mdp)
    episodes = [*range(0, settings.episodes, every), settings.episodes]
    attributes = {"J_star": float(best.J), "J_star_low": float(best.low), "J_star_high": float(best.high)}
    attributes["J_base"] = curves[0][0][0]  # adapters start at zero: every run starts there
    return xr.Dataset(
        {"J": (("direction", "seed", "episode"), np.array(curves))},
        coords={"direction": list(directions), "seed": list(seeds), "episode": episodes},
        attrs=attributes,
    )


def _curve(settings: Settings, direction: str, seed: int, every: int, world_seed: int) -> list[float]:
    mini = miniature(settings, seed=world_seed, adapters=seed)
    generator = torch.Generator().manual_seed(seed)
    gossip = consensus(mini.world.n_agents, settings, seed)
    trainer = Trainer(mini.world, mini.actors, settings, rule_of(direction), generator, gossip)
    values = []
    for episode in range(settings.episodes):
        if episode % every == 0:
            values.append(float(view_of(mini).J))
        for _ in range(settings.turns):
            trainer.step()
    return [*values, float(view_of(mini).J)]


def _batch(mini: Miniature, trainer: Trainer) -> Float[np.ndarray, "N P"]:
    """One batch of fresh dialogues: updates over alpha, summed over the turns, or the mean along the restart kernel."""
    settings, total = mini.settings, 0.0
    theta, weights = mini.actors.theta(), [weight.detach().clone() for weight in trainer.critics.weights]
    trainer.states = [mini.world.start()] * settings.dialogues
    episodes = settings.data == "episodes"
    for _ in range(0 if episodes else BURN_IN):
        trainer.states = trainer.sample().after
    steps = settings.turns if episodes else BURN_IN
    for _ in range(steps):
        trainer.step()
        total = total + (mini.actors.theta() - theta).numpy() / settings.alpha
        mini.actors.set_theta(theta)
        restore_weights(trainer, weights)
    return np.asarray(total if episodes else total / steps)
