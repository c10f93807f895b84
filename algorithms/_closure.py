"""Moment closure of a CAC run: the joint dynamics of actor, mean critic and mean reward model with finite steps.

With constant steps the agents' average ``x = (u, omega, lambda)`` (u: `mdp.ode.MeanField`) moves by
``step * (f(x) + noise)``, the step being alpha, beta and zeta on the three parts. Mean m and covariance C of x then
follow ``m' = step * E f``, ``C' = E[(x - m) (step * f)^T] + transpose + step (noise covariance) step``, the
expectations to second order in the fluctuations (van Kampen's expansion). It keeps what the slow ODE drops: the
critics' initial transient, their lag behind a moving target, the noise they pass on to the actor.

The critics disagree by order beta because local rewards differ, and each actor sees its own: an offset that is
linear in beta, computed from the schedule and averaged over its period (`disagreement_response`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algorithms.cac import Sampling
from mdp.exact import Law
from mdp.networks.schedule import Schedule
from mdp.ode import FieldPoint, MeanField

DIFFERENCE = 1e-3
"""Step of differences of f; ours: second differences are then good to 1e-6 by truncation and 1e-10 by rounding."""

LAWS: dict[str, Law] = {"single": "stationary", "double": "visitation"}
"""State law of the actors' i.i.d. samples. Source: zeng2022 Algorithms 1 and 2."""

GUMBEL_VARIANCE = np.pi**2 / 6
"""Variance of the standard Gumbel noise of rewards."""


def iid_law(sampling: Sampling) -> Law:
    """State law of the actors' samples, for the two samplings that draw afresh at every step.

    Args:
        sampling: ``"single"`` or ``"double"``.

    Raises:
        ValueError: Markovian sampling, whose noise is correlated in time.
    """
    if sampling not in LAWS:
        raise ValueError(f"sampling is {sampling!r}; the prediction is for i.i.d. tuples: 'single' or 'double'")
    return LAWS[sampling]


def disagreement_response(schedule: Schedule) -> np.ndarray:
    """Period average of ``y`` in ``y_{t+1} = Q W_t y_t + Q``, (N, N): disagreement that a constant push sustains.

    Args:
        schedule: any schedule.
    """
    N = schedule.n_agents
    Q, W = np.eye(N) - 1.0 / N, schedule.matrices
    grown, offset = np.eye(N), np.zeros((N, N))
    for matrix in W:
        grown, offset = Q @ matrix @ grown, Q @ matrix @ offset + Q
    y = np.linalg.solve(np.eye(N) - grown, offset)
    total = np.zeros((N, N))
    for matrix in W:
        total += y
        y = Q @ matrix @ y + Q
    return total / len(W)


