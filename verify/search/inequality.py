"""What is searched: two sides that should satisfy lhs <= rhs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Any

import numpy as np
from flint import arb, fmpq
from flint.utils.flint_exceptions import DomainError

from mdp.chain import PeriodicChainError, ReducibleChainError
from mdp.linear import rational

UNDEFINED = (ReducibleChainError, PeriodicChainError, ZeroDivisionError, FloatingPointError, np.linalg.LinAlgError)
"""Errors that mean "the statement says nothing at this instance"; any other is a mistake and passes through."""

Sides = Callable[[Any], tuple[Any, Any] | None]
"""Left and right side at an instance; None where the hypotheses fail."""


@dataclass(frozen=True)
class Inequality:
    """A statement ``lhs <= rhs`` about every instance of a family.

    Attributes:
        text: the statement in words, for the witness.
        sides: left and right side, generic over float and exact instances.
        exact_sides: the same for exact instances, where that needs other formulas: squares, enclosures (`flint.arb`),
            or a certified *lower* bound of the left side. `sides` if not given.
    """

    text: str
    sides: Sides
    exact_sides: Sides | None = None

    def at_float(self, instance: Any) -> tuple[float, float] | None:
        """Both sides in double precision; None where undefined or not finite.

        Args:
            instance: a float instance.

        Raises:
            TypeError: not two numbers.
        """
        try:
            with np.errstate(all="ignore"):
                pair = self.sides(instance)
        except UNDEFINED:
            return None
        if pair is None:
            return None
        left, right = (float(side) for side in _two_numbers(pair, self.text))
        return (left, right) if isfinite(left) and isfinite(right) else None

    def at_exact(self, instance: Any) -> tuple[fmpq | arb, fmpq | arb] | None:
        """Both sides exactly or as enclosures; None where undefined.

        Args:
            instance: an exact instance.

        Raises:
            TypeError: a side is a float, which certifies nothing, or is no number, or needs a root.
        """
        try:
            pair = (self.exact_sides or self.sides)(instance)
        except UNDEFINED:
            return None
        except TypeError as error:
            if "fmpq" not in str(error):
                raise
            raise TypeError(
                f"{self.text}: a float or another inexact number met an exact one ({error}); write constants with "
                "mdp.linear.rational, or give exact_sides"
            ) from error
        except DomainError as error:
            raise TypeError(
                f"{self.text}: {error}; exact numbers have no roots: compare squares, or give exact_sides with "
                "enclosures (flint.arb)"
            ) from error
        if pair is None:
            return None
        left, right = _two_numbers(pair, self.text)
        return _certain(left, self.text), _certain(right, self.text)


def as_inequality(statement: Inequality | Callable[[Any], Any]) -> Inequality:
    """A statement as two sides: a plain callable is a violation, ``lhs - rhs``, set against zero.

    Args:
        statement: an `Inequality` or a callable from an instance to a number (None: hypotheses not met).

    Raises:
        TypeError: neither.
    """
    if isinstance(statement, Inequality):
        return statement
    if not callable(statement):
        raise TypeError(f"the statement is {statement!r}; it is an Inequality or a callable that gives lhs - rhs")

    def sides(instance: Any) -> tuple[Any, Any] | None:
        violation = statement(instance)
        return None if violation is None else (violation, 0)

    return Inequality(f"{getattr(statement, '__name__', 'violation').strip('<>')} <= 0", sides)


def lower_end(value: fmpq | arb) -> Fraction | None:
    """Largest rational known to be at most `value`: the value itself, or the lower end of its enclosure.

    Args:
        value: exact or enclosed.

    Returns:
        The bound; None for an enclosure without a finite lower end.
    """
    if isinstance(value, fmpq):
        return Fraction(int(value.p), int(value.q))
    bottom = value.lower()
    if not bottom.is_finite():
        return None
    mantissa, exponent = bottom.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _two_numbers(pair: Any, text: str) -> tuple[Any, Any]:
    """The two sides, each a single number."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(f"{text}: sides gave {pair!r}; it gives two numbers, left and right")
    for name, side in zip(("left", "right"), pair, strict=True):
        if np.ndim(side):
            raise TypeError(
                f"{text}: the {name} side has shape {np.shape(side)}; it is one number: take the max or the sum, or "
                "the max of left minus right against 0"
            )
    return pair[0], pair[1]


def _certain(value: Any, text: str) -> fmpq | arb:
    if isinstance(value, arb):
        return value
    if isinstance(value, (float, np.floating)):
        raise TypeError(f"{text}: a side of an exact instance is the float {value}; return a rational or a flint.arb")
    return rational(value)
