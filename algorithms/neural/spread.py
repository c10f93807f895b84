"""zhang2025's Simple Spread experiment (Appendix D.1): Algorithm 1 on the board, at its printed defaults or others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from algorithms.neural import _spread_kernel
from algorithms.neural._critics import Fixed, Network
from algorithms.neural._policies import policy_arrays
from algorithms.neural.loop import Loop, Steps, gossip_matrix, plan_of
from algorithms.neural.network import CriticNetwork
from algorithms.neural.readings import PRINTED, REPAIRED, Reading
from mdp.large import EPISODE, SimpleSpread, SparseExact, sparse_exact_from_tables
from mdp.networks.families import permutation_mixture
from mdp.policies import NeuralPolicy

Rewards = Literal["shared", "local"]
Actor = Literal["network", "softmax"]
SpreadCritic = Literal["network", "exact"]

REFRESH = 500
"""Outer iterations between two solves for the exact critic; ours: theta moves at most 500 alpha in between."""

PAIR_LIMIT = 1_000_000
"""Most state-action pairs for the exact critic, which needs a table: two agents on 13 x 5 have 105,625."""

LISTED = replace(PRINTED, data_kernel="original", target_kernel="original")
"""Algorithm 1 as listed with the environment of Appendix D.1, where resets every ten steps replace the restart kernel.
A reset moves the data, not the target: s' of a TD error is where the moves led."""

LEARNING = replace(REPAIRED, data_kernel="original", critic_start="previous", hand_over="last")
"""The repaired reading with the same resets, and a critic that goes on from what it knows. Line 2 of Algorithm 2 takes
every critic back to W(0); at K = 1 no reading of the actor's signal can learn from that."""

SPREAD_READINGS: dict[str, Reading] = {
    "printed": LISTED,
    "printed, Q-value": replace(LISTED, actor_signal="q"),
    "printed, flipped": replace(LISTED, flipped=True),
    "repaired": LEARNING,
    "repaired, Q-value": replace(LEARNING, actor_signal="q"),
}
"""Readings run side by side, by name."""


