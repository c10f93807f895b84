"""zhang2025 Theorem 5.10, term (7): the critic's error in K, measured alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from algorithms.neural.critic_moments import averaged_td
from mdp.chain import stationary_law
from mdp.direction import DirectionReading, direction
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.identities import problem_witness
from verify.zhang2025.proof.linear_td import noiseless_worst
from verify.zhang2025.theorem.term_horizon import sixty_degrees

ITERATIONS = (10**4, 10**6, 10**8)
"""K; above ``(8/(1 - gamma))^2`` for the discounts used, as the bound asks."""

RATE = Fraction(1, 4)
"""Exponent of 1/K in term (7)."""


@statement("zhang2025", "theorem-5.10-term-7", uses=("eq-23", "eq-24-25", "eq-35-36", "algorithm-1-direction"))
def theorem_5_10_term_7() -> tuple[Variant, ...]:
    r"""The critic term decays as K^(-1/4).

    .. math:: \tilde{O}\big(N^{1/2} m^{1/32} D^{-7/2} K^{-1/4}\big)

    Measured for linear critics over pairs (s, a), features of norm at most one and no projection (with it the proof is
    the same, as a projection does not expand), on Markovian and on independent samples: exact second moments of the
    average that line 9 of Algorithm 2 forms, W(0) to W(K), with step 1/sqrt(K) (`algorithms.neural.critic_moments`).
    With ``beta <= (1 - gamma)/8`` independent samples give ``E||x_{k+1}||^2 <= E||x_k||^2 - beta (1 - gamma)
    E||Q_k - Q*||^2 + 2 beta^2 sigma^2`` (Bhandari et al. 2018, Theorem 2), and summing over the K + 1 iterates,

    ``E||Q-bar - Q*||^2 <= (||W(0) - W*||^2 + 2 sigma^2) / ((1 - gamma) sqrt(K))``,

    whose root is K^(-1/4). Uniformly over features 1/4 cannot be improved: one pair, no noise, a feature of size
    ``K^(-1/4)``. For one fixed problem the root decays like K^(-1/2). With N agents and exact averages the same moments
    hold for W-bar, with the mean reward (`remark-6`).

    *What a better critic does to the direction* (readings). Under line 9 the distance of ``E d`` from
    ``(1 - gamma) grad J`` tends to the size of that gradient: with an exact critic ``E d = 0``. At 60 degrees on the
    circle the squared distance is 1/16 in the limit. With the repaired signal it tends to zero.

    *The network at fixed width* (reading) has an error that K does not remove, the second part of term (7). One pair,
    gamma = 0, r = 9/4, two layers of width one, ``Q = W_1 W_2`` from (1, 1): learning tends to (3/2, 3/2), where Q = r,
    and the linearised critic has ``W* = (13/8, 13/8)``, where the network's value is 169/64.

    Hypotheses: stationary samples; a linear critic; beta = 1/sqrt(K); K at least (8/(1 - gamma))^2.

    Consequence: as a bound on the critic the term is right, for linear critics. It is no help to the theorem: the
    printed direction tends to zero with the critic's error, not to the gradient.
    """
    return (
        printed(lambda c: _moments(c, markovian=True), "linear critic, Markovian samples", "Markovian"),
        printed(lambda c: (_moments(c, markovian=False), _noiseless(RATE)), "linear critic, independent samples",
                "independent"),
        reading(lambda c: _limit_direction("q"), "the printed direction tends to the gradient with K", "direction"),
        reading(lambda c: _limit_direction("advantage"), "the repaired direction tends to the gradient with K",
                "repaired direction"),
        reading(_network_limit, "K^(-1/4) alone, for a network of fixed width", "network"),
        repaired(lambda c: (_moments(c, markovian=False), _noiseless(RATE)),
                 "E||Q-bar - Q*||^2 <= (||W(0) - W*||^2 + 2 sigma^2)/((1 - gamma) sqrt(K)), uniformly over features"),
        control(lambda c: _noiseless(Fraction(3, 10)), "K^(-3/10) uniformly over features", "K^(-3/10)"),
        control(lambda c: _moments(c, markovian=False, share=0.01), "a hundredth of the bound", "a hundredth"),
    )  # fmt: skip


def _moments(context: Context, *, markovian: bool, share: float = 1.0) -> Evidence:
    """Largest ``sqrt(K) E||Q-bar - Q*||^2`` over `share` of its bound, random chains of pairs with two features."""
    rng, ratios = context.rng(5109), []
    for k in range(max(8, context.profile.n_float // 60)):
        Z, n, gamma = int(rng.integers(2, 4)), 2, float(rng.choice([0.0, 0.5, 0.9]))
        kernel = 0.3 / Z + 0.7 * rng.dirichlet(np.ones(Z), size=Z)  # a mixing floor keeps the constant of order one
        scale = 10.0 ** -rng.uniform(0, 1.5) if k % 2 else 1.0
        features = rng.normal(size=(Z, n))
        features *= scale / np.linalg.norm(features, axis=1).max()
        rewards, start, law = rng.uniform(0, 1, Z), rng.uniform(-2, 2, n) / scale, stationary_law(kernel)
        system = features.T @ (law[:, None] * (features - gamma * kernel @ features))
        star = np.linalg.solve(system, features.T @ (law * rewards))
        delta = rewards[:, None] + gamma * (features @ star)[None] - (features @ star)[:, None]
        noise = float((law[:, None] * kernel * delta**2 * (features**2).sum(axis=1)[:, None]).sum())
        bound = share * (float(((start - star) ** 2).sum()) + 2 * noise) / (1 - gamma)
        for K in ITERATIONS:
            found = averaged_td(features, kernel, rewards, gamma, K, start, markovian=markovian)
            ratios.append(K**0.5 * found.value_error / bound)
    return exact_evidence(
        "largest sqrt(K) (1 - gamma) E||Q-bar - Q*||^2 over (||W(0) - W*||^2 + 2 sigma^2)", max(ratios), 1,
        Relation.AT_MOST, rigor=Rigor.FLOAT, instances=len(ratios),
    )


def _noiseless(rate: Fraction) -> Evidence:
    """Largest ``K^(2 rate)`` times the squared error over feature scales, no noise, ``W(0) - W* = 1``."""
    worst = max(noiseless_worst(K)[0] * K ** (2 * float(rate) - 0.5) for K in ITERATIONS)
    return exact_evidence(
        f"largest K^{2 * rate} (Q-bar - Q*)^2 over feature scales, one pair, no noise", worst, 1, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=len(ITERATIONS),
        note="sqrt(K) times it tends to 0.4073: the exponent 1/4 is attained" if rate == RATE else "",
    )


def _limit_direction(form: str) -> Evidence:
    """Squared distance of ``E d`` at the exact critic, K's limit, from ``(1 - gamma) grad J``."""
    point = sixty_degrees()
    view = point.exact()
    kernel = "restart" if form == "q" else "original"
    signal = DirectionReading(data="restart", critic=kernel, form=form, flipped=False)  # type: ignore[arg-type]
    expected, wanted = direction(view, point.restart(), signal), (1 - point.gamma) * view.grad_J
    return exact_evidence(
        "squared distance of E d from (1 - gamma) grad J at the exact critic", ((expected - wanted) ** 2).sum(), 0,
        Relation.AT_MOST, instances=1,
        witness=problem_witness(
            point, "three arms, the circular class (radius 1/2) at 60 degrees", **{"E d": expected, "wanted": wanted}
        ),
    )  # fmt: skip


def _network_limit(context: Context) -> Evidence:
    """``Q = W_1 W_2`` on one pair, gamma = 0, r = 9/4: the network's limit against its value at W*."""
    r, limit, star = Fraction(9, 4), Fraction(3, 2), Fraction(13, 8)
    # learning rests where Q = r; the linearised critic 1 + (W_1 - 1) + (W_2 - 1) is r at W*
    if limit * limit != r or 1 + 2 * (star - 1) != r:
        raise ValueError("the two fixed points do not solve their equations")
    return exact_evidence(
        "limit in K of |Q-hat(V-bar) - Q-hat(W*)|", abs(star * star - limit * limit), 0, Relation.AT_MOST, instances=1,
        witness=Witness(
            "one pair, gamma = 0, r = 9/4, Q = W_1 W_2 (two layers of width one), W(0) = (1, 1), B > 1",
            {"limit of V-bar": [limit, limit], "W*": [star, star], "Q at the limit": limit**2, "Q at W*": star**2},
        ),
    )
