"""A loop with exact quantities around it: oracles between the kernels' parts, and what is measured at checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from jaxtyping import Float

from algorithms.neural import _state
from algorithms.neural._critics import Fixed, Tabular, linear_arrays, network_arrays
from algorithms.neural._policies import policy_arrays
from algorithms.neural.critic import FixedPoint, critic_fixed_point
from algorithms.neural.loop import Loop, Steps, plan_of
from algorithms.neural.network import CriticNetwork
from algorithms.neural.readings import Reading
from mdp.exact import Exact, exact
from mdp.optimal import J_star
from mdp.problem import Problem

Critic = Literal["network", "linearised", "tabular", "exact"]
Centralised = Literal["none", "printed", "matched"]

METRICS = (
    "J",
    "gap",
    "gradient_norm",
    "cosine",
    "critic_error",
    "critic_error_original",
    "disagreement",
    "average_reward",
    "zero_directions",
)
"""Measured at a checkpoint t: J(theta_t), J* - J(theta_t), |grad J(theta_t)|; the cosine of theta_t - theta_{t-1}
with grad J(theta_{t-1}) (NaN where either is zero); the largest |Q-hat - Q| over agents and pairs, at theta_{t-1},
against Q of the target kernel and of the original one; sqrt(sum_i ||W_i - W-bar||^2); the mean team reward of the
tuples since the last checkpoint; and the agent-iterations so far whose direction was zero, so that line 17 is 0/0 and
there was no step."""

LOCKSTEP_METRICS = ("distance_central_bar", "distance_central_star", "distance_bar_star", "fixed_point_error")
"""With `centralised`: ||W-bar - V-bar||, ||V-bar - W*|| and ||W-bar - W*|| in the last outer iteration before the
checkpoint, and the bound on the error of the values of W*."""


@dataclass(frozen=True)
class Oracles:
    """Exact ingredients in place of estimated ones; `critic="exact"` is the one for the critic.

    Attributes:
        average: gossip, of critics and of TD errors, returns the exact average.
        expectation: the batch is replaced by its expectation: states from the data kernel's stationary law, exact
            expectation over actions and successors, with the critics as they are.
        direction: d is grad J itself.

    Raises:
        ValueError: on construction: both `expectation` and `direction`.

    Source: ours, to measure the terms of zhang2025 Theorem 5.10 one by one.
    """

    average: bool = False
    expectation: bool = False
    direction: bool = False

    def __post_init__(self) -> None:
        if self.expectation and self.direction:
            raise ValueError("expectation and direction are both set; each of them replaces the batch")


class Run:
    """A validated run. Use `algorithms.neural.actor_critic`, which makes one."""

    def __init__(
        self, problem: Problem, reading: Reading, critic: Critic, network: CriticNetwork | None, oracles: Oracles,
        steps: Steps, gossip: np.ndarray, theta: np.ndarray, rng: np.random.Generator, horizon: int,
        centralised: Centralised,
    ) -> None:  # fmt: skip
        """Build the kernels' arrays. The arguments are those of `actor_critic`, checked."""
        mdp = problem.mdp
        self.problem, self.restarted = problem, replace(problem, mdp=mdp.restart())
        self.reading, self.critic, self.network, self.oracles = reading, critic, network, oracles
        self.steps = replace(steps, critic_iterations=0) if critic == "exact" else steps
        self.gossip, self.centralised = gossip, centralised
        iterations = {"none": 0, "printed": self.steps.critic_iterations - 1, "matched": self.steps.critic_iterations}
        plan = plan_of(
            reading, self.steps, mdp.gamma, track=centralised != "none", central_iterations=iterations[centralised]
        )
        env = _state.Environment(mdp.P.copy(), mdp.r.copy(), mdp.initial.copy(), mdp.reward_noise == "gumbel")
        self.loop = Loop(env, policy_arrays(problem.policy), self._arrays(), plan, gossip, theta, rng, horizon=horizon)
        self._before: tuple[float, int] = (0.0, 0)

    def _arrays(self) -> Any:
        S, A = self.problem.mdp.n_states, self.problem.mdp.n_joint_actions
        if self.critic == "tabular":
            return Tabular(np.zeros((1, S, A)))
        if self.critic == "exact":
            return Fixed(np.zeros((1, S, A)))
        assert self.network is not None
        if self.network.n_inputs != S * A:
            raise ValueError(f"inputs: the network has {self.network.n_inputs}, and there are {S * A} pairs (s, a)")
        return (network_arrays if self.critic == "network" else linear_arrays)(self.network, S, A)

    def views(self) -> tuple[Exact, Exact]:
        """Exact quantities of the original and of the restart kernel at the current theta."""
        theta = self.loop.state.theta
        return exact(self.problem, theta), exact(self.restarted, theta)

    def values(self) -> Float[np.ndarray, "N S A"]:
        """Every agent's critic, after gossip, at every pair."""
        S, A = self.problem.mdp.n_states, self.problem.mdp.n_joint_actions
        if self.critic in ("tabular", "exact"):
            tables = self.loop.state.W if self.critic == "tabular" else self.loop.critic.centre[None]
            return np.broadcast_to(tables.reshape(-1, S, A), (self.problem.mdp.n_agents, S, A))
        assert self.network is not None
        evaluate = self.network.values if self.critic == "network" else self.network.linearised
        return np.stack([evaluate(W) for W in self.loop.state.W]).reshape(-1, S, A)

    def advance(self, stop: int) -> None:
        """Go on to `stop`, one iteration at a time where an oracle must be asked in between.

        Args:
            stop: number of iterations in all.
        """
        loop, oracles = self.loop, self.oracles
        if self.critic != "exact" and not (oracles.expectation or oracles.direction):
            loop.advance(stop)
            return
        while loop.t < stop:
            original, restart = self.views()
            if self.critic == "exact":
                loop.critic.centre[0] = (restart if self.reading.target_kernel == "restart" else original).Q
            if not (oracles.expectation or oracles.direction):
                loop.advance(loop.t + 1)
                continue
            loop.advance(loop.t + 1, _state.CRITIC_ONLY)
            loop.state.direction[:] = (
                original.grad_J
                if oracles.direction
                else expected_direction(self.values(), original, restart, self.reading, self.gossip)
            )
            loop.advance(loop.t + 1, _state.STEP_ONLY)

    def trace(self, checkpoints: np.ndarray) -> xr.Dataset:
        """Run to the last checkpoint, measuring at each.

        Args:
            checkpoints: increasing numbers of iterations.
        """
        best = float(J_star(self.problem.mdp).J)
        rows = [self._measure(int(t), best) for t in checkpoints]
        data: dict[str, Any] = {name: ("checkpoint", [row[name] for row in rows]) for name in rows[0]}
        state = self.loop.state
        data["theta"] = (("agent", "parameter"), state.theta)
        data["direction"] = (("agent", "parameter"), state.direction)
        data["W"] = (("agent", "weight"), state.W.reshape(len(state.W), -1))
        if self.centralised != "none":
            data["distance"] = ("iteration", state.distance)
        attributes = {
            "problem": self.problem.name,
            "critic": self.critic,
            "reading": self.reading.label,
            "J_star": best,
            "beta": self.steps.critic_step,
        } | {k: v for k, v in vars(self.steps).items() if k != "beta"}
        return xr.Dataset(data, coords={"t": ("checkpoint", checkpoints)}, attrs=attributes)

    def _measure(self, t: int, best: float) -> dict[str, float]:
        self.advance(t - 1)
        (original, restart), before = self.views(), self.loop.state.theta.copy()
        self.advance(t)
        now, state = exact(self.problem, self.loop.state.theta), self.loop.state
        values = self.values()
        aim = restart if self.reading.target_kernel == "restart" else original
        weights = state.W.reshape(len(state.W), -1)
        earned, tuples = self.loop.reward_and_tuples()
        new = tuples - self._before[1]
        row = {
            "J": float(now.J),
            "gap": best - float(now.J),
            "gradient_norm": float(np.linalg.norm(now.grad_J)),
            "cosine": cosine(state.theta - before, original.grad_J),
            "critic_error": float(np.abs(values - aim.Q).max()),
            "critic_error_original": float(np.abs(values - original.Q).max()),
            "disagreement": float(np.linalg.norm(weights - weights.mean(axis=0))),
            "average_reward": (earned - self._before[0]) / new if new else float("nan"),
            "zero_directions": float(state.counts[0]),
        }
        self._before = (earned, tuples)
        if self.centralised != "none":
            star = self.fixed_point(original, restart)
            bar = weights.mean(axis=0)  # gossip keeps the mean: A is doubly stochastic
            row["distance_central_bar"] = float(state.distance[t - 1])
            row["distance_central_star"] = float(np.linalg.norm(state.central - star.weights))
            row["distance_bar_star"] = float(np.linalg.norm(bar - star.weights.ravel()))
            row["fixed_point_error"] = star.error
        return row

    def fixed_point(self, original: Exact, restart: Exact) -> FixedPoint:
        """W* at a policy.

        Args:
            original: quantities of the original kernel.
            restart: quantities of the restart kernel at the same policy.
        """
        assert self.network is not None
        return critic_fixed_point(self.network, original, restart, self.reading, self.steps.radius)


