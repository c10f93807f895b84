"""Whether all assumptions of zeng2022 can hold at once: an instance on which they do."""

from __future__ import annotations

from mdp.instances import ring3
from verify.assumptions import assumption_table
from verify.assumptions.classes import NEURAL, OWN_CLASS
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence


def unmet(policy_class: str) -> dict[str, str]:
    """Assumptions of zeng2022 that ring3 does not meet with a policy class, and why.

    Args:
        policy_class: a name among `verify.assumptions.CLASSES`.
    """
    rows = assumption_table(ring3(), classes=(policy_class,), draws=2)
    return {row.assumption: row.constant for row in rows if "zeng2022" in row.assumption and row.met != "yes"}


def all_at_once(softmax: bool = True) -> Evidence:
    """Number of Assumptions 1 to 6 that ring3 does not meet, with its own softmax (or with a ReLU network).

    Args:
        softmax: which of the two classes.
    """
    found = unmet(OWN_CLASS if softmax else NEURAL[1])
    return exact_evidence(
        f"Assumptions 1 to 6 not met on ring3, {'its softmax' if softmax else 'a ReLU network'}", len(found), 0,
        Relation.EQUAL, rigor=Rigor.FLOAT, instances=1, witness=Witness("unmet", found) if found else None,
    )
