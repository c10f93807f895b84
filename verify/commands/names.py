"""Names that the shell completes.

They are written down here, because a shell does not wait until everything that computes is imported; tests compare them
with what there is.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path

PROFILES = ("quick", "full")
"""Keys of `verify.context.PROFILES`."""

INSTANCES = (
    "ring3", "ring3-nonrealisable", "coordination", "xor", "two-state", "random-walk", "nearly-decomposable",
    "absorbing-trap", "periodic-trap", "garnet", "mini-pursuit",
)  # fmt: skip
"""Keys of `mdp.instances.INSTANCES`."""

LARGE = ("simple-spread",)
"""Keys of `mdp.large.LARGE_INSTANCES`."""

BACKENDS = ("loky", "threading", "dask")
"""`rates.sweep.BACKENDS`."""

METRICS = (
    "critic_error_td", "critic_error_bellman", "critic_error_td_error", "reward_error", "shared_disagreement",
    "shared_gradient", "personal_gradient", "J", "critic_total_td", "critic_total_bellman", "critic_total_td_error",
    "stationarity",
)  # fmt: skip
"""Metrics of `lemmata sweep`."""


def complete(known: Iterable[str]) -> Callable[[str], list[str]]:
    """A function for typer's ``autocompletion``.

    Args:
        known: what may be typed.
    """
    words = tuple(known)

    def found(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return found


def complete_papers(incomplete: str) -> list[str]:
    """Papers that begin as typed.

    Args:
        incomplete: what was typed so far.
    """
    return [paper for paper in _papers() if paper.startswith(incomplete)]


def complete_statements(incomplete: str) -> list[str]:
    """Papers and statements that begin as typed, statements with their paper if the text has a slash.

    Args:
        incomplete: what was typed so far.
    """
    found: list[str] = []
    for paper, ids in _papers().items():
        found += [f"{paper}/{id}" for id in ids] if "/" in incomplete else [paper, *ids]
    return [word for word in dict.fromkeys(found) if word.startswith(incomplete)]


def complete_mdp(incomplete: str) -> list[str]:
    """Bundled instances, and files of a known kind in the folder that is typed.

    Args:
        incomplete: what was typed so far.
    """
    found = complete((*INSTANCES, *LARGE))(incomplete)
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") else typed.parent
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return found
    kinds = [f"{p}/" if p.is_dir() else str(p) for p in inside if p.is_dir() or p.suffix in (".json", ".npz", ".drn")]
    return found + [name for name in kinds if name.startswith(incomplete)]


def _papers() -> dict[str, list[str]]:
    """Ids of statements by paper. Bundled papers are read from their files; others have to be imported."""
    package = Path(__file__).resolve().parent.parent
    files = {path.name.removesuffix(".statements.toml"): path for path in package.glob("data/*.statements.toml")}
    files |= {path.parent.name: path for path in package.glob("*/statements.toml")}
    found = {name: _ids(path) for name, path in sorted(files.items())}
    if any(point.name not in found for point in entry_points(group="lemmata.papers")):
        from verify.paper import papers

        found |= {key: [row["id"] for row in paper.coverage()] for key, paper in papers().items() if key not in found}
    return found


def _ids(path: Path) -> list[str]:
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("statement", [])
    except (OSError, tomllib.TOMLDecodeError):
        return []
    return [str(row["id"]) for row in rows if "id" in row]
