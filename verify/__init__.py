"""Claims, evidence, verdicts, and the ledgers of papers: what a paper of your own is written with.

Names are imported on first use, so that the pytest plugin, which lives in this package, costs nothing until it is asked
for. The functions over all ledgers (`ledger`, `select`, `record`, ...) are in `verify.ledger`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rates import assert_rate
    from verify.assertions import assert_identity, assert_refuted
    from verify.claim import (
        Claim,
        Kind,
        Variant,
        control,
        out_of_scope,
        printed,
        reading,
        repaired,
        source,
        statement,
    )
    from verify.context import PROFILES, Context, Profile
    from verify.evidence import Evidence, Relation, Rigor, Scope, Verdict, Witness, exact_evidence
    from verify.identities import exact_identity, float_identity, rational_points
    from verify.paper import Paper, PaperError, broken_papers, find_paper, papers
    from verify.runner import ClaimResult, VariantResult, run_claims

__all__ = [
    "PROFILES",
    "Claim",
    "ClaimResult",
    "Context",
    "Evidence",
    "Kind",
    "Paper",
    "PaperError",
    "Profile",
    "Relation",
    "Rigor",
    "Scope",
    "Variant",
    "VariantResult",
    "Verdict",
    "Witness",
    "assert_identity",
    "assert_rate",
    "assert_refuted",
    "broken_papers",
    "control",
    "exact_evidence",
    "exact_identity",
    "find_paper",
    "float_identity",
    "out_of_scope",
    "papers",
    "printed",
    "rational_points",
    "reading",
    "repaired",
    "run_claims",
    "source",
    "statement",
]

_HOMES = {
    "rates": ("assert_rate",),
    "verify.assertions": ("assert_identity", "assert_refuted"),
    "verify.claim": (
        "Claim", "Kind", "Variant", "control", "out_of_scope", "printed", "reading", "repaired", "source", "statement",
    ),
    "verify.context": ("PROFILES", "Context", "Profile"),
    "verify.evidence": ("Evidence", "Relation", "Rigor", "Scope", "Verdict", "Witness", "exact_evidence"),
    "verify.identities": ("exact_identity", "float_identity", "rational_points"),
    "verify.paper": ("Paper", "PaperError", "broken_papers", "find_paper", "papers"),
    "verify.runner": ("ClaimResult", "VariantResult", "run_claims"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """A public name, imported from its module on first use."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'verify' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
