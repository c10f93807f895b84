"""The ledger's entries on networks, assumptions and remarks of zhang2025: verdicts, and witnesses checked by hand."""

from __future__ import annotations

from fractions import Fraction
from math import acos, atan, cos, exp, pi, sin, sqrt

import numpy as np
import pytest
from flint import fmpq

from mdp.compatible import eps_bias
from mdp.optimal import J_star
from verify.claim import Claim, Kind
from verify.context import PROFILES, Context
from verify.evidence import Verdict
from verify.runner import ClaimResult, run_claims
from verify.zhang2025.assumptions.compatible_error import assumption_5_6, four_armed, two_armed
from verify.zhang2025.assumptions.critic_slope import assumption_5_8_q, assumption_5_9
from verify.zhang2025.assumptions.gaussian import assumption_5_5_gaussian
from verify.zhang2025.assumptions.mixing_time import lemma_5_4, move_distance
from verify.zhang2025.assumptions.policy_chain import assumption_5_2
from verify.zhang2025.assumptions.regularity import assumption_5_5
from verify.zhang2025.assumptions.rewards import assumption_5_1, assumption_5_3, td_error_slack
from verify.zhang2025.assumptions.smoothness import assumption_5_8_j
from verify.zhang2025.setting.approximation import universal_approximation
from verify.zhang2025.setting.networks_eq5 import eq_5, eq_5_dimension
from verify.zhang2025.setting.relu import random_network, unit_vectors
from verify.zhang2025.theorem.remarks import remark_3, remark_4, table_1

BUILDERS = (
    eq_5, eq_5_dimension, universal_approximation, assumption_5_1, assumption_5_2, assumption_5_3, lemma_5_4,
    assumption_5_5, assumption_5_5_gaussian, assumption_5_6, assumption_5_8_j, assumption_5_8_q, assumption_5_9,
    remark_3, remark_4, table_1,
)  # fmt: skip

EXPECTED: dict[str, dict[str, str]] = {
    "eq-5": {
        "": "holds", "printed": "holds", "reading[layers keep size]": "proved",
        "reading[output of order one]": "refuted",
        "repaired[output of order one]": "proved", "reading[scale]": "proved",
    },
    "eq-5-dimension": {
        "": "refuted", "printed[one output]": "proved", "printed[A outputs]": "refuted", "printed[only W]": "refuted",
        "printed[fact C.1]": "refuted", "repaired[A outputs]": "proved", "repaired[only W]": "proved",
    },
    "universal-approximation": {
        "": "ambiguous", "printed[some size]": "holds", "printed[width alone]": "refuted",
        "printed[depth alone]": "refuted", "repaired[wide]": "holds", "repaired[deep]": "holds",
    },
    "assumption-5.1": {
        "": "holds", "printed[satisfiable]": "holds", "printed[powers]": "proved", "reading[consensus]": "refuted",
    },
    "assumption-5.2": {
        "": "unsatisfiable", "printed[support]": "holds", "printed[differentiable]": "unsatisfiable",
        "printed[chain]": "holds", "reading[almost all]": "holds", "reading[restart, any problem]": "refuted",
        "repaired[restart]": "holds",
    },
    "assumption-5.3": {
        "": "holds", "printed[rewards]": "holds", "printed[TD errors]": "proved", "repaired[sharp]": "proved",
    },
    "lemma-5.4": {
        "": "holds", "printed[each theta]": "holds", "printed[all theta, restart]": "proved",
        "reading[all theta, original]": "refuted", "repaired": "proved", "reading[pairs]": "holds",
    },
    "assumption-5.5": {
        "": "unsatisfiable", "printed[score]": "unsatisfiable", "printed[fisher]": "unsatisfiable",
        "reading[all trained]": "unsatisfiable", "reading[two actions]": "unsatisfiable",
        "reading[all widths]": "refuted", "repaired[circular]": "proved", "repaired[all at once]": "holds",
    },
    "assumption-5.5-gaussian": {
        "": "refuted", "printed[gaussian]": "refuted", "printed[score]": "refuted", "source": "proved",
    },
    "assumption-5.6": {
        "": "ambiguous", "printed[each theta]": "vacuous", "printed[each theta, rank-one F]": "vacuous",
        "printed[all theta]": "vacuous",
        "reading[rank-one F]": "refuted", "printed[all theta, rank-one F]": "refuted", "reading[four arms]": "holds",
        "repaired[floor]": "holds",
    },
    "assumption-5.8-J": {
        "": "refuted", "printed[Lipschitz]": "refuted", "printed[descent]": "refuted", "reading[one layer]": "holds",
        "repaired": "holds",
    },
    "assumption-5.8-Q": {
        "": "unsatisfiable", "printed": "unsatisfiable", "reading[one layer]": "holds",
        "reading[constant in m]": "refuted", "repaired[ball]": "holds", "repaired[start]": "holds",
    },
    "assumption-5.9": {"": "vacuous", "printed": "vacuous", "reading[small]": "refuted"},
    "remark-3": {
        "": "refuted", "printed[term 2]": "refuted", "printed[depth]": "proved", "printed[width]": "refuted",
        "repaired[additive]": "holds",
    },
    "remark-4": {"": "vacuous", "printed": "vacuous", "reading[same rate]": "refuted"},
    "table-1": {
        "": "refuted", "printed[Gaur]": "refuted", "printed[this work]": "vacuous", "printed[Zeng]": "holds",
        "printed[others]": "out-of-scope",
    },
}
"""Verdict of every variant but the controls; the empty name is the statement's."""


