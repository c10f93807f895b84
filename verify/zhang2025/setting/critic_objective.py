"""zhang2025 Eqs. (6)-(7): the mean squared Bellman error and its projected form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import identity_like, rational_array, solve
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.identities import rational_points
from verify.zhang2025.setting.objective import KERNELS, original, restart
from verify.zhang2025.setting.pairs import box_solutions, full_rank_integers, pair_law, pair_matrix

HALF = Fraction(1, 2)


@statement("zhang2025", "eq-6", uses=("eq-3", "universal-approximation"))
def eq_6() -> tuple[Variant, ...]:
    r"""Minimising the mean squared Bellman error over W finds Q.

    .. math:: \mathrm{MSBE}(W) = \mathbb{E}_{x \sim \nu(\theta)}\big[(\hat Q(x; W)
        - \mathcal{T}^{\pi_\theta} \hat Q(x; W))^2\big]

    *If the class contains Q* and nu gives every pair a positive probability, true, with either kernel: the minimum is
    zero, and zero error makes the minimiser a fixed point of T, of which there is one.

    *For a network of any width and depth*, as the sentence before Eq. (6) leaves open, false. One pair x = 1, reward 1,
    gamma = 1/2, so Q = 2; a network with m = D = 1, H = 1 and b = -1 takes the values ``-ReLU(W) <= 0`` and
    ``MSBE = (1 + ReLU(W)/2)^2``: the minimiser is the function 0. So the verdict is ambiguous.

    Repaired: over a linear class the minimiser misses Q by at most ``C`` times the least possible miss, in the norm of
    nu, with ``C = (1 + gamma^2)/(1 - gamma^2)`` when nu is stationary for the kernel of T. Derivation: the minimiser is
    a projection that is orthogonal for the inner product of ``G = L^* L``, ``L = I - gamma M``; nu stationary gives
    ``||M|| <= 1`` by Jensen, so L has condition number at most ``k = (1 + gamma)/(1 - gamma)``, and Wielandt's
    inequality bounds the norm of such a projection by ``(k + 1/k)/2 = C``. Sharp: on the two-cycle with rewards
    (0, 1 - gamma^2) and the one feature (1, gamma) the minimiser is 0 and the ratio is C. With nu of the restart chain
    and T of the original kernel ``nu M <= nu / gamma``, so gamma becomes sqrt(gamma) and
    ``C = (1 + gamma)/(1 - gamma)``. We do not know that it is sharp: the largest ratio that two independent searches
    (Nelder-Mead over chains of three states; `verify.search.worst_ratio`, whose instance is shown) reach at
    gamma = 1/2 is 0.68 C, and 0.90 C for the restart chain with one kernel.

    Hypotheses: nu positive on all pairs (softmax policies, every state reachable from s0); one kernel in T.

    Consequence: Assumption 5.9 cannot be had from Eq. (6) alone; it asks in addition that the class is rich enough.
    """
    return (
        *(
            printed(
                lambda c, k=kernel: _finds_q(c, k, True),  # type: ignore[misc]
                f"the class contains Q, {name} kernel in T", f"rich, {name}",
            )
            for name, kernel in KERNELS.items()
        ),
        printed(_any_width, "the network of Eq. (5) with any width and depth", "any width"),
        repaired(
            lambda c: (_misfit(c, restart, _one_kernel), _attained()),
            "the minimiser misses Q by at most (1 + gamma^2)/(1 - gamma^2) times the least miss, one kernel",
            "quasi-optimal, one kernel",
        ),
        repaired(
            lambda c: _misfit(c, original, _two_kernels),
            "the same with (1 + gamma)/(1 - gamma), nu of the restart chain and T of the original kernel",
            "quasi-optimal, two kernels",
        ),
        control(lambda c: _finds_q(c, restart, False), "a class that leaves Q out", "poor class"),
        control(
            lambda c: (_misfit(c, restart, lambda g: fmpq(1)),), "the minimiser is the best approximation", "C = 1"
        ),
    )


def _one_kernel(gamma: fmpq) -> fmpq:
    return (1 + gamma**2) / (1 - gamma**2)


def _two_kernels(gamma: fmpq) -> fmpq:
    return (1 + gamma) / (1 - gamma)


def _residual_minimiser(view: Exact, law: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Function in the span of `features` with the least Bellman error under `law`."""
    M = pair_matrix(view)
    design = features - view.gamma * (M @ features)
    weighted = design * law[:, None]
    fitted: np.ndarray = features @ solve(weighted.T @ design, weighted.T @ view.r_bar.reshape(-1))
    return fitted


