r"""Lipschitz and smoothness constants of J for a policy class, with provenance, and a search that tests them.

All norms are Euclidean on the stacked theta in R^{N D}; `PolicyConstants.consensual` converts to one common shared
part. For a unit direction u let ``C1`` and ``C2`` bound, for every theta and state,

``sum_a |d/du pi(a|s)| <= C1`` and ``sum_a |d^2/du^2 pi(a|s)| <= C2``.

With ``R = max r_bar - min r_bar`` (Q has span at most ``R / (1 - gamma)``):

- ``J' = sum_s d(s) sum_a pi'(a|s) Q(s,a) / (1 - gamma)``. As ``sum_a pi' = 0``, Q may be centred, so
  ``|grad J| <= C1 R / (2 (1 - gamma)^2)``.
- ``J'' = sum_s d(s) [sum_a pi'' Q + 2 gamma sum_a pi' P V'] / (1 - gamma)`` and
  ``|V'| <= C1 R / (2 (1 - gamma)^2)`` in the sup norm, so
  ``|Hessian J| <= C2 R / (2 (1 - gamma)^2) + gamma C1^2 R / (1 - gamma)^3``.

Agarwal, Kakade, Lee and Mahajan (2021, JMLR 22, appendix on smoothness) have
``C2 / (1 - gamma)^2 + 2 gamma C1^2 / (1 - gamma)^3`` for rewards in [0, 1]; centring Q halves it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from mdp.exact import exact
from mdp.model import FiniteMDP
from mdp.policies import CircularPolicy, ReducedSoftmaxPolicy
from mdp.policy import LogLinearPolicy, Policy
from mdp.problem import Problem

HESSIAN_STEP = 1e-5
"""Step of central differences of exact gradients; ours: balances h^2 (1e-10) against rounding (1e-16 / h)."""


@dataclass(frozen=True)
class PolicyConstants:
    """Bounds on the first two derivatives of the joint policy, for every theta.

    Attributes:
        first: C1, bound on ``sum_a |d pi(a|s)/du|`` over unit directions u of the stacked theta.
        second: C2, bound on ``sum_a |d^2 pi(a|s)/du^2|``.
        provenance: where they come from.
    """

    first: float
    second: float
    provenance: str

    @classmethod
    def from_scores(cls, score: float, score_jacobian: float) -> PolicyConstants:
        """From bounds on the joint score and on its Jacobian: C1 = B, C2 = B^2 + K.

        ``pi'' = pi ((score . u)^2 + u^T (Hessian of log pi) u)``.

        Args:
            score: B, bound on the norm of the joint score.
            score_jacobian: K, bound on the operator norm of the Hessian of log pi(a|s).

        Raises:
            ValueError: a bound that is negative or not finite.
        """
        for name, value in (("score", score), ("score_jacobian", score_jacobian)):
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; a bound is finite and not negative")
        return cls(score, score**2 + score_jacobian, "bounded score and score Jacobian: C1 = B, C2 = B^2 + K")

    def consensual(self, n_agents: int) -> PolicyConstants:
        """Constants when some parameters are one vector common to all agents.

        A unit direction there moves the stacked theta by at most sqrt(N).

        Args:
            n_agents: N.
        """
        return PolicyConstants(
            np.sqrt(n_agents) * self.first, n_agents * self.second, f"{self.provenance}; shared part common to all"
        )


def policy_constants(policy: Policy) -> PolicyConstants:
    r"""C1 and C2 of the classes for which they are finite.

    *Log-linear.* Let ``delta`` be the largest distance of two feature vectors of an agent in one state. The score
    along u is a sum over agents of independent centred variables ``x_i``, each in an interval of length
    ``delta |u_i|``, so of variance at most ``delta^2 |u_i|^2 / 4`` (Popoviciu), and ``C1 = delta / 2`` by
    Cauchy-Schwarz. The Hessian of log pi is minus the sum of these variances, for every action, so
    ``E |(sum x_i)^2 - Var| <= 2 Var`` gives ``C2 = delta^2 / 2``. No factor N.
    *Reduced softmax.* ``delta = sqrt(2)`` (1 for two actions).
    *Circular.* ``C1^2`` is the largest Fisher information of an angle, ``I_max``, times ``(scale |f|)^2``. With
    ``h_i`` the derivative of the angle's score, ``sum_a |pi''| <= E (sum x_i)^2 + sum_i E |h_i| |u_i|^2`` and
    ``E |h| <= sum_k |p_k''| + I(t) <= c / sqrt 2 + I_max``: ``h = p''/p - (p'/p)^2``, and the mean of |cos x_k| is at
    most ``1 / sqrt 2``. So ``C2 = (2 I_max + c / sqrt 2) (scale |f|)^2``.

    Args:
        policy: the policy class.

    Raises:
        TypeError: a class without such constants: the neural class has kinks and unbounded scores.

    Source: derived here; Popoviciu's inequality on variances.
    """
    if isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy):
        gap = max(float(np.linalg.norm(t[:, :, None] - t[:, None, :], axis=-1).max()) for t in policy.psi)
        return PolicyConstants(gap / 2, gap**2 / 2, f"log-linear with feature distance {gap:.6g} (Popoviciu)")
    if isinstance(policy, CircularPolicy):
        lengths = [policy.scale * float(np.linalg.norm(f, axis=1).max()) for f in policy.features]
        largest = [policy.angle_information(i)[1] for i in range(len(lengths))]
        first = max(np.sqrt(info) * length for info, length in zip(largest, lengths, strict=True))
        second = max(
            (2 * info + policy.radius / np.sqrt(2)) * length**2 for info, length in zip(largest, lengths, strict=True)
        )
        return PolicyConstants(float(first), float(second), f"circular, c = {policy.radius:g}")
    raise TypeError(f"{type(policy).__name__} has no known bounds on two derivatives of the policy for every theta")


@dataclass(frozen=True)
class Smoothness:
    """Constants of J on all of theta-space, Euclidean norm.

    Attributes:
        lipschitz: bound on the norm of grad J (L_J of zhang2025 Assumption 5.8).
        smooth: bound on the operator norm of the Hessian of J.
        constants: the policy constants used.
        reward_span: ``max r_bar - min r_bar``.
    """

    lipschitz: float
    smooth: float
    constants: PolicyConstants
    reward_span: float


def smoothness(mdp: FiniteMDP, constants: PolicyConstants) -> Smoothness:
    """Lipschitz and smoothness constants of J, by the formulas of this module.

    Args:
        mdp: the MDP (its discount and the span of its team reward).
        constants: bounds of the policy class (`policy_constants`).
    """
    span = float(np.ptp(mdp.r_bar))
    horizon = 1 / (1 - mdp.gamma)
    first, second = constants.first, constants.second
    smooth = span * (second * horizon**2 / 2 + mdp.gamma * first**2 * horizon**3)
    return Smoothness(span * first * horizon**2 / 2, smooth, constants, span)


@dataclass(frozen=True, eq=False)
class SmoothnessCheck:
    """Largest derivatives found by search, next to the bounds.

    Attributes:
        bounds: the constants.
        gradient: largest norm of grad J found.
        hessian: largest operator norm of the Hessian found.
        gradient_theta: where the first was found, (N, D).
        hessian_theta: where the second was found, (N, D).
    """

    bounds: Smoothness
    gradient: float
    hessian: float
    gradient_theta: np.ndarray
    hessian_theta: np.ndarray

    @property
    def slack(self) -> tuple[float, float]:
        """Bound over found value, for the gradient and for the Hessian; at least one if the bounds are right."""
        return _ratio(self.bounds.lipschitz, self.gradient), _ratio(self.bounds.smooth, self.hessian)

    @property
    def violated(self) -> bool:
        """Whether a found value exceeds its bound by more than a part in 10^6 (the error of differences)."""
        return min(self.slack) < 1 - 1e-6


def hessian(problem: Problem, theta: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "ND ND"]:
    """Hessian of J in the stacked theta, by central differences of exact gradients, symmetrised.

    Args:
        problem: the problem.
        theta: parameters, (N, D).

    Returns:
        Array (N D, N D), with an error of order `HESSIAN_STEP` squared times fourth derivatives of J.
    """
    columns = []
    for unit in np.eye(theta.size).reshape(-1, *theta.shape):
        up, down = exact(problem, theta + HESSIAN_STEP * unit), exact(problem, theta - HESSIAN_STEP * unit)
        columns.append((up.grad_J - down.grad_J).ravel() / (2 * HESSIAN_STEP))
    matrix = np.stack(columns)
    symmetric: np.ndarray = (matrix + matrix.T) / 2
    return symmetric


def check_smoothness(problem: Problem, *, starts: int = 40, seed: int = 0, spread: float = 2.0) -> SmoothnessCheck:
    """Maximise the norms of the gradient and of the Hessian over theta, and compare with the bounds.

    Args:
        problem: the problem; its policy class needs constants (`policy_constants`).
        starts: random thetas of each search; the best one is improved by a local search.
        seed: seed of the starts.
        spread: standard deviation of the starts.

    Raises:
        TypeError: the policy class has no constants.
        ValueError: fewer than one start.
    """
    if starts < 1:
        raise ValueError(f"starts is {starts}; the search needs at least one")
    bounds = smoothness(problem.mdp, policy_constants(problem.policy))
    shape = (problem.mdp.n_agents, problem.policy.n_parameters)
    rng = np.random.default_rng(seed)

    def gradient_norm(x: np.ndarray) -> float:
        return -float(np.linalg.norm(exact(problem, x.reshape(shape)).grad_J))

    def hessian_norm(x: np.ndarray) -> float:
        return -float(np.linalg.norm(hessian(problem, x.reshape(shape)), 2))

    best: list[tuple[float, np.ndarray]] = []
    for objective in (gradient_norm, hessian_norm):
        start = min(spread * rng.normal(size=(starts, int(np.prod(shape)))), key=objective)
        run = minimize(objective, start, method="L-BFGS-B", options={"maxiter": 8})
        best.append((-float(run.fun), run.x.reshape(shape)))
    return SmoothnessCheck(bounds, best[0][0], best[1][0], best[0][1], best[1][1])


def _ratio(bound: float, found: float) -> float:
    return bound / found if found > 0 else float("inf")
