"""How far one step moves the actor and the critics' target, for runs at rest: leading coefficients in alpha.

Source: ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from algorithms._closure import iid_law, joint_scores
from algorithms.cac import Sampling
from mdp.exact import Law, exact
from mdp.ode import MeanField
from mdp.problem import Problem
from mdp.sensitivity import omega_td_jacobian


@dataclass(frozen=True)
class DriftCoefficients:
    """Leading coefficients of what moves from one step to the next, per alpha^2, for runs that rest at an attractor.

    Attributes:
        critic_drift: of ``||omega_td(theta_{t+1}) - omega_td(theta_t)||^2``.
        actor_move: of ``||theta_{t+1} - theta_t||^2``.
        disagreement: of ``||Q theta^s||^2``.
    """

    critic_drift: float
    actor_move: float
    disagreement: float


def drift_coefficients(
    problem: Problem, theta: Float[np.ndarray, "N D"], *, sampling: Sampling = "double"
) -> DriftCoefficients:
    r"""Leading coefficients of the drift metrics of `cac` at an attractor, as all steps tend to zero.

    A step is ``(W_t - I) theta^s + alpha g``: the disagreement y of the shared parts is itself of order alpha, so
    mixing moves theta as much as the actor's signal does. Mean and second moment of ``y / alpha`` follow
    ``y_{t+1} = Q W_t y_t + Q g`` round the schedule's period to their fixed point; then
    ``E ||omega'(theta) ((W - I) y + g)||^2`` with the exact derivative (`mdp.sensitivity`).

    Args:
        problem: with a log-linear policy.
        theta: the attractor, (N, D), shared columns equal.
        sampling: ``"single"`` or ``"double"``.

    Raises:
        ValueError: Markovian sampling.
    """
    theta = np.asarray(theta, dtype=float)
    mean, second = _direction_moments(problem, theta, iid_law(sampling))
    N, D = theta.shape
    kept = np.diag((np.arange(D) < problem.policy.n_shared).astype(float))
    Q = np.kron(np.eye(N) - 1.0 / N, kept)
    mixes = [Q @ np.kron(W, kept) for W in problem.schedule.matrices]
    turns = [np.kron(W - np.eye(N), kept) for W in problem.schedule.matrices]
    y, yy = np.zeros(N * D), np.zeros((N * D, N * D))
    jacobian = omega_td_jacobian(exact(problem, theta)).reshape(-1, N * D)
    previous, totals = np.full(3, np.inf), np.zeros(3)
    while np.abs(totals - previous).max() > 1e-13 * np.abs(totals).max():
        previous, totals = totals, np.zeros(3)
        for mix, turn in zip(mixes, turns, strict=True):
            cross = np.outer(turn @ y, mean)
            moved = turn @ yy @ turn.T + cross + cross.T + second
            totals += np.array([np.trace(jacobian @ moved @ jacobian.T), np.trace(moved), np.trace(yy)]) / len(mixes)
            cross = np.outer(mix @ y, Q @ mean)
            y, yy = mix @ y + Q @ mean, mix @ yy @ mix.T + cross + cross.T + Q @ second @ Q
    return DriftCoefficients(*map(float, totals))


def _direction_moments(problem: Problem, theta: np.ndarray, law: Law) -> tuple[np.ndarray, np.ndarray]:
    """Mean (N D,) and second moment (N D, N D) of all agents' actor steps with the lower level solved."""
    point = MeanField(problem, law).at(theta[None])
    mdp, features = problem.mdp, problem.features
    omega, lam = (part[0, 0] for part in point.lower_level())
    values = features.phi_state @ omega
    signal = (features.phi_joint @ lam)[:, :, None] + mdp.gamma * values - values[:, None, None]
    weight = point.actor_law[0][:, None, None] * point.pi[0][:, :, None] * mdp.P
    scores = joint_scores(point).reshape(-1, theta.size)
    first, square = (weight * signal).sum(axis=2).reshape(-1), (weight * signal**2).sum(axis=2).reshape(-1)
    return first @ scores, (scores * square[:, None]).T @ scores
