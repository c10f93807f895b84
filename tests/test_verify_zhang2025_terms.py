"""zhang2025 Theorem 5.10 term by term, and Remark 6: verdicts, controls, and witnesses worked by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from verify.claim import Claim
from verify.context import PROFILES, Context
from verify.report.mathml import mathml
from verify.runner import ClaimResult, run_claims
from verify.zhang2025.theorem.gossip_bias import remark_6
from verify.zhang2025.theorem.term_batch import theorem_5_10_term_4
from verify.zhang2025.theorem.term_critic import theorem_5_10_term_7
from verify.zhang2025.theorem.term_gossip import theorem_5_10_term_5
from verify.zhang2025.theorem.term_horizon import sixty_degrees, theorem_5_10_term_1

STATEMENTS = (theorem_5_10_term_1, theorem_5_10_term_4, theorem_5_10_term_5, theorem_5_10_term_7, remark_6)

EXPECTED = {
    "theorem-5.10-term-1": (
        "ambiguous",
        {"printed[algorithm]": "refuted", "printed[exact direction]": "holds", "repaired": "holds",
         "reading[circle]": "holds"},
    ),
    "theorem-5.10-term-4": (
        "refuted",
        {"printed[against the gradient]": "refuted", "reading[noise alone]": "holds", "reading[N]": "holds",
         "repaired": "holds"},
    ),
    "theorem-5.10-term-5": (
        "ambiguous",
        {"printed[literal]": "refuted", "printed[connected]": "holds", "repaired": "holds",
         "reading[printed direction]": "holds"},
    ),
    "theorem-5.10-term-7": (
        "holds",
        {"printed[Markovian]": "holds", "printed[independent]": "holds", "reading[direction]": "refuted",
         "reading[repaired direction]": "holds", "reading[network]": "refuted", "repaired": "holds"},
    ),
    "remark-6": (
        "ambiguous",
        {"printed[nonlinear]": "holds", "printed[linear]": "proved", "printed[projected]": "refuted",
         "repaired": "proved"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def results() -> dict[str, ClaimResult]:
    return {r.claim.id: r for r in run_claims([f() for f in STATEMENTS], Context(PROFILES["quick"]), {})}


@pytest.mark.parametrize("id", EXPECTED)
def test_verdicts(results: dict[str, ClaimResult], id: str) -> None:
    verdict, variants = EXPECTED[id]
    result = results[id]
    assert str(result.verdict) == verdict
    found = {v.variant.name: str(v.verdict) for v in result.variants if not v.variant.name.startswith("control")}
    assert found == variants
    assert result.controls_refuted


@pytest.mark.parametrize("claim", [f() for f in STATEMENTS], ids=lambda c: c.id)
def test_documented(claim: Claim) -> None:
    assert claim.hypotheses
    assert claim.consequence
    assert mathml(claim.latex) is not None


def measured(results: dict[str, ClaimResult], id: str, variant: str, piece: int = 0) -> Fraction:
    (found,) = [v for v in results[id].variants if v.variant.name == variant]
    value = found.evidence[piece].measured
    assert isinstance(value, Fraction)
    return value


def test_sixty_degrees_by_hand(results: dict[str, ClaimResult]) -> None:
    # pi = (5/12, 5/12, 1/6), Q = r + gamma V with gamma = 1/2: the TD error's mean is zero for every arm
    p, r, gamma = (Fraction(5, 12), Fraction(5, 12), Fraction(1, 6)), (1, 0, 0), Fraction(1, 2)
    assert sum(p) == 1
    V = p[0] / (1 - gamma)
    Q = [x + gamma * V for x in r]
    assert all(q - x - gamma * sum(a * b for a, b in zip(p, Q, strict=True)) == 0 for q, x in zip(Q, r, strict=True))
    assert measured(results, "theorem-5.10-term-1", "printed[algorithm]") == 1 - V == Fraction(1, 6)
    # the probabilities and scores are those of the circle
    x = np.deg2rad(60) - 2 * np.pi * np.arange(3) / 3
    table = (1 + np.cos(x) / 2) / 3
    assert np.allclose(table, [float(v) for v in p])
    scores = [float(Fraction(int(s.p), int(s.q))) for s in sixty_degrees().exact().scores[0][0, :, 0]]
    assert np.allclose(-np.sqrt(3) * np.sin(x) / 2 / (1 + np.cos(x) / 2), scores)
    # (1 - gamma) grad J = p_0 times the score of the good arm = -1/4; its square is term (7)'s limit
    assert measured(results, "theorem-5.10-term-7", "reading[direction]") == (p[0] * Fraction(3, 5)) ** 2


def test_coin_by_hand(results: dict[str, ClaimResult]) -> None:
    # V = 1, Q = (3/2, 1/2); g = E[Adv psi] = 1/2; E delta psi = 0, so |g|^2 = 1/4 stays
    assert measured(results, "theorem-5.10-term-4", "printed[against the gradient]") == Fraction(1, 4)
    half = Fraction(1, 2)
    Q = {1: Fraction(3, 2), -1: half}
    mean = sum(half * half * (Q[a] - (a == 1) - half * Q[b]) * a for a in Q for b in Q)
    assert mean == 0


def test_two_agents_without_an_edge_by_hand(results: dict[str, ClaimResult]) -> None:
    # rewards 1 and 0: each agent is 1/2 from the mean, scores 1/2: 2 (1/2 1/2)^2 = 1/8 for ever; bound (1/2) 2^(-24)
    value = Fraction(1, 8) / (Fraction(1, 2) * Fraction(1, 2) ** 24)
    assert measured(results, "theorem-5.10-term-5", "printed[literal]") == value


def test_network_witnesses_by_hand(results: dict[str, ClaimResult]) -> None:
    # linearised at (1, 1): 1 + 2 (w - 1) = 9/4 at w = 13/8; the network has w^2 there and learns w^2 = 9/4
    w = 1 + (Fraction(9, 4) - 1) / 2
    assert measured(results, "theorem-5.10-term-7", "reading[network]") == w**2 - Fraction(9, 4)
    assert measured(results, "remark-6", "printed[nonlinear]", 1) == Fraction(5, 2) - ((1 + Fraction(2)) / 2) ** 2


def test_two_layers_learn_what_remark_6_says() -> None:
    """The general network code at K = 4, and its limit: the rest points are where the weights go."""
    from algorithms.neural import CriticNetwork

    network = CriticNetwork(np.eye(1), np.ones((1, 1)), np.ones((2, 1, 1)), np.ones(1))

    def learn(reward: float, K: int, step: float) -> np.ndarray:
        W, mean = np.ones(2), np.ones(2)
        for k in range(K):
            Q = network.values(W)[0]
            W = W - step * (Q - reward - Q / 2) * network.gradients(W)[0]
            mean = (k + 1) / (k + 2) * mean + W / (k + 2)
        return mean

    bias = np.abs((learn(0.5, 4, 0.5) + learn(2.0, 4, 0.5)) / 2 - learn(1.25, 4, 0.5))
    claim = remark_6()
    (evidence, _) = claim.variants[0].check(Context(PROFILES["quick"]))  # type: ignore[misc]
    assert bias == pytest.approx([float(evidence.measured)] * 2, abs=1e-14)
    far = [learn(r, 4_000, 1 / 20) for r in (0.5, 2.0, 1.25)]
    Q_bar, Q_central = network.values((far[0] + far[1]) / 2)[0], network.values(far[2])[0]
    assert Q_central - Q_bar == pytest.approx(0.25, abs=0.03)


def test_projection_witness_by_hand(results: dict[str, ClaimResult]) -> None:
    # delta = 1 - r - 1/2 at W = 1: agents go to 1/2 and 9/2 -> 3/2, the mean reward 2 to 5/2 -> 3/2
    own = (Fraction(1, 2) + Fraction(3, 2)) / 2
    gap = (1 + Fraction(3, 2)) / 2 - (1 + own) / 2
    assert measured(results, "remark-6", "printed[projected]") == gap == Fraction(1, 4)
