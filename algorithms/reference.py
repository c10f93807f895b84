"""CAC again, in plain NumPy on top of `mdp.exact`: the slow twin that the fast kernel is tested against.

Nothing is shared with the kernel but the order of the random draws, so that one seed gives one trajectory:
the state, the agents' actions in order and the next state of the first tuple; one uniform per agent for the
reward noise, if there is any; the second tuple, under double sampling. Markovian trajectories draw their first
states before the loop, the critics' first; the actors' own draws after its s' whether to restart, and where.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from algorithms.cac import DRIFT_METRICS, METRICS, CACSteps, Sampling
from mdp.exact import Exact, Law, exact
from mdp.problem import Problem


def cac_reference(
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
) -> xr.Dataset:
    """Run CAC line by line; the same trace as `algorithms.cac.cac` up to rounding, a thousand times slower.

    It is the twin used in tests, and checks of the arguments are left to `cac`.

    Args:
        problem: log-linear policy class; any schedule.
        horizon: T, at least 1.
        seed: integer, SeedSequence or Generator.
        steps: step sizes; the default is that of Theorem 3.
        sampling: as for `cac`.
        radius_omega: projection radius of the critics.
        radius_lambda: projection radius of the reward models.
        theta_0: initial parameters (N, H + G), zeros by default.
        omega_0: initial critics (N, K), zeros by default.
        lambda_0: initial reward models (N, L), zeros by default.
        n_checkpoints: how many log-spaced times to report, the last being T.
        metric_every: measure at every so many iterations.

    Returns:
        Dataset laid out as that of `algorithms.cac.cac`.

    Raises:
        ValueError: the schedule, the laws or the policy refuse their input (see `mdp.exact.Exact`).

    Source: zeng2022 Algorithms 1-2, Eqs. (9)-(13).
    """
    rng = np.random.default_rng(seed)
    N, features, H = problem.mdp.n_agents, problem.features, problem.policy.n_shared
    theta = _start(theta_0, (N, problem.policy.n_parameters))
    omega = _start(omega_0, (N, features.phi_state.shape[-1]))
    lam = _start(lambda_0, (N, features.phi_joint.shape[-1]))
    alpha, beta, zeta = (steps or CACSteps()).at(horizon)
    times = sorted({round(horizon ** (k / n_checkpoints)) for k in range(1, n_checkpoints + 1)})
    first = min(metric_every // 2, times[0] - 1)  # the middle of a block
    measured: list[np.ndarray] = []
    averages, instants = [], []
    double, markov = sampling.endswith("double"), sampling.startswith("markov")
    starts = [_pick(rng, problem.mdp.initial) for _ in range(1 + double)] if markov else []
    for t in range(horizon):
        point, before = exact(problem, theta), theta
        if t >= first and (t - first) % metric_every == 0:
            measured.append(_measure(point, theta, omega, lam, H))
        # line 3
        s, actions, s_next = _tuple(rng, point, "stationary", starts[0] if markov else None)
        if markov:
            starts[0] = s_next
        reward = problem.mdp.r[:, s, _joint(problem, actions)]
        if problem.mdp.reward_noise == "gumbel":
            reward = reward + _centred_gumbel(rng, N)
        # line 4; the personal columns stay (line 6)
        W = problem.schedule.matrices[t % problem.schedule.period]
        mixed_omega, mixed_lam = W @ omega, W @ lam
        mixed_theta = np.hstack([W @ theta[:, :H], theta[:, H:]])
        # lines 6-8, Eqs. (12)-(13)
        phi, phi_next = features.phi_state[s], features.phi_state[s_next]
        varphi = features.phi_joint[s, _joint(problem, actions)]
        delta = reward + problem.mdp.gamma * omega @ phi_next - omega @ phi
        next_omega = _onto_ball(mixed_omega + beta * np.outer(delta, phi), radius_omega)
        next_lam = _onto_ball(mixed_lam + zeta * np.outer(reward - lam @ varphi, varphi), radius_lambda)
        # line 9, Eqs. (10)-(11); Algorithm 2 feeds it a tuple of its own
        if double:
            s, actions, s_next = _tuple(rng, point, "visitation", starts[1] if markov else None)
            if markov:
                starts[1] = s_next if rng.random() < problem.mdp.gamma else _pick(rng, problem.mdp.initial)
            phi, phi_next = features.phi_state[s], features.phi_state[s_next]
            varphi = features.phi_joint[s, _joint(problem, actions)]
        signal = lam @ varphi + problem.mdp.gamma * omega @ phi_next - omega @ phi
        scores = np.stack([score[s, a] for score, a in zip(point.scores, actions, strict=True)])
        theta, omega, lam = mixed_theta + alpha * signal[:, None] * scores, next_omega, next_lam
        if t >= first and (t - first) % metric_every == 0:
            moved = exact(problem, theta).omega_td - point.omega_td
            measured[-1] = np.append(measured[-1], [np.sum(moved**2), np.sum((theta - before) ** 2)])
        if t + 1 in times:
            averages.append(np.mean(measured, axis=0))
            instants.append(measured[-1])
    names = METRICS + DRIFT_METRICS
    return xr.Dataset(
        {name: ("checkpoint", column) for name, column in zip(names, np.transpose(averages), strict=True)}
        | {f"{name}_now": ("checkpoint", c) for name, c in zip(names, np.transpose(instants), strict=True)}
        | {
            "theta": (("agent", "parameter"), theta),
            "omega": (("agent", "critic_feature"), omega),
            "lam": (("agent", "reward_feature"), lam),
        },
        coords={"t": ("checkpoint", times)},
        attrs={
            "problem": problem.name, "sampling": sampling, "sampler": "solve",
            "alpha": alpha, "beta": beta, "zeta": zeta,
        },
    )


def _start(value: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
    return np.zeros(shape) if value is None else np.array(value, dtype=float)


def _measure(point: Exact, theta: np.ndarray, omega: np.ndarray, lam: np.ndarray, H: int) -> np.ndarray:
    """The entries of `METRICS`, in order."""
    N = len(theta)
    consensus_error = (np.eye(N) - 1.0 / N) @ theta[:, :H]
    values = {
        "critic_error_td": np.sum((omega - point.omega_td) ** 2),
        "critic_error_bellman": np.sum((omega - point.omega_bellman) ** 2),
        "critic_error_td_error": np.sum((omega - point.omega_td_error) ** 2),
        "reward_error": np.sum((lam - point.lambda_star) ** 2),
        "shared_disagreement": np.linalg.norm(consensus_error) ** 2,
        "shared_gradient": N * np.sum(point.grad_J[:, :H].mean(axis=0) ** 2),
        "personal_gradient": np.sum(point.grad_J[:, H:] ** 2),
        "J": point.J,
    }
    return np.array([values[name] for name in METRICS])


def _tuple(
    rng: np.random.Generator, point: Exact, law: Law, start: int | None
) -> tuple[int, list[int], int]:
    s = _pick(rng, point.law(law)) if start is None else start
    actions = [_pick(rng, table[s]) for table in point.tables]
    sizes = tuple(table.shape[1] for table in point.tables)
    joint = np.ravel_multi_index(actions, sizes)
    return s, actions, _pick(rng, point.P[s, joint])


def _pick(rng: np.random.Generator, probabilities: np.ndarray) -> int:
    """Inverse-CDF draw from one uniform; what rounding leaves over goes to the last index."""
    return int(np.searchsorted(np.cumsum(probabilities[:-1]), rng.random(), side="right"))


def _joint(problem: Problem, actions: list[int]) -> int:
    return int(np.ravel_multi_index(actions, problem.mdp.n_actions))


def _centred_gumbel(rng: np.random.Generator, size: int) -> np.ndarray:
    """Inverse CDF ``-log(-log u)`` at one minus a uniform on [0, 1), minus its mean."""
    return -np.log(-np.log(1.0 - rng.random(size))) - np.euler_gamma


def _onto_ball(rows: np.ndarray, radius: float) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norms > radius, rows * (radius / np.maximum(norms, radius)), rows)
