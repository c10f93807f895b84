"""zhang2025 Eqs. (26)-(37): verdicts of every variant, controls, and witnesses done again by hand."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest
from second_routes import second_route

from verify.claim import Claim, Kind
from verify.context import PROFILES, Context
from verify.evidence import Verdict, combine
from verify.report.mathml import mathml
from verify.runner import ClaimResult, run_claims
from verify.zhang2025.proof.actor_gossip import eq_26
from verify.zhang2025.proof.actor_gossip_sum import eq_27
from verify.zhang2025.proof.batch_chain import batch, coin, switch
from verify.zhang2025.proof.batch_error import eq_28, eq_29, eq_30
from verify.zhang2025.proof.batch_rate import eq_33
from verify.zhang2025.proof.combine import eq_35_36, eq_37
from verify.zhang2025.proof.critic_share import eq_34
from verify.zhang2025.proof.mixing_error import eq_31_32

CLAIMS = {c.id: c for c in (f() for f in (eq_26, eq_27, eq_28, eq_29, eq_30, eq_31_32, eq_33, eq_34, eq_35_36, eq_37))}

EXPECTED = {
    "eq-26": {
        "printed[first]": "holds", "printed[third]": "refuted", "printed[Jensen]": "holds",
        "printed[Cauchy-Schwarz]": "holds", "printed[(a)]": "holds", "printed[square]": "refuted",
        "printed[largest]": "refuted", "printed[(b)]": "holds", "printed[(c)]": "holds",
        "printed[(d), literal]": "refuted", "printed[(d), connected]": "holds", "printed[last order]": "refuted",
        "reading[largest as a bound]": "holds", "reading[(d) from its source]": "refuted", "source": "holds",
        "repaired[third]": "holds", "repaired[sharp]": "holds",
    },
    "eq-27": {
        "printed[literal]": "refuted", "printed[connected]": "holds", "repaired[printed rate]": "holds",
        "repaired[sharp]": "holds",
    },
    "eq-28": {"printed": "refuted", "repaired": "holds"},
    "eq-29": {
        "printed[(a)]": "holds", "printed[second]": "holds", "printed[(b)]": "holds", "printed[(c)]": "refuted",
        "printed[constant]": "holds", "reading[(c), mean TD error]": "holds", "printed[order]": "refuted",
            "reading[first and last]": "holds",
        "repaired": "holds", "repaired[exact critic]": "holds",
    },
    "eq-30": {
        "printed[tower]": "holds", "printed[up to the pair]": "refuted", "printed[up to the next pair]": "holds",
        "printed[Cauchy-Schwarz]": "holds", "printed[2 C]": "holds", "printed[advantage]": "refuted",
        "reading[mean TD error]": "holds",
        "repaired": "holds",
    },
    "eq-31-32": {
        "printed[sum]": "holds", "printed[half L1]": "holds", "printed[L1]": "holds",
        "printed[given the state]": "holds", "printed[given the pair]": "refuted", "printed[(32)]": "refuted",
        "repaired": "holds", "repaired[one step later]": "holds",
    },
    "eq-33": {
        "printed[first line, step]": "holds", "printed[first line, fact]": "refuted", "printed[second line]": "refuted",
        "printed[second line, signed]": "refuted", "reading[second line, 1/M^2 restored]": "holds",
        "printed[last line]": "refuted", "reading[exact value]": "holds",
        "reading[N / M]": "refuted", "repaired": "holds",
    },
    "eq-34": {
        "printed[grad J]": "refuted", "printed[second]": "holds", "printed[third]": "holds",
        "printed[fifth]": "refuted", "printed[up to 1 - gamma]": "holds", "printed[order]": "refuted",
        "printed[conclusion, grad J]": "refuted", "printed[conclusion, up to 1 - gamma]": "holds",
        "reading[mean TD error]": "refuted",
        "repaired": "holds", "repaired[fifth]": "holds",
    },
    "eq-35-36": {
        "printed[(35)]": "proved", "printed[(36) root]": "proved", "printed[(36) absorption]": "refuted",
        "printed[(36) absorption, any radius]": "refuted", "reading[any critic error]": "refuted",
        "reading[batch alone]": "refuted", "repaired": "proved",
    },
    "eq-37": {
        "printed[first]": "refuted", "printed[second]": "holds", "printed[third]": "proved",
        "reading[first, up to constants]": "refuted", "repaired": "holds",
    },
}


@cache
def outcome(id: str) -> ClaimResult:
    return run_claims([CLAIMS[id]], Context(PROFILES["quick"]), {})[0]


@pytest.mark.parametrize("id", EXPECTED)
def test_verdicts(id: str) -> None:
    found = {v.variant.name: str(v.verdict) for v in outcome(id).variants if v.variant.kind is not Kind.CONTROL}
    assert found == EXPECTED[id]


@pytest.mark.parametrize("id", EXPECTED)
def test_controls_are_refuted(id: str) -> None:
    assert outcome(id).controls_refuted


@pytest.mark.parametrize(("id", "verdict"), [(id, Verdict.REFUTED) for id in EXPECTED if id != "eq-27"]
                         + [("eq-27", Verdict.AMBIGUOUS)])
def test_statement_verdict(id: str, verdict: Verdict) -> None:
    assert outcome(id).verdict is verdict


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_entry_is_complete(claim: Claim) -> None:
    assert claim.hypotheses
    assert claim.consequence
    assert mathml(claim.latex) is not None


@pytest.mark.parametrize("id", EXPECTED)
def test_every_refutation_is_rechecked_from_a_witness(id: str) -> None:
    for v in outcome(id).variants:
        if v.variant.kind is Kind.PRINTED and v.verdict is Verdict.REFUTED:
            again = (v.variant.recheck or v.variant.check)(Context(PROFILES["quick"]))
            pieces = again if isinstance(again, (tuple, list)) else (again,)
            assert combine(pieces) is Verdict.REFUTED, v.variant.name
            assert any(e.witness is not None for e in pieces), v.variant.name


def test_coin_by_hand() -> None:
    """One state, actions 0 and 1 with probability 1/2, rewards 1 and 0, scores 1 and -1, gamma = 1/2."""
    gamma, half = Fraction(1, 2), Fraction(1, 2)
    value = half / (1 - gamma)
    Q = [1 + gamma * value, gamma * value]
    advantage, score, reward = [Q[0] - value, Q[1] - value], [1, -1], [1, 0]
    g = sum(half * a * s for a, s in zip(advantage, score, strict=True))
    pairs = [(a, b) for a in (0, 1) for b in (0, 1)]
    delta = {(a, b): Q[a] - reward[a] - gamma * Q[b] for a, b in pairs}
    mean_square = sum(d**2 for d in delta.values()) / 4
    diagonal = sum((delta[p] * score[p[0]] - g) ** 2 for p in pairs) / 4
    assert (g, mean_square, diagonal) == (Fraction(1, 2), Fraction(1, 16), Fraction(5, 16))
    # (29 c): 2 E delta^2 + 2 E Adv^2 against 4 E delta^2
    assert 2 * mean_square + 2 * sum(half * a**2 for a in advantage) == Fraction(5, 8) > 4 * mean_square
    # (32): three actions in a row, x_0 and x_1
    cross = sum((delta[a, b] * score[a] - g) * (delta[b, c] * score[b] - g) for a in (0, 1) for b, c in pairs) / 8
    assert cross == Fraction(1, 4)
    assert cross > 2 * Fraction(4) ** 2 / 2**8
    # (33) at M = 2 and (34): J = pi(0) / (1 - gamma), d pi(0) = 1/2
    assert (2 * diagonal + 2 * cross) / 4 == Fraction(9, 32)
    assert (g - half / (1 - gamma)) ** 2 == Fraction(1, 4)
    b = batch(coin())
    assert [str(b.batch_error(0, 2)), str(b.cross(0, 1))] == ["9/32", "1/4"]


def test_switch_by_hand() -> None:
    """The next state is the action with probability 1/2, else 0: kappa = 3/4, rho = 1/4 meet Lemma 5.4."""
    row = [Fraction(3, 4), Fraction(1, 4)]  # from either state: 1/2 * (1/2, 1/2) + 1/2 * (1, 0)
    nu = [sum(row[0] * x for x in row), sum(row[1] * x for x in row)]
    assert nu == row
    assert max(1 - x for x in nu) == Fraction(3, 4)  # distance at time 0; zero ever after
    given = [[Fraction(1), Fraction(0)], [Fraction(1, 2), Fraction(1, 2)]]
    distances = [sum(abs(x - y) for x, y in zip(law, nu, strict=True)) / 2 for law in given]
    assert distances == [Fraction(1, 4), Fraction(1, 4)]
    assert distances[0] > Fraction(3, 4) * Fraction(1, 4)
    law = batch(switch()).law
    assert [str(x) for x in law] == ["3/8", "3/8", "1/8", "1/8"]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_expansion_and_paths_agree(size: int) -> None:
    for point in (coin(), switch()):
        for form in ("q", "original", "v"):
            b = batch(point, form)
            assert b.batch_error(0, size) == b.batch_error_by_paths(0, size)


def test_batch_rejects_an_unknown_form() -> None:
    with pytest.raises(ValueError, match="form is 'w'"):
        batch(coin(), "w")


@second_route("eq-26")
def test_gossip_lines_by_hand() -> None:
    """Two agents, A = [[3/4, 1/4], [1/4, 3/4]], one round, values 4 and 0, rewards 0 and 1."""
    row, local = [Fraction(1, 4), Fraction(-1, 4)], [Fraction(4), Fraction(3)]
    team = sum(local) / 2
    assert (Fraction(3, 4) * local[0] + Fraction(1, 4) * local[1] - team) ** 2 == Fraction(1, 16)  # first line
    assert sum(a * team for a in row) == 0  # third line, as printed
    assert sum(a * x for a, x in zip(row, local, strict=True)) ** 2 == Fraction(1, 16)  # with the vector
    size = sum(a**2 for a in row)
    assert size * 2 * team**2 > 2 * size * team  # the lost square
    assert max(local) != team  # the mean and the largest
    assert Fraction(2, 4) * size == Fraction(1, 16)  # (N / 4) r_max^2 ||a||^2: attained


def test_recursion_by_hand() -> None:
    assert Fraction(5, 12) + Fraction(1, 400) - Fraction(1, 3) - Fraction(1, 300) == Fraction(33, 400)
    S, values = Fraction(0), []
    for t in range(2, 120):
        S = (1 - Fraction(7, 6 * t)) * S + Fraction(1, t**2)
        values.append(t * S)
    assert max(values) <= 6
    assert values[-1] > 2


def test_geometric_sum_by_hand() -> None:
    assert 4 * Fraction(1, 2) + 2 * Fraction(1, 4) == Fraction(5, 2) > 2
    assert Fraction(5, 2) / 9 < Fraction(2, 3)  # over M^2, against 2 rho / ((1 - rho) M)
    # pairs l1 < l2 alone do not save the line: M = 4 gives 17/8
    assert 3 * Fraction(1, 2) + 2 * Fraction(1, 4) + Fraction(1, 8) == Fraction(17, 8) > 2


def test_last_error_by_hand() -> None:
    """Delta_2 = 0, e_2 = 1, mu and alpha with alpha sqrt(mu)/3 = 7/6: Delta_3 = (8/3) alpha/2; the sum has e_0, e_1."""
    assert (1 - Fraction(7, 12)) * 0 + Fraction(8, 3) / 2 == Fraction(4, 3) > 0