def _finds_q(context: Context, kernel: Callable[[RationalPoint], Exact], rich: bool) -> Evidence:
    rng, worst, count = context.rng(3106), fmpq(0), 0
    for point in rational_points(context, point_start=True):
        view = kernel(point)
        law, Q = pair_law(view, point.exact().restart_stationary), view.Q.reshape(-1)
        columns = full_rank_integers(rng, len(Q), len(Q) - 1)
        # Q itself and one more direction: the least class beyond the trivial one, and the whole space
        rich_spans = [np.stack([Q, columns[:, 0]], axis=1), identity_like(law, len(Q))]
        spans = rich_spans if rich else [columns]
        for span in spans:
            if rich and _dependent(span):
                continue
            worst = max(worst, abs(_residual_minimiser(view, law, span) - Q).max())
            count += 1
    return exact_evidence("minimiser of the MSBE minus Q, worst", worst, 0, Relation.EQUAL, instances=count)


def _dependent(span: np.ndarray) -> bool:
    if span.shape[1] != 2:
        return False
    u, v = span.T
    return bool((u * u).sum() * (v * v).sum() == (u * v).sum() ** 2)


def _any_width(context: Context) -> Evidence:
    """Slope of the MSBE in z = ReLU(W) >= 0 is 1 + z/2 > 0: the minimiser is z = 0."""
    reward, gamma, sign = Fraction(1), HALF, -1
    Q = reward / (1 - gamma)
    # MSBE(z) = (sign z (1 - gamma) - reward)^2, a parabola with vertex at reward / (sign (1 - gamma)), cut at z >= 0
    vertex = reward / (sign * (1 - gamma))
    value = sign * max(vertex, Fraction(0))
    return exact_evidence(
        "value of the minimiser minus Q", value - Q, 0, Relation.EQUAL, instances=1,
        witness=Witness(
            "one pair x = 1 with reward 1; m = D = 1, H = 1, b = -1, so the network is -ReLU(W)",
            {"gamma": gamma, "Q": Q, "minimising value": value, "least MSBE": (value * (1 - gamma) - reward) ** 2},
        ),
    )


