"""The loops of IAC, DAC and MDAC as numba kernels; `algorithms.baselines` is the public face.

They draw from one Generator in the order of `_cac_kernel._cac` and do the arithmetic in its order too, so that the
special cases in which an algorithm coincides with CAC coincide to the bit. Policy, laws and metrics come from there.
"""

from __future__ import annotations

import numpy as np

from algorithms._cac_kernel import (
    EULER_GAMMA,
    N_METRICS,
    _chain,
    _critic_targets,
    _draw_tuple,
    _gradient,
    _mixed,
    _policy_metrics,
    _policy_tables,
    _project,
    _reward_target,
    _spread,
    _visitation,
)
from algorithms._linalg import _gth, compiled, inlined


@inlined
def _reward(rng: np.random.Generator, r: np.ndarray, i: int, s: int, a: int, noisy: bool) -> float:
    """Reward of agent i, with centred standard Gumbel noise if there is any."""
    value = r[i, s, a]
    if noisy:
        value += -np.log(-np.log(1.0 - rng.random())) - EULER_GAMMA
    return value


@inlined
def _successor(gamma: float, phi: np.ndarray, s: int, s_next: int, step: np.ndarray) -> None:
    """``gamma phi(s') - phi(s)`` into `step`: what the TD error multiplies omega with."""
    for k in range(phi.shape[1]):
        step[k] = gamma * phi[s_next, k] - phi[s, k]


@inlined
def _dot(left: np.ndarray, right: np.ndarray, i: int, start: float) -> float:
    """``start + left . right[i]``."""
    total = start
    for k in range(len(left)):
        total += left[k] * right[i, k]
    return total


@inlined
def _score(tables: np.ndarray, psi: np.ndarray, n_actions: np.ndarray, i: int, s: int, chosen: int, k: int) -> float:
    """Entry k of grad log pi_i(chosen | s)."""
    mean = 0.0
    for b in range(n_actions[i]):
        mean += tables[i, s, b] * psi[i, s, b, k]
    return psi[i, s, chosen, k] - mean


@compiled
def _measure(
    P: np.ndarray, P_pi: np.ndarray, r_bar: np.ndarray, initial: np.ndarray, gamma: float,
    psi: np.ndarray, n_shared: int, n_actions: np.ndarray, local_of: np.ndarray, phi: np.ndarray, varphi: np.ndarray,
    tables: np.ndarray, joint: np.ndarray, mu: np.ndarray, d: np.ndarray,
    theta: np.ndarray, omega: np.ndarray, lam: np.ndarray, now: np.ndarray,
) -> None:  # fmt: skip
    """The metrics of `_cac`, in its order, into `now`."""
    N, S, width, D = psi.shape
    K, L = phi.shape[1], varphi.shape[2]
    omegas, lam_star, gradient = np.empty((3, K)), np.empty(L), np.empty((N, D))
    _critic_targets(P, P_pi, r_bar, gamma, phi, joint, mu, np.empty((3, K, K)), np.empty(K), omegas)
    _reward_target(r_bar, varphi, joint, mu, np.empty((L, L)), lam_star)
    for k in range(3):
        now[k] = _spread(omega, omegas[k])
    now[3] = _spread(lam, lam_star)
    system, V, marginal = np.empty((S, S)), np.empty(S), np.empty((N, width))
    now[7] = _gradient(
        P, P_pi, r_bar, gamma, initial, psi, n_actions, local_of, tables, joint, d, system, V, marginal, gradient
    )
    _policy_metrics(theta, gradient, n_shared, now)