@pytest.fixture(scope="module")
def results() -> dict[str, ClaimResult]:
    claims: list[Claim] = [build() for build in BUILDERS]
    return {r.claim.id: r for r in run_claims(claims, Context(PROFILES["quick"]), {})}


@pytest.mark.parametrize("key", EXPECTED)
def test_verdicts(results: dict[str, ClaimResult], key: str) -> None:
    result = results[key]
    found = {v.variant.name: str(v.verdict) for v in result.variants if v.variant.kind is not Kind.CONTROL}
    assert {"": str(result.verdict), **found} == EXPECTED[key]
    assert result.controls_refuted


@pytest.mark.parametrize("key", EXPECTED)
def test_entries_say_what_they_need_and_what_follows(results: dict[str, ClaimResult], key: str) -> None:
    claim = results[key].claim
    assert claim.hypotheses
    assert claim.consequence


@pytest.mark.parametrize("key", EXPECTED)
def test_what_is_refuted_has_a_witness(results: dict[str, ClaimResult], key: str) -> None:
    for v in results[key].variants:
        if v.variant.kind in (Kind.PRINTED, Kind.READING) and v.verdict is Verdict.REFUTED:
            assert any(e.witness is not None for e in v.evidence), v.variant.name


def test_three_kinds_of_inputs_defeat_one_layer_by_hand() -> None:
    # any a: y_odd(p) - 3/5 y_odd(e1) - 4/5 y_odd(e2) with y_odd(x) = y(x) - y(-x) and one unit ReLU(a . x)
    for a in ((1, 2), (-3, 5), (7, -1), (-2, -9)):
        odd = []
        for x in ((Fraction(3, 5), Fraction(4, 5)), (1, 0), (0, 1)):
            z = a[0] * x[0] + a[1] * x[1]
            odd.append(max(z, 0) - max(-z, 0))
        assert odd[0] - Fraction(3, 5) * odd[1] - Fraction(4, 5) * odd[2] == 0
    assert 1 / (2 * (1 + Fraction(3, 5) + Fraction(4, 5))) == Fraction(5, 24)


