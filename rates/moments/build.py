"""How to ask for exact moments: `linear_moments` of a problem, `moments_of_view` of a view that may be rational."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from jaxtyping import Float

from mdp.exact import Exact, exact
from mdp.linear import is_exact, to_float
from mdp.model import RewardNoise
from mdp.networks.schedule import Schedule, require_connected, require_doubly_stochastic
from mdp.problem import Problem
from mdp.validate import as_float_array, require_shape
from rates.moments.linear import LinearMoments
from rates.moments.outcomes import Kind, Sampling, require_law
from rates.moments.system import to_step

LARGEST_SYSTEM = 4000
"""Largest state of an affine map; ours: doubling it takes minutes and gigabytes beyond."""


def linear_moments(
    problem: Problem,
    theta: Float[np.ndarray, "N D"],
    *,
    beta: float,
    kind: Kind = "critic",
    sampling: Sampling = "iid",
    law: str | np.ndarray = "stationary",
    x_0: Float[np.ndarray, "N K"] | None = None,
    schedule: Schedule | None = None,
) -> LinearMoments:
    """Exact moments of the lower-level iterates of zeng2022 Algorithm 1 with the policy frozen at theta.

    ``x_i <- sum_j W_t[i, j] x_j + beta g_t (r_i + noise_i + h_t . x_i)`` with one sample for all agents, local rewards,
    and no projection (radii are infinite here).

    Args:
        problem: the MDP with its policy class and features.
        theta: parameters, (N, H + G).
        beta: step size, positive (zeta for the reward model).
        kind: ``"critic"`` (Eq. (13)) or ``"reward"`` (Eq. (12)).
        sampling: ``"iid"``: a fresh tuple at every step; ``"markov"``: one trajectory under pi.
        law: i.i.d.: ``"stationary"``, ``"visitation"``, any state law (S,), or any law of (s, a, s'), (S, A, S).
            Markovian: law of the first state.
        x_0: start of the agents, zeros by default.
        schedule: instead of the problem's.

    Returns:
        An object with ``at(t)``, ``average(T)``, ``limit``, ``enclosure(T)``, each a `MomentValue`.

    Raises:
        ValueError: an argument out of range (named), a law that is not a distribution, a singular mean matrix.
        ReducibleChainError, PeriodicChainError: the stationary law is needed and there is none that mixes.

    Source: the recursion is zeng2022 Eqs. (12)-(13); its second moments are ours.
    """
    return moments_of_view(
        exact(problem, theta), (schedule or problem.schedule).matrices, beta=beta, kind=kind, sampling=sampling,
        law=law, x_0=x_0, reward_noise=problem.mdp.reward_noise,
    )  # fmt: skip


def moments_of_view(
    view: Exact,
    matrices: np.ndarray,
    *,
    beta: Any,
    kind: Kind = "critic",
    sampling: Sampling = "iid",
    law: Any = "stationary",
    x_0: Any = None,
    reward_noise: RewardNoise = "none",
) -> LinearMoments:
    """As `linear_moments` for a view that may be rational; enclosures then start from the rationals.

    Args:
        view: floats, or rationals (`mdp.rational.RationalPoint.exact`).
        matrices: (B, N, N), doubly stochastic, floats or rationals.
        beta: step size, positive.
        kind: see `linear_moments`.
        sampling: see `linear_moments`.
        law: see `linear_moments`.
        x_0: (N, K), zeros by default.
        reward_noise: ``"none"`` or ``"gumbel"``.

    Raises:
        ValueError: see `linear_moments`; matrices that are not doubly stochastic.
        DisconnectedScheduleError: the agents do not all communicate over a period.
    """
    for name, value, allowed in (("kind", kind, ("critic", "reward")), ("sampling", sampling, ("iid", "markov"))):
        if value not in allowed:
            raise ValueError(f"{name} is {value!r}, not {allowed[0]!r} or {allowed[1]!r}")
    step = to_step(beta)
    if not (isfinite(step) and step > 0):
        raise ValueError(f"beta is {step:g}; step sizes are finite and positive")
    N, (S, A, _) = len(view.r), view.P.shape
    matrices = np.asarray(matrices)
    require_shape("matrices", matrices, (len(matrices), N, N), "(B, N, N)")
    for b, W in enumerate(matrices):
        require_doubly_stochastic(to_float(W), f"W[{b}]")
    require_connected(to_float(matrices))
    K = (view.phi_state if kind == "critic" else view.phi_joint).shape[-1]
    start = np.zeros((N, K)) if x_0 is None else np.asarray(x_0)
    if not is_exact(start):
        start = as_float_array("x_0", start, 2)
    require_shape("x_0", start, (N, K), "(N, K)")
    n, Z = max(1, N - 1) * K, S if sampling == "markov" else 1
    size = Z * (max(n * (n + 1) // 2 + n, K * n + n + K) + 1)
    if size > LARGEST_SYSTEM:
        raise ValueError(f"the map would have {size} coordinates, above {LARGEST_SYSTEM} (N = {N}, K = {K}, modes {Z})")
    checked = require_law(law, (S, A, S), sampling)
    return LinearMoments(view, matrices, kind, sampling, checked, beta, start, reward_noise)
