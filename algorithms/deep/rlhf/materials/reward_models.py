"""Reward models: scores scaled as in zhang2025 Table 2; small ones learn a known rule from preferences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from transformers import (
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    GemmaConfig,
    GemmaForSequenceClassification,
    LlamaForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from algorithms.deep.rlhf.materials.chat import Message, scored_ids, transcript
from algorithms.deep.rlhf.materials.corpus import MAX_TURNS, RULES, TASKS, answer, asked, dialogue, noisy
from algorithms.deep.rlhf.materials.pretraining import Size, causal_config, fit, padded, seeded
from algorithms.deep.rlhf.materials.tokenizer import LONGEST

SCALING = {"DeBERTa RM": (5.0, 0.0), "Llama RM": (2.0, -2.0), "Gemma RM": (6.0, 10.0)}
"""a_scaling and b_offset by reward model. Source: zhang2025 Table 2."""

SPREAD = 1.5
"""Utility of the rule per unit of scaled score; ours: scaled scores of the grammar's answers then vary by about one."""

CENTRING = 0.1
"""Weight of the squared mean of the scaled scores beside the preferences' loss, which does not see shifts; ours."""

HELD_OUT = 1_000
"""Fresh pairs behind the reported accuracy; ours."""

LEAST_ACCURACY = 0.9
"""A small reward model below this share of held-out pairs is not used."""

LATER = 0.3
"""Share of batches whose pairs come after one or two earlier exchanges; ours."""

BATCH = 64
"""Dialogues per forward pass of a score; ours."""


