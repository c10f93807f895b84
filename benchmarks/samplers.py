"""One exact draw from mu_theta along a moving policy: elimination, regeneration, coupling from the past.

``python -m benchmarks.samplers`` prints microseconds per draw, all costs included (tables, P_pi, moves of the anchor),
while theta does a random walk (at most unit variance). The last column is the mean number of steps that the bound over
state-action pairs would take, ``1 / sum_t min_{s,a} P(t|s,a)``: it needs no anchor, and is the reason for one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

if not __package__:  # run as a file: the folder above is not on the path then
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numba import njit
from scipy.signal import lfilter

from algorithms._cac_kernel import _draw, _policy_tables
from algorithms._linalg import _gth
from algorithms._sampler import Anchor, Dynamics, _approach, _average_rows, _draw_stationary, _look_up
from algorithms._sampler_setup import describe, dynamics_of, empty_anchor
from benchmarks.cac_c import random_dense
from mdp.instances import garnet
from mdp.problem import Problem

DEEPEST = 4096
"""Farthest that coupling looks into the past before it gives up; ours."""

MOVES = (1e-3, 1e-2, 1e-1)
"""Standard deviations of a step of theta; an actor step is alpha times a TD error of order one."""

REPETITIONS = 5
SECONDS_PER_RUN = 0.05
Draws = Callable[[np.random.Generator, Dynamics, Anchor, np.ndarray, np.ndarray, np.ndarray], None]


@njit(nogil=True, cache=True, error_model="numpy")
def by_elimination(
    rng: np.random.Generator,
    dynamics: Dynamics,
    anchor: Anchor,
    theta: np.ndarray,
    moves: np.ndarray,
    counts: np.ndarray,
) -> None:
    """One draw after each of `moves` (draws, N, D), from the law solved for; counted by state."""
    law = np.empty(len(counts))
    for t in range(len(moves)):
        theta += moves[t]
        _policy_tables(dynamics.psi, theta, dynamics.n_actions, anchor.tables, anchor.joint)
        _average_rows(anchor.joint, dynamics.P, anchor.chain)
        _gth(anchor.chain, anchor.work, law)
        counts[_draw(rng, law)] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def by_regeneration(
    rng: np.random.Generator,
    dynamics: Dynamics,
    anchor: Anchor,
    theta: np.ndarray,
    moves: np.ndarray,
    counts: np.ndarray,
) -> None:
    """The same by `algorithms._sampler`."""
    for t in range(len(moves)):
        theta += moves[t]
        _approach(dynamics, anchor, theta)
        counts[_draw_stationary(rng, dynamics, anchor, theta)] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _from_the_past(rng: np.random.Generator, dynamics: Dynamics, tables: np.ndarray, uniforms: np.ndarray) -> int:
    """A draw by coupling from the past (Propp and Wilson 1996), or -1 beyond `uniforms` (depth, S, N + 1).

    Half of the steps use the same uniforms at every state, which coalesces fast where laws are alike; the others
    use uniforms of each state's own, without which some chains would never coalesce.
    """
    depth, S, columns = uniforms.shape
    states, known, past = np.empty(S, dtype=np.int64), 0, 1
    while past <= depth:
        for t in range(known, past):  # t steps further back than the present
            common = rng.random() < 0.5
            for s in range(S):
                for k in range(columns):
                    uniforms[t, s, k] = uniforms[t, 0, k] if common and s > 0 else rng.random()
        known = past
        for s in range(S):
            states[s] = s
        for t in range(past - 1, -1, -1):
            for origin in range(S):
                s, a = states[origin], 0
                for i in range(columns - 1):
                    u, chosen, total = uniforms[t, s, i], 0, tables[i, s, 0]
                    while u >= total and chosen < dynamics.n_actions[i] - 1:
                        chosen += 1
                        total += tables[i, s, chosen]
                    a = a * dynamics.n_actions[i] + chosen
                states[origin] = _look_up(uniforms[t, s, columns - 1], dynamics.P_cdf[s, a])
        together = True
        for s in range(1, S):
            together = together and states[s] == states[0]
        if together:
            return int(states[0])
        past *= 2
    return -1


@njit(nogil=True, cache=True, error_model="numpy")
def by_coupling(
    rng: np.random.Generator,
    dynamics: Dynamics,
    anchor: Anchor,
    theta: np.ndarray,
    moves: np.ndarray,
    counts: np.ndarray,
) -> None:
    """The same by coupling from the past; stops counting where it gives up."""
    uniforms = np.empty((DEEPEST, len(counts), len(dynamics.n_actions) + 1))
    for t in range(len(moves)):
        theta += moves[t]
        _policy_tables(dynamics.psi, theta, dynamics.n_actions, anchor.tables, anchor.joint)
        s = _from_the_past(rng, dynamics, anchor.tables, uniforms)
        if s < 0:
            counts[:] = -1
            return
        counts[s] += 1


def microseconds(draws: Draws, problem: Problem, move: float) -> tuple[float, str]:
    """Median time of a draw, and how the sampler settled.

    Args:
        draws: which sampler.
        problem: where.
        move: standard deviation of a step of theta.

    Returns:
        Microseconds (NaN where the sampler gave up), and the block length and mean steps between moves.
    """
    dynamics, rng, times, size = dynamics_of(problem), np.random.default_rng(0), [], 20
    N, S, _, D = dynamics.psi.shape
    anchor = empty_anchor(dynamics)
    for repetition in range(REPETITIONS + 2):
        path = lfilter([move], [1.0, -np.sqrt(1.0 - move**2)], rng.normal(size=(size + 1, N, D)), axis=0)
        path, counts = path + np.random.default_rng(1).normal(size=(N, D)), np.zeros(S, dtype=np.int64)
        moves = np.diff(path, axis=0)
        before, start = anchor.numbers.copy(), time.perf_counter()
        draws(rng, dynamics, anchor, path[0].copy(), moves, counts)
        elapsed = time.perf_counter() - start
        if counts[0] < 0:
            return float("nan"), "gave up"
        if repetition == 1:  # the first run compiles; this one sets the length of the rest
            size = int(np.clip(size * SECONDS_PER_RUN / elapsed, 20, 100_000))
        elif repetition > 1:
            times.append(elapsed / len(moves))
    found, moved = describe(anchor), anchor.numbers[6] - before[6]
    life = len(moves) / max(moved, 1)
    settled = "solves" if found["solving"] else f"m = {found['steps']:.0f}, moves every {life:.0f}"
    return 1e6 * float(np.median(times)), settled


def nearly_decomposable(n_states: int, leak: float) -> Problem:
    """The dense random problem with two halves that are left with probability `leak` only.

    Args:
        n_states: S, even.
        leak: total probability of crossing.
    """
    problem, half = random_dense(n_states, (2, 2, 2, 2)), n_states // 2
    P = problem.mdp.P.copy()
    other = (np.arange(n_states) < half)[:, None] != (np.arange(n_states) < half)[None, :]
    across, within = np.where(other[:, None], P, 0.0), np.where(other[:, None], 0.0, P)
    P = leak * across / across.sum(-1, keepdims=True) + (1 - leak) * within / within.sum(-1, keepdims=True)
    return replace(problem, mdp=replace(problem.mdp, P=P / P.sum(-1, keepdims=True)))


def cases() -> dict[str, Problem]:
    """The problems timed."""
    return {
        "dense (3, 3, 8)": random_dense(3, (2, 2, 2)),
        "dense (10, 4, 16)": random_dense(10, (2, 2, 2, 2)),
        "dense (50, 4, 16)": random_dense(50, (2, 2, 2, 2)),
        "garnet (10, 4, 16), 3 of 10": garnet(10, 2, 3, 4),
        "garnet (50, 4, 16), 3 of 50": garnet(50, 2, 3, 4),
        "leak 0.05 (10, 4, 16)": nearly_decomposable(10, 0.05),
        "leak 0.001 (10, 4, 16)": nearly_decomposable(10, 0.001),
        "leak 0.05 (50, 4, 16)": nearly_decomposable(50, 0.05),
        "leak 0.001 (50, 4, 16)": nearly_decomposable(50, 0.001),
    }


def main() -> int:
    """Print the table."""
    print("microseconds per exact draw from mu_theta, all costs included")
    titles = f"{'problem':28}{'move':>7}{'solve':>9}{'regen.':>9}{'ratio':>7}{'CFTP':>9}"
    print(f"{titles}  {'settled on':26}{'1/eps(s,a)':>12}")
    for name, problem in cases().items():
        bound = problem.mdp.P.min(axis=(0, 1)).sum()
        plain, coupled = microseconds(by_elimination, problem, 0.0)[0], microseconds(by_coupling, problem, 0.0)[0]
        for move in MOVES:
            ours, settled = microseconds(by_regeneration, problem, move)
            steps = f"{1 / bound:12.0f}" if bound > 0 else f"{'never':>12}"
            print(f"{name:28}{move:7g}{plain:9.2f}{ours:9.2f}{plain / ours:7.1f}{coupled:9.1f}  {settled:26}{steps}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
