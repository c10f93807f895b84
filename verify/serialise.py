"""Results as plain data for `--json` and for the report folder. The layout is part of the public interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verify.evidence import Evidence, Number, exact_text
from verify.runner import ClaimResult


def results_as_data(results: Sequence[ClaimResult]) -> list[dict[str, Any]]:
    """One dictionary per statement, JSON-ready; exact numbers are strings such as ``"1/9"``.

    Args:
        results: outcomes.

    Returns:
        Per statement: ``key``, ``summary``, ``uses``, ``verdict``, ``as_recorded``, ``controls_refuted``, ``variants``;
        per variant: ``name``, ``kind``, ``text``, ``verdict``, ``recorded``, ``seconds`` and ``evidence``.
    """
    return [
        {
            "key": result.claim.key,
            "summary": result.claim.summary,
            "uses": list(result.claim.used_keys),
            "verdict": str(result.verdict),
            "as_recorded": result.as_recorded,
            "controls_refuted": result.controls_refuted,
            "variants": [
                {
                    "name": v.variant.name,
                    "kind": v.variant.kind.name.lower(),
                    "text": v.variant.text,
                    "verdict": str(v.verdict),
                    "recorded": v.recorded,
                    "seconds": round(v.seconds, 3),
                    "evidence": [_evidence(e) for e in v.evidence],
                }
                for v in result.variants
            ],
        }
        for result in results
    ]


def number_text(value: Number) -> str:
    """Short text of a number: exact if it is a small rational, four digits otherwise.

    Args:
        value: exact or float.
    """
    exact = exact_text(value)
    return exact if not isinstance(value, float) and len(exact) <= 9 else f"{float(value):.4g}"


def comparison(evidence: Evidence) -> str:
    """Measured against claimed in one phrase, with the interval where there is one.

    Args:
        evidence: the measurement.
    """
    width = "" if evidence.low == evidence.high else f" [{float(evidence.low):.4g}, {float(evidence.high):.4g}]"
    claim = f"claimed {evidence.relation.value} {number_text(evidence.claimed)}"
    return f"{number_text(evidence.measured)}{width} ({claim})"


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "quantity": evidence.quantity,
        "measured": _number(evidence.measured),
        "low": _number(evidence.low),
        "high": _number(evidence.high),
        "claimed": _number(evidence.claimed),
        "relation": evidence.relation.value,
        "rigor": evidence.rigor.name.lower(),
        "scope": evidence.scope.name.lower(),
        "instances": evidence.instances,
        "undecided": evidence.undecided,
        "out_of_scope": evidence.out_of_scope,
        "note": evidence.note,
        "witness": None
        if evidence.witness is None
        else {"summary": evidence.witness.summary, "values": dict(evidence.witness.rows())},
    }


def _number(value: Number) -> float | str:
    return value if isinstance(value, float) else exact_text(value)
