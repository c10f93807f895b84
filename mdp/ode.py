r"""The mean dynamics of coordinated actor-critic: the slow ODE of the actor, and the field it is a limit of.

With agents agreeing on the shared part, an actor is the *consensus coordinate* ``u = (shared, personal_1, ...,
personal_N)`` in R^(H + N G). One step moves it, on average, by ``alpha F(u, omega, lambda)``; with the lower level
solved that is the slow ODE ``u' = F(u)`` in the time ``alpha t``. Along it the stationarity violation
``h(u) = N ||mean shared gradient||^2 + sum_i ||personal gradient_i||^2`` goes from ``h(u_0)`` to its floor ``h(u*)``.

A run of T steps with ``alpha = alpha_0 T^-sigma`` sees this ODE for a time ``alpha T``, so its time average of h is

``floor + I / (alpha_0 T^(1 - sigma)) + o(T^(sigma - 1))``,   ``I = integral_0^inf (h(u(tau)) - h(u*)) dtau``,

whatever the noise, which enters at order alpha (Kurtz 1970; Borkar 2008, Ch. 2), as long as the offsets that the
constant critic steps cause vanish faster; `algorithms.drift` has those. `slow_flow` computes I.

`MeanField` evaluates averages at many points at once: the finite-horizon prediction needs thousands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp

from mdp.direction import Attractor, attractor
from mdp.exact import Law
from mdp.policy import LogLinearPolicy, joint_probabilities
from mdp.problem import Problem

TOLERANCE = 1e-10
"""Relative tolerance of the slow ODE; ours: far below anything a simulation resolves."""

RELAXATIONS = 36.0
"""Length of the slow ODE in slowest time constants; ours: exp(-36) is below the rounding of h."""


@dataclass(frozen=True, eq=False)
class MeanField:
    """Averages of a problem at batches of points; the leading dimension of every argument is the batch.

    Attributes:
        problem: the problem, with a log-linear policy.
        law: state law of the actors' samples.

    Raises:
        TypeError: on construction: another policy class.
        ValueError: on construction: another law.
    """

    problem: Problem
    law: Law

    def __post_init__(self) -> None:
        if not isinstance(self.problem.policy, LogLinearPolicy):
            raise TypeError(f"the mean field is for LogLinearPolicy, not {type(self.problem.policy).__name__}")
        if self.law not in ("stationary", "visitation"):
            raise ValueError(f"law is {self.law!r}, not 'stationary' or 'visitation'")

    @property
    def size(self) -> int:
        """Number of consensus coordinates, H + N G."""
        policy = self.problem.policy
        return policy.n_shared + self.problem.mdp.n_agents * (policy.n_parameters - policy.n_shared)

    def stack(self, u: Float[np.ndarray, "M n"]) -> Float[np.ndarray, "M N D"]:
        """Parameters of all agents at consensus coordinates.

        Args:
            u: consensus coordinates, (M, n).
        """
        N, H, D = self.problem.mdp.n_agents, self.problem.policy.n_shared, self.problem.policy.n_parameters
        shared = np.broadcast_to(u[:, None, :H], (len(u), N, H))
        return np.concatenate([shared, u[:, H:].reshape(len(u), N, D - H)], axis=2)

    def reduce(self, theta: Float[np.ndarray, "M N D"]) -> Float[np.ndarray, "M n"]:
        """Consensus coordinates of parameters or directions: shared parts averaged, personal parts kept.

        Args:
            theta: parameters or directions, (M, N, D).
        """
        H = self.problem.policy.n_shared
        return np.concatenate([theta[:, :, :H].mean(axis=1), theta[:, :, H:].reshape(len(theta), -1)], axis=1)

    def at(self, theta: Float[np.ndarray, "M N D"]) -> FieldPoint:
        """Averages at parameters.

        Args:
            theta: parameters, (M, N, D).
        """
        return FieldPoint(self.problem, self.law, theta)

    def slow_field(self, u: Float[np.ndarray, "M n"]) -> Float[np.ndarray, "M n"]:
        """Right-hand side of the slow ODE: the mean actor direction with the lower level solved.

        Args:
            u: consensus coordinates, (M, n).
        """
        return self.field_and_violation(u)[0]

    def field_and_violation(self, u: Float[np.ndarray, "M n"]) -> tuple[np.ndarray, np.ndarray]:
        """The slow field (M, n) and the stationarity violation h (M,).

        Args:
            u: consensus coordinates, (M, n).
        """
        point = self.at(self.stack(u))
        return self.reduce(point.direction(*point.lower_level())), point.violation()


@dataclass(frozen=True, eq=False)
class FieldPoint:
    """Averages at a batch of parameters, as `mdp.exact.Exact` has them at one.

    Attributes:
        problem: the problem.
        law: state law of the actors' samples.
        theta: parameters, (M, N, D).
    """

    problem: Problem
    law: Law
    theta: np.ndarray

    @cached_property
    def tables(self) -> list[np.ndarray]:
        """Probabilities of every agent, (M, S, A_i) each."""
        policy = self.problem.policy
        assert isinstance(policy, LogLinearPolicy)
        out = []
        for i, psi in enumerate(policy.psi):
            logits = np.einsum("sak,mk->msa", psi, self.theta[:, i])
            weights = np.exp(logits - logits.max(axis=2, keepdims=True))
            out.append(weights / weights.sum(axis=2, keepdims=True))
        return out

    @cached_property
    def scores(self) -> list[np.ndarray]:
        """Scores of every agent, (M, S, A_i, D) each."""
        policy = self.problem.policy
        assert isinstance(policy, LogLinearPolicy)
        pairs = zip(policy.psi, self.tables, strict=True)
        return [psi[None] - np.einsum("msa,sak->msk", table, psi)[:, :, None, :] for psi, table in pairs]

    @cached_property
    def pi(self) -> np.ndarray:
        """Joint policy, (M, S, A)."""
        M, S = len(self.theta), self.problem.mdp.n_states
        flat = [t.reshape(M * S, -1) for t in self.tables]
        return joint_probabilities(flat).reshape(M, S, -1)

    @cached_property
    def P_pi(self) -> np.ndarray:
        """Transition matrices, (M, S, S)."""
        return np.einsum("msa,sat->mst", self.pi, self.problem.mdp.P)

    @cached_property
    def stationary(self) -> np.ndarray:
        """Stationary laws, (M, S); a solve suffices here, where laws are far from deterministic."""
        S = self.problem.mdp.n_states
        system = np.eye(S) - self.P_pi.transpose(0, 2, 1) + 1.0
        return np.linalg.solve(system, np.ones((len(system), S, 1)))[:, :, 0]

    @cached_property
    def visitation(self) -> np.ndarray:
        """Normalised discounted visitations, (M, S)."""
        mdp = self.problem.mdp
        system = np.eye(mdp.n_states) - mdp.gamma * self.P_pi.transpose(0, 2, 1)
        start = np.broadcast_to(((1 - mdp.gamma) * mdp.initial)[:, None], (len(system), mdp.n_states, 1))
        return np.linalg.solve(system, start)[:, :, 0]

    @property
    def actor_law(self) -> np.ndarray:
        """State law of the actors' samples, (M, S)."""
        return self.stationary if self.law == "stationary" else self.visitation

    @cached_property
    def td_system(self) -> tuple[np.ndarray, np.ndarray]:
        """A (M, K, K) and b (M, K) of the mean TD update ``b + A omega``. Source: `Exact.td_system`."""
        phi, mdp = self.problem.features.phi_state, self.problem.mdp
        weighted = self.stationary[:, :, None] * phi
        step = mdp.gamma * self.P_pi @ phi - phi
        r_pi = np.einsum("msa,sa->ms", self.pi, mdp.r_bar)
        return weighted.transpose(0, 2, 1) @ step, np.einsum("msk,ms->mk", weighted, r_pi)

    @cached_property
    def reward_system(self) -> tuple[np.ndarray, np.ndarray]:
        """M (M, L, L) and c (M, L) of the mean reward update ``c - M lambda``."""
        varphi = self.problem.features.phi_joint
        weight = self.stationary[:, :, None] * self.pi
        gram = np.einsum("msa,sap,saq->mpq", weight, varphi, varphi, optimize=True)
        return gram, np.einsum("msa,sap,sa->mp", weight, varphi, self.problem.mdp.r_bar, optimize=True)

    def lower_level(self) -> tuple[np.ndarray, np.ndarray]:
        """omega_td (M, 1, K) and lambda_star (M, 1, L), with a place for the agent."""
        (A, b), (gram, c) = self.td_system, self.reward_system
        omega, lam = np.linalg.solve(-A, b[:, :, None]), np.linalg.solve(gram, c[:, :, None])
        return omega.transpose(0, 2, 1), lam.transpose(0, 2, 1)

    def direction(self, omega: np.ndarray, lam: np.ndarray) -> np.ndarray:
        """Mean of zeng2022 Eqs. (10)-(11) for given critics, (M, N, D).

        Args:
            omega: critics, (M, N, K), or (M, 1, K) if the agents agree.
            lam: reward models, (M, N, L) or (M, 1, L).
        """
        mdp, features = self.problem.mdp, self.problem.features
        values = np.einsum("sk,mik->mis", features.phi_state, omega)
        delta = np.einsum("sal,mil->misa", features.phi_joint, lam)
        delta = delta + mdp.gamma * np.einsum("sat,mit->misa", mdp.P, values) - values[:, :, :, None]
        return self._score_expectation(self.actor_law, delta)

    def violation(self) -> np.ndarray:
        """``N ||mean shared gradient||^2 + sum_i ||personal gradient_i||^2``, (M,)."""
        mdp, H = self.problem.mdp, self.problem.policy.n_shared
        r_pi = np.einsum("msa,sa->ms", self.pi, mdp.r_bar)
        V = np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * self.P_pi, r_pi[:, :, None])[:, :, 0]
        Q = mdp.r_bar + mdp.gamma * np.einsum("sat,mt->msa", mdp.P, V) - V[:, :, None]
        gradient = self._score_expectation(self.visitation, Q[:, None]) / (1 - mdp.gamma)
        shared, personal = gradient[:, :, :H].mean(axis=1), gradient[:, :, H:]
        violation: np.ndarray = mdp.n_agents * (shared**2).sum(axis=1) + (personal**2).sum(axis=(1, 2))
        return violation

    def _score_expectation(self, law: np.ndarray, delta: np.ndarray) -> np.ndarray:
        """`Exact.score_expectation` with a signal (M, N or 1, S, A) of each agent's own."""
        M, sizes = len(law), [t.shape[2] for t in self.tables]
        weight = (law[:, :, None] * self.pi)[:, None] * delta
        rows = []
        for i, score in enumerate(self.scores):
            own = weight[:, i if weight.shape[1] > 1 else 0].reshape(M, -1, *sizes)
            marginal = own.sum(axis=tuple(j + 2 for j in range(len(sizes)) if j != i))
            rows.append(np.einsum("msa,msad->md", marginal, score))
        return np.stack(rows, axis=1)


