"""Sampling from causal language models token by token, and the log-probability of what was sampled.

Rows of different length are padded on the left for writing (so that the last column is every row's last token) and on
the right for scoring.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache
from transformers.modeling_outputs import CausalLMOutputWithPast

Tokens = Sequence[int]
Call = Callable[..., CausalLMOutputWithPast]
"""A causal language model's forward pass, by keyword."""


def ancestral(
    call: Call,
    contexts: Sequence[Tokens],
    length: int,
    end: int | None,
    generator: torch.Generator,
    device: torch.device,
) -> list[list[int]]:
    """Sample continuations token by token from the model's own law (temperature 1, nothing cut off).

    Args:
        call: the model.
        contexts: token ids of every row, none empty.
        length: most tokens to write.
        end: token after which a row is finished; None to write `length` tokens in every row.
        generator: on the CPU.
        device: of the model.

    Raises:
        FloatingPointError: a probability is not finite.
    """
    tokens, mask = _left_padded(contexts, device)
    rows: list[list[int]] = [[] for _ in contexts]
    running, cache = [True] * len(rows), None
    place = (mask.cumsum(dim=1) - 1).clamp(min=0)
    with torch.no_grad():
        for _ in range(length):
            output = call(
                input_ids=tokens, attention_mask=mask, position_ids=place, past_key_values=cache, use_cache=True
            )
            drawn = _draw(output.logits, generator)
            for k, token in enumerate(drawn):
                if running[k]:
                    rows[k].append(token)
                    running[k] = token != end
            if not any(running):
                break
            cache: Cache | None = output.past_key_values  # type: ignore[no-redef]
            tokens = torch.tensor(drawn, device=device)[:, None]
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            place = place[:, -1:] + 1
    return rows


def row_log_probabilities(
    call: Call, contexts: Sequence[Tokens], responses: Sequence[Tokens], device: torch.device
) -> Float[Tensor, " R"]:
    """``log p(response | context)`` by row.

    Args:
        call: the model.
        contexts: token ids of every row, none empty.
        responses: token ids of every row.
        device: of the model.
    """
    tokens, mask, own = right_padded(contexts, responses, device)
    logits = call(input_ids=tokens, attention_mask=mask, use_cache=False).logits
    assert logits is not None
    chosen = torch.log_softmax(logits[:, :-1], dim=-1).gather(2, tokens[:, 1:, None])[:, :, 0]
    return torch.where(own[:, 1:], chosen, 0.0).sum(dim=1)


def position_limit(model: PreTrainedModel) -> int:
    """Most tokens that a model takes.

    Args:
        model: a causal language model.
    """
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(limit) if limit else 2**31 - 1


def _draw(logits: Tensor | None, generator: torch.Generator) -> list[int]:
    assert logits is not None
    law = torch.softmax(logits[:, -1].double().cpu(), dim=-1)
    if not torch.isfinite(law).all():
        raise FloatingPointError("not finite: the law of the next token; the steps are too large")
    return [int(k) for k in torch.multinomial(law, 1, generator=generator)[:, 0]]


def _left_padded(rows: Sequence[Tokens], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(row) for row in rows)
    tokens = [[0] * (longest - len(row)) + list(row) for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(tokens, device=device), torch.tensor(mask, device=device)


def right_padded(
    contexts: Sequence[Tokens], continuations: Sequence[Tokens], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of one length: tokens, mask of what is there, and mask of what belongs to the continuation.

    Args:
        contexts: token ids of every row.
        continuations: token ids that follow.
        device: of the result.
    """
    rows = [[*context, *more] for context, more in zip(contexts, continuations, strict=True)]
    longest = max(len(row) for row in rows)
    place = torch.arange(longest)
    ends = torch.tensor([len(row) for row in rows])[:, None]
    starts = torch.tensor([len(context) for context in contexts])[:, None]
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    there = place < ends
    return tokens.to(device), there.long().to(device), (there & (place >= starts)).to(device)
