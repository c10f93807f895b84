"""Families of consensus matrices and schedules on graphs, each validated when it is built.

A positive entry ``W[i, j]`` off the diagonal means that agent i gives weight to what agent j sends; in a directed
graph it belongs to the arc (i, j). Metropolis weights, the full average and the federated schedule are in
`mdp.networks.schedule`. Every random family takes an integer seed or a `numpy.random.Generator`.
"""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import numpy as np
from flint import fmpq
from jaxtyping import Float

from mdp.linear import rational_array, to_float
from mdp.networks.schedule import (
    DisconnectedScheduleError,
    Schedule,
    full_average,
    metropolis_weights,
    require_doubly_stochastic,
)
from mdp.validate import as_float_array

Seed = int | np.random.Generator
"""What `numpy.random.default_rng` takes: an integer, or a generator that is advanced."""

SINKHORN_TOLERANCE = 1e-13
"""Largest deviation of a column sum from one at which scaling stops; ours, a decade inside `Schedule`'s own."""

SINKHORN_SWEEPS = 200_000
"""Ours: the error falls by the squared second singular value of the limit per sweep; enough for a path of 100."""

LARGEST_MIXTURE_WEIGHT = 8
"""Ours: random integer weights below this keep exact mixtures readable."""


def lazy(W: Float[np.ndarray, "N N"], stay: float) -> Float[np.ndarray, "N N"]:
    """``stay I + (1 - stay) W``: every agent keeps at least `stay` of its own value.

    Good for: slowing a network by a known factor (for symmetric W each eigenvalue moves to
    ``stay + (1 - stay) lambda``), removing negative eigenvalues (``stay >= 1/2``), and giving a matrix with a zero on
    the diagonal the self weight that `Schedule` asks for.

    Args:
        W: doubly stochastic, (N, N).
        stay: weight of the identity, in [0, 1).

    Raises:
        ValueError: W is not doubly stochastic, or `stay` is outside [0, 1).

    Source: Levin, Peres and Wilmer (2009), Markov Chains and Mixing Times, Sec. 1.3 (lazy walks).
    """
    matrix = as_float_array("W", W, 2)
    require_doubly_stochastic(matrix)
    if not 0.0 <= stay < 1.0:
        raise ValueError(f"stay is {stay:g}; the weight of the identity lies in [0, 1)")
    return stay * np.eye(len(matrix)) + (1.0 - stay) * matrix


def max_degree_weights(graph: nx.Graph) -> Float[np.ndarray, "N N"]:
    """``I - L / (1 + d_max)``: one weight on all edges, set by the largest degree.

    Good for: weights that all agents can compute from one number, for closed forms (the eigenvalues are those of the
    Laplacian, shifted), and as the slow rival of Metropolis weights on irregular graphs such as stars.

    Args:
        graph: undirected graph on nodes 0..N-1.

    Raises:
        ValueError: nodes are not 0..N-1, or the graph is directed.

    Source: Xiao and Boyd (2004), Systems & Control Letters 53, Sec. 4 (there 1 / d_max; the one more keeps every
        diagonal entry positive).
    """
    if graph.is_directed():
        raise ValueError("max-degree weights need an undirected graph; see directed_balanced_weights")
    return _constant_weights(_adjacency(graph))


