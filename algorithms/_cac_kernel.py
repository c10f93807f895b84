"""The CAC loop of zeng2022 (Algorithms 1 and 2) as numba kernels; `algorithms.cac` is the public face.

Line numbers in comments are those of the listing of Algorithm 1. The kernels draw from one Generator in a
fixed order, allocate scratch once, and take no options but numbers and flags. The laws are solved for at every
step: that is what sampling from mu_theta and d_theta costs; a Markovian run solves for them only where it
measures. Metrics cost more and can be thinned. The loop is kept at the speed of C (`benchmarks/`), which is why
it indexes where NumPy would slice, and why `_cac` is long.
"""

from __future__ import annotations

import numpy as np

from algorithms._linalg import _gth, _solve_in_place, compiled, inlined

N_METRICS = 8
N_DRIFTS = 2  # measured between two steps: they follow the metrics of one step in every row
EULER_GAMMA = 0.5772156649015329  # the mean of a standard Gumbel variable


@compiled
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
                if logit > top:
                    top = logit
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
        for i in range(N - 1, -1, -1):
            for b in range(n_actions[i] - 1, -1, -1):  # backwards: the product grows in place
                weight = tables[i, s, b]
                for a in range(size):
                    joint[s, b * size + a] = weight * joint[s, a]
            size *= n_actions[i]


@compiled
def _chain(joint: np.ndarray, P: np.ndarray, P_pi: np.ndarray) -> None:
    """Transition matrix under the joint policy into `P_pi` (S, S), along the rows of P: memory order."""
    S, A, _ = P.shape
    for s in range(S):
        for t in range(S):
            P_pi[s, t] = 0.0
        for a in range(A):
            weight = joint[s, a]
            for t in range(S):
                P_pi[s, t] += weight * P[s, a, t]


@compiled
def _visitation(
    P_pi: np.ndarray, initial: np.ndarray, gamma: float, work: np.ndarray, law: np.ndarray
) -> None:
    """Normalised discounted visitation into `law` (S,): ``law (I - gamma P_pi) = (1 - gamma) initial``.

    By elimination from the last state down. No pivoting: ``(I - gamma P_pi)^T`` is diagonally dominant by columns, so
    elements grow at most twofold (Wilkinson 1961). Indices run from zero, which lets the compiler vectorise.
    """
    S = P_pi.shape[0]
    for s in range(S):
        law[s] = (1.0 - gamma) * initial[s]
        for t in range(S):
            work[s, t] = -gamma * P_pi[t, s]
        work[s, s] += 1.0
    for k in range(S - 1, 0, -1):
        inverse = 1.0 / work[k, k]
        for i in range(k):
            factor = work[i, k] * inverse
            for j in range(k):
                work[i, j] -= factor * work[k, j]
            law[i] -= factor * law[k]
    for k in range(S):
        value = law[k]
        for j in range(k):
            value -= work[k, j] * law[j]
        law[k] = value / work[k, k]


@compiled
def _draw(rng: np.random.Generator, law: np.ndarray) -> int:
    """Inverse-CDF draw from `law`; the last index absorbs rounding."""
    u, k, total = rng.random(), 0, law[0]
    while u >= total and k < len(law) - 1:
        k += 1
        total += law[k]
    return k


@compiled
def _draw_row(rng: np.random.Generator, laws: np.ndarray, i: int, j: int, size: int) -> int:
    """`_draw` from ``laws[i, j, :size]``."""
    u, k, total = rng.random(), 0, laws[i, j, 0]
    while u >= total and k < size - 1:
        k += 1
        total += laws[i, j, k]
    return k


@compiled
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
    a, s_next = _draw_onward(rng, s, tables, n_actions, P, local)
    return s, a, s_next


@compiled
def _draw_onward(
    rng: np.random.Generator, s: int, tables: np.ndarray, n_actions: np.ndarray, P: np.ndarray, local: np.ndarray
) -> tuple[int, int]:
    """The rest of a tuple from state `s`: actions into `local`; returns (joint action, s')."""
    a = 0
    for i in range(len(n_actions)):
        local[i] = _draw_row(rng, tables, i, s, n_actions[i])
        a = a * n_actions[i] + local[i]
    return a, _draw_row(rng, P, s, a, P.shape[2])


