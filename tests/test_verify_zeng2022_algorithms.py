"""zeng2022 Algorithms 1-2: verdicts, the executor of the listing, and one iteration by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

from mdp.linear import rational_array
from verify.claim import Kind
from verify.context import PROFILES, Context
from verify.report.mathml import mathml
from verify.runner import ClaimResult, run_claims
from verify.zeng2022.listing.algorithm import algorithm_1
from verify.zeng2022.listing.displays import displays
from verify.zeng2022.listing.double_sampling import algorithm_2
from verify.zeng2022.listing.listing import LISTING, Sample, Setting, UnassignedError, final, run

EXPECTED = {
    algorithm_1: {
        "printed[displays]": "holds", "printed[data flow]": "holds", "reading[line numbers]": "refuted",
        "reading[line numbers, corrected]": "holds", "reading[one value]": "refuted",
    },
    algorithm_2: {"printed[listing]": "holds", "printed[text]": "refuted", "repaired": "holds"},
}  # fmt: skip

OVERALL = {"algorithm-1": "holds", "algorithm-2": "refuted"}


@pytest.fixture(scope="module")
def results() -> dict[str, ClaimResult]:
    found = run_claims([build() for build in EXPECTED], Context(PROFILES["quick"]), {})
    return {result.claim.id: result for result in found}


@pytest.mark.parametrize("build", EXPECTED, ids=lambda build: build.__name__)
def test_verdicts(build, results):
    result = results[build().id]
    verdicts = {v.variant.name: str(v.verdict) for v in result.variants if v.variant.kind is not Kind.CONTROL}
    assert verdicts == EXPECTED[build]
    assert str(result.verdict) == OVERALL[result.claim.id]
    assert result.controls_refuted
    assert result.claim.hypotheses
    assert result.claim.consequence
    assert mathml(result.claim.latex) is not None


def _setting(**changes) -> Setting:
    """Two agents, one state, one action each, one feature everywhere, W = 1/2; a score of 1."""
    half = fmpq(1, 2)
    setting = Setting(
        W=[rational_array([[half, half], [half, half]])], steps=(fmpq(1, 3), half, fmpq(2, 5)), gamma=half, n_shared=1,
        r=rational_array([[[1]], [[0]]]), phi_state=rational_array([[1]]), phi_joint=rational_array([[[1]]]),
        n_actions=(1, 1), score=lambda i, s, a, theta: rational_array([1, 1]), project_omega=lambda x: x,
        project_lambda=lambda x: x, draw=lambda t, theta: Sample(0, (0, 0), 0),
    )
    return replace(setting, **changes)


START = (rational_array([[0, 1], [2, 3]]), rational_array([[1], [3]]), rational_array([[4], [2]]))


@pytest.mark.parametrize("iterate", ["listing", "displays"])
def test_one_iteration_by_hand(iterate):
    setting = _setting()
    theta, omega, lam = final(run(setting, START, 1), 2, 1) if iterate == "listing" else displays(setting, START, 1)
    # delta_i = r_i + omega_i / 2 - omega_i: 1/2 and -3/2; mixed omega 2; beta = 1/2
    assert [Fraction(int(x.p), int(x.q)) for x in omega[:, 0]] == [2 + Fraction(1, 4), 2 - Fraction(3, 4)]
    # r_i - lambda_i: -3 and -2; mixed lambda 3; zeta = 2/5
    assert [Fraction(int(x.p), int(x.q)) for x in lam[:, 0]] == [3 - Fraction(6, 5), 3 - Fraction(4, 5)]
    # signal lambda_i - omega_i / 2: 7/2 and 1/2; the shared column is mixed to 1, the personal one stays
    assert [Fraction(int(x.p), int(x.q)) for x in theta.ravel()] == [
        1 + Fraction(7, 6), 1 + Fraction(7, 6), 1 + Fraction(1, 6), 3 + Fraction(1, 6)
    ]  # fmt: skip


def test_a_line_out_of_order_is_an_error():
    with pytest.raises(UnassignedError, match="line 9 reads theta mixed of agent 0 at time 0"):
        run(_setting(), START, 1, listing=[line for line in LISTING if line.number != 6 and line.number != 7])


def test_the_actors_second_sample_is_used_for_the_actors_only():
    """Two states; the critic's sample stays in 0, the actor's in 1, where every feature vanishes."""
    two = {
        "r": rational_array([[[1], [1]], [[0], [0]]]), "phi_state": rational_array([[1], [0]]),
        "phi_joint": rational_array([[[1]], [[0]]]),
    }  # fmt: skip
    single = final(run(_setting(**two), START, 1), 2, 1)
    both = final(run(_setting(**two, draw_actor=lambda t, theta: Sample(1, (0, 0), 1)), START, 1), 2, 1)
    assert np.array_equal(single[1], both[1])
    assert np.array_equal(single[2], both[2])
    assert [int(x) for x in both[0].ravel()] == [1, 1, 1, 3]  # no signal: the shared column is mixed, nothing moves
    assert not np.array_equal(single[0], both[0])


def test_citations_name_the_lines(results):
    outcome = next(v for v in results["algorithm-1"].variants if v.variant.name == "reading[line numbers]")
    assert outcome.evidence[0].measured == 2
    rows = dict(outcome.evidence[0].witness.rows())
    assert rows["Eq. (10) cited in lines"] == "11-11, is in line 9"
    assert rows["Eq. (13) cited in lines"] == "8-10, is in line 7"
