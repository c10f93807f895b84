"""Verifies again what refutes a statement, from its witness alone where the claim knows how."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from verify.claim import Claim, Kind
from verify.context import PROFILES, Context
from verify.evidence import Evidence, Verdict, combine, judge
from verify.ledger import recorded
from verify.serialise import comparison

REFUTED = str(Verdict.REFUTED)


@dataclass(frozen=True)
class Recheck:
    """A variant that is recorded as refuted, computed again.

    Attributes:
        key: of the statement.
        name: of the variant.
        verdict: what was found now.
        evidence: the pieces that refute it.
        seconds: wall time.
        alone: whether the witness alone was checked, or the whole check was run.
    """

    key: str
    name: str
    verdict: Verdict
    evidence: tuple[Evidence, ...]
    seconds: float
    alone: bool

    @property
    def confirmed(self) -> bool:
        """Whether it is refuted still."""
        return self.verdict is Verdict.REFUTED

    @property
    def sentence(self) -> str:
        """One line: what was verified, by which arithmetic, in what time."""
        after = f"{1000 * self.seconds:.2g} ms" if self.seconds < 0.1 else f"{self.seconds:.2g} s"
        if not self.confirmed:
            return f"{self.key} {self.name}: recorded refuted, but found {self.verdict} when verified again ({after})"
        what = "witness" if any(e.witness is not None for e in self.evidence) else "refutation"
        how = ", ".join(dict.fromkeys(e.rigor.name.lower() for e in self.evidence))
        rest = "; ".join(comparison(e) for e in self.evidence)
        return f"{self.name}: {rest}\n  {what} verified again in {after} ({how})"

    def data(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "variant": self.name, "confirmed": self.confirmed, "verdict": str(self.verdict),
            "seconds": round(self.seconds, 6),
            "evidence": [
                {
                    "quantity": e.quantity, "comparison": comparison(e), "rigor": e.rigor.name.lower(),
                    "witness": None if e.witness is None
                    else {"summary": e.witness.summary, "values": dict(e.witness.rows())},
                }
                for e in self.evidence
            ],
        }  # fmt: skip


def recheck(claim: Claim, on_variant: Callable[[str], None] = lambda name: None) -> list[Recheck]:
    """Verify again every variant that is recorded as refuted, negative controls aside.

    Args:
        claim: the statement.
        on_variant: called with the name of a variant before it is verified.

    Returns:
        One entry for each, in the order of the claim.
    """
    known = recorded().get(claim.key, {})
    found = []
    for variant in claim.variants:
        if variant.kind is Kind.CONTROL or known.get(variant.name) != REFUTED:
            continue
        on_variant(variant.name)
        start = time.perf_counter()
        pieces = (variant.recheck or variant.check)(Context(PROFILES["quick"]))
        evidence = (pieces,) if isinstance(pieces, Evidence) else tuple(pieces)
        seconds = time.perf_counter() - start
        refuting = tuple(e for e in evidence if judge(e) is Verdict.REFUTED)
        alone = variant.recheck is not None
        found.append(Recheck(claim.key, variant.name, combine(evidence), refuting, seconds, alone))
    return found
