"""Finite Markov chains: which classes communicate, the period, and the stationary law.

The stationary law is computed by the GTH elimination (Grassmann, Taksar and Heyman, 1985), which uses no
subtraction and therefore keeps small entrywise relative error even on nearly decomposable chains. The same
code runs over exact rationals.
"""

from __future__ import annotations

from math import gcd

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components


class ReducibleChainError(ValueError):
    """The chain has more than one communicating class; the message names them."""


class PeriodicChainError(ValueError):
    """The chain is periodic; the message gives the period and the cyclic classes."""


def require_irreducible(chain: Float[np.ndarray, "S S"], name: str = "the chain") -> None:
    """Raise unless every state can be reached from every other.

    Args:
        chain: transition matrix, floats or rationals, shape (S, S).
        name: what the message calls it.

    Raises:
        ReducibleChainError: the message lists the communicating classes.
    """
    count, label = connected_components(_graph(chain), directed=True, connection="strong")
    if count > 1:
        classes = [np.flatnonzero(label == k).tolist() for k in range(count)]
        closed = [c for c in classes if not _leaves(chain, c)]
        raise ReducibleChainError(
            f"{name} is reducible: communicating classes {_show(classes)}, of which closed {_show(closed)}; "
            "a unique stationary law with full support needs one class"
        )


def require_aperiodic(chain: Float[np.ndarray, "S S"], name: str = "the chain") -> None:
    """Raise unless the (irreducible) chain has period one.

    Args:
        chain: irreducible transition matrix, shape (S, S).
        name: what the message calls it.

    Raises:
        PeriodicChainError: the message gives the period and the cyclic classes.
    """
    level, d = _levels(chain)
    if d > 1:
        cyclic = [np.flatnonzero(level % d == k).tolist() for k in range(d)]
        raise PeriodicChainError(
            f"{name} is periodic with period {d}: cyclic classes {_show(cyclic)}; it does not mix"
        )


def period(chain: Float[np.ndarray, "S S"]) -> int:
    """Period of an irreducible chain: the greatest common divisor of its cycle lengths.

    Args:
        chain: irreducible transition matrix, shape (S, S).
    """
    return _levels(chain)[1]


def stationary_law(chain: Float[np.ndarray, "S S"]) -> Float[np.ndarray, " S"]:
    """Stationary law of an irreducible chain by GTH elimination, over floats or exact rationals.

    Args:
        chain: irreducible transition matrix, shape (S, S); irreducibility is the caller's duty
            (`require_irreducible`).

    Returns:
        Probabilities, shape (S,).

    Source: Grassmann, Taksar and Heyman (1985), Operations Research 33(5).
    """
    a = np.array(chain)
    size = a.shape[0]
    for k in range(size - 1, 0, -1):
        a[:k, k] = a[:k, k] / a[k, :k].sum()
        a[:k, :k] = a[:k, :k] + a[:k, k, None] * a[k, None, :k]
    law = np.empty(size, dtype=a.dtype)
    law[0] = a[0, 0] * 0 + 1
    for k in range(1, size):
        law[k] = (law[:k] * a[:k, k]).sum()
    result: np.ndarray = law / law.sum()
    return result


def reachable(chain: Float[np.ndarray, "S S"], start: np.ndarray) -> np.ndarray:
    """Sorted indices of the states reachable from the support of `start`, that support included.

    Args:
        chain: transition matrix, shape (S, S).
        start: nonnegative weights, shape (S,).
    """
    graph = _graph(chain)
    found: set[int] = set()
    for state in np.flatnonzero(_positive(start)):
        if int(state) not in found:
            order = breadth_first_order(graph, int(state), return_predecessors=False)
            found.update(int(k) for k in order)
    return np.array(sorted(found))


def _positive(array: np.ndarray) -> np.ndarray:
    return np.asarray(np.asarray(array) > 0, dtype=bool)


def _graph(chain: np.ndarray) -> csr_array:
    return csr_array(_positive(chain).astype(np.int8))


def _levels(chain: np.ndarray) -> tuple[np.ndarray, int]:
    graph = _graph(chain)
    order, parent = breadth_first_order(graph, 0)
    level = np.zeros(graph.shape[0], dtype=int)
    for node in order[1:]:
        level[node] = level[parent[node]] + 1
    d = 0
    for source, target in zip(*graph.nonzero(), strict=True):
        d = gcd(d, int(level[source] + 1 - level[target]))
    return level, d


def _leaves(chain: np.ndarray, members: list[int]) -> bool:
    outside = np.setdiff1d(np.arange(chain.shape[0]), members)
    return bool(_positive(chain)[np.ix_(np.array(members), outside)].any())


def _show(classes: list[list[int]]) -> str:
    return ", ".join("{" + ", ".join(map(str, c)) + "}" for c in classes)
