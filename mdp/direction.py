"""Expected actor directions, exactly, under each reading of the papers' algorithms.

Two families. `actor_direction` is the direction of zeng2022 Eqs. (10)-(11) once the lower level is solved.
`td_error_mean` and `direction` are those of zhang2025 Algorithm 1, lines 9-16, with an exact critic and exact
gossip, under every combination of data kernel, critic, TD form and sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Float

from mdp.exact import Exact, Law, exact
from mdp.problem import Problem

Kernel = Literal["original", "restart"]
TDForm = Literal["q", "v", "advantage"]


@dataclass(frozen=True)
class DirectionReading:
    """One reading of zhang2025 Algorithm 1, lines 9-16.

    Attributes:
        data: kernel that generates states and successors (states from its stationary law).
        critic: kernel whose Q (or V) the critic equals.
        form: ``"q"``: ``Q(s,a) - r - gamma Q(s',a')`` as printed; ``"v"``: the same with V in place of Q;
            ``"advantage"``: ``Q - E_pi Q``.
        flipped: whether the sign of the TD error is reversed (``r + gamma Q' - Q``).
    """

    data: Kernel
    critic: Kernel
    form: TDForm
    flipped: bool

    @property
    def label(self) -> str:
        """Short name, such as ``q, restart data, original critic``."""
        sign = ", flipped" if self.flipped else ""
        return f"{self.form}, {self.data} data, {self.critic} critic{sign}"


KERNELS: tuple[Kernel, ...] = ("original", "restart")
FORMS: tuple[TDForm, ...] = ("q", "v", "advantage")

READINGS = tuple(
    DirectionReading(data, critic, form, flipped)
    for form, flipped, data, critic in product(FORMS, (False, True), KERNELS, KERNELS)
)
"""Every reading, the printed TD form and sign first."""


def td_error_mean(original: Exact, restart: Exact, reading: DirectionReading) -> Float[np.ndarray, "S A"]:
    """``E[delta | s, a]`` under a reading, the expectation over s' and a'.

    Args:
        original: quantities of the original kernel.
        restart: quantities of the restart kernel at the same policy.
        reading: what generates the data, what the critic is, the TD form and sign.

    Returns:
        Array (S, A).

    Source: zhang2025 Algorithm 1, line 9.
    """
    views = {"original": original, "restart": restart}
    critic, kernel = views[reading.critic], views[reading.data].P
    if reading.form == "advantage":
        delta = critic.advantage
    else:
        target = original.r_bar + original.gamma * (kernel @ critic.V)  # E over a' of Q(s', a') is V(s')
        delta = (critic.Q if reading.form == "q" else critic.V[:, None]) - target
    return -delta if reading.flipped else delta


def direction(original: Exact, restart: Exact, reading: DirectionReading) -> Float[np.ndarray, "N D"]:
    """``E[d_t]`` under a reading: TD errors times scores, states from the data kernel's stationary law.

    Args:
        original: quantities of the original kernel.
        restart: quantities of the restart kernel at the same policy.
        reading: the reading.

    Returns:
        Array (N, D), to be compared with ``original.grad_J``.

    Source: zhang2025 Algorithm 1, line 16.
    """
    law = original.stationary if reading.data == "original" else original.restart_stationary
    return original.score_expectation(law, td_error_mean(original, restart, reading))


def undiscounted_direction(original: Exact) -> Float[np.ndarray, "N D"]:
    """``E_nu[(r + V(s') - V(s)) score]`` on restart data with the original V: ``(1 - gamma) grad J``.

    The restart itself discounts: ``E[r + V(s') | s, a] = r + gamma P V + (1 - gamma) E_initial V = Q + const``,
    and a constant has no effect because scores have mean zero.

    Args:
        original: quantities of the original kernel.

    Returns:
        Array (N, D).
    """
    kernel = original.gamma * original.P + (1 - original.gamma) * original.initial
    delta = original.r_bar + kernel @ original.V - original.V[:, None]
    return original.score_expectation(original.restart_stationary, delta)


def actor_direction(view: Exact, law: Law) -> Float[np.ndarray, "N D"]:
    """Mean of zeng2022 Eqs. (10)-(11) with omega = omega_td and lambda = lambda_star.

    Args:
        view: quantities at the current policy.
        law: state law of the actor's samples: ``"stationary"`` in Algorithm 1, ``"visitation"`` in Algorithm 2
            (the lower level is solved under mu in both).

    Returns:
        Array (N, D); ``(1 - gamma) grad J`` when the features represent V and r_bar and the law is the visitation.
    """
    values = view.phi_state @ view.omega_td
    delta = view.phi_joint @ view.lambda_star + view.gamma * (view.P @ values) - values[:, None]
    return view.score_expectation(view.law(law), delta)


def stationarity(problem: Problem, theta: Float[np.ndarray, "N D"], view: Exact) -> float:
    """Left-hand side of zeng2022 Theorem 3's second display at one theta.

    ``||Q theta^s||^2 + N ||mean_i grad_{theta^s_i} J||^2 + sum_i ||grad_{theta^p_i} J||^2``.

    Args:
        problem: for the number of shared parameters.
        theta: parameters, (N, H + G).
        view: exact quantities at theta.
    """
    H = problem.policy.n_shared
    shared, gradient = theta[:, :H], view.grad_J
    return float(
        ((shared - shared.mean(axis=0)) ** 2).sum()
        + len(theta) * (gradient[:, :H].mean(axis=0) ** 2).sum()
        + (gradient[:, H:] ** 2).sum()
    )


@dataclass(frozen=True, eq=False)
class Attractor:
    """A rest point of the mean actor dynamics under consensus.

    Attributes:
        theta: parameters, (N, H + G), shared columns equal.
        floor: `stationarity` there: what the time average tends to when runs settle there.
        residual: norm of the mean direction at theta.
        slowest: real part of the dynamics' rightmost eigenvalue; negative means attracting.
    """

    theta: np.ndarray
    floor: float
    residual: float
    slowest: float


def attractor(
    problem: Problem, law: Law, theta_0: Float[np.ndarray, "N D"] | None = None, *, flow_time: float = 2e3
) -> Attractor:
    """Follow the mean actor dynamics (shared parts averaged) to rest, and finish by Newton steps.

    Args:
        problem: the problem.
        law: state law of the actor's samples.
        theta_0: start, (N, H + G); zeros by default.
        flow_time: length of the Euler phase in units of the direction.

    Raises:
        RuntimeError: no attracting rest point was reached (the parameters may run off to infinity).
    """
    N, H, D = problem.mdp.n_agents, problem.policy.n_shared, problem.policy.n_parameters

    def unpack(u: np.ndarray) -> np.ndarray:
        shared = np.broadcast_to(u[:H], (N, H))
        return np.concatenate([shared, u[H:].reshape(N, D - H)], axis=1)

    def flow(u: np.ndarray) -> np.ndarray:
        mean = actor_direction(exact(problem, unpack(u)), law)
        return np.concatenate([mean[:, :H].mean(axis=0), mean[:, H:].ravel()])

    def jacobian(u: np.ndarray) -> np.ndarray:
        step = 1e-6  # central differences: error about 1e-10, ample for Newton
        return np.stack([(flow(u + step * e) - flow(u - step * e)) / (2 * step) for e in np.eye(len(u))], axis=1)

    start = np.zeros((N, D)) if theta_0 is None else theta_0
    u = np.concatenate([start[:, :H].mean(axis=0), start[:, H:].ravel()])
    for _ in range(int(flow_time)):
        u = u + flow(u)
    for _ in range(20):
        u = u - np.linalg.solve(jacobian(u), flow(u))
        if np.linalg.norm(flow(u)) < 1e-13:
            break
    theta, residual = unpack(u), float(np.linalg.norm(flow(u)))
    slowest = float(np.linalg.eigvals(jacobian(u)).real.max())
    if not (residual < 1e-9 and slowest < 0 and np.abs(theta).max() < 50):
        raise RuntimeError(
            f"no attracting rest point from this start: residual {residual:.2g}, rightmost eigenvalue {slowest:.2g}"
        )
    return Attractor(theta, stationarity(problem, theta, exact(problem, theta)), residual, slowest)
