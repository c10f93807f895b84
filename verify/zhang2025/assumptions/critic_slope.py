"""zhang2025 Assumptions 5.8, second line, and 5.9: a critic that is Lipschitz in W and close to Q."""

from __future__ import annotations

import numpy as np
import sympy
from flint import arb, fmpq

from mdp.exact import exact
from mdp.families import random_problem
from mdp.linear import rational_array
from verify.assumptions.critic import Critic, interpolation
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Verdict, Witness, exact_evidence
from verify.identities import largest
from verify.zhang2025.setting.networks_eq5 import sympy_fraction
from verify.zhang2025.setting.relu import ReluNetwork, random_matrix, random_network, unit_vectors

GROWTH = fmpq(1000)
"""Factor on W_1 that must show up in a slope; ours, any factor would do."""


@statement("zhang2025", "assumption-5.8-Q", uses=("eq-5",))
def assumption_5_8_q() -> tuple[Variant, ...]:
    r"""The critic is Lipschitz in W, for any W and W'.

    .. math:: |\hat Q(x; W, H, b) - \hat Q(x; W', H, b)| \le L_W \|W - W'\|_2

    Hypotheses: the critic of Eq. (5).

    Unsatisfiable for D >= 2: Q is homogeneous of degree one in each layer, so its slope in W_D is multiplied by c
    when W_1 is. By hand: m = d = 1 and H = b = x = 1, ``Q(c, t) = c t`` for c, t > 0, and moving t by 1 moves Q by
    c. For D = 1 the slope is at most ``|b| |Hx|/sqrt(m)``. On the ball of Algorithm 2 the slope is at most
    ``|b| |Hx| m^{-D/2}`` times the root of ``sum_h prod_{k != h} n_k^2`` with ``n_h = |W_h(0)| + B``.

    *L_W is no constant.* At the start ``E|dQ/dW_h|^2 = m`` for every layer, so ``E|dQ/dW|^2 = D m``: the derivative
    in W_h is (back signal)(x_{h-1})^T/sqrt(m); given the layers below, flipping the sign of a row of W shows that a
    unit is live half of the time independently of even functions of its weights, so the back signal's second moment
    matrix stays the identity from ``E b b^T = I`` down, and ``(1/m)(m/2)(2m) = m``. A sample of networks agrees.

    Consequence: on the ball L_W exists, which is all that Algorithm 2 needs. But the O(.) in (20), (22) and (24)
    treats it as a constant, and it is at least of order sqrt(D m): terms (5) and (6) of Theorem 5.10 gain a factor
    sqrt(D m) and grow like m^(17/32) instead of m^(1/32).
    """
    return (
        printed(lambda c: _no_slope_bound(c, depths=(2, 3)), "for any W and W', D >= 2"),
        reading(lambda c: _one_layer_bound(c), "for any W and W', D = 1: |b| |Hx|/sqrt(m)", "one layer"),
        reading(lambda c: (_slope_moment(free=True), _sampled_slopes(c)), "L_W does not depend on m", "constant in m"),
        repaired(lambda c: _in_ball(c, 1.0), "on the ball of Algorithm 2, with the constant of the docstring", "ball"),
        repaired(lambda c: (_slope_moment(free=False), _sampled_slopes(c)), "E|dQ/dW|^2 = D m at the start", "start"),
        control(lambda c: _no_slope_bound(c, depths=(1,)), "one layer has no slope bound either", "one layer"),
        control(lambda c: _in_ball(c, 0.01), "a hundredth of the constant on the ball", "a hundredth"),
    )  # fmt: skip


def _live_critic(rng: np.random.Generator, depth: int) -> tuple[ReluNetwork, np.ndarray]:
    net, x = random_network(rng, depth=depth, width=2, inputs=2), unit_vectors(rng, 1, 2)[0]
    first = (net.H @ x)[None, :] * abs(random_matrix(rng, (2, 1)))
    return ReluNetwork(net.H, (first, *(abs(W) for W in net.W[1:])), net.b), x


def _no_slope_bound(context: Context, depths: tuple[int, ...]) -> Evidence:
    rng, bounded, count = context.rng(2025, 104), 0, context.profile.n_rational
    for k in range(count):
        net, x = _live_critic(rng, depths[k % len(depths)])
        if (net.H @ x == 0).all():
            continue  # probability zero under the paper's law
        one, more = net.slopes(x)[-1], net.moved(GROWTH).slopes(x)[-1]
        bounded += not (one.any() and bool((more == GROWTH * one).all()))
    return exact_evidence(
        "draws of H and b where the slope in W_D does not grow in proportion to W_1", bounded, 0, Relation.EQUAL,
        instances=count, establishes=Verdict.UNSATISFIABLE,
        witness=Witness("D = 2, m = d = 1, H = b = x = 1: |Q(c, 2) - Q(c, 1)| = c, and the weights are 1 apart", {
            "c = 10": _product_step(10), "c = 1000": _product_step(1000)}),
    )  # fmt: skip


