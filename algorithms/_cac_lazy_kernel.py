"""The CAC loop of zeng2022 with exact draws by regeneration (`algorithms._sampler`), for runs with thinned metrics.

The update order, the metrics and the steps at which they are measured are those of `algorithms._cac_kernel._cac`;
so is the law of the trajectory. The stream of random numbers is not: a draw takes as many as it needs, so one seed
gives other bits here, the same ones every time. Policies are evaluated at visited states alone, and P_pi is
formed only where metrics are measured or the anchor moves. `_cac_lazy` is long for the reason `_cac` is.
"""

from __future__ import annotations

import numpy as np

from algorithms._cac_kernel import (
    EULER_GAMMA,
    N_DRIFTS,
    N_METRICS,
    _chain,
    _critic_targets,
    _distance,
    _gradient,
    _mixed,
    _policy_metrics,
    _policy_tables,
    _project,
    _reward_target,
    _spread,
    _td_target,
    _visitation,
)
from algorithms._linalg import _gth, compiled
from algorithms._sampler import (
    Anchor,
    Dynamics,
    _approach,
    _draw_stationary,
    _draw_visitation,
    _local_policy,
    _look_up,
)


@compiled
def _act(
    rng: np.random.Generator,
    dynamics: Dynamics,
    theta: np.ndarray,
    s: int,
    policy: np.ndarray,
    local: np.ndarray,
) -> tuple[int, int]:
    """Line 3 from state s: pi_i(.|s) into `policy` (N, Amax), actions into `local`; returns (joint action, s')."""
    a = 0
    for i in range(len(local)):
        size = dynamics.n_actions[i]
        _local_policy(dynamics.psi, theta, i, s, size, policy[i])
        u, chosen, total = rng.random(), 0, policy[i, 0]
        while u >= total and chosen < size - 1:
            chosen += 1
            total += policy[i, chosen]
        local[i] = chosen
        a = a * size + chosen
    return a, _look_up(rng.random(), dynamics.P_cdf[s, a])


@compiled
def _cac_lazy(
    rng: np.random.Generator,
    dynamics: Dynamics,
    anchor: Anchor,
    P: np.ndarray,
    r: np.ndarray,
    r_bar: np.ndarray,
    initial: np.ndarray,
    gamma: float,
    noisy: bool,
    psi: np.ndarray,
    n_shared: int,
    n_actions: np.ndarray,
    local_of: np.ndarray,
    phi: np.ndarray,
    varphi: np.ndarray,
    W: np.ndarray,
    double: bool,
    alpha: float,
    beta: float,
    zeta: float,
    radius_omega: float,
    radius_lambda: float,
    theta: np.ndarray,
    omega: np.ndarray,
    lam: np.ndarray,
    checkpoints: np.ndarray,
    metric_every: int,
    averages: np.ndarray,
    instants: np.ndarray,
) -> None:
    """As `_cac` with i.i.d. sampling: same arguments (`dynamics` and a fresh `anchor` apart), rows and metrics."""
    N, S, width, D = psi.shape
    A, K, L, H = P.shape[1], phi.shape[1], varphi.shape[2], n_shared
    tables, joint, local = np.zeros((N, S, width)), np.empty((S, A)), np.zeros(N, dtype=np.int64)
    P_pi, work, mu, d, V = np.empty((S, S)), np.empty((S, S)), np.empty(S), np.empty(S), np.empty(S)
    step, policy = np.empty(K), np.zeros((N, width))
    next_theta, next_omega, next_lam = np.empty((N, D)), np.empty((N, K)), np.empty((N, L))
    grams, gram, omegas, lam_star = np.empty((3, K, K)), np.empty((L, L)), np.empty((3, K)), np.empty(L)
    marginal, gradient, moved = np.empty((N, width)), np.empty((N, D)), np.empty((1, K))
    columns = N_METRICS + N_DRIFTS
    sums, now = np.zeros(columns), np.zeros(columns)
    measured, phase, row, horizon = 0, 0, 0, checkpoints[-1]
    next_measure = min(metric_every // 2, checkpoints[0] - 1)
    for t in range(horizon):
        measure = t == next_measure
        if measure:
            next_measure += metric_every
            _policy_tables(psi, theta, n_actions, tables, joint)
            _chain(joint, P, P_pi)
            _gth(P_pi, work, mu)
            _visitation(P_pi, initial, gamma, work, d)
            _critic_targets(P, P_pi, r_bar, gamma, phi, joint, mu, grams, step, omegas)
            _reward_target(r_bar, varphi, joint, mu, gram, lam_star)
            now[7] = _gradient(
                P, P_pi, r_bar, gamma, initial, psi, n_actions, local_of, tables, joint, d, work, V, marginal, gradient
            )
            for k in range(3):
                now[k] = _spread(omega, omegas[k])
            now[3] = _spread(lam, lam_star)
            _policy_metrics(theta, gradient, H, now)
        _approach(dynamics, anchor, theta)
        s = _draw_stationary(rng, dynamics, anchor, theta)
        a, s_next = _act(rng, dynamics, theta, s, policy, local)
        for k in range(K):
            step[k] = gamma * phi[s_next, k] - phi[s, k]
        for i in range(N):
            reward = r[i, s, a]
            if noisy:  # centred standard Gumbel
                reward += -np.log(-np.log(1.0 - rng.random())) - EULER_GAMMA
            delta, error = reward, reward  # lines 6 and 8
            for k in range(K):
                delta += step[k] * omega[i, k]
            delta *= beta
            for k in range(K):  # lines 4 and 7
                next_omega[i, k] = _mixed(W, phase, i, omega, k) + delta * phi[s, k]
            _project(next_omega, i, radius_omega)
            for k in range(L):
                error -= varphi[s, a, k] * lam[i, k]
            error *= zeta
            for k in range(L):  # lines 4 and 8
                next_lam[i, k] = _mixed(W, phase, i, lam, k) + error * varphi[s, a, k]
            _project(next_lam, i, radius_lambda)
        if double:
            s = _draw_visitation(rng, dynamics, anchor, theta)
            a, s_next = _act(rng, dynamics, theta, s, policy, local)
            for k in range(K):
                step[k] = gamma * phi[s_next, k] - phi[s, k]
        for i in range(N):
            delta = 0.0  # line 9 with Eq. (11); the shared part is mixed first, Eq. (9)
            for k in range(L):
                delta += varphi[s, a, k] * lam[i, k]
            for k in range(K):
                delta += step[k] * omega[i, k]
            delta *= alpha
            for k in range(D):
                mean = 0.0
                for b in range(n_actions[i]):
                    mean += policy[i, b] * psi[i, s, b, k]
                mixed = _mixed(W, phase, i, theta, k) if k < H else theta[i, k]
                next_theta[i, k] = mixed + delta * (psi[i, s, local[i], k] - mean)
        if measure:
            now[9] = _distance(next_theta, theta)
        theta[:] = next_theta
        omega[:] = next_omega
        lam[:] = next_lam
        phase = phase + 1 if phase + 1 < len(W) else 0
        if measure:
            _policy_tables(psi, theta, n_actions, tables, joint)
            _chain(joint, P, P_pi)
            _gth(P_pi, work, mu)
            _td_target(P_pi, r_bar, gamma, phi, joint, mu, grams[0], step, moved[0])
            now[8] = _distance(moved, omegas[:1])
            for k in range(columns):
                sums[k] += now[k]
            measured += 1
        if t + 1 == checkpoints[row]:
            for k in range(columns):
                averages[row, k] = sums[k] / measured
                instants[row, k] = now[k]
            row += 1
