"""The slowest doubly stochastic weights on a given graph.

Slowest: the largest ``||W - J||_2``, ``J = 11^T/N``, over all doubly stochastic W, symmetric or not, whose entries on
the diagonal and on the graph's links are at least eta and zero elsewhere. `worst_norm_bound` is an upper bound that
two eigenvalues certify, and for many graphs (trees, cycles, complete graphs) it is attained by ``I - eta L``. Else
the norm, being convex, is largest at a vertex of the polytope: `weight_vertices` lists them exactly for few
agents, and `worst_weights_search` climbs from vertex to vertex for many.

Over all connected graphs at once the worst case is at most `mdp.networks.bounds.path_bound`, which paths attain.

(Longer than most files here: polytope, bound and search share one set of definitions.)
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any, Literal

import networkx as nx
import numpy as np
from flint import fmpq_mat
from scipy.linalg import null_space

from mdp.linear import is_exact, rational, rational_array, to_float
from mdp.networks.schedule import disagreement_norm, require_connected

VERTEX_LIMIT = 20_000
"""Vertices, and cycles of the bipartite graph, beyond which enumeration is refused; ours: some ten seconds."""

COST_SCALE = 10**9
"""Ours: the search's linear programs run in integers; singular vectors are rounded to nine digits for them."""

EIGENVALUE_ROUNDING = 1e-12
"""Error of a symmetric eigenvalue of order one, generously, up to a few hundred agents; ours."""

CERTIFIED_AGENTS = 16
"""Agents up to which norms are enclosed by polynomial roots; ours: a tenth of a second there."""

Cell = tuple[int, int]
Method = Literal["closed form", "vertices", "local search"]


class TooManyVerticesError(ValueError):
    """Enumeration would exceed its limit; use `worst_norm_bound` and `worst_weights_search`."""


@dataclass(frozen=True, eq=False)
class WorstCase:
    """The slowest weights found, and how far they can be from the slowest.

    Attributes:
        W: exact rational weights that attain `lower`, (N, N) of `flint.fmpq`.
        lower: a value the true worst norm is at least, ``||W - J||`` rounded down.
        upper: a value it is at most.
        method: what `lower` comes from; the first two are exact, a local search may miss the maximum.
        n_vertices: vertices looked at.
    """

    W: np.ndarray
    lower: float
    upper: float
    method: Method
    n_vertices: int

    @property
    def exact(self) -> bool:
        """Whether the enclosure is tight to `2e-11`."""
        return self.upper - self.lower < 20 * EIGENVALUE_ROUNDING