def test_exact_network_agrees_with_floats_and_differences() -> None:
    rng = np.random.default_rng(1)
    net = random_network(rng, depth=3, width=4, inputs=3, outputs=2)
    x = unit_vectors(rng, 1, 3)[0]

    def floats(array: np.ndarray) -> np.ndarray:
        return np.array([float(v.p) / float(v.q) for v in array.ravel()]).reshape(array.shape)

    W, b, start = [floats(w) for w in net.W], floats(net.b), floats(net.H) @ floats(x)

    def forward(layers: list[np.ndarray]) -> np.ndarray:
        value = start
        for w in layers:
            value = np.maximum(w @ value, 0)
        return b @ value

    np.testing.assert_allclose(forward(W), floats(net.output(x)), rtol=1e-12)
    step = 1e-6
    for h in range(3):
        bump = np.zeros((4, 4))
        bump[1, 2] = step
        up = [w + bump if k == h else w for k, w in enumerate(W)]
        down = [w - bump if k == h else w for k, w in enumerate(W)]
        slope = (forward(up) - forward(down)) / (2 * step)
        np.testing.assert_allclose(slope, floats(net.slopes(x)[h])[:, 1, 2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("count", "size"), [(1, 2), (40, 2), (60, 3)], ids=["one", "on a circle", "in space"])
def test_unit_vectors_are_distinct_and_of_norm_one(count: int, size: int) -> None:
    points = unit_vectors(np.random.default_rng(0), count, size)
    assert all((x * x).sum() == 1 for x in points)
    assert len({str(x) for x in points}) == count


def test_unit_vectors_need_a_circle() -> None:
    with pytest.raises(ValueError, match="size is 1"):
        unit_vectors(np.random.default_rng(0), 2, 1)


def test_policy_has_two_slopes_at_a_kink_by_hand() -> None:
    def pi_0(w: float) -> float:
        return 1 / (1 + exp(-max(w, 0.0)))

    step = 1e-6
    assert (pi_0(step) - pi_0(0)) / step == pytest.approx(0.25, abs=1e-6)
    assert (pi_0(0) - pi_0(-step)) / step == 0


def test_slow_policies_by_hand() -> None:
    for t in (1, 2, 8, 64):
        p = Fraction(1, 4 * t)
        chain = [[1 - p, p], [p, 1 - p]]
        row = [Fraction(1), Fraction(0)]
        for _ in range(t):
            row = [row[0] * chain[0][k] + row[1] * chain[1][k] for k in (0, 1)]
        distance = (abs(row[0] - Fraction(1, 2)) + abs(row[1] - Fraction(1, 2))) / 2
        assert distance >= Fraction(1, 4)
        found = move_distance(fmpq(1, 4 * t), t)
        assert Fraction(int(found.p), int(found.q)) == distance


def test_circular_class_on_four_actions_by_hand() -> None:
    # c = 3/5, cos t = 3/5, sin t = 4/5: rational probabilities
    c, x, y = Fraction(3, 5), Fraction(3, 5), Fraction(4, 5)
    pi_k = [(1 + c * v) / 4 for v in (x, y, -x, -y)]
    slopes = [c * v / 4 for v in (-y, x, y, -x)]
    scale_squared = (1 - c**2) / c**2
    information = scale_squared * sum(s**2 / p for s, p in zip(slopes, pi_k, strict=True))
    assert sum(pi_k) == 1
    assert information >= (1 - c**2) / 2
    assert max(scale_squared * (s / p) ** 2 for s, p in zip(slopes, pi_k, strict=True)) <= 1


def test_rank_one_fisher_by_hand() -> None:
    p, score = Fraction(1, 4), (Fraction(3, 4), Fraction(-1, 4))
    advantage = 1 - p  # of the good arm, for rewards (1, 0)
    gradient = p * score[0] * advantage + (1 - p) * score[1] * (-p)  # of (1 - gamma) J
    information = p * score[0] ** 2 + (1 - p) * score[1] ** 2
    assert advantage - gradient / information * score[0] == 0
    assert (advantage - gradient / score[0]) ** 2 == Fraction(1, 4)
    assert two_armed(p).n_actions == (2,)


def test_lipschitz_does_not_bound_curvature_by_hand() -> None:
    c, k = 0.3, 3
    assert k * c <= sqrt(1 - c**2)  # scores at most one
    loss, allowed = c * (1 - cos(pi / 2)), k * c * (pi / (2 * k)) ** 2
    assert loss > allowed
    assert 1 - allowed / loss > 26 / 147 - 1e-12
    assert acos(-1) < 22 / 7


def test_td_error_bound_is_attained_by_hand() -> None:
    gamma, top, eps = Fraction(9, 10), Fraction(2), Fraction(1, 7)
    bound = top / (1 - gamma) + (1 + gamma) * eps
    delta = (0 - eps) - top - gamma * (top / (1 - gamma) + eps)
    assert -delta == bound
    printed = ((1 + gamma) / (1 - gamma) + 1) * top + 2 * eps
    assert bound < printed
    assert sum(p == 0 for p in td_error_slack(1, None)) >= 2


def test_coordination_cannot_be_fitted_by_hand() -> None:
    advantage = {(a, b): Fraction(1 if a == b else 0) - Fraction(1, 2) for a in (0, 1) for b in (0, 1)}
    for a in (0, 1):
        assert advantage[a, 0] + advantage[a, 1] == 0
        assert advantage[0, a] + advantage[1, a] == 0
    assert {v**2 for v in advantage.values()} == {Fraction(1, 4)}


@pytest.mark.parametrize("k", [1, 10, 100])
def test_rank_one_fit_near_the_best_arm(k: int) -> None:
    """Assumption 5.6 with the printed F on four arms: error 1 - mean - p_0 (r . pi')/pi_0', from the angle."""
    t = 2 * atan(1 / k)
    sides = [cos(t - j * pi / 2) for j in range(4)]
    slopes = [-0.15 * sin(t - j * pi / 2) for j in range(4)]
    mean = (1 + 0.6 * sides[0]) / 4 + 0.9 * (1 + 0.6 * sides[1]) / 4
    fit = (slopes[0] + 0.9 * slopes[1]) * (1 + 0.6 * sides[0]) / 4 / slopes[0]
    point = four_armed(k)
    found = eps_bias(point.exact(), J_star(point).occupancy, reading="printed")
    assert float(found) == pytest.approx((1 - mean - fit) ** 2)
    assert k < 100 or found > 2 * (1 + fmpq(50, 9)) * 4


def test_rescaled_layers_are_the_same_network() -> None:
    """D = 1, m = d = 1: y = b ReLU(w h) at (h, w) = (2, 3) and (3, 2); its gradient (3, 2) meets (2, -3) at zero."""
    outputs = [max(0, w * h) for h, w in ((2, 3), (3, 2))]
    assert outputs == [6, 6]
    assert 3 * 2 + 2 * -3 == 0
