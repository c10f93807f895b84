"""Every repaired form of both papers is proved or was searched for with a stated budget, and says how sharp it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from verify import zeng2022, zhang2025
from verify.claim import Claim, Kind, control, printed, repaired, statement
from verify.context import PROFILES, Context
from verify.evidence import Relation, Verdict, combine, exact_evidence, judge
from verify.ledger import recorded
from verify.search import Inequality, Vectors
from verify.searched import Search, Survey, evaluations, unknown
from verify.sharpness import Sharpness, at_instance, equality, sharpened, stronger
from verify.zeng2022.searches import sharpness as zeng_sharpness
from verify.zeng2022.searches import table as zeng_table
from verify.zhang2025.searches import proof_table, setting_table
from verify.zhang2025.searches import sharpness as zhang_sharpness

LEAST = 10_000
"""Problems that a search must have tried; the budget of the issue."""

MEASURED = ("figure-", "d1-defaults", "sample-complexity")
"""What a search cannot try: runs at printed parameters, and a rate of a moving policy."""

SEARCHES: dict[str, Mapping[str, Search | Survey]] = {
    "zeng2022": {**zeng_table.SEARCHES, **zeng_table.SURVEYS},
    "zhang2025": {
        **proof_table.SEARCHES, **setting_table.SEARCHES, **proof_table.SURVEYS, **setting_table.SURVEYS,
    },
}  # fmt: skip
EXCUSED = {"zeng2022": zeng_table.NOT_SEARCHED, "zhang2025": setting_table.NOT_SEARCHED | proof_table.NOT_SEARCHED}
SHARPNESS = {"zeng2022": zeng_sharpness.SHARPNESS, "zhang2025": zhang_sharpness.SHARPNESS}
LEDGERS = {"zeng2022": zeng2022.LEDGER, "zhang2025": zhang2025.LEDGER}
CONTEXT = Context(PROFILES["quick"])

REPAIRED = [
    (paper, f"{claim.id}::{v.name}")
    for paper, builders in LEDGERS.items() for claim in (build() for build in builders) for v in claim.variants
    if v.kind is Kind.REPAIRED
]  # fmt: skip


def verdict(paper: str, key: str) -> str:
    id, name = key.split("::")
    return recorded().get(f"{paper}/{id}", {}).get(name, "not recorded")


@pytest.mark.parametrize(("paper", "key"), REPAIRED, ids=lambda x: str(x))
def test_a_repaired_form_is_proved_searched_or_excused(paper: str, key: str) -> None:
    if verdict(paper, key) == str(Verdict.PROVED):
        return
    if key in EXCUSED[paper]:
        assert key.startswith(MEASURED)
        assert key not in SEARCHES[paper]
        return
    search, full = SEARCHES[paper][key], Context(PROFILES["full"])
    spent = evaluations(full)
    if isinstance(search, Survey):
        spent = round(search.share * spent) * search.each
    assert spent >= LEAST


@pytest.mark.parametrize(("paper", "key"), REPAIRED, ids=lambda x: str(x))
def test_a_repaired_form_says_how_sharp_it_is(paper: str, key: str) -> None:
    sharpness = SHARPNESS[paper][key]
    assert sharpness.text
    pieces = sharpness.evidence(CONTEXT)
    assert bool(pieces) == (sharpness.check is not None)
    for e in pieces:
        assert e.corroborates
        assert e.note
        assert judge(e) in (Verdict.HOLDS, Verdict.PROVED)


@pytest.mark.parametrize("paper", LEDGERS)
def test_tables_name_variants_of_the_ledger(paper: str) -> None:
    any_search = next(iter(SEARCHES[paper].values()))
    every = {*SEARCHES[paper], *EXCUSED[paper], *SHARPNESS[paper]}
    assert unknown(LEDGERS[paper], dict.fromkeys(every, any_search)) == []  # type: ignore[arg-type]


def test_no_ratio_is_a_bare_word() -> None:
    """Inequalities have a number: only equalities, listings, measured means and choices go without."""
    bare = {key for table in SHARPNESS.values() for key, s in table.items() if s.check is None}
    ratios = {*zeng_table.RATIOS, *proof_table.RATIOS, *setting_table.RATIOS}
    assert not bare & ratios


@pytest.mark.parametrize("key", zhang_sharpness.INSTANCES)
def test_ratios_are_at_most_one_and_close_to_what_a_search_finds(key: str) -> None:
    (piece,) = zhang_sharpness.SHARPNESS[key].evidence(CONTEXT)
    assert 0 < piece.measured <= 1


# --- the mechanism --------------------------------------------------------------------------------------------------


def _build():
    """A summary."""
    good = exact_evidence("zero", 0, 0, Relation.EQUAL)
    bad = exact_evidence("one", 1, 0, Relation.EQUAL)
    return printed(lambda c: bad, "x"), repaired(lambda c: good, "y"), control(lambda c: bad, "z", "wrong")


BUILD = statement("zeng2022", "a")(_build)
PRODUCT = Inequality("2 x y <= x^2 + y^2", lambda v: (2 * v[0] * v[1], v[0] ** 2 + v[1] ** 2))
PLANE = Vectors((0, 0), (3, 3))


def with_sharpness(sharpness: Sharpness) -> Claim:
    (build,) = sharpened((BUILD,), {"a::repaired": sharpness})
    return build()


def test_an_attained_bound_has_the_ratio_one() -> None:
    variant = with_sharpness(at_instance(PRODUCT, PLANE, ("1", "1"), "attained")).variants[1]
    _, piece = variant.check(CONTEXT)  # type: ignore[misc]
    assert piece.measured == 1
    assert variant.sharpness is not None
    assert variant.sharpness.text == "attained"
    assert piece.witness is not None
    assert piece.witness.values["x0"] == 1


def test_a_ratio_below_one_is_exact() -> None:
    (piece,) = at_instance(PRODUCT, PLANE, (1, "1/3"), "three fifths").evidence(CONTEXT)
    assert piece.measured == Fraction(3, 5)


def test_a_ratio_above_one_refutes_the_form() -> None:
    false = Inequality("x + y <= x", lambda v: (v[0] + v[1], v[0]))
    variant = with_sharpness(at_instance(false, PLANE, (1, 1), "none")).variants[1]
    assert combine(variant.check(CONTEXT)) is Verdict.REFUTED  # type: ignore[arg-type]


def test_an_instance_without_a_right_side_is_an_error() -> None:
    with pytest.raises(ValueError, match="no positive right side"):
        at_instance(PRODUCT, PLANE, (0, 0), "none").evidence(CONTEXT)


def test_a_stronger_form_that_stands_shows() -> None:
    stands, falls = (exact_evidence("x", k, 0, Relation.EQUAL) for k in (0, 1))
    (piece,) = stronger(lambda c: falls, "less").evidence(CONTEXT)
    assert judge(piece) is Verdict.HOLDS
    (piece,) = stronger(lambda c: stands, "less").evidence(CONTEXT)
    assert judge(piece) is Verdict.REFUTED


def test_an_equality_has_words_only() -> None:
    assert equality().evidence(CONTEXT) == ()
    assert "equality" in equality().text


def test_a_survey_states_its_budget_and_can_refute() -> None:
    good = Survey("|x| - 1", lambda rng: float(abs(rng.uniform(-1, 1)) - 1), each=3)
    piece = good.evidence(CONTEXT, "a")
    assert piece.instances == 3 * evaluations(CONTEXT)
    assert "survived" in piece.note
    assert piece == replace(piece, measured=good.evidence(CONTEXT, "a").measured)
    assert judge(Survey("x", lambda rng: 1.0).evidence(CONTEXT, "a")) is Verdict.REFUTED
    with pytest.raises(ValueError, match="finite"):
        Survey("x", lambda rng: float(np.nan)).evidence(CONTEXT, "a")
