"""The public searches: a counterexample to lhs <= rhs, and the largest lhs / rhs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np
from flint import arb, fmpq

from mdp.linear import rational
from verify.evidence import Rigor, Witness
from verify.search.family import Family, fractions
from verify.search.hunt import Found, Hunt
from verify.search.inequality import Inequality, as_inequality, lower_end
from verify.search.outcome import Budget, Counterexample, Survived, WorstRatio


def find_counterexample(
    statement: Inequality | Callable[[Any], Any], family: Family, budget: Budget | int, rng: np.random.Generator
) -> Counterexample | Survived:
    """Maximise lhs - rhs over a family; round, shrink and certify a violation, or report what was survived.

    Floats only propose. Samples, differential evolution and local climbs look for a violation; the best points are
    rounded to growing denominators until one violates the statement in exact arithmetic; then states, agents,
    actions and coordinates are removed while a violation remains, and numbers are replaced by simpler ones.

    Args:
        statement: an `Inequality`, or a callable that gives lhs - rhs at an instance (positive: violated; None: the
            hypotheses fail there). On exact instances it must give an exact number or a `flint.arb`.
        family: where to look.
        budget: what may be spent; an integer is a number of float evaluations.
        rng: the outcome is a function of its state.

    Returns:
        `Counterexample`, or `Survived` with the largest violation met and the budget spent.

    Raises:
        TypeError: the statement cannot be called, gives floats on exact instances, or `rng` is no Generator.
        ValueError: a budget that is not positive.
    """
    inequality, budget = _checked(statement, budget, rng)
    hunt = Hunt(inequality, lambda left, right: left - right, budget, rng)
    places = chain(hunt.descend(family), hunt.restart(family))
    found = next((f for f in (hunt.round(*place) for place in places) if f is not None), None)
    if found is None:
        rounded = None if hunt.best_exact is None else float(hunt.best_exact)
        return Survived(hunt.best, rounded, hunt.undecided, hunt.spent)
    found = hunt.shrink(found)
    violation, rigor = _settled(found)
    return Counterexample(
        _witness(inequality, found, "lhs - rhs", violation), violation, rigor, found.family,
        fractions(found.parameters), found.family.build(found.parameters), hunt.spent,
    )


def worst_ratio(
    inequality: Inequality, family: Family, budget: Budget | int, rng: np.random.Generator, *, share: float = 0.999
) -> WorstRatio:
    """Maximise lhs / rhs over a family, and show a small exact instance that comes within a share of it.

    Points where rhs is not positive are left out: there lhs <= rhs is a question for `find_counterexample`.

    Args:
        inequality: both sides.
        family: where to look.
        budget: what may be spent; an integer is a number of float evaluations.
        rng: the outcome is a function of its state.
        share: part of the largest ratio that the instance must keep, in (0, 1).

    Raises:
        TypeError: `inequality` is no `Inequality`, or `rng` no Generator.
        ValueError: a share outside (0, 1), a budget that is not positive, no point with rhs > 0 and lhs > 0, or no
            exact instance that keeps the share (then the floats are wrong there, or enclosures too wide).
    """
    if not isinstance(inequality, Inequality):
        raise TypeError(f"a ratio needs both sides: an Inequality, not {inequality!r}")
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; it lies between 0 and 1")
    inequality, budget = _checked(inequality, budget, rng)
    hunt = Hunt(inequality, _ratio, budget, rng)
    places = list(hunt.descend(family))
    if hunt.best is None or hunt.best <= 0:
        raise ValueError(f"{inequality.text}: no point with positive lhs and rhs among {hunt.evaluations} evaluations")
    hunt.level = rational(hunt.best * share)
    found = next((f for f in (hunt.round(*place) for place in places) if f is not None), None)
    if found is None:
        raise ValueError(
            f"{inequality.text}: no exact instance reaches {share} of the ratio {hunt.best:.6g} seen in floats"
        )
    found = hunt.shrink(found)
    certified, rigor = _settled(found)
    return WorstRatio(
        max(hunt.best, float(certified)), certified, rigor, _witness(inequality, found, "lhs / rhs", certified),
        found.family, fractions(found.parameters), found.family.build(found.parameters), hunt.spent,
    )


def _ratio(left: Any, right: Any) -> Any:
    return left / right if right > 0 else None


def _checked(
    statement: Inequality | Callable[[Any], Any], budget: Budget | int, rng: np.random.Generator
) -> tuple[Inequality, Budget]:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {rng!r}; it is a numpy Generator, so that the search can be repeated")
    return as_inequality(statement), budget if isinstance(budget, Budget) else replace(Budget(), evaluations=budget)


def _settled(found: Found) -> tuple[Fraction, Rigor]:
    """Certain value and how it is known."""
    value = lower_end(found.value)
    assert value is not None  # a value above the level has a finite lower end
    return value, Rigor.INTERVAL if isinstance(found.value, arb) else Rigor.RATIONAL


def _witness(inequality: Inequality, found: Found, what: str, value: Fraction) -> Witness:
    instance = found.family.build(found.parameters)
    pair = inequality.at_exact(instance)
    assert pair is not None  # it was defined when the point was found
    lhs, rhs = (side if isinstance(side, fmpq) else str(side) for side in pair)
    # an enclosure's lower end has dozens of digits that nobody checks by hand
    is_value = f"is {value}" if isinstance(found.value, fmpq) else f"is at least {float(value) * (1 - 1e-12):.6g}"
    return Witness(
        f"{inequality.text}: here {what} {is_value}",
        {**found.family.describe(instance), "lhs": lhs, "rhs": rhs},
    )
