"""IAC, DAC and MDAC again, in plain NumPy on top of `mdp.exact`: the slow twins that the kernels are tested against.

Nothing is shared with the kernels but the order of the random draws: for each tuple the state, the agents' actions in
order and the next state, then one uniform per agent for the reward noise where rewards of that tuple are used.

Source: zeng2022 Sec. 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from algorithms.cac import METRICS, CACSteps
from algorithms.reference import _centred_gumbel, _measure, _onto_ball, _pick, _start
from mdp.exact import Exact, Law, exact
from mdp.problem import Problem


@dataclass(frozen=True, eq=False)
class _Tuple:
    """One sample: features of s, s' and (s, a), the scores of the actions, and the rewards if they were drawn."""

    phi: np.ndarray
    phi_next: np.ndarray
    varphi: np.ndarray
    scores: np.ndarray
    rewards: np.ndarray


@dataclass(frozen=True, eq=False)
class _State:
    theta: np.ndarray
    omega: np.ndarray
    lam: np.ndarray


def iac_reference(problem: Problem, horizon: int, seed: int, *, reward: str = "sampled", **options: Any) -> xr.Dataset:
    """The twin of `algorithms.baselines.iac`, agent by agent.

    Args:
        problem: log-linear policy class.
        horizon: T.
        seed: randomness.
        reward: ``"sampled"`` or ``"model"``.
        options: as for `iac`.
    """

    def step(t: int, rng: np.random.Generator, point: Exact, now: _State, o: _Options) -> _State:
        tuple_ = _draw(rng, problem, point, "stationary", rewards=True)
        actor = tuple_ if not o.double else _draw(rng, problem, point, "visitation", rewards=reward == "sampled")
        theta, omega, lam = now.theta.copy(), now.omega.copy(), now.lam.copy()
        for i in range(len(theta)):
            td_error = tuple_.rewards[i] + _successor(problem, tuple_, now.omega[i])
            omega[i] += o.beta * td_error * tuple_.phi
            lam[i] += o.zeta * (tuple_.rewards[i] - now.lam[i] @ tuple_.varphi) * tuple_.varphi
            earned = actor.rewards[i] if reward == "sampled" else now.lam[i] @ actor.varphi
            theta[i] += o.alpha * (earned + _successor(problem, actor, now.omega[i])) * actor.scores[i]
        return _State(theta, _onto_ball(omega, o.radius_omega), _onto_ball(lam, o.radius_lambda))

    tuples = 2 if options.get("sampling") == "double" else 1
    return _run(problem, horizon, seed, step, tuples, {"algorithm": "iac", "reward": reward}, options)


def dac_reference(problem: Problem, horizon: int, seed: int, *, mixing: str = "after", **options: Any) -> xr.Dataset:
    """The twin of `algorithms.baselines.dac`.

    Args:
        problem: log-linear policy class; any schedule.
        horizon: T.
        seed: randomness.
        mixing: ``"after"`` or ``"before"``.
        options: as for `dac`.
    """

    def step(t: int, rng: np.random.Generator, point: Exact, now: _State, o: _Options) -> _State:
        tuple_ = _draw(rng, problem, point, "stationary", rewards=True)
        actor = tuple_ if not o.double else _draw(rng, problem, point, "visitation", rewards=False)
        W = problem.schedule.matrices[t % problem.schedule.period]
        omega_step = o.beta * np.outer(tuple_.rewards + _successor(problem, tuple_, now.omega), tuple_.phi)
        lam_step = o.zeta * np.outer(tuple_.rewards - now.lam @ tuple_.varphi, tuple_.varphi)
        omega = W @ (now.omega + omega_step) if mixing == "after" else W @ now.omega + omega_step
        lam = W @ (now.lam + lam_step) if mixing == "after" else W @ now.lam + lam_step
        signal = now.lam @ actor.varphi + _successor(problem, actor, now.omega)
        theta = now.theta + o.alpha * signal[:, None] * actor.scores
        return _State(theta, _onto_ball(omega, o.radius_omega), _onto_ball(lam, o.radius_lambda))

    tuples = 2 if options.get("sampling") == "double" else 1
    return _run(problem, horizon, seed, step, tuples, {"algorithm": "dac", "mixing": mixing}, options)


