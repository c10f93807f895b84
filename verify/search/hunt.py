"""One search: exploring a family in floats, rounding what it finds, and shrinking what survives the rounding."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import arb, fmpq

from mdp.linear import rational, to_float
from verify.search.family import Family, cost
from verify.search.inequality import Inequality, lower_end
from verify.search.outcome import Budget, Spent
from verify.search.simplest import DENOMINATORS, cheaper, descendants, rounded
from verify.search.stages import Objective, explore

NOISE = 1e-9
"""Float violations up to this may be rounding: they are tried in exact arithmetic with few denominators only; ours."""

FIRST_SHARE = 0.7
"""Share of the float evaluations for finding a violation; the rest is for shrinking it. Ours."""

Measure = Callable[[Any, Any], Any]
"""Value to maximise, from the two sides (floats, rationals or enclosures): a difference or a ratio."""


@dataclass(frozen=True)
class Found:
    """An exact point above the level of the search.

    Attributes:
        family: where it lies.
        parameters: exact, object array of `fmpq`.
        value: of the measure.
    """

    family: Family
    parameters: np.ndarray
    value: fmpq | arb


@dataclass
class Hunt:
    """Counters and limits of one search.

    Attributes:
        inequality: what is searched.
        measure: what is maximised; None where it is undefined.
        budget: what may be spent.
        rng: randomness.
        level: an exact point counts if its value is certainly above this.
        evaluations: spent in floats.
        exact: spent in exact arithmetic.
        undecided: enclosures that contained the level.
        best: largest float value.
        best_exact: largest certain value, a `Fraction`.
        started: clock at the start.
    """

    inequality: Inequality
    measure: Measure
    budget: Budget
    rng: np.random.Generator
    level: fmpq = field(default_factory=lambda: fmpq(0))
    evaluations: int = 0
    exact: int = 0
    undecided: int = 0
    best: float | None = None
    best_exact: Any = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def spent(self) -> Spent:
        """What has been spent so far."""
        return Spent(self.evaluations, self.exact, time.perf_counter() - self.started)

    def expired(self) -> bool:
        """Whether wall time has run out."""
        return self.budget.seconds is not None and time.perf_counter() - self.started > self.budget.seconds

    def explore(self, family: Family, limit: int) -> list[tuple[float, np.ndarray]]:
        """Best float points of a family, best first, each with its value and its flat parameters.

        Args:
            family: where.
            limit: evaluations at most.
        """

        def value(point: np.ndarray) -> float | None:
            instance = family.build(point)
            pair = None if instance is None else self.inequality.at_float(instance)
            result = None if pair is None else self.measure(*pair)
            return result if result is not None and np.isfinite(result) else None

        low, high = (to_float(end) for end in family.bounds)
        left = max(min(limit, self.budget.evaluations - self.evaluations), 0)
        objective = Objective(value, low, high, left, self.expired)
        explore(objective, self.rng)
        self.evaluations += objective.count
        if objective.best:
            self.best = max(objective.best[0][0], self.best if self.best is not None else -np.inf)
        return objective.best

    def descend(self, family: Family) -> Iterator[tuple[Family, list[tuple[float, np.ndarray]]]]:
        """Best float points, flat, of the smaller families, smallest first, then of the family itself.

        Violations are easier to find in a small family, and need less shrinking. Half of the first share goes to the
        smaller families, if there are any.

        Args:
            family: the largest.
        """
        below = descendants(family)
        total = max(int(FIRST_SHARE * self.budget.evaluations), 1)
        each = total // (2 * len(below)) if below else 0
        for small in below:
            yield small, self.explore(small, each)
        yield family, self.explore(family, total - each * len(below))

    def restart(self, family: Family) -> Iterator[tuple[Family, list[tuple[float, np.ndarray]]]]:
        """The family and flat points, again from new samples, until the float evaluations are spent.

        Args:
            family: where.
        """
        before = -1
        while before < self.evaluations < self.budget.evaluations and not self.expired():
            before = self.evaluations
            yield family, self.explore(family, self.budget.evaluations - before)

    def test(self, family: Family, parameters: np.ndarray) -> Found | None:
        """Exact evaluation: the point if its value is certainly above the level.

        Args:
            family: where.
            parameters: exact, a flat vector.
        """
        if self.exact >= self.budget.exact or self.expired():
            return None
        self.exact += 1
        instance = family.build(parameters)
        pair = None if instance is None else self.inequality.at_exact(instance)
        value = None if pair is None else self.measure(*pair)
        if value is None:
            return None
        bottom = lower_end(value)
        if bottom is not None and (self.best_exact is None or bottom > self.best_exact):
            self.best_exact = bottom
        if value > self.level:
            return Found(family, parameters, value)
        self.undecided += not value <= self.level
        return None

    def round(self, family: Family, points: list[tuple[float, np.ndarray]]) -> Found | None:
        """The first exact point above the level among roundings of float points, small denominators first.

        Args:
            family: where.
            points: values and parameters, best first, the parameters as flat vectors.
        """
        low, high = family.bounds
        level = float(lower_end(self.level) or 0)
        clear = [point for value, point in points if value > level + NOISE]
        for d in DENOMINATORS if clear else DENOMINATORS[:4]:
            for point in clear or [point for _, point in points[:2]]:
                found = self.test(family, rounded(point, d, low, high))
                if found is not None:
                    return found
        for point in clear[:2] or [point for _, point in points[:1]]:
            found = self.test(family, np.clip(np.array([rational(x) for x in point], dtype=object), low, high))
            if found is not None:
                return found
        return None

    def shrink(self, found: Found) -> Found:
        """A structurally smallest, then numerically simplest point above the level that greedy steps reach.

        Args:
            found: where to start.
        """
        while (less := self._smaller(found)) is not None:
            found = less
        return self._simpler(found)

    def _smaller(self, found: Found) -> Found | None:
        """The point in a smaller family: projected there, else searched there with a quarter of what is left."""
        families: list[Family] = []
        for family, parameters in found.family.smaller(found.parameters):
            less = self.test(family, parameters)
            if less is not None:
                return less
            if family not in families:
                families.append(family)
        for family in families:
            points = self.explore(family, (self.budget.evaluations - self.evaluations) // 4)
            less = self.round(family, points)
            if less is not None:
                return less
        return None

    def _simpler(self, found: Found) -> Found:
        """Coordinate by coordinate, the cheapest number that keeps the value above the level, until nothing changes."""
        low, high = found.family.bounds
        changed = True
        while changed:
            changed = False
            # costliest numbers first: they are what a reader trips over
            order = sorted(range(len(low)), key=lambda k: cost(found.parameters.item(k)), reverse=True)
            for k in order:
                for value in cheaper(found.parameters[k], low[k], high[k]):
                    parameters = found.parameters.copy()
                    parameters[k] = value
                    less = self.test(found.family, parameters)
                    if less is not None:
                        found, changed = less, True
                        break
        return found