@inlined
def _mixed(W: np.ndarray, phase: int, i: int, values: np.ndarray, k: int) -> float:
    """Line 4: entry (i, k) of ``W[phase] @ values``."""
    total = 0.0
    for j in range(values.shape[0]):
        total += W[phase, i, j] * values[j, k]
    return total


@inlined
def _project(values: np.ndarray, i: int, radius: float) -> None:
    """Euclidean projection of row i onto the ball of that radius, in place."""
    square = 0.0
    for k in range(values.shape[1]):
        square += values[i, k] * values[i, k]
    if square > radius * radius:
        scale = radius / np.sqrt(square)
        for k in range(values.shape[1]):
            values[i, k] *= scale


@inlined
def _distance(left: np.ndarray, right: np.ndarray) -> float:
    """``||left - right||^2`` of two matrices."""
    total = 0.0
    for i in range(left.shape[0]):
        for k in range(left.shape[1]):
            total += (left[i, k] - right[i, k]) ** 2
    return total


@inlined
def _spread(values: np.ndarray, target: np.ndarray) -> float:
    """``sum_i ||values_i - target||^2``."""
    total = 0.0
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            total += (values[i, k] - target[k]) ** 2
    return total


@compiled
def _critic_targets(
    P: np.ndarray,
    P_pi: np.ndarray,
    r_bar: np.ndarray,
    gamma: float,
    phi: np.ndarray,
    joint: np.ndarray,
    mu: np.ndarray,
    grams: np.ndarray,
    step: np.ndarray,
    omegas: np.ndarray,
) -> None:
    """The three omega* into the rows of `omegas` (td, bellman, td_error); `grams` (3, K, K), `step` (K,) scratch."""
    S, A, _ = P.shape
    K = phi.shape[1]
    td, bellman, td_error = grams[0], grams[1], grams[2]
    grams[:] = 0.0
    omegas[:] = 0.0
    for s in range(S):
        r_pi = 0.0
        for a in range(A):
            r_pi += joint[s, a] * r_bar[s, a]
        for k in range(K):
            step[k] = phi[s, k]
        for t in range(S):
            weight = gamma * P_pi[s, t]
            for k in range(K):
                step[k] -= weight * phi[t, k]
        for t in range(S):  # the squared TD error depends on the actions through these two sums alone
            weight, earned = mu[s] * P_pi[s, t], 0.0
            for a in range(A):
                earned += joint[s, a] * r_bar[s, a] * P[s, a, t]
            earned *= mu[s]
            for p in range(K):
                move = phi[s, p] - gamma * phi[t, p]
                left = weight * move
                omegas[2, p] += earned * move
                for q in range(K):
                    td_error[p, q] += left * (phi[s, q] - gamma * phi[t, q])
        for p in range(K):
            left, right = mu[s] * phi[s, p], mu[s] * step[p]
            omegas[0, p] += left * r_pi
            omegas[1, p] += right * r_pi
            for q in range(K):
                td[p, q] += left * step[q]
                bellman[p, q] += right * step[q]
    _solve_in_place(td, omegas[0])
    _solve_in_place(bellman, omegas[1])
    _solve_in_place(td_error, omegas[2])


@compiled
def _td_target(
    P_pi: np.ndarray,
    r_bar: np.ndarray,
    gamma: float,
    phi: np.ndarray,
    joint: np.ndarray,
    mu: np.ndarray,
    gram: np.ndarray,
    step: np.ndarray,
    omega: np.ndarray,
) -> None:
    """omega_td alone into `omega` (K,), as in `_critic_targets`; `gram` (K, K) and `step` (K,) are scratch."""
    S, K = phi.shape
    gram[:] = 0.0
    omega[:] = 0.0
    for s in range(S):
        r_pi = 0.0
        for a in range(joint.shape[1]):
            r_pi += joint[s, a] * r_bar[s, a]
        for k in range(K):
            step[k] = phi[s, k]
        for t in range(S):
            weight = gamma * P_pi[s, t]
            for k in range(K):
                step[k] -= weight * phi[t, k]
        for p in range(K):
            left = mu[s] * phi[s, p]
            omega[p] += left * r_pi
            for q in range(K):
                gram[p, q] += left * step[q]
    _solve_in_place(gram, omega)


