r"""How asymptotic a run is: the leading actor coefficient from the slow ODE, next to what runs measure.

`ode_prediction` gives, for the time average of ``N ||mean shared gradient||^2 + sum_i ||personal gradient_i||^2``
(the metrics ``shared_gradient + personal_gradient`` of `cac`) over T steps from agreeing agents:

- *leading*: ``floor + I / (alpha_0 T^(1 - sigma_1)) + (o_beta beta_0 + o_zeta zeta_0) T^-sigma_2``. I is the integral
  along the slow ODE (`mdp.ode`). The second term is there because local rewards differ: agents' critics disagree by
  order beta, each actor follows its own, and the rest point moves by order beta. It multiplies the gradient of h at
  the attractor, so it vanishes when the floor is zero; otherwise it is of the *same* order at Theorem 3's exponents.
- *noise*: ``alpha tr(h'' Sigma) / 2``, the next term when the floor is zero. Sigma, the stationary covariance of
  the actor over alpha, solves ``J Sigma + Sigma J^T + C = 0``, C being the noise of the actor plus what the critics
  pass on: ``n_u + B_omega (-A)^{-1} n_omega + B_lambda M^{-1} n_lambda`` (Konda and Tsitsiklis 2004, Theorem 2.6).
  With a floor above zero it is a part of the order-alpha term only: the shift of the mean is in *predicted* alone.
- *predicted*: the average over exactly this horizon with exactly these steps, by moment closure
  (`algorithms._closure`): transients of the critics, lag and noise included.

measured / leading says how asymptotic a run is; measured / predicted says whether it is understood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov
from scipy.stats import t as student

from algorithms._closure import JointField, disagreement_response, expand, iid_law
from algorithms.cac import CACSteps, Sampling
from mdp.ode import MeanField, slow_flow
from mdp.problem import Problem

DIFFERENCE = 1e-4
"""Step of central differences of the slow field and of h; ours: errors near 1e-8, far below the noise of any run."""

CLOSURE_TOLERANCE = 1e-4
"""Relative tolerance of the moment closure; ours: well below what runs resolve, above the noise of differences."""


@dataclass(frozen=True)
class ActorPrediction:
    """What theory says the time average of the stationarity violation is.

    Attributes:
        horizon: T.
        floor: its limit.
        integral: I of the slow ODE.
        offset_beta: o_beta, shift of the floor per unit of beta.
        offset_zeta: o_zeta, per unit of zeta.
        leading: floor plus the leading terms, at this T.
        noise: ``alpha tr(h'' Sigma) / 2``.
        predicted: the average over this horizon by moment closure; NaN if it was not asked for.
        elapsed: ``alpha T`` in units of the slow ODE's time constant; below about 5 the transient is not over.
    """

    horizon: int
    floor: float
    integral: float
    offset_beta: float
    offset_zeta: float
    leading: float
    noise: float
    predicted: float
    elapsed: float


def ode_prediction(
    problem: Problem,
    theta_0: Float[np.ndarray, "N D"] | None,
    steps: CACSteps,
    horizon: int,
    *,
    sampling: Sampling = "double",
    closure: bool = True,
) -> ActorPrediction:
    """Leading coefficient and finite-horizon prediction of the actor's time-averaged violation.

    Critics and reward models start at zero, as in `cac`; projections are taken to be inactive.

    Args:
        problem: with a log-linear policy, and an interior attractor within reach of theta_0.
        theta_0: start, (N, D); None for zeros. Its shared part is averaged.
        steps: step sizes.
        horizon: T.
        sampling: ``"single"`` or ``"double"``.
        closure: whether to integrate the moment closure, whose cost grows with T; otherwise `predicted` is NaN.

    Returns:
        The prediction.

    Raises:
        ValueError: Markovian sampling, whose noise is correlated in time; alpha_0 = 0; a horizon below 1.
        RuntimeError: no attractor, or an integration that fails.
    """
    law = iid_law(sampling)
    if steps.alpha_0 == 0:
        raise ValueError("alpha_0 is 0: the actor does not move, and there is no slow ODE to predict it")
    if horizon < 1:
        raise ValueError(f"horizon is {horizon}; it is at least 1")
    alpha, beta, zeta = steps.at(horizon)
    flow, field = slow_flow(problem, law, theta_0), MeanField(problem, law)
    joint = JointField(field, sampling == "single", beta, zeta, disagreement_response(problem.schedule))
    rest = field.reduce(flow.attractor.theta[None])[0]
    local = _at_rest(joint, rest)
    start = rest * 0 if theta_0 is None else field.reduce(np.asarray(theta_0, dtype=float)[None])[0]
    floor = local.floor
    leading = floor + flow.integral / (alpha * horizon) + local.offset_beta * beta + local.offset_zeta * zeta
    return ActorPrediction(
        horizon, floor, flow.integral, local.offset_beta, local.offset_zeta, leading, alpha * local.noise,
        closure_average(joint, start, alpha, horizon) if closure else float("nan"),
        alpha * horizon / flow.time_constant,
    )  # fmt: skip


def closure_average(joint: JointField, u_0: np.ndarray, alpha: float, horizon: int) -> float:
    """Time average of the violation over t < horizon by moment closure, critics and reward models from zero.

    Args:
        joint: the joint field, which knows beta and zeta.
        u_0: consensus coordinates at the start, (n,).
        alpha: actor step.
        horizon: T.

    Raises:
        RuntimeError: the integration fails.
    """
    features, n = joint.field.problem.features, joint.field.size
    K, L = features.phi_state.shape[1], features.phi_joint.shape[2]
    step = np.concatenate([np.full(n, alpha), np.full(K, joint.beta), np.full(L, joint.zeta)])
    size = len(step)
    upper = np.triu_indices(size)

    def moments(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        covariance = np.zeros((size, size))
        covariance[upper] = state[size:-1]
        return state[:size], covariance + np.triu(covariance, 1).T

    def moves(_: float, state: np.ndarray) -> np.ndarray:
        mean, covariance = moments(state)
        local = expand(joint, mean, covariance)
        cross = local.cross * step
        spread = cross + cross.T + step[:, None] * joint.noise(mean) * step
        return np.concatenate([local.drift * step, spread[upper], [local.violation]])

    begin = np.zeros(size + len(upper[0]) + 1)
    begin[:n] = u_0
    # variances are of the order of a step; the integral of h is of the order of tens
    atol = np.concatenate([np.full(size, 1e-5), np.full(len(upper[0]), 1e-3 * alpha), [1e-2]])
    # an explicit method: the critics are hardly stiff, and Jacobians by differences would drown in those of `expand`
    path = solve_ivp(moves, (0.0, float(horizon)), begin, method="RK23", rtol=CLOSURE_TOLERANCE, atol=atol)
    if not path.success:
        raise RuntimeError(f"the moment closure could not be integrated: {path.message}")
    # a sum over t < T is the integral plus half the difference of its ends
    first, last = moves(0.0, begin)[-1], moves(0.0, path.y[:, -1])[-1]
    return float((path.y[-1, -1] + (first - last) / 2) / horizon)


@dataclass(frozen=True, eq=False)
class RestPoint:
    """The linearised picture at the attractor.

    Attributes:
        floor: h there.
        offset_beta: derivative of h at the rest point in beta.
        offset_zeta: the same in zeta.
        covariance: Sigma, stationary covariance of u over alpha, (n, n).
        noise: ``tr(h'' Sigma) / 2``.
    """

    floor: float
    offset_beta: float
    offset_zeta: float
    covariance: np.ndarray
    noise: float


def rest_point(problem: Problem, theta: Float[np.ndarray, "N D"], *, sampling: Sampling = "double") -> RestPoint:
    """Floor, offsets and stationary covariance at an attractor of the slow ODE.

    Args:
        problem: with a log-linear policy.
        theta: the attractor, (N, D), shared columns equal (`mdp.direction.attractor`).
        sampling: ``"single"`` or ``"double"``.

    Raises:
        ValueError: Markovian sampling.
    """
    field = MeanField(problem, iid_law(sampling))
    joint = JointField(field, sampling == "single", 0.0, 0.0, disagreement_response(problem.schedule))
    return _at_rest(joint, field.reduce(np.asarray(theta, dtype=float)[None])[0])


def _at_rest(joint: JointField, u: np.ndarray) -> RestPoint:
    field, n = joint.field, len(u)
    units = DIFFERENCE * np.eye(n)
    up, down = field.field_and_violation(u + units), field.field_and_violation(u - units)
    jacobian = (up[0] - down[0]).T / (2 * DIFFERENCE)
    slope = (up[1] - down[1]) / (2 * DIFFERENCE)
    point = field.at(field.stack(u[None]))
    omega, lam = (part[:, 0] for part in point.lower_level())
    (A, _), (gram, _) = point.td_system, point.reward_system
    K, L = omega.shape[1], lam.shape[1]
    # the direction is linear in the critics: its derivative is its value at unit critics
    by_omega = np.concatenate([field.reduce(point.direction(e[None, None], 0 * lam[:, None])) for e in np.eye(K)]).T
    by_lam = np.concatenate([field.reduce(point.direction(0 * omega[:, None], e[None, None])) for e in np.eye(L)]).T
    passed = np.hstack([np.eye(n), -by_omega @ np.linalg.inv(A[0]), by_lam @ np.linalg.inv(gram[0])])
    noise = passed @ joint.noise(np.concatenate([u, omega[0], lam[0]])) @ passed.T
    covariance = solve_continuous_lyapunov(jacobian, -noise)
    critic, reward = joint.offsets(point)
    pushes = (point.direction(critic, 0 * reward), point.direction(0 * critic, reward))
    shifts = [float(-slope @ np.linalg.solve(jacobian, field.reduce(push)[0])) for push in pushes]
    # tr(h'' Sigma) along the principal axes of Sigma
    weights, axes = np.linalg.eigh(covariance)
    centre = field.field_and_violation(u[None])[1][0]
    arms = DIFFERENCE * axes.T
    bends = field.field_and_violation(u + arms)[1] + field.field_and_violation(u - arms)[1] - 2 * centre
    noise_term = float(weights @ bends) / (2 * DIFFERENCE**2)
    return RestPoint(float(centre), shifts[0], shifts[1], covariance, noise_term)


@dataclass(frozen=True)
class Asymptoticity:
    """Measured time averages next to a prediction.

    Attributes:
        prediction: what theory says.
        measured: mean over runs.
        standard_error: of that mean.
        z: (measured - predicted) / standard error.
        leading_ratio: (measured - floor) / (leading - floor); 1 when the run is asymptotic.
        low: lower end of its interval.
        high: upper end of its interval.
    """

    prediction: ActorPrediction
    measured: float
    standard_error: float
    z: float
    leading_ratio: float
    low: float
    high: float


def asymptoticity(
    prediction: ActorPrediction, violations: Float[np.ndarray, " R"], *, level: float = 0.95
) -> Asymptoticity:
    """Compare independent runs with a prediction.

    Args:
        prediction: of `ode_prediction`, for the same problem, start, steps and horizon.
        violations: ``shared_gradient + personal_gradient`` at the last checkpoint, one entry per run.
        level: of the t-interval.

    Raises:
        ValueError: fewer than two runs, a value that is not finite, or a level outside (0, 1).
    """
    values = np.asarray(violations, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"violations has shape {values.shape}; it takes at least two runs, all finite")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it lies in (0, 1)")
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(student.ppf((1 + level) / 2, len(values) - 1)) * error
    scale = prediction.leading - prediction.floor
    z = (mean - prediction.predicted) / error if error > 0 else float(np.inf) * np.sign(mean - prediction.predicted)
    low, ratio, high = sorted((mean + k * half - prediction.floor) / scale for k in (-1, 0, 1))
    return Asymptoticity(prediction, mean, error, float(z), ratio, low, high)