@dataclass(frozen=True)
class SpreadSettings:
    """Settings of one run; the defaults are those of Appendix D.1.

    What the appendix leaves open, and what we take:

    - *alpha <= 0.005, beta <= 0.001*: constant, at their bounds. (With Theorem 5.10's alpha / t the whole path of
      theta would be at most alpha (1 + log T) = 0.055 long.)
    - *B*: no value is given: no projection.
    - *A*: a random mixture of permutations, drawn anew in every run.
    - *Inputs*: cells and moves one-hot, over sqrt(2 N).
    - *Actor*: a network as the critic's, with its own cell as input; or one logit per own cell and move.
    - *Reward*: that of the positions after the move, as environments return it; ``game.reward_time`` decides.

    Attributes:
        reading: a key of `SPREAD_READINGS`, or a `Reading`.
        rewards: ``"shared"``, as printed: every agent has the sum over landmarks; ``"local"``: agent i has N times
            the term of landmark i, so that the team reward, the mean over agents, is the same.
        actor: ``"network"`` or ``"softmax"``.
        critic: ``"network"``, or ``"exact"``: Q of the original kernel, solved for every `REFRESH` iterations.
        gossip_rounds: t_gossip.
        width: m, of critics and actors.
        depth: D, of both.
        critic_iterations: K.
        batch: M.
        alpha: the actor's step.
        alpha_exponent: 0 for a constant step, 1 for alpha / t.
        beta: the critic's step.
        episode: steps between resets to random positions; 0 for none.
        radius: B.

    Raises:
        ValueError: on construction: a value that is not one of its choices; steps as `Steps`.

    Source: zhang2025 Appendix D.1.
    """

    reading: str | Reading = "printed"
    rewards: Rewards = "shared"
    actor: Actor = "network"
    critic: SpreadCritic = "network"
    gossip_rounds: int = 10
    width: int = 20
    depth: int = 5
    critic_iterations: int = 1
    batch: int = 1
    alpha: float = 0.005
    alpha_exponent: float = 0.0
    beta: float = 0.001
    episode: int = EPISODE
    radius: float = float("inf")

    def __post_init__(self) -> None:
        choices = (("rewards", get_args(Rewards)), ("actor", get_args(Actor)), ("critic", get_args(SpreadCritic)))
        for name, allowed in choices:
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}, not one of {', '.join(map(repr, allowed))}")
        if isinstance(self.reading, str) and self.reading not in SPREAD_READINGS:
            raise ValueError(f"reading is {self.reading!r}, not one of {', '.join(map(repr, SPREAD_READINGS))}")
        for name in ("width", "depth", "critic_iterations"):
            value = getattr(self, name)
            if value != int(value) or value < 1:
                raise ValueError(f"{name} is {value}; it is a whole number of at least 1")
        _ = self.steps

    @property
    def steps(self) -> Steps:
        """Step sizes and loop lengths."""
        return Steps(
            self.batch, self.critic_iterations * (self.critic == "network"), self.gossip_rounds, self.alpha,
            self.alpha_exponent, self.beta,
            self.radius, self.episode,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class SpreadTrace:
    """One run.

    Attributes:
        t: checkpoints, in outer iterations.
        reward: mean team reward of the tuples since the last checkpoint; NaN once the run has failed.
        tables: the policies, (checkpoints + 1, N, C, 5), those at the start first; NaN once the run has failed.
        theta: parameters at the end, (N, P).
        W: critics at the end, (N, D, m, m).
        zero_directions: agent-iterations without a step (0/0 in line 17).
        failure: what was not finite, and when; empty if nothing.
    """

    t: np.ndarray
    reward: np.ndarray
    tables: Float[np.ndarray, "k N C 5"]
    theta: np.ndarray
    W: np.ndarray
    zero_directions: int
    failure: str


def spread_run(
    game: SimpleSpread,
    settings: SpreadSettings,
    horizon: int,
    seed: int | np.random.SeedSequence,
    *,
    checkpoints: int = 1,
    consensus: Float[np.ndarray, "N N"] | None = None,
) -> SpreadTrace:
    """Run Algorithm 1 on the board. Runs with one seed share their draws of A, networks and positions.

    Args:
        game: the board, with uniform resets; its discount is used.
        settings: the algorithm's.
        horizon: T, outer iterations.
        seed: of the run.
        checkpoints: evenly spaced times at which rewards and policies are reported, at most `horizon`.
        consensus: A; random if None.

    Raises:
        ValueError: horizon or checkpoints out of range; initial positions that are not uniform; a bad `consensus`.

    Source: zhang2025 Appendix D.1.
    """
    if horizon != int(horizon) or not 1 <= checkpoints <= horizon:
        raise ValueError(f"horizon is {horizon} and checkpoints {checkpoints}; 1 <= checkpoints <= horizon, whole")
    if np.ptp(game.initial) > 0:
        raise ValueError("game.initial is not uniform; resets go to uniform positions")
    streams = _streams(seed)
    A = permutation_mixture(game.n_agents, streams[0]) if consensus is None else consensus
    exact = settings.critic == "exact"
    critic = _exact_critic(game) if exact else _critic(game, settings, streams[1])
    policy, theta, tables_of = _actor(game, settings, streams[2])
    reading = settings.reading if isinstance(settings.reading, Reading) else SPREAD_READINGS[settings.reading]
    plan = plan_of(reading, settings.steps, game.gamma)
    gossip = gossip_matrix(A, game.n_agents, settings.gossip_rounds)
    loop = Loop(board(game, settings.rewards), policy, critic, plan, gossip, theta, streams[3])
    times = np.linspace(0, horizon, checkpoints + 1).round().astype(np.int64)[1:]
    reward, tables, failure = np.full(checkpoints, np.nan), [tables_of(theta)], ""
    for k, t in enumerate(times):
        earned, tuples = loop.reward_and_tuples()
        try:
            _advance(loop, game, tables_of, int(t), exact)
        except FloatingPointError as error:
            failure = str(error)
            tables += [np.full_like(tables[0], np.nan)] * (checkpoints - k)
            break
        now, drawn = loop.reward_and_tuples()
        reward[k] = (now - earned) / (drawn - tuples)
        tables.append(tables_of(loop.state.theta))
    state = loop.state
    return SpreadTrace(times, reward, np.stack(tables), state.theta, state.W, int(state.counts[0]), failure)


def _advance(loop: Loop, game: SimpleSpread, tables_of: Any, stop: int, exact: bool) -> None:
    while exact and loop.t < stop:
        view = spread_view(game, tables_of(loop.state.theta))
        view.over_pairs(lambda q, low: _copy_rows(loop.critic.centre[0], q, low), view.V)
        loop.advance(min(stop, loop.t + REFRESH))
    if not exact:
        loop.advance(stop)


def _copy_rows(table: np.ndarray, rows: np.ndarray, low: int) -> None:
    table[low : low + len(rows)] = rows


def _exact_critic(game: SimpleSpread) -> Fixed:
    pairs = game.n_states * game.n_joint_actions
    if pairs > PAIR_LIMIT:
        raise ValueError(f"critic is 'exact' and {game.name} has {pairs:,} pairs, above {PAIR_LIMIT:,}")
    return Fixed(np.zeros((1, game.n_states, game.n_joint_actions)))


def spread_view(game: SimpleSpread, tables: Float[np.ndarray, "N C 5"], *, workers: int = 1) -> SparseExact:
    """Exact quantities of the board at policies in the agents' own cells.

    Args:
        game: the board.
        tables: probabilities by agent, own cell and move.
        workers: threads.
    """
    cells = game.cells(np.arange(game.n_states))
    return sparse_exact_from_tables(game, [tables[i][cells[i]] for i in range(game.n_agents)], workers=workers)


def board(game: SimpleSpread, rewards: Rewards = "shared") -> _spread_kernel.Board:
    """The environment for the kernels.

    Args:
        game: the board.
        rewards: shared or local.
    """
    distance = np.abs(game.positions[None] - np.array(game.landmarks)[:, None]).sum(axis=2).astype(np.float64)
    return _spread_kernel.Board(
        game.moves.astype(np.int64), _place(game), distance, rewards == "local", game.reward_time == "after"
    )


def _place(game: SimpleSpread) -> np.ndarray:
    return game.n_cells ** np.arange(game.n_agents - 1, -1, -1, dtype=np.int64)


def _streams(seed: int | np.random.SeedSequence) -> list[np.random.Generator]:
    """Streams of A, critic, actor and run, by key: a SeedSequence that is used twice gives the same run twice."""
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    keys = ((*root.spawn_key, k) for k in range(4))
    return [np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=key)) for key in keys]


