"""Checkpoints: one safetensors file, whose header carries a JSON description and a checksum of the tensors.

One file, written beside the last one and then put in its place: a run that is killed leaves the old or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

FILE = "checkpoint.safetensors"
"""Name of the file in the folder of a run."""

FORMAT = 1
"""Version of the description."""


class CheckpointError(ValueError):
    """A checkpoint is damaged, or belongs to another run."""


def save(folder: Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write a checkpoint.

    Args:
        folder: made if it is not there.
        tensors: by name.
        description: what JSON can hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"format": str(FORMAT), "checksum": _checksum(stored), "description": json.dumps(description)}
    beside = folder / f"{FILE}.new"
    save_file(stored, beside, metadata=header)
    os.replace(beside, folder / FILE)


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read a checkpoint.

    Args:
        folder: of a run.

    Returns:
        Tensors and description; None if there is no checkpoint.

    Raises:
        CheckpointError: the file cannot be read, or its contents are not those that were written.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        description = json.loads(header["description"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); remove it to start the run again") from error
    if header.get("format") != str(FORMAT) or header.get("checksum") != _checksum(tensors):
        raise CheckpointError(f"{path} is damaged: its contents are not those written; remove it to start again")
    return tensors, description


def require_same(stored: dict[str, Any], wanted: dict[str, Any], folder: Path) -> None:
    """Refuse to go on with a run of other settings.

    Args:
        stored: of the checkpoint.
        wanted: of the run that is asked for.
        folder: for the message.

    Raises:
        CheckpointError: they differ; the first difference is named.
    """
    for name in sorted({*stored, *wanted}):
        old, new = stored.get(name), json.loads(json.dumps(wanted.get(name)))
        if old != new:
            raise CheckpointError(f"{folder} holds a run with {name} {old!r}, not {new!r}; choose another folder")


def _checksum(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
