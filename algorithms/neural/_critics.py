"""Critics for the kernels: one NamedTuple of arrays per kind, chosen by its type when a kernel is compiled.

Weights are blocks (D, rows, columns) for every kind. `_value` is Q-hat(s, a; w); for a network it leaves the layers in
scratch, where `_descend` (w -= step * grad Q-hat) finds them: it must follow the value of the same pair at the same w.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from algorithms.neural._network import _backward_step, _layer
from algorithms.neural._policies import JIT
from algorithms.neural.network import CriticNetwork, PairInputs


class Table(NamedTuple):
    """``H x`` of every pair, (S, A, m)."""

    first: np.ndarray


class Pairs(NamedTuple):
    """``H x`` of (s, a) is ``(state[s] + action[a]) / sqrt(state_square[s] + action_square[a])``."""

    state: np.ndarray
    action: np.ndarray
    state_square: np.ndarray
    action_square: np.ndarray


class Network(NamedTuple):
    """The network of Eq. (5): inputs a `Table` or `Pairs` (or a type with an overload of `_first_layer`).

    layers (D + 1, m) and back (2, m) are scratch: one tuple per run.
    """

    inputs: Any
    centre: np.ndarray
    b: np.ndarray
    layers: np.ndarray
    back: np.ndarray


class Linear(NamedTuple):
    """``value[s, a] + slope[s, a] . (w - centre)``; slope (S, A, D, rows, columns)."""

    value: np.ndarray
    slope: np.ndarray
    centre: np.ndarray


class Tabular(NamedTuple):
    """``w[0, s, a]``."""

    centre: np.ndarray


class Fixed(NamedTuple):
    """A table (1, S, A) that nobody learns."""

    centre: np.ndarray


def network_arrays(network: CriticNetwork, n_states: int, n_joint_actions: int) -> Network:
    """The arrays of a network on the pairs of an MDP.

    Args:
        network: with S A inputs.
        n_states: S.
        n_joint_actions: A.
    """
    m, inputs = network.width, network.inputs
    source: Table | Pairs
    if isinstance(inputs, PairInputs):
        cut = inputs.phi_s.shape[1]
        source = Pairs(inputs.phi_s @ network.H[:, :cut].T, inputs.phi_a @ network.H[:, cut:].T, *inputs.squares)
    else:
        source = Table(network.first_layer().reshape(n_states, n_joint_actions, m))
    return Network(source, network.W0.copy(), network.b.copy(), np.zeros((network.depth + 1, m)), np.zeros((2, m)))


def linear_arrays(network: CriticNetwork, n_states: int, n_joint_actions: int) -> Linear:
    """The linearisation of a network at W(0).

    Args:
        network: with S A inputs.
        n_states: S.
        n_joint_actions: A.
    """
    pair = (n_states, n_joint_actions)
    slope = network.gradients(network.W0).reshape(*pair, *network.W0.shape)
    return Linear(network.values(network.W0).reshape(pair), slope, network.W0.copy())


def _first_layer(inputs: Any, s: int, a: int, layers: np.ndarray) -> None:
    """``H xi(s, a)`` into ``layers[0]``."""
    raise NotImplementedError("kernels only")


def _value(critic: Any, w: np.ndarray, s: int, a: int) -> float:
    """``Q-hat(s, a; w)``."""
    raise NotImplementedError("kernels only")


def _descend(critic: Any, w: np.ndarray, s: int, a: int, step: float) -> None:
    """``w -= step * grad Q-hat(s, a; w)``, right after `_value` of the same."""
    raise NotImplementedError("kernels only")


@overload(_first_layer, jit_options=JIT)
def _first_layer_overload(inputs, s, a, layers):  # type: ignore[no-untyped-def]
    return {Table: _first_of_table, Pairs: _first_of_pairs}.get(inputs.instance_class)


@overload(_value, jit_options=JIT)
def _value_overload(critic, w, s, a):  # type: ignore[no-untyped-def]
    kinds = {Network: _value_network, Linear: _value_linear, Tabular: _value_tabular, Fixed: _value_fixed}
    return kinds.get(critic.instance_class)


@overload(_descend, jit_options=JIT)
def _descend_overload(critic, w, s, a, step):  # type: ignore[no-untyped-def]
    kinds = {Network: _descend_network, Linear: _descend_linear, Tabular: _descend_tabular, Fixed: _descend_fixed}
    return kinds.get(critic.instance_class)


# The implementations take the arguments of the function that they overload, name by name.


def _first_of_table(inputs, s, a, layers):  # type: ignore[no-untyped-def]
    for k in range(layers.shape[1]):
        layers[0, k] = inputs.first[s, a, k]


def _first_of_pairs(inputs, s, a, layers):  # type: ignore[no-untyped-def]
    norm = 1.0 / np.sqrt(inputs.state_square[s] + inputs.action_square[a])
    for k in range(layers.shape[1]):
        layers[0, k] = norm * (inputs.state[s, k] + inputs.action[a, k])


def _value_network(critic, w, s, a):  # type: ignore[no-untyped-def]
    _first_layer(critic.inputs, s, a, critic.layers)
    depth = w.shape[0]
    for h in range(depth):
        _layer(w, h, critic.layers)
    total = 0.0
    for k in range(critic.b.shape[0]):
        total += critic.b[k] * critic.layers[depth, k]
    return total


def _descend_network(critic, w, s, a, step):  # type: ignore[no-untyped-def]
    for k in range(critic.b.shape[0]):
        critic.back[0, k] = critic.b[k]
    for h in range(w.shape[0] - 1, -1, -1):
        _backward_step(w, w, h, -step, critic.layers, critic.back, h > 0)


def _value_linear(critic, w, s, a):  # type: ignore[no-untyped-def]
    total = critic.value[s, a]
    for h in range(w.shape[0]):
        for i in range(w.shape[1]):
            for j in range(w.shape[2]):
                total += critic.slope[s, a, h, i, j] * (w[h, i, j] - critic.centre[h, i, j])
    return total


def _descend_linear(critic, w, s, a, step):  # type: ignore[no-untyped-def]
    for h in range(w.shape[0]):
        for i in range(w.shape[1]):
            for j in range(w.shape[2]):
                w[h, i, j] -= step * critic.slope[s, a, h, i, j]


def _value_tabular(critic, w, s, a):  # type: ignore[no-untyped-def]
    return w[0, s, a]


def _descend_tabular(critic, w, s, a, step):  # type: ignore[no-untyped-def]
    w[0, s, a] -= step


def _value_fixed(critic, w, s, a):  # type: ignore[no-untyped-def]
    return critic.centre[0, s, a]


def _descend_fixed(critic, w, s, a, step):  # type: ignore[no-untyped-def]
    pass
