"""What the kernels read and write: a run's plan and state, and the environment, chosen by its type like the critics."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from algorithms._cac_kernel import EULER_GAMMA, _draw, _draw_row
from algorithms.neural._policies import JIT

FORM_Q, FORM_V, FORM_ADVANTAGE, FORM_UNDISCOUNTED, FORM_Q_VALUE = range(5)
"""The actor's signal: the four TD forms of `Reading`, and Remark 1's Q-value."""

PER_AGENT, STACKED, UNNORMALISED = range(3)
"""How a step is normalised."""

CRITIC, SIGNAL, DIRECTION, PARAMETERS = 1, 2, 3, 4
"""Where a number that is not finite was met."""

ALL, CRITIC_ONLY, STEP_ONLY = range(3)
"""Parts of an outer iteration: oracles replace the batch, and put a direction of their own in ``state.direction``."""


class Environment(NamedTuple):
    """A finite MDP. Another type needs overloads of `_start`, `_successor` and `_reward`.

    Attributes:
        P: original kernel, (S, A, S).
        r: local rewards, (N, S, A).
        initial: initial law, (S,).
        noisy: centred Gumbel noise on every local reward.
    """

    P: np.ndarray
    r: np.ndarray
    initial: np.ndarray
    noisy: bool


class Plan(NamedTuple):
    """What a run does, in numbers; `algorithms.neural.train` makes it of a `Reading` and the arguments."""

    gamma: float
    data_restart: bool
    target_restart: bool
    form: int
    sign: float
    normalisation: int
    warm: bool
    penultimate: bool
    alpha: float
    exponent: float
    beta: float
    radius: float
    critic_iterations: int
    batch: int
    episode: int
    track: bool
    central_iterations: int


class State(NamedTuple):
    """What a run writes.

    Attributes:
        theta: policy parameters, (N, P).
        W: critics after gossip, (N, D, rows, columns).
        central: V-bar of Algorithm 3, (D, rows, columns).
        direction: last d_t before normalisation, (N, P).
        place: current state; steps since the last reset; outer iterations done.
        counts: agent-iterations without a step (d = 0); tuples drawn; failure code, iteration and agent.
        earned: sum of team rewards over all tuples.
        distance: ``||W-bar_t - V-bar_t||`` of every outer iteration, (T,) if tracked.
    """

    theta: np.ndarray
    W: np.ndarray
    central: np.ndarray
    direction: np.ndarray
    place: np.ndarray
    counts: np.ndarray
    earned: np.ndarray
    distance: np.ndarray


def _start(rng: np.random.Generator, env: Any) -> int:
    """A state from the initial law."""
    raise NotImplementedError("kernels only")


def _successor(rng: np.random.Generator, env: Any, s: int, a: int) -> int:
    """A successor by the original kernel."""
    raise NotImplementedError("kernels only")


def _reward(rng: np.random.Generator, env: Any, i: int, s: int, a: int) -> float:
    """Local reward of agent i."""
    raise NotImplementedError("kernels only")


@overload(_start, jit_options=JIT)
def _start_overload(rng, env):  # type: ignore[no-untyped-def]
    return (lambda rng, env: _draw(rng, env.initial)) if env.instance_class is Environment else None


@overload(_successor, jit_options=JIT)
def _successor_overload(rng, env, s, a):  # type: ignore[no-untyped-def]
    if env.instance_class is not Environment:
        return None
    return lambda rng, env, s, a: _draw_row(rng, env.P, s, a, env.P.shape[2])


@overload(_reward, jit_options=JIT)
def _reward_overload(rng, env, i, s, a):  # type: ignore[no-untyped-def]
    def reward(rng, env, i, s, a):  # type: ignore[no-untyped-def]
        noise = -np.log(-np.log(1.0 - rng.random())) - EULER_GAMMA if env.noisy else 0.0
        return env.r[i, s, a] + noise

    return reward if env.instance_class is Environment else None
