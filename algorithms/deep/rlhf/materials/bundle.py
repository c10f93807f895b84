"""Everything that multi-agent RLHF is made of: built small, loaded again, or loaded from real checkpoints."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from algorithms.deep.rlhf.errors import MaterialsError
from algorithms.deep.rlhf.materials.corpus import OPENING
from algorithms.deep.rlhf.materials.loading import (
    load_causal,
    load_classifier,
    load_tokenizer,
    offline,
    require_memory,
)
from algorithms.deep.rlhf.materials.manifest import read_manifest, write_manifest
from algorithms.deep.rlhf.materials.pretraining import SIZES, pretrain
from algorithms.deep.rlhf.materials.reward_models import SCALING, RewardModel, train_reward
from algorithms.deep.rlhf.materials.tokenizer import build_tokenizer

REWARDS = ("reward-1", "reward-2", "reward-3")
"""Folders of the reward models, in the order of Table 2."""

Progress = Callable[[str, float], object]


@dataclass(frozen=True, eq=False)
class Materials:
    """Models, tokenizers and the opening question of one experiment.

    Attributes:
        actor_model: causal language model that every actor starts from; frozen, float32.
        tokenizer: its own.
        user_model: causal language model that plays the user; frozen, float32.
        rewards: reward models of agents 1 to 3.
        opening: the question that every dialogue begins with.
        provenance: where everything comes from, for the record: folders, seed, versions, measured accuracy.
        user_tokenizer: the user model's own; the actors' if it has none.

    Raises:
        ValueError: on construction: an empty opening, or one in words that the actors' tokenizer does not know.

    Source: zhang2025 Appendix D.2.
    """

    actor_model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    user_model: PreTrainedModel
    rewards: tuple[RewardModel, RewardModel, RewardModel]
    opening: str = OPENING
    provenance: dict[str, str] = field(default_factory=dict)
    user_tokenizer: PreTrainedTokenizerBase | None = None

    def __post_init__(self) -> None:
        tokenizer = self.tokenizer
        if not self.opening.strip():
            raise ValueError("opening is empty; every dialogue begins with a question")
        unknown = [
            word for word in self.opening.split()
            if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in tokenizer.encode(word)
        ]  # fmt: skip
        if unknown:
            raise ValueError(
                f"opening has words that the actors' tokenizer does not know: {', '.join(map(repr, unknown))}; the "
                f"small models know questions like {OPENING!r}"
            )


def build_materials(
    folder: Path, *, seed: int = 0, size: str = "small", opening: str = OPENING,
    on_progress: Progress = lambda text, share: None,
) -> Materials:
    """The small models: loaded from `folder` if they are there, else built and kept there.

    Args:
        folder: made when everything in it is complete, so that a build that was interrupted leaves nothing.
        seed: root of all randomness; the same seed gives the same files on one machine.
        size: ``"small"`` (a good minute of one core) or ``"tiny"`` (some seconds, for tests).
        opening: the question that dialogues begin with, in words of the grammar.
        on_progress: called with what is done and the share of the whole build.

    Raises:
        ValueError: an unknown size, a negative seed, an opening in unknown words.
        MaterialsError: the folder holds something else, or is damaged.
    """
    if size not in SIZES:
        raise ValueError(f"size is {size!r}, not one of {', '.join(map(repr, SIZES))}")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it is not negative")
    recipe = {"seed": seed, "size": size}
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        return _load_built(folder, recipe, opening)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _build(work, seed, size, on_progress)
        if folder.exists():
            folder.rmdir()
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _load_built(folder, recipe, opening)


def load_materials(folder: Path, *, opening: str = OPENING) -> Materials:
    """Small models that `build_materials` left in a folder.

    Args:
        folder: theirs.
        opening: the question that dialogues begin with.

    Raises:
        MaterialsError: the folder is none of theirs, or is damaged.
    """
    if not folder.is_dir():
        raise MaterialsError(f"{folder} is not there; build_materials makes it")
    return _load_built(folder, None, opening)


def load_checkpoints(
    *, actor: Path, user: Path, rewards: Sequence[Path], opening: str = OPENING, tokenizer: Path | None = None,
    available: int | None = None,
) -> Materials:
    """Real models from local folders.

    Args:
        actor: causal language model with its tokenizer.
        user: causal language model that plays the user, with its tokenizer.
        rewards: three sequence classifiers with one label, in the order of Table 2, each with its tokenizer.
        opening: the question that dialogues begin with.
        tokenizer: the actors', if it is not in `actor`.
        available: free bytes of memory; None: asked of the system.

    Raises:
        MaterialsError: what is missing or does not fit, by folder; too little memory, before anything is loaded.
        ValueError: a number of reward models other than three.
    """
    if len(rewards) != len(REWARDS):
        raise ValueError(f"rewards has {len(rewards)} folders; there are three agents with a reward model each")
    offline()
    own, theirs, *judges = (load_tokenizer(f) for f in (tokenizer or actor, user, *rewards))
    require_memory((actor, user, *rewards), available)
    provenance = {"actor": actor.name, "user": user.name, "rewards": ", ".join(f.name for f in rewards)}
    with _quiet():
        return _bundle(actor, own, user, theirs, rewards, judges, opening, provenance)


def _load_built(folder: Path, recipe: dict[str, object] | None, opening: str) -> Materials:
    manifest = read_manifest(folder, recipe)
    offline()
    own = load_tokenizer(folder / "tokenizer")
    made = {f"made with {k}": v for k, v in manifest["versions"].items()}
    provenance = {k: str(v) for k, v in {**manifest["recipe"], **manifest["measured"], **made}.items()}
    with _quiet():
        rewards = [folder / name for name in REWARDS]
        return _bundle(folder / "actor", own, folder / "user", own, rewards, [own] * 3, opening, provenance)


def _bundle(
    actor: Path, own: PreTrainedTokenizerBase, user: Path, theirs: PreTrainedTokenizerBase, rewards: Sequence[Path],
    judges: Sequence[PreTrainedTokenizerBase], opening: str, provenance: dict[str, str],
) -> Materials:  # fmt: skip
    models = [
        RewardModel(name, load_classifier(path, judge), judge, *SCALING[name])
        for name, path, judge in zip(SCALING, rewards, judges, strict=True)
    ]
    return Materials(
        load_causal(actor, own), own, load_causal(user, theirs), (models[0], models[1], models[2]), opening,
        provenance, theirs,
    )  # fmt: skip


def _build(work: Path, seed: int, size: str, on_progress: Progress) -> None:
    """Train the five models and write them with tokenizer and manifest."""
    budget, tokenizer = SIZES[size], build_tokenizer()
    measured: dict[str, float] = {}
    names = ("actor", "user", *REWARDS)
    seeds = dict(zip(names, np.random.SeedSequence(seed).spawn(len(names)), strict=True))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums depend on how they are cut: one thread gives the same bits on every machine
    try:
        with _quiet():
            tokenizer.save_pretrained(work / "tokenizer")
            for k, name in enumerate(names):
                def on_step(done: int, total: int, k: int = k, name: str = name) -> None:
                    on_progress(f"training {name}", (k + done / total) / len(names))

                if name in REWARDS:
                    kind = tuple(SCALING)[REWARDS.index(name)]
                    reward, accuracy = train_reward(kind, tokenizer, budget, seeds[name], on_step)
                    measured[f"held-out accuracy, {kind}"] = accuracy
                    reward.model.save_pretrained(work / name)
                else:
                    pretrain(tokenizer, budget, seeds[name], on_step).save_pretrained(work / name)
    finally:
        torch.set_num_threads(threads)
    write_manifest(work, {"seed": seed, "size": size}, measured)


class _quiet:
    """No progress bars of the library while models are read and written."""

    def __enter__(self) -> None:
        self._shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()

    def __exit__(self, *details: object) -> None:
        if self._shown:
            logging.enable_progress_bar()