def mdac_reference(
    problem: Problem,
    horizon: int,
    seed: int,
    *,
    batch: int = 5,
    critic_steps: int = 1,
    actor_batch: int = 1,
    reward: str = "gossip",
    **options: Any,
) -> xr.Dataset:
    """The twin of `algorithms.baselines.mdac`.

    Args:
        problem: log-linear policy class; any schedule.
        horizon: T.
        seed: randomness.
        batch: tuples per critic step.
        critic_steps: critic steps per actor step.
        actor_batch: tuples per actor step.
        reward: ``"gossip"`` or ``"model"``.
        options: as for `mdac`.
    """

    def step(t: int, rng: np.random.Generator, point: Exact, now: _State, o: _Options) -> _State:
        omega, lam, W = now.omega, now.lam, np.eye(0)
        for c in range(critic_steps):
            W = problem.schedule.matrices[(t * critic_steps + c) % problem.schedule.period]
            samples = [_draw(rng, problem, point, "stationary", rewards=True) for _ in range(batch)]
            td = np.mean([np.outer(x.rewards + _successor(problem, x, omega), x.phi) for x in samples], axis=0)
            fit = np.mean([np.outer(x.rewards - lam @ x.varphi, x.varphi) for x in samples], axis=0)
            omega = _onto_ball(W @ omega + o.beta * td, o.radius_omega)
            lam = _onto_ball(W @ lam + o.zeta * fit, o.radius_lambda)
        law: Law = "visitation" if o.double else "stationary"
        moves = []
        for _ in range(actor_batch):
            x = _draw(rng, problem, point, law, rewards=reward == "gossip")
            earned = W @ x.rewards if reward == "gossip" else lam @ x.varphi
            moves.append((earned + _successor(problem, x, omega))[:, None] * x.scores)
        return _State(now.theta + o.alpha * np.mean(moves, axis=0), omega, lam)

    sizes = {"batch": batch, "critic_steps": critic_steps, "actor_batch": actor_batch}
    attributes = {"algorithm": "mdac", "reward": reward} | sizes
    return _run(problem, horizon, seed, step, critic_steps * batch + actor_batch, attributes, options)


class _Options:
    """The arguments that the twins share, with the defaults of the public functions."""

    def __init__(
        self, problem: Problem, horizon: int, steps: CACSteps | None = None, sampling: str = "single",
        radius_omega: float = 1e3, radius_lambda: float = 1e3,
        theta_0: np.ndarray | None = None, omega_0: np.ndarray | None = None, lambda_0: np.ndarray | None = None,
        n_checkpoints: int = 1, metric_every: int = 1,
    ) -> None:  # fmt: skip
        N, features = problem.mdp.n_agents, problem.features
        self.alpha, self.beta, self.zeta = (steps or CACSteps()).at(horizon)
        self.sampling, self.double, self.metric_every = sampling, sampling == "double", metric_every
        self.radius_omega, self.radius_lambda = radius_omega, radius_lambda
        self.times = sorted({round(horizon ** (k / n_checkpoints)) for k in range(1, n_checkpoints + 1)})
        self.start = _State(
            _start(theta_0, (N, problem.policy.n_parameters)),
            _start(omega_0, (N, features.phi_state.shape[-1])),
            _start(lambda_0, (N, features.phi_joint.shape[-1])),
        )


def _run(
    problem: Problem, horizon: int, seed: int,
    step: Callable[[int, np.random.Generator, Exact, _State, _Options], _State],
    tuples: int, attributes: dict[str, Any], options: dict[str, Any],
) -> xr.Dataset:  # fmt: skip
    rng, o = np.random.default_rng(seed), _Options(problem, horizon, **options)
    now, measured = o.start, []
    averages, instants = [], []
    first = min(o.metric_every // 2, o.times[0] - 1)
    for t in range(horizon):
        point = exact(problem, now.theta)
        if t >= first and (t - first) % o.metric_every == 0:
            measured.append(_measure(point, now.theta, now.omega, now.lam, problem.policy.n_shared)[: len(METRICS)])
        now = step(t, rng, point, now, o)
        if t + 1 in o.times:
            averages.append(np.mean(measured, axis=0))
            instants.append(measured[-1])
    return xr.Dataset(
        {name: ("checkpoint", column) for name, column in zip(METRICS, np.transpose(averages), strict=True)}
        | {f"{name}_now": ("checkpoint", c) for name, c in zip(METRICS, np.transpose(instants), strict=True)}
        | {
            "theta": (("agent", "parameter"), now.theta),
            "omega": (("agent", "critic_feature"), now.omega),
            "lam": (("agent", "reward_feature"), now.lam),
        },
        coords={"t": ("checkpoint", o.times), "samples": ("checkpoint", [tuples * t for t in o.times])},
        attrs={"problem": problem.name, "sampling": o.sampling, "alpha": o.alpha, "beta": o.beta, "zeta": o.zeta}
        | attributes,
    )


def _draw(rng: np.random.Generator, problem: Problem, point: Exact, law: Law, *, rewards: bool) -> _Tuple:
    s = _pick(rng, point.law(law))
    actions = [_pick(rng, table[s]) for table in point.tables]
    a = int(np.ravel_multi_index(actions, problem.mdp.n_actions))
    s_next = _pick(rng, point.P[s, a])
    earned = problem.mdp.r[:, s, a]
    if rewards and problem.mdp.reward_noise == "gumbel":
        earned = earned + _centred_gumbel(rng, len(actions))
    features = problem.features
    scores = np.stack([score[s, b] for score, b in zip(point.scores, actions, strict=True)])
    return _Tuple(features.phi_state[s], features.phi_state[s_next], features.phi_joint[s, a], scores, earned)


def _successor(problem: Problem, x: _Tuple, omega: np.ndarray) -> Any:
    """``gamma phi(s').omega - phi(s).omega`` of one agent, or of each."""
    return omega @ (problem.mdp.gamma * x.phi_next - x.phi)