def _misfit(
    context: Context, kernel: Callable[[RationalPoint], Exact], bound: Callable[[fmpq], fmpq]
) -> Evidence:
    """Largest squared miss of the minimiser over the squared bound times the least squared miss."""
    rng, worst, count = context.rng(3107), fmpq(0), 0
    for k, drawn in enumerate(rational_points(context, point_start=True)):
        for n in range(1 + context.profile.n_search // 600):  # ours: above 10^4 problems in the full profile
            point = replace(drawn, gamma=fmpq(1 + (k + n) % 9, 10))
            view = kernel(point)
            law, Q = pair_law(view, point.exact().restart_stationary), view.Q.reshape(-1)
            features = full_rank_integers(rng, len(Q), int(rng.integers(1, len(Q))))
            weighted = features * law[:, None]
            best = features @ solve(weighted.T @ features, weighted.T @ Q)
            least = (law * (best - Q) ** 2).sum()
            if least == 0:
                continue
            miss = (law * (_residual_minimiser(view, law, features) - Q) ** 2).sum()
            worst, count = max(worst, miss / (least * bound(point.gamma) ** 2)), count + 1
    return exact_evidence(
        "squared miss of the minimiser over its bound, worst", worst, 1, Relation.AT_MOST, instances=count
    )


def _attained() -> Evidence:
    """The two-cycle where the ratio of the misses equals the bound."""
    ratios = []
    for gamma in (fmpq(1, 2), fmpq(9, 10)):
        M, phi, Q = rational_array([[0, 1], [1, 0]]), rational_array([1, 0]), rational_array([0, 1])
        phi, Q = phi + gamma * rational_array([0, 1]), Q + gamma * rational_array([1, 0])
        design, reward = phi - gamma * (M @ phi), Q - gamma * (M @ Q)
        fitted = phi * ((design * reward).sum() / (design * design).sum())
        best = phi * ((phi * Q).sum() / (phi * phi).sum())
        ratios.append(((fitted - Q) ** 2).sum() / ((best - Q) ** 2).sum() / _one_kernel(gamma) ** 2)
    return exact_evidence(
        "squared miss over its bound on the two-cycle, least", min(ratios), 1, Relation.EQUAL, instances=2,
        witness=Witness("two-cycle, rewards (0, 1 - gamma^2), feature (1, gamma)"), note="the constant is attained",
    )


@statement("zhang2025", "eq-7", uses=("eq-3",))
def eq_7() -> tuple[Variant, ...]:
    r"""The projected mean squared Bellman error.

    .. math:: \mathrm{MSPBE}(W) = \mathbb{E}_{x \sim \nu(\theta)}\big[(\hat Q(x; W)
        - \Pi_{\mathcal{F}} \mathcal{T}^{\pi_\theta} \hat Q(x; W))^2\big]

    A definition; it needs the projection to be one function. The class F is not named here.

    *F the linearised networks over the ball* (Fact C.3, and Cai et al. 2019): a closed convex set, so the projection in
    the norm of nu is unique where nu is positive. Checked for m = 1, where the ball is a box: all faces are enumerated,
    and one function is found, redundant features or not.

    *F the networks of Eq. (5)*: not convex, and the definition is not well posed. Two inputs with equal weight, m = D =
    1, ``H x = 1`` and ``H x' = -1``, b = 1: the networks take the values (W, 0) for W >= 0 and (0, -W) for W <= 0. With
    one state, two actions, rewards (1, 1) and gamma = 1/2, W = 1 gives ``T Q^ = (5/4, 5/4)``, whose closest points in F
    are (5/4, 0) and (0, 5/4): the MSPBE is 1/32 or 41/32. So the verdict is ambiguous.

    Hypotheses: nu positive on all pairs.

    Consequence: Fact C.3 has to be read with the linearised class, which the network of the algorithm does not use.
    """
    return (
        printed(lambda c: _projections(c, convex=True), "F is the linearised class over the ball", "linearised"),
        printed(_two_projections, "F is the class of networks", "networks"),
        control(
            lambda c: _projections(c, convex=False), "F is two single functions at equal distances from T Q^",
            "not convex",
        ),
    )


def _projections(context: Context, convex: bool) -> Evidence:
    """Largest number of closest functions over random targets; the class is a union of boxes, one if convex."""
    rng, worst, count = context.rng(3108), 0, 0
    for point in rational_points(context, point_start=True):
        view = point.exact()
        law = pair_law(view, view.restart_stationary)
        columns = full_rank_integers(rng, len(law), 2)
        features = np.concatenate([columns, columns[:, :1] * 2], axis=1)  # redundant on purpose
        start = rational_array(rng.integers(-3, 4, size=len(law)))
        target = view.r_bar.reshape(-1) + view.gamma * (pair_matrix(view) @ start)
        # two single functions at equal distances on both sides of the target, or one box
        pieces = [(start, fmpq(1))] if convex else [(target + s * columns[:, 0], fmpq(0)) for s in (-1, 1)]
        weighted, closest = features * law[:, None], []
        for centre, radius in pieces:
            for w in box_solutions(weighted.T @ features, weighted.T @ (centre - target), radius):
                closest.append(centre + features @ w)
        distance = [(law * (f - target) ** 2).sum() for f in closest]
        best = {
            tuple(str(x) for x in f) for f, d in zip(closest, distance, strict=True) if d == min(distance)
        }
        worst, count = max(worst, len(best)), count + 1
    return exact_evidence("number of closest functions, largest", worst, 1, Relation.EQUAL, instances=count)


def _two_projections(context: Context) -> Evidence:
    """The closest points of two half axes to (c, c), and what they make of the MSPBE at W = 1."""
    gamma, weight, rewards = HALF, HALF, (Fraction(1), Fraction(1))
    current = (Fraction(1), Fraction(0))
    mean = sum(current, Fraction(0)) / 2
    target = tuple(r + gamma * mean for r in rewards)
    # on each half axis the closest point keeps the positive part of one coordinate
    candidates = [(max(target[0], Fraction(0)), Fraction(0)), (Fraction(0), max(target[1], Fraction(0)))]
    distance = [weight * sum((x - y) ** 2 for x, y in zip(point, target, strict=True)) for point in candidates]
    closest = [point for point, d in zip(candidates, distance, strict=True) if d == min(distance)]
    values = {
        point: weight * sum((x - y) ** 2 for x, y in zip(current, point, strict=True)) for point in closest
    }
    return exact_evidence(
        "largest minus least MSPBE over the closest functions", max(values.values()) - min(values.values()), 0,
        Relation.EQUAL, instances=1,
        witness=Witness(
            "one state, two actions, rewards (1, 1), gamma = 1/2, W = 1; two functions are closest to T Q^",
            {"T Q^": target, "closest": list(values), "MSPBE": list(values.values())},
        ),
    )
