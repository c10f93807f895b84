"""zeng2022 Eq. (8a): the upper-level objective built from the linear models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from flint import fmpq

from mdp.linear import solve
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, exact_evidence
from verify.identities import problem_witness, rational_points
from verify.zeng2022.setting.small_problems import first_violation, tabular

Target = Literal["omega_td", "omega_bellman", "omega_td_error"]


@statement("zeng2022", "eq-8a", uses=("eq-3", "eq-5", "eq-6", "eq-7", "eq-8bd"))
def eq_8a() -> tuple[Variant, ...]:
    r"""The upper-level objective approximates J: one model step of reward, then the model's value.

    .. math:: \mathbb{E}_{s \sim \eta, a \sim \pi_\theta, s' \sim P}\Big[\tfrac1N \sum_{i=1}^N
        \big(\hat r(s,a;\lambda^*_i(\theta)) + \gamma \hat V(s';\omega^*_i(\theta))\big)\Big] \approx J(\theta)

    No factor 1/(1 - gamma) is missing: by the Bellman equation the display *is* J when both models are exact. So the
    test of "approximates" is whether it equals J once the features represent V and r_bar, and how fast the error grows
    with theirs. It depends on omega*. *(7a) as displayed*: false even with tabular features, because the omega* of
    (7a) is then not V (the variance of the next value enters it); on two states the display is off by a constant that
    no feature removes. *The mean squared Bellman error*, as the text calls it: true, its minimiser is then V.

    Repaired, with omega* the TD fixed point (where the algorithm settles). For any features,
    ``|(8a) - J| <= sqrt(k_0) e_r + gamma sqrt(k_1 / (1 - gamma^2)) e_V``, with e_r and e_V the best errors in the
    mu-norm, ``k_0 = max_s eta(s) / mu(s)`` and ``k_1 = max_s (eta P_pi)(s) / mu(s)``. Derivation: the difference is
    ``E_{eta,pi}[r^ - r_bar] + gamma E_{eta P_pi}[V^ - V]``; Cauchy-Schwarz under mu with the density ratios; lambda* is
    the best fit under mu and pi; and ``||Phi omega_td - V||_mu <= e_V / sqrt(1 - gamma^2)`` (Tsitsiklis and Van Roy,
    1997). The comparison of square roots is done exactly by squaring twice. The reward term is attained: start in one
    state, where the reward features vanish, and represent the reward elsewhere (the first problem tried has ratio
    1); the note has the largest ratio of the random ones. The objective's gradient is not taken here: theta also moves
    omega* and lambda*, and Eq. (10) leaves that out (see eq-10-direction).

    Hypotheses: mu has full support, features have full column rank; for the bound, nothing on the features' quality.

    Consequence: maximising (8a) is maximising J up to the approximation error only if omega* is not that of (7a).
    """
    return (
        printed(
            lambda c: _realisable_gap(c, "omega_td_error"), "omega* minimises (7a) as displayed", "td-error"
        ),
        printed(
            lambda c: _realisable_gap(c, "omega_bellman"),
            "omega* minimises the mean squared Bellman error", "bellman",
        ),
        reading(
            lambda c: _realisable_gap(c, "omega_td"), "omega* is the TD fixed point, exact features", "td, realisable"
        ),
        repaired(
            lambda c: (_bound_violations(c, fmpq(1)), _reward_term_attained()),
            "omega* is the TD fixed point, any features, with the stated bound",
        ),
        control(
            lambda c: _realisable_gap(c, "omega_td", scale=True), "(8a) approximates (1 - gamma) J", "scaled J"
        ),
        control(
            lambda c: _bound_violations(c, fmpq(9, 10)), "the bound with both errors taken at nine tenths", "0.9 for 1"
        ),
    )


def upper_objective(point: RationalPoint, target: Target) -> fmpq:
    """Eq. (8a), sample by sample, at the lower-level solution `target`.

    Args:
        point: the problem.
        target: which omega*.
    """
    view = point.exact()
    total: Any = fmpq(0)
    values = view.phi_state @ getattr(view, target)
    for s, a, t in np.ndindex(*view.P.shape):
        weight = view.initial[s] * view.pi[s, a] * view.P[s, a, t]
        total += weight * (view.phi_joint[s, a] @ view.lambda_star + view.gamma * values[t])
    return total


def lopsided() -> RationalPoint:
    """Two states, one action, tabular features: state 0 stays or leaves with 1/2, state 1 returns; r = (1, 0).

    gamma = 1/2, start in state 0; mu = (2/3, 1/3). By hand: V = (8/5, 4/5), so J = 8/5.
    """
    half = fmpq(1, 2)
    return tabular(
        RationalPoint(
            P=[[[half, half]], [[1, 0]]], r=[[[1], [0]]], initial=[1, 0], gamma=half, tables=([[1], [1]],),
            psi=([[[0]], [[0]]],), phi_state=[[1], [0]], phi_joint=[[[1]], [[0]]],
        )
    )


def _realisable_gap(context: Context, target: Target, scale: bool = False) -> Evidence:
    def residual(point: RationalPoint) -> fmpq:
        exact = tabular(point)
        J: Any = exact.exact().J
        return upper_objective(exact, target) - (J * (1 - point.gamma) if scale else J)

    return first_violation(
        "(8a) minus J, features that represent everything", [lopsided(), *rational_points(context)], residual,
        "two states, one action, tabular features",
        lambda p: {
            "omega*": getattr(tabular(p).exact(), target), "V": p.exact().V,
            "(8a)": upper_objective(tabular(p), target),
        },
    )


def _squared_gap(point: RationalPoint) -> fmpq:
    J: Any = point.exact().J
    return (upper_objective(point, "omega_td") - J) ** 2


def _squared_errors(point: RationalPoint) -> tuple[fmpq, fmpq]:
    """``k_0 e_r^2`` and ``gamma^2 k_1 e_V^2 / (1 - gamma^2)``: squares of the two terms of the bound."""
    view = point.exact()
    mu, after = view.stationary, view.initial @ view.P_pi
    pairs = (mu[:, None] * view.pi).ravel()
    reward = view.phi_joint.reshape(len(pairs), -1) @ view.lambda_star - view.r_bar.ravel()
    weighted = view.phi_state * mu[:, None]
    best = view.phi_state @ solve(weighted.T @ view.phi_state, weighted.T @ view.V) - view.V
    k_0, k_1 = max(view.initial / mu), max(after / mu)
    first = k_0 * (pairs * reward**2).sum()
    return first, view.gamma**2 * k_1 * (mu * best**2).sum() / (1 - view.gamma**2)


def exceeds_sum_of_roots(square: fmpq, first: fmpq, second: fmpq) -> bool:
    """Whether ``sqrt(square) > sqrt(first) + sqrt(second)``, decided exactly.

    Args:
        square: nonnegative.
        first: nonnegative.
        second: nonnegative.
    """
    rest = square - first - second
    return bool(rest > 0 and rest**2 > 4 * first * second)


def _one_missing_state() -> RationalPoint:
    """`lopsided` with reward features that vanish in the start state: the bound is attained there.

    V is represented, so only the reward term is left: |(8a) - J| = 1 = sqrt(3/2 * 2/3).
    """
    return replace(lopsided(), phi_joint=[[[0]], [[1]]])


def _attempts(context: Context) -> list[RationalPoint]:
    return [_one_missing_state(), lopsided(), *rational_points(context)]


def _bound_violations(context: Context, factor: fmpq) -> Evidence:
    witness, count, ratios = None, 0, []
    points = _attempts(context)
    for point in points:
        square = _squared_gap(point)
        first, second = (factor**2 * x for x in _squared_errors(point))
        total = float(first.p) / float(first.q), float(second.p) / float(second.q)
        if sum(total) > 0:
            bound = total[0] ** 0.5 + total[1] ** 0.5
            ratios.append((float(square.p) / float(square.q)) ** 0.5 / bound)
        if exceeds_sum_of_roots(square, first, second):
            count += 1
            witness = witness or problem_witness(
                point, "the error exceeds the bound", **{"((8a) - J)^2": square, "squared terms": [first, second]}
            )
    return exact_evidence(
        "problems on which |(8a) - J| exceeds the bound", count, 0, Relation.EQUAL, instances=len(points),
        witness=witness, note=f"largest error over bound {max(ratios):.3f}, of random problems {max(ratios[1:]):.3f}",
    )


def _reward_term_attained() -> Evidence:
    point = _one_missing_state()
    square = _squared_gap(point)
    first, second = _squared_errors(point)
    return exact_evidence(
        "squared error over the squared bound, attaining problem", square / (first + second), 1,
        Relation.EQUAL, instances=1, corroborates=True,
        witness=problem_witness(point, "reward features vanish in the start state", **{"features": point.phi_joint}),
    )