def _critic(game: SimpleSpread, settings: SpreadSettings, rng: np.random.Generator) -> Network:
    N, C, moves = game.n_agents, game.n_cells, game.n_actions[0]
    m, D, d = settings.width, settings.depth, N * (C + moves)
    unit = np.eye(1, d)  # any unit row: the inputs are put together by the kernel
    net = CriticNetwork.draw(unit, width=m, depth=D, seed=rng)
    columns = np.ascontiguousarray(net.H.T) / np.sqrt(2 * N)
    cell = columns[: N * C].reshape(N, C, m).copy()
    move = columns[N * C :].reshape(N, moves, m).copy()
    inputs = _spread_kernel.CellInputs(cell, move, _place(game))
    return Network(inputs, net.W0.copy(), net.b.copy(), np.zeros((D + 1, m)), np.zeros((2, m)))


def _actor(game: SimpleSpread, settings: SpreadSettings, rng: np.random.Generator) -> tuple[Any, np.ndarray, Any]:
    """The kernels' policy, theta at the start, and the function from theta to tables (N, C, 5)."""
    N, C, moves = game.n_agents, game.n_cells, game.n_actions[0]
    counts, place = np.array(game.n_actions, dtype=np.int64), _place(game)
    if settings.actor == "softmax":
        return _spread_kernel.CellSoftmax(place, C, counts), np.zeros((N, C * moves)), _softmax_tables(N, C, moves)
    policy, theta = NeuralPolicy.draw(C, game.n_actions, width=settings.width, depth=settings.depth, seed=rng)
    inner = policy_arrays(policy)
    return _spread_kernel.Cells(inner, place, C, counts), theta, lambda x: np.stack(policy.probabilities(x))


def _softmax_tables(n_agents: int, n_cells: int, n_moves: int) -> Any:
    def tables(theta: np.ndarray) -> np.ndarray:
        logits = theta.reshape(n_agents, n_cells, n_moves)
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        return np.asarray(weights / weights.sum(axis=2, keepdims=True))

    return tables
