"""How sharp the repaired variants of zeng2022 are: ratios at exact instances, exponents attained, or equalities."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from verify.search import MDPFamily
from verify.search.joined import Joined, Windows
from verify.sharpness import Sharpness, at_instance, equality
from verify.zeng2022.searches.table import RATIOS
from verify.zeng2022.theorem import bias_problems, propositions, rates, stationarity

ATTAINED = "attained: the sides are equal at the instance"

ONE_LINK = MDPFamily(1, (2,), critic_features=1, point_start=False)
"""One state and one agent."""


def _at(key: str, family: Joined | Windows, numbers: str, text: str) -> Sharpness:
    return at_instance(RATIOS[key][0], family, numbers.split(), text)


def _in(key: str, problem: MDPFamily) -> Joined:
    family = RATIOS[key][1]
    assert isinstance(family, Joined)
    return replace(family, problem=problem)


def _instances() -> dict[str, Sharpness]:
    two_rows = MDPFamily(2, (1,), critic_features=1, point_start=False)
    actors = MDPFamily(2, (2,), policy_features=1, critic_features=1, point_start=False)
    return {
        "eq-8a::repaired": _at(
            "eq-8a::repaired", _in("eq-8a::repaired", two_rows), "2/3 2/3 1/2 1/2 1 0 1/12 0 0 1 1 -2/3 2/3 1 0 0 1",
            "the largest ratio found with both terms; the reward term alone is attained",
        ),
        "eq-8bd::repaired": _at(
            "eq-8bd::repaired", _in("eq-8bd::repaired", ONE_LINK), "0 0 0 1 0 0 1 1 1 1 0 0 0", ATTAINED
        ),
        "consensus::repaired": _at(
            "consensus::repaired", Windows(3, 1, symmetric=True), "1 1 0 1", ATTAINED + ", a lazy path of three agents"
        ),
        "eq-10-direction::repaired": _at(
            "eq-10-direction::repaired", _in("eq-10-direction::repaired", actors),
            "0 0 0 0 0 0 0 0 0 0 0 1 1/2 0 1 1 1 1 1 1 -1 1 0 1 0 1 0 0 1 0 1 0 -1", ATTAINED + ", the bound on b_sp",
        ),
    }  # fmt: skip


EQUALITIES = (
    "eq-7-msbe::repaired", "eq-13-sgd::repaired[target held fixed]", "eq-13-sgd::repaired[splitting]",
    "eq-13-target::repaired", "unbiased-critic::repaired[mean TD update]", "unbiased-critic::repaired[two successors]",
)
"""Identities."""

SHARPNESS: dict[str, Sharpness] = {
    **_instances(),
    **{key: equality() for key in EQUALITIES},
    "assumption-4-unique::repaired": equality("an equality of ranks: there is no constant to sharpen"),
    "algorithm-2::repaired": equality("a listing: an equality of means"),
    "mismatch-inevitable::repaired": Sharpness(
        "attained in two rooms with opposite contributions", lambda c: bias_problems.attained()
    ),
    "proposition-1::repaired": Sharpness(
        "the first two powers are attained at a frozen policy, where the slope is exact",
        lambda c: (
            propositions._slope("start at the fixed point", at_rest=True, sigma=0.3, claimed=-0.3),
            propositions._slope("start at zero", at_rest=False, sigma=0.7, claimed=-0.3),
        ),
    ),
    **{
        f"{id}::repaired": Sharpness(
            "the exponent 2/5 is attained at a frozen policy", lambda c: rates._exact_slope(rates.CLAIMED)
        )
        for id in ("theorem-3-critic", "corollary-1-critic")
    },
    "sample-complexity::repaired": Sharpness(
        "no step exponents give less than 5/2 from Proposition 2",
        lambda c: stationarity._exponent(rates.ACTOR_TERMS, Fraction(5, 2)),
    ),
}
"""By ``id::variant``: every repaired variant of the ledger."""
