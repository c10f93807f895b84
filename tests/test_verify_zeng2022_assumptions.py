"""zeng2022 Assumptions 1 to 6: their verdicts, and their witnesses worked out again by hand."""

from __future__ import annotations

from fractions import Fraction
from math import exp, factorial

import numpy as np
import pytest

from mdp.instances import ring3
from verify.claim import Kind
from verify.context import PROFILES, Context
from verify.report.mathml import mathml
from verify.runner import ClaimResult, run_claims
from verify.zeng2022.listing.federated import federated, server_rounds
from verify.zeng2022.setting.connectivity import GraphSequence, assumption_1
from verify.zeng2022.setting.weights import Round, assumption_2, graphs, lazy_laplacian, metropolis
from verify.zeng2022.theorem.mixing_assumption import assumption_6, ring3_kernel, starving_chain, stay_or_move_kernel
from verify.zeng2022.theorem.policy_assumptions import LocalPolicy, assumption_5
from verify.zeng2022.theorem.rewards_features import assumption_3, assumption_4, rank

CLAIMS = {f().id: f for f in (assumption_1, assumption_2, assumption_3, assumption_4, assumption_5, assumption_6,
                              federated)}  # fmt: skip

VERDICTS = {
    "assumption-1": {"printed": "holds", "reading[first block, 2B]": "holds", "reading[sliding, 2B - 1]": "holds"},
    "assumption-2": {
        "printed": "holds", "reading[no loops, to the letter]": "unsatisfiable",
        "reading[loops, idle]": "unsatisfiable", "reading[loops, busy]": "holds", "reading[largest c]": "holds",
    },
    "assumption-3": {
        "printed": "holds", "reading[a restriction]": "vacuous", "reading[with the noise of Sec. 5]": "unsatisfiable",
    },
    "assumption-4": {
        "printed": "holds", "reading[columns over s]": "unsatisfiable", "reading[K > |S|]": "unsatisfiable",
    },
    "assumption-5": {"printed": "holds", "reading[direct]": "refuted", "reading[ReLU]": "refuted"},
    "assumption-6": {
        "printed": "holds", "reading[automatic]": "refuted", "reading[critic eigenvalue]": "refuted",
        "reading[all six, ring3]": "holds",
    },
    "federated": {"printed": "consistent", "reading[ever rarer rounds]": "refuted"},
}  # fmt: skip


@pytest.fixture(scope="module")
def results() -> dict[str, ClaimResult]:
    found = run_claims([build() for build in CLAIMS.values()], Context(PROFILES["quick"]), {})
    return {r.claim.id: r for r in found}


@pytest.mark.parametrize("id", CLAIMS)
def test_verdicts(results: dict[str, ClaimResult], id: str) -> None:
    found = {v.variant.name: str(v.verdict) for v in results[id].variants if v.variant.kind is not Kind.CONTROL}
    assert found == VERDICTS[id]
    assert results[id].controls_refuted


@pytest.mark.parametrize("id", CLAIMS)
def test_entries_are_explained(id: str) -> None:
    claim = CLAIMS[id]()
    assert claim.hypotheses
    assert claim.consequence
    assert claim.text
    assert mathml(claim.latex) is not None


def test_a_silent_first_round_needs_twice_the_window() -> None:
    late = GraphSequence(2, (frozenset(),), (frozenset({(0, 1)}),))
    assert late.least_window() == 1  # blocks {1}, {2}, ... each have the edge
    assert not late.joined(0, 1)
    assert late.joined(0, 2)


def test_windows_of_one_edge() -> None:
    """Rounds 0 and 5 of 6: blocks of three are {0,1,2}, {3,4,5}; the gap 1..4 has four rounds."""
    edge, none = frozenset({(0, 1)}), frozenset[tuple[int, int]]()
    g = GraphSequence(2, (), (edge, none, none, none, none, edge))
    assert g.least_window() == 3
    assert not g.joined(7, 4)
    assert all(g.joined(first, 5) for first in range(12))


def test_path_of_three_by_hand() -> None:
    third = Fraction(1, 3)
    W = [[2 * third, third, 0], [third, third, third], [0, third, 2 * third]]
    edges = frozenset({(0, 1), (1, 2)})
    assert metropolis(3, edges) == W == lazy_laplacian(3, edges)
    assert Round(W, edges).violations("exempt") == []
    assert "W[0][0] = 2/3, not 0" in Round(W, edges).violations("never an edge")
    assert Round(W, edges).least == Fraction(1, 1 + 2)


