"""The rivals of CAC in zeng2022 Sec. 5: independent, decentralised, and mini-batch decentralised actor-critic.

All run on the same `Problem` as `cac`, take the same arguments and return the same trace, so that every metric applies
to each. None shares policy parameters: both the shared and the personal columns of theta stay with their agent.

Only zeng2022 was at hand. Its Sec. 5 names the three, gives the steps (actor 0.05, critic 0.1) and the batch of MDAC
(B = 5 "in the inner loop"), and no listing. The docstrings say what each listing was taken to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from jaxtyping import Float

from algorithms._baselines_kernel import _local_actors, _mdac
from algorithms._inputs import _whole
from algorithms._run import Seed, one_of, prepare
from algorithms.cac import CACSteps
from mdp.problem import Problem

BaselineSampling = Literal["single", "double"]
"""One tuple from the stationary law for critic and actor, or one of its own from the visitation for the actor."""

MDAC_BATCH = 5
"""B, the mini-batch of the inner loop. Source: zeng2022 Sec. 5."""


@dataclass(frozen=True)
class ConstantSteps(CACSteps):
    """Steps that do not depend on the horizon: `alpha_0`, `beta_0`, `zeta_0` themselves. The exponents are not used.

    The defaults are those of zeng2022 Sec. 5: actor 0.05, critic 0.1; its text has no step of the reward model, and
    that of the critic is taken.

    Attributes:
        alpha_0: actor step, nonnegative.
        beta_0: critic step, positive.
        zeta_0: reward-model step, positive.

    Raises:
        ValueError: on construction, naming the argument and its value.
    """

    alpha_0: float = 0.05
    beta_0: float = 0.1
    zeta_0: float = 0.1

    def at(self, horizon: int) -> tuple[float, float, float]:
        """The steps (alpha, beta, zeta), whatever the horizon.

        Args:
            horizon: T.
        """
        return float(self.alpha_0), float(self.beta_0), float(self.zeta_0)


def iac(
    problem: Problem,
    horizon: int,
    seed: Seed,
    *,
    steps: CACSteps | None = None,
    sampling: BaselineSampling = "single",
    reward: Literal["sampled", "model"] = "sampled",
    radius_omega: float = 1e3,
    radius_lambda: float = 1e3,
    theta_0: Float[np.ndarray, "N D"] | None = None,
    omega_0: Float[np.ndarray, "N K"] | None = None,
    lambda_0: Float[np.ndarray, "N L"] | None = None,
    n_checkpoints: int = 1,
    metric_every: int = 1,
) -> xr.Dataset:
    r"""Independent actor-critic: every agent learns from its own reward and no one communicates.

    Each agent runs the one-step actor-critic with a linear critic of its *own* value:
    ``delta_i = r_i + gamma phi(s').omega_i - phi(s).omega_i``, ``omega_i += beta delta_i phi(s)``,
    ``theta_i += alpha delta_i grad log pi_i(a_i | s)``. With an exact critic and double sampling its mean move is
    ``alpha (1 - gamma)`` times the gradient of its own objective J_i, not of the team's J: what it can
    come to rest at are equilibria of the game with rewards r_i.

    Assumed: zeng2022 names the algorithm and cites no source. The actor sees the TD error itself, as in Konda and
    Tsitsiklis (2000), because a reward model over joint actions would need what the others do; ``reward="model"`` is
    the other reading, CAC with no edges at all. The reward models are fitted in either case, to the agent's own
    reward, and feed only the metrics under ``"sampled"``.

    Args:
        problem: log-linear policy class; the schedule is not used.
        horizon: T, at least 1.
        seed: integer, SeedSequence or Generator; the same seed gives the same bits.
        steps: step sizes; the default is that of zeng2022 Theorem 3.
        sampling: ``"single"`` or ``"double"``, as for `cac`.
        reward: the reward in the actor's signal, ``"sampled"`` or that of the ``"model"``.
        radius_omega: projection radius of the critics.
        radius_lambda: projection radius of the reward models.
        theta_0: initial parameters (N, H + G), zeros by default.
        omega_0: initial critics (N, K), zeros by default.
        lambda_0: initial reward models (N, L), zeros by default.
        n_checkpoints: how many log-spaced times to report, the last being T.
        metric_every: measure once in every so many iterations.

    Returns:
        Dataset laid out as that of `cac` with the metrics `METRICS`, and the coordinate ``samples``: tuples drawn by
        then. Errors are measured against the *team's* targets, which an agent that only sees its own reward misses.

    Raises:
        TypeError, ValueError, ReducibleChainError, PeriodicChainError, FloatingPointError: as `cac`.

    Source: zeng2022 Sec. 5 (the name); Konda and Tsitsiklis (2000) for the update of one agent.
    """
    one_of("reward", reward, ("sampled", "model"))
    run = prepare(
        problem, horizon, seed, steps, sampling, radius_omega, radius_lambda, theta_0, omega_0, lambda_0,
        n_checkpoints, metric_every,
    )  # fmt: skip
    alone = np.eye(problem.mdp.n_agents)[None]
    _local_actors(run.rng, *run.tables[:-1], alone, run.double, False, reward == "sampled", *run.rest)
    return run.trace("iac", 2 if run.double else 1, reward=reward)


def dac(
    problem: Problem,
    horizon: int,
    seed: Seed,
    *,
    steps: CACSteps | None = None,
    sampling: BaselineSampling = "single",
    mixing: Literal["after", "before"] = "after",
    radius_omega: float = 1e3,
    radius_lambda: float = 1e3,
    theta_0: Float[np.ndarray, "N D"] | None = None,
    omega_0: Float[np.ndarray, "N K"] | None = None,
    lambda_0: Float[np.ndarray, "N L"] | None = None,
    n_checkpoints: int = 1,
    metric_every: int = 1,
) -> xr.Dataset:
    """Decentralised actor-critic: consensus on critics and reward models, local actors.

    ``v~_i = v_i + beta delta_i phi(s)`` with ``delta_i = r_i + gamma phi(s').v_i - phi(s).v_i``, the like step of the
    reward model, then ``v_i = sum_j W_ij v~_j`` (and lambda alike); the actor moves along
    ``(rhat_i(s, a) + gamma phi(s').v_i - phi(s).v_i) grad log pi_i(a_i | s)`` with the v and lambda before the step.

    Next to CAC without shared parameters it differs in one place: here the step is mixed too, ``W (v + step)``,
    and in zeng2022 line 4 it is not, ``W v + step``. ``mixing="before"`` is the latter and then the two algorithms
    are one. For a frozen policy and no projection, the agents' *mean* critic is the same path in both orders, since W
    is doubly stochastic and the mean step is a function of the mean critic.

    Assumed, from memory of the source's Algorithm 2: the order of step and mixing, and that the actor uses the
    parameters before both. Changed to the setting of zeng2022: discounted rewards in place of the
    average-reward TD error (so no estimate mu_i of the average), constant steps, i.i.d. tuples, projections.

    Args:
        problem: log-linear policy class; any schedule.
        horizon: T, at least 1.
        seed: integer, SeedSequence or Generator; the same seed gives the same bits.
        steps: step sizes; the default is that of zeng2022 Theorem 3.
        sampling: ``"single"`` or ``"double"``, as for `cac`.
        mixing: ``"after"`` the local step (the source), or ``"before"`` it (zeng2022 line 4).
        radius_omega: projection radius of the critics.
        radius_lambda: projection radius of the reward models.
        theta_0: initial parameters (N, H + G), zeros by default.
        omega_0: initial critics (N, K), zeros by default.
        lambda_0: initial reward models (N, L), zeros by default.
        n_checkpoints: how many log-spaced times to report, the last being T.
        metric_every: measure once in every so many iterations.

    Returns:
        Dataset laid out as that of `cac` with the metrics `METRICS`, and the coordinate ``samples``.

    Raises:
        TypeError, ValueError, ReducibleChainError, PeriodicChainError, FloatingPointError: as `cac`.

    Source: Zhang, Yang, Liu, Zhang and Basar (2018), Fully Decentralized Multi-Agent Reinforcement Learning with
        Networked Agents, Algorithm 2; zeng2022 Sec. 5.
    """
    one_of("mixing", mixing, ("after", "before"))
    run = prepare(
        problem, horizon, seed, steps, sampling, radius_omega, radius_lambda, theta_0, omega_0, lambda_0,
        n_checkpoints, metric_every,
    )  # fmt: skip
    _local_actors(run.rng, *run.tables, run.double, mixing == "after", False, *run.rest)
    return run.trace("dac", 2 if run.double else 1, mixing=mixing)


def mdac(
    problem: Problem,
    horizon: int,
    seed: Seed,
    *,
    batch: int = MDAC_BATCH,
    critic_steps: int = 1,
    actor_batch: int = 1,
    steps: CACSteps | None = None,
    sampling: BaselineSampling = "single",
    reward: Literal["gossip", "model"] = "gossip",
    radius_omega: float = 1e3,
    radius_lambda: float = 1e3,
    theta_0: Float[np.ndarray, "N D"] | None = None,
    omega_0: Float[np.ndarray, "N K"] | None = None,
    lambda_0: Float[np.ndarray, "N L"] | None = None,
    n_checkpoints: int = 1,
    metric_every: int = 1,
) -> xr.Dataset:
    """Mini-batch decentralised actor-critic: an inner loop of batched TD steps before each local actor step.

    An iteration has two parts, with the policy fixed in the first. Inner loop, `critic_steps` times: `batch` fresh
    tuples from the stationary law, ``omega_i = sum_j W_ij omega_j + beta mean_b(delta_i,b phi(s_b))``. Actor:
    `actor_batch` fresh tuples, ``theta_i += alpha mean_b((rbar_i,b + gamma phi(s').omega_i - phi(s).omega_i) score)``
    with the critics that the inner loop left and ``rbar_i = sum_j W_ij r_j``, one round of averaging sampled rewards.

    Assumed: of the source, from memory, mini-batch TD with mixing before the step, fresh samples for the actor, and
    rewards averaged by gossip. Left out: the noise that hides rewards, the final gossip rounds on the critic, several
    rounds of reward averaging. zeng2022 Sec. 5 sets "small batch B = 5 in the inner loop ... to update critic
    parameters before each update in policy parameters": read as one batched critic step (``batch=5``); the reading of
    five steps on one tuple each is ``batch=1, critic_steps=5``. The text gives no batch for the actor: 1.
    The network ticks once per inner step; rewards are averaged over the edges of the last one. When those are few (the
    coordination game has none in four of five iterations) an agent acts on its own reward. ``reward="model"`` uses
    the reward model as DAC and CAC do; the models are fitted in either case.

    Args:
        problem: log-linear policy class; any schedule.
        horizon: number of actor steps T, at least 1.
        seed: integer, SeedSequence or Generator; the same seed gives the same bits.
        batch: tuples per critic step.
        critic_steps: critic steps per actor step.
        actor_batch: tuples per actor step.
        steps: step sizes; the default is that of zeng2022 Theorem 3.
        sampling: law of the actor's state: stationary (``"single"``) or visitation (``"double"``). Its tuples are
            fresh under both.
        reward: the reward in the actor's signal, averaged by ``"gossip"`` or that of the ``"model"``.
        radius_omega: projection radius of the critics.
        radius_lambda: projection radius of the reward models.
        theta_0: initial parameters (N, H + G), zeros by default.
        omega_0: initial critics (N, K), zeros by default.
        lambda_0: initial reward models (N, L), zeros by default.
        n_checkpoints: how many log-spaced times to report, the last being T.
        metric_every: measure once in every so many iterations.

    Returns:
        Dataset laid out as that of `cac` with the metrics `METRICS`, and the coordinate ``samples``: an iteration
        draws ``critic_steps * batch + actor_batch`` tuples.

    Raises:
        TypeError, ValueError, ReducibleChainError, PeriodicChainError, FloatingPointError: as `cac`.

    Source: Chen, Zhou, Chen and Zou (2022), Sample and Communication-Efficient Decentralized Actor-Critic Algorithms
        with Finite-Time Analysis, Algorithms 1-2; zeng2022 Sec. 5.
    """
    one_of("reward", reward, ("gossip", "model"))
    batch, critic_steps = _whole("batch", batch), _whole("critic_steps", critic_steps)
    actor_batch = _whole("actor_batch", actor_batch)
    run = prepare(
        problem, horizon, seed, steps, sampling, radius_omega, radius_lambda, theta_0, omega_0, lambda_0,
        n_checkpoints, metric_every,
    )  # fmt: skip
    _mdac(
        run.rng, *run.tables, run.double, batch, critic_steps, actor_batch, reward == "gossip", *run.rest
    )
    sizes = {"batch": batch, "critic_steps": critic_steps, "actor_batch": actor_batch}
    return run.trace("mdac", critic_steps * batch + actor_batch, reward=reward, **sizes)
