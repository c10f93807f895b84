"""CAC with double sampling as a plain NumPy loop: what one writes without a compiler.

Vectorised over states, actions and agents where that is natural, with LAPACK for the linear systems. It draws in the
kernel's order, so that one seed gives the kernel's trajectory; `benchmarks.cac_all` checks that before timing.
"""

from __future__ import annotations

import time

import numpy as np

from algorithms import CACSteps
from algorithms._inputs import _tables
from benchmarks.cac_c import Run
from mdp.problem import Problem


def in_numpy(problem: Problem, seed: int, run: Run, metric_every: int = 0) -> float:
    """Run from `seed` into the parameters of `run` and return the seconds it took; metrics are not measured.

    Args:
        problem: where, without reward noise.
        seed: of the generator.
        run: state, updated in place; the last checkpoint is the horizon.
        metric_every: ignored.
    """
    P, r, _, initial, gamma, _, psi, H, n_actions, _, phi, varphi, W = _tables(problem)
    alpha, beta, zeta = CACSteps().at(int(run.checkpoints[-1]))
    rng, agents = np.random.default_rng(seed), np.arange(len(psi))
    padding = np.where(np.arange(psi.shape[2]) < n_actions[:, None], 0.0, -np.inf)[:, None, :]
    theta, omega, lam = run.theta, run.omega, run.lam
    start = time.perf_counter()
    for t in range(int(run.checkpoints[-1])):
        tables = _softmax(np.einsum("isak,ik->isa", psi, theta) + padding)
        P_pi = _under(tables, n_actions, P)
        mu, d = _laws(P_pi, initial, gamma)
        mix = W[t % len(W)]
        s, _, a, s_next = _tuple(rng, mu, tables, n_actions, P)
        delta = r[:, s, a] + omega @ (gamma * phi[s_next] - phi[s])
        error = r[:, s, a] - lam @ varphi[s, a]
        next_omega = _onto_ball(mix @ omega + beta * delta[:, None] * phi[s], 1e3)
        next_lam = _onto_ball(mix @ lam + zeta * error[:, None] * varphi[s, a], 1e3)
        s, local, a, s_next = _tuple(rng, d, tables, n_actions, P)
        signal = lam @ varphi[s, a] + omega @ (gamma * phi[s_next] - phi[s])
        score = psi[agents, s, local] - np.einsum("ia,iak->ik", tables[:, s], psi[:, s])
        next_theta = theta + alpha * signal[:, None] * score
        next_theta[:, :H] += mix @ theta[:, :H] - theta[:, :H]
        theta, omega, lam = next_theta, next_omega, next_lam
    elapsed = time.perf_counter() - start
    run.theta[:], run.omega[:], run.lam[:] = theta, omega, lam
    return elapsed


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _under(tables: np.ndarray, n_actions: np.ndarray, P: np.ndarray) -> np.ndarray:
    joint = tables[0][:, : n_actions[0]]
    for table, size in zip(tables[1:], n_actions[1:], strict=True):
        joint = (joint[:, :, None] * table[:, None, :size]).reshape(len(P), -1)
    return (joint[:, None, :] @ P)[:, 0]


def _laws(P_pi: np.ndarray, initial: np.ndarray, gamma: float) -> tuple[np.ndarray, np.ndarray]:
    """mu_theta and d_theta."""
    S = len(P_pi)
    system = np.eye(S) - P_pi.T
    system[-1] = 1.0
    mu = np.linalg.solve(system, np.eye(S)[-1])
    return mu, np.linalg.solve(np.eye(S) - gamma * P_pi.T, (1.0 - gamma) * initial)


def _tuple(
    rng: np.random.Generator, law: np.ndarray, tables: np.ndarray, n_actions: np.ndarray, P: np.ndarray
) -> tuple[int, list[int], int, int]:
    s, local, a = _pick(rng, law), [], 0
    for table, size in zip(tables, n_actions, strict=True):
        local.append(_pick(rng, table[s, :size]))
        a = a * int(size) + local[-1]
    return s, local, a, _pick(rng, P[s, a])


def _pick(rng: np.random.Generator, law: np.ndarray) -> int:
    return int(np.searchsorted(np.cumsum(law[:-1]), rng.random(), side="right"))


def _onto_ball(rows: np.ndarray, radius: float) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norms > radius, rows * (radius / np.maximum(norms, radius)), rows)
