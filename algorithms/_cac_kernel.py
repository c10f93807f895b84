"""The CAC loop of zeng2022 (Algorithms 1 and 2) as numba kernels; `algorithms.cac` is the public face.

Line numbers in comments are those of the listing of Algorithm 1. The kernels draw from one Generator in a
fixed order, allocate scratch once, and take no options but numbers and flags. The exact solves per step
(`_state_laws`) are what sampling from mu_theta and d_theta costs; metrics cost more and can be thinned.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from algorithms._linalg import _gth, _solve_in_place

N_METRICS = 8


@njit(cache=True, nogil=True)
def _policy_tables(
    psi: np.ndarray, theta: np.ndarray, n_actions: np.ndarray, tables: np.ndarray, joint: np.ndarray
) -> None:
    """Probabilities pi_i(a|s) into `tables` (N, S, Amax) and the product policy into `joint` (S, A)."""
    N, S, _, D = psi.shape
    for i in range(N):
        for s in range(S):
            top = -np.inf
            for a in range(n_actions[i]):
                logit = 0.0
                for k in range(D):
                    logit += psi[i, s, a, k] * theta[i, k]
                tables[i, s, a] = logit
                top = max(top, logit)
            total = 0.0
            for a in range(n_actions[i]):
                tables[i, s, a] = np.exp(tables[i, s, a] - top)
                total += tables[i, s, a]
            inverse = 1.0 / total
            for a in range(n_actions[i]):
                tables[i, s, a] *= inverse
    for s in range(S):
        joint[s, 0] = 1.0
        size = 1
        for i in range(N):
            width = n_actions[i]
            for a in range(size - 1, -1, -1):  # backwards: the product grows in place
                left = joint[s, a]
                for b in range(width):
                    joint[s, a * width + b] = left * tables[i, s, b]
            size *= width


@njit(cache=True, nogil=True)
def _chain(joint: np.ndarray, P: np.ndarray, P_pi: np.ndarray) -> None:
    """Transition matrix under the joint policy into `P_pi` (S, S)."""
    S, A, _ = P.shape
    for s in range(S):
        for t in range(S):
            P_pi[s, t] = 0.0
        for a in range(A):
            weight = joint[s, a]
            for t in range(S):
                P_pi[s, t] += weight * P[s, a, t]


@njit(cache=True, nogil=True)
def _visitation(
    P_pi: np.ndarray, initial: np.ndarray, gamma: float, work: np.ndarray, law: np.ndarray
) -> None:
    """Normalised discounted visitation into `law` (S,)."""
    S = P_pi.shape[0]
    for s in range(S):
        law[s] = (1.0 - gamma) * initial[s]
        for t in range(S):
            work[s, t] = -gamma * P_pi[t, s]
        work[s, s] += 1.0
    _solve_in_place(work, law)


@njit(cache=True, nogil=True)
def _draw(rng: np.random.Generator, probabilities: np.ndarray) -> int:
    """Inverse-CDF draw; the last index absorbs rounding."""
    u = rng.random()
    last = len(probabilities) - 1
    total = 0.0
    for k in range(last):
        total += probabilities[k]
        if u < total:
            return k
    return last


@njit(cache=True, nogil=True)
def _draw_tuple(
    rng: np.random.Generator,
    law: np.ndarray,
    tables: np.ndarray,
    n_actions: np.ndarray,
    P: np.ndarray,
    local: np.ndarray,
) -> tuple[int, int, int]:
    """Line 3: s from `law`, each agent's action into `local`, s' from P. Returns (s, joint action, s')."""
    s = _draw(rng, law)
    a = 0
    for i in range(len(n_actions)):
        local[i] = _draw(rng, tables[i, s, : n_actions[i]])
        a = a * n_actions[i] + local[i]
    return s, a, _draw(rng, P[s, a])


@njit(cache=True, nogil=True)
def _mix(W: np.ndarray, values: np.ndarray, columns: int, out: np.ndarray) -> None:
    """Line 4: the first `columns` columns of ``W @ values`` into `out`; the rest is copied."""
    N, D = values.shape
    for i in range(N):
        for k in range(columns):
            total = 0.0
            for j in range(N):
                total += W[i, j] * values[j, k]
            out[i, k] = total
        for k in range(columns, D):
            out[i, k] = values[i, k]


@njit(cache=True, nogil=True)
def _project(row: np.ndarray, radius: float) -> None:
    """Euclidean projection of `row` onto the ball of that radius, in place."""
    square = 0.0
    for k in range(len(row)):
        square += row[k] * row[k]
    if square > radius * radius:
        scale = radius / np.sqrt(square)
        for k in range(len(row)):
            row[k] *= scale


@njit(cache=True, nogil=True)
def _spread(values: np.ndarray, target: np.ndarray) -> float:
    """``sum_i ||values_i - target||^2``."""
    total = 0.0
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            total += (values[i, k] - target[k]) ** 2
    return total


@njit(cache=True, nogil=True)
def _lower_level(
    P: np.ndarray,
    P_pi: np.ndarray,
    r_bar: np.ndarray,
    gamma: float,
    phi: np.ndarray,
    varphi: np.ndarray,
    joint: np.ndarray,
    mu: np.ndarray,
    omegas: np.ndarray,
    lam: np.ndarray,
) -> None:
    """The three omega* into the rows of `omegas` (td, bellman, td_error) and lambda* into `lam`."""
    S, A, _ = P.shape
    K, L = phi.shape[1], varphi.shape[2]
    td, bellman, squared = np.zeros((K, K)), np.zeros((K, K)), np.zeros((K, K))
    gram = np.zeros((L, L))
    omegas[:] = 0.0
    lam[:] = 0.0
    step = np.empty(K)
    for s in range(S):
        r_pi = 0.0
        for k in range(K):
            step[k] = phi[s, k]
        for t in range(S):
            for k in range(K):
                step[k] -= gamma * P_pi[s, t] * phi[t, k]
        for a in range(A):
            pair = mu[s] * joint[s, a]
            r_pi += joint[s, a] * r_bar[s, a]
            for p in range(L):
                lam[p] += pair * r_bar[s, a] * varphi[s, a, p]
                for q in range(L):
                    gram[p, q] += pair * varphi[s, a, p] * varphi[s, a, q]
            for t in range(S):
                weight = pair * P[s, a, t]
                for p in range(K):
                    left = weight * (phi[s, p] - gamma * phi[t, p])
                    omegas[2, p] += left * r_bar[s, a]
                    for q in range(K):
                        squared[p, q] += left * (phi[s, q] - gamma * phi[t, q])
        for p in range(K):
            omegas[0, p] += mu[s] * phi[s, p] * r_pi
            omegas[1, p] += mu[s] * step[p] * r_pi
            for q in range(K):
                td[p, q] += mu[s] * phi[s, p] * step[q]
                bellman[p, q] += mu[s] * step[p] * step[q]
    _solve_in_place(td, omegas[0])
    _solve_in_place(bellman, omegas[1])
    _solve_in_place(squared, omegas[2])
    _solve_in_place(gram, lam)


@njit(cache=True, nogil=True)
def _gradient(
    P: np.ndarray,
    P_pi: np.ndarray,
    r_bar: np.ndarray,
    gamma: float,
    initial: np.ndarray,
    psi: np.ndarray,
    n_actions: np.ndarray,
    local_of: np.ndarray,
    tables: np.ndarray,
    joint: np.ndarray,
    d: np.ndarray,
    gradient: np.ndarray,
) -> float:
    """Gradient of J for every agent into `gradient` (N, D) by zeng2022 Eq. (4); returns J."""
    N, S, _, D = psi.shape
    A = P.shape[1]
    system, V = np.empty((S, S)), np.zeros(S)
    for s in range(S):
        for a in range(A):
            V[s] += joint[s, a] * r_bar[s, a]
        for t in range(S):
            system[s, t] = -gamma * P_pi[s, t]
        system[s, s] += 1.0
    _solve_in_place(system, V)
    gradient[:] = 0.0
    mean = np.empty((N, D))
    marginal = np.zeros((N, tables.shape[2]))
    for s in range(S):
        marginal[:] = 0.0
        for a in range(A):
            advantage = r_bar[s, a] - V[s]
            for t in range(S):
                advantage += gamma * P[s, a, t] * V[t]
            weight = d[s] * joint[s, a] * advantage / (1.0 - gamma)
            for i in range(N):
                marginal[i, local_of[i, a]] += weight
        for i in range(N):
            for k in range(D):
                mean[i, k] = 0.0
                for b in range(n_actions[i]):
                    mean[i, k] += tables[i, s, b] * psi[i, s, b, k]
                for b in range(n_actions[i]):
                    gradient[i, k] += marginal[i, b] * (psi[i, s, b, k] - mean[i, k])
    J = 0.0
    for s in range(S):
        J += initial[s] * V[s]
    return J


@njit(cache=True, nogil=True)
def _cac(
    rng: np.random.Generator,
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
    """Run until the last checkpoint; `theta`, `omega`, `lam` are updated in place.

    Row c of `averages` holds the mean of the metrics over the measured t < checkpoints[c], row c of
    `instants` their values at the last measured t. Metrics, in order: sum of squared critic errors against
    omega_td, omega_bellman, omega_td_error; sum of squared lambda errors; ||Q theta^s||^2;
    N ||mean shared gradient||^2; sum of squared personal gradients; J.
    """
    N, S, width, D = psi.shape
    A, K, L, H = P.shape[1], phi.shape[1], varphi.shape[2], n_shared
    tables, joint = np.zeros((N, S, width)), np.empty((S, A))
    P_pi, work, mu, d = np.empty((S, S)), np.empty((S, S)), np.empty(S), np.empty(S)
    local = np.zeros(N, dtype=np.int64)
    next_theta, next_omega, next_lam = np.empty_like(theta), np.empty_like(omega), np.empty_like(lam)
    gradient, omegas, lam_star = np.empty((N, D)), np.empty((3, K)), np.empty(L)
    sums, now = np.zeros(N_METRICS), np.zeros(N_METRICS)
    measured, row, horizon = 0, 0, checkpoints[-1]
    for t in range(horizon):
        _policy_tables(psi, theta, n_actions, tables, joint)
        _chain(joint, P, P_pi)
        _gth(P_pi, work, mu)
        measure = t % metric_every == 0
        if double or measure:
            _visitation(P_pi, initial, gamma, work, d)
        if measure:
            _lower_level(P, P_pi, r_bar, gamma, phi, varphi, joint, mu, omegas, lam_star)
            J = _gradient(
                P, P_pi, r_bar, gamma, initial, psi, n_actions, local_of, tables, joint, d, gradient
            )
            for k in range(3):
                now[k] = _spread(omega, omegas[k])
            now[3] = _spread(lam, lam_star)
            now[4:7] = 0.0
            now[7] = J
            for k in range(D):
                centre, slope, squares = 0.0, 0.0, 0.0
                for i in range(N):
                    centre += theta[i, k] / N
                    slope += gradient[i, k] / N
                    squares += gradient[i, k] ** 2
                if k < H:
                    for i in range(N):
                        now[4] += (theta[i, k] - centre) ** 2
                    now[5] += N * slope * slope
                else:
                    now[6] += squares
            for k in range(N_METRICS):
                sums[k] += now[k]
            measured += 1
        # line 3, and Algorithm 2 for the second tuple
        s, a, s_next = _draw_tuple(rng, mu, tables, n_actions, P, local)
        mix = W[t % W.shape[0]]
        _mix(mix, omega, K, next_omega)  # line 4
        _mix(mix, lam, L, next_lam)
        _mix(mix, theta, H, next_theta)
        for i in range(N):
            reward = r[i, s, a]
            if noisy:  # centred standard Gumbel
                reward += -np.log(-np.log(1.0 - rng.random())) - 0.5772156649015329
            delta = reward  # line 6
            for k in range(K):
                delta += (gamma * phi[s_next, k] - phi[s, k]) * omega[i, k]
            for k in range(K):  # line 7
                next_omega[i, k] += beta * delta * phi[s, k]
            _project(next_omega[i], radius_omega)
            error = reward
            for k in range(L):
                error -= varphi[s, a, k] * lam[i, k]
            for k in range(L):  # line 8
                next_lam[i, k] += zeta * error * varphi[s, a, k]
            _project(next_lam[i], radius_lambda)
        if double:
            s, a, s_next = _draw_tuple(rng, d, tables, n_actions, P, local)
        for i in range(N):
            delta = 0.0  # line 9 with Eq. (11)
            for k in range(L):
                delta += varphi[s, a, k] * lam[i, k]
            for k in range(K):
                delta += (gamma * phi[s_next, k] - phi[s, k]) * omega[i, k]
            for k in range(D):
                mean = 0.0
                for b in range(n_actions[i]):
                    mean += tables[i, s, b] * psi[i, s, b, k]
                next_theta[i, k] += alpha * delta * (psi[i, s, local[i], k] - mean)
        omega[:] = next_omega
        lam[:] = next_lam
        theta[:] = next_theta
        if t + 1 == checkpoints[row]:
            for k in range(N_METRICS):
                averages[row, k] = sums[k] / measured
                instants[row, k] = now[k]
            row += 1
