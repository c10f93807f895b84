"""Exact statements about lists of powers of T on the triangle 0 < sigma_2 < sigma_1 < 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rates.exponents import Power
from verify.evidence import Evidence, Relation, Scope, Witness, exact_evidence

CORNERS = (
    {"sigma_1": Fraction(0), "sigma_2": Fraction(0)},
    {"sigma_1": Fraction(1), "sigma_2": Fraction(0)},
    {"sigma_1": Fraction(1), "sigma_2": Fraction(1)},
)
"""Corners of the triangle: an affine function is negative inside if it is at most zero at all and negative at one."""


@dataclass(frozen=True)
class Domination:
    """One power that is at most another on the whole triangle.

    Attributes:
        small: the dominated power.
        large: the one above it.
        at_corners: exponent of the first minus that of the second, at the three corners, all at most zero.
    """

    small: Power
    large: Power
    at_corners: tuple[Fraction, ...]


def differences(small: Power, large: Power) -> tuple[Fraction, ...]:
    """Exponent of one power minus that of another at the corners.

    Args:
        small: first power.
        large: second power.
    """
    return tuple(small.exponent(c) - large.exponent(c) for c in CORNERS)


def slowest(terms: Sequence[Power], sigma: Mapping[str, Fraction]) -> Fraction:
    """Largest exponent of a list of powers.

    Args:
        terms: the powers.
        sigma: step exponents.
    """
    return max(t.exponent(sigma) for t in terms)


def covered(terms: Sequence[Power], kept: Sequence[int]) -> Evidence:
    """Whether each of the other powers is at most one of the kept ones everywhere on the triangle.

    An affine difference is at most zero on the triangle exactly if it is so at the three corners. A power that no
    single kept one dominates is looked at on a grid, for a place where it is above all of them.

    Args:
        terms: the powers.
        kept: indices of those that should dominate.
    """
    found: list[Domination] = []
    lost: list[Power] = []
    for k, term in enumerate(terms):
        if k in kept:
            continue
        above = [Domination(term, terms[j], d) for j in kept if max(d := differences(term, terms[j])) <= 0]
        if above:
            found.append(above[0])
        else:
            lost.append(term)
    values: dict[str, object] = {f"{d.small.name} below {d.large.name}, at corners": d.at_corners for d in found}
    summary = "differences of exponents at (0, 0), (1, 0), (1, 1)"
    if lost:
        sigma = _above_all(lost[0], [terms[j] for j in kept])
        summary = f"{lost[0].name} is above the kept powers at {', '.join(f'{v} = {x}' for v, x in sigma.items())}"
        values = {t.name: t.exponent(sigma) for t in (lost[0], *(terms[j] for j in kept))}
    return exact_evidence(
        f"powers that {', '.join(terms[j].name for j in kept)} do not dominate", len(lost), 0, Relation.EQUAL,
        scope=Scope.CLASS, instances=len(terms), witness=Witness(summary, values),
    )


def necessary_and_sufficient(terms: Sequence[Power]) -> tuple[Evidence, Evidence]:
    """Whether the sum of powers tends to zero exactly where sigma_1 > sigma_2, for 0 < sigma_1, sigma_2 < 1.

    Sufficient: every exponent is at most zero at the corners of the triangle and negative at one, so it is negative
    inside. Necessary: some exponent is at least zero at the corners (0, 0), (0, 1), (1, 1) of the other triangle.

    Args:
        terms: the powers.
    """
    good = [t for t in terms if max(e := [t.exponent(c) for c in CORNERS]) <= 0 and min(e) < 0]
    other = (CORNERS[0], {"sigma_1": Fraction(0), "sigma_2": Fraction(1)}, CORNERS[2])
    stays = [t for t in terms if min(t.exponent(c) for c in other) >= 0]
    shown = {t.name: [t.exponent(c) for c in other] for t in stays}
    sufficient = exact_evidence(
        "powers that do not tend to zero somewhere with sigma_2 < sigma_1", len(terms) - len(good), 0, Relation.EQUAL,
        scope=Scope.CLASS, instances=len(terms),
        witness=Witness(
            "exponents at (0, 0), (1, 0), (1, 1)", {t.name: [t.exponent(c) for c in CORNERS] for t in terms}
        ),
    )  # fmt: skip
    necessary = exact_evidence(
        "powers that stay wherever sigma_1 <= sigma_2", len(stays), 1, Relation.AT_LEAST, scope=Scope.CLASS,
        instances=len(terms), witness=Witness("exponents at (0, 0), (0, 1), (1, 1)", shown),
    )
    return sufficient, necessary


def _above_all(term: Power, kept: Sequence[Power]) -> dict[str, Fraction]:
    """The grid point of the triangle where `term` exceeds all of `kept` by most."""
    grid = [
        {"sigma_1": Fraction(a, 20), "sigma_2": Fraction(b, 20)} for a in range(2, 20) for b in range(1, a)
    ]  # fmt: skip
    return max(grid, key=lambda s: term.exponent(s) - slowest(kept, s))
