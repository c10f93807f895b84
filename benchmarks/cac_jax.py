"""CAC with double sampling in JAX: one jitted `fori_loop`, vmapped over seeds, in double precision.

JAX is the optional extra ``jax``. XLA spreads a batch over the cores it may use; `benchmarks.cac_all` pins the process.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from algorithms._inputs import _tables
from mdp.problem import Problem

SEEDS = 128


def available() -> bool:
    """Whether JAX is installed."""
    return importlib.util.find_spec("jax") is not None


def compiled_loop(problem: Problem, rates: tuple[float, float, float]) -> Callable[[Any, int], Any]:
    """A function of (keys, horizon) that runs the batch from zero and returns theta, omega, lam with a leading axis.

    Args:
        problem: all agents with equally many actions, no reward noise.
        rates: alpha, beta, zeta.
    """
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    P, r, _, initial, gamma, _, psi, H, n_actions, _, phi, varphi, W = map(jnp.asarray, _tables(problem))
    H, sizes, (alpha, beta, zeta) = int(H), [int(k) for k in n_actions], rates
    N, S = psi.shape[:2]
    strides = jnp.array([int(np.prod(sizes[i + 1 :])) for i in range(N)])
    identity, agents = jnp.eye(S), jnp.arange(N)

    def pick(u: Any, law: Any) -> Any:
        return jnp.sum(u >= jnp.cumsum(law[..., :-1], axis=-1), axis=-1)

    def sample(u: Any, law: Any, tables: Any) -> Any:
        s = pick(u[0], law)
        local = pick(u[1 : N + 1, None], tables[:, s])
        a = jnp.sum(local * strides)
        return s, local, a, pick(u[N + 1], P[s, a])

    def ball(rows: Any) -> Any:
        return rows * jnp.minimum(1.0, 1e3 / jnp.maximum(jnp.linalg.norm(rows, axis=1, keepdims=True), 1e-300))

    def step(t: Any, state: Any) -> Any:
        key, theta, omega, lam = state
        tables = jax.nn.softmax(jnp.einsum("isak,ik->isa", psi, theta), axis=-1)
        joint = tables[0]
        for i in range(1, N):
            joint = (joint[:, :, None] * tables[i][:, None, :]).reshape(S, -1)
        P_pi = jnp.einsum("sa,sat->st", joint, P)
        mu = jnp.linalg.solve((identity - P_pi.T).at[-1].set(1.0), identity[-1])
        d = jnp.linalg.solve(identity - gamma * P_pi.T, (1.0 - gamma) * initial)
        key, own = jax.random.split(key)
        u, mix = jax.random.uniform(own, (2, N + 2), dtype=jnp.float64), W[t % len(W)]
        s, _, a, after = sample(u[0], mu, tables)
        delta = r[:, s, a] + omega @ (gamma * phi[after] - phi[s])
        error = r[:, s, a] - lam @ varphi[s, a]
        next_omega = ball(mix @ omega + beta * delta[:, None] * phi[s])
        next_lam = ball(mix @ lam + zeta * error[:, None] * varphi[s, a])
        s, local, a, after = sample(u[1], d, tables)
        signal = lam @ varphi[s, a] + omega @ (gamma * phi[after] - phi[s])
        score = psi[agents, s, local] - jnp.einsum("ia,iak->ik", tables[:, s], psi[:, s])
        mixed = jnp.concatenate([mix @ theta[:, :H], theta[:, H:]], axis=1)
        return key, mixed + alpha * signal[:, None] * score, next_omega, next_lam

    def run(key: Any, horizon: Any) -> Any:
        zeros = [jnp.zeros((N, k)) for k in (psi.shape[3], phi.shape[1], varphi.shape[2])]
        return jax.lax.fori_loop(0, horizon, step, (key, *zeros))[1:]

    return jax.jit(jax.vmap(run, in_axes=(0, None)))


def microseconds(problem: Problem, rates: tuple[float, float, float], seconds: float = 0.5) -> float:
    """Time of one iteration of one seed, the batch of `SEEDS` running together; the best of five.

    Args:
        problem: as in `compiled_loop`.
        rates: alpha, beta, zeta.
        seconds: of each run, about.
    """
    import jax

    loop = compiled_loop(problem, rates)
    keys = jax.random.split(jax.random.key(0), SEEDS)
    horizon, best = 20, np.inf
    jax.block_until_ready(loop(keys, horizon))
    start = time.perf_counter()
    jax.block_until_ready(loop(keys, horizon))
    horizon = max(20, int(horizon * seconds / (time.perf_counter() - start)))
    for _ in range(5):
        start = time.perf_counter()
        jax.block_until_ready(loop(keys, horizon))
        best = min(best, (time.perf_counter() - start) / (horizon * SEEDS))
    return 1e6 * best