@dataclass(frozen=True, eq=False)
class _Polytope:
    """``W = (p A + X) / q``, ``eta = p / q``, A the 0-1 pattern; X nonnegative integers at vertices.

    X has row sums `rows`, column sums `columns` and support in `cells`: a transportation polytope, whose constraint
    matrix is totally unimodular. Hence integer vertices, and edges along cycles of the bipartite graph of cells.
    """

    size: int
    cells: tuple[Cell, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    eta: Fraction

    def weights(self, flow: dict[Cell, int]) -> np.ndarray:
        W = rational_array(np.zeros((self.size, self.size), dtype=int))
        for i, j in self.cells:
            W[i, j] = rational(Fraction(self.eta.numerator + flow.get((i, j), 0), self.eta.denominator))
        return W

    def minimal_vertex(self, cost: np.ndarray) -> dict[Cell, int]:
        """A vertex that minimises ``sum cost * X`` for integer costs, by the network simplex method."""
        network = nx.DiGraph()
        for i in range(self.size):
            network.add_node(("row", i), demand=-self.rows[i])
            network.add_node(("column", i), demand=self.columns[i])
        network.add_edges_from((("row", i), ("column", j), {"weight": int(cost[i, j])}) for i, j in self.cells)
        try:
            _, flow = nx.network_simplex(network)
        except nx.NetworkXUnfeasible as error:
            raise ValueError(
                f"no doubly stochastic matrix on this graph has all its entries at least {self.eta}"
            ) from error
        return {(i, j): x for i, j in self.cells if (x := flow["row", i]["column", j]) > 0}


def weight_vertices(
    graph: nx.Graph | nx.DiGraph, min_weight: float | Fraction, *, limit: int = VERTEX_LIMIT
) -> list[np.ndarray]:
    """All vertices of the polytope of doubly stochastic weights on a graph, exactly.

    Starts at one vertex and walks along edges. An edge of a transportation polytope changes the entries of a cycle of
    the bipartite graph (rows against columns) alternately up and down; the far end is a vertex when its support has
    no cycle. Every vertex is reached because the graph of a polytope is connected.

    Args:
        graph: connected graph, or strongly connected digraph, on nodes 0..N-1.
        min_weight: eta, least entry on links and the diagonal, positive; a float is taken as the dyadic number it is.
        limit: largest number of vertices, and of cycles, to go through.

    Returns:
        Rational matrices (N, N).

    Raises:
        ValueError: another graph, `min_weight` not positive or too large for the graph.
        TooManyVerticesError: `limit` was reached.

    Source: Klee and Witzgall (1968), Facets and vertices of transportation polytopes (supports of vertices are
        forests); De Loera, Hemmecke and Koeppe (2013), Algebraic and Geometric Ideas, Sec. 2 (circuits).
    """
    polytope = _polytope(graph, min_weight)
    circuits = _circuits(polytope, limit)
    start = polytope.minimal_vertex(np.zeros((polytope.size, polytope.size), dtype=int))
    found, queue = {frozenset(start.items())}, [start]
    while queue:
        flow = queue.pop()
        support = frozenset(flow)
        for up, down in circuits:
            if not down <= support:
                continue  # a zero entry cannot fall
            step = min(flow[cell] for cell in down)
            moved = dict(flow)
            for cell in up:
                moved[cell] = moved.get(cell, 0) + step
            for cell in down:
                moved[cell] -= step
            moved = {cell: x for cell, x in moved.items() if x > 0}
            key = frozenset(moved.items())
            if key in found or not _is_forest(moved):
                continue
            if len(found) >= limit:
                raise TooManyVerticesError(f"more than {limit} vertices for {polytope.size} agents")
            found.add(key)
            queue.append(moved)
    return [polytope.weights(dict(key)) for key in found]


def worst_norm_bound(graph: nx.Graph | nx.DiGraph, min_weight: float | Fraction) -> float:
    r"""Upper bound on ``||W - J||_2`` over all doubly stochastic W on a graph with entries at least eta.

    Write ``W = eta (I + A) + X`` with ``X >= 0``, row sums ``r_i = 1 - eta (1 + outdeg i)`` and column sums
    ``c_j = 1 - eta (1 + indeg j)``. For unit vectors y and x of mean zero,
    ``2 y^T X x <= sum X_ij (y_i^2 + x_j^2) = y^T R y + x^T C x``, so the norm is at most the largest eigenvalue of
    ``[[R, eta (I + A)], [eta (I + A)^T, C]]`` on pairs of vectors of mean zero.

    In an undirected graph R = C and A is symmetric; with ``x +- y`` for x and y the matrix splits, and the bound is

    .. math:: \|W - J\| \le \max\big(1 - \eta\, \lambda_2(L),\; 1 - 2 \eta - \eta\, q\big),

    L the Laplacian, q the least value of the signless Laplacian ``D + A`` on unit vectors of mean zero. The first
    term is the norm's value at ``W = I - eta L``. So the bound is the worst case itself, for every feasible eta,
    whenever ``q >= lambda_2(L) - 2``: for all trees and all cycles, for complete graphs (with equality), and for any
    graph with ``lambda_2(L) <= 2``. No symmetry of W is assumed.

    Args:
        graph: connected graph, or strongly connected digraph, on nodes 0..N-1.
        min_weight: eta.

    Raises:
        ValueError: as for `weight_vertices`.

    Source: ours.
    """
    return _bound_and_vectors(_polytope(graph, min_weight))[0]


def worst_weights_search(
    graph: nx.Graph | nx.DiGraph, min_weight: float | Fraction, seed: int | np.random.Generator, *, starts: int = 8
) -> WorstCase:
    """Local search for the slowest weights: a lower bound, exact only if it meets `upper`.

    Starts: the vectors that attain `worst_norm_bound`, then random ones. From each, go to the vertex that is best for
    the linear function ``y^T W x``, replace (y, x) by the singular vectors of the largest singular value of
    ``W - J``, repeat. The norm cannot fall, since it is convex and the linear function supports it at W.

    Args:
        graph: connected graph, or strongly connected digraph, on nodes 0..N-1.
        min_weight: eta.
        seed: randomness of the starts.
        starts: number of random starts, at least one.

    Raises:
        ValueError: as for `weight_vertices`; `starts` below one.

    Source: Mangasarian (1996), Machine learning via polyhedral concave minimization (successive linearisation).
    """
    if starts < 1:
        raise ValueError(f"starts is {starts}, not at least one")
    polytope, rng = _polytope(graph, min_weight), np.random.default_rng(seed)
    upper, *pair = _bound_and_vectors(polytope)
    best, best_norm, steps = None, -np.inf, 0
    for left, right in [pair, *rng.standard_normal((starts, 2, polytope.size))]:
        norm = -np.inf
        while True:
            cost = np.rint(-COST_SCALE * np.outer(left, right)).astype(np.int64)
            W = polytope.weights(polytope.minimal_vertex(cost))
            steps += 1
            u, singular, vh = np.linalg.svd(to_float(W) - 1.0 / polytope.size)
            if singular[0] <= norm + EIGENVALUE_ROUNDING:
                break
            norm, left, right = float(singular[0]), u[:, 0], vh[0]
            if norm > best_norm:
                best, best_norm = W, norm
    assert best is not None  # the first step always improves on minus infinity
    return WorstCase(best, _norm_below(best), upper, "local search", steps)


def worst_weights(
    graph: nx.Graph | nx.DiGraph, min_weight: float | Fraction, *, seed: int = 0, limit: int = VERTEX_LIMIT
) -> WorstCase:
    """The slowest doubly stochastic weights on a graph: closed form, else all vertices, else a local search.

    Args:
        graph: connected graph, or strongly connected digraph, on nodes 0..N-1.
        min_weight: eta.
        seed: randomness of the local search, if it comes to that.
        limit: see `weight_vertices`.

    Returns:
        The weights and an enclosure of the worst norm; ``method`` says how it was found.

    Raises:
        ValueError: as for `weight_vertices`.
    """
    upper = worst_norm_bound(graph, min_weight)
    if not graph.is_directed():
        W = _least_moving(_polytope(graph, min_weight))
        if upper - disagreement_norm(to_float(W)) < 10 * EIGENVALUE_ROUNDING:
            return WorstCase(W, _norm_below(W), upper, "closed form", 1)
    try:
        vertices = weight_vertices(graph, min_weight, limit=limit)
    except TooManyVerticesError:
        return worst_weights_search(graph, min_weight, seed)
    norms = [disagreement_norm(to_float(W)) for W in vertices]
    worst = vertices[int(np.argmax(norms))]
    return WorstCase(worst, _norm_below(worst), max(norms) + EIGENVALUE_ROUNDING, "vertices", len(vertices))


def norm_enclosure(W: np.ndarray) -> tuple[float, float]:
    """Rigorous bounds on ``||W - J||_2`` of an exact doubly stochastic matrix, from certified polynomial roots.

    Args:
        W: rational, (N, N); practical up to some twenty agents.

    Returns:
        Lower and upper bound, some 1e-15 apart unless the singular value is multiple or zero.

    Raises:
        ValueError: W holds floats.
    """
    if not is_exact(W):
        raise ValueError("norm_enclosure takes exact rationals (mdp.linear.rational_array)")
    size = len(W)
    gap = fmpq_mat(size, size, list((W - rational(Fraction(1, size))).ravel()))
    roots: Any = (gap.transpose() * gap).charpoly().complex_roots()  # pairs (ball, multiplicity), disjoint balls
    low = max(float(root.real.abs_lower().sqrt().lower()) for root, _ in roots)
    high = max(float(root.real.abs_upper().sqrt().upper()) for root, _ in roots)
    return float(np.nextafter(low, 0.0)), float(np.nextafter(high, np.inf))


def _norm_below(W: np.ndarray) -> float:
    """A lower bound on the norm: certified roots for few agents, a rounded singular value for many."""
    if len(W) <= CERTIFIED_AGENTS:
        return norm_enclosure(W)[0]
    return disagreement_norm(to_float(W)) - EIGENVALUE_ROUNDING


def _polytope(graph: nx.Graph | nx.DiGraph, min_weight: float | Fraction) -> _Polytope:
    size = require_connected_graph(graph)
    if not 0 < min_weight <= 1:  # NaN fails too
        raise ValueError(f"min_weight is {float(min_weight):g}; the least weight lies in (0, 1]")
    eta = Fraction(min_weight)
    one_way = links(graph)
    both = one_way if graph.is_directed() else [*one_way, *((j, i) for i, j in one_way)]
    cells = tuple(sorted({*both, *((i, i) for i in range(size))}))
    sums = []
    for axis, what in ((0, "row"), (1, "column")):
        counts = np.bincount([cell[axis] for cell in cells], minlength=size)
        short = np.flatnonzero([eta * int(k) > 1 for k in counts])
        if short.size:
            i = int(short[0])
            raise ValueError(f"min_weight is {float(eta):g}, but {what} {i} has {counts[i]} entries that sum to one")
        sums.append(tuple(eta.denominator - eta.numerator * int(k) for k in counts))
    return _Polytope(size, cells, sums[0], sums[1], eta)


def _bound_and_vectors(polytope: _Polytope) -> tuple[float, np.ndarray, np.ndarray]:
    """`worst_norm_bound` with the pair (y, x) it belongs to."""
    size, denominator = polytope.size, polytope.eta.denominator
    pattern = np.zeros((size, size))
    pattern[tuple(np.array(polytope.cells).T)] = float(polytope.eta)
    rows = np.diag([float(Fraction(x, denominator)) for x in polytope.rows])
    columns = np.diag([float(Fraction(x, denominator)) for x in polytope.columns])
    basis = np.kron(np.eye(2), null_space(np.ones((1, size))))
    values, vectors = np.linalg.eigh(basis.T @ np.block([[rows, pattern], [pattern.T, columns]]) @ basis)
    top = basis @ vectors[:, -1]
    return float(values[-1]) + EIGENVALUE_ROUNDING, top[:size], top[size:]


def _least_moving(polytope: _Polytope) -> np.ndarray:
    """``I - eta L``: all the freedom goes to the diagonal."""
    return polytope.weights({(i, i): x for i, x in enumerate(polytope.rows)})


def _circuits(polytope: _Polytope, limit: int) -> list[tuple[frozenset[Cell], frozenset[Cell]]]:
    """Entries that rise and entries that fall along each cycle of the bipartite graph, both ways round."""
    bipartite = nx.Graph((("row", i), ("column", j)) for i, j in polytope.cells)
    circuits = []
    for cycle in islice(nx.simple_cycles(bipartite), limit + 1):
        steps = zip(cycle, cycle[1:] + cycle[:1], strict=True)
        cells = [(a[1], b[1]) if a[0] == "row" else (b[1], a[1]) for a, b in steps]
        even, odd = frozenset(cells[::2]), frozenset(cells[1::2])
        circuits += [(even, odd), (odd, even)]
    if len(circuits) > 2 * limit:
        raise TooManyVerticesError(f"more than {limit} cycles for {polytope.size} agents")
    return circuits


def _is_forest(flow: dict[Cell, int]) -> bool:
    return nx.is_forest(nx.Graph((("row", i), ("column", j)) for i, j in flow))


def links(graph: nx.Graph | nx.DiGraph) -> list[Cell]:
    """The graph's links between different agents, one orientation each if it is undirected.

    Args:
        graph: graph on agents.
    """
    return [(i, j) for i, j in graph.edges if i != j]


def require_connected_graph(graph: nx.Graph | nx.DiGraph) -> int:
    """N of a graph that can agree.

    Args:
        graph: graph on agents.

    Raises:
        ValueError: nodes other than 0..N-1, N below 2, or a graph that is not (strongly) connected.
    """
    size = graph.number_of_nodes()
    if size < 2 or set(graph.nodes) != set(range(size)):
        raise ValueError(f"graph nodes are {sorted(graph.nodes, key=str)}, not 0..N-1 with N of at least 2")
    if graph.is_directed():
        if not nx.is_strongly_connected(graph):
            raise ValueError("the digraph is not strongly connected: some arc has weight zero in every such matrix")
    else:
        require_connected((nx.to_numpy_array(graph, nodelist=range(size), weight=None) + np.eye(size))[None])
    return size
