"""Outcomes of a search, with the budget that was spent, and as evidence for the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.search.family import Family


@dataclass(frozen=True)
class Budget:
    """What a search may spend.

    Attributes:
        evaluations: of the statement in floats.
        exact: of the statement in exact arithmetic, for rounding and shrinking.
        seconds: of wall time, looked at between evaluations; None: no limit. With a limit that bites, the outcome
            depends on the machine; without one it depends on the generator alone.

    Raises:
        ValueError: on construction, if a number is not positive.
    """

    evaluations: int = 10_000
    exact: int = 2_000
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("evaluations", "exact", "seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"budget: {name} is {value}; it must be positive")


@dataclass(frozen=True)
class Spent:
    """What a search has spent.

    Attributes:
        evaluations: of the statement in floats.
        exact_evaluations: of the statement in exact arithmetic.
        seconds: of wall time.
    """

    evaluations: int
    exact_evaluations: int
    seconds: float

    @property
    def words(self) -> str:
        """The counts in words; without the time, which differs from run to run."""
        return f"{self.evaluations:,} evaluations in floats, {self.exact_evaluations:,} exact"


@dataclass(frozen=True, eq=False)
class Counterexample:
    """An instance that violates the statement, certified.

    Attributes:
        witness: the instance and both sides, for a reader.
        violation: lhs - rhs, exact; for enclosures its certified lower end. Positive.
        rigor: `Rigor.RATIONAL` or `Rigor.INTERVAL`.
        family: the family it ended in after shrinking.
        parameters: its parameters in that family.
        instance: the exact instance.
        spent: the cost.
    """

    witness: Witness
    violation: Fraction
    rigor: Rigor
    family: Family
    parameters: tuple[Fraction, ...]
    instance: Any
    spent: Spent

    def evidence(self, quantity: str) -> Evidence:
        """Evidence that refutes: the violation against zero.

        Args:
            quantity: the violation in words.
        """
        return exact_evidence(
            quantity, self.violation, 0, Relation.AT_MOST, rigor=self.rigor, instances=1, witness=self.witness,
            note=f"found by search: {self.spent.words}",
        )


@dataclass(frozen=True)
class Survived:
    """No certified violation was found.

    Attributes:
        best: largest lhs - rhs met in floats; a true sharp statement reaches zero up to rounding. None if the
            statement was defined at no point.
        best_exact: the same over the exact evaluations (lower ends of enclosures), as a float; None if there was none.
        undecided: evaluations whose enclosure contains zero; equality cannot be told from a violation by enclosures.
        spent: the cost.
    """

    best: float | None
    best_exact: float | None
    undecided: int
    spent: Spent

    def evidence(self, quantity: str, tolerance: float = 0.0) -> Evidence:
        """Evidence that stands as far as double precision goes: the largest violation against a tolerance.

        A violation that floats see and no exact evaluation certifies refutes nothing: where both sides are rounding
        errors of zero, floats see what they like. The evidence is then undecided.

        Args:
            quantity: the violation in words.
            tolerance: rounding that equality needs.

        Raises:
            ValueError: the statement was defined at no point, so that nothing was tried.
        """
        if self.best is None:
            raise ValueError(f"{quantity}: the statement was defined at none of the points tried")
        evidence = exact_evidence(
            quantity, self.best, tolerance, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=self.spent.evaluations,
            note=f"survived a search: {self.spent.words}",
        )
        if self.best <= tolerance:
            return evidence
        return replace(
            evidence, undecided=f"floats see {self.best:.3g}, which no exact evaluation certifies: rounding, or a "
            "violation that the roundings tried miss; more exact evaluations would tell",
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class WorstRatio:
    """The largest lhs / rhs found: how sharp a true inequality is, or how false a false one.

    Attributes:
        ratio: the largest in floats.
        certified: exact ratio at `instance` (lower end for enclosures), at least the asked share of `ratio`.
        rigor: of `certified`.
        witness: the instance, for a reader.
        family: the family it ended in after shrinking.
        parameters: its parameters in that family.
        instance: the exact instance.
        spent: the cost.
    """

    ratio: float
    certified: Fraction
    rigor: Rigor
    witness: Witness
    family: Family
    parameters: tuple[Fraction, ...]
    instance: Any
    spent: Spent
