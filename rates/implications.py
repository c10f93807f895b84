"""Conditions between monomials: does one bound imply another for all sizes, up to a constant?

A condition "m >= C d^3 D^(-11/2)" is a monomial ``m d^-3 D^(11/2)`` that is bounded below. In logarithms it is a
half-space, so an implication between such conditions is a linear program. Farkas' lemma gives a certificate either
way: nonnegative weights (the constants then multiply), or a direction along which the ratio grows without bound, so
that no constant helps. The solver's answer is only a hint; the certificate is rounded and checked in rationals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

LARGEST_DENOMINATOR = 2_000
"""Rounding of the solver's answer; ours. A wrong rounding cannot pass: certificates are checked exactly."""


@dataclass(frozen=True)
class Monomial:
    """A product of powers of positive variables.

    Attributes:
        name: how it is printed, for reports.
        exponents: by variable name; absent means zero.
    """

    name: str
    exponents: Mapping[str, Fraction]

    def __truediv__(self, other: Monomial) -> Monomial:
        """The quotient.

        Args:
            other: the divisor.
        """
        names = {**self.exponents, **other.exponents}
        quotient = {v: self.at(v) - other.at(v) for v in names}
        return Monomial(f"({self.name}) / ({other.name})", quotient)

    def at(self, variable: str) -> Fraction:
        """Exponent of a variable.

        Args:
            variable: its name.
        """
        return self.exponents.get(variable, Fraction(0))

    def along(self, direction: Mapping[str, Fraction]) -> Fraction:
        """Exponent of x when every variable v is ``x ** direction[v]``.

        Args:
            direction: by variable name; absent means zero.
        """
        return sum((e * direction.get(v, Fraction(0)) for v, e in self.exponents.items()), Fraction(0))


def monomial(name: str, **exponents: int | str | Fraction) -> Monomial:
    """Shorthand for `Monomial`.

    Args:
        name: how it is printed.
        **exponents: by variable name; fractions may be written as text, such as ``"-11/2"``.
    """
    return Monomial(name, {v: Fraction(e) for v, e in exponents.items()})


@dataclass(frozen=True)
class ImplicationCertificate:
    """Whether a bound follows, with its exact proof.

    Attributes:
        holds: whether it follows, up to a constant, for all variables of at least one that meet the premises.
        shares: weights of the larger terms, nonnegative, adding up to one; empty if it does not follow.
        weights: Farkas weights of the premises, nonnegative; empty if it does not follow.
        direction: exponents of a curve ``v = x ** direction[v]`` that meets every premise and along which the ratio
            grows like a power of x; empty if it follows.
        growth: that power; 0 if it follows.
    """

    holds: bool
    shares: dict[str, Fraction]
    weights: dict[str, Fraction]
    direction: dict[str, Fraction]
    growth: Fraction


def dominated(
    term: Monomial, by: Sequence[Monomial], premises: Sequence[Monomial], at_least_one: Sequence[str]
) -> ImplicationCertificate:
    """Is ``term <= C sum(by)`` for all variables of at least one that keep every premise bounded below?

    Proof of the positive answer: if ``prod by_k^(share_k) / term`` is the product of premises to nonnegative powers
    and of variables to nonnegative powers, it is at least the product of the premises' constants to these powers, and
    a weighted geometric mean is at most the sum.

    Args:
        term: the smaller side.
        by: terms of the larger side, at least one.
        premises: monomials that are bounded below by positive constants.
        at_least_one: variables that are at least one; every variable must be among them or appear in a premise.

    Returns:
        The answer with an exact certificate.

    Raises:
        ValueError: nothing on the larger side, or no exact certificate after rounding.

    Source: Farkas' lemma.
    """
    if not by:
        raise ValueError("the larger side has no term")
    names = sorted({v for t in (term, *by, *premises) for v in t.exponents} | set(at_least_one))
    found = _weights(term, by, premises, at_least_one, names) or _direction(term, by, premises, at_least_one, names)
    if found is None:
        raise ValueError(f"no small rational certificate for {term.name} against {[t.name for t in by]}")
    return found


