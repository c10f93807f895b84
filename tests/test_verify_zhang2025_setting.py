"""zhang2025, setting and listings: every variant's verdict, controls, and documentation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from verify.claim import Claim, Kind
from verify.context import PROFILES, Context
from verify.evidence import Rigor, Verdict
from verify.report.mathml import mathml
from verify.runner import run_claims
from verify.zhang2025.listing.actor_step import algorithm_1_step, remark_1
from verify.zhang2025.listing.centralised_critic import algorithm_3
from verify.zhang2025.listing.critic_listing import algorithm_2_average, algorithm_2_gossip
from verify.zhang2025.listing.order import algorithm_1_data
from verify.zhang2025.listing.projection import algorithm_2_projection
from verify.zhang2025.proof.facts import fact_c_1, remark_2
from verify.zhang2025.proof.stationary_point import fact_c_3
from verify.zhang2025.setting.appendix_b import b1_recursion, b2_gradient
from verify.zhang2025.setting.bellman import eq_3, eq_4
from verify.zhang2025.setting.consensus_matrix import definition_4_1, fact_c_2
from verify.zhang2025.setting.critic_objective import eq_6, eq_7
from verify.zhang2025.setting.kernels import restart_kernel
from verify.zhang2025.setting.objective import eq_1, eq_2

Case = tuple[Callable[[], Claim], str, dict[str, str]]

EXPECTED: tuple[Case, ...] = (
    (eq_1, "holds", {
        "printed[original]": "holds",
        "printed[restart]": "holds",
    }),
    (eq_2, "holds", {
        "printed[original]": "holds",
        "printed[restart]": "holds",
    }),
    (eq_3, "holds", {
        "printed[original]": "holds",
        "printed[restart]": "holds",
        "reading[mixed]": "refuted",
    }),
    (eq_4, "holds", {
        "printed[original]": "holds",
        "printed[restart]": "holds",
    }),
    (eq_6, "ambiguous", {
        "printed[rich, original]": "holds",
        "printed[rich, restart]": "holds",
        "printed[any width]": "refuted",
        "repaired[quasi-optimal, one kernel]": "holds",
        "repaired[quasi-optimal, two kernels]": "holds",
    }),
    (eq_7, "ambiguous", {
        "printed[linearised]": "holds",
        "printed[networks]": "refuted",
    }),
    (restart_kernel, "refuted", {
        "printed[fixed point]": "holds",
        "printed[law]": "refuted",
        "printed[gradient]": "refuted",
        "reading[best policy]": "refuted",
        "repaired[two kernels]": "holds",
        "repaired[no discount]": "holds",
    }),
    (definition_4_1, "ambiguous", {
        "printed[no loops]": "unsatisfiable",
        "printed[with loops]": "holds",
    }),
    (fact_c_2, "ambiguous", {
        "printed[average]": "holds",
        "printed[literal]": "refuted",
        "printed[connected]": "holds",
    }),
    (algorithm_1_data, "refuted", {
        "printed[first action]": "refuted",
        "printed[sequential]": "refuted",
        "printed[parallel]": "holds",
        "printed[states]": "holds",
        "repaired": "holds",
    }),
    (algorithm_1_step, "refuted", {
        "printed[first step]": "refuted",
        "printed[normalisation]": "refuted",
        "printed[ascent]": "refuted",
        "reading[sign reversed]": "refuted",
        "reading[advantage, M = 1]": "refuted",
        "repaired": "holds",
    }),
    (remark_1, "ambiguous", {
        "printed[identity, original]": "holds",
        "printed[identity, restart]": "holds",
        "printed[listing]": "refuted",
        "printed[exact values]": "consistent",
        "reading[variance]": "refuted",
    }),
    (algorithm_2_average, "proved", {
        "printed": "proved",
        "reading[new iterates]": "refuted",
        "reading[K iterates]": "refuted",
    }),
    (algorithm_2_gossip, "ambiguous", {
        "printed[literal]": "refuted",
        "printed[connected]": "holds",
    }),
    (algorithm_2_projection, "holds", {
        "printed[non-expansive]": "proved",
        "reading[closed form]": "holds",
        "printed[inside]": "holds",
    }),
    (remark_2, "holds", {
        "printed[needed]": "holds",
        "printed[example]": "holds",
        "reading[three devices]": "refuted",
    }),
    (fact_c_1, "proved", {
        "printed": "proved",
        "reading[length]": "refuted",
    }),
    (b1_recursion, "holds", {
        "printed[recursion]": "holds",
        "printed[sum]": "holds",
        "printed[stationary]": "holds",
    }),
    (b2_gradient, "ambiguous", {
        "printed[original]": "holds",
        "printed[restart]": "refuted",
        "source": "holds",
    }),
    (fact_c_3, "holds", {
        "printed[restart]": "holds",
        "printed[original]": "holds",
        "reading[weights]": "refuted",
        "reading[zero probability]": "refuted",
        "reading[network]": "refuted",
    }),
    (algorithm_3, "refuted", {
        "printed[average]": "holds", "printed": "refuted",
        "repaired": "holds",
    }),
)

IDS = [case[0].__name__ for case in EXPECTED]


@pytest.mark.parametrize(("build", "verdict", "variants"), EXPECTED, ids=IDS)
def test_verdicts(build: Callable[[], Claim], verdict: str, variants: dict[str, str]) -> None:
    (result,) = run_claims([build()], Context(PROFILES["quick"]), {})
    found = {v.variant.name: str(v.verdict) for v in result.variants if v.variant.kind is not Kind.CONTROL}
    assert found == variants
    assert str(result.verdict) == verdict
    assert result.controls_refuted
    for v in result.variants:
        if v.verdict is Verdict.REFUTED and v.variant.kind in (Kind.PRINTED, Kind.READING):
            shown = (e.rigor is Rigor.STATISTICAL or (e.witness is not None and e.witness.values) for e in v.evidence)
            assert any(shown), v.variant.name


@pytest.mark.parametrize("build", [case[0] for case in EXPECTED], ids=IDS)
def test_documented(build: Callable[[], Claim]) -> None:
    claim = build()
    assert claim.hypotheses
    assert claim.consequence
    assert mathml(claim.latex) is not None


@pytest.mark.parametrize("build", [eq_3, restart_kernel, b2_gradient, algorithm_3], ids=lambda b: b.__name__)
def test_rechecks_are_refuted(build: Callable[[], Claim]) -> None:
    for variant in build().variants:
        if variant.recheck is not None:
            claim = build()
            (result,) = run_claims(
                [Claim("zhang2025", claim.id, "s", "", "", (variant,))], Context(PROFILES["quick"]), {}
            )
            assert result.variants[0].verdict is Verdict.REFUTED
