"""Assertions for tests of one's own: identities that must hold, forms that must be refuted, and readable failures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpz

from mdp.rational import RationalPoint
from verify.claim import Check, Claim, Kind
from verify.context import PROFILES, Context
from verify.evidence import Evidence, Verdict, combine, judge
from verify.identities import SIZES, exact_identity, rational_points
from verify.serialise import comparison
from verify.suggest import unknown

FAMILY = tuple(name for name in inspect.signature(rational_points).parameters if name != "context")
"""Options of `verify.identities.rational_points`."""


def assert_identity(
    residual: Callable[[RationalPoint], np.ndarray | fmpq], *, context: Context | None = None, **family: bool | int
) -> Evidence:
    """Assert that a residual is exactly zero on random rational problems.

    Args:
        residual: maps a problem to one or more exact residuals.
        context: budget and randomness; the quick profile and seed 0 by default.
        **family: options of `verify.identities.rational_points`.

    Returns:
        The evidence.

    Raises:
        AssertionError: the residual is not zero; the message shows the smallest problem found.
        TypeError: it is no function, returns what is not exact (a float) or an unknown option is given.
        ValueError: it returns nothing, so that the assertion would hold whatever is true, or no size is left.
    """
    __tracebackhide__ = True  # pytest then shows the line of the user's test and the message
    if not callable(residual):
        raise TypeError(f"residual is {residual!r}; it is a function of a RationalPoint")
    for option in family:
        if option not in FAMILY:
            raise TypeError(unknown("option", option, FAMILY))
    if not 0 <= family.get("smallest", 0) < len(SIZES):
        raise ValueError(f"smallest is {family['smallest']}; there are {len(SIZES)} sizes, and some must be left")
    name = getattr(residual, "__name__", "residual").replace("<lambda>", "residual")
    evidence = exact_identity(context or _quick(), f"largest {name}", _exact(residual), **family)
    if judge(evidence) is Verdict.REFUTED:
        raise AssertionError(f"not an identity\n{describe([evidence])}")
    return evidence


def assert_refuted(what: Check | Claim, *, context: Context | None = None) -> tuple[Evidence, ...]:
    """Assert that a check refutes what it is given, as every negative control must.

    Args:
        what: a check, or a claim, all of whose negative controls are then run.
        context: budget and randomness; the quick profile and seed 0 by default.

    Returns:
        The evidence of the check, or of all the controls.

    Raises:
        AssertionError: something was not refuted; the message names it and shows the evidence.
        TypeError: neither a check nor a claim.
        ValueError: a claim without a negative control.
    """
    __tracebackhide__ = True
    if not isinstance(what, Claim) and not callable(what):
        hint = f"; verify.ledger.select([{what!r}])[0] is a claim" if isinstance(what, str) else ""
        raise TypeError(f"what is {what!r}; it is a check (a function of a Context) or a Claim{hint}")
    if not isinstance(what, Claim):
        return _refuted("the check", what, context or _quick())
    controls = [v for v in what.variants if v.kind is Kind.CONTROL]
    if not controls:
        raise ValueError(f"{what.key} has no negative control")
    context = context or _quick()
    return tuple(e for v in controls for e in _refuted(f"{what.key} {v.name} ({v.text})", v.check, context))


def describe(evidence: Sequence[Evidence]) -> str:
    """The evidence as plain text: a row for each piece, then the witnesses.

    Args:
        evidence: the pieces.
    """
    rows = [("verdict", "rigor", "tried", "quantity", "measured (claimed)")]
    rows += [
        (str(judge(e)), e.rigor.name.lower(), str(e.instances or "-"), e.quantity, comparison(e)) for e in evidence
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    lines = ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]) for row in rows]
    for e in evidence:
        lines += [f"{label}: {text}" for label, text in (("note", e.note), ("undecided", e.undecided)) if text]
        if e.witness is not None:
            lines += [f"witness: {e.witness.summary}", *(f"    {name} = {text}" for name, text in e.witness.rows())]
    return "\n".join(lines)


def _refuted(name: str, check: Check, context: Context) -> tuple[Evidence, ...]:
    __tracebackhide__ = True
    found = check(context)
    evidence = (found,) if isinstance(found, Evidence) else tuple(found or ())
    if not evidence or not all(isinstance(e, Evidence) for e in evidence):
        raise TypeError(f"{name} returned {found!r}; a check returns Evidence, such as exact_evidence(...)")
    verdict = combine(evidence)
    if verdict is not Verdict.REFUTED:
        raise AssertionError(f"{name} is not refuted but {verdict}\n{describe(evidence)}")
    return evidence


def _exact(residual: Callable[[RationalPoint], Any]) -> Callable[[RationalPoint], np.ndarray]:
    """The residual, refusing what is not exact."""

    def exact(point: RationalPoint) -> np.ndarray:
        values = np.asarray(residual(point), dtype=object).ravel()
        if not values.size:
            raise ValueError("the residual is empty, and nothing would be asserted")
        return np.array([_rational(value) for value in values], dtype=object)

    return exact


def _rational(value: Any) -> fmpq:
    if isinstance(value, fmpq | fmpz):
        return fmpq(value)
    if isinstance(value, int | np.integer):
        return fmpq(int(value))
    if isinstance(value, Fraction):
        return fmpq(value.numerator, value.denominator)
    raise TypeError(f"the residual contains {value!r}, which is not exact; return fmpq, Fraction or int")


def _quick() -> Context:
    return Context(PROFILES["quick"])
