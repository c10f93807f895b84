"""The README's verdict table is the recorded one."""

from __future__ import annotations

import re
from pathlib import Path

from verify.claim import Kind
from verify.evidence import Verdict
from verify.ledger import ledger, recorded
from verify.runner import ClaimResult, VariantResult

README = Path(__file__).parent.parent / "README.md"


def test_readme_table_shows_the_recorded_verdicts() -> None:
    rows = re.findall(r"^\| ((?:zeng2022|zhang2025)/\S+) \| (\S+) \| (\S*) ?\|", README.read_text(), re.MULTILINE)
    assert [key for key, _, _ in rows] == [claim.key for claim in ledger()]
    known = recorded()
    for claim, (key, printed, repaired) in zip(ledger(), rows, strict=True):
        verdicts = {name: Verdict[v.upper().replace("-", "_")] for name, v in known[key].items()}
        results = tuple(VariantResult(v, (), verdicts[v.name], 0.0, known[key][v.name]) for v in claim.variants)
        assert str(ClaimResult(claim, results).verdict) == printed, key
        repairs = {known[key][v.name] for v in claim.variants if v.kind is Kind.REPAIRED}
        assert repairs == ({repaired} if repaired else set()), key
