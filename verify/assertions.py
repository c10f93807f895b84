"""Assertions for tests of one's own: identities that must hold, forms that must be refuted, and readable failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from flint import fmpq

from mdp.rational import RationalPoint
from verify.claim import Check, Claim, Kind
from verify.context import PROFILES, Context
from verify.evidence import Evidence, Verdict, combine, judge
from verify.identities import exact_identity
from verify.serialise import comparison


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
    """
    name = getattr(residual, "__name__", "residual").replace("<lambda>", "residual")
    evidence = exact_identity(context or _quick(), f"largest {name}", residual, **family)
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
        ValueError: a claim without a negative control.
    """
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
    found = check(context)
    evidence = (found,) if isinstance(found, Evidence) else tuple(found)
    verdict = combine(evidence)
    if verdict is not Verdict.REFUTED:
        raise AssertionError(f"{name} is not refuted but {verdict}\n{describe(evidence)}")
    return evidence


def _quick() -> Context:
    return Context(PROFILES["quick"])
