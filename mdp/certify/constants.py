"""Constants that bound something, rounded outwards: mixing, mean-square stable step sizes, smoothness of J."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from flint import arb, ctx

from mdp.certify.certificate import Certificate, Inputs, from_balls
from mdp.certify.compute import certify_function
from mdp.certify.formulas import as_view
from mdp.certify.mixing_forms import mixing_contraction
from mdp.certify.quantities import float_mixing
from mdp.certify.twins import PRECISIONS
from mdp.enclose.arithmetic import ball_array, largest, least, square_root, upper_float
from mdp.enclose.view import BallView
from mdp.exact import Exact, Law
from mdp.linear import identity_like, rational_array
from mdp.mixing import Mixing, NoMixingBoundError
from mdp.model import FiniteMDP
from mdp.policies import CircularPolicy, ReducedSoftmaxPolicy
from mdp.policy import LogLinearPolicy, Policy
from mdp.problem import Problem
from mdp.smoothness import PolicyConstants, Smoothness, policy_constants, smoothness
from mdp.td_stability import StepRange, mean_square_range, second_moment, td_matrix_under

WIDEST_RANGE = 0.1
"""Relative half-width of a bracket of step sizes at which `certified_step_range` gives up; ours."""


def certified_mixing(
    view: Exact, *, method: str = "doeblin", steps: int | None = None, inputs: Inputs = "given"
) -> Mixing:
    """Mixing constants proved for the exact chain, the rounding of every step counted.

    The contraction over m steps is enclosed and rounded up, ``c < 1``; then rho is a float at or above
    ``c^(1/m)`` and kappa one at or above ``start rho^(1 - m)``, so that ``start c^floor(t/m) <= kappa rho^t``.
    The chain is the one with the off-diagonal entries of ``P_pi`` (of P for ``"uniform"``), rows completed to one.

    Args:
        view: quantities at a policy, floats or rationals.
        method: ``"doeblin"``, ``"spectral"``, or ``"uniform"`` over all policies.
        steps: m; by default the one that `mdp.mixing` chooses.
        inputs: ``"given"`` or ``"rounded"``.

    Raises:
        ValueError: another method.
        mdp.mixing.NoMixingBoundError: no bound, or none that survives rounding.

    Source: `mdp.mixing` has the theorems.
    """
    m = float_mixing(view, method, steps).steps

    def enclosed(ball_view: BallView) -> list[Any]:
        return list(mixing_contraction(ball_view, method, m))

    known = certify_function(
        view, lambda _: np.zeros(2), balls=enclosed, name=f"{method} contraction", inputs=inputs
    )
    contraction, start = float(known.high[0]), float(known.high[1])
    if not contraction < 1:
        raise NoMixingBoundError(f"the contraction over {m} steps is enclosed by 1 only: no bound survives rounding")
    minorisation = None if method == "spectral" else max(float(np.nextafter(1 - contraction, -inf)), 0.0)
    name = float_mixing(view, method, m).method
    if m == 1:
        return Mixing(name, start, contraction, 1, minorisation=minorisation)
    with ctx.workprec(PRECISIONS[0]):
        rho = upper_float(arb(max(contraction, 2.0**-52)).root(m))  # the least, as in mdp.mixing: kappa stays finite
        kappa = upper_float(arb(start) / arb(rho) ** (m - 1))
    if not rho < 1:
        raise NoMixingBoundError(f"the rate over {m} steps rounds up to 1: no bound survives rounding")
    return Mixing(name, kappa, rho, m, minorisation=minorisation)


def certified_step_range(view: Exact, law: Law = "stationary", *, inputs: Inputs = "given") -> StepRange:
    """A stable and an unstable step size of i.i.d. TD(0), proved for the exact law and chain.

    `mdp.td_stability.mean_square_range` proves its bracket for the law it is handed, and a float law is rounded. Here
    the law is enclosed and ``(L + beta T) X = -I`` is solved over balls: pivots that are all positive prove `low`
    stable, one that is negative proves `high` unstable.

    Args:
        view: quantities at a policy, floats or rationals.
        law: state law of the samples.
        inputs: ``"given"`` or ``"rounded"``.

    Returns:
        The bracket, with `certified` true; all zero and not certified when the mean TD matrix is not Hurwitz.

    Raises:
        ValueError: another law.
        ArithmeticError: no bracket narrower than `WIDEST_RANGE` could be proved.
    """
    rough = mean_square_range(view, view.law(law))
    if rough.beta_max == 0:
        return rough
    width = 1e-9
    while width <= WIDEST_RANGE:
        low, high = rough.beta_max * (1 - width), rough.beta_max * (1 + width)
        try:
            if _pivots(view, law, low, inputs).low.min() > 0 and _pivots(view, law, high, inputs).high.min() < 0:
                return StepRange(rough.beta_max, low, high, True)
        except ArithmeticError:
            pass  # a system that cannot be told from singular: further from the limit it can
        width *= 10
    raise ArithmeticError(f"no bracket around {rough.beta_max:.6g} narrower than {WIDEST_RANGE:g} was proved")


def _pivots(view: Exact, law: Law, beta: float, inputs: Inputs) -> Certificate:
    """Pivots of X up to the first that is negative (the rest are then one)."""

    def pivots(ball_view: BallView) -> list[Any]:
        twin: Any = as_view(ball_view)
        weights = ball_view.law(law)
        A = td_matrix_under(twin, weights)
        K, unit = len(A), identity_like(A, len(A))
        system = np.kron(A, unit) + np.kron(unit, A) + arb(beta) * second_moment(twin, weights)
        X = ball_view.solve(system, -ball_array(unit).reshape(-1)).reshape(K, K)
        found = []
        for k in range(K):
            found.append(X[k, k])
            if not X[k, k] > 0:
                break
            X[k + 1 :, k:] = X[k + 1 :, k:] - X[k + 1 :, k, None] * X[k, None, k:] / X[k, k]
        return found + [arb(1)] * (K - len(found))

    K = view.phi_state.shape[1]
    return certify_function(view, lambda _: np.zeros(K), balls=pivots, name="pivots of X", inputs=inputs)


@dataclass(frozen=True, eq=False)
class SmoothnessCertificate:
    """Enclosures of the closed-form constants of `mdp.smoothness`, for its floats as given.

    Attributes:
        first: C1 of the policy class.
        second: C2 of the policy class.
        lipschitz: of J.
        smooth: of J.
        outward: the same constants with every float rounded up: safe to use as bounds.
    """

    first: Certificate
    second: Certificate
    lipschitz: Certificate
    smooth: Certificate
    outward: Smoothness


def certify_smoothness(problem: Problem) -> SmoothnessCertificate:
    """How far the float constants of `mdp.smoothness` are from their closed forms, and their outward rounding.

    Args:
        problem: the problem; gamma, rewards and policy features are floats and count as exact.

    Raises:
        TypeError: a policy class without constants.
    """
    constants = policy_constants(problem.policy)
    rough = smoothness(problem.mdp, constants)
    bits = PRECISIONS[0]
    with ctx.workprec(bits):
        exactly = _constants(problem.policy)
        derived = _smoothness(problem.mdp, *exactly)
    names = ("first", "second", "lipschitz", "smooth")
    floats = (constants.first, constants.second, rough.lipschitz, rough.smooth)
    found = {
        name: from_balls(name, value, ball_array(ball), bits, "given", "ball arithmetic on the closed form", 0.0)
        for name, value, ball in zip(names, floats, (*exactly, *derived), strict=True)
    }
    top = {name: float(proof.high) for name, proof in found.items()}
    provenance = f"{constants.provenance}, rounded up"
    span = upper_float(_reward_span(problem.mdp))
    outward = Smoothness(
        top["lipschitz"], top["smooth"], PolicyConstants(top["first"], top["second"], provenance), span
    )
    return SmoothnessCertificate(**found, outward=outward)


def _constants(policy: Policy) -> tuple[Any, Any]:
    """C1 and C2 over balls, by the formulas in the docstring of `mdp.smoothness.policy_constants`."""
    if isinstance(policy, CircularPolicy):
        return _circular_constants(policy)
    assert isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy)  # policy_constants has refused the others
    gaps = [arb(0)]
    for table in policy.psi:
        psi = rational_array(table)
        for s in range(len(psi)):
            gaps += [arb((d * d).sum()) for a, x in enumerate(psi[s]) for d in x - psi[s, :a]]
    square = largest(gaps)
    return square_root(square) / 2, square / 2


def _circular_constants(policy: CircularPolicy) -> tuple[Any, Any]:
    c = arb(float(policy.radius))
    w = (1 - c * c).sqrt()
    first, second = [], []
    for table, A in zip(policy.features, policy.n_actions, strict=True):
        length = largest(arb((row * row).sum()) for row in rational_array(table)) * arb(float(policy.scale)) ** 2
        Z = ((1 - w) / c) ** A
        information = 1 - w * (1 - Z) / (1 + Z)
        first.append(information * length)
        second.append((2 * information + c / arb(2).sqrt()) * length)
    return square_root(largest(first)), largest(second)


def _reward_span(mdp: FiniteMDP) -> Any:
    r_bar = rational_array(mdp.r).sum(axis=0) / len(mdp.r)
    entries = [arb(x) for x in r_bar.ravel()]
    return largest(entries) - least(entries)


def _smoothness(mdp: FiniteMDP, first: Any, second: Any) -> tuple[Any, Any]:
    span, gamma = _reward_span(mdp), arb(float(mdp.gamma))
    horizon = 1 / (1 - gamma)
    smooth = span * (second * horizon**2 / 2 + gamma * first**2 * horizon**3)
    return span * first * horizon**2 / 2, smooth
