"""zeng2022 Sec. 4: Assumption 5 (Lipschitz policy), whose text is in a report that is not at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from mdp.policy import softmax_score
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.identities import largest

Vector = tuple[Fraction, ...]

LIPSCHITZ_ROUNDING = 1e-9
"""Slack of the float comparison of two thetas at least 1e-3 apart; ours, 1e-12 / 1e-3."""


@dataclass(frozen=True)
class LocalPolicy:
    """One agent's log-linear policy in one state, at a point with rational probabilities.

    Attributes:
        probabilities: of the actions, positive.
        features: psi(a), one vector per action.
        test: a vector v in which second moments are taken.
    """

    probabilities: Vector
    features: tuple[Vector, ...]
    test: Vector

    @property
    def squared_diameter(self) -> Fraction:
        """Largest squared distance of two feature vectors, D^2."""
        return max((_square(_minus(a, b)) for a, b in combinations(self.features, 2)), default=Fraction(0))

    @property
    def scores(self) -> tuple[Vector, ...]:
        """``psi(a) - E_pi psi`` for every action."""
        mean = tuple(
            sum((p * psi[k] for p, psi in zip(self.probabilities, self.features, strict=True)), Fraction(0))
            for k in range(len(self.test))
        )
        return tuple(_minus(psi, mean) for psi in self.features)

    def ratios(self, quarter: Fraction) -> tuple[Fraction, Fraction, Fraction]:
        """Squared score, score derivative along v, and squared policy derivative, each over its bound.

        Args:
            quarter: the constant of the bounds ``quarter D^2`` and ``quarter D``; 1/4 is right.
        """
        D2 = self.squared_diameter
        along = [sum((x * v for x, v in zip(s, self.test, strict=True)), Fraction(0)) for s in self.scores]
        spread = sum((p * x * x for p, x in zip(self.probabilities, along, strict=True)), Fraction(0))
        slopes = [p * p * _square(s) for p, s in zip(self.probabilities, self.scores, strict=True)]
        return (
            max(map(_square, self.scores)) / D2, spread / (quarter * D2 * _square(self.test)),
            max(slopes) / (quarter**2 * D2),
        )  # fmt: skip


@statement("zeng2022", "assumption-5")
def assumption_5() -> tuple[Variant, ...]:
    r"""The score is bounded and Lipschitz, and the policy is Lipschitz, in theta.

    .. math:: \|\nabla\log\pi_\theta(a|s)\| \le C_\psi,\quad
        \|\nabla\log\pi_\theta(a|s) - \nabla\log\pi_{\theta'}(a|s)\| \le L_\psi \|\theta - \theta'\|,\quad
        |\pi_\theta(a|s) - \pi_{\theta'}(a|s)| \le L_\pi \|\theta - \theta'\|

    The text of the assumption is in Appendix C of the technical report, which is not at hand; this is its standard
    form. It can be met, with constants: a softmax of linear logits whose feature vectors are at most D apart has, per
    agent, ``C_psi = D``, ``L_psi = D^2/4`` and ``L_pi = D/4``, for all theta. Derivation: the score is
    ``psi(a) - E psi``, a difference of points in the hull of the features. Its derivative is minus the covariance
    of psi, and a variable in an interval of length D has variance at most D^2/4 (Popoviciu). The derivative of pi(a)
    is ``pi(a) (1 - pi(a))`` times the difference of psi(a) and the mean of the others. Two actions at pi = 1/2 attain
    the last two and pi -> 0 approaches the first, so no constant can be lowered.

    It is not met by every class. Probabilities themselves as parameters have the score 1/x; ReLU logits have a score
    that jumps (by 1/2 for logits ``max(w, 0)`` and 0 at w = 0), so no L_psi serves them.

    Hypotheses: the class is given, theta ranges over all of R^p, and states and actions are finite.

    Consequence: with Assumption 6 it makes omega*(theta) and lambda*(theta) move at most in proportion to the actor's
    step wherever the critic's system is well conditioned, which is what the terms T^(-2 sigma_1 + 2 sigma_2) and
    T^(sigma_2 - 2 sigma_1) of Proposition 1 come from. The pursuit experiment's convolutional actors, if they have
    ReLU units, are outside it.
    """
    return (
        printed(lambda c: _softmax(c, Fraction(1, 4)), "softmax of linear logits, constants D, D^2/4 and D/4"),
        reading(
            lambda c: _direct_score(), "probabilities as parameters, on their open simplex", "direct",
        ),
        reading(lambda c: _relu_jump(Fraction(1, 10**6)), "logits of ReLU units", "ReLU"),
        control(lambda c: _softmax(c, Fraction(1, 5)), "the constants D^2/5 and D/5", "1/5 for 1/4"),
    )


def points(context: Context) -> Iterator[LocalPolicy]:
    """Local policies: the extreme ones (two actions, equal or starved), then random rational ones.

    Args:
        context: budget and randomness.
    """
    zero, one = (Fraction(0),), (Fraction(1),)
    for p in (Fraction(1, 2), Fraction(1, 10), Fraction(1, 10**6)):
        yield LocalPolicy((p, 1 - p), (one, zero), one)
    rng = context.rng(64)
    while True:
        actions, width = int(rng.integers(2, 5)), int(rng.integers(1, 4))
        counts = [int(x) for x in rng.integers(1, 30, size=actions)]
        features = tuple(tuple(Fraction(int(x), 4) for x in row) for row in rng.integers(-8, 9, size=(actions, width)))
        test = tuple(Fraction(int(x)) for x in rng.integers(-5, 6, size=width))
        found = LocalPolicy(tuple(Fraction(n, sum(counts)) for n in counts), features, test)
        if found.squared_diameter > 0 and _square(test) > 0:
            yield found


def _softmax(context: Context, quarter: Fraction) -> tuple[Evidence, ...]:
    tried = [p for p, _ in zip(points(context), range(context.profile.n_search), strict=False)]
    ratios = [p.ratios(quarter) for p in tried]
    names = (
        "largest |score|^2 / D^2",
        f"largest v.C v / ({quarter} D^2 |v|^2), C the covariance of psi",
        f"largest |d pi(a)|^2 / ({quarter} D)^2",
    )
    found = []
    for k, name in enumerate(names):
        at = max(range(len(tried)), key=lambda j: ratios[j][k])
        values = {"pi": tried[at].probabilities, "psi": tried[at].features, "v": tried[at].test}
        found.append(exact_evidence(name, ratios[at][k], 1, Relation.AT_MOST, instances=len(tried),
                                    witness=Witness("the largest", values)))  # fmt: skip
    return (*found, _pairs(context, float(quarter)))


def _pairs(context: Context, quarter: float) -> Evidence:
    """Pairs of thetas, near and far: the difference of the scores over ``quarter D^2 |theta - theta'|``."""
    rng, ratios = context.rng(65), []
    for _ in range(context.profile.n_search):
        psi = rng.normal(size=(1, int(rng.integers(2, 5)), int(rng.integers(1, 4))))
        theta: np.ndarray = rng.normal(size=(psi.shape[-1],))
        other = theta + rng.choice([1e-3, 0.1, 3.0]) * rng.normal(size=theta.shape)
        diameter = max(float(np.linalg.norm(a - b)) for a, b in combinations(psi[0], 2))
        gap = np.linalg.norm(_score(psi, theta) - _score(psi, other), axis=-1).max()
        ratios.append(gap / (quarter * diameter**2 * np.linalg.norm(theta - other)))
    return exact_evidence(
        f"largest |score - score'| / ({quarter:g} D^2 |theta - theta'|)", largest(ratios), 1 + LIPSCHITZ_ROUNDING,
        Relation.AT_MOST, rigor=Rigor.FLOAT, instances=len(ratios), corroborates=True,
    )


def _score(psi: np.ndarray, theta: np.ndarray) -> np.ndarray:
    logits = psi @ theta
    table = np.exp(logits - logits.max(axis=-1, keepdims=True))
    score: np.ndarray = softmax_score(psi, table / table.sum(axis=-1, keepdims=True))
    return score


def _direct_score() -> Evidence:
    """``pi = (x, 1 - x)``: slope of pi_0 over pi_0, against each candidate C_psi = 10^k at x = 1/(2 C_psi)."""

    def policy(x: Fraction) -> Vector:
        return x, 1 - x

    ratios = []
    for bound in (10**k for k in range(1, 8)):
        x = Fraction(1, 2 * bound)
        slope = (policy(x + x / 2)[0] - policy(x - x / 2)[0]) / x  # the policy is affine: exact
        ratios.append(slope / policy(x)[0] / bound)
    return exact_evidence(
        "least |score| / C_psi at x = 1/(2 C_psi), C_psi = 10 to 10^7", min(ratios), 1, Relation.AT_MOST,
        instances=len(ratios),
        witness=Witness("two actions with probabilities x and 1 - x", {"x": [Fraction(1, 2), Fraction(1, 1024)],
                                                                     "score of action 0": [2, 1024]}),
    )  # fmt: skip


def _relu_jump(h: Fraction) -> Evidence:
    """Logits (max(w, 0), 0): the score of action 0 is 0 for w < 0 and 1 - pi_0 >= 1/2 - w/4 for w > 0."""
    low = (Fraction(1, 2) - h / 4) / (2 * h)
    return exact_evidence(
        "lower bound on |score(h) - score(-h)| / |h - (-h)|", low, Fraction(1, 4), Relation.AT_MOST, instances=1,
        witness=Witness(
            "two actions with logits max(w, 0) and 0, w = h and w = -h; linear logits w and 0 would have L_psi = 1/4",
            {"h": h, "score at -h": 0, "least score at h": Fraction(1, 2) - h / 4},
        ),
        note="of order 1/(4 h): no constant serves all h",
    )


def _minus(a: Vector, b: Vector) -> Vector:
    return tuple(x - y for x, y in zip(a, b, strict=True))


def _square(a: Vector) -> Fraction:
    return sum((x * x for x in a), Fraction(0))
