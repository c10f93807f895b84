"""The loop of zhang2025 Algorithms 1, 2 and 3 as a numba kernel; `algorithms.neural.train` is the public face.

Line numbers in comments are those of the listings: 1.9 is line 9 of Algorithm 1. Policies, critics and
environments are NamedTuples, and numba chooses the small functions of each by type. `_advance` may be called again to
continue a run: all that goes on lives in its arguments. numba caches a kernel by its own file only: after an edit of
another module here, remove the cached ``_kernels.*.nb*``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from algorithms._linalg import compiled, inlined
from algorithms.neural._critics import _descend, _value
from algorithms.neural._network import _blend, _project_blocks, _scaled
from algorithms.neural._policies import _add_score, _fill
from algorithms.neural._state import (
    ALL,
    CRITIC,
    CRITIC_ONLY,
    DIRECTION,
    FORM_ADVANTAGE,
    FORM_Q,
    FORM_Q_VALUE,
    FORM_UNDISCOUNTED,
    FORM_V,
    PARAMETERS,
    PER_AGENT,
    SIGNAL,
    STEP_ONLY,
    UNNORMALISED,
    Plan,
    State,
    _reward,
    _start,
    _successor,
)


@compiled
def _first_state(rng: np.random.Generator, env: Any) -> int:
    """A state from the initial law."""
    return _start(rng, env)


@compiled
def _act(
    rng: np.random.Generator, policy: Any, theta: np.ndarray, s: int, probs: np.ndarray, local: np.ndarray
) -> int:
    """Probabilities of every agent in s into `probs`, its action into `local`; returns the joint action."""
    a = 0
    for i in range(len(local)):
        _fill(policy, theta, i, s, probs)
        u, k, total = rng.random(), 0, probs[i, 0]
        while u >= total and k < policy.n_actions[i] - 1:
            k += 1
            total += probs[i, k]
        local[i] = k
        a = a * policy.n_actions[i] + k
    return a


@compiled
def _state_value(critic: Any, w: np.ndarray, s: int, probs: np.ndarray, n_actions: np.ndarray) -> float:
    """``E_pi Q-hat(s, .; w)``, the sum over joint actions."""
    size, total = 1, 0.0
    for i in range(len(n_actions)):
        size *= n_actions[i]
    for a in range(size):
        weight, rest = 1.0, a
        for i in range(len(n_actions) - 1, -1, -1):
            weight *= probs[i, rest % n_actions[i]]
            rest //= n_actions[i]
        total += weight * _value(critic, w, s, a)
    return total


@compiled
def _move(
    rng: np.random.Generator, env: Any, plan: Plan, s: int, a: int, place: np.ndarray
) -> tuple[int, int, int, bool]:
    """One step: (s' of the target, next state of the data, s' of the restart kernel, whether the first two are one).

    The restart is applied to the same draw of the original kernel; readings that need none draw none.
    """
    plain = _successor(rng, env, s, a)
    restarted = plain
    restarts = plan.data_restart or plan.target_restart or plan.form == FORM_UNDISCOUNTED
    if restarts and rng.random() >= plan.gamma:
        restarted = _start(rng, env)
    target = restarted if plan.target_restart else plain
    data = restarted if plan.data_restart else plain
    same = plan.target_restart == plan.data_restart
    if plan.episode > 0:
        place[1] += 1
        if place[1] >= plan.episode:
            place[1] = 0
            data = _start(rng, env)
            same = False
    return target, data, restarted, same


@inlined
def _signal(
    critic: Any,
    w: np.ndarray,
    plan: Plan,
    s: int,
    a: int,
    reward: float,
    s_target: int,
    a_target: int,
    probs: np.ndarray,
    probs_target: np.ndarray,
    n_actions: np.ndarray,
) -> float:
    """Line 1.9 for one agent, before gossip, under the reading; `probs_target` belongs to `s_target`."""
    if plan.form == FORM_Q:
        delta = _value(critic, w, s, a) - reward - plan.gamma * _value(critic, w, s_target, a_target)
    elif plan.form == FORM_Q_VALUE:
        delta = _value(critic, w, s, a)
    elif plan.form == FORM_ADVANTAGE:
        delta = _value(critic, w, s, a) - _state_value(critic, w, s, probs, n_actions)
    else:
        delta = _state_value(critic, w, s, probs, n_actions)
        after = _state_value(critic, w, s_target, probs_target, n_actions)
        delta = reward + after - delta if plan.form == FORM_UNDISCOUNTED else delta - reward - plan.gamma * after
    return plan.sign * delta


@compiled
def _fail(state: State, code: int, t: int, agent: int) -> None:
    """Note where a number that is not finite was met."""
    state.counts[2], state.counts[3], state.counts[4] = code, t, agent


@compiled
def _td_step(
    critic: Any, w: np.ndarray, mean: np.ndarray, k: int, reward: float, plan: Plan,
    s: int, a: int, s_target: int, a_target: int,
) -> bool:  # fmt: skip
    """Lines 2.6-2.9, or 3.5-3.8 with the mean reward: TD error, step, projection, running average. False if lost."""
    after = _value(critic, w, s_target, a_target)
    delta = _value(critic, w, s, a) - reward - plan.gamma * after  # this pair last: `_descend` needs its layers
    if not np.isfinite(delta):
        return False
    _descend(critic, w, s, a, plan.beta * delta)
    if plan.radius < np.inf:
        _project_blocks(w, critic.centre, plan.radius)
    _blend((k + 1.0) / (k + 2.0), mean.reshape(-1), 1.0 / (k + 2.0), w.reshape(-1))
    return True


@compiled
def _gossip(matrix: np.ndarray, values: np.ndarray, out: np.ndarray) -> None:
    """``out = matrix @ values`` over agents; lines 1.13 and 2.12."""
    N = len(values)
    for i in range(N):
        row = out[i].reshape(-1)
        _scaled(row, matrix[i, 0], values[0].reshape(-1))
        for n in range(1, N):
            _blend(1.0, row, matrix[i, n], values[n].reshape(-1))


@compiled
def _critic(
    rng: np.random.Generator, env: Any, policy: Any, critic: Any, plan: Plan, gossip: np.ndarray, state: State,
    w: np.ndarray, mean: np.ndarray, V: np.ndarray, probs: np.ndarray, local: np.ndarray, rewards: np.ndarray,
) -> bool:  # fmt: skip
    """Algorithm 2, and Algorithm 3 on the same tuples. False if a TD error is not finite."""
    N, t = len(local), state.place[2]
    s = state.place[0]
    for i in range(N):  # line 2.2
        start = state.W[i].reshape(-1) if plan.warm else critic.centre.reshape(-1)
        _scaled(w[i].reshape(-1), 1.0, start)
        _scaled(mean[i].reshape(-1), 1.0, start)
    if plan.track:
        V[:] = state.central if plan.warm else critic.centre
        state.central[:] = V
    a = _act(rng, policy, state.theta, s, probs, local)
    last = s
    for k in range(plan.critic_iterations):
        last = s
        s_target, s_data, _, same = _move(rng, env, plan, s, a, state.place)
        team = 0.0
        for i in range(N):
            rewards[i] = _reward(rng, env, i, s, a)
            team += rewards[i]
        team /= N
        state.earned[0] += team
        state.counts[1] += 1
        a_target = _act(rng, policy, state.theta, s_target, probs, local)
        a_data = a_target if same else _act(rng, policy, state.theta, s_data, probs, local)
        for i in range(N):
            if not _td_step(critic, w[i], mean[i], k, rewards[i], plan, s, a, s_target, a_target):
                _fail(state, CRITIC, t, i)
                return False
        central = k < plan.central_iterations
        if central and not _td_step(critic, V, state.central, k, team, plan, s, a, s_target, a_target):
            _fail(state, CRITIC, t, N)
            return False
        s, a = s_data, a_data
    state.place[0] = last if plan.penultimate else s  # line 2.13 returns s_{K-1}, not s_K
    _gossip(gossip, mean, state.W)
    if plan.track:
        square = 0.0
        for h in range(V.shape[0]):
            for p in range(V.shape[1]):
                for q in range(V.shape[2]):
                    centre = 0.0
                    for i in range(N):
                        centre += mean[i, h, p, q]
                    square += (centre / N - state.central[h, p, q]) ** 2
        state.distance[t] = np.sqrt(square)
    return True


@compiled
def _batch(
    rng: np.random.Generator, env: Any, policy: Any, critic: Any, plan: Plan, gossip: np.ndarray, state: State,
    probs: np.ndarray, local: np.ndarray, rewards: np.ndarray, probs_next: np.ndarray, probs_target: np.ndarray,
    local_next: np.ndarray, local_target: np.ndarray, delta: np.ndarray,
) -> bool:  # fmt: skip
    """Lines 1.4-1.16 into `state.direction`. Gossip and the sum over the batch commute, so each sample is gossiped."""
    N, d = len(local), state.direction
    s = state.place[0]
    d[:] = 0.0
    a = _act(rng, policy, state.theta, s, probs, local)  # a_{t,0}: the listing never draws it
    for _ in range(plan.batch):
        s_target, s_data, restarted, same = _move(rng, env, plan, s, a, state.place)
        team = 0.0
        for i in range(N):
            rewards[i] = _reward(rng, env, i, s, a)
            team += rewards[i]
        state.earned[0] += team / N
        state.counts[1] += 1
        a_data = _act(rng, policy, state.theta, s_data, probs_next, local_next)
        a_target, s_after = a_data, s_target
        if plan.form == FORM_UNDISCOUNTED:
            s_after = restarted
        if plan.form == FORM_Q and not same:
            a_target = _act(rng, policy, state.theta, s_target, probs_target, local_target)
        elif plan.form == FORM_V or plan.form == FORM_UNDISCOUNTED:
            for i in range(N):
                _fill(policy, state.theta, i, s_after, probs_target)
        for i in range(N):
            delta[i] = _signal(
                critic, state.W[i], plan, s, a, rewards[i], s_after, a_target, probs, probs_target, policy.n_actions
            )
            if not np.isfinite(delta[i]):
                _fail(state, SIGNAL, state.place[2], i)
                return False
        for i in range(N):
            mixed = delta[i]
            if plan.form != FORM_Q_VALUE:  # Remark 1: a Q-value is not gossiped
                mixed = 0.0
                for n in range(N):
                    mixed += gossip[i, n] * delta[n]
            _add_score(policy, state.theta, i, s, local[i], probs, mixed / plan.batch, d)
        s, a = s_data, a_data
        probs[:] = probs_next
        local[:] = local_next
    state.place[0] = s
    return True


@compiled
def _size(d: np.ndarray, low: int, high: int) -> float:
    """Norm of rows low to high - 1, without underflow; NaN if an entry is."""
    top = 0.0
    for i in range(low, high):
        for k in range(d.shape[1]):
            if not np.isfinite(d[i, k]):
                return np.nan
            top = max(top, abs(d[i, k]))
    if top == 0.0:
        return 0.0
    square = 0.0
    for i in range(low, high):
        for k in range(d.shape[1]):
            square += (d[i, k] / top) ** 2
    return top * np.sqrt(square)


@compiled
def _step(plan: Plan, state: State) -> bool:
    """Line 1.17. Without a direction (0/0 in the listing) there is no step, and it is counted."""
    theta, d = state.theta, state.direction
    N, t = len(theta), state.place[2]
    alpha = plan.alpha / (t + 1.0) ** plan.exponent  # the listing's alpha / t has no value at t = 0
    whole = _size(d, 0, N)
    for i in range(N):
        norm = _size(d, i, i + 1) if plan.normalisation == PER_AGENT else whole
        if not np.isfinite(norm):
            _fail(state, DIRECTION, t, i)
            return False
        if norm == 0.0:
            state.counts[0] += 1
            continue
        if plan.normalisation == UNNORMALISED:
            norm = 1.0
        for k in range(theta.shape[1]):
            theta[i, k] += alpha * (d[i, k] / norm)  # alpha / norm may overflow where this does not
            if not np.isfinite(theta[i, k]):
                _fail(state, PARAMETERS, t, i)
                return False
    return True


@compiled
def _advance(
    rng: np.random.Generator, env: Any, policy: Any, critic: Any, plan: Plan, gossip: np.ndarray, stop: int, part: int,
    state: State,
) -> None:  # fmt: skip
    """Outer iterations until `stop` of them are done, or a number is not finite (see ``state.counts[2]``)."""
    N, widest = len(policy.n_actions), policy.n_actions.max()
    w, mean, V = np.empty_like(state.W), np.empty_like(state.W), np.empty_like(state.central)
    probs, probs_next, probs_target = np.zeros((N, widest)), np.zeros((N, widest)), np.zeros((N, widest))
    local, local_next, local_target = np.zeros(N, np.int64), np.zeros(N, np.int64), np.zeros(N, np.int64)
    rewards, delta = np.empty(N), np.empty(N)
    while state.place[2] < stop:
        learns = plan.critic_iterations > 0 and part != STEP_ONLY  # a fixed critic has no iterations
        if learns and not _critic(
            rng, env, policy, critic, plan, gossip, state, w, mean, V, probs, local, rewards
        ):
            return
        if part == CRITIC_ONLY:
            return
        if part == ALL and not _batch(
            rng, env, policy, critic, plan, gossip, state,
            probs, local, rewards, probs_next, probs_target, local_next, local_target, delta,
        ):  # fmt: skip
            return
        if not _step(plan, state):
            return
        state.place[2] += 1
