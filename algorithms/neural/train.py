"""DNN-based decentralised actor-critic of zhang2025 (Algorithms 1-3), under every reading, on finite problems."""

from __future__ import annotations

from typing import get_args

import numpy as np
import xarray as xr
from jaxtyping import Float

from algorithms.neural.loop import Steps, gossip_matrix
from algorithms.neural.network import CriticNetwork, PairInputs
from algorithms.neural.readings import PRINTED, Reading, reading_of
from algorithms.neural.run import Centralised, Critic, Oracles, Run
from mdp.networks.schedule import Schedule, full_average
from mdp.problem import Problem
from mdp.validate import as_float_array, require_shape

Seed = int | np.random.SeedSequence | np.random.Generator


def actor_critic(
    problem: Problem,
    horizon: int,
    seed: Seed,
    *,
    reading: Reading | str = PRINTED,
    critic: Critic = "network",
    batch: int = 1,
    critic_iterations: int = 1,
    gossip_rounds: int = 10,
    alpha: float = 1.0,
    alpha_exponent: float = 1.0,
    beta: float | None = None,
    width: int = 20,
    depth: int = 5,
    radius: float = 10.0,
    episode: int = 0,
    network: CriticNetwork | None = None,
    inputs: Float[np.ndarray, "n d"] | PairInputs | None = None,
    consensus: Schedule | Float[np.ndarray, "N N"] | None = None,
    oracles: Oracles | None = None,
    centralised: Centralised = "none",
    theta_0: Float[np.ndarray, "N P"] | None = None,
    n_checkpoints: int = 1,
) -> xr.Dataset:
    """Run Algorithm 1 for `horizon` outer iterations and return a labelled trace.

    What the listings leave open, and what we do:

    - *s_0 of Algorithm 2.* The first is drawn from the initial law, later ones are where the actor stopped.
    - *Hand-over.* Algorithm 2 returns s_{K-1}, one step behind the chain; so do we (`Reading.hand_over`).
    - *a_{t,0}* is used in lines 8 and 9 and never drawn: we draw it once, at s_{t,0}. In Algorithm 2, a_{k+1} of one
      tuple is a_k of the next.
    - *alpha_0 = alpha / 0.* The iterations are counted from 1 in the step size.
    - *d = 0.* Line 17 is 0/0: there is no step, and the trace counts it.
    - *Not finite.* `FloatingPointError`, naming the quantity, the iteration and the agent.
    - *W(0) across iterations.* Line 2 of Algorithm 2 starts each call at W(0): with K = 1 a critic is half a TD step
      from W(0), and nothing learnt survives an outer iteration (`Reading.critic_start`).
    - *Algorithm 3* runs K - 1 iterations where Algorithm 2 runs K: ``centralised="printed"`` or ``"matched"``.
    - *Schedules* that vary in time: each gossip starts at the first matrix.

    Shared parameters of the policy class are not mixed: Algorithm 1 has no consensus on theta.

    Args:
        problem: any MDP and schedule; log-linear, reduced softmax, circular or neural policies.
        horizon: T, at least 1.
        seed: the same seed gives the same bits; it is split for the network and for the run.
        reading: a `Reading`, or ``"printed"``, ``"repaired"``, ``"undiscounted"``.
        critic: ``"network"``; ``"linearised"``, its Q-hat_0; ``"tabular"``, from zero; ``"exact"``, Q of the target
            kernel afresh in each outer iteration (K is then ignored).
        batch: M.
        critic_iterations: K.
        gossip_rounds: t_gossip.
        alpha: actor scale.
        alpha_exponent: the step is ``alpha / t^alpha_exponent``.
        beta: critic step, ``1 / sqrt(K)`` by default.
        width: m.
        depth: D.
        radius: B; one block, the whole table, for the tabular critic.
        episode: steps between resets by the initial law; 0 for none.
        network: the critic network, instead of a random one of `width` and `depth`.
        inputs: unit rows (S A, d) or `PairInputs` for a random network; one-hot pairs by default.
        consensus: schedule or matrix in place of the problem's.
        oracles: exact ingredients.
        centralised: whether Algorithm 3 runs on the same tuples, for K - 1 or K iterations.
        theta_0: initial parameters (N, P), zeros by default (for a neural class zeros are a kink with no gradient).
        n_checkpoints: log-spaced times to report, the last being T.

    Returns:
        Dataset with dimension ``checkpoint`` (coordinate ``t``) of `METRICS`, and `LOCKSTEP_METRICS` when asked for;
        ``theta`` (agent, parameter), ``W`` (agent, weight) and ``direction`` (agent, parameter) at the end; with
        `centralised`, ``distance`` = ||W-bar - V-bar|| of every ``iteration``.

    Raises:
        ValueError: an argument out of range, of another size, or not one of its choices (named).
        DisconnectedScheduleError: gossip between agents that never exchange anything.
        TypeError: a policy class that the kernels do not know.
        FloatingPointError: see above.

    Source: zhang2025 Algorithms 1-3, Sec. 3.1, Sec. 4, Appendix D.1.
    """
    reading, oracles = reading_of(reading), oracles or Oracles()
    _one_of("critic", critic, get_args(Critic))
    _one_of("centralised", centralised, get_args(Centralised))
    horizon, n_checkpoints = _whole("horizon", horizon), _whole("n_checkpoints", n_checkpoints)
    _whole("critic_iterations", critic_iterations)
    steps = Steps(batch, critic_iterations, gossip_rounds, alpha, alpha_exponent, beta, radius, episode)
    _whole("width", width)
    _whole("depth", depth)
    N = problem.mdp.n_agents
    gossip = gossip_matrix(problem.schedule if consensus is None else consensus, N, gossip_rounds)
    if oracles.average:
        gossip = full_average(N)
    theta = _theta("theta_0", theta_0, (N, problem.policy.n_parameters))
    draw_network, draw_run = _split(seed)
    if network is None and critic in ("network", "linearised"):
        network = CriticNetwork.draw(_inputs(problem, inputs), width=width, depth=depth, seed=draw_network)
    if centralised != "none" and critic not in ("network", "linearised"):
        raise ValueError(f"centralised is {centralised!r}; Algorithm 3 has weights only with a network, not {critic!r}")
    run = Run(problem, reading, critic, network, oracles, steps, gossip, theta, draw_run, horizon, centralised)
    return run.trace(np.unique(np.geomspace(1, horizon, n_checkpoints + 1).round().astype(np.int64)[1:]))


def _inputs(problem: Problem, inputs: np.ndarray | PairInputs | None) -> np.ndarray | PairInputs:
    return np.eye(problem.mdp.n_states * problem.mdp.n_joint_actions) if inputs is None else inputs


def _split(seed: Seed) -> tuple[np.random.Generator, np.random.Generator]:
    """Streams of the network and of the run, so that both critics of a pair of runs see the same tuples."""
    if isinstance(seed, np.random.Generator):
        root = np.random.SeedSequence(seed.integers(2**32, size=4).tolist())
    else:
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    # children by key, not by spawn(): a SeedSequence that is used twice gives the same run twice
    keys = ((*root.spawn_key, k) for k in (0, 1))
    one, two = (np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=key)) for key in keys)
    return one, two


def _whole(name: str, value: float) -> int:
    if value != int(value) or value < 1:
        raise ValueError(f"{name} is {value}; it is a whole number of at least 1")
    return int(value)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, not one of {', '.join(map(repr, allowed))}")


def _theta(name: str, value: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
    if value is None:
        return np.zeros(shape)
    array = as_float_array(name, value, 2)
    require_shape(name, array, shape, "(agents, parameters)")
    return array