def directed_balanced_weights(graph: nx.DiGraph) -> Float[np.ndarray, "N N"]:
    """``I - (D - A) / (1 + d_max)`` on a digraph whose in- and out-degrees agree: doubly stochastic, not symmetric.

    Good for: theorems that must not assume ``W = W^T``, and the gap between eigenvalues (complex here) and singular
    values. A directed ring is the smallest case: its W is normal, so the second eigenvalue still gives the norm.

    Args:
        graph: directed graph on nodes 0..N-1, every in-degree equal to the out-degree.

    Raises:
        ValueError: the graph is undirected, has other nodes, or is unbalanced (the message names a node).

    Source: Olfati-Saber and Murray (2004), IEEE TAC 49(9) (balanced digraphs reach the average).
    """
    if not graph.is_directed():
        raise ValueError("directed balanced weights need a DiGraph; see max_degree_weights for undirected graphs")
    adjacency = _adjacency(graph)
    out_degree, in_degree = adjacency.sum(axis=1), adjacency.sum(axis=0)
    unbalanced = np.flatnonzero(out_degree != in_degree)
    if unbalanced.size:
        i = int(unbalanced[0])
        raise ValueError(
            f"node {i} has {int(out_degree[i])} outgoing and {int(in_degree[i])} incoming arcs; a balanced digraph has "
            "as many of each (sinkhorn_weights takes any strongly connected digraph)"
        )
    return _constant_weights(adjacency)


def permutation_mixture(n_agents: int, seed: Seed, *, terms: int = 3, exact: bool = False) -> np.ndarray:
    """Random mixture of the identity, one N-cycle and random permutations: connected, in general not symmetric.

    Good for: exact (rational) checks, since weights are small integers over their sum, and for covering all doubly
    stochastic matrices: by Birkhoff's theorem each one is such a mixture.

    Args:
        n_agents: N.
        seed: randomness.
        terms: permutations besides the identity, the first of them one cycle through all agents.
        exact: return `flint.fmpq` entries instead of floats.

    Returns:
        Doubly stochastic matrix with a positive diagonal, (N, N).

    Raises:
        ValueError: `n_agents` or `terms` below one.

    Source: Birkhoff (1946); Horn and Johnson (2013), Matrix Analysis, Theorem 8.7.2.
    """
    _require_positive("n_agents", n_agents)
    _require_positive("terms", terms)
    rng = np.random.default_rng(seed)
    weights = [fmpq(int(w)) for w in rng.integers(1, LARGEST_MIXTURE_WEIGHT, size=terms + 1)]
    visit = rng.permutation(n_agents)
    cycle = np.empty(n_agents, dtype=int)
    cycle[visit] = np.roll(visit, -1)
    orders = [np.arange(n_agents), cycle, *(rng.permutation(n_agents) for _ in range(terms - 1))]
    W = rational_array(np.zeros((n_agents, n_agents), dtype=int))
    for weight, order in zip(weights, orders, strict=True):
        for i in range(n_agents):
            W[i, order[i]] += weight / sum(weights, fmpq(0))
    return W if exact else to_float(W)


def sinkhorn_weights(graph: nx.Graph | nx.DiGraph, seed: Seed) -> Float[np.ndarray, "N N"]:
    """Random positive weights on a graph and its diagonal, scaled until rows and columns sum to one.

    Good for: generic weights on a prescribed graph, directed or not, without the ties of Metropolis weights. On a
    tree the result is symmetric whatever the seed, because a doubly stochastic W sends as much across each edge one
    way as the other.

    Args:
        graph: connected graph, or strongly connected digraph, on nodes 0..N-1.
        seed: randomness.

    Raises:
        ValueError: nodes are not 0..N-1, or the (di)graph is not (strongly) connected. (An arc on no directed
            cycle carries no weight in any doubly stochastic matrix, so scaling could not converge.)
        RuntimeError: the scaling has not converged; the message gives the deviation.

    Source: Sinkhorn and Knopp (1967), Pacific J. Math. 21(2).
    """
    pattern = _adjacency(graph) + np.eye(graph.number_of_nodes())
    connected = nx.is_strongly_connected(graph) if graph.is_directed() else nx.is_connected(graph)
    if not connected:
        kind = "strongly connected digraph" if graph.is_directed() else "connected graph"
        raise ValueError(f"Sinkhorn scaling needs a {kind}; this one is not")
    W = pattern * np.random.default_rng(seed).uniform(0.1, 1.0, size=pattern.shape)
    deviation = np.inf
    for _ in range(SINKHORN_SWEEPS):
        W = W / W.sum(axis=0)
        W = W / W.sum(axis=1, keepdims=True)
        deviation = float(np.abs(W.sum(axis=0) - 1.0).max())
        if deviation < SINKHORN_TOLERANCE:
            return W
    raise RuntimeError(f"Sinkhorn scaling stopped with a column sum {deviation:.2g} off one")


