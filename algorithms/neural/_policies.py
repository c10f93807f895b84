"""Policy classes for the kernels: one NamedTuple of arrays per class, chosen by its type when a kernel is compiled.

`_fill` writes the probabilities of one agent in one state, `_add_score` adds a multiple of one score. A new class
needs a NamedTuple and a branch in each, or overloads of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from algorithms.neural._network import _backward_step, _layer
from mdp.policies import CircularPolicy, NeuralPolicy, ReducedSoftmaxPolicy
from mdp.policy import LogLinearPolicy, Policy

JIT = {"nogil": True, "error_model": "numpy"}
"""Options of overloads, as those of `algorithms._linalg.compiled`."""


class LogLinear(NamedTuple):
    """Softmax of ``psi[i, s, a] . theta_i``; psi is padded to (N, S, Amax, P)."""

    psi: np.ndarray
    n_actions: np.ndarray


class Circular(NamedTuple):
    """`mdp.policies.CircularPolicy`; features (N, S, P)."""

    features: np.ndarray
    n_actions: np.ndarray
    radius: float
    scale: float


class Neural(NamedTuple):
    """`mdp.policies.NeuralPolicy`; inputs (N, S, X, d), H (N, m, d), b (N, Y, m), padded; layers and back are scratch.

    X is 1 for the head per action, whose b has a row per action; the head with action inputs has Y = 1. With
    `full`, theta holds H and b too.
    """

    inputs: np.ndarray
    H: np.ndarray
    b: np.ndarray
    n_actions: np.ndarray
    depth: int
    full: bool
    scale: float
    layers: np.ndarray
    back: np.ndarray


def policy_arrays(policy: Policy) -> LogLinear | Circular | Neural:
    """The arrays that the kernels read.

    Args:
        policy: log-linear, reduced softmax, circular or neural.

    Raises:
        TypeError: another class.
    """
    n_actions = np.array(policy.n_actions, dtype=np.int64)
    if isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy):
        return LogLinear(_padded(policy.psi), n_actions)
    if isinstance(policy, CircularPolicy):
        return Circular(np.stack(policy.features), n_actions, float(policy.radius), float(policy.scale))
    if isinstance(policy, NeuralPolicy):
        inputs = tuple(x if x.ndim == 3 else x[:, None, :] for x in policy.inputs)
        m, depth = policy.width, int(policy.depth)
        scratch = np.zeros((depth + 1, m)), np.zeros((2, m))
        layers = _padded(inputs), _padded(policy.H), _padded(policy.b)
        return Neural(*layers, n_actions, depth, policy.trainable == "all", float(policy.logit_scale), *scratch)
    known = "log-linear, reduced softmax, circular and neural policies"
    raise TypeError(f"the kernels know {known}, not {type(policy).__name__}")


def _padded(tables: tuple[np.ndarray, ...]) -> np.ndarray:
    """One array of tables whose last two axes are padded with zeros; the kernels never read the padding of actions."""
    shape = np.max([table.shape for table in tables], axis=0)
    out = np.zeros((len(tables), *shape))
    for i, table in enumerate(tables):
        out[i][tuple(slice(size) for size in table.shape)] = table
    return out


def _fill(policy: Any, theta: np.ndarray, i: int, s: int, out: np.ndarray) -> None:
    """Probabilities of agent i in state s into ``out[i]``."""
    raise NotImplementedError("kernels only")


def _add_score(
    policy: Any, theta: np.ndarray, i: int, s: int, a: int, out: np.ndarray, weight: float, d: np.ndarray
) -> None:
    """Add ``weight * grad log pi_i(a | s)`` to ``d[i]``; ``out[i]`` holds the probabilities of agent i in s."""
    raise NotImplementedError("kernels only")


@overload(_fill, jit_options=JIT)
def _fill_overload(policy, theta, i, s, out):  # type: ignore[no-untyped-def]
    return {LogLinear: _fill_log_linear, Circular: _fill_circular, Neural: _fill_neural}.get(policy.instance_class)


@overload(_add_score, jit_options=JIT)
def _add_score_overload(policy, theta, i, s, a, out, weight, d):  # type: ignore[no-untyped-def]
    return {LogLinear: _score_log_linear, Circular: _score_circular, Neural: _score_neural}.get(policy.instance_class)


# The implementations take the arguments of the function that they overload, name by name.


def _fill_log_linear(policy, theta, i, s, out):  # type: ignore[no-untyped-def]
    psi, A = policy.psi, policy.n_actions[i]
    top = -np.inf
    for a in range(A):
        logit = 0.0
        for k in range(psi.shape[3]):
            logit += psi[i, s, a, k] * theta[i, k]
        out[i, a] = logit
        if logit > top:
            top = logit
    total = 0.0
    for a in range(A):
        out[i, a] = np.exp(out[i, a] - top)
        total += out[i, a]
    inverse = 1.0 / total
    for a in range(A):
        out[i, a] *= inverse


def _score_log_linear(policy, theta, i, s, a, out, weight, d):  # type: ignore[no-untyped-def]
    psi, A = policy.psi, policy.n_actions[i]
    for k in range(psi.shape[3]):
        mean = 0.0
        for b in range(A):
            mean += out[i, b] * psi[i, s, b, k]
        d[i, k] += weight * (psi[i, s, a, k] - mean)


def _fill_circular(policy, theta, i, s, out):  # type: ignore[no-untyped-def]
    features, A = policy.features, policy.n_actions[i]
    angle = 0.0
    for k in range(features.shape[2]):
        angle += features[i, s, k] * theta[i, k]
    angle *= policy.scale
    for a in range(A):
        out[i, a] = (1.0 + policy.radius * np.cos(angle - 2.0 * np.pi * a / A)) / A


def _score_circular(policy, theta, i, s, a, out, weight, d):  # type: ignore[no-untyped-def]
    features, A = policy.features, policy.n_actions[i]
    angle = 0.0
    for k in range(features.shape[2]):
        angle += features[i, s, k] * theta[i, k]
    x = policy.scale * angle - 2.0 * np.pi * a / A
    slope = -policy.radius * np.sin(x) / (1.0 + policy.radius * np.cos(x))
    slope *= weight * policy.scale
    for k in range(features.shape[2]):
        d[i, k] += slope * features[i, s, k]


def _fill_neural(policy, theta, i, s, out):  # type: ignore[no-untyped-def]
    A, pairs = policy.n_actions[i], policy.b.shape[1] == 1 and policy.inputs.shape[2] > 1
    m, d = policy.H.shape[1], policy.H.shape[2]
    last = m * d + policy.depth * m * m
    top = -np.inf
    for a in range(A):
        if pairs or a == 0:
            _forward_neural(policy, theta, i, s, a if pairs else 0)
        row = 0 if policy.b.shape[1] == 1 else a
        logit = 0.0
        for k in range(m):
            b = theta[i, last + row * m + k] if policy.full else policy.b[i, row, k]
            logit += b * policy.layers[policy.depth, k]
        out[i, a] = policy.scale * logit
        top = max(top, out[i, a])
    total = 0.0
    for a in range(A):
        out[i, a] = np.exp(out[i, a] - top)
        total += out[i, a]
    for a in range(A):
        out[i, a] /= total


def _forward_neural(policy: Any, theta: np.ndarray, i: int, s: int, x: int) -> None:
    """Layers of agent i's network at input x of state s."""
    raise NotImplementedError("kernels only")