def implies(premises: Sequence[Monomial], conclusion: Monomial, at_least_one: Sequence[str]) -> ImplicationCertificate:
    """Do the premises bound `conclusion` below by a positive constant?

    Args:
        premises: monomials that are bounded below by positive constants.
        conclusion: the monomial in question.
        at_least_one: variables that are at least one.

    Returns:
        The answer with an exact certificate (see `dominated`).

    Source: Farkas' lemma.
    """
    return dominated(Monomial("1", {}), (conclusion,), premises, at_least_one)


def _weights(
    term: Monomial, by: Sequence[Monomial], premises: Sequence[Monomial], units: Sequence[str], names: list[str]
) -> ImplicationCertificate | None:
    """Shares and Farkas weights with ``sum share_k by_k - term = sum weight_j premise_j + (units to powers >= 0)``."""
    ratios = [b / term for b in by]
    columns = [[float(r.at(v)) for v in names] for r in ratios]
    columns += [[-float(p.at(v)) for v in names] for p in premises]
    matrix = np.array(columns).T
    free = np.array([v in units for v in names])
    share_row = np.array([1.0] * len(by) + [0.0] * len(premises))
    equal = np.vstack([matrix[~free], share_row])
    right = np.append(np.zeros(int((~free).sum())), 1.0)
    least = -matrix[free] if free.any() else None
    answer = linprog(
        1 - share_row, A_ub=least, b_ub=np.zeros(int(free.sum())) if free.any() else None, A_eq=equal, b_eq=right
    )
    if answer.status != 0:
        return None
    values = [_round(x) for x in answer.x]
    shares, weights = values[: len(by)], values[len(by) :]
    rest = {
        v: sum((s * r.at(v) for s, r in zip(shares, ratios, strict=True)), Fraction(0))
        - sum((w * p.at(v) for w, p in zip(weights, premises, strict=True)), Fraction(0))
        for v in names
    }
    exact = min(values) >= 0 and sum(shares) == 1
    exact = exact and all(rest[v] >= 0 if v in units else rest[v] == 0 for v in names)
    if not exact:
        return None
    return ImplicationCertificate(
        True,
        {b.name: s for b, s in zip(by, shares, strict=True) if s > 0},
        {p.name: w for p, w in zip(premises, weights, strict=True) if w > 0},
        {},
        Fraction(0),
    )


def _direction(
    term: Monomial, by: Sequence[Monomial], premises: Sequence[Monomial], units: Sequence[str], names: list[str]
) -> ImplicationCertificate | None:
    """A curve in the cone of the premises along which every ``term / by_k`` grows at least like x."""
    ratios = [b / term for b in by]
    rows = [[float(r.at(v)) for v in names] for r in ratios] + [[-float(p.at(v)) for v in names] for p in premises]
    right = [-1.0] * len(by) + [0.0] * len(premises)
    # a short direction has small numerators: split each free coordinate into its positive and negative part
    split = np.hstack([np.array(rows), -np.array(rows)])
    bounds = [(0, None)] * len(names) + [(0, 0) if v in units else (0, None) for v in names]
    answer = linprog(np.ones(2 * len(names)), A_ub=split, b_ub=right, bounds=bounds)
    if answer.status != 0:
        return None
    values = [_round(x) for x in answer.x]
    plus, minus = values[: len(names)], values[len(names) :]
    direction = {v: p - q for v, p, q in zip(names, plus, minus, strict=True)}
    growth = min(-r.along(direction) for r in ratios)
    exact = growth > 0 and all(p.along(direction) >= 0 for p in premises) and all(direction[v] >= 0 for v in units)
    if not exact:
        return None
    return ImplicationCertificate(False, {}, {}, {v: e for v, e in direction.items() if e != 0}, growth)


def _round(value: float) -> Fraction:
    return Fraction(float(value)).limit_denominator(LARGEST_DENOMINATOR)