def _product_step(c: int) -> fmpq:
    one = rational_array([[1]])
    high, low = (ReluNetwork(one, (c * one, t * one), one).output(one[0])[0] for t in (2, 1))
    difference: fmpq = high - low
    return difference


def _one_layer_bound(context: Context) -> Evidence:
    """Squared difference over squared bound, exactly: ``|b|^2 |Hx|^2 |W - W'|^2`` (both sides times m)."""
    rng, worst, count = context.rng(2025, 105), fmpq(0), context.profile.n_rational
    for _ in range(count):
        net, x = random_network(rng, depth=1, width=3, inputs=2), unit_vectors(rng, 1, 2)[0]
        other = net.with_last(random_matrix(rng, (3, 3)))
        bound = (net.b**2).sum() * ((net.H @ x) ** 2).sum() * ((net.W[0] - other.W[0]) ** 2).sum()
        worst = max(worst, (net.output(x)[0] - other.output(x)[0]) ** 2 / bound)
    return exact_evidence(
        "largest squared difference over the squared bound", worst, 1, Relation.AT_MOST, instances=count
    )


def _in_ball(context: Context, share: float) -> Evidence:
    rng, ratios = context.rng(2025, 106), []
    for k in range(max(10, context.profile.n_rational // 3)):
        problem, _ = random_problem(rng)
        critic, radius = Critic.draw(problem.mdp, seed=k, depth=1 + k % 3, width=6), 1.0
        pair = []
        for _ in range(2):
            move = rng.normal(size=(critic.network.depth, 36))
            move *= radius / np.linalg.norm(move, axis=1, keepdims=True)
            pair.append(critic.W + move.reshape(1, -1) * rng.uniform())
        rise = float(np.abs(critic.values(pair[0]) - critic.values(pair[1])).max())
        ratios.append(rise / (share * critic.lipschitz(radius) * float(np.linalg.norm(pair[0] - pair[1]))))
    return exact_evidence(
        "largest difference quotient over the bound on the ball", largest(ratios), 1, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=len(ratios),
    )


def _slope_moment(*, free: bool) -> Evidence:
    """``E|dQ/dW|^2`` at the start: minus D m, or its derivative in m."""
    m, D = sympy.symbols("m D", positive=True)
    input_part, live_b = 2 * m, m / 2
    moment = D * input_part * live_b / m
    measured = sympy.diff(moment, m).subs(D, 1) if free else moment - D * m
    return exact_evidence(
        "derivative of E|dQ/dW|^2 in m, D = 1" if free else "E|dQ/dW|^2 - D m at the start",
        sympy_fraction(measured), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC, note=f"E|dQ/dW|^2 = {moment}",
        witness=Witness("the mean squared slope at the start", {"E|dQ/dW|^2": str(moment)}) if free else None,
    )  # fmt: skip


def _sampled_slopes(context: Context) -> Evidence:
    """Sample mean of ``|dQ/dW|^2/(D m)`` over random networks, by backpropagation."""
    rng, m, depth, squares = context.rng(2025, 107), 5, 3, []
    for _ in range(1500):
        x = np.sqrt(2) * rng.normal(size=(m, 2)) @ np.array([0.6, 0.8])
        W, layers = np.sqrt(2) * rng.normal(size=(depth, m, m)), [x]
        for weight in W:
            layers.append(np.maximum(weight @ layers[-1], 0) / np.sqrt(m))
        back, total = rng.normal(size=m), 0.0
        for h in range(depth, 0, -1):
            back = back * (layers[h] > 0) / np.sqrt(m)
            total += float((back**2).sum() * (layers[h - 1] ** 2).sum())
            back = back @ W[h - 1]
        squares.append(total / (depth * m))
    mean, error = float(np.mean(squares)), 4 * float(np.std(squares)) / np.sqrt(len(squares))
    return Evidence(
        "sample mean of |dQ/dW|^2/(D m) (m = 5, D = 3, four standard errors)", mean, mean - error, mean + error, 1,
        Relation.EQUAL, Rigor.STATISTICAL, instances=len(squares), corroborates=True,
    )


# --- Assumption 5.9 -----------------------------------------------------------------------------------------------

WIDTHS, DEPTHS = (16, 100, 10**4, 10**6), (2, 5, 10)
"""Sizes at which the reach of the ball is compared with the scale at the start; ours."""


@statement("zhang2025", "assumption-5.9", uses=("eq-5", "fact-c.3", "universal-approximation"))
def assumption_5_9() -> tuple[Variant, ...]:
    r"""The critic at the stationary point is within eps_critic of Q, for every policy.

    .. math:: \max_{\theta, x} |\hat Q(x; W^*) - Q_\theta(x)| \le \epsilon_{critic}

    Hypotheses: W* in the ball B(B) of Algorithm 2 (Fact C.3); bounded rewards.

    *Vacuous as an assumption*: Q is at most ``max |r|/(1 - gamma)`` and the critic is bounded on the ball, wherever
    W* is, so some eps_critic always exists, for all theta at once.

    *Small?* Not for the stated ``B = Theta(m^(1/32) D^-6)`` with constant one. At the start ``E Q^2 = 2m`` (eq-5) and
    ``E|dQ/dW|^2 = D m`` (assumption-5.8-Q). The critic of Fact C.3 is linear in W, and in the ball moves by at most
    ``B sum_h |dQ/dW_h| <= B sqrt(D) |dQ/dW|``. So in mean square over the start it is, at every x and wherever W* is,
    at least ``sqrt(2m) - B D sqrt(m) = sqrt(m) (sqrt 2 - m^(1/32) D^-5)``, and eps_critic is at least that less the
    largest value of Q. At D = 2 this is positive up to m of order 10^43 and grows with the width. (Q itself differs
    from the linear critic by terms of second order in B.) Measured: to interpolate Q the linear critic needs a ball
    more than ten times as large. Fixed depth and m beyond that threshold, or another constant in Theta, can make it
    small.

    Consequence: term (3) of Theorem 5.10 is always defined. For any network that can be built, with B as stated, it
    is of order sqrt(m) and dominates the bound.
    """
    return (
        printed(lambda c: _finite(c, 1.0), "some eps_critic exists"),
        reading(lambda c: (_out_of_reach(), _radius_needed(c)),
                "eps_critic is at most one, for Q between 0 and 1 and B = m^(1/32) D^-6 with constant one", "small"),
        control(lambda c: _finite(c, 0.01), "a hundredth of the bound", "a hundredth"),
    )  # fmt: skip


def _finite(context: Context, share: float) -> Evidence:
    rng, ratios = context.rng(2025, 108), []
    for k in range(max(10, context.profile.n_rational // 3)):
        problem, theta = random_problem(rng)
        critic, radius = Critic.draw(problem.mdp, seed=k, depth=1 + k % 2, width=6), 1.0
        move = rng.normal(size=(critic.network.depth, 36))
        move *= radius / np.linalg.norm(move, axis=1, keepdims=True)
        error = np.abs(critic.values(critic.W + move.reshape(1, -1)) - exact(problem, theta).Q.ravel()).max()
        bound = float(np.abs(problem.mdp.r_bar).max()) / (1 - problem.mdp.gamma) + critic.largest(radius)
        ratios.append(float(error) / (share * bound))
    return exact_evidence(
        "largest error over the bound, random weights on the sphere of the ball", largest(ratios), 1, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=len(ratios), establishes=Verdict.VACUOUS,
    )


def _out_of_reach() -> Evidence:
    """Least ``sqrt(m)(sqrt 2 - m^(1/32) D^-5) - 1`` over sizes, certified from below."""
    floors = {}
    for m in WIDTHS:
        for D in DEPTHS:
            ball = (arb(m).log() / 32).exp() / arb(D) ** 5
            floors[m, D] = arb(m).sqrt() * (arb(2).sqrt() - ball) - 1
    (m, D), floor = min(floors.items(), key=lambda item: float(item[1].mid()))
    low, high = (float(end) for end in (floor.lower(), floor.upper()))
    return Evidence(
        "least lower bound on eps_critic (root mean square over the start)", (low + high) / 2, low, high, 1,
        Relation.AT_MOST, Rigor.INTERVAL, instances=len(floors),
        witness=Witness(f"the smallest is at m = {m}, D = {D}", {
            f"m = {w}, D = {d}": float(f.mid()) for (w, d), f in floors.items()}),
    )  # fmt: skip


def _radius_needed(context: Context) -> Evidence:
    """Least multiple of the stated B at which the linear critic interpolates Q (D = 2)."""
    rng, factors = context.rng(2025, 109), []
    for k, m in enumerate((16, 24, 32)):
        problem, theta = random_problem(rng)
        found = interpolation(Critic.draw(problem.mdp, seed=k, width=m), exact(problem, theta).Q.ravel())
        if found is not None:
            factors.append(found[0] / (m ** (1 / 32) * 2.0**-6))
    return exact_evidence(
        "least radius that interpolates Q, in units of m^(1/32) D^-6", -largest(-f for f in factors), 1,
        Relation.AT_MOST, rigor=Rigor.FLOAT, scope=Scope.INSTANCES, instances=len(factors), corroborates=True,
    )
