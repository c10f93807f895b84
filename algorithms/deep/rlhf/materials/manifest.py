"""The manifest of a folder of small models: what they were made from, with checksums, so that damage is found."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from algorithms.deep.rlhf.errors import MaterialsError

MANIFEST = "materials.json"
"""File name of the manifest."""

FORMAT = 1
"""Number of the format; folders of another one are refused."""


def write_manifest(folder: Path, recipe: dict[str, Any], measured: dict[str, float]) -> None:
    """Write the manifest of everything in a folder.

    Args:
        folder: with all files in place.
        recipe: what fixes the models: seed, size, and the like.
        measured: what was measured when they were made.
    """
    files = {str(path.relative_to(folder).as_posix()): _digest(path) for path in _files(folder)}
    versions = {name: version(name) for name in ("torch", "transformers", "tokenizers")}
    content = {"format": FORMAT, "recipe": recipe, "measured": measured, "versions": versions, "files": files}
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_manifest(folder: Path, recipe: dict[str, Any] | None = None) -> dict[str, Any]:
    """The manifest of a folder, after its files were compared with it.

    Args:
        folder: written by `write_manifest`.
        recipe: what the models must have been made from; None for anything.

    Raises:
        MaterialsError: no manifest, one that cannot be read, another recipe, or a file that is missing, changed or
            not from here.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise MaterialsError(f"{folder} has no {MANIFEST}: it is no folder of small models; name another or a new one")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found, files = content["recipe"], dict(content["files"])
        kept = content["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise MaterialsError(f"{path} cannot be read ({type(error).__name__}: {error}); delete the folder") from None
    if not kept:
        raise MaterialsError(f"{path} has format {content['format']!r}, not {FORMAT}; delete the folder")
    if recipe is not None and found != recipe:
        different = [f"{k} {found.get(k)!r}, not {v!r}" for k, v in recipe.items() if found.get(k) != v]
        raise MaterialsError(f"the models in {folder} have {', '.join(different) or 'more parts'}; name another folder")
    there = {str(p.relative_to(folder).as_posix()): p for p in _files(folder)}
    for name, digest in files.items():
        if name not in there:
            raise MaterialsError(f"{folder / name} is missing; delete {folder}, and the models are built again")
        if _digest(there[name]) != digest:
            raise MaterialsError(f"{folder / name} is damaged; delete {folder}, and the models are built again")
    foreign = sorted(set(there) - set(files))
    if foreign:
        raise MaterialsError(f"{folder / foreign[0]} is not from here; delete it, or name another folder")
    return dict(content)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
