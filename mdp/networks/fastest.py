"""The fastest doubly stochastic weights on a given graph, enclosed without trusting the solver."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np
from scipy.optimize import linprog

from mdp.networks.schedule import disagreement_norm
from mdp.networks.worst import EIGENVALUE_ROUNDING, Cell, links, require_connected_graph


@dataclass(frozen=True, eq=False)
class FastestMixing:
    """Fastest-mixing symmetric weights with a certificate.

    Attributes:
        W: feasible weights, (N, N).
        norm: ``||W - J||_2``: the optimum is at most this.
        lower: the optimum is at least this, by weak duality, whatever the solver did.
    """

    W: np.ndarray
    norm: float
    lower: float


def fastest_mixing(graph: nx.Graph, min_weight: float = 0.0) -> FastestMixing:
    """Symmetric nonnegative weights on a graph that minimise ``||W - J||_2``, by semidefinite programming.

    By convexity symmetric weights do as well as any doubly stochastic ones. With ``min_weight = 0`` the optimum may
    have zeros on the diagonal (a path's has), which `Schedule` refuses; mix with `lazy` or ask for a least weight.

    The enclosure does not trust the solver. Above: its weights are made feasible and their norm is computed. Below:
    for any symmetric Y with ``Y 1 = 0`` and nuclear norm at most one, and any z with ``z_i + z_j <= 2 Y_ij`` on links
    and the diagonal, ``||W - J|| >= <Y, W> >= sum z + eta sum (Y_ij - (z_i + z_j) / 2)``.

    Args:
        graph: connected undirected graph on nodes 0..N-1, N at least 2.
        min_weight: least weight on links and the diagonal.

    Raises:
        ValueError: another graph, or `min_weight` negative or too large for it.
        RuntimeError: the solver returned nothing.

    Source: Boyd, Diaconis and Xiao (2004), SIAM Review 46(4), Sec. 2.3 (program) and Sec. 4 (dual).
    """
    import cvxpy as cp  # a second to import; nothing else here needs it

    if graph.is_directed():
        raise ValueError("fastest mixing is posed on an undirected graph")
    size, edges = require_connected_graph(graph), links(graph)
    degree = max(sum(i in edge for edge in edges) for i in range(size))
    if not 0 <= min_weight <= 1 / (degree + 1):
        raise ValueError(f"min_weight is {min_weight:g}; degree {degree} leaves room for [0, {1 / (degree + 1):g}]")
    incidence = np.zeros((size, len(edges)))
    for k, (i, j) in enumerate(edges):
        incidence[i, k], incidence[j, k] = 1.0, -1.0
    w, s = cp.Variable(len(edges)), cp.Variable()
    gap = np.eye(size) - 1.0 / size - incidence @ cp.diag(w) @ incidence.T
    above, below = s * np.eye(size) - gap >> 0, s * np.eye(size) + gap >> 0
    room = [w >= min_weight, np.abs(incidence) @ w <= 1 - min_weight]
    cp.Problem(cp.Minimize(s), [above, below, *room]).solve(solver=cp.CLARABEL)
    if w.value is None:
        raise RuntimeError("the semidefinite solver returned no weights")
    W = _feasible(np.asarray(w.value), np.abs(incidence), incidence, min_weight)
    lower = _dual_bound(above.dual_value - below.dual_value, edges, min_weight)
    return FastestMixing(W, disagreement_norm(W), max(lower, 0.0))


def _feasible(w: np.ndarray, touch: np.ndarray, incidence: np.ndarray, min_weight: float) -> np.ndarray:
    """Weights from edge weights, moved into the polytope: clipped from below, then drawn towards min_weight."""
    excess = np.maximum(w - min_weight, 0.0)
    room, load = 1 - min_weight - min_weight * touch.sum(axis=1), touch @ excess
    scale = min(1.0, float(np.min(room[load > 0] / load[load > 0], initial=1.0)))
    W: np.ndarray = np.eye(len(touch)) - (incidence * (min_weight + scale * excess)) @ incidence.T
    return np.maximum(W, 0.0)  # a diagonal of -1e-17 is zero


def _dual_bound(Y: np.ndarray, edges: list[Cell], min_weight: float) -> float:
    """The bound of `fastest_mixing` for a symmetric matrix, made feasible first."""
    size = len(Y)
    centre = np.eye(size) - 1.0 / size
    Y = centre @ (Y + Y.T) @ centre / 2
    Y = Y / max(float(np.abs(np.linalg.eigvalsh(Y)).sum()), 1.0)
    pairs = [*edges, *((i, i) for i in range(size))]
    halves = np.zeros((len(pairs), size))
    for k, (i, j) in enumerate(pairs):
        halves[k, i] += 0.5
        halves[k, j] += 0.5
    counts = np.array([2.0 if i != j else 1.0 for i, j in pairs])  # both W_ij and W_ji
    caps = np.array([Y[i, j] for i, j in pairs])
    gain = np.ones(size) - min_weight * counts @ halves
    z = linprog(-gain, A_ub=halves, b_ub=caps, bounds=(None, None)).x
    z = z - max(0.0, float((halves @ z - caps).max()))  # now every constraint holds
    return float(z.sum() + min_weight * counts @ (caps - halves @ z)) - EIGENVALUE_ROUNDING
