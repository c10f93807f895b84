"""A word-level tokenizer for the small models: every word of the grammar is one token."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from algorithms.deep.rlhf.materials.chat import MARKERS
from algorithms.deep.rlhf.materials.corpus import vocabulary

PAD, UNKNOWN, END = "<pad>", "<unk>", "<end>"
"""Special tokens: padding, words outside the vocabulary, the end of a message."""

LONGEST = 256
"""Most tokens in a dialogue of the small models; ours: three turns of three answers are about 130."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of the small models. The end of a line is the token that ends a message.

    Markers of speakers are special: text that is decoded without special tokens never has them, so that an answer
    cannot open a line of another speaker.
    """
    words = [PAD, UNKNOWN, END, *MARKERS.values(), *vocabulary()]
    core = Tokenizer(models.WordLevel({word: k for k, word in enumerate(words)}, unk_token=UNKNOWN))
    core.normalizer = normalizers.Replace("\n", f" {END} ")
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=PAD, unk_token=UNKNOWN, eos_token=END,
        additional_special_tokens=list(MARKERS.values()), model_max_length=LONGEST, padding_side="right",
    )  # fmt: skip


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a tokenizer as the library does.

    Args:
        tokenizer: what to write.
        folder: made if it is not there.
    """
    tokenizer.save_pretrained(folder)