def test_connected_graphs_are_all_there() -> None:
    # OEIS A001349: 1, 1, 2, 6, 21, 112
    assert sum(1 for _ in graphs()) == 1 + 1 + 2 + 6 + 21 + 112


def test_gumbel_tail_by_series() -> None:
    """``1 - exp(-q)`` with ``q = exp(-10)``, from the alternating series."""
    q = exp(-10)
    tail = sum((-1) ** (k + 1) * q**k / factorial(k) for k in range(1, 6))
    assert tail > 0
    witness = run_claims([assumption_3()], Context(PROFILES["quick"]), {})[0]
    shown = next(v for v in witness.variants if v.variant.label == "with the noise of Sec. 5").evidence[0].witness
    assert shown is not None
    assert shown.values["P(noise > 10)"].startswith(f"[{tail:.7e}"[:9])


def test_rank_sees_exact_dependence() -> None:
    assert rank(np.array([[1.0, 2.0], [2.0, 4.0]])) == 1
    assert rank(np.array([[1.0, 2.0], [2.0, 4.0 + 2.0**-50]])) == 2


def test_softmax_constants_by_hand() -> None:
    """psi = (1, 0), pi = (1/2, 1/2): D = 1, variance 1/4, slope 1/4; score 1/2."""
    half = Fraction(1, 2)
    point = LocalPolicy((half, half), ((Fraction(1),), (Fraction(0),)), (Fraction(1),))
    assert point.scores == ((half,), (-half,))
    assert point.ratios(Fraction(1, 4)) == (Fraction(1, 4), 1, 1)


def test_relu_jump_by_hand() -> None:
    for h in (1e-1, 1e-3, 1e-5):
        score = 1 - 1 / (1 + np.exp(-h))
        assert score >= 0.5 - h / 4  # at -h it is 0: the logits are constant there


def test_ring3_kernel_is_ring3() -> None:
    mdp, kernel = ring3().mdp, np.array(ring3_kernel(), dtype=object)
    pushes = np.array([sum(x) for x in np.ndindex(3, 3, 3)]) - 3
    exact = np.array([[[float(int(x.p)) / int(x.q) for x in row] for row in block] for block in kernel])
    np.testing.assert_allclose(exact[:, pushes + 3], mdp.P, atol=1e-15)


def test_shared_mass_of_ring3_by_hand() -> None:
    """Two steps reach every state with at least 1/16 from anywhere: stay-stay, stay-forward, forward-forward."""
    forward, stay = Fraction(1, 4), Fraction(1, 4)
    assert min(stay * stay, stay * forward, forward * forward) * 3 == Fraction(3, 16)
    found = run_claims([assumption_6()], Context(PROFILES["quick"]), {})[0]
    assert found.variants[0].evidence[0].note == "delta = 3/16"


@pytest.mark.parametrize("t", [1, 7, 64])
def test_stay_or_move_by_hand(t: int) -> None:
    x = Fraction(1, 4 * t)
    law = [Fraction(1), Fraction(0)]
    for _ in range(t):
        law = [(1 - x) * law[0] + x * law[1], x * law[0] + (1 - x) * law[1]]
    assert sum(abs(p - Fraction(1, 2)) for p in law) / 2 >= Fraction(1, 4)
    assert stay_or_move_kernel().shape == (2, 2, 2)


def test_starved_state_by_hand() -> None:
    x = Fraction(1, 100)
    mu = [1 - x / 2, x / 2]  # every step lands in state 1 with probability x/2
    entry = mu[1] * (1 - Fraction(1, 2) * x / 2)
    found = starving_chain(x).exact().td_matrix[1, 1]
    assert Fraction(int(found.p), int(found.q)) == -entry


def test_server_rounds_have_c_one_over_participants() -> None:
    for period in server_rounds():
        busy = [r for r in period if r.edges]
        assert all(r.least == Fraction(1, 1 + r.degree) for r in busy)


def test_powers_of_two_leave_blocks_empty() -> None:
    calls = {2**k for k in range(20)}
    for B in range(1, 65):
        block = -(-1025 // B)
        assert not calls & set(range(block * B, (block + 1) * B))
        assert (block + 1) * B <= 2048
