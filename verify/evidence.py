"""Evidence and verdicts. A verdict is computed from evidence by `judge`; it is never typed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq

from rates.fit import RateFit

Number = float | int | Fraction


class Rigor(Enum):
    """How far a measured value can be trusted; the value explains it."""

    SYMBOLIC = "algebraic identity or certificate checked symbolically"
    RATIONAL = "exact rational arithmetic"
    INTERVAL = "certified enclosure"
    FLOAT = "double precision, with a stated tolerance"
    STATISTICAL = "Monte Carlo, with an interval"


class Scope(Enum):
    """What the evidence is about; the value explains it."""

    CLASS = "every input of the stated class"
    INSTANCES = "the instances tried"


class Relation(Enum):
    """How measured and claimed values must compare for the statement to stand."""

    AT_MOST = "<="
    AT_LEAST = ">="
    EQUAL = "="
    NOT_SLOWER = "decays at least like"


class Verdict(Enum):
    """Outcome for a statement under one reading; the value explains it."""

    PROVED = "for every input of the class, by an argument the program re-checks"
    HOLDS = "on every instance tried, worst cases by construction among them"
    CONSISTENT = "the statistics agree, with an interval"
    REFUTED = "a verified witness contradicts it"
    UNSATISFIABLE = "no instance of the setting meets the assumption"
    VACUOUS = "the conclusion is empty or holds for every input"
    AMBIGUOUS = "readings disagree; each has its own verdict"
    INCONCLUSIVE = "undecided; the note says what would decide"
    OUT_OF_SCOPE = "not decidable here; the note says why"

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True)
class Witness:
    """A counterexample (or an attaining instance) that a reader can check by hand.

    Attributes:
        summary: one sentence: what the instance is and what it shows.
        values: named scalars, vectors and matrices, printed exactly.
    """

    summary: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, str]]:
        """Name and exact text of every value."""
        return [(name, exact_text(value)) for name, value in self.values.items()]


@dataclass(frozen=True)
class Evidence:
    """One measurement set against one claim.

    Attributes:
        quantity: what was measured, in words.
        measured: its value (exact where `rigor` says so).
        low: lower end of what the value can be; equals `measured` for exact values.
        high: upper end.
        claimed: what the statement says; never absent.
        relation: how they must compare.
        rigor: how far to trust it.
        scope: instances tried, or the whole class.
        instances: number of problems behind the value (0 if none were sampled).
        witness: an explicit instance, for refutations.
        undecided: if not empty, why this evidence cannot decide; the verdict is then inconclusive.
        note: anything a reader should know.
        corroborates: the piece supports others but does not carry the statement: it can refute, and it does not
            decide how strongly the statement stands.
        fit: the rate fit behind the value, drawn in the report.
        sample: values over the instances, drawn in the report.
        sample_quantity: what `sample` holds, if not `quantity`.
        sample_claimed: what the statement claims of it, if not `claimed`.
        establishes: what it means that the comparison stands, if not that the statement does: `Verdict.UNSATISFIABLE`
            ("no instance meets the assumption" was measured) or `Verdict.VACUOUS` ("the conclusion holds for every
            input" was). If the comparison fails the verdict is refuted, as always.
        out_of_scope: if not empty, why nothing here can decide the statement, and what could.

    Raises:
        ValueError: on construction, if ``low <= measured <= high`` fails, or `establishes` is another verdict.
    """

    quantity: str
    measured: Number
    low: Number
    high: Number
    claimed: Number
    relation: Relation
    rigor: Rigor
    scope: Scope = Scope.INSTANCES
    instances: int = 0
    witness: Witness | None = None
    undecided: str = ""
    note: str = ""
    corroborates: bool = False
    fit: RateFit | None = None
    sample: tuple[float, ...] = ()
    sample_quantity: str = ""
    sample_claimed: Number | None = None
    establishes: Verdict | None = None
    out_of_scope: str = ""

    def __post_init__(self) -> None:
        if self.establishes not in (None, Verdict.UNSATISFIABLE, Verdict.VACUOUS):
            raise ValueError(f"{self.quantity}: evidence establishes unsatisfiable or vacuous, not {self.establishes}")
        if not self.undecided and not self.low <= self.measured <= self.high:
            raise ValueError(f"{self.quantity}: {self.measured} is not between {self.low} and {self.high}")


def exact_evidence(
    quantity: str,
    measured: Number | fmpq,
    claimed: Number | fmpq,
    relation: Relation,
    *,
    rigor: Rigor = Rigor.RATIONAL,
    scope: Scope = Scope.INSTANCES,
    instances: int = 0,
    witness: Witness | None = None,
    note: str = "",
    corroborates: bool = False,
    establishes: Verdict | None = None,
) -> Evidence:
    """Evidence whose measured value has no width (arguments as `Evidence`; `fmpq` is converted).

    Args:
        quantity: what was measured.
        measured: its value.
        claimed: what the statement says.
        relation: how they must compare.
        rigor: how far to trust it.
        scope: instances or class.
        instances: number of problems.
        witness: an explicit instance.
        note: a remark.
        corroborates: whether it only supports other pieces.
        establishes: what it means that the comparison stands.
    """
    value = _plain(measured)
    return Evidence(
        quantity, value, value, value, _plain(claimed), relation, rigor, scope, instances, witness, "", note,
        corroborates, establishes=establishes,
    )


def outside(why: str) -> Evidence:
    """Evidence that a statement is out of scope.

    Args:
        why: why nothing here can decide it, and what could.

    Raises:
        ValueError: no reason.
    """
    if not why:
        raise ValueError("a statement is out of scope for a reason")
    return Evidence("nothing measured", 0, 0, 0, 0, Relation.EQUAL, Rigor.SYMBOLIC, out_of_scope=why)


def judge(evidence: Evidence) -> Verdict:
    """Verdict of one piece of evidence.

    Args:
        evidence: the measurement.
    """
    if evidence.out_of_scope:
        return Verdict.OUT_OF_SCOPE
    if evidence.undecided:
        return Verdict.INCONCLUSIVE
    low, high, claimed = evidence.low, evidence.high, evidence.claimed
    satisfied, violated = {
        Relation.AT_MOST: (high <= claimed, low > claimed),
        Relation.AT_LEAST: (low >= claimed, high < claimed),
        Relation.EQUAL: (low <= claimed <= high, not low <= claimed <= high),
        # an upper bound on a decay: refuted only if the whole interval is slower
        Relation.NOT_SLOWER: (low <= claimed, low > claimed),
    }[evidence.relation]
    if violated:
        return Verdict.REFUTED
    if not satisfied:
        return Verdict.INCONCLUSIVE
    if evidence.establishes is not None:
        return evidence.establishes
    if evidence.rigor is Rigor.STATISTICAL:
        return Verdict.CONSISTENT
    exact = evidence.rigor in (Rigor.SYMBOLIC, Rigor.RATIONAL, Rigor.INTERVAL)
    return Verdict.PROVED if exact and evidence.scope is Scope.CLASS else Verdict.HOLDS


def combine(evidence: Sequence[Evidence]) -> Verdict:
    """Verdict of a variant from all its evidence.

    Refuted if any piece refutes, else inconclusive if any is undecided, else what a piece establishes
    (unsatisfiable, vacuous), else as strong as the weakest piece that
    carries the statement (pieces that merely corroborate, such as instances beside a proof, do not weaken it).

    Args:
        evidence: all pieces for one variant, at least one.

    Raises:
        ValueError: no evidence.
    """
    if not evidence:
        raise ValueError("a variant without evidence has no verdict")
    everything = {judge(e) for e in evidence}
    for decisive in (Verdict.REFUTED, Verdict.INCONCLUSIVE):
        if decisive in everything:
            return decisive
    carrying = {judge(e) for e in evidence if not e.corroborates} or everything
    order = (
        Verdict.OUT_OF_SCOPE, Verdict.UNSATISFIABLE, Verdict.VACUOUS, Verdict.CONSISTENT, Verdict.HOLDS, Verdict.PROVED
    )
    return next(v for v in order if v in carrying)


def exact_text(value: Any) -> str:
    """Text of a scalar, vector or matrix: rationals as p/q, floats to six digits, rows in brackets.

    Args:
        value: number, string, or (nested) sequence or array of numbers.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (np.ndarray, list, tuple)):
        return "[" + ", ".join(exact_text(v) for v in value) + "]"
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    return str(_plain(value))


def _plain(value: Any) -> Number:
    """Fraction for exact values, float otherwise: both compare exactly with each other."""
    if isinstance(value, fmpq):
        return Fraction(int(value.p), int(value.q))
    if isinstance(value, (np.integer, int)):
        return Fraction(int(value))
    return value if isinstance(value, Fraction) else float(value)
