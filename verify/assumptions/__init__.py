"""Which policy class meets which assumption of the papers, with constants, on which problem.

Bounds that hold for every theta come from proofs in the docstrings here and in `mdp.policies`, `mdp.smoothness` and
`mdp.mixing`. Where an assumption fails, the row names what contradicts it: an entry, a cyclic class, a pair of thetas,
a direction along which a constant degenerates. Where neither is known, the row says so and reports a search.
"""

from verify.assumptions.classes import CLASSES, policy_classes, policy_on
from verify.assumptions.rows import AssumptionRow, Finding
from verify.assumptions.table import ANY, POLICY_CHECKS, PROBLEM_CHECKS, assumption_matrix, assumption_table

__all__ = [
    "ANY",
    "CLASSES",
    "POLICY_CHECKS",
    "PROBLEM_CHECKS",
    "AssumptionRow",
    "Finding",
    "assumption_matrix",
    "assumption_table",
    "policy_classes",
    "policy_on",
]
