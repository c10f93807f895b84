r"""The recursion of an optimality gap under steps alpha / t: products, worst cases and sharp constants.

zhang2025 Appendix C bounds the gap by ``Delta_{t+1} <= (1 - c/t) Delta_t + f_t`` for t = 2, 3, ..., where
``c = alpha sqrt(mu) / 3 = 7/6`` and ``f_t`` has an error ``||e_t||/t``, a floor ``1/t`` and a squared step ``1/t^2``.
Unrolled from index s (here `start`), with the product ``P(j, t) = prod_{k=j}^t (1 - c/k)``,

``Delta_{t+1} <= P(s, t) Delta_s + sum_{j=s}^t P(j+1, t) f_j``.

Write ``w_j(t) = P(j+1, t)/j``, ``U(t) = sum_j w_j(t)`` and ``S(t) = sum_j w_j(t)/j``. For ``1 < c <= s``:

1. *Products.* ``P(j, t) = Gamma(t+1-c) Gamma(j) / (Gamma(t+1) Gamma(j-c))``; ``t^c P(s, t)`` tends to
   ``Gamma(s) / Gamma(s-c)``.
2. *Initial gap.* ``t P(s, t) <= s - 1``, since ``1 - c/k <= 1 - 1/k``; equality in the empty case ``t = s - 1``.
3. *Errors.* ``t w_j(t) <= 1`` by the same comparison; equality at ``j = t`` for every t.
4. *Floor.* ``c w_j(t) = P(j+1, t) - P(j, t)`` telescopes: ``c U(t) = 1 - P(s, t)``, which increases to one.
5. *Squared steps.* ``S(t) <= (t-1) / ((c-1) t^2)``. True at ``t = s - 1``, where S is zero; and if it holds at t - 1,
   ``S(t) = (1 - c/t) S(t-1) + 1/t^2 <= (t-c)(t-2) / ((c-1) t (t-1)^2) + 1/t^2 <= (t-1) / ((c-1) t^2)``: the last
   difference is ``(t-c) / ((c-1) t^2 (t-1)^2) >= 0``. So ``t S(t) < 1/(c-1)``, and this constant is sharp: the gap
   ``y(t) = 1/((c-1) t) - S(t)`` obeys ``y(t) = (1 - c/t) y(t-1) + 1/(t^2 (t-1))``, hence ``t y(t)`` decays
   like ``t^(1-c)`` and ``t S(t)`` tends to ``1/(c-1)``, 6 for ``c = 7/6``, at the slow rate ``t^(-1/6)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, fmpq

PRINTED_C = Fraction(7, 6)
"""``alpha sqrt(mu)/3`` for ``alpha = 7/(2 sqrt(mu))``, zhang2025 Theorem 5.10."""


@dataclass(frozen=True)
class SharpConstants:
    """Least constants with which the unrolled recursion holds for every t, in the units of `WorstCase`.

    Attributes:
        initial: of ``Delta_s / t``.
        error: of ``(1/t) sum_j ||e_j||``.
        squared_step: of ``1/t``; a limit that is not attained.
        floor: of the constant floor; a limit that is not attained.
    """

    initial: Fraction
    error: Fraction
    squared_step: Fraction
    floor: Fraction


@dataclass(frozen=True)
class WorstCase:
    """The exact worst case of each sum at one t.

    Attributes:
        t: the index.
        initial: ``t P(s, t)``.
        error: ``max_j t w_j(t)``.
        squared_step: ``t S(t)``.
        floor: ``U(t)``.
    """

    t: int
    initial: Fraction
    error: Fraction
    squared_step: Fraction
    floor: Fraction


@dataclass(frozen=True)
class GapRecursion:
    """``Delta_{t+1} = (1 - c/t) Delta_t + f_t`` for t = start, start + 1, ...

    Attributes:
        c: contraction constant, ``1 < c <= start``; an int or Fraction.
        start: first index, at least two.

    Raises:
        TypeError: on construction, c is a float (the weights are exact).
        ValueError: on construction, start below two or c outside ``(1, start]``.

    Source: zhang2025 Eqs. (9)-(11).
    """

    c: Fraction = PRINTED_C
    start: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.c, int | Fraction):
            raise TypeError(f"c is {self.c!r}; exact weights need an int or a Fraction")
        if self.start < 2:
            raise ValueError(f"start is {self.start}; the recursion starts at two or later")
        if not 1 < self.c <= self.start:
            raise ValueError(f"c is {self.c}; the constants hold for 1 < c <= start = {self.start}")
        object.__setattr__(self, "c", Fraction(self.c))

    def product(self, first: int, last: int) -> Fraction:
        """``prod_{k=first}^last (1 - c/k)``, one if empty.

        Args:
            first: least k, at least one.
            last: largest k.

        Raises:
            ValueError: first is below one.
        """
        _require_at_least("first", first, 1)
        value = Fraction(1)
        for k in range(first, last + 1):
            value *= 1 - self.c / k
        return value

    def product_by_gamma(self, first: int, last: int) -> arb:
        """The same product through Gamma functions, enclosed.

        Args:
            first: least k, above c, so that no factor is zero and no Gamma has a pole.
            last: largest k, at least ``first - 1``.

        Raises:
            ValueError: first is not above c, or last is below ``first - 1``.
        """
        if first <= self.c:
            raise ValueError(f"first is {first}; the Gamma form needs first > c = {self.c}")
        _require_at_least("last", last, first - 1)
        c = fmpq(self.c.numerator, self.c.denominator)
        return arb(last + 1 - c).gamma() * arb(first).gamma() / (arb(last + 1).gamma() * arb(first - c).gamma())

    def weights(self, t: int) -> dict[int, Fraction]:
        """``w_j(t) = P(j+1, t)/j`` by j: what one unit of ``f_j j`` leaves at t + 1.

        Args:
            t: last index, at least `start`.

        Raises:
            ValueError: t is below start.
        """
        _require_at_least("t", t, self.start)
        found, tail = {}, Fraction(1)
        for j in range(t, self.start - 1, -1):
            found[j] = tail / j
            tail *= 1 - self.c / j
        return dict(reversed(found.items()))

    def worst(self, t: int) -> WorstCase:
        """The exact worst case of each sum at t, from the weights.

        Args:
            t: last index, at least `start`.

        Raises:
            ValueError: t is below start.
        """
        weights = self.weights(t)
        return WorstCase(
            t,
            t * self.product(self.start, t),
            t * max(weights.values()),
            t * sum((w / j for j, w in weights.items()), Fraction(0)),
            sum(weights.values(), Fraction(0)),
        )

    @property
    def sharp(self) -> SharpConstants:
        """Least constants for all t; proofs in the module's docstring, items 2 to 5."""
        return SharpConstants(Fraction(self.start - 1), Fraction(1), 1 / (self.c - 1), 1 / self.c)

    def squared_step_bound(self, t: int) -> Fraction:
        """``(1 - 1/t)/(c - 1)``, an upper bound on ``t S(t)`` (item 5).

        Args:
            t: last index, at least `start`.

        Raises:
            ValueError: t is below start.
        """
        _require_at_least("t", t, self.start)
        return (1 - Fraction(1, t)) / (self.c - 1)

    def squared_step_shortfall(self, t: int) -> Fraction:
        """``1/(c-1) - t S(t)`` by its own recursion (item 5), which decays like ``t^(1-c)``.

        Args:
            t: last index, at least `start`.

        Raises:
            ValueError: t is below start.
        """
        _require_at_least("t", t, self.start)
        limit = 1 / (self.c - 1)
        y = limit / (self.start - 1)
        for k in range(self.start, t + 1):
            y = (1 - self.c / k) * y + Fraction(1, k * k * (k - 1))
        return t * y

    def run(self, gap: Fraction, forcing: Sequence[Fraction]) -> list[Fraction]:
        """Iterate the recursion with equality.

        Args:
            gap: ``Delta_start``.
            forcing: ``f_start, f_{start+1}, ...``.

        Returns:
            ``Delta_start`` and one value after every forcing term.
        """
        values = [Fraction(gap)]
        for k, f in enumerate(forcing, start=self.start):
            values.append((1 - self.c / k) * values[-1] + f)
        return values


def _require_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} is {value}; it is at least {least}")