@compiled
def _reward_target(
    r_bar: np.ndarray,
    varphi: np.ndarray,
    joint: np.ndarray,
    mu: np.ndarray,
    gram: np.ndarray,
    lam: np.ndarray,
) -> None:
    """lambda* into `lam`; `gram` is (L, L) scratch."""
    S, A, L = varphi.shape
    gram[:] = 0.0
    lam[:] = 0.0
    for s in range(S):
        for a in range(A):
            weight, reward = mu[s] * joint[s, a], r_bar[s, a]
            for p in range(L):
                left = weight * varphi[s, a, p]
                lam[p] += left * reward
                for q in range(L):
                    gram[p, q] += left * varphi[s, a, q]
    _solve_in_place(gram, lam)


@compiled
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
    system: np.ndarray,
    V: np.ndarray,
    marginal: np.ndarray,
    gradient: np.ndarray,
) -> float:
    """Gradient of J of every agent into `gradient` (N, D) by zeng2022 Eq. (4); returns J.

    `system` (S, S), `V` (S,) and `marginal` (N, Amax) are scratch.
    """
    N, S, _, D = psi.shape
    A = P.shape[1]
    for s in range(S):
        r_pi = 0.0
        for a in range(A):
            r_pi += joint[s, a] * r_bar[s, a]
        V[s] = r_pi
        for t in range(S):
            system[s, t] = -gamma * P_pi[s, t]
        system[s, s] += 1.0
    _solve_in_place(system, V)
    gradient[:] = 0.0
    for s in range(S):
        marginal[:] = 0.0
        scale = d[s] / (1.0 - gamma)
        for a in range(A):
            following = 0.0
            for t in range(S):
                following += P[s, a, t] * V[t]
            advantage = r_bar[s, a] + gamma * following - V[s]
            weight = scale * joint[s, a] * advantage
            for i in range(N):
                marginal[i, local_of[i, a]] += weight
        for i in range(N):
            for k in range(D):
                mean = 0.0
                for b in range(n_actions[i]):
                    mean += tables[i, s, b] * psi[i, s, b, k]
                total = 0.0
                for b in range(n_actions[i]):
                    total += marginal[i, b] * (psi[i, s, b, k] - mean)
                gradient[i, k] += total
    J = 0.0
    for s in range(S):
        J += initial[s] * V[s]
    return J


@compiled
def _policy_metrics(theta: np.ndarray, gradient: np.ndarray, n_shared: int, now: np.ndarray) -> None:
    """||Q theta^s||^2, N ||mean shared gradient||^2 and the squared personal gradients into ``now[4:7]``."""
    N, D = theta.shape
    disagreement, shared, personal = 0.0, 0.0, 0.0
    for k in range(D):
        centre, slope, square = 0.0, 0.0, 0.0
        for i in range(N):
            centre += theta[i, k]
            slope += gradient[i, k]
            square += gradient[i, k] * gradient[i, k]
        centre /= N
        if k < n_shared:
            for i in range(N):
                disagreement += (theta[i, k] - centre) ** 2
            shared += slope * slope / N
        else:
            personal += square
    now[4], now[5], now[6] = disagreement, shared, personal


