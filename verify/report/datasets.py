"""Datasets of a run beside its report, and their way back into a later run.

A listing says which key and which run each file belongs to; without it, or for another profile or seed, nothing is
read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

import xarray as xr

from rates.sweep import load, save
from verify.context import Context
from verify.report.folder import unique_name

LISTING = "data/datasets.json"
"""Path of the listing from the folder of the report."""

FORMAT = "lemmata report data 1"
"""First entry of the listing."""


@dataclass(frozen=True)
class DataFile:
    """A dataset beside the report.

    Attributes:
        key: its key in the context.
        path: path from the folder of the report.
        sizes: dimensions in words.
        variables: names of its variables.
    """

    key: str
    path: str
    sizes: str
    variables: str


def save_datasets(context: Context, out: Path) -> list[DataFile]:
    """Write every dataset of a run, and the listing.

    Args:
        context: of the run.
        out: folder of the report.

    Returns:
        One entry per dataset, by key; no listing is written if there are none.

    Raises:
        OSError: the folder cannot be written.
    """
    files, names, listed = [], set[str](), dict[str, dict[str, str]]()
    for key, dataset in sorted(context.datasets.items()):
        (out / "data").mkdir(parents=True, exist_ok=True)
        path = f"data/{unique_name(key, names)}.nc"
        save(dataset, out / path)
        listed[path] = {"key": key, "sha256": _digest(out / path)}
        sizes = ", ".join(f"{name} {size}" for name, size in dataset.sizes.items())
        files.append(DataFile(key, path, sizes, ", ".join(map(str, dataset.data_vars))))
    if files:
        listing = {"format": FORMAT, "profile": context.profile.name, "seed": context.seed, "files": listed}
        (out / LISTING).write_bytes((json.dumps(listing, indent=1) + "\n").encode("utf-8"))
    return files


def stored_datasets(out: Path, profile: str, seed: int) -> dict[str, xr.Dataset]:
    """Datasets that an earlier run of the same profile and seed left in its report.

    Args:
        out: folder of the report.
        profile: name of the profile.
        seed: root of all randomness.

    Returns:
        By key; none if there is no listing, or it is another run's.

    Raises:
        ValueError: a listing that cannot be read, or a file that is missing or not as it was written (named).
    """
    path = out / LISTING
    if not path.is_file():
        return {}
    try:
        listing = json.loads(path.read_text(encoding="utf-8"))
        ours = listing["format"] == FORMAT and (listing["profile"], listing["seed"]) == (profile, seed)
        files: Mapping[str, Mapping[str, str]] = listing["files"] if ours else {}
        rows = [(str(name), str(row["key"]), str(row["sha256"])) for name, row in files.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        again = "remove it and they are computed again"
        raise ValueError(f"{path} is no listing of datasets: {error!r}; {again}") from None
    return {key: _load(out, name, digest) for name, key, digest in rows}


def _load(out: Path, name: str, digest: str) -> xr.Dataset:
    parts, target = PurePosixPath(name), out / name
    if parts.is_absolute() or ".." in parts.parts or parts.parent != PurePosixPath("data"):
        raise ValueError(f"{out / LISTING} lists {name!r}, which is not in its folder")
    if not target.is_file() or _digest(target) != digest:
        raise ValueError(f"{target} is missing or damaged; remove {out / LISTING} and all are computed again")
    return load(target)


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
