"""Ledger entries of the Simple Spread study (zhang2025 Sec. 6.1 and Appendix D.1): verdicts, witnesses, controls."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from second_routes import second_route

from verify.context import PROFILES, Context
from verify.evidence import Relation, Verdict, judge
from verify.report.mathml import mathml
from verify.runner import ClaimResult, run_claims
from verify.zhang2025.simple_spread.gossip_figure import d1_defaults, figure_5
from verify.zhang2025.simple_spread.other_figures import figure_2_10, figure_6, figure_7, figure_8, figure_9
from verify.zhang2025.simple_spread.runs import gap, mean

EXACT = {
    "d1-defaults": {
        "printed[actor step]": "refuted", "printed[critic step]": "refuted", "printed[iterations]": "refuted",
        "printed[kernel]": "refuted", "printed[one-hot]": "refuted", "printed[coordinates]": "holds",
        "reading[path]": "refuted", "repaired": "holds",
    },
}  # fmt: skip


def result(build) -> ClaimResult:  # type: ignore[no-untyped-def]
    return run_claims([build()], Context(PROFILES["quick"]), {})[0]


@second_route("d1-defaults")
def test_defaults_against_the_theorem() -> None:
    found = result(d1_defaults)
    assert {v.variant.name: str(v.verdict) for v in found.variants if v.variant.kind.name != "CONTROL"} == EXACT[
        "d1-defaults"
    ]
    assert found.controls_refuted
    assert found.verdict is Verdict.REFUTED
    # the same conditions between integers, by hand
    assert 2 * 1**2 < 49 * 200**2
    assert 1 < 5**4
    assert 10 != 100
    assert 20**2 * 5**11 >= 51**6
    assert 20**2 * 5**11 < 52**6
    assert Fraction(1, 25) ** 2 * 625 == 1
    assert 2 * 5**2 >= 49


def test_the_whole_path_by_hand() -> None:
    found = result(d1_defaults)
    (path,) = next(v for v in found.variants if v.variant.name == "reading[path]").evidence
    assert Fraction(15, 200) > path.high > path.low > 0  # fifteen blocks from a power of two to the next
    assert 2**14 <= 20_000 < 2**15
    by_floats = float((0.005 / np.arange(1, 20_001)).sum())
    assert path.low <= by_floats <= path.high
    start = time.perf_counter()
    result(d1_defaults)
    assert time.perf_counter() - start < 1.0


def test_regrets_of_uniform_policies_are_rationals() -> None:
    found = result_of_uniform_regrets()
    assert [e.rigor.name for e in found] == ["RATIONAL"] * 2
    assert gap(3) - gap(2) == found[0].measured > 0
    assert gap(3) / 3 < gap(2) / 2


def result_of_uniform_regrets():  # type: ignore[no-untyped-def]
    variant = next(v for v in figure_8().variants if v.name == "reading[uniform policies]")
    return variant.check(Context(PROFILES["quick"]))


def test_intervals_of_a_family_are_wider() -> None:
    values = np.array([0.1, 0.3, 0.2, 0.25])
    alone, family = (mean("x", values, 0.0, Relation.AT_LEAST, family=k) for k in (1, 2))
    assert family.low < alone.low < alone.measured < alone.high < family.high
    assert judge(alone) is Verdict.CONSISTENT
    # by hand: t quantiles 3.1824 and 4.1765 of three degrees of freedom, standard error 0.04270
    assert alone.high - alone.measured == pytest.approx(3.1824 * 0.0426956, rel=1e-4)
    assert family.high - family.measured == pytest.approx(4.1765 * 0.0426956, rel=1e-4)


def test_gossip_changes_nothing_for_one_reward() -> None:
    found = result(figure_5)
    verdicts = {v.variant.name: str(v.verdict) for v in found.variants}
    assert verdicts["printed"] == "refuted"
    assert verdicts["repaired"] == "holds"
    assert verdicts["reading[local rewards]"] == "refuted"
    assert found.controls_refuted
    witness = next(v for v in found.variants if v.variant.name == "printed").evidence[0].witness
    assert witness is not None
    rewards = [[Fraction(str(x)) for x in row] for row in witness.values["rewards by tuple and agent"]]
    assert all(len(set(row)) == 1 for row in rewards)
    matrix = [[Fraction(str(x)) for x in row] for row in witness.values["A"]]
    assert all(sum(row) == 1 for row in matrix)


@pytest.mark.parametrize("build", [d1_defaults, figure_5, figure_6, figure_7, figure_8, figure_9, figure_2_10])
def test_entries_explain_themselves(build) -> None:  # type: ignore[no-untyped-def]
    claim = build()
    assert claim.hypotheses
    assert claim.consequence
    assert mathml(claim.latex)


FIGURE_VERDICTS = {
    figure_6: ("consistent", {"printed": "consistent"}),
    figure_7: (
        "ambiguous",
        {"printed[visibly]": "refuted", "printed[at all]": "consistent", "repaired": "consistent",
         "reading[exact critic]": "consistent"},
    ),
    figure_8: (
        "consistent",
        {"printed": "consistent", "reading[uniform policies]": "holds", "reading[per landmark]": "refuted"},
    ),
    figure_9: (
        "refuted",
        {"printed[K]": "refuted", "printed[M]": "refuted", "printed[M, at all]": "refuted", "repaired": "consistent",
         "reading[exact critic]": "consistent"},
    ),
    figure_2_10: (
        "refuted",
        {
            "printed[TD]": "refuted", "printed[TD, at all]": "refuted", "printed[Q]": "consistent",
            "printed[TD above Q]": "refuted",
            "reading[network actors]": "refuted", "reading[flipped]": "refuted",
            "reading[printed, exact critic]": "refuted", "reading[exact critic]": "consistent",
            "repaired": "consistent",
        },
    ),
}  # fmt: skip


@pytest.mark.slow
def test_verdicts_of_the_figures() -> None:
    context = Context(PROFILES["quick"], jobs=2)
    for build, (verdict, variants) in FIGURE_VERDICTS.items():
        found = run_claims([build()], context, {})[0]
        assert str(found.verdict) == verdict, found.claim.key
        assert {v.variant.name: str(v.verdict) for v in found.variants if v.variant.kind.name != "CONTROL"} == variants
        assert found.controls_refuted, found.claim.key
