"""The ledger: every claim in paper order, the coverage lists, and the recorded verdicts."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from verify import zeng2022, zhang2025
from verify.claim import Claim
from verify.runner import ClaimResult

PAPERS = {"zeng2022": zeng2022, "zhang2025": zhang2025}
"""Modules of the bundled papers by key."""


def ledger() -> tuple[Claim, ...]:
    """Every claim of every bundled paper, in paper order."""
    return tuple(build() for paper in PAPERS.values() for build in paper.LEDGER)


def coverage(paper: str) -> list[dict[str, str]]:
    """The paper's coverage list: every statement that needs a verdict, in paper order.

    Args:
        paper: key of the paper.

    Returns:
        One dictionary per statement: id, where, kind, text (as printed, in words).

    Raises:
        KeyError: unknown paper.
    """
    if paper not in PAPERS:
        raise KeyError(f"no paper {paper!r}; there are {sorted(PAPERS)}")
    return list(_data(f"{paper}.statements.toml")["statement"])


def known_keys() -> set[str]:
    """Keys of every statement in the coverage lists."""
    return {f"{paper}/{row['id']}" for paper in PAPERS for row in coverage(paper)}


def recorded() -> dict[str, dict[str, str]]:
    """Recorded verdicts by claim key and variant name."""
    table: dict[str, dict[str, str]] = {}
    for paper in PAPERS:
        for id, variants in _data(f"{paper}.verdicts.toml").items():
            table[f"{paper}/{id}"] = dict(variants)
    return table


def record(results: Sequence[ClaimResult], folder: Path) -> list[Path]:
    """Write the verdicts of `results` as the recorded ones, keeping statements that were not run.

    Args:
        results: outcomes to record.
        folder: where the data files are (``verify/data`` of a checkout).

    Returns:
        The files written.
    """
    table = recorded()
    for result in results:
        table[result.claim.key] = {v.variant.name: str(v.verdict) for v in result.variants}
    order = {claim.key: k for k, claim in enumerate(ledger())}
    written = []
    for paper in PAPERS:
        keys = sorted((k for k in table if k.startswith(f"{paper}/")), key=lambda k: order.get(k, len(order)))
        lines = ["# Recorded verdicts, written by `lemmata verify --record`; a test fails when one changes."]
        for key in keys:
            lines += ["", f'["{key.split("/", 1)[1]}"]']
            lines += [f'"{name}" = "{verdict}"' for name, verdict in table[key].items()]
        path = folder / f"{paper}.verdicts.toml"
        path.write_text("\n".join(lines) + "\n")
        written.append(path)
    return written


def select(ids: Sequence[str], claims: Sequence[Claim] | None = None) -> list[Claim]:
    """Claims by key (``paper/id``), bare id, or paper; all of them for no ids.

    Args:
        ids: what the user typed.
        claims: where to look; the whole ledger by default.

    Raises:
        KeyError: an id that matches no claim; the message says so if the papers have the statement but it is not
            checked yet, and suggests near ids otherwise.
    """
    everything = list(ledger() if claims is None else claims)
    if not ids:
        return everything
    chosen: list[Claim] = []
    for id in ids:
        found = [c for c in everything if id in (c.key, c.id, c.paper)]
        if not found:
            pending = unchecked(id, everything)
            if pending:
                raise KeyError(f"{', '.join(pending)}: not checked yet; `lemmata list` shows what is")
            known = [c.key for c in everything] + [c.id for c in everything]
            near = difflib.get_close_matches(id, known, n=3, cutoff=0.4)
            hint = f"; did you mean {', '.join(near)}?" if near else "; `lemmata list` shows all"
            raise KeyError(f"no statement {id!r}{hint}")
        chosen += [c for c in found if c not in chosen]
    return chosen


def unchecked(id: str, claims: Sequence[Claim]) -> list[str]:
    """Keys of statements in the coverage lists that `id` names and that no claim checks.

    Args:
        id: ``paper/id`` or a bare id.
        claims: what is checked.
    """
    keys = {claim.key for claim in claims}
    rows = [(f"{paper}/{row['id']}", row["id"]) for paper in PAPERS for row in coverage(paper)]
    return [key for key, bare in rows if id in (key, bare) and key not in keys]


def _data(name: str) -> dict[str, Any]:
    source = resources.files("verify") / "data" / name
    return tomllib.loads(source.read_text()) if source.is_file() else {}
