"""Runs claims and compares verdicts with the recorded ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from verify.claim import Claim, Kind, Variant
from verify.context import Context
from verify.evidence import Evidence, Verdict, combine

WEAKEST_FIRST = (
    Verdict.REFUTED,
    Verdict.UNSATISFIABLE,
    Verdict.INCONCLUSIVE,
    Verdict.AMBIGUOUS,
    Verdict.OUT_OF_SCOPE,
    Verdict.VACUOUS,
    Verdict.CONSISTENT,
    Verdict.HOLDS,
    Verdict.PROVED,
)
"""Which part's verdict a statement with several parts takes."""


@dataclass(frozen=True)
class VariantResult:
    """Outcome of one variant.

    Attributes:
        variant: what was checked.
        evidence: what was found.
        verdict: computed from the evidence.
        seconds: wall time of the check.
        recorded: the verdict in the paper's data file, or None if there is none yet.
    """

    variant: Variant
    evidence: tuple[Evidence, ...]
    verdict: Verdict
    seconds: float
    recorded: str | None

    @property
    def as_recorded(self) -> bool:
        """Whether the verdict is the recorded one."""
        return self.recorded == str(self.verdict)


@dataclass(frozen=True)
class ClaimResult:
    """Outcome of a statement.

    Attributes:
        claim: the statement.
        variants: its outcomes, in the claim's order.
        vanished: recorded variants that the claim no longer has.
    """

    claim: Claim
    variants: tuple[VariantResult, ...]
    vanished: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Verdict of the printed statement.

        Readings of one part of which none falls give the weakest of their verdicts; readings that disagree make the
        part ambiguous. Parts stand or fall together: one refuted line refutes the statement.
        """
        parts: dict[str, set[Verdict]] = {}
        for v in self.variants:
            if v.variant.kind is Kind.PRINTED:
                parts.setdefault(v.variant.part, set()).add(v.verdict)
        found = {_common(verdicts) for verdicts in parts.values()}
        return next(v for v in WEAKEST_FIRST if v in found)

    @property
    def controls_refuted(self) -> bool:
        """Whether every negative control came out refuted."""
        return all(
            v.verdict is Verdict.REFUTED for v in self.variants if v.variant.kind is Kind.CONTROL
        )

    @property
    def as_recorded(self) -> bool:
        """Whether every verdict is the recorded one, none has vanished, and every control is refuted."""
        return not self.vanished and self.controls_refuted and all(v.as_recorded for v in self.variants)


def run_claims(
    claims: Iterable[Claim],
    context: Context,
    recorded: Mapping[str, Mapping[str, str]],
    on_variant: Callable[[Claim, Variant], None] = lambda claim, variant: None,
) -> list[ClaimResult]:
    """Check every variant of every claim.

    Args:
        claims: what to check, in order.
        context: budgets, randomness, shared experiments.
        recorded: verdicts by claim key and variant name.
        on_variant: called before each check, for progress bars.

    Returns:
        One result per claim.
    """
    results = []
    for claim in claims:
        known = recorded.get(claim.key, {})
        outcomes = []
        for variant in claim.variants:
            on_variant(claim, variant)
            outcomes.append(_run(variant, context, known.get(variant.name)))
        vanished = tuple(name for name in known if name not in {v.name for v in claim.variants})
        results.append(ClaimResult(claim, tuple(outcomes), vanished))
    return results


def _common(readings: set[Verdict]) -> Verdict:
    """Verdict of alternative readings of the same line: ambiguous if one falls where another does not, or otherwise."""
    falls = {Verdict.REFUTED, Verdict.UNSATISFIABLE, Verdict.VACUOUS}
    if len(readings) == 1 or not readings & falls:  # an undecided reading disagrees with none
        return next(v for v in WEAKEST_FIRST if v in readings)
    return Verdict.AMBIGUOUS


def _run(variant: Variant, context: Context, recorded: str | None) -> VariantResult:
    start = time.perf_counter()
    found = variant.check(context)
    evidence: Sequence[Evidence] = (found,) if isinstance(found, Evidence) else tuple(found)
    return VariantResult(
        variant, tuple(evidence), combine(evidence), time.perf_counter() - start, recorded
    )