@compiled
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
    markov: bool,
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
    N ||mean shared gradient||^2; sum of squared personal gradients; J; and, from t to t + 1,
    ||omega_td(theta_{t+1}) - omega_td(theta_t)||^2 and ||theta_{t+1} - theta_t||^2.
    """
    N, S, width, D = psi.shape
    A, K, L, H = P.shape[1], phi.shape[1], varphi.shape[2], n_shared
    tables, joint, local = np.zeros((N, S, width)), np.empty((S, A)), np.zeros(N, dtype=np.int64)
    P_pi, work, mu, d, V = np.empty((S, S)), np.empty((S, S)), np.empty(S), np.empty(S), np.empty(S)
    here, step, pair = np.empty(K), np.empty(K), np.empty(L)
    next_theta, next_omega, next_lam = np.empty((N, D)), np.empty((N, K)), np.empty((N, L))
    grams, gram, omegas, lam_star = np.empty((3, K, K)), np.empty((L, L)), np.empty((3, K)), np.empty(L)
    marginal, gradient, moved = np.empty((N, width)), np.empty((N, D)), np.empty((1, K))
    columns = N_METRICS + N_DRIFTS
    sums, now = np.zeros(columns), np.zeros(columns)
    measured, phase, row, horizon = 0, 0, 0, checkpoints[-1]
    # the middle of each block: a thinned average is then off by O(metric_every^2), not by the transient's first term
    next_measure = min(metric_every // 2, checkpoints[0] - 1)
    start, restart, s_next = 0, 0, 0
    if markov:
        start = _draw(rng, initial)
        if double:
            restart = _draw(rng, initial)
    _policy_tables(psi, theta, n_actions, tables, joint)
    if not markov or next_measure == 0:
        _chain(joint, P, P_pi)
        _gth(P_pi, work, mu)
    for t in range(horizon):
        measure = t == next_measure
        if measure:
            next_measure += metric_every
        if measure or (double and not markov):
            _visitation(P_pi, initial, gamma, work, d)
        if measure:
            _critic_targets(P, P_pi, r_bar, gamma, phi, joint, mu, grams, step, omegas)
            _reward_target(r_bar, varphi, joint, mu, gram, lam_star)
            J = _gradient(
                P, P_pi, r_bar, gamma, initial, psi, n_actions, local_of, tables, joint, d, work, V, marginal, gradient
            )
            for k in range(3):
                now[k] = _spread(omega, omegas[k])
            now[3] = _spread(lam, lam_star)
            _policy_metrics(theta, gradient, H, now)
            now[7] = J
        # line 3, and Algorithm 2 for the second tuple
        if markov:
            s = start
            a, s_next = _draw_onward(rng, s, tables, n_actions, P, local)
            start = s_next
        else:
            s, a, s_next = _draw_tuple(rng, mu, tables, n_actions, P, local)
        for k in range(K):
            here[k] = phi[s, k]
            step[k] = gamma * phi[s_next, k] - here[k]
        for k in range(L):
            pair[k] = varphi[s, a, k]
        for i in range(N):
            reward = r[i, s, a]
            if noisy:  # centred standard Gumbel
                reward += -np.log(-np.log(1.0 - rng.random())) - EULER_GAMMA
            delta = reward  # line 6
            for k in range(K):
                delta += step[k] * omega[i, k]
            delta *= beta
            for k in range(K):  # lines 4 and 7
                next_omega[i, k] = _mixed(W, phase, i, omega, k) + delta * here[k]
            _project(next_omega, i, radius_omega)
            error = reward
            for k in range(L):
                error -= pair[k] * lam[i, k]
            error *= zeta
            for k in range(L):  # lines 4 and 8
                next_lam[i, k] = _mixed(W, phase, i, lam, k) + error * pair[k]
            _project(next_lam, i, radius_lambda)
        if double:
            if markov:  # the signal sees s' of the original kernel; the chain of states restarts
                s = restart
                a, s_next = _draw_onward(rng, s, tables, n_actions, P, local)
                restart = s_next if rng.random() < gamma else _draw(rng, initial)
            else:
                s, a, s_next = _draw_tuple(rng, d, tables, n_actions, P, local)
            for k in range(K):
                step[k] = gamma * phi[s_next, k] - phi[s, k]
            for k in range(L):
                pair[k] = varphi[s, a, k]
        for i in range(N):
            delta = 0.0  # line 9 with Eq. (11); the shared part is mixed first, Eq. (9)
            for k in range(L):
                delta += pair[k] * lam[i, k]
            for k in range(K):
                delta += step[k] * omega[i, k]
            delta *= alpha
            chosen = local[i]
            for k in range(D):
                mean = 0.0
                for b in range(n_actions[i]):
                    mean += tables[i, s, b] * psi[i, s, b, k]
                mixed = _mixed(W, phase, i, theta, k) if k < H else theta[i, k]
                next_theta[i, k] = mixed + delta * (psi[i, s, chosen, k] - mean)
        if measure:
            now[9] = _distance(next_theta, theta)
        for i in range(N):
            for k in range(K):
                omega[i, k] = next_omega[i, k]
            for k in range(L):
                lam[i, k] = next_lam[i, k]
            for k in range(D):
                theta[i, k] = next_theta[i, k]
        phase = phase + 1 if phase + 1 < len(W) else 0
        _policy_tables(psi, theta, n_actions, tables, joint)  # of t + 1: the next step samples from them
        if not markov or measure or t + 1 == next_measure:
            _chain(joint, P, P_pi)
            _gth(P_pi, work, mu)
        if measure:
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
