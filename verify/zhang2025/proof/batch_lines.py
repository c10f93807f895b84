"""Lines of zhang2025 Eqs. (28)-(34) compared on exact batches, and the variants made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from flint import fmpq

from mdp.rational import RationalPoint
from verify.claim import Kind, Variant
from verify.context import Context
from verify.evidence import Evidence, Relation, exact_evidence
from verify.identities import problem_witness
from verify.zhang2025.proof.batch_chain import Batch, batch, named, perturbed

Sides = tuple[fmpq, fmpq]
"""Left and right side of a line."""

Line = Callable[[Batch, int], "Sides | None"]
"""Sides of a line for an agent; None where its hypotheses are not met."""

Cases = Iterable[tuple[RationalPoint, Batch]]


def compare(quantity: str, line: Line, cases: Cases, relation: Relation = Relation.AT_MOST) -> Evidence:
    """Left minus right side over problems and agents, the largest (in size, for equalities).

    Args:
        quantity: the difference in words.
        line: the sides.
        cases: problems with their batches.
        relation: how left and right must compare.

    Returns:
        Evidence with the first violation as witness, or the largest ratio in the note.

    Raises:
        ValueError: no problem meets the line's hypotheses.
    """
    worst, witness, count, ratio = None, None, 0, fmpq(0)
    for point, one in cases:
        for agent in range(len(one.score)):
            sides = line(one, agent)
            if sides is None:
                continue
            left, right = sides
            excess = left - right if relation is Relation.AT_MOST else abs(left - right)
            count += 1
            worst = excess if worst is None else max(worst, excess)
            ratio = max(ratio, left / right) if right > 0 else ratio
            if witness is None and excess > 0:
                witness = problem_witness(
                    point, f"agent {agent}: the left side is {left}, the right side {right}",
                    **{"left side": left, "right side": right, "g": one.target, "epsilon_critic": one.critic_error},
                )
    if worst is None:
        raise ValueError(f"{quantity}: no problem meets the hypotheses")
    closest = f"largest ratio of the sides {float(Fraction(int(ratio.p), int(ratio.q))):.4g}"
    return exact_evidence(
        quantity, worst, 0, relation, instances=count, witness=witness,
        note=closest if witness is None and relation is Relation.AT_MOST else "",
    )


def line_variant(
    kind: Kind, text: str, label: str, line: Line, *, key: int, part: str = "", relation: Relation = Relation.AT_MOST
) -> Variant:
    """A variant that compares two sides on exact and on wrong critics; a witness is rechecked on problems done by hand.

    Args:
        kind: of variant.
        text: this form in words.
        label: short name.
        line: the sides.
        key: names the stream of critic errors.
        part: which line of the statement.
        relation: how left and right must compare.
    """

    def check(context: Context) -> Evidence:
        return compare(f"left minus right side: {text}", line, perturbed(context, key), relation)

    def by_hand(context: Context) -> Evidence:
        return compare(f"left minus right side: {text}", line, named(), relation)

    return Variant(kind, label, text, check, part, by_hand)


def repaired_cases(points: Iterable[RationalPoint]) -> Cases:
    """Batches of the undiscounted TD error with the original V.

    Args:
        points: problems.
    """
    return ((point, batch(point, "v")) for point in points)
