"""Lemma 5.7 and Theorem 5.10: recorded verdicts, and the three-armed witnesses by hand."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import cos, pi, sin, sqrt

import numpy as np
import pytest

from verify.claim import Claim
from verify.context import PROFILES, Context
from verify.evidence import Verdict
from verify.runner import run_claims
from verify.zhang2025.theorem.domination import lemma_5_7, off_centre, theorem_5_10, three_armed

EXPECTED = {
    "lemma-5.7": {
        "printed[all policies]": "refuted", "printed[class]": "refuted", "printed[rank-one F]": "refuted",
        "repaired": "holds", "repaired[square root]": "holds", "control[half the error]": "refuted",
    },
    "theorem-5.10": {
        "printed": "vacuous", "reading[together]": "holds", "reading[progress]": "refuted",
        "control[half the floor]": "refuted", "control[tabular softmax]": "refuted",
    },
}  # fmt: skip


@pytest.mark.parametrize("build", [lemma_5_7, theorem_5_10], ids=lambda f: f.__name__)
def test_verdicts(build: Callable[[], Claim]) -> None:
    claim = build()
    (outcome,) = run_claims([claim], Context(PROFILES["quick"]), {})
    assert {o.variant.name: str(o.verdict) for o in outcome.variants} == EXPECTED[claim.id]
    assert outcome.verdict is {"lemma-5.7": Verdict.REFUTED, "theorem-5.10": Verdict.VACUOUS}[claim.id]
    assert claim.hypotheses
    assert claim.consequence


def class_at(t: float, c: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the three arms at angle t and scores in theta, t = sqrt(3) theta."""
    angles = [t - 2 * pi * k / 3 for k in range(3)]
    p = np.array([(1 + c * cos(u)) / 3 for u in angles])
    return p, np.array([-sqrt(3) * c * sin(u) / 3 for u in angles]) / p


@pytest.mark.parametrize(("point", "angle"), [(three_armed(), pi), (off_centre(), 2 * pi / 3)], ids=["worst", "off"])
def test_points_lie_on_the_class(point: object, angle: float) -> None:
    p, score = class_at(angle)
    view = point.exact()  # type: ignore[attr-defined]
    assert [float(x) for x in view.pi[0]] == pytest.approx(list(p))
    assert [float(x) for x in np.ravel(view.scores[0])] == pytest.approx(list(score), abs=1e-12)


def test_constants_of_the_class_are_extreme_at_the_witness() -> None:
    """Over theta: scores at most one, information at least 3/10, both compatible errors on arm 0 at most 5/6."""
    for t in np.linspace(0, 2 * pi, 721):
        p, score = class_at(float(t))
        slope, information = p[0] * score[0], float(p @ score**2)
        assert abs(score).max() <= 1 + 1e-12
        assert information >= 0.3 - 1e-12
        assert abs(1 - p[0] - slope * score[0] / information) <= 5 / 6 + 1e-12
        rank_one = slope / score[0] if abs(score[0]) > 1e-9 else 0.0
        assert abs(1 - p[0] - rank_one) <= 5 / 6 + 1e-12
        # the class reading: its best policy is the one of angle 0
        fit = slope * score / information
        residual = np.array([1.0, 0.0, 0.0]) - p[0] - fit
        assert float(np.array([0.5, 0.25, 0.25]) @ residual**2) <= 0.75


def test_witness_by_hand() -> None:
    good, other, gamma = Fraction(1, 6), Fraction(5, 12), Fraction(1, 2)
    score = Fraction(3, 5)
    assert good + 2 * other == 1
    information = 2 * other * score**2
    assert information == Fraction(3, 10)
    gap, root = (1 - good) / (1 - gamma), (1 - good) / (1 - gamma)  # eps_bias = (1 - 1/6)^2: the gradient is zero
    mu = information**2 / 2
    assert mu * gap**2 > mu**2 * root**2  # printed
    assert mu * gap**2 == mu * root**2  # with sqrt(mu): attained
    within = (Fraction(1, 2) - good) / (1 - gamma)
    assert mu * within**2 > mu**2 * Fraction(3, 4) / (1 - gamma) ** 2


def test_printed_direction_vanishes_off_the_centre() -> None:
    """E[(Q(a) - r(a) - gamma Q(a')) score(a)] with a and a' independent, where the gradient is -1/2."""
    p, score = [Fraction(1, 4), Fraction(1, 2), Fraction(1, 4)], [-1, 0, 1]
    gamma, r = Fraction(1, 2), [1, 0, 0]
    V = p[0] / (1 - gamma)
    Q = [x + gamma * V for x in r]
    pairs = [(a, b) for a in range(3) for b in range(3)]
    assert sum(p[a] * p[b] * (Q[a] - r[a] - gamma * Q[b]) * score[a] for a, b in pairs) == 0
    assert sum(p[a] * score[a] * Q[a] for a in range(3)) / (1 - gamma) == Fraction(-1, 2)
    assert [str(x) for x in np.ravel(off_centre().exact().grad_J)] == ["-1/2"]


def test_almost_stationary_points_carry_the_floor() -> None:
    """The step of the proof, in numbers: along t -> pi the gradient vanishes and the gap tends to the largest one."""
    gaps, slopes = [], []
    for k in range(1, 8):
        p, score = class_at(pi - 10.0**-k)
        gaps.append((1 - p[0]) / 0.5)
        slopes.append(abs(p[0] * score[0]) / 0.5)
    assert slopes[-1] < 1e-6
    assert gaps[-1] == pytest.approx(5 / 3, abs=1e-9)
    assert all(a < b for a, b in zip(slopes[1:], slopes, strict=False))