@overload(_forward_neural, jit_options=JIT)
def _forward_neural_overload(policy, theta, i, s, x):  # type: ignore[no-untyped-def]
    def forward(policy, theta, i, s, x):  # type: ignore[no-untyped-def]
        m, d, layers = policy.H.shape[1], policy.H.shape[2], policy.layers
        for j in range(m):
            total = 0.0
            for k in range(d):
                total += (theta[i, j * d + k] if policy.full else policy.H[i, j, k]) * policy.inputs[i, s, x, k]
            layers[0, j] = total
        start = m * d if policy.full else 0
        weights = theta[i, start : start + policy.depth * m * m].reshape(policy.depth, m, m)
        for h in range(policy.depth):
            _layer(weights, h, layers)

    return forward


def _score_neural(policy, theta, i, s, a, out, weight, d):  # type: ignore[no-untyped-def]
    A, pairs = policy.n_actions[i], policy.b.shape[1] == 1 and policy.inputs.shape[2] > 1
    m, width, D = policy.H.shape[1], policy.H.shape[2], policy.depth
    start = m * width if policy.full else 0
    last = start + D * m * m
    weights = theta[i, start:last].reshape(D, m, m)
    steps = d[i, start:last].reshape(D, m, m)
    layers, back = policy.layers, policy.back
    for x in range(A if pairs else 1):  # one pass back per network input
        _forward_neural(policy, theta, i, s, x)
        for k in range(m):
            back[0, k] = 0.0
        for c in range(A):
            if pairs and c != x:
                continue
            pull = policy.scale * weight * ((1.0 if c == a else 0.0) - out[i, c])
            row = 0 if policy.b.shape[1] == 1 else c
            for k in range(m):
                b = theta[i, last + row * m + k] if policy.full else policy.b[i, row, k]
                back[0, k] += pull * b
                if policy.full:
                    d[i, last + row * m + k] += pull * layers[D, k]
        for h in range(D - 1, -1, -1):
            _backward_step(weights, steps, h, 1.0, layers, back, policy.full or h > 0)
        if policy.full:
            for j in range(m):
                for k in range(width):
                    d[i, j * width + k] += back[0, j] * policy.inputs[i, s, x, k]