@dataclass(frozen=True, eq=False)
class JointField:
    """Mean and noise of one step of CAC on x = (u, omega, lambda), per unit of step.

    Attributes:
        field: the mean field, with the actors' law.
        same_tuple: whether actors use the critics' tuple (single sampling).
        beta: critic step, for the offset of disagreement.
        zeta: reward-model step, for the same.
        response: `disagreement_response` of the schedule.
    """

    field: MeanField
    same_tuple: bool
    beta: float
    zeta: float
    response: np.ndarray

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """u, omega and lambda of a batch of x.

        Args:
            x: joint coordinates, (M, n + K + L).
        """
        n, K = self.field.size, self.field.problem.features.phi_state.shape[1]
        return x[:, :n], x[:, n : n + K], x[:, n + K :]

    def offsets(self, point: FieldPoint) -> tuple[np.ndarray, np.ndarray]:
        """Disagreement of the critics (M, N, K) and of the reward models (M, N, L), per unit of step.

        Args:
            point: averages at the actors' parameters.
        """
        problem = self.field.problem
        own = problem.mdp.r - problem.mdp.r_bar
        weight = point.stationary[:, :, None] * point.pi
        critic = np.einsum("msa,isa,sk->mik", weight, own, problem.features.phi_state, optimize=True)
        reward = np.einsum("msa,isa,sal->mil", weight, own, problem.features.phi_joint, optimize=True)
        return self.response @ critic, self.response @ reward

    def mean(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F (M, n + K + L) and the stationarity violation (M,).

        Args:
            x: joint coordinates, (M, n + K + L).
        """
        u, omega, lam = self.split(x)
        point = self.field.at(self.field.stack(u))
        (A, b), (gram, c) = point.td_system, point.reward_system
        critic, reward = self.offsets(point)
        actor = point.direction(omega[:, None] + self.beta * critic, lam[:, None] + self.zeta * reward)
        parts = [
            self.field.reduce(actor),
            b + np.einsum("mkj,mj->mk", A, omega),
            c - np.einsum("mkj,mj->mk", gram, lam),
        ]
        return np.concatenate(parts, axis=1), point.violation()

    def noise(self, x: np.ndarray) -> np.ndarray:
        """Covariance (n + K + L, n + K + L) of one sample of f at one x.

        Args:
            x: joint coordinates, (n + K + L,).
        """
        problem = self.field.problem
        mdp, phi, varphi = problem.mdp, problem.features.phi_state, problem.features.phi_joint
        u, omega, lam = (part[0] for part in self.split(x[None]))
        point = self.field.at(self.field.stack(u[None]))
        values = phi @ omega
        jump = mdp.gamma * values[None, None, :] - values[:, None, None]  # (S, 1, S)
        critic = phi[:, None, None, :] * (mdp.r_bar[:, :, None] + jump)[..., None]
        reward = varphi * (mdp.r_bar - varphi @ lam)[..., None]
        score = self.field.reduce(joint_scores(point).reshape(-1, *point.theta.shape[1:]))
        score = score.reshape(*mdp.r_bar.shape, -1)
        actor = score[:, :, None, :] * ((varphi @ lam)[:, :, None] + jump)[..., None]
        shape = actor.shape[:3]
        lower = np.concatenate([critic, np.broadcast_to(reward[:, :, None, :], (*shape, reward.shape[-1]))], axis=3)
        tuples = point.pi[0][:, :, None] * mdp.P
        weight = point.stationary[0][:, None, None] * tuples
        if self.same_tuple:
            covariance = _covariance(weight, np.concatenate([actor, lower], axis=3))
        else:
            n = actor.shape[3]
            covariance = np.zeros((len(x), len(x)))
            covariance[:n, :n] = _covariance(point.visitation[0][:, None, None] * tuples, actor)
            covariance[n:, n:] = _covariance(weight, lower)
        if mdp.reward_noise == "gumbel":
            n, both = self.field.size, np.broadcast_to(phi[:, None, :], (*varphi.shape[:2], phi.shape[1]))
            features = np.concatenate([both, varphi], axis=2)
            second = np.einsum("sa,sap,saq->pq", weight.sum(axis=2), features, features, optimize=True)
            covariance[n:, n:] += GUMBEL_VARIANCE / mdp.n_agents * second
        return covariance


def joint_scores(point: FieldPoint) -> np.ndarray:
    """Score of every agent at every (s, joint action), (S, A, N, D).

    Args:
        point: averages at a batch of one.
    """
    sizes = point.problem.mdp.n_actions
    local = np.unravel_index(np.arange(point.problem.mdp.n_joint_actions), sizes)
    return np.stack([score[0][:, chosen] for score, chosen in zip(point.scores, local, strict=True)], axis=2)


def _covariance(weight: np.ndarray, values: np.ndarray) -> np.ndarray:
    flat, law = values.reshape(-1, values.shape[-1]), weight.reshape(-1)
    mean = law @ flat
    covariance: np.ndarray = (flat * law[:, None]).T @ flat - np.outer(mean, mean)
    return covariance


@dataclass(frozen=True, eq=False)
class Expansion:
    """Averages of f and h about a mean, to second order in the fluctuations.

    Attributes:
        drift: ``E f``.
        cross: ``E (x - m) f(x)^T``, the covariance times the transposed Jacobian.
        violation: ``E h``.
    """

    drift: np.ndarray
    cross: np.ndarray
    violation: float


def expand(joint: JointField, mean: np.ndarray, covariance: np.ndarray) -> Expansion:
    """Second-order expansion of f and h about `mean`, derivatives by differences along the axes of the covariance.

    ``sum_k w_k v_k v_k^T = covariance`` whatever the order or signs of the eigenpairs, so the result is smooth in it.

    Args:
        joint: the field.
        mean: (n,).
        covariance: (n, n), symmetric.
    """
    weights, axes = np.linalg.eigh(covariance)
    arms = DIFFERENCE * axes.T
    rates, violation = joint.mean(np.concatenate([mean[None], mean + arms, mean - arms]))
    n = len(mean)
    bends = rates[1 : n + 1] + rates[n + 1 :] - 2 * rates[0]
    bumps = violation[1 : n + 1] + violation[n + 1 :] - 2 * violation[0]
    slopes = (rates[1 : n + 1] - rates[n + 1 :]) / (2 * DIFFERENCE)
    half = weights / (2 * DIFFERENCE**2)
    return Expansion(rates[0] + half @ bends, (axes * weights) @ slopes, float(violation[0] + half @ bumps))