@dataclass(frozen=True, eq=False)
class SlowFlow:
    """The slow ODE from a start to its attractor.

    Attributes:
        attractor: where it comes to rest; its ``floor`` is h there.
        integral: I, the integral of h above the floor over all time.
        tail: what the part of I beyond the time integrated is estimated at (included).
        time: how long was integrated.
        time_constant: 1 / |rightmost eigenvalue| at the attractor, in units of ``alpha t``.
    """

    attractor: Attractor
    integral: float
    tail: float
    time: float
    time_constant: float


def slow_flow(problem: Problem, law: Law, theta_0: Float[np.ndarray, "N D"] | None = None) -> SlowFlow:
    """Integrate the slow ODE to its attractor, and the stationarity violation above the floor along it.

    Args:
        problem: the problem, with a log-linear policy.
        law: state law of the actors' samples.
        theta_0: start, (N, D), zeros by default; its shared part is averaged.

    Raises:
        TypeError, ValueError: see `MeanField`.
        RuntimeError: no attracting rest point (`mdp.direction.attractor`), or the ODE comes to rest elsewhere.
    """
    field = MeanField(problem, law)
    start = np.zeros((problem.mdp.n_agents, problem.policy.n_parameters)) if theta_0 is None else np.asarray(theta_0)
    rest = attractor(problem, law, start)
    floor = float(field.at(rest.theta[None]).violation()[0])

    def moves(_: float, state: np.ndarray) -> np.ndarray:
        velocity, violation = field.field_and_violation(state[None, :-1])
        return np.append(velocity[0], violation[0] - floor)

    time = RELAXATIONS / abs(rest.slowest)
    begin = np.append(field.reduce(start[None])[0], 0.0)
    path = solve_ivp(moves, (0.0, time), begin, method="LSODA", rtol=TOLERANCE, atol=TOLERANCE)
    if not path.success:
        raise RuntimeError(f"the slow ODE could not be integrated: {path.message}")
    end = path.y[:-1, -1]
    gap = float(np.abs(end - field.reduce(rest.theta[None])[0]).max())
    if gap > 1e-6:
        raise RuntimeError(f"after {RELAXATIONS:g} time constants the slow ODE is {gap:.2g} away from the attractor")
    tail = float(moves(0.0, path.y[:, -1])[-1] / abs(rest.slowest))
    return SlowFlow(rest, float(path.y[-1, -1]) + tail, tail, time, 1 / abs(rest.slowest))
