"""Approximation and sampling errors, the biases of the actor's direction they cause, and the floors they imply.

zeng2022 names two constants, eps_app and eps_sp, whose definitions are in Appendix E of its technical report,
which is not at hand. What the text says of them: eps_app quantifies "the approximation error due to utilizing linear
function for policy evaluation", and eps_sp a mismatch between the laws of the actor's and the critics' updates.
So every natural reading is computed here:

* critic: ``||Phi omega - V||`` under mu, under d, and in the sup norm, for the best omega in that norm and for each
  of the three omega* of the lower level; reward: ``||varphi lambda - r_bar||`` likewise, pairs weighted by law x pi;
* sampling: distances between mu and d (`SamplingMismatch`);
* what enters the theorem in the end: the biases of the expected direction (`actor_bias`), exact and additive.

A constant that serves for all theta is a supremum of these over theta: take the maximum over the thetas visited.

The file is long because it spells out every reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from scipy.optimize import linprog

from mdp.direction import Attractor, actor_direction, attractor
from mdp.exact import Exact, Law, exact
from mdp.linear import identity_like, to_float
from mdp.problem import Problem

Weighting = Literal["stationary", "visitation", "sup"]
Target = Literal["critic", "reward"]
Solution = Literal["best", "omega_td", "omega_bellman", "omega_td_error", "lambda_star"]

SOLUTIONS: dict[Target, tuple[Solution, ...]] = {
    "critic": ("best", "omega_td", "omega_bellman", "omega_td_error"),
    "reward": ("best", "lambda_star"),
}
"""What may stand for the parameters of each linear model."""


@dataclass(frozen=True)
class ApproximationError:
    """One reading of eps_app at one policy.

    Attributes:
        target: ``"critic"`` (V) or ``"reward"`` (r_bar).
        weighting: ``"stationary"``, ``"visitation"`` (root mean square) or ``"sup"``.
        solution: ``"best"`` in that norm, or the lower-level solution that is used.
        error: the norm of the residual, in units of V or of the reward.
    """

    target: Target
    weighting: Weighting
    solution: Solution
    error: float


@dataclass(frozen=True)
class SamplingMismatch:
    """Readings of eps_sp as a distance between mu and d at one policy.

    Attributes:
        total_variation: half the 1-norm of d - mu.
        sup_norm: ``max_s |d_s - mu_s|``.
        chi_stationary: ``sqrt(sum (d - mu)^2 / mu)``, the norm of the density ratio minus one under mu.
        chi_visitation: ``sqrt(sum (d - mu)^2 / d)``; infinite when d misses a state.
        ratio: ``max_s |d_s / mu_s - 1|``.
    """

    total_variation: float
    sup_norm: float
    chi_stationary: float
    chi_visitation: float
    ratio: float


@dataclass(frozen=True, eq=False)
class ActorBias:
    """Bias of the expected actor direction: ``direction - (1 - gamma) grad J``, split exactly.

    With ``D_law(delta) = E_{law, pi}[delta score]``, ``delta_hat`` the model's TD error and ``delta`` that with V and
    r_bar in place of the models: ``total = D_actor(delta_hat) - D_d(delta)``.

    Attributes:
        total: (N, D); equals ``approximation + sampling``.
        critic: ``D_app((gamma P - I)(Phi omega_td - V))``, (N, D).
        reward: ``D_app(varphi lambda_star - r_bar)``, (N, D).
        approximation: b_app = ``D_app(delta_hat - delta)`` = critic + reward.
        sampling: b_sp, the change of law from d to the actor's, with the other of delta and delta_hat.
    """

    total: np.ndarray
    critic: np.ndarray
    reward: np.ndarray
    approximation: np.ndarray
    sampling: np.ndarray


@dataclass(frozen=True)
class Floors:
    """What biases add to the left-hand side of zeng2022 Theorem 3 at a rest point of the expected direction.

    Attributes:
        total: ``(N |mean_i b^s_i|^2 + sum_i |b^p_i|^2) / (1 - gamma)^2``: `mdp.direction.stationarity` at rest.
        approximation: the same of b_app alone.
        sampling: the same of b_sp alone.
        cross: twice their inner product, so that ``total = approximation + sampling + cross``.
    """

    total: float
    approximation: float
    sampling: float
    cross: float


def approximation_error(
    view: Exact, target: Target, weighting: Weighting, solution: Solution = "best"
) -> ApproximationError:
    """One reading of eps_app.

    Args:
        view: quantities at a policy; rationals are rounded to floats for the norm.
        target: ``"critic"`` or ``"reward"``.
        weighting: the norm.
        solution: ``"best"`` or a lower-level solution of that target (`SOLUTIONS`).

    Raises:
        ValueError: an unknown name, or a solution that belongs to the other target.
        RuntimeError: the linear program of the best sup-norm fit failed.

    Source: ours; zeng2022 uses eps_app in Proposition 2 and Theorem 3.
    """
    if target not in SOLUTIONS:
        raise ValueError(f"target is {target!r}, not 'critic' or 'reward'")
    if weighting not in get_args(Weighting):
        raise ValueError(f"weighting is {weighting!r}, not one of {', '.join(get_args(Weighting))}")
    if solution not in SOLUTIONS[target]:
        raise ValueError(f"solution is {solution!r}; for the {target} it is one of {', '.join(SOLUTIONS[target])}")
    if target == "critic":
        design, values = to_float(view.phi_state), to_float(view.V)
    else:
        design, values = to_float(view.phi_joint).reshape(view.pi.size, -1), to_float(view.r_bar).ravel()
    weight = np.ones(len(values)) if weighting == "sup" else _weights(view, target, weighting)
    if solution != "best":
        parameters = to_float(getattr(view, solution))
    elif weighting == "sup":
        parameters = _chebyshev_fit(design, values)
    else:
        root = np.sqrt(weight)
        parameters = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
    residual = np.abs(design @ parameters - values)
    error = residual.max() if weighting == "sup" else np.sqrt(weight @ residual**2)
    return ApproximationError(target, weighting, solution, float(error))


def approximation_errors(view: Exact) -> tuple[ApproximationError, ...]:
    """Every reading of eps_app at one policy: targets x solutions x weightings.

    Args:
        view: quantities at a policy.
    """
    return tuple(
        approximation_error(view, target, weighting, solution)
        for target, solutions in SOLUTIONS.items()
        for solution in solutions
        for weighting in get_args(Weighting)
    )


def sampling_mismatch(view: Exact) -> SamplingMismatch:
    """Every distance between the stationary law and the visitation at one policy.

    Args:
        view: quantities at a policy.
    """
    mu, d = to_float(view.stationary), to_float(view.visitation)
    gap = np.abs(to_float(view.visitation - view.stationary))
    missed = bool((d <= 0).any())
    return SamplingMismatch(
        total_variation=float(gap.sum() / 2),
        sup_norm=float(gap.max()),
        chi_stationary=float(np.sqrt((gap**2 / mu).sum())),
        chi_visitation=np.inf if missed else float(np.sqrt((gap**2 / d).sum())),
        ratio=float((gap / mu).max()),
    )


def actor_bias(view: Exact, law: Law, *, approximation_under: Law = "visitation") -> ActorBias:
    """Bias of the expected direction of zeng2022 Eqs. (10)-(11), lower level solved, split in two that add up.

    The split depends on the order in which truth is replaced: with `approximation_under` the visitation,
    ``b_app = D_d(delta_hat - delta)`` and ``b_sp = (D_actor - D_d)(delta_hat)``; with the stationary law,
    ``b_app = D_mu(delta_hat - delta)`` and b_sp is the rest, ``(D_mu - D_d)(delta)`` when the actor samples mu.

    Args:
        view: quantities at a policy, floats or rationals (exact then).
        law: state law of the actor's samples (``"visitation"`` is double sampling).
        approximation_under: law under which the approximation part is weighed.

    Returns:
        The bias; ``sampling`` vanishes when `law` and `approximation_under` are both the visitation, and
        ``approximation`` when the features represent V and r_bar.

    Source: ours; zeng2022 Sec. 4 attributes eps_sp to the mismatch of laws and eps_app to linear models.
    """
    weight = view.law(approximation_under)
    excess = view.phi_state @ view.omega_td - view.V
    critic = view.score_expectation(weight, view.gamma * (view.P @ excess) - excess[:, None])
    reward = view.score_expectation(weight, view.phi_joint @ view.lambda_star - view.r_bar)
    total = actor_direction(view, law) - (1 - view.gamma) * view.grad_J
    return ActorBias(total, critic, reward, critic + reward, _sampling_part(view, law, approximation_under))


def _sampling_part(view: Exact, law: Law, approximation_under: Law) -> np.ndarray:
    """Computed from the difference of laws, not as total minus approximation: that they add up is then a test."""
    values = view.phi_state @ view.omega_td
    model = view.phi_joint @ view.lambda_star + view.gamma * (view.P @ values) - values[:, None]
    # D_law(hat) - D_d(delta) - D_u(hat - delta) = (D_law - D_u)(hat) + (D_u - D_d)(delta)
    under = view.law(approximation_under)
    moved_model = view.score_expectation(view.law(law) - under, model)
    moved_truth = view.score_expectation(under - view.visitation, view.advantage)
    part: np.ndarray = moved_model + moved_truth
    return part


def bias_bounds(view: Exact, law: Law) -> tuple[float, float]:
    """Upper bounds on the agent-wise norms ``max_i |b_app,i|`` and ``max_i |b_sp,i|`` from eps_app and eps_sp.

    ``|b_app,i| <= max |score_i| (eps_reward + 2 eps_critic)`` with errors of the solutions used, weighted by d, since
    ``gamma d P_pi <= d`` gives ``E_d |(gamma P - I) e| <= 2 E_d |e|``; and
    ``|b_sp,i| <= 2 TV(mu, d) max_s |E_pi[delta_hat score_i]|`` (zero for the visitation).

    Args:
        view: quantities at a policy.
        law: state law of the actor's samples.

    Source: ours: how constants of the kind of zeng2022's enter its Proposition 2.
    """
    reach = max(float(np.linalg.norm(to_float(score), axis=2).max()) for score in view.scores)
    reward = approximation_error(view, "reward", "visitation", "lambda_star").error
    critic = approximation_error(view, "critic", "visitation", "omega_td").error
    if law == "visitation":
        return reach * (reward + 2 * critic), 0.0
    values = view.phi_state @ view.omega_td
    model = view.phi_joint @ view.lambda_star + view.gamma * (view.P @ values) - values[:, None]
    largest = max(
        float(np.linalg.norm(to_float(view.score_expectation(start, model)), axis=1).max())
        for start in identity_like(view.P, len(view.initial))
    )
    return reach * (reward + 2 * critic), 2 * sampling_mismatch(view).total_variation * largest


def floors(problem: Problem, bias: ActorBias) -> Floors:
    """What a bias adds to zeng2022 Theorem 3's left-hand side when the expected direction is at rest.

    At rest the free part of the direction is zero, so ``(1 - gamma) grad J = -bias`` there; shared parameters are
    equal and only the mean over agents of their part is free.

    Args:
        problem: for the number of shared parameters and gamma.
        bias: from `actor_bias` at the rest point (elsewhere: the floor this bias would cause).
    """
    H, scale = problem.policy.n_shared, (1 - problem.mdp.gamma) ** -2

    def inner(x: np.ndarray, y: np.ndarray) -> float:
        shared = len(x) * (x[:, :H].mean(axis=0) * y[:, :H].mean(axis=0)).sum() if H else 0.0
        return float(scale * (shared + (x[:, H:] * y[:, H:]).sum()))

    app, sampling = to_float(bias.approximation), to_float(bias.sampling)
    total = to_float(bias.total)
    return Floors(inner(total, total), inner(app, app), inner(sampling, sampling), 2 * inner(app, sampling))


def attractor_floors(
    problem: Problem,
    law: Law,
    theta_0: Float[np.ndarray, "N D"] | None = None,
    *,
    approximation_under: Law = "visitation",
    flow_time: float = 2e3,
) -> tuple[Attractor, Floors]:
    """The rest point that the expected direction is attracted to, and its floor split by cause.

    Args:
        problem: the problem.
        law: state law of the actor's samples.
        theta_0: start of the flow, (N, H + G).
        approximation_under: as in `actor_bias`.
        flow_time: length of the flow before Newton steps, as in `mdp.direction.attractor`.

    Raises:
        RuntimeError: no attracting rest point was reached from there.
    """
    rest = attractor(problem, law, theta_0, flow_time=flow_time)
    view = exact(problem, rest.theta)
    return rest, floors(problem, actor_bias(view, law, approximation_under=approximation_under))


def _weights(view: Exact, target: Target, weighting: Weighting) -> np.ndarray:
    law = np.maximum(to_float(view.law("stationary" if weighting == "stationary" else "visitation")), 0.0)
    return law if target == "critic" else (law[:, None] * to_float(view.pi)).ravel()


def _chebyshev_fit(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Parameters of the least maximal residual: minimise t subject to ``|design x - values| <= t``."""
    ones, columns = np.ones((len(values), 1)), design.shape[1]
    scale = max(float(np.abs(values).max()), np.finfo(float).tiny)  # the solver's tolerances are absolute
    result = linprog(
        np.append(np.zeros(columns), 1.0),
        A_ub=np.block([[design, -ones], [-design, -ones]]),
        b_ub=np.concatenate([values, -values]) / scale,
        bounds=[(None, None)] * columns + [(0, None)],
    )
    if result.status != 0:
        raise RuntimeError(f"the sup-norm fit failed: {result.message}")
    parameters: np.ndarray = result.x[:columns] * scale
    return parameters
