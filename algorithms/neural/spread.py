"""zhang2025's Simple Spread experiment (Appendix D.1): Algorithm 1 on the board, at its printed defaults or others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from algorithms.neural import _spread_kernel
from algorithms.neural._critics import Fixed, Network
from algorithms.neural.loop import Loop, gossip_matrix, plan_of
from algorithms.neural.network import CriticNetwork
from algorithms.neural.readings import Reading
from algorithms.neural.spread_actors import SpreadActor, place_values, spread_actor
from algorithms.neural.spread_settings import SPREAD_READINGS, Actor, Rewards, SpreadCritic, SpreadSettings
from mdp.large import SimpleSpread, SparseExact, sparse_exact_from_tables
from mdp.networks.families import permutation_mixture

__all__ = [
    "SPREAD_READINGS",
    "Actor",
    "Rewards",
    "SpreadActor",
    "SpreadCritic",
    "SpreadSettings",
    "SpreadTrace",
    "board",
    "spread_run",
    "spread_view",
]

REFRESH = 500
"""Outer iterations between two solves for the exact critic; ours: theta moves at most 500 alpha in between."""

PAIR_LIMIT = 1_000_000
"""Most state-action pairs for the exact critic, which needs a table: two agents on 13 x 5 have 105,625."""


@dataclass(frozen=True, eq=False)
class SpreadTrace:
    """One run.

    Attributes:
        t: checkpoints, in outer iterations.
        reward: mean team reward of the tuples since the last checkpoint; NaN once the run has failed.
        thetas: parameters, (checkpoints + 1, N, P), those at the start first; NaN once the run has failed.
        actor: the policy class, which turns parameters into tables.
        W: critics at the end, (N, D, m, m).
        zero_directions: agent-iterations without a step (0/0 in line 17).
        failure: what was not finite, and when; empty if nothing.
    """

    t: np.ndarray
    reward: np.ndarray
    thetas: Float[np.ndarray, "k N P"]
    actor: SpreadActor
    W: np.ndarray
    zero_directions: int
    failure: str

    @property
    def theta(self) -> np.ndarray:
        """Parameters at the end, (N, P)."""
        last: np.ndarray = self.thetas[-1]
        return last

    def tables(self, k: int) -> np.ndarray:
        """Policies at a checkpoint by agent, state (or own cell) and move, (N, S or C, 5); NaN once the run has failed.

        Args:
            k: 0 is the start, -1 the end.
        """
        tables = self.actor.tables(np.nan_to_num(self.thetas[k]))
        return tables if np.isfinite(self.thetas[k]).all() else np.full_like(tables, np.nan)


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
    if not 1 <= checkpoints <= horizon < np.inf or horizon != int(horizon) or checkpoints != int(checkpoints):
        raise ValueError(f"horizon is {horizon} and checkpoints {checkpoints}; 1 <= checkpoints <= horizon, whole")
    if np.ptp(game.initial) > 0:
        raise ValueError("game.initial is not uniform; resets go to uniform positions")
    streams = _streams(seed)
    A = permutation_mixture(game.n_agents, streams[0]) if consensus is None else consensus
    gossip = gossip_matrix(A, game.n_agents, settings.gossip_rounds)
    exact = settings.critic == "exact"
    critic = _exact_critic(game) if exact else _critic(game, settings, streams[1])
    actor = spread_actor(game, settings, streams[2])
    reading = settings.reading if isinstance(settings.reading, Reading) else SPREAD_READINGS[settings.reading]
    plan = plan_of(reading, settings.steps, game.gamma)
    loop = Loop(board(game, settings.rewards), actor.kernel, critic, plan, gossip, actor.start, streams[3])
    times = np.linspace(0, horizon, checkpoints + 1).round().astype(np.int64)[1:]
    reward, failure = np.full(checkpoints, np.nan), ""
    thetas = np.full((checkpoints + 1, *actor.start.shape), np.nan)
    thetas[0] = actor.start
    for k, t in enumerate(times):
        earned, tuples = loop.reward_and_tuples()
        try:
            _advance(loop, game, actor, int(t), exact)
        except FloatingPointError as error:
            failure = str(error)
            break
        now, drawn = loop.reward_and_tuples()
        reward[k] = (now - earned) / (drawn - tuples)
        thetas[k + 1] = loop.state.theta
    return SpreadTrace(times, reward, thetas, actor, loop.state.W, int(loop.state.counts[0]), failure)


def _advance(loop: Loop, game: SimpleSpread, actor: SpreadActor, stop: int, exact: bool) -> None:
    while exact and loop.t < stop:
        view = spread_view(game, actor.tables(loop.state.theta))
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


def spread_view(game: SimpleSpread, tables: Float[np.ndarray, "N X 5"], *, workers: int = 1) -> SparseExact:
    """Exact quantities of the board at policies in the state, or in the agents' own cells.

    Args:
        game: the board.
        tables: probabilities by agent, state or own cell (X is S or C), and move.
        workers: threads.

    Raises:
        ValueError: X is neither.
    """
    if tables.shape[1] == game.n_cells:
        cells = game.cells(np.arange(game.n_states))
        tables = np.stack([tables[i][cells[i]] for i in range(game.n_agents)])
    return sparse_exact_from_tables(game, list(tables), workers=workers)


def board(game: SimpleSpread, rewards: Rewards = "shared") -> _spread_kernel.Board:
    """The environment for the kernels.

    Args:
        game: the board.
        rewards: shared or local.
    """
    distance = np.abs(game.positions[None] - np.array(game.landmarks)[:, None]).sum(axis=2).astype(np.float64)
    return _spread_kernel.Board(
        game.moves.astype(np.int64), place_values(game), distance, rewards == "local", game.reward_time == "after"
    )


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
    inputs = _spread_kernel.CellInputs(cell, move, place_values(game))
    return Network(inputs, net.W0.copy(), net.b.copy(), np.zeros((D + 1, m)), np.zeros((2, m)))
