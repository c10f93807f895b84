"""Exponent programs: which step exponents make a sum of powers of T decay fastest, with a certificate.

A bound ``sum_k T^(c_k + a_k . sigma)`` decays like ``T^-p`` with ``p = min_k -(c_k + a_k . sigma)``. The best
sigma solves a linear program. The solver's answer is only a hint: the optimum is rounded to rationals and
proved by weak duality in exact arithmetic, and so is its uniqueness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy

LARGEST_DENOMINATOR = 1000
"""Rounding of the solver's optimum; ours. A wrong rounding cannot pass: the certificate is checked exactly."""


@dataclass(frozen=True)
class Power:
    """One term ``T^(constant + coefficients . sigma)`` of a bound.

    Attributes:
        name: how the term is printed, for reports.
        constant: c.
        coefficients: by variable name; absent means zero.
    """

    name: str
    constant: Fraction
    coefficients: Mapping[str, Fraction]

    def exponent(self, sigma: Mapping[str, Fraction]) -> Fraction:
        """Value of the exponent at `sigma`.

        Args:
            sigma: exact step exponents by name.
        """
        return self.constant + sum((c * sigma[v] for v, c in self.coefficients.items()), Fraction(0))


@dataclass(frozen=True)
class ExponentCertificate:
    """An optimum of an exponent program with its exact proof.

    Attributes:
        sigma: the optimal exponents.
        rate: the best p.
        weights: dual weights by term name, nonnegative, adding up to one: the weighted sum of the terms'
            exponents is the constant ``-rate``, so no sigma does better.
        tight: terms whose exponent equals ``-rate`` at `sigma`.
        unique: whether the weights prove that `sigma` is the only optimum.
    """

    sigma: dict[str, Fraction]
    rate: Fraction
    weights: dict[str, Fraction]
    tight: tuple[str, ...]
    unique: bool


def power(name: str, constant: int | Fraction = 0, **coefficients: int | Fraction) -> Power:
    """Shorthand for `Power`.

    Args:
        name: how the term is printed.
        constant: c.
        **coefficients: by variable name.
    """
    return Power(name, Fraction(constant), {v: Fraction(c) for v, c in coefficients.items()})


def fastest_decay(terms: tuple[Power, ...], box: tuple[Power, ...] = ()) -> ExponentCertificate:
    """Exponents that make the slowest of `terms` decay fastest, certified.

    Args:
        terms: the powers of T in the bound.
        box: further constraints, each "exponent <= 0" (for instance ``sigma_2 - sigma_1``); strict
            inequalities are relaxed, so look at `sigma` for boundary optima.

    Returns:
        The optimum with an exact dual certificate.

    Raises:
        ValueError: no terms, the program is unbounded or infeasible, or the rounded certificate fails its
            exact check (then the optimum is not a small rational).
    """
    import cvxpy as cp  # a second to import; nothing else here needs it

    if not terms:
        raise ValueError("an exponent program needs at least one term")
    names = sorted({v for term in (*terms, *box) for v in term.coefficients})
    rows = [*terms, *box]
    A = np.array([[float(t.coefficients.get(v, 0)) for v in names] for t in rows])
    c = np.array([float(t.constant) for t in rows])
    sigma, rate = cp.Variable(len(names)), cp.Variable()
    lift = np.array([1.0] * len(terms) + [0.0] * len(box))
    constraint = A @ sigma + c + lift * rate <= 0
    problem = cp.Problem(cp.Maximize(rate), [constraint])
    problem.solve(solver=cp.HIGHS)
    if problem.status != cp.OPTIMAL:
        raise ValueError(f"the exponent program is {problem.status}")
    assert sigma.value is not None  # for the type checker: an optimal program has a value
    primal = {v: _round(x) for v, x in zip(names, np.atleast_1d(sigma.value), strict=True)}
    dual = [_round(x) for x in np.abs(np.atleast_1d(constraint.dual_value))]
    return _certify(terms, box, names, primal, dual)


def _certify(
    terms: tuple[Power, ...],
    box: tuple[Power, ...],
    names: list[str],
    sigma: dict[str, Fraction],
    dual: list[Fraction],
) -> ExponentCertificate:
    """Weak duality in exact arithmetic: primal and dual feasible with equal values."""
    rows = [*terms, *box]
    rate = -max(term.exponent(sigma) for term in terms)
    bound = -sum((w * t.constant for w, t in zip(dual, rows, strict=True)), Fraction(0))
    checks = {
        "constraints hold": all(b.exponent(sigma) <= 0 for b in box),
        "weights are nonnegative": min(dual) >= 0,
        "weights of the terms add up to one": sum(dual[: len(terms)], Fraction(0)) == 1,
        "weighted exponents are constant": all(
            sum((w * t.coefficients.get(v, Fraction(0)) for w, t in zip(dual, rows, strict=True)), Fraction(0)) == 0
            for v in names
        ),
        "primal and dual values agree": bound == rate,
    }
    failed = [name for name, passed in checks.items() if not passed]
    if failed:
        raise ValueError(f"the rounded optimum has no exact certificate: not {', not '.join(failed)}")
    # Terms with positive weight are tight at every optimum; full rank then leaves one sigma (and one rate).
    forced = [
        [t.coefficients.get(v, Fraction(0)) for v in names] + [Fraction(int(k < len(terms)))]
        for k, (t, w) in enumerate(zip(rows, dual, strict=True))
        if w > 0
    ]
    unique = sympy.Matrix([[sympy.Rational(x) for x in row] for row in forced]).rank() == len(names) + 1
    return ExponentCertificate(
        sigma=sigma,
        rate=rate,
        weights={t.name: w for t, w in zip(rows, dual, strict=True) if w > 0},
        tight=tuple(t.name for t in terms if t.exponent(sigma) == -rate),
        unique=bool(unique),
    )


def _round(value: float) -> Fraction:
    return Fraction(float(value)).limit_denominator(LARGEST_DENOMINATOR)
