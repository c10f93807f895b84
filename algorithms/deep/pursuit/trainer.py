"""Runs of CAC, DAC and MDAC on pursuit: a state that can be stopped after any episode and go on with the same bits.

All randomness is keyed by (seed, run, purpose, episode). A block of episodes starts from fresh seeds, so what has to
be kept between two of them is the parameters alone: no state of a generator, of the game, or of an optimiser (the
steps are plain, as in the listing).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from algorithms.deep.pursuit.environments import Lockstep, make_game
from algorithms.deep.pursuit.networks import Network, initial_networks, outputs_of
from algorithms.deep.pursuit.settings import ALGORITHMS, Algorithm, Settings, weights
from algorithms.deep.pursuit.updates import Batch, batch_step, local_step

NETWORKS, GAME, MOVES_DRAWN = 0, 1, 2
"""Purposes of randomness. The algorithm is not part of a key: the runs of one number are paired."""


@dataclass(frozen=True)
class RunState:
    """A run between two blocks of episodes.

    Attributes:
        algorithm: which of the three.
        seed: root of all randomness.
        run: index of the run.
        actor: parameters, on the CPU.
        critic: parameters, on the CPU.
        returns: mean over agents and copies of the summed rewards, one entry per block so far.
    """

    algorithm: Algorithm
    seed: int
    run: int
    actor: Network
    critic: Network
    returns: Float[np.ndarray, " episode"]

    @property
    def episode(self) -> int:
        """Blocks done."""
        return len(self.returns)


def start(algorithm: Algorithm, settings: Settings, *, seed: int, run: int) -> RunState:
    """A run before its first episode. Runs of one number start from the same networks under every algorithm.

    Args:
        algorithm: which of the three.
        settings: sizes.
        seed: root of all randomness, not negative.
        run: index of the run, not negative.

    Raises:
        ValueError: unknown algorithm, negative seed or run.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm is {algorithm!r}, not one of {', '.join(ALGORITHMS)}")
    for name, value in (("seed", seed), ("run", run)):
        if value < 0:
            raise ValueError(f"{name} is {value}; it is not negative")
    actor, critic = initial_networks(settings, np.random.default_rng(_key(seed, run, NETWORKS)))
    return RunState(algorithm, seed, run, actor, critic, np.zeros(0))


def advance(state: RunState, settings: Settings, episodes: int, *, device: str = "cpu") -> RunState:
    """The run some blocks of episodes later, never beyond ``settings.episodes``.

    Args:
        state: where the run is.
        settings: of the run.
        episodes: blocks to add.
        device: a torch device; see `require_device`.

    Raises:
        ValueError: unknown device.
        FloatingPointError: the parameters left the floats; the message names run and episode.
        MissingExtraError: PettingZoo's pursuit without its packages.
    """
    target = require_device(device)
    torch.set_num_threads(1)  # ours: runs go side by side in processes, and sums keep one order
    game, W = make_game(settings), torch.tensor(weights(settings), dtype=torch.float32, device=target)
    actor = tuple(t.to(target) for t in state.actor)
    critic = tuple(t.to(target) for t in state.critic)
    returns = list(state.returns)
    while len(returns) < min(state.episode + episodes, settings.episodes):
        seeds = [_key(state.seed, state.run, purpose, len(returns)) for purpose in (GAME, MOVES_DRAWN)]
        actor, critic, total = _episode(state.algorithm, settings, game, actor, critic, W, *seeds)
        returns.append(total)
        if not all(bool(torch.isfinite(t).all()) for t in (*actor, *critic)):
            where = f"{state.algorithm}, run {state.run}, episode {len(returns)}"
            raise FloatingPointError(f"{where}: parameters are not finite; actor_step or critic_step is too large")
    actor, critic = tuple(t.cpu() for t in actor), tuple(t.cpu() for t in critic)
    return replace(state, actor=actor, critic=critic, returns=np.array(returns))


def require_device(name: str) -> torch.device:
    """The torch device of that name; ``"auto"`` is a GPU if there is one.

    Args:
        name: such as ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises:
        ValueError: torch knows no such device, or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).splitlines()[0][:120]
        raise ValueError(f"device {name!r} cannot be used ({first}); try 'cpu' or 'auto'") from None
    return device


def _key(seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=key)


def _episode(
    algorithm: Algorithm, settings: Settings, game: Lockstep, actor: Network, critic: Network, W: torch.Tensor,
    placing: np.random.SeedSequence, moving: np.random.SeedSequence,
) -> tuple[Network, Network, float]:  # fmt: skip
    """One block of episodes with updates along it, and its return."""
    shape = (settings.game.horizon, settings.n_envs, settings.game.n_agents)
    uniforms = np.random.default_rng(moving).random(shape)
    views, over, total = game.reset(placing), np.zeros(settings.n_envs, dtype=bool), 0.0
    waiting: list[Batch] = []
    for begin in range(0, settings.game.horizon, settings.segment):
        batch, views, over = collect(game, actor, views, over, uniforms[begin : begin + settings.segment])
        total += float(batch.rewards.double().sum())  # entries after the end are zero
        waiting.append(batch)
        if algorithm != "MDAC":
            actor, critic = local_step(algorithm, actor, critic, waiting.pop(), W, settings)
        elif len(waiting) > settings.mdac_batch:
            actor, critic = batch_step(actor, critic, waiting, W, settings)
            waiting = []
    return actor, critic, total / (shape[1] * shape[2])


def collect(
    game: Lockstep, actor: Network, views: np.ndarray, over: np.ndarray, uniforms: Float[np.ndarray, "T E N"]
) -> tuple[Batch, np.ndarray, np.ndarray]:
    """Play T joint steps with frozen actors.

    Args:
        game: copies of the game, in play.
        actor: parameters.
        views: what the pursuers see now, (E, N, 3, R, R).
        over: which copies are over, (E,).
        uniforms: numbers in [0, 1) that decide the moves.

    Returns:
        The T E tuples, the views after them, (E, N, 3, R, R), and which copies are over then, (E,).
    """
    device = actor[0].device
    seen, moves, rewards, ended = [views], [], [], [over]
    for draw in uniforms:
        with torch.no_grad():
            logits = outputs_of(actor, torch.from_numpy(seen[-1]).to(device))
        cdf = logits.double().softmax(-1).cumsum(-1).cpu().numpy()
        moves.append((draw[..., None] * cdf[..., -1:] >= cdf).sum(axis=-1))
        after, earned, done = game.step(moves[-1])
        seen.append(after)
        rewards.append(earned)
        ended.append(done)

    def tensor(rows: list[np.ndarray], kind: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(rows)).to(device, kind)

    goes_on, weight = [~e for e in ended[1:]], [~e for e in ended[:-1]]
    batch = Batch(
        tensor(seen[:-1]), tensor(moves, torch.int64), tensor(rewards), tensor(seen[1:]), tensor(goes_on),
        tensor(weight),
    )  # fmt: skip
    return batch, seen[-1], ended[-1]
