"""Coordinated actor-critic of zeng2022: Algorithm 1, Algorithm 2 (double sampling), and both along trajectories."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

import numpy as np
import xarray as xr
from jaxtyping import Float

from algorithms._cac_kernel import _cac
from algorithms._cac_lazy_kernel import _cac_lazy
from algorithms._inputs import _generator, _initial, _require_mixing, _tables, _whole
from algorithms._sampler_setup import dynamics_of, empty_anchor, prefers_regeneration
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem

Sampling = Literal["single", "double", "markov", "markov-double"]
"""Where the tuples (s, a, s') come from; see `cac`."""

SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)

Sampler = Literal["solve", "regenerate", "auto"]
"""How i.i.d. tuples are drawn from the stationary laws; see `cac`."""

SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)

METRICS = (
    "critic_error_td",
    "critic_error_bellman",
    "critic_error_td_error",
    "reward_error",
    "shared_disagreement",
    "shared_gradient",
    "personal_gradient",
    "J",
)
"""Measured along a run: sum_i ||omega_i - omega*||^2 for the three omega*, sum_i ||lambda_i - lambda*||^2,
||Q theta^s||^2, N ||mean shared gradient||^2, sum_i ||personal gradient_i||^2, and J."""

DRIFT_METRICS = ("critic_drift", "actor_move")
"""Measured from t to t + 1: ||omega_td(theta_{t+1}) - omega_td(theta_t)||^2, how far the actor moves the critics'
target, and ||theta_{t+1} - theta_t||^2 over all agents, the mixing of the shared part included."""


@dataclass(frozen=True)
class CACSteps:
    """Step sizes of zeng2022 Proposition 1: alpha_0 T^-sigma_1 for the actor, beta_0, zeta_0 T^-sigma_2.

    Attributes:
        alpha_0: actor scale, nonnegative (0 freezes the policy once shared parameters agree; they still mix).
        beta_0: critic scale, positive.
        zeta_0: reward-model scale, positive.
        sigma_1: actor exponent in (0, 1).
        sigma_2: critic exponent in (0, 1).

    Raises:
        ValueError: on construction, naming the argument and its value. ``sigma_2 < sigma_1`` is *not*
            required: the claim that it must hold is one of the statements under test.
    """

    alpha_0: float = 1.0
    beta_0: float = 1.0
    zeta_0: float = 1.0
    sigma_1: float = 0.6
    sigma_2: float = 0.4

    def __post_init__(self) -> None:
        for name, floor in (("alpha_0", 0.0), ("beta_0", 0.0), ("zeta_0", 0.0)):
            value = getattr(self, name)
            if not isfinite(value) or value < floor or (value == 0 and name != "alpha_0"):
                raise ValueError(f"{name} is {value:g}; step sizes are finite and positive (alpha_0 may be 0)")
        for name in ("sigma_1", "sigma_2"):
            value = getattr(self, name)
            if not 0.0 < value < 1.0:
                raise ValueError(f"{name} is {value:g}; step exponents lie strictly between 0 and 1")

    def at(self, horizon: int) -> tuple[float, float, float]:
        """Constant steps (alpha, beta, zeta) for a run of `horizon` iterations.

        Args:
            horizon: T.
        """
        alpha = self.alpha_0 * horizon**-self.sigma_1
        critic = horizon**-self.sigma_2
        return float(alpha), float(self.beta_0 * critic), float(self.zeta_0 * critic)


