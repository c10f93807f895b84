r"""How the lower-level solutions move with the policy: exact derivatives of omega* and lambda*, Lipschitz constants.

*Derivative of an average.* For a fixed signal ``x(s, a)`` the derivative of ``E_{mu, pi} x`` in theta sees theta in
pi and in mu. With ``f(s) = sum_a pi(a|s) x(s, a)``, ``mu^T (I - P_pi) = 0`` gives ``dmu^T = mu^T dP_pi Z`` with
``Z = (I - P_pi + 1 mu^T)^{-1}`` (``dmu^T 1 = 0`` fixes the rest), so with ``g = Z f``

``d E x = sum_s mu(s) sum_a dpi(a|s) (x + P g)(s, a) = E_{mu, pi}[(x + P g) dlog pi]``:

a policy-gradient theorem whose Q is ``x + P g``. No derivative of mu is ever formed.

*Implicit differentiation.* The TD fixed point solves ``A omega + b = 0`` (`Exact.td_system`), that is
``E[phi(s) delta(s, a; omega)] = 0``. Its derivative is ``-A^{-1}`` times that of this average with omega held fixed.
lambda* solves ``E[varphi (r_bar - varphi . lambda)] = 0`` and goes the same way. Everything runs over rationals too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mdp.exact import Exact
from mdp.linear import identity_like, solve
from mdp.mixing import NoMixingBoundError, uniform_minorisation
from mdp.problem import Problem
from mdp.smoothness import PolicyConstants, policy_constants

MINORISATION_STEPS = 16
"""Longest minorisation that `omega_td_lipschitz` tries; ours: small chains need one or two."""


def average_jacobian(view: Exact, signal: Float[np.ndarray, "S A M"]) -> Float[np.ndarray, "M N D"]:
    """Derivative in theta of ``E_{s ~ mu, a ~ pi} signal(s, a)``, the signal held fixed.

    Args:
        view: quantities at a policy, floats or rationals.
        signal: M signals, shape (S, A, M).

    Returns:
        Array (M, N, D).

    Raises:
        ReducibleChainError, PeriodicChainError: there is no stationary law (see `Exact.stationary`).

    Source: derived in the head of this module; Schweitzer (1968), J. Applied Probability 5, for dmu.
    """
    mean = (view.pi[:, :, None] * signal).sum(axis=1)
    fundamental = identity_like(view.P_pi, len(mean)) - view.P_pi + view.stationary[None, :]
    following = view.P @ solve(fundamental, mean)
    value = signal + following
    return np.stack([view.score_expectation(view.stationary, value[:, :, m]) for m in range(signal.shape[2])])


def omega_td_jacobian(view: Exact) -> Float[np.ndarray, "K N D"]:
    """Derivative of the TD fixed point in theta, exactly.

    Args:
        view: quantities at a policy, floats or rationals.

    Returns:
        Array (K, N, D): entry (k, i, d) is the derivative of ``omega_td[k]`` in ``theta[i, d]``.

    Raises:
        ReducibleChainError, PeriodicChainError: there is no stationary law.

    Source: implicit differentiation of zeng2022 Eq. (13) at rest; see the head of this module.
    """
    values = view.phi_state @ view.omega_td
    delta = view.r_bar + view.gamma * (view.P @ values) - values[:, None]
    moved = average_jacobian(view, view.phi_state[:, None, :] * delta[:, :, None])
    return solve(-view.td_matrix, moved.reshape(len(moved), -1)).reshape(moved.shape)


def lambda_star_jacobian(view: Exact) -> Float[np.ndarray, "L N D"]:
    """Derivative of the reward regression in theta, exactly.

    Args:
        view: quantities at a policy, floats or rationals.

    Returns:
        Array (L, N, D).

    Raises:
        ReducibleChainError, PeriodicChainError: there is no stationary law.

    Source: implicit differentiation of zeng2022 Eq. (12) at rest; see the head of this module.
    """
    residual = view.r_bar - view.phi_joint @ view.lambda_star
    moved = average_jacobian(view, view.phi_joint * residual[:, :, None])
    flat = view.phi_joint.reshape(-1, view.phi_joint.shape[2])
    weight = (view.stationary[:, None] * view.pi).reshape(-1)
    gram = (flat * weight[:, None]).T @ flat
    return solve(gram, moved.reshape(len(moved), -1)).reshape(moved.shape)


def local_lipschitz(jacobian: Float[np.ndarray, "M N D"]) -> float:
    """Largest stretch at one theta: the operator norm of a derivative, Euclidean norms of stacked theta and image.

    Args:
        jacobian: derivative, shape (M, N, D), floats.
    """
    return float(np.linalg.norm(jacobian.reshape(len(jacobian), -1), 2))


@dataclass(frozen=True)
class TargetLipschitz:
    """A Lipschitz constant of ``theta -> omega_td(theta)`` that holds on all of theta-space.

    Attributes:
        constant: the bound, Euclidean norms.
        steps: m, length of the minorisation used.
        minorisation: mass ``sum_t min_s P^m(s, t)`` common to all policies.
        covariance: least eigenvalue of ``Phi^T diag(u) Phi``, u a lower bound on mu over all policies.
        policy: the constants of the policy class.
    """

    constant: float
    steps: int
    minorisation: float
    covariance: float
    policy: PolicyConstants


def omega_td_lipschitz(problem: Problem) -> TargetLipschitz:
    r"""A global Lipschitz constant of the TD target in theta, every constant with its origin.

    Let ``|pi'| = sum_a |d pi(a|s) / du| <= C1`` along a unit direction (`policy_constants`), ``u_m(t)`` a lower
    bound on ``P^m(s, t)`` for all s and all policies (`uniform_minorisation`) of mass ``eps``, hence ``mu >= u_m``;
    ``c`` the least eigenvalue of ``Phi^T diag(u_m) Phi``, ``f = max ||phi||``, ``v = Phi omega*``.

    1. ``||Phi x||_mu >= sqrt(c) ||x||``; as ``||v||_mu <= max|r_bar| / (1 - gamma)`` (projected Bellman equation),
       ``|v| <= V = f max|r_bar| / ((1 - gamma) sqrt(c))`` in the sup norm.
    2. ``-x^T A x >= (1 - gamma) ||Phi x||_mu^2`` (Tsitsiklis and Van Roy 1997, Lemma 1): ``|A^{-1}| <=
       1 / ((1 - gamma) c)`` and ``|A^{-1} Phi^T D h| <= ||h||_mu / ((1 - gamma) sqrt(c))``.
    3. ``A domega = -Phi^T D h - sum_s dmu(s) phi(s) delta(s)``, h the derivative of ``r_pi + gamma P_pi v`` at fixed v:
       ``|h| <= C1 (R + 2 gamma V) / 2``, R the largest span of ``r_bar(s, .)`` over the actions of a state (pi' has sum
       zero).
    4. ``|dmu|_1 <= C1 m / eps``: ``dmu^T = sum_t mu^T dP_pi P_pi^t``, a signed measure of mass zero and norm at most C1
       that shrinks by ``1 - eps`` every m steps; ``|delta| <= max|r_bar| + (1 + gamma) V``.

    ``L = C1 (R + 2 gamma V) / (2 (1 - gamma) sqrt(c)) + C1 m f (max|r_bar| + (1 + gamma) V) / (eps (1 - gamma) c)``,
    at the m that makes it least. It is safe and far from tight: compare `local_lipschitz`.

    Args:
        problem: a problem whose policy class has constants, and whose kernel has a minorisation uniform over policies.

    Raises:
        TypeError: the policy class has no constants (`policy_constants`).
        NoMixingBoundError: no minorisation bounds mu below on states that span the features.

    Source: ours, from the cited lemmas; the constant L_omega of zeng2022's analysis is in its technical report only.
    """
    mdp, phi, policy = problem.mdp, problem.features.phi_state, policy_constants(problem.policy)
    best: TargetLipschitz | None = None
    for m in range(1, MINORISATION_STEPS + 1):
        least = uniform_minorisation(np.asarray(mdp.P), steps=m)
        covariance = float(np.linalg.eigvalsh((phi * least[:, None]).T @ phi)[0])
        if covariance <= 1e-12 * float((phi**2).sum()):  # zero up to the rounding of the eigenvalue
            continue
        constant = _lipschitz(problem, policy.first, m, float(least.sum()), covariance)
        if best is None or constant < best.constant:
            best = TargetLipschitz(constant, m, float(least.sum()), covariance, policy)
    if best is None:
        raise NoMixingBoundError(
            f"no minorisation of up to {MINORISATION_STEPS} steps, uniform over policies, reaches states that span "
            "the critic features: this proof gives no Lipschitz constant of omega* for every theta"
        )
    return best


def _lipschitz(problem: Problem, first: float, m: int, mass: float, covariance: float) -> float:
    mdp, gap, root = problem.mdp, 1 - problem.mdp.gamma, np.sqrt(covariance)
    reward, span = float(np.abs(mdp.r_bar).max()), float(np.ptp(mdp.r_bar, axis=1).max())
    length = float(np.linalg.norm(problem.features.phi_state, axis=1).max())
    value = length * reward / (gap * root)
    by_policy = first * (span + 2 * mdp.gamma * value) / (2 * gap * root)
    by_law = first * m * length * (reward + (1 + mdp.gamma) * value) / (mass * gap * covariance)
    return float(by_policy + by_law)
