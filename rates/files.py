"""The files of a sweep's folder: what they hold, and how they are read when they may be damaged."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rates.atomic import DamagedFileError, unseal
from rates.cells import Cell, Values
from rates.describe import difference, versions

FORMAT = 1
"""Of the files; a change of meaning changes it."""

Timing = tuple[int, int, float]
"""Horizon, number of seeds, seconds of one finished cell."""


class SweepConfigurationError(ValueError):
    """The folder holds a sweep of something else; the message shows the difference."""


def cell_content(cell: Cell, configuration: dict[str, Any], values: Values) -> dict[str, Any]:
    """What the file of a cell holds.

    Args:
        cell: which.
        configuration: of the sweep.
        values: metrics.
    """
    return header(configuration) | {
        "horizon": cell.horizon,
        "first_seed": cell.first,
        "n_seeds": cell.count,
        # repr of a float is exact; JSON has no other way to say nan
        "metrics": {name: [x if abs(x) < float("inf") else repr(x) for x in xs] for name, xs in values.items()},
    }


def values_of(content: dict[str, Any]) -> Values:
    """The metrics in the content of a cell.

    Args:
        content: from `cell_content`.
    """
    return {name: [float(x) for x in xs] for name, xs in content["metrics"].items()}


def read_cell(folder: Path, cell: Cell, configuration: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """The content of a whole cell, or None, and whether a file was there that is damaged.

    A file is whole if its checksum holds and it says that it is this cell of this configuration.

    Args:
        folder: of the sweep.
        cell: wanted.
        configuration: of the sweep.
    """
    try:
        content = unseal((folder / "cells" / cell.name).read_bytes())
    except FileNotFoundError:
        return None, False
    except (DamagedFileError, OSError):
        return None, True
    found = content.get("configuration"), content.get("horizon"), content.get("first_seed"), content.get("n_seeds")
    whole = content.get("format") == FORMAT and found == (configuration, cell.horizon, cell.first, cell.count)
    return (content, False) if whole else (None, True)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder; a damaged one is read off an intact cell, which repeats it. None if there is neither.

    Args:
        folder: of a sweep.
    """
    for path in [folder / "manifest.json", *sorted((folder / "cells").glob("*.json"))]:
        with suppress(DamagedFileError, FileNotFoundError):
            content = unseal(path.read_bytes())
            return {key: content[key] for key in ("format", "configuration", "versions")}
    return None


def require_same(stored: dict[str, Any] | None, configuration: dict[str, Any], folder: Path) -> None:
    """Refuse to resume a sweep with another configuration.

    Args:
        stored: manifest, or None.
        configuration: requested.
        folder: for the message.

    Raises:
        SweepConfigurationError: they differ; every difference is shown.
    """
    if stored is None:
        return
    if stored.get("format") != FORMAT:
        raise SweepConfigurationError(f"{folder} has format {stored.get('format')}, this version writes {FORMAT}")
    changes = difference(stored["configuration"], configuration)
    if changes:
        listed = "".join(f"\n  {line}" for line in changes)
        raise SweepConfigurationError(f"{folder} holds another sweep; resume with that, or use another folder:{listed}")


def read_timings(folder: Path) -> list[Timing]:
    """How long finished cells took; torn lines are skipped.

    Args:
        folder: of a sweep.
    """
    timings = []
    with suppress(OSError):
        for line in (folder / "timings.csv").read_text(errors="replace").splitlines():
            with suppress(ValueError):
                horizon, count, seconds = line.split(",")
                timing = (int(horizon), int(count), float(seconds))
                if min(timing) > 0:
                    timings.append(timing)
    return timings


def versions_text(found: Iterable[dict[str, str]]) -> str:
    """The distinct sets of versions as JSON: one object, or a list where they differ.

    Args:
        found: versions of each cell.
    """
    distinct = sorted({json.dumps(v, sort_keys=True) for v in found})
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"


def header(configuration: dict[str, Any]) -> dict[str, Any]:
    """What every file says: the format, what is computed, and with which versions.

    Args:
        configuration: of the sweep.
    """
    return {"format": FORMAT, "configuration": configuration, "versions": versions()}
