"""How sharp a repaired form is: the ratio of its sides at an exact instance, or why there is nothing to sharpen.

A repaired form is the nearest true statement we know; its sharpness says how near. Numbers are computed when they are
asked for (`Sharpness.evidence`), never typed in; the instance at which a ratio is taken is data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from flint import arb

from mdp.linear import rational_array
from verify.claim import Check, Claim
from verify.evidence import Evidence, Number, Relation, Rigor, Verdict, Witness, combine, exact_evidence
from verify.search import Family, Inequality
from verify.search.inequality import lower_end

if TYPE_CHECKING:
    from verify.context import Context


@dataclass(frozen=True)
class Sharpness:
    """What is known about how far a form could still be strengthened.

    Attributes:
        text: in words.
        check: computes the number behind the words; None where there is none (`text` says why).
    """

    text: str
    check: Check | None = None

    def evidence(self, context: Context) -> tuple[Evidence, ...]:
        """The number, as evidence that only corroborates; it refutes the form if a ratio is above one.

        Args:
            context: budget and randomness.
        """
        if self.check is None:
            return ()
        found = self.check(context)
        pieces = (found,) if isinstance(found, Evidence) else tuple(found)
        return tuple(replace(e, corroborates=True, note=e.note or self.text) for e in pieces)


    def sentence(self, context: Context) -> str:
        """The words, with the number computed now.

        Args:
            context: budget and randomness.
        """
        from verify.serialise import comparison  # here: it needs the runner, which needs claims

        numbers = "; ".join(f"{e.quantity}: {comparison(e)}" for e in self.evidence(context))
        return f"{self.text} ({numbers})" if numbers else self.text


def equality(what: str = "an equality: there is no constant to sharpen") -> Sharpness:
    """An identity, a count, or a statement without an inequality.

    Args:
        what: which of these.
    """
    return Sharpness(what)


def at_instance(inequality: Inequality, family: Family, parameters: Sequence[object], text: str) -> Sharpness:
    """The exact ``lhs / rhs`` at one instance, a certified lower end where sides are enclosures.

    Args:
        inequality: both sides, not scaled: as for `verify.search.worst_ratio`.
        family: of the instance.
        parameters: of the instance in the family's box; numbers, or text such as ``"1/3"``.
        text: what the ratio says.
    """

    def check(context: Context) -> Evidence:
        instance = family.build(rational_array([Fraction(str(x)) for x in parameters]))
        pair = None if instance is None else inequality.at_exact(instance)
        if instance is None or pair is None or not pair[1] > 0:
            raise ValueError(f"{inequality.text}: the instance of its sharpness has no positive right side")
        value = pair[0] / pair[1]
        bottom = lower_end(value)
        if bottom is None:
            raise ValueError(f"{inequality.text}: lhs / rhs has no finite lower end at the instance of its sharpness")
        sides = {"lhs": str(pair[0]), "rhs": str(pair[1])}
        return exact_evidence(
            f"lhs / rhs at the sharpest instance known: {inequality.text}", bottom, 1, Relation.AT_MOST,
            rigor=Rigor.INTERVAL if isinstance(value, arb) else Rigor.RATIONAL, instances=1, note=text,
            witness=Witness("the instance at which the ratio is taken", {**family.describe(instance), **sides}),
        )  # fmt: skip

    return Sharpness(text, check)


def constant(
    quantity: str, measure: Callable[[], Number], text: str, rigor: Rigor = Rigor.RATIONAL,
    values: Mapping[str, Any] | None = None,
) -> Sharpness:
    """A ratio that a formula gives: the least constant that will do over the one that is claimed.

    Args:
        quantity: the ratio in words.
        measure: computes it; at most one, and one if the constant is attained.
        text: what it says.
        rigor: how far to trust it.
        values: the instance, if there is one.
    """

    def check(context: Context) -> Evidence:
        witness = Witness("where the ratio is taken", values) if values else None
        return exact_evidence(quantity, measure(), 1, Relation.AT_MOST, rigor=rigor, instances=1, witness=witness)

    return Sharpness(text, check)


def stronger(form: Check, text: str) -> Sharpness:
    """A nearby stronger form, which the statement's own check must refute.

    Args:
        form: its check.
        text: the stronger form in words.
    """

    def check(context: Context) -> Evidence:
        found = form(context)
        pieces = (found,) if isinstance(found, Evidence) else tuple(found)
        refuted = combine(pieces) is Verdict.REFUTED
        witness = next((e.witness for e in pieces if e.witness is not None), None)
        return exact_evidence(
            f"whether the same check refutes the next stronger form (1 = yes): {text}", int(refuted), 1, Relation.EQUAL,
            rigor=pieces[0].rigor, instances=1, witness=witness,
        )

    return Sharpness(f"not with {text}: the same check refutes that", check)


def sharpened(
    builders: Sequence[Callable[[], Claim]], known: Mapping[str, Sharpness]
) -> tuple[Callable[[], Claim], ...]:
    """A ledger whose named variants say how sharp they are, and have the number among their evidence.

    Args:
        builders: statement functions.
        known: by ``id::variant``, such as ``eq-6::repaired``.

    Returns:
        Statement functions in the same order.
    """
    return tuple(_with_sharpness(build, known) for build in builders)


def _with_sharpness(build: Callable[[], Claim], known: Mapping[str, Sharpness]) -> Callable[[], Claim]:
    def claim() -> Claim:
        plain = build()
        variants = []
        for variant in plain.variants:
            sharpness = known.get(f"{plain.id}::{variant.name}")
            if sharpness is not None:
                variant = replace(variant, sharpness=sharpness, check=_both(variant.check, sharpness))
            variants.append(variant)
        return replace(plain, variants=tuple(variants))

    claim.__doc__, claim.__name__, claim.__module__ = build.__doc__, build.__name__, build.__module__
    return claim


def _both(check: Check, sharpness: Sharpness) -> Check:
    def both(context: Context) -> tuple[Evidence, ...]:
        found = check(context)
        pieces = (found,) if isinstance(found, Evidence) else tuple(found)
        return *pieces, *sharpness.evidence(context)

    return both
