"""Exact numbers as text: ``p/q``, integers and decimals, read without rounding and written readably."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np

from mdp.io.errors import shown

NUMBER = re.compile(r"[+-]?(?:\d+/\d+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII)
"""What counts as a number: a ratio of integers, an integer, or a decimal with an optional exponent."""

MAX_DIGITS = 2000
"""Longest number text that is read; ours: any double is exact in 1,100 characters, twice that is generous."""

MAX_EXPONENT = 1100
"""Largest decimal exponent, either sign; ours: past the range of doubles, yet its power of ten stays small."""


def parse_rational(text: str) -> Fraction:
    """Exact value of ``p/q``, an integer or a decimal (``0.1`` is 1/10, not the nearest double).

    Args:
        text: the number, without surrounding blanks.

    Raises:
        ValueError: not a number in that sense (NaN and infinities are not), a zero denominator, or so many
            digits that the value itself would be a burden.
    """
    if len(text) > MAX_DIGITS:
        raise ValueError(f"{shown(text)} has {len(text)} characters; a number has at most {MAX_DIGITS}")
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a number (p/q, an integer or a decimal)")
    exponent = re.search(r"[eE]([+-]?\d+)$", text)
    if exponent and abs(int(exponent[1])) > MAX_EXPONENT:
        raise ValueError(f"{shown(text)} has an exponent beyond {MAX_EXPONENT}")
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError(f"{shown(text)} has a zero denominator") from error


def readable_rational(value: float) -> Fraction:
    """The rational with the smallest denominator among those whose nearest double is `value`.

    So 0.1 gives 1/10 and 0.3333333333333333 gives 1/3; ``float`` of the answer is `value` again.

    Args:
        value: a finite double.

    Raises:
        ValueError: NaN or infinity.

    Source: Graham, Knuth and Patashnik, Concrete Mathematics, Sec. 4.5 (the Stern-Brocot tree).
    """
    value = float(value)
    if not np.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    if value == int(value):
        return Fraction(int(value))
    size = abs(value)
    low = (Fraction(size) + Fraction(float(np.nextafter(size, 0.0)))) / 2
    high = (Fraction(size) + Fraction(float(np.nextafter(size, np.inf)))) / 2
    simplest = _simplest_between(low, high)
    return simplest if value > 0 else -simplest


def _simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """Simplest rational strictly between, by the continued fraction of the ends; ``0 <= low < high``."""
    whole = low.numerator // low.denominator
    if whole + 1 < high:
        return Fraction(whole + 1)
    if low == whole:
        reciprocal = 1 / (high - whole)
        return whole + Fraction(1, reciprocal.numerator // reciprocal.denominator + 1)
    return whole + 1 / _simplest_between(1 / (high - whole), 1 / (low - whole))


def rational_text(value: Fraction) -> str:
    """``p/q`` in lowest terms, or an integer.

    Args:
        value: the number.
    """
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
