"""Runs of zhang2025's multi-agent RLHF (Sec. 6.2, Appendix D.2): the record of a run, and how it resumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float

from algorithms.deep.rlhf import checkpoint
from algorithms.deep.rlhf.actor import Actors
from algorithms.deep.rlhf.dialogue import Models, State, TextWorld
from algorithms.deep.rlhf.direction import rule_of
from algorithms.deep.rlhf.loop import RECORDED, Trainer
from algorithms.deep.rlhf.settings import Settings
from algorithms.neural.loop import gossip_matrix
from mdp.networks.families import permutation_mixture

__all__ = ["Settings", "Trainer", "train"]

OnStep = Callable[[int, int, np.ndarray], None]
"""Called after each step with its number from 1, their number in all, and the agents' rewards."""


def train(
    materials: Models,
    settings: Settings,
    *,
    direction: str = "repaired",
    seed: int,
    device: str = "cpu",
    out: Path | None = None,
    on_step: OnStep | None = None,
) -> xr.Dataset:
    """Train the actors on dialogues.

    The same seed gives the same bits on one machine, whether the run is interrupted or not. PyTorch is held to one
    thread meanwhile, and randomness is drawn on the CPU whatever the device. Runs of one seed start with the same
    adapters and consensus matrix whatever the direction.

    Args:
        materials: language models, tokenizer, reward models and opening question.
        settings: of the run.
        direction: ``"printed"``, ``"repaired"`` or ``"flipped"``; see `direction`.
        seed: not negative.
        device: of all models, which are moved there, and of the critics.
        out: folder for checkpoints; a run that was interrupted goes on from its last one.
        on_step: called after every step.

    Returns:
        Dataset with dimensions ``step`` (a turn) and ``agent``: ``reward`` (mean over dialogues), ``td_error`` (root
        mean square of the gossiped signal), ``critic_error`` (of the critic's TD error), ``direction_norm``,
        ``update_norm``, ``response_tokens``; ``turn`` (step); and by ``episode``: ``episode_reward``, the mean over its
        turns, and ``episode_return``, their discounted sum.

    Raises:
        ValueError: an unknown direction, a bad seed, a device that is not there, materials that do not fit.
        CheckpointError: `out` holds a damaged checkpoint or another run.
        FloatingPointError: something is not finite; the message names it.

    Source: zhang2025 Algorithms 1 and 2, Sec. 6.2, Appendix D.2, Fig. 4.
    """
    rule = rule_of(direction)
    if seed != int(seed) or seed < 0:
        raise ValueError(f"seed is {seed}; it is a whole number, not negative")
    identity = {
        "settings": asdict(settings), "direction": direction, "seed": int(seed), "opening": materials.opening,
        "provenance": dict(getattr(materials, "provenance", {})), "torch": str(torch.__version__),
    }  # fmt: skip
    _require_device(device)
    with one_thread():
        for model in (materials.user_model, *(getattr(reward, "model", None) for reward in materials.rewards)):
            if isinstance(model, torch.nn.Module):
                model.to(device)
        world = TextWorld(materials, settings)
        generator = torch.Generator().manual_seed(int(seed))
        actors = Actors(materials.actor_model, world.n_agents, settings, generator, device)
        trainer = Trainer(world, actors, settings, rule, generator, consensus(world.n_agents, settings, seed))
        records = _run(trainer, identity, out, on_step)
    return _dataset(records, settings, identity)


def consensus(n_agents: int, settings: Settings, seed: int) -> Float[np.ndarray, "N N"]:
    """``A^t_gossip`` with a random doubly stochastic A (Appendix D.1; D.2 names none).

    Args:
        n_agents: N.
        settings: for t_gossip.
        seed: of A.
    """
    A = np.ones((1, 1)) if n_agents == 1 else permutation_mixture(n_agents, np.random.default_rng(seed))
    return gossip_matrix(A, n_agents, settings.gossip_rounds)


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold PyTorch to one thread, for the same bits on every run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _require_device(device: str) -> None:
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device is {device!r}, which PyTorch cannot use here: {reason}") from error


def _run(
    trainer: Trainer, identity: dict[str, Any], out: Path | None, on_step: OnStep | None
) -> dict[str, list[np.ndarray]]:
    settings = trainer.settings
    records: dict[str, list[np.ndarray]] = {name: [] for name in (*RECORDED, "turn")}
    stored = checkpoint.load(out) if out else None
    if stored is not None and out is not None:
        tensors, description = stored
        checkpoint.require_same(description["identity"], identity, out)
        states = [State.unpacked(state) for state in description["states"]]
        trainer.restore(tensors, states, int(description["done"]))
        records = {name: list(tensors[f"record.{name}"].numpy()) for name in records}
    while trainer.done < settings.steps:
        record = trainer.step()
        for name, column in records.items():
            column.append(record[name])
        if on_step is not None:
            on_step(trainer.done, settings.steps, record["reward"])
        due = trainer.done % (settings.checkpoint_every * settings.turns) == 0 or trainer.done == settings.steps
        if out is not None and due:
            kept = {f"record.{name}": torch.from_numpy(np.array(column)) for name, column in records.items()}
            states_now = [state.packed() for state in trainer.states]
            description = {"identity": identity, "states": states_now, "done": trainer.done}
            checkpoint.save(out, trainer.tensors() | kept, description)
    return records


def _dataset(records: dict[str, list[np.ndarray]], settings: Settings, identity: dict[str, Any]) -> xr.Dataset:
    columns = {name: np.array(column) for name, column in records.items()}
    rewards = columns["reward"].reshape(settings.episodes, settings.turns, -1)
    discounts = settings.gamma ** np.arange(settings.turns)
    data: dict[str, Any] = {name: (("step", "agent"), columns[name]) for name in RECORDED}
    data["turn"] = ("step", columns["turn"])
    data["episode_reward"] = (("episode", "agent"), rewards.mean(axis=1))
    data["episode_return"] = (("episode", "agent"), np.einsum("eta,t->ea", rewards, discounts))
    attributes = {"direction": identity["direction"], "seed": identity["seed"]}
    for name, value in identity["settings"].items():
        attributes[name] = ", ".join(value) if isinstance(value, (tuple, list)) else value
    return xr.Dataset(data, attrs=attributes)
