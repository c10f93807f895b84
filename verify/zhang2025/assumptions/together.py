"""Whether all assumptions of zhang2025 Section 5 can hold at once: an instance on which they do."""

from __future__ import annotations

from dataclasses import replace

from mdp.instances import ring3
from mdp.networks import Schedule, full_average
from verify.assumptions import assumption_table
from verify.assumptions.classes import CIRCULAR, TABULAR
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence

EVERYWHERE = "any W"
"""Mark of the row for Assumption 5.8 on all of W-space, which no critic with two layers meets."""


def unmet(policy_class: str) -> dict[str, str]:
    """Assumptions of zhang2025 that ring3 with nonnegative rewards and one full average does not meet, and why.

    The second line of Assumption 5.8 is asked on the ball of Algorithm 2.

    Args:
        policy_class: a name among `verify.assumptions.CLASSES`.
    """
    problem = ring3()
    problem = replace(
        problem, mdp=replace(problem.mdp, r=problem.mdp.r - problem.mdp.r.min()),
        schedule=Schedule.static(full_average(problem.mdp.n_agents)),
    )
    rows = assumption_table(problem, classes=(policy_class,), draws=2)
    return {
        row.assumption: row.constant for row in rows
        if "zhang2025" in row.assumption and EVERYWHERE not in row.assumption and row.met != "yes"
    }  # fmt: skip


def all_at_once(circular: bool = True) -> Evidence:
    """Number of unmet assumptions on ring3 with the circular class (or with the tabular softmax).

    Args:
        circular: which of the two classes.
    """
    found = unmet(CIRCULAR if circular else TABULAR)
    return exact_evidence(
        f"assumptions of Section 5 not met on ring3, {'circular class' if circular else 'tabular softmax'}", len(found),
        0, Relation.EQUAL, rigor=Rigor.FLOAT, instances=1, witness=Witness("unmet", found) if found else None,
    )
