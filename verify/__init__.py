"""Claims, evidence, verdicts, and the ledgers of the bundled papers."""

from verify.claim import Claim, Kind, Variant, statement
from verify.context import PROFILES, Context, Profile
from verify.evidence import Evidence, Relation, Rigor, Scope, Verdict, Witness
from verify.ledger import ledger
from verify.runner import ClaimResult, VariantResult, run_claims

__all__ = [
    "PROFILES",
    "Claim",
    "ClaimResult",
    "Context",
    "Evidence",
    "Kind",
    "Profile",
    "Relation",
    "Rigor",
    "Scope",
    "Variant",
    "VariantResult",
    "Verdict",
    "Witness",
    "ledger",
    "run_claims",
    "statement",
]