@dataclass(frozen=True, eq=False)
class RewardModel:
    """A reward model with its own tokenizer.

    Attributes:
        name: which of the three.
        model: sequence classifier with one label, in evaluation mode.
        tokenizer: its own; dialogues come as text and are tokenised again.
        scale: a_scaling of Table 2, not zero.
        shift: b_offset of Table 2.

    Source: zhang2025 Appendix D.2, Table 2.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    scale: float
    shift: float

    @property
    def limit(self) -> int:
        """Most tokens the model takes."""
        longest = getattr(self.model.config, "max_position_embeddings", None) or LONGEST
        return int(min(longest, self.tokenizer.model_max_length))

    @torch.no_grad()
    def score(self, dialogues: Sequence[str]) -> Float[np.ndarray, " batch"]:
        """Scaled scores ``(raw + shift) / scale``.

        Args:
            dialogues: transcripts (`chat.transcript`), one message per line; the last message is judged.

        Returns:
            One float64 per dialogue. A dialogue has the same score whatever else is in the batch, up to rounding.

        Raises:
            FloatingPointError: a score is not finite; the dialogue is named.
        """
        found: list[np.ndarray] = []
        device = self.model.device
        for start in range(0, len(dialogues), BATCH):
            ids = [scored_ids(self.tokenizer, text, self.limit) for text in dialogues[start : start + BATCH]]
            batch = self.tokenizer.pad({"input_ids": ids}, padding_side="right", return_tensors="pt")
            logits = self.model(
                input_ids=batch["input_ids"].to(device), attention_mask=batch["attention_mask"].to(device)
            ).logits
            found.append((logits[:, 0].double().cpu().numpy() + self.shift) / self.scale)
        scores = np.concatenate(found) if found else np.empty(0)
        if not np.isfinite(scores).all():
            k = int(np.flatnonzero(~np.isfinite(scores))[0])
            raise FloatingPointError(f"{self.name} gives {scores[k]} to dialogue {k}: {dialogues[k]!r}")
        return scores


def train_reward(
    name: str, tokenizer: PreTrainedTokenizerBase, size: Size, seed: np.random.SeedSequence,
    on_step: Callable[[int, int], object] = lambda done, total: None,
) -> tuple[RewardModel, float]:
    r"""A small reward model of the kind that Table 2 names, trained on preferences between answers.

    Of two answers to one question the first is preferred with probability ``sigmoid(u(first) - u(second))``, where u is
    the rule in `RULES` at this model's place (Bradley and Terry). The loss is the mean cross-entropy with that
    probability, which is that of infinitely many judges, in the scaled score times `SPREAD`. As Table 2 intends, the
    scaled scores of the three models have one range, while the raw ones do not.

    Args:
        name: a key of `SCALING`.
        tokenizer: of the small models.
        size: architecture and budget.
        seed: initial weights and answers.
        on_step: called with the steps done and their total.

    Returns:
        The model, and its share of `HELD_OUT` fresh pairs of unequal utility that it orders as the rule does.

    Raises:
        RuntimeError: that share is below `LEAST_ACCURACY`.
    """
    rng = np.random.default_rng(seed)
    model = seeded(lambda: _classifier(name, tokenizer, size), rng)
    scale, shift = SCALING[name]
    rule = tuple(RULES.values())[tuple(SCALING).index(name)]

    def loss() -> torch.Tensor:
        texts, utilities = _pairs(rule, size.reward_batch, rng)
        z = (model(**padded(tokenizer, texts)).logits[:, 0] + shift) / scale
        first, second = z[::2], z[1::2]
        preferred = torch.sigmoid(torch.tensor(utilities[::2] - utilities[1::2], dtype=z.dtype))
        judged = torch.nn.functional.binary_cross_entropy_with_logits(SPREAD * (first - second), preferred)
        return judged + CENTRING * z.mean() ** 2

    fit(model, loss, size.reward_steps, size.reward_rate, on_step)
    reward = RewardModel(name, model, tokenizer, scale, shift)
    accuracy = held_out_accuracy(reward, rule, rng)
    if accuracy < LEAST_ACCURACY:
        raise RuntimeError(f"{name} orders {accuracy:.1%} of held-out pairs as its rule, below {LEAST_ACCURACY:.0%}")
    return reward, accuracy


def held_out_accuracy(
    reward: RewardModel, rule: Callable[[str, str], float], rng: np.random.Generator, pairs: int = HELD_OUT
) -> float:
    """Share of fresh pairs of unequal utility that a reward model orders as a rule does.

    Args:
        reward: the model.
        rule: latent utility of a task and an answer.
        rng: source of the answers.
        pairs: how many, at least; they come in batches.
    """
    right = []
    for _ in range(-(-pairs // BATCH)):
        texts, utilities = _pairs(rule, BATCH, rng)
        z = reward.score(texts)
        right.append((z[::2] > z[1::2]) == (utilities[::2] > utilities[1::2]))
    return float(np.mean(right))


def _pairs(
    rule: Callable[[str, str], float], count: int, rng: np.random.Generator
) -> tuple[list[str], Float[np.ndarray, " texts"]]:
    """Pairs of answers to one question with unequal utilities; half of the answers are no longer grammatical."""
    texts: list[str] = []
    utilities: list[float] = []
    tasks = tuple(TASKS)
    later = rng.random() < LATER  # all pairs of a batch or none: short texts would be padded to the long ones
    while len(texts) < 2 * count:
        task = tasks[int(rng.integers(len(tasks)))]
        answers = [answer(task, rng) for _ in range(2)]
        answers = [noisy(text, rng) if rng.random() < 0.5 else text for text in answers]
        values = [rule(task, text) for text in answers]
        if values[0] != values[1]:
            before = asked(task, dialogue(rng, MAX_TURNS - 1) if later else [])
            texts += [transcript([*before, Message("assistant", text)]) for text in answers]
            utilities += values
    return texts, np.array(utilities)


def _classifier(name: str, tokenizer: PreTrainedTokenizerBase, size: Size) -> PreTrainedModel:
    """A sequence classifier with one label of the family that Table 2 names."""
    width, common = size.reward_hidden, {"num_labels": 1, "num_attention_heads": 2, "num_hidden_layers": size.layers}
    special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    shape = {"vocab_size": len(tokenizer), "hidden_size": width, "intermediate_size": 2 * width}
    if name.startswith("DeBERTa"):
        return DebertaV2ForSequenceClassification(DebertaV2Config(
            **common, **shape, pad_token_id=tokenizer.pad_token_id, max_position_embeddings=LONGEST,
            relative_attention=True, position_buckets=32, pos_att_type="p2c|c2p", type_vocab_size=0,
            position_biased_input=False, norm_rel_ebd="layer_norm", share_att_key=True,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pooler_dropout=0.0, pooler_hidden_size=width,
        ))  # fmt: skip
    if name.startswith("Gemma"):
        return GemmaForSequenceClassification(GemmaConfig(
            **common, **shape, **special, num_key_value_heads=1, head_dim=width // 2, max_position_embeddings=LONGEST
        ))  # fmt: skip
    config = causal_config(tokenizer, size)
    config.update({**common, "hidden_size": width, "intermediate_size": 2 * width, "num_key_value_heads": 2,
                   "head_dim": width // 2})  # fmt: skip
    return LlamaForSequenceClassification(config)
