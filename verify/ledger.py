"""The ledger: every claim in paper order, the coverage lists, and the recorded verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from verify import zeng2022, zhang2025
from verify.claim import Claim
from verify.paper import broken_papers, find_paper, papers
from verify.runner import ClaimResult
from verify.suggest import did_you_mean

PAPERS = {"zeng2022": zeng2022, "zhang2025": zhang2025}
"""Modules of the two papers that are bundled in full, by key; `verify.paper.papers` has every paper installed."""


def ledger() -> tuple[Claim, ...]:
    """Every claim of every paper that can be loaded, in paper order; `verify.paper.broken_papers` has the rest."""
    return tuple(claim for paper in papers().values() for claim in paper.claims())


def coverage(paper: str) -> list[dict[str, str]]:
    """The paper's coverage list: every statement that needs a verdict, in paper order.

    Args:
        paper: key of the paper.

    Returns:
        One dictionary per statement: id, where, kind, text (as printed, in words).

    Raises:
        KeyError: unknown paper.
        verify.paper.PaperError: a paper that cannot be loaded.
    """
    return find_paper(paper).coverage()


def known_keys() -> set[str]:
    """Keys of every statement in the coverage lists."""
    return {f"{paper}/{row['id']}" for paper in papers() for row in coverage(paper)}


def recorded() -> dict[str, dict[str, str]]:
    """Recorded verdicts by claim key and variant name."""
    return {
        f"{key}/{id}": variants for key, paper in papers().items() for id, variants in paper.recorded().items()
    }


def record(results: Sequence[ClaimResult], folder: Path | None = None) -> list[Path]:
    """Write the verdicts of `results` as the recorded ones, keeping statements that were not run.

    Args:
        results: outcomes to record.
        folder: where to write ``PAPER.verdicts.toml``; by default each paper's own file is replaced (in a source
            checkout or an editable installation).

    Returns:
        The files written: one per paper that `results` has statements of.
    """
    written = []
    for key in dict.fromkeys(result.claim.paper for result in results):
        paper = find_paper(key)
        table = paper.recorded()
        for result in results:
            if result.claim.paper == key:
                table[result.claim.id] = {v.variant.name: str(v.verdict) for v in result.variants}
        order = {claim.id: k for k, claim in enumerate(paper.claims())}
        lines = ["# Recorded verdicts, written by `lemmata verify --record`; a test fails when one changes."]
        for id in sorted(table, key=lambda id: (order.get(id, len(order)), id)):
            lines += ["", f"[{json.dumps(id, ensure_ascii=False)}]"]
            lines += [f'{json.dumps(name, ensure_ascii=False)} = "{verdict}"' for name, verdict in table[id].items()]
        path = paper.verdicts if folder is None else folder / f"{key}.verdicts.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        written.append(path)
    return written


def select(ids: Sequence[str], claims: Sequence[Claim] | None = None) -> list[Claim]:
    """Claims by key (``paper/id``), bare id, or paper; all of them for no ids.

    Args:
        ids: what the user typed.
        claims: where to look; the whole ledger by default.

    Raises:
        KeyError: an id that matches no claim; the message says so if the papers have the statement but it is not
            checked yet, why its paper cannot be loaded, or which ids are near.
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
            paper = id.split("/", 1)[0]
            if paper not in papers() and paper in broken_papers():
                raise KeyError(broken_papers()[paper])
            if "::" in id:
                raise KeyError(f"{id!r} names a variant; `pytest --lemmata {id}` runs it, this takes statements")
            known = [c.key if "/" in id else c.id for c in everything] + [c.paper for c in everything]
            raise KeyError(f"no statement {id!r}{did_you_mean(id, known, '; `lemmata list` shows all')}")
        chosen += [c for c in found if c not in chosen]
    return chosen


def unchecked(id: str, claims: Sequence[Claim]) -> list[str]:
    """Keys of statements in the coverage lists that `id` names and that no claim checks.

    Args:
        id: ``paper/id`` or a bare id.
        claims: what is checked.
    """
    keys = {claim.key for claim in claims}
    rows = [(f"{paper}/{row['id']}", row["id"]) for paper in papers() for row in coverage(paper)]
    return [key for key, bare in rows if id in (key, bare) and key not in keys]