def expected_direction(
    values: Float[np.ndarray, "N S A"],
    original: Exact,
    restart: Exact,
    reading: Reading,
    gossip: Float[np.ndarray, "N N"],
) -> Float[np.ndarray, "N P"]:
    """``E[d_t]`` given the critics: stationary data of the reading's kernel, gossiped signals times scores.

    Args:
        values: every agent's critic, (N, S, A).
        original: quantities of the original kernel.
        restart: quantities of the restart kernel at the same policy.
        reading: the reading.
        gossip: ``A^t_gossip``.

    Source: zhang2025 Algorithm 1, lines 9-16.
    """
    law = original.restart_stationary if reading.data_kernel == "restart" else original.stationary
    V = (original.pi * values).sum(axis=2)
    if reading.actor_signal == "q":
        signal = np.asarray(values)
    elif reading.td_form == "advantage":
        signal = values - V[:, :, None]
    elif reading.td_form == "undiscounted":
        signal = original.r + np.einsum("sat,nt->nsa", restart.P, V) - V[:, :, None]
    else:
        P = (restart if reading.target_kernel == "restart" else original).P
        own = values if reading.td_form == "q" else V[:, :, None]
        signal = own - original.r - original.gamma * np.einsum("sat,nt->nsa", P, V)
    if reading.flipped:
        signal = -signal
    if reading.actor_signal == "td":
        signal = np.tensordot(gossip, signal, axes=1)
    return np.stack([original.score_expectation(law, signal[i])[i] for i in range(len(signal))])


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    """Cosine of the angle between two arrays read as vectors; NaN if either is zero.

    Args:
        left: an array, of any shape.
        right: another of its size, the shapes may differ.
    """
    size = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(np.vdot(left, right)) / size if size > 0 else float("nan")