@compiled
def _local_actors(
    rng: np.random.Generator,
    P: np.ndarray, r: np.ndarray, r_bar: np.ndarray, initial: np.ndarray, gamma: float, noisy: bool,
    psi: np.ndarray, n_shared: int, n_actions: np.ndarray, local_of: np.ndarray, phi: np.ndarray, varphi: np.ndarray,
    W: np.ndarray, double: bool, after: bool, sampled: bool,
    alpha: float, beta: float, zeta: float, radius_omega: float, radius_lambda: float,
    theta: np.ndarray, omega: np.ndarray, lam: np.ndarray,
    checkpoints: np.ndarray, metric_every: int, averages: np.ndarray, instants: np.ndarray,
) -> None:  # fmt: skip
    """Consensus on critics and reward models, local actors: DAC, and IAC when W is the identity.

    With `after` an agent takes its own step and then mixes what all have, otherwise it mixes first (zeng2022 line 4).
    With `sampled` the actor's signal has the agent's own reward in place of its reward model. `theta`, `omega`, `lam`
    are updated in place; `averages` and `instants` are as in `_cac`.
    """
    N, S, width, D = psi.shape
    A, K, L = P.shape[1], phi.shape[1], varphi.shape[2]
    tables, joint, local = np.zeros((N, S, width)), np.empty((S, A)), np.zeros(N, dtype=np.int64)
    P_pi, work, mu, d = np.empty((S, S)), np.empty((S, S)), np.empty(S), np.empty(S)
    step, pair, rewards = np.empty(K), np.empty(L), np.empty(N)
    omega_step, lam_step = np.empty((N, K)), np.empty((N, L))
    next_omega, next_lam = np.empty((N, K)), np.empty((N, L))
    sums, now = np.zeros(N_METRICS), np.zeros(N_METRICS)
    measured, phase, row = 0, 0, 0
    next_measure = min(metric_every // 2, checkpoints[0] - 1)  # the middle of a block, as in `_cac`
    for t in range(checkpoints[-1]):
        _policy_tables(psi, theta, n_actions, tables, joint)
        _chain(joint, P, P_pi)
        _gth(P_pi, work, mu)
        measure = t == next_measure
        if double or measure:
            _visitation(P_pi, initial, gamma, work, d)
        if measure:
            next_measure += metric_every
            _measure(
                P, P_pi, r_bar, initial, gamma, psi, n_shared, n_actions, local_of, phi, varphi,
                tables, joint, mu, d, theta, omega, lam, now,
            )  # fmt: skip
            sums += now
            measured += 1
        s, a, s_next = _draw_tuple(rng, mu, tables, n_actions, P, local)
        _successor(gamma, phi, s, s_next, step)
        pair[:] = varphi[s, a]
        for i in range(N):  # innovations of critic and reward model
            rewards[i] = _reward(rng, r, i, s, a, noisy)
            delta = _dot(step, omega, i, rewards[i]) * beta
            for k in range(K):
                omega_step[i, k] = delta * phi[s, k]
            error = rewards[i]
            for k in range(L):
                error -= pair[k] * lam[i, k]
            error *= zeta
            for k in range(L):
                lam_step[i, k] = error * pair[k]
        if double:
            s, a, s_next = _draw_tuple(rng, d, tables, n_actions, P, local)
            _successor(gamma, phi, s, s_next, step)
            pair[:] = varphi[s, a]
            if sampled:
                for i in range(N):
                    rewards[i] = _reward(rng, r, i, s, a, noisy)
        for i in range(N):  # local actors, with the critics and models of time t
            signal = rewards[i] if sampled else _dot(pair, lam, i, 0.0)
            signal = _dot(step, omega, i, signal) * alpha
            for k in range(D):
                theta[i, k] += signal * _score(tables, psi, n_actions, i, s, local[i], k)
        _combine(W, phase, after, omega, omega_step, next_omega, radius_omega)
        _combine(W, phase, after, lam, lam_step, next_lam, radius_lambda)
        phase = phase + 1 if phase + 1 < len(W) else 0
        if t + 1 == checkpoints[row]:
            averages[row] = sums / measured
            instants[row] = now
            row += 1


@compiled
def _combine(
    W: np.ndarray, phase: int, after: bool, values: np.ndarray, step: np.ndarray, scratch: np.ndarray, radius: float
) -> None:
    """One consensus step of `values`: ``W (values + step)`` with `after`, else ``W values + step``; then the ball."""
    if after:
        values += step
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            mixed = _mixed(W, phase, i, values, k)
            scratch[i, k] = mixed if after else mixed + step[i, k]
        _project(scratch, i, radius)
    values[:] = scratch


@compiled
def _mdac(
    rng: np.random.Generator,
    P: np.ndarray, r: np.ndarray, r_bar: np.ndarray, initial: np.ndarray, gamma: float, noisy: bool,
    psi: np.ndarray, n_shared: int, n_actions: np.ndarray, local_of: np.ndarray, phi: np.ndarray, varphi: np.ndarray,
    W: np.ndarray, double: bool, batch: int, critic_steps: int, actor_batch: int, gossip: bool,
    alpha: float, beta: float, zeta: float, radius_omega: float, radius_lambda: float,
    theta: np.ndarray, omega: np.ndarray, lam: np.ndarray,
    checkpoints: np.ndarray, metric_every: int, averages: np.ndarray, instants: np.ndarray,
) -> None:  # fmt: skip
    """Inner loop of `critic_steps` mini-batch TD steps with consensus, then one mini-batch actor step.

    With `gossip` the actor's reward is one round of averaging of the agents' sampled rewards, otherwise that of the
    reward model. `theta`, `omega`, `lam` are updated in place; `averages` and `instants` are as in `_cac`.
    """
    N, S, width, D = psi.shape
    A, K, L = P.shape[1], phi.shape[1], varphi.shape[2]
    tables, joint, local = np.zeros((N, S, width)), np.empty((S, A)), np.zeros(N, dtype=np.int64)
    P_pi, work, mu, d = np.empty((S, S)), np.empty((S, S)), np.empty(S), np.empty(S)
    step, rewards = np.empty(K), np.zeros((N, 1))
    omega_step, lam_step, move = np.empty((N, K)), np.empty((N, L)), np.empty((N, D))
    next_omega, next_lam = np.empty((N, K)), np.empty((N, L))
    sums, now = np.zeros(N_METRICS), np.zeros(N_METRICS)
    measured, phase, last, row = 0, 0, 0, 0
    next_measure = min(metric_every // 2, checkpoints[0] - 1)
    for t in range(checkpoints[-1]):
        _policy_tables(psi, theta, n_actions, tables, joint)
        _chain(joint, P, P_pi)
        _gth(P_pi, work, mu)
        measure = t == next_measure
        if double or measure:
            _visitation(P_pi, initial, gamma, work, d)
        if measure:
            next_measure += metric_every
            _measure(
                P, P_pi, r_bar, initial, gamma, psi, n_shared, n_actions, local_of, phi, varphi,
                tables, joint, mu, d, theta, omega, lam, now,
            )  # fmt: skip
            sums += now
            measured += 1
        for _ in range(critic_steps):
            omega_step[:] = 0.0
            lam_step[:] = 0.0
            for _ in range(batch):
                s, a, s_next = _draw_tuple(rng, mu, tables, n_actions, P, local)
                _successor(gamma, phi, s, s_next, step)
                for i in range(N):
                    reward = _reward(rng, r, i, s, a, noisy)
                    delta = _dot(step, omega, i, reward) * (beta / batch)
                    for k in range(K):
                        omega_step[i, k] += delta * phi[s, k]
                    error = reward
                    for k in range(L):
                        error -= varphi[s, a, k] * lam[i, k]
                    error *= zeta / batch
                    for k in range(L):
                        lam_step[i, k] += error * varphi[s, a, k]
            _combine(W, phase, False, omega, omega_step, next_omega, radius_omega)
            _combine(W, phase, False, lam, lam_step, next_lam, radius_lambda)
            last, phase = phase, (phase + 1) % len(W)
        move[:] = 0.0
        for _ in range(actor_batch):  # with the critics that the inner loop left
            s, a, s_next = _draw_tuple(rng, d if double else mu, tables, n_actions, P, local)
            _successor(gamma, phi, s, s_next, step)
            if gossip:
                for i in range(N):
                    rewards[i, 0] = _reward(rng, r, i, s, a, noisy)
            for i in range(N):
                signal = _mixed(W, last, i, rewards, 0) if gossip else _dot(varphi[s, a], lam, i, 0.0)
                signal = _dot(step, omega, i, signal) * (alpha / actor_batch)
                for k in range(D):
                    move[i, k] += signal * _score(tables, psi, n_actions, i, s, local[i], k)
        theta += move
        if t + 1 == checkpoints[row]:
            averages[row] = sums / measured
            instants[row] = now
            row += 1
