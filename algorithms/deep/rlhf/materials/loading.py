"""Loading checkpoints from local folders: nothing is downloaded, nothing is unpickled, and what cannot work is said."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from algorithms.deep.rlhf.errors import MaterialsError

BYTES = 4
"""Per parameter: float32."""

HEADROOM = 1.2
"""Memory for activations, adapters, critics and optimisers, relative to the parameters; ours."""

LOCAL = {"local_files_only": True, "trust_remote_code": False}
"""How everything is loaded: from this machine, and without running code from the folder."""


def offline() -> None:
    """Tell the libraries not to reach for the network, whatever a folder's configuration says."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        os.environ[name] = "1"


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder.

    Args:
        folder: with the files of a tokenizer.

    Returns:
        It pads with its end-of-text token if it has no other.

    Raises:
        MaterialsError: no folder, no tokenizer in it, or one without an end-of-text token.
    """
    _require_folder(folder)
    names = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spm.model")
    if not any((folder / name).is_file() for name in names):
        raise MaterialsError(f"{folder} has no tokenizer: none of {', '.join(names)}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
    except (OSError, ValueError, KeyError, ImportError, TypeError) as error:
        raise MaterialsError(f"the tokenizer in {folder} cannot be loaded: {_first_line(error)}") from None
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise MaterialsError(f"the tokenizer in {folder} has neither a padding nor an end-of-text token")
        tokenizer.pad_token = tokenizer.eos_token
    found: PreTrainedTokenizerBase = tokenizer
    return found


def load_causal(folder: Path, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """A causal language model, frozen, in evaluation mode, float32.

    Args:
        folder: with config.json and safetensors.
        tokenizer: what its text is written in.

    Raises:
        MaterialsError: see `load_tokenizer`; also weights that are missing, a tokenizer that does not fit, or one
            without an end-of-text token.
    """
    if tokenizer.eos_token_id is None:
        raise MaterialsError(f"the tokenizer for {folder} has no end-of-text token: a message would never end")
    return _load(folder, tokenizer, AutoModelForCausalLM, "language model")


def load_classifier(folder: Path, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """A reward model: a sequence classifier with one label, frozen, in evaluation mode, float32.

    Args:
        folder: with config.json and safetensors.
        tokenizer: its own.

    Raises:
        MaterialsError: as `load_causal`, or a number of labels other than one.
    """
    model = _load(folder, tokenizer, AutoModelForSequenceClassification, "reward model")
    if model.config.num_labels != 1:
        raise MaterialsError(f"{folder} has {model.config.num_labels} labels; a reward model has one")
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return model


def parameters_of(folder: Path) -> int:
    """Number of parameters in a folder's safetensors, from their headers alone.

    Args:
        folder: of a checkpoint.

    Raises:
        MaterialsError: no safetensors, or a file that is none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        others = ", ".join(sorted(p.name for p in folder.glob("*.bin"))) or "nothing like it"
        raise MaterialsError(f"{folder} has no *.safetensors ({others} is there); pickled weights are not read")
    return sum(prod(shape) for path in files for shape in _shapes(path))


def require_memory(folders: Iterable[Path], available: int | None = None) -> None:
    """Compare what the parameters of all models take with the memory that is free, before anything is loaded.

    Args:
        folders: one per model.
        available: free bytes; None: asked of the system, and not checked where it does not say.

    Raises:
        MaterialsError: too little memory; both sizes are named.
    """
    free = available_memory() if available is None else available
    counts = {folder: parameters_of(folder) for folder in folders}
    needed = int(HEADROOM * BYTES * sum(counts.values()))
    if free is not None and needed > free:
        parts = ", ".join(f"{folder.name} {n * BYTES / 2**30:.1f} GiB" for folder, n in counts.items())
        raise MaterialsError(
            f"the models take about {needed / 2**30:.1f} GiB in float32 ({parts}, {HEADROOM - 1:.0%} for the rest), "
            f"and {free / 2**30:.1f} GiB of memory are free"
        )


def available_memory() -> int | None:
    """Free bytes of main memory that programs can use, or None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _load(folder: Path, tokenizer: PreTrainedTokenizerBase, kind: Any, what: str) -> PreTrainedModel:
    _require_folder(folder)
    if not (folder / "config.json").is_file():
        raise MaterialsError(f"{folder} has no config.json: it is no folder of a {what}")
    parameters_of(folder)
    try:
        model, report = kind.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **LOCAL
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise MaterialsError(f"the {what} in {folder} cannot be loaded: {_first_line(error)}") from None
    missing = sorted(report["missing_keys"])
    if missing:
        raise MaterialsError(
            f"{folder} has no trained weights for {', '.join(missing[:3])}{' and others' * (len(missing) > 3)}: "
            f"it is no {what}"
        )
    rows = model.get_input_embeddings().num_embeddings
    largest = max(len(tokenizer), max(tokenizer.get_vocab().values()) + 1)
    if largest > rows:
        raise MaterialsError(
            f"the tokenizer does not fit the {what} in {folder}: it has {largest} tokens, and the model knows {rows}"
        )
    model.requires_grad_(False)
    found: PreTrainedModel = model.eval()
    return found


def _shapes(path: Path) -> list[list[int]]:
    """Shapes of the tensors in a safetensors file: eight bytes of length, then JSON."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > path.stat().st_size:
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        return [[int(n) for n in entry["shape"]] for name, entry in header.items() if name != "__metadata__"]
    except (struct.error, ValueError, AttributeError, KeyError, TypeError) as error:  # JSON, but of another form
        raise MaterialsError(f"{path} is no safetensors file: {_first_line(error)}") from None


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise MaterialsError(f"{folder} is {'a file, not a folder' if folder.exists() else 'not there'}")


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
