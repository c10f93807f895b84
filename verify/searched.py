"""Adversarial searches attached to statements: what is not proved must survive one, with a budget that it states.

A search belongs to one variant. Its budget is that of the profile: a glance in the quick one, at least 10^4 evaluations
in the full one. What survives corroborates the variant; a certified counterexample refutes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from verify.claim import Check, Claim, Variant
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, exact_evidence
from verify.identities import largest
from verify.search import Budget, Counterexample, Family, Inequality, find_counterexample

QUICK_SHARE = 4
"""The quick profile spends this fraction of its ``n_search``; ours: keeps sixty searches within half a minute."""

EXACT_SHARE = 10
"""Exact evaluations, for rounding and shrinking, are rarer than those in floats by this factor; ours."""


@dataclass(frozen=True)
class Search:
    """An inequality and where to look for a violation of it.

    Attributes:
        inequality: what is claimed.
        family: the instances.
        tolerance: rounding that equality needs in double precision.
        scaled: whether the violation is ``(lhs - rhs) / (lhs + rhs)``, so that it tells the largest lhs / rhs met.
    """

    inequality: Inequality
    family: Family
    tolerance: float = 0.0
    scaled: bool = False

    def evidence(self, context: Context, key: str) -> Evidence:
        """What the search finds within the profile's budget.

        Args:
            context: budget and randomness.
            key: names the search; its randomness depends on it and on the root seed only.
        """
        spend = evaluations(context)
        budget = Budget(evaluations=spend, exact=max(50, spend // EXACT_SHARE))
        found = find_counterexample(self.inequality, self.family, budget, context.rng(crc32(key.encode())))
        if isinstance(found, Counterexample):
            return found.evidence(self.inequality.text)
        survived = replace(found.evidence(self.inequality.text, self.tolerance), corroborates=True)
        if not self.scaled or found.best is None or not -1 <= found.best < 1:
            return survived
        ratio = (1 + found.best) / (1 - found.best)
        return replace(survived, note=f"{survived.note}; largest lhs / rhs met {ratio:.4g}")


@dataclass(frozen=True)
class Survey:
    """A claim tried on random instances that no box of parameters describes: listings, programs, runs.

    Attributes:
        text: what is measured, at most zero up to `tolerance` if the claim stands.
        gap: draws an instance and measures it.
        tolerance: rounding that the comparison needs.
        share: instances drawn, as a share of the evaluations of a `Search`.
        each: comparisons that an instance is made of.
    """

    text: str
    gap: Callable[[np.random.Generator], float]
    tolerance: float = 0.0
    share: float = 1.0
    each: int = 1

    def evidence(self, context: Context, key: str) -> Evidence:
        """The largest gap within the profile's budget.

        Args:
            context: budget and randomness.
            key: names the survey; its randomness depends on it and on the root seed only.
        """
        rng, count = context.rng(crc32(key.encode())), max(1, round(self.share * evaluations(context)))
        worst = largest(self.gap(rng) for _ in range(count))
        return exact_evidence(
            self.text, worst, self.tolerance, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=count * self.each,
            corroborates=True, note=f"survived {count * self.each:,} random instances",
        )


def evaluations(context: Context) -> int:
    """Evaluations in floats that a search may spend under the profile.

    Args:
        context: its profile.
    """
    return context.profile.n_search // (1 if context.profile.name == "full" else QUICK_SHARE)


def searched(
    builders: Sequence[Callable[[], Claim]], searches: Mapping[str, Search | Survey]
) -> tuple[Callable[[], Claim], ...]:
    """A ledger whose named variants are searched as well as checked.

    Args:
        builders: statement functions.
        searches: by ``id::variant``, such as ``eq-6::repaired``.

    Returns:
        Statement functions in the same order.
    """
    return tuple(_with_searches(build, searches) for build in builders)


def unknown(builders: Sequence[Callable[[], Claim]], searches: Mapping[str, Search | Survey]) -> list[str]:
    """Keys of `searches` that name no variant of the ledger.

    Args:
        builders: statement functions.
        searches: by ``id::variant``.
    """
    names = {f"{claim.id}::{v.name}" for claim in (build() for build in builders) for v in claim.variants}
    return sorted(set(searches) - names)


def _with_searches(build: Callable[[], Claim], searches: Mapping[str, Search | Survey]) -> Callable[[], Claim]:
    def claim() -> Claim:
        plain = build()
        variants = (_searched(v, f"{plain.id}::{v.name}", searches) for v in plain.variants)
        return replace(plain, variants=tuple(variants))

    claim.__doc__, claim.__name__, claim.__module__ = build.__doc__, build.__name__, build.__module__
    return claim


def _searched(variant: Variant, key: str, searches: Mapping[str, Search | Survey]) -> Variant:
    search = searches.get(key)
    if search is None:
        return variant
    return replace(variant, check=_both(variant.check, search, key))


def _both(check: Check, search: Search | Survey, key: str) -> Check:
    def both(context: Context) -> tuple[Evidence, ...]:
        found = check(context)
        pieces = (found,) if isinstance(found, Evidence) else tuple(found)
        return *pieces, search.evidence(context, key)

    return both
