"""The page of recorded verdicts, `docs/verdicts.md`: one row per statement, and counts.

``python -m verify.report.verdict_page docs/verdicts.md README.md`` writes it and the table of counts between the two
markers of the README; tests compare both with the records.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from verify.claim import Claim, Kind
from verify.evidence import Verdict
from verify.ledger import PAPERS, coverage, ledger, recorded
from verify.runner import ClaimResult, VariantResult

BEGIN, END = "<!-- counts -->", "<!-- end of counts -->"
"""Markers of the table of counts."""


def recorded_result(claim: Claim, known: dict[str, str]) -> ClaimResult:
    """The recorded outcome of a statement, without evidence.

    Args:
        claim: the statement.
        known: its recorded verdicts by variant name.

    Raises:
        KeyError: a variant that has no record.
    """
    found = (Verdict[known[v.name].upper().replace("-", "_")] for v in claim.variants)
    pairs = zip(claim.variants, found, strict=True)
    return ClaimResult(claim, tuple(VariantResult(v, (), verdict, 0.0, known[v.name]) for v, verdict in pairs))


def verdict_page() -> str:
    """The page as Markdown."""
    known = recorded()
    lines = [
        "# Recorded verdicts", "",
        "Written by `python -m verify.report.verdict_page`; a test compares it with the records. `lemmata show ID`",
        "explains each statement, `lemmata verify ID` checks it again.", "",
    ]  # fmt: skip
    for paper in PAPERS:
        results = [recorded_result(claim, known[claim.key]) for claim in ledger() if claim.paper == paper]
        counts = Counter(str(result.verdict) for result in results)
        summary = ", ".join(f"{counts[str(v)]} {v}" for v in Verdict if counts[str(v)])
        lines += [f"## {paper}: {len(results)} of {len(coverage(paper))} statements", "", f"{summary}.", ""]
        lines += ["| statement | as printed | nearest true statement | what it says |", "|---|---|---|---|"]
        for result in results:
            repairs = sorted({str(v.verdict) for v in result.variants if v.variant.kind is Kind.REPAIRED})
            summary = result.claim.summary.replace("|", "\\|")
            lines.append(f"| {result.claim.id} | {result.verdict} | {', '.join(repairs)} | {summary} |")
        lines.append("")
    return "\n".join(lines)


def counts_table() -> str:
    """Verdicts of the printed statements by paper, as a Markdown table."""
    known = recorded()
    shown = [str(v) for v in Verdict]
    lines = [f"| paper | statements | {' | '.join(shown)} |", "|---|" + "---|" * (len(shown) + 1)]
    for paper in PAPERS:
        counts = Counter(str(recorded_result(c, known[c.key]).verdict) for c in ledger() if c.paper == paper)
        cells = " | ".join(str(counts[v]) for v in shown)
        lines.append(f"| {paper} | {len(coverage(paper))} | {cells} |")
    return "\n".join(lines)


def with_counts(text: str) -> str:
    """A text with the table of counts between its markers.

    Args:
        text: holds ``BEGIN`` and ``END``.

    Raises:
        ValueError: a marker is missing.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"the text has no markers {BEGIN!r} and {END!r}")
    head, rest = text.split(BEGIN, 1)
    return f"{head}{BEGIN}\n{counts_table()}\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    page, readme = map(Path, sys.argv[1:])
    page.write_text(verdict_page(), encoding="utf-8")
    readme.write_text(with_counts(readme.read_text(encoding="utf-8")), encoding="utf-8")
