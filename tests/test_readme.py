"""The verdicts in README and docs are the recorded ones."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from verify.claim import Kind
from verify.ledger import coverage, ledger, recorded
from verify.report.verdict_page import recorded_result, verdict_page

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def test_readme_rows_show_the_recorded_verdicts() -> None:
    rows = re.findall(r"^\| ((?:zeng2022|zhang2025)/\S+) \| (\S+) \| ([^|]*?) ?\|", README.read_text(), re.MULTILINE)
    claims, known = {claim.key: claim for claim in ledger()}, recorded()
    assert len(rows) > 15
    for key, printed, repaired in rows:
        result = recorded_result(claims[key], known[key])
        assert str(result.verdict) == printed, key
        repairs = sorted({str(v.verdict) for v in result.variants if v.variant.kind is Kind.REPAIRED})
        assert repaired == ", ".join(repairs), key


def test_readme_counts_are_the_recorded_ones() -> None:
    known, text = recorded(), README.read_text()
    for paper in ("zeng2022", "zhang2025"):
        counts = Counter(
            str(recorded_result(c, known[c.key]).verdict) for c in ledger() if c.paper == paper
        )
        row = next(line for line in text.splitlines() if line.startswith(f"| {paper} |"))
        cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
        header = next(line for line in text.splitlines() if line.startswith("| paper |"))
        names = [cell.strip() for cell in header.strip("|").split("|")][1:]
        shown = {name: int(cell) for name, cell in zip(names, cells, strict=True) if name != "statements"}
        assert {k: v for k, v in shown.items() if v} == dict(counts)
        assert int(cells[0]) == len(coverage(paper))


def test_the_page_of_verdicts_is_up_to_date() -> None:
    assert (ROOT / "docs" / "verdicts.md").read_text() == verdict_page()