def b_connected_schedule(graph: nx.Graph, period: int, seed: Seed) -> Schedule:
    """Each edge of a connected graph in exactly one, random, round of the period; Metropolis weights in each round.

    Good for: theorems that assume connectivity only over windows of B rounds (zeng2022 Assumption 1). Single rounds
    are as a rule disconnected, and some may be idle.

    Args:
        graph: connected undirected graph on nodes 0..N-1.
        period: B, at least one.
        seed: randomness.

    Raises:
        ValueError: `period` below one, or a graph that Metropolis weights refuse.
        DisconnectedScheduleError: the graph is not connected.

    Source: Nedic, Olshevsky, Ozdaglar and Tsitsiklis (2009), IEEE TAC 54(11), Assumption 2.
    """
    _require_positive("period", period)
    edges = [(i, j) for i, j in graph.edges if i != j]
    rounds = np.random.default_rng(seed).integers(period, size=len(edges))
    matrices = []
    for b in range(period):
        active = nx.create_empty_copy(graph)
        active.add_edges_from(edge for edge, when in zip(edges, rounds, strict=True) if when == b)
        matrices.append(metropolis_weights(active))
    return Schedule.periodic(matrices)


def federated_sampling(n_agents: int, every: int, participants: int, server_rounds: int, seed: Seed) -> Schedule:
    """Every `every` steps a server averages a random subset of agents; nothing between.

    Good for: partial participation, the usual state of federated learning. Agents enter in a random order, each
    subset sharing one agent with those before it until all have taken part, so that the period is connected.

    Args:
        n_agents: N, at least 2.
        every: steps between server rounds, at least one.
        participants: agents per server round, 2..N.
        server_rounds: server rounds per period, at least ``(N - 1) / (participants - 1)``.
        seed: randomness.

    Raises:
        ValueError: a number out of range; too few server rounds for all agents to take part.

    Source: McMahan, Moore, Ramage, Hampson and Aguera y Arcas (2017), AISTATS, Algorithm 1 (client sampling).
    """
    _require_positive("every", every)
    if not 2 <= participants <= n_agents:
        raise ValueError(f"participants is {participants}; a server round needs 2..{n_agents} of {n_agents} agents")
    needed = -(-(n_agents - 1) // (participants - 1))
    if server_rounds < needed:
        raise ValueError(
            f"server_rounds is {server_rounds}; to connect {n_agents} agents, {participants} at a time, takes {needed}"
        )
    rng = np.random.default_rng(seed)
    waiting: list[int] = rng.permutation(n_agents).tolist()
    seen: list[int] = []
    matrices = []
    for _ in range(server_rounds):
        chosen = [int(rng.choice(seen)) if seen else waiting.pop()]
        chosen += [waiting.pop() for _ in range(min(participants - 1, len(waiting)))]
        others = [i for i in range(n_agents) if i not in chosen]
        chosen += rng.choice(others, size=participants - len(chosen), replace=False).tolist() if others else []
        seen = sorted({*seen, *chosen})
        waiting = [i for i in waiting if i not in seen]
        average = np.eye(n_agents)
        average[np.ix_(chosen, chosen)] = full_average(len(chosen))
        matrices += [np.eye(n_agents)] * (every - 1) + [average]
    return Schedule.periodic(matrices)


def pairwise_gossip(graph: nx.Graph, rounds: int, idle: float, seed: Seed) -> Schedule:
    """A seeded period of gossip: each round one random edge averages its ends, or, with chance `idle`, nobody talks.

    Good for: asynchronous networks and lost messages, frozen into a finite period so that every contraction factor
    is exact. One round contracts nothing in norm; only windows do.

    Args:
        graph: connected undirected graph on nodes 0..N-1, at least one edge.
        rounds: length of the period.
        idle: chance that a round is idle, in [0, 1).
        seed: randomness.

    Raises:
        ValueError: a number out of range, a directed graph, or one without edges.
        DisconnectedScheduleError: the edges drawn do not connect the agents; more rounds or another seed would.

    Source: Boyd, Ghosh, Prabhakar and Shah (2006), IEEE Trans. Inform. Theory 52(6) (asynchronous gossip).
    """
    _require_positive("rounds", rounds)
    if not 0.0 <= idle < 1.0:
        raise ValueError(f"idle is {idle:g}; the chance of an idle round lies in [0, 1)")
    if graph.is_directed():
        raise ValueError("pairwise gossip needs an undirected graph: both ends of an edge move")
    size, edges = len(_adjacency(graph)), [(i, j) for i, j in graph.edges if i != j]
    if not edges:
        raise ValueError("pairwise gossip needs a graph with an edge")
    rng = np.random.default_rng(seed)
    matrices = np.broadcast_to(np.eye(size), (rounds, size, size)).copy()
    for W in matrices:
        if rng.random() >= idle:
            pair = edges[rng.integers(len(edges))]
            W[np.ix_(pair, pair)] = 0.5
    return Schedule(matrices)


def _gossip_until_connected(n_agents: int, seed: int) -> Schedule:
    """The first connected period among seeded draws, so that the registry's entry never fails."""
    rng, graph = np.random.default_rng(seed), nx.cycle_graph(n_agents)
    while True:
        try:
            return pairwise_gossip(graph, 4 * n_agents, 0.25, rng)
        except DisconnectedScheduleError:  # some agent was never drawn
            continue


FAMILIES: dict[str, Callable[[int, int], Schedule]] = {
    "metropolis": lambda n, seed: Schedule.static(metropolis_weights(nx.path_graph(n))),
    "lazy": lambda n, seed: Schedule.static(lazy(metropolis_weights(nx.cycle_graph(n)), 0.5)),
    "max-degree": lambda n, seed: Schedule.static(max_degree_weights(nx.star_graph(n - 1))),
    "permutation mixture": lambda n, seed: Schedule.static(permutation_mixture(n, seed)),
    "sinkhorn": lambda n, seed: Schedule.static(sinkhorn_weights(nx.complete_graph(n), seed)),
    "directed balanced": lambda n, seed: Schedule.static(
        directed_balanced_weights(nx.cycle_graph(n, create_using=nx.DiGraph))
    ),
    "B-connected": lambda n, seed: b_connected_schedule(nx.path_graph(n), 3, seed),
    "federated": lambda n, seed: Schedule.federated(n, 3),
    "federated sampling": lambda n, seed: federated_sampling(n, 2, 2, n, seed),
    "pairwise gossip": _gossip_until_connected,
}
"""One small schedule per family from ``(n_agents, seed)``, n_agents from 3 on; for tests, sweeps and tables."""


def _constant_weights(adjacency: np.ndarray) -> np.ndarray:
    """``I - (D - A) / (1 + d_max)`` for equal row and column sums of A."""
    W = adjacency / (1.0 + adjacency.sum(axis=1).max())
    np.fill_diagonal(W, 1.0 - W.sum(axis=1))
    return W


def _adjacency(graph: nx.Graph | nx.DiGraph) -> np.ndarray:
    """0-1 adjacency matrix without loops and weights, nodes in the order 0..N-1."""
    size = graph.number_of_nodes()
    if size == 0 or set(graph.nodes) != set(range(size)):
        raise ValueError(f"graph nodes are {sorted(graph.nodes, key=str)}, not 0..{size - 1}")
    adjacency = nx.to_numpy_array(graph, nodelist=range(size), weight=None)
    adjacency = (adjacency > 0).astype(float)
    np.fill_diagonal(adjacency, 0.0)
    return adjacency


def _require_positive(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} is {value}, not at least one")
