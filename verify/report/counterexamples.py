"""The index of counterexamples: every printed form that is refuted, with what refutes it, in short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify.evidence import Evidence, Verdict, judge
from verify.report.markup import exact_or_text
from verify.report.sections import Section
from verify.runner import VariantResult

SHORT = 60
"""Characters of a witness's value up to which the index shows it; ours."""


@dataclass(frozen=True)
class Refutation:
    """A refuted printed form.

    Attributes:
        section: its statement.
        outcome: of the form.
        evidence: what refutes it; the piece with a witness, if there is one.
    """

    section: Section
    outcome: VariantResult
    evidence: Evidence

    @property
    def values(self) -> list[tuple[str, str]]:
        """Short values of the witness, by name."""
        witness = self.evidence.witness
        rows = [(name, exact_or_text(value)) for name, value in witness.values.items()] if witness else []
        return [(name, text) for name, text in rows if len(text) <= SHORT]

    @property
    def complete(self) -> bool:
        """Whether `values` is the whole witness."""
        return self.evidence.witness is None or len(self.values) == len(self.evidence.witness.values)


def refutations(sections: Sequence[Section]) -> list[Refutation]:
    """Refuted printed forms of a run, in its order.

    Args:
        sections: statements of the run.
    """
    found = []
    for section in sections:
        for outcome in section.of("PRINTED"):
            pieces = [e for e in outcome.evidence if judge(e) is Verdict.REFUTED]
            if outcome.verdict is Verdict.REFUTED and pieces:
                evidence = next((e for e in pieces if e.witness is not None), pieces[0])
                found.append(Refutation(section, outcome, evidence))
    return found