def cac(
    problem: Problem,
    horizon: int,
    seed: int | np.random.SeedSequence | np.random.Generator,
    *,
    steps: CACSteps | None = None,
    sampling: Sampling = "single",
    radius_omega: float = 1e3,
    radius_lambda: float = 1e3,
    theta_0: Float[np.ndarray, "N D"] | None = None,
    omega_0: Float[np.ndarray, "N K"] | None = None,
    lambda_0: Float[np.ndarray, "N L"] | None = None,
    n_checkpoints: int = 1,
    metric_every: int = 1,
    sampler: Sampler = "solve",
) -> xr.Dataset:
    """Run CAC for `horizon` iterations with constant steps and return a labelled trace.

    Under the listing's i.i.d. sampling every iteration samples exactly from mu_theta (and d_theta). They are solved
    for afresh, or drawn from by regeneration, which needs no solve and is far faster for many states and slow actors
    (exact too; another random stream, so other bits for a seed). Under Markovian sampling the states form
    trajectories that start from the initial law: the critics', and under ``"markov"`` also the actors', moves by P;
    under ``"markov-double"`` the actors have one of their own whose next state is s' with probability gamma and a
    fresh start otherwise, so that its stationary law is d_theta (zhang2025 Lemma 4.2), while the actors' TD signal
    still sees s' ~ P.

    Args:
        problem: log-linear policy class; any schedule.
        horizon: T, at least 1.
        seed: integer, SeedSequence or Generator; the same seed gives the same bits.
        steps: step sizes; the default is that of Theorem 3.
        sampling: ``"single"`` (Algorithm 1), ``"double"`` (Algorithm 2), ``"markov"`` (Algorithm 1 along one
            trajectory) or ``"markov-double"`` (Algorithm 2 along two).
        radius_omega: projection radius of the critics; it should contain every omega*(theta).
        radius_lambda: projection radius of the reward models.
        theta_0: initial parameters (N, H + G), zeros by default.
        omega_0: initial critics (N, K), zeros by default.
        lambda_0: initial reward models (N, L), zeros by default.
        n_checkpoints: how many log-spaced times to report, the last being T.
        metric_every: measure once in every so many iterations, in the middle of each block; time averages are over
            the measured ones.
        sampler: ``"solve"``; ``"regenerate"`` (i.i.d. sampling only; worth it with thinned metrics); ``"auto"``:
            regeneration where it mixes fast enough at the start.

    Returns:
        Dataset with dimension ``checkpoint`` (coordinate ``t``): each of `METRICS` and `DRIFT_METRICS` as a running
        time average ``<name>`` and as the last measured value ``<name>_now``; ``theta``, ``omega``, ``lam`` at the
        end, with dimension ``agent``.

    Raises:
        TypeError: the policy is not log-linear.
        ValueError: an argument out of range (named), initial values of a wrong shape.
        ReducibleChainError, PeriodicChainError: the chain under the (fully supported) policy has no
            mixing stationary law.
        FloatingPointError: the run left the floats (infinite radii and large steps), or probabilities
            underflowed until a law or a lower-level solution was lost; the message names what is not finite.

    Source: zeng2022 Algorithms 1-2, Eqs. (9)-(13). The paper has no Markovian variant: line 3 with s_t carried over
        is the usual one, and the restart trajectory is ours, after zhang2025 Sec. 3.1.
    """
    if not isinstance(problem.policy, LogLinearPolicy):
        raise TypeError(f"cac runs on LogLinearPolicy, not {type(problem.policy).__name__}")
    if sampling not in SAMPLINGS:
        raise ValueError(f"sampling is {sampling!r}, not one of {', '.join(map(repr, SAMPLINGS))}")
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler is {sampler!r}, not one of {', '.join(map(repr, SAMPLERS))}")
    if sampler == "regenerate" and sampling.startswith("markov"):
        raise ValueError(f"sampler 'regenerate' draws from stationary laws; sampling is {sampling!r}")
    horizon, metric_every = _whole("horizon", horizon), _whole("metric_every", metric_every)
    n_checkpoints = _whole("n_checkpoints", n_checkpoints)
    for name, radius in (("radius_omega", radius_omega), ("radius_lambda", radius_lambda)):
        if not radius > 0:
            raise ValueError(f"{name} is {radius:g}; projection radii are positive")
    mdp, policy, features = problem.mdp, problem.policy, problem.features
    _require_mixing(problem)
    N, D = mdp.n_agents, policy.n_parameters
    K, L = features.phi_state.shape[1], features.phi_joint.shape[2]
    theta = _initial("theta_0", theta_0, (N, D))
    omega = _initial("omega_0", omega_0, (N, K))
    lam = _initial("lambda_0", lambda_0, (N, L))
    alpha, beta, zeta = (steps or CACSteps()).at(horizon)
    names = METRICS + DRIFT_METRICS
    checkpoints = np.unique(np.geomspace(1, horizon, n_checkpoints + 1).round().astype(np.int64)[1:])
    averages, instants = np.empty((2, len(checkpoints), len(names)))
    markov, double = sampling.startswith("markov"), sampling.endswith("double")
    rest = (
        *(alpha, beta, zeta, float(radius_omega), float(radius_lambda)),
        *(theta, omega, lam, checkpoints, metric_every, averages, instants),
    )
    sampler = "solve" if sampler == "auto" and (markov or not prefers_regeneration(problem, theta)) else sampler
    if sampler == "solve":
        _cac(_generator(seed), *_tables(problem), double, markov, *rest)
    else:
        sampler, dynamics = "regenerate", dynamics_of(problem)
        _cac_lazy(_generator(seed), dynamics, empty_anchor(dynamics), *_tables(problem), double, *rest)
    _require_finite(theta, omega, lam, averages)
    data: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for k, name in enumerate(names):
        data[name] = (("checkpoint",), averages[:, k])
        data[f"{name}_now"] = (("checkpoint",), instants[:, k])
    data["theta"] = (("agent", "parameter"), theta)
    data["omega"] = (("agent", "critic_feature"), omega)
    data["lam"] = (("agent", "reward_feature"), lam)
    attributes: dict[str, str | float] = {"problem": problem.name, "sampling": sampling, "sampler": sampler}
    attributes |= {"alpha": alpha, "beta": beta, "zeta": zeta}
    return xr.Dataset(data, coords={"t": (("checkpoint",), checkpoints)}, attrs=attributes)


def _require_finite(theta: np.ndarray, omega: np.ndarray, lam: np.ndarray, averages: np.ndarray) -> None:
    lost = [n for n, x in (("theta", theta), ("omega", omega), ("lam", lam)) if not np.isfinite(x).all()]
    columns = zip(METRICS + DRIFT_METRICS, averages.T, strict=True)
    lost += [name for name, column in columns if not np.isfinite(column).all()]
    if lost:
        raise FloatingPointError(
            f"not finite at the end of the run: {', '.join(lost)}; the steps are too large, or the policy so "
            "close to deterministic that its probabilities underflow"
        )


