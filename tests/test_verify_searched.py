"""Searches attached to variants: they corroborate what they cannot break, and refute what they can."""

import numpy as np

from verify.claim import control, printed, repaired, statement
from verify.context import PROFILES, Context
from verify.evidence import Relation, Verdict, exact_evidence
from verify.runner import run_claims
from verify.search import Inequality, Vectors
from verify.searched import Search, searched, unknown


def _build():
    """A summary."""
    good = exact_evidence("zero", 0, 0, Relation.EQUAL)
    bad = exact_evidence("one", 1, 0, Relation.EQUAL)
    return printed(lambda c: bad, "x"), repaired(lambda c: good, "y"), control(lambda c: bad, "z", "wrong")


BUILD = statement("zeng2022", "a")(_build)
PLANE = Vectors((0, 0), (3, 3))
TRUE = Search(Inequality("2 x y <= x^2 + y^2", lambda v: (2 * v[0] * v[1], v[0] ** 2 + v[1] ** 2)), PLANE, 1e-12)
FALSE = Search(Inequality("x y <= x + y", lambda v: (v[0] * v[1], v[0] + v[1])), PLANE)


def _run(search: Search, profile: str = "quick"):
    (build,) = searched((BUILD,), {"a::repaired": search})
    return run_claims([build()], Context(PROFILES[profile]), {})[0].variants[1]


def test_what_survives_corroborates_and_states_its_budget() -> None:
    found = _run(TRUE)
    assert found.verdict is Verdict.HOLDS
    assert "survived a search" in found.evidence[1].note
    assert found.evidence[1].corroborates


def test_a_counterexample_refutes_the_variant_with_a_witness() -> None:
    found = _run(FALSE)
    assert found.verdict is Verdict.REFUTED
    values = found.evidence[1].witness.values
    x, y = values["x0"], values["x1"]
    assert x * y > x + y


def test_the_full_profile_spends_ten_thousand_evaluations() -> None:
    assert PROFILES["full"].n_search >= 10_000
    assert _run(TRUE, "full").evidence[1].instances >= 10_000


def test_a_search_without_a_variant_is_named() -> None:
    assert unknown((BUILD,), {"a::repaired": TRUE, "a::repaired[lost]": TRUE}) == ["a::repaired[lost]"]


def test_same_seed_same_evidence() -> None:
    one, two = _run(TRUE).evidence[1], _run(TRUE).evidence[1]
    assert (one.measured, one.instances) == (two.measured, two.instances)
    assert np.isfinite(float(one.measured))
