"""Small causal language models, trained on dialogues from the grammar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from algorithms.deep.rlhf.materials.chat import transcript
from algorithms.deep.rlhf.materials.corpus import dialogue
from algorithms.deep.rlhf.materials.tokenizer import LONGEST

IGNORED = -100
"""Label of a position without a loss, by the convention of transformers."""


@dataclass(frozen=True)
class Size:
    """How large the small models are, and how long they are trained.

    Attributes:
        hidden: width of the residual stream of the causal models.
        layers: of the causal models; reward models have as many.
        steps: of the optimiser, causal models.
        batch: dialogues per step.
        reward_hidden: width of the reward models.
        reward_steps: of the optimiser, reward models.
        reward_batch: pairs of answers per step.
        learning_rate: peak, causal models.
        reward_rate: peak, reward models.
    """

    hidden: int
    layers: int
    steps: int
    batch: int
    reward_hidden: int
    reward_steps: int
    reward_batch: int
    learning_rate: float
    reward_rate: float


SIZES = {
    "small": Size(64, 2, 300, 16, 32, 300, 32, 5e-3, 5e-3),
    "tiny": Size(32, 1, 80, 8, 16, 250, 16, 1e-2, 1e-2),
}
"""By name. Ours: small takes a good minute of one core, tiny some seconds."""


def causal_config(tokenizer: PreTrainedTokenizerBase, size: Size) -> LlamaConfig:
    """A few-layer Llama configuration.

    Args:
        tokenizer: gives the vocabulary and the special tokens.
        size: width and depth.
    """
    return LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=size.hidden, intermediate_size=2 * size.hidden,
        num_hidden_layers=size.layers, num_attention_heads=4, max_position_embeddings=LONGEST,
        tie_word_embeddings=False, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )  # fmt: skip


def pretrain(
    tokenizer: PreTrainedTokenizerBase, size: Size, seed: np.random.SeedSequence,
    on_step: Callable[[int, int], object] = lambda done, total: None,
) -> LlamaForCausalLM:
    """A causal model of the grammar's dialogues.

    Args:
        tokenizer: of the small models.
        size: architecture and budget.
        seed: initial weights and dialogues.
        on_step: called with the steps done and their total.

    Returns:
        The model in evaluation mode, float32. The same seed gives the same bits on one machine.
    """
    rng = np.random.default_rng(seed)
    model = seeded(lambda: LlamaForCausalLM(causal_config(tokenizer, size)), rng)

    def loss() -> torch.Tensor:
        texts = [transcript(dialogue(rng)) for _ in range(size.batch)]
        batch = padded(tokenizer, texts)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORED)
        value: torch.Tensor = model(**batch, labels=labels).loss
        return value

    fit(model, loss, size.steps, size.learning_rate, on_step)
    return model


def fit(
    model: torch.nn.Module, loss: Callable[[], torch.Tensor], steps: int, learning_rate: float,
    on_step: Callable[[int, int], object],
) -> None:
    """Minimise a loss with AdamW, a triangular step size and clipped gradients, on one thread (same bits everywhere).

    Args:
        model: what to train, in place; in evaluation mode afterwards.
        loss: draws a batch and returns its loss.
        steps: of the optimiser.
        learning_rate: peak.
        on_step: called with the steps done and their total.

    Source: Loshchilov and Hutter (2019) for AdamW, Howard and Ruder (2018) for the step size, Pascanu et al. (2013) for
        the clipping; the numbers are ours.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    rise = max(1, steps // 10)
    model.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * min((step + 1) / rise, (steps - step) / (steps - rise + 1))
        optimiser.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        on_step(step + 1, steps)
    model.eval()


def seeded(build: Callable[[], torch.nn.Module], rng: np.random.Generator):  # type: ignore[no-untyped-def]
    """A module with initial weights from `rng`; the global generator of torch is left as it was.

    Args:
        build: makes the module.
        rng: source of the seed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        return build()


def padded(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> dict[str, torch.Tensor]:
    """Token ids and attention mask, (texts, longest), padded on the right.

    Args:
        tokenizer: the model's.
        texts: transcripts.
    """
    batch = tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
    return {name: batch[name] for name in ("input_ids", "attention_mask")}
